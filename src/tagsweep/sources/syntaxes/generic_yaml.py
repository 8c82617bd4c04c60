"""YAML and JSON of no special format: images under keys that say so, in parts beside each other, or by their shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tagsweep.sources.syntaxes import jsontree, plain_text, scan
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.image_keys import (
    DIGEST_KEYS,
    REGISTRY_KEYS,
    REPOSITORY_KEYS,
    TAG_KEYS,
    could_name_image,
    is_image_key,
    may_be_image_key,
    squeezed,
)
from tagsweep.sources.syntaxes.shape import looks_like_image
from tagsweep.sources.syntaxes.template import Variables, nothing_known
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, documents, walk

_ENDINGS: Final = (
    ".yaml",
    ".yml",
    ".json",
    ".jsonc",
    ".json5",
    ".yaml.dist",
    ".yml.dist",
    ".yaml.example",
    ".yml.example",
)
_LOCKS: Final = frozenset(
    {"package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "composer.lock", "tsconfig.json"}
)
_SIGNAL: Final = re.compile(r"(?i)image|docker|repository|oci://|@sha256:|[a-z0-9]/[a-z0-9._-]+:[a-z0-9$]")
_MARKED: Final = ("docker://", "docker-image://", "docker-pullable://", "oci://")
_LINE: Final = re.compile(r"\s*(?:-\s+)?[\"']?(?P<key>[A-Za-z][A-Za-z0-9_-]*)[\"']?\s*:\s+(?P<value>\S.*?)\s*,?\s*")
_TEMPLATE: Final = re.compile(r"\{\{|\{%|<%")
_COMMENT: Final = re.compile(r"\s#.*$")
_NAMED_GROUP: Final = re.compile(r"\(\?P?<[A-Za-z]")  # a regular expression by which an updater finds an image
_SHORTEST_SCRIPT: Final = 8


def claims(file: File) -> bool:
    """Tell whether the file is YAML or JSON that may name images, and that no format of its own claims."""
    return _may_name_images(file) and claims_none_else(file)


def _may_name_images(file: File) -> bool:
    if not file.name.endswith(_ENDINGS) or file.name in _LOCKS:
        return False
    return _SIGNAL.search(file.text) is not None


def claims_none_else(file: File) -> bool:
    """Tell whether no other syntax claims the file: what knows the format knows better which parts are known."""
    return not any(syntax.claims(file) for syntax in scan.all_syntaxes() if syntax.name != SYNTAX.name)


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file names. A template of YAML, which cannot be parsed, is read line by line."""
    try:
        if file.name.endswith((".json", ".jsonc", ".json5")):
            yield from find_in(jsontree.parse(file.text))
        else:
            yield from find(file.text)
    except NotParsed:
        yield from lines(file.text)
        if _TEMPLATE.search(file.text) is None:
            raise
        yield from plain_text.extract(file)


def find(
    text: str, *, line: int = 1, variables: Variables = nothing_known, at: str = "", note: str = ""
) -> Iterator[Finding]:
    """Yield what a YAML or JSON text names, whose first line is ``line``. Raises NotParsed where it is neither."""
    parsed = documents(text)
    if not any(isinstance(document, Items | Pairs) for document in parsed):
        raise NotParsed("it is neither a mapping nor a list")
    for document in parsed:
        yield from find_in(document, offset=line - 1, variables=variables, at=at, note=note)


def find_in(
    node: Node, *, offset: int = 0, variables: Variables = nothing_known, at: str = "", note: str = "", key: str = ""
) -> Iterator[Finding]:
    """Yield what ``node`` and all below it names. ``key`` is the key under which it stands, if any."""
    reader = _Reader(variables, at, note, offset)
    if key and not isinstance(node, Pairs):
        yield from reader.value(key, node)
    for inner in walk(node):
        if isinstance(inner, Pairs):
            yield from reader.mapping(inner, key if inner is node else "")
        elif isinstance(inner, Items):
            for entry in inner.entries:
                if isinstance(entry, Scalar):
                    yield from reader.shaped(entry)


