"""The reference and the JSON Schema of the policy say what the reader does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from msgspec import inspect

from tagsweep.config import parse_policy
from tagsweep.config.schema import policy_schema, schema_text
from tagsweep.config.wire import KEEP_CLAUSES, PolicyWire
from tagsweep.config.wording import bare
from tagsweep.model.errors import PolicyError

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE = (DOCS / "policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)
PARTS = {
    "version": "version: 1\n",
    "targets": "targets: [acme/web]\n",
    "rules": "rules: [{name: x, match: {glob: 'y*'}, keep: []}]\n",
    "evidence": "evidence: none\n",
}


def completed(block: str) -> str:
    """Return a whole policy that has ``block`` as a part."""
    return block + "".join(part for key, part in PARTS.items() if not re.search(rf"^{key}:", block, re.MULTILINE))


def keys_of(info: inspect.Type, found: set[str]) -> set[str]:
    """Return every key that a mapping of this type can have, at any depth."""
    match bare(info):
        case inspect.StructType() as struct:
            for one in struct.fields:
                found.add(one.encode_name)
                keys_of(one.type, found)
        case inspect.UnionType() as union:
            for member in union.types:
                keys_of(member, found)
        case inspect.ListType() as entries:
            keys_of(entries.item_type, found)
        case inspect.DictType() as mapping:
            keys_of(mapping.value_type, found)
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_each_block_of_the_reference_loads_and_fits_the_schema(block: str) -> None:
    """What the reference shows is accepted by the reader, and by an editor that uses the schema."""
    text = completed(block)
    parse_policy(text, path="policy.md")
    jsonschema.Draft202012Validator(policy_schema()).validate(yaml.safe_load(text))


def test_the_reference_names_every_key() -> None:
    """No key of a policy is missing in the reference."""
    found = keys_of(inspect.type_info(PolicyWire), set())
    for shape in KEEP_CLAUSES.shapes.values():
        keys_of(inspect.type_info(shape), found)
    assert sorted(key for key in found if not re.search(rf"`?\b{key}\b", REFERENCE)) == []


def test_the_schema_file_is_current() -> None:
    """docs/policy.schema.json is what the types say now.

    To write it again: python -c "from tagsweep.config.schema import *; print(schema_text(), end='')"
    """
    assert (DOCS / "policy.schema.json").read_text(encoding="utf-8") == schema_text()
    jsonschema.Draft202012Validator.check_schema(policy_schema())


bad_documents: list[dict[str, Any]] = [
    {"verson": 1},
    {"limits": {"max_removal": 1}},
    {"rules": [{"name": "x", "match": {"glob": "a", "names": "b"}, "keep": []}]},
    {"rules": [{"name": "x", "match": {"glob": "a"}}]},
    {"rules": [{"name": "x", "match": {"glob": "a"}, "keep": [{"newest": 1, "within": "3d"}]}]},
    {"rules": [{"name": "x", "match": {"glob": "a"}, "keep": [{"within": "30"}]}]},
    {"rules": None},
    {"evidence": "nobody"},
    {"schedule": "quartely"},
    {"sources": {"list/a": {"unresolved": "ingore"}}},
    {"sources": {"list/a": {"unresolved": [{"path": "a/**"}]}}},
    {"sources": {"list/a": {"unresolved": [{"paths": "a/**", "read": "ignore"}]}}},
    {"sources": {"list/a": {"remember": "90"}}},
    {"sources": {"list/a": {"kind": 7}}},
    {"registries": {"docker.io": {"aliases": "harbor.example/hub"}}},
    {"naming": {"a": {"immutable": True}}},
]


@pytest.mark.parametrize("change", bad_documents, ids=[repr(change)[:60] for change in bad_documents])
def test_the_schema_refuses_what_the_reader_refuses(change: dict[str, Any]) -> None:
    """Unknown keys and wrong kinds are marked in an editor too."""
    document = yaml.safe_load("".join(PARTS.values())) | change
    with pytest.raises(PolicyError):
        parse_policy(yaml.safe_dump(document), path="policy.yaml")
    assert not jsonschema.Draft202012Validator(policy_schema()).is_valid(document)
