"""Nomad job files (HCL and JSON): the images of the tasks, with the job's variables and locals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import hcl, jsontree
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, walk

_NAMED: Final = re.compile(
    r".*\.nomad(?:\.(?:hcl|json|tmpl|tpl|j2))?|.*\.nomad\.hcl\..*|.*\.(?:hcl|hcl2)(?:\.(?:tmpl|tpl))?|.*\.json"
)
_JOB: Final = re.compile(r"(?m)^\s*job\s+\"?[^\"\s{]+\"?\s*\{")
_JSON_JOB: Final = re.compile(r"\"(?:TaskGroups|taskGroups)\"\s*:|\"Job\"\s*:\s*\{")
_LEVANT: Final = re.compile(r"\[\[-?([^\[\]\n]{0,200}?)-?\]\]")


def claims(file: File) -> bool:
    """Tell whether the file has a Nomad job in it."""
    if _NAMED.fullmatch(file.name) is None:
        return False
    return (_JSON_JOB if file.name.endswith(".json") else _JOB).search(file.text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the tasks run. Raises NotParsed where the file is neither HCL nor JSON."""
    # Templates of Levant and Nomad Pack stand in doubled brackets, which HCL has for lists in lists.
    text = _LEVANT.sub(lambda found: f"{{{{{found[1]}}}}}", file.text)
    if file.name.endswith(".json") or text.lstrip().startswith("{"):
        yield from _tasks(jsontree.parse(text), lambda _: None)
        return
    body = hcl.parse(text)
    yield from _tasks(body, _variables(body))


def _tasks(tree: Node, variables: Variables) -> Iterator[Finding]:
    for node in walk(tree):
        if not isinstance(node, Pairs):
            continue
        for key in ("config", "Config"):
            found = node.get(key)
            for config in found.entries if isinstance(found, Items) else (found,):
                image = config.get("image") if isinstance(config, Pairs) else None
                for text in hcl.texts(image):
                    yield from read_image(text.value, line=text.line, at=_name(node), variables=variables)


def _name(node: Pairs) -> str:
    name = node.text("Name") or node.text("name")
    return f"task {name.value}" if name is not None else ""


def _variables(body: Pairs) -> Variables:
    """Return the defaults of the file's variables, which whoever runs the job may set, and its locals."""
    values: dict[str, Value] = {}
    for entry in body.items("variable"):
        for name, block in entry.entries.items() if isinstance(entry, Pairs) else ():
            texts = tuple(text.value for text in hcl.texts(block.get("default") if isinstance(block, Pairs) else None))
            if texts:
                values[f"var.{name}"] = Value(texts, settled=False)
    for entry in body.items("locals"):
        for name, node in entry.entries.items() if isinstance(entry, Pairs) else ():
            if isinstance(node, Scalar) and f"local.{name}" not in node.value:
                values[f"local.{name}"] = Value((node.value,))
    return values.get


SYNTAX: Final = Syntax(name="nomad", claims=claims, extract=extract)