def lines(text: str, *, line: int = 1, variables: Variables = nothing_known, at: str = "") -> Iterator[Finding]:
    """Yield what ``image: …`` lines name, for text that is YAML but for what a template language will fill in."""
    for number, content in enumerate(text.splitlines(), start=line):
        found = _LINE.fullmatch(content)
        if found is None or not (is_image_key(found["key"]) or may_be_image_key(found["key"])):
            continue
        value = _COMMENT.sub("", found["value"]).strip("\"'")
        if could_name_image(value, bare=found["key"] == "image"):
            yield from _certain(read_image(value, line=number, at=at, variables=variables))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads mappings and values; ``offset`` is added to their lines."""

    variables: Variables
    at: str
    note: str
    offset: int

    def mapping(self, node: Pairs, above: str) -> Iterator[Finding]:
        """Yield what the entries of a mapping name. ``above`` is the key under which it stands, where that is known."""
        together, split = self.parts(node, above)
        yield from split
        for key, value in node.entries.items():
            if key in together:
                continue
            if isinstance(value, Pairs) and squeezed(key).endswith("image"):
                if not set(map(squeezed, value.entries)) & {*TAG_KEYS, *DIGEST_KEYS, *REGISTRY_KEYS}:
                    yield from self.repository_alone(value)
            else:
                yield from self.value(key, value)

    def value(self, key: str, value: Node) -> Iterator[Finding]:
        """Yield what stands under a key: one image, a list or mapping of them, or a text by its shape."""
        if isinstance(value, Scalar):
            if may_be_image_key(key) or is_image_key(key):
                yield from self.image(value, bare=is_image_key(key))
            else:
                yield from self.shaped(value)
        elif isinstance(value, Items) and may_be_image_key(key):
            for entry in value.entries:
                if isinstance(entry, Scalar):
                    yield from self.image(entry, bare=squeezed(key) == "images")
        elif isinstance(value, Pairs) and squeezed(key).endswith("images"):
            for entry in value.entries.values():
                if isinstance(entry, Scalar):
                    yield from self.image(entry, bare=False)

    def image(self, value: Scalar, *, bare: bool) -> Iterator[Finding]:
        """Yield the image that a value is, unless it is clearly something else."""
        if value.is_null:
            return
        if "\n" in value.value or not could_name_image(value.value, bare=bare):
            yield from self.shaped(value)
            return
        yield from self.read(value.value, value)

    def read(self, text: str, spot: Scalar) -> Iterator[Finding]:
        found = read_image(text, line=spot.line + self.offset, at=self.at, note=self.note, variables=self.variables)
        return _certain(found)

    def shaped(self, value: Scalar) -> Iterator[Finding]:
        """Yield what can only be meant as an image, and what is in a text that is a file of its own."""
        text = value.value
        if (
            text.startswith(_MARKED) and (not text.startswith("oci://") or looks_like_image(text[6:], open_name=True))
        ) or looks_like_image(text):
            yield from self.read(text, value)
        elif "\n" in text.strip() or (len(text) > _SHORTEST_SCRIPT and " " in text) or text.startswith(("[", "{")):
            yield from self.embedded(text, value)

    def embedded(self, text: str, spot: Scalar) -> Iterator[Finding]:
        """Yield what a block of text names: YAML or JSON in a text, a script, or words."""
        if _SIGNAL.search(text) is None or ("\n" not in text and _NAMED_GROUP.search(text) is not None):
            return
        # JSON and scripts in a quoted text have all of their lines on one.
        first = spot.first_line + self.offset
        name = (
            "embedded.yaml"
            if text.lstrip().startswith(("{", "[")) or re.match(r"\s*[\w.-]+:(?:\s|$)", text)
            else "embedded.sh"
        )
        for finding in scan.scan(File(name, text)).findings:
            if not isinstance(finding, NoReference):
                yield replace(
                    finding,
                    line=first + finding.line - 1 if spot.block else first,
                    at=self.at,
                    note=finding.note or self.note,
                )

    def parts(self, node: Pairs, above: str) -> tuple[frozenset[str], list[Finding]]:
        """Return the keys that make one image together (repository beside tag), and that image."""
        by_name = {squeezed(key): key for key in node.entries}
        tag_key = self.first(by_name, node, TAG_KEYS)
        digest_key = self.first(by_name, node, DIGEST_KEYS)
        registry_key = self.first(by_name, node, REGISTRY_KEYS)
        repository_key = self.first(by_name, node, REPOSITORY_KEYS)
        nothing: tuple[frozenset[str], list[Finding]] = (frozenset(), [])
        if repository_key is None:
            return nothing
        repository = node.text(repository_key)
        if repository is None or not self.together(repository_key, repository, tag_key, registry_key, above):
            return nothing
        text = repository.value.strip()
        registry = node.text(registry_key) if registry_key is not None else None
        if registry is not None:
            text = f"{registry.value.strip().rstrip('/')}/{text}"
        if "@" not in text and ":" not in text.rpartition("/")[2].replace(":-", "").replace("${", "${x}"):
            text += self.ending(node, tag_key, digest_key)
        elif tag_key is not None and ":" in text.rpartition("/")[2]:
            return nothing
        if not could_name_image(text, bare=True):
            return nothing
        used = {key for key in (repository_key, tag_key, digest_key, registry_key) if key is not None}
        return frozenset(used), list(self.read(text, repository))

    def ending(self, node: Pairs, tag_key: str | None, digest_key: str | None) -> str:
        tag = node.text(tag_key) if tag_key is not None else None
        digest = node.text(digest_key) if digest_key is not None else None
        ending = f":{tag.value.strip()}" if tag is not None and tag.value.strip() else ""
        if digest is not None and digest.value.strip():
            value = digest.value.strip()
            return f"{ending}@{value}" if ":" in value or "$" in value or "{" in value else f"{ending}@sha256:{value}"
        return ending or ":${tag}"

    @staticmethod
    def first(by_name: dict[str, str], node: Pairs, names: tuple[str, ...]) -> str | None:
        """Return the first of these keys that the mapping has, as it is written there."""
        found = (by_name[name] for name in names if name in by_name)
        return next((key for key in found if isinstance(node.entries[key], Scalar)), None)

    @staticmethod
    def together(key: str, value: Scalar, tag_key: str | None, registry_key: str | None, above: str) -> bool:
        """Tell whether these keys are parts of one image, rather than a name and a version of something else."""
        name, tag = squeezed(key), squeezed(tag_key or "")
        if name in {"name", "newname"}:
            return tag in {"newtag", "tag", "imagetag"} and "/" in value.value
        if name in {"repository", "repo", "imagerepository"}:
            return tag not in {"", "version"} or registry_key is not None or squeezed(above).endswith("image")
        return tag not in {"", "version"} or (registry_key is not None and squeezed(registry_key) == "hub")

    def repository_alone(self, node: Pairs) -> Iterator[Finding]:
        """Yield ``image: {repository: …}`` without a tag: some default gives it, so any may be meant."""
        for key, value in node.entries.items():
            if (
                squeezed(key) in {"repository", "repo"}
                and isinstance(value, Scalar)
                and could_name_image(value.value, bare=True)
            ):
                complete = ":" in value.value.rpartition("/")[2] or "@" in value.value
                yield from self.read(value.value if complete else f"{value.value}:${{tag}}", value)


def _certain(findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """Leave out what is no image, as none had to be named there."""
    return (finding for finding in findings if not isinstance(finding, NoReference))


SYNTAX: Final = Syntax(name="yaml", claims=claims, extract=extract)
