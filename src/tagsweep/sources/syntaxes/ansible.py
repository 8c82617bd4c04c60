"""Ansible: containers and images that tasks name, with the variables and loops that can be read beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tagsweep.sources.syntaxes import generic_yaml, shell
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.line_starts import begins_line
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Node, Pairs, Scalar, documents, walk

_PLACE: Final = re.compile(
    r"(?:^|/)(?:tasks|handlers|playbooks?|group_vars|host_vars)/|(?:^|/)roles/[^/]+/(?:defaults|vars)/"
)
_MODULE: Final = re.compile(r"(?:docker_\w+|podman_\w+|hosts|import_playbook)\s*:")
_BEFORE_MODULE: Final = re.compile(
    r"[ \t]*(?:-[ \t]+)?(?:community\.docker\.|containers\.podman\.|ansible\.builtin\.)?"
)
_MODULES: Final = re.compile(r"(?:community\.docker\.|containers\.podman\.)?(docker|podman)_(\w+)")
_SCRIPTS: Final = re.compile(r"(?:ansible\.builtin\.)?(?:shell|command|raw)")
_LOOPS: Final = ("loop", "with_items", "with_list", "with_flattened")
_DEFAULT: Final = re.compile(r"([A-Za-z_][\w.]*)\s*\|\s*(?:default|d)\(\s*[\"']([^\"']*)[\"'].*\).*", re.DOTALL)
_PAIR: Final = re.compile(r"\b(?:image|name|repository)=(?:\"([^\"]+)\"|'([^']+)'|(\S+))")


def claims(file: File) -> bool:
    """Tell whether the file is a playbook, tasks or variables of Ansible, by its place or what is in it."""
    text = file.text
    if not file.name.endswith((".yml", ".yaml")) or not any(word in text for word in ("image", "docker", "podman")):
        return False
    if _PLACE.search(file.path) is not None:
        return True
    return begins_line(_MODULE, text, margin=_BEFORE_MODULE)


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file names. Raises NotParsed where it is no YAML."""
    try:
        parsed = documents(file.text)
    except NotParsed:
        yield from generic_yaml.lines(file.text)
        raise
    values = _values(file, parsed)
    for document in parsed:
        told: set[tuple[int, str]] = set()
        for node in walk(document):
            if isinstance(node, Pairs):
                yield from _task(node, values, told)
        skipped = {line for line, _ in told}
        found = generic_yaml.find_in(document, variables=_variables(values))
        yield from (finding for finding in found if finding.line not in skipped)


def _task(node: Pairs, values: dict[str, Value], told: set[tuple[int, str]]) -> Iterator[Finding]:
    variables = _variables({**values, **_loop(node)})
    named = node.text("name")
    at = f"task {named.value}" if named is not None else ""
    for key, module in node.entries.items():
        found = _MODULES.fullmatch(key)
        if found is not None:
            yield from _Module(found[2], at, variables, told).read(module)
        elif _SCRIPTS.fullmatch(key):
            script = module if isinstance(module, Scalar) else module.text("cmd") if isinstance(module, Pairs) else None
            if script is not None and shell.mentions_tool(script.value):
                first = script.first_line
                told.update((first + offset, key) for offset in range(script.value.count("\n") + 2))
                yield from shell.find(script.value, line=first, variables=variables, at=at)


@dataclass(frozen=True, slots=True)
class _Module:
    """One task's module for containers; ``told`` takes the lines that need no other reading."""

    kind: str
    at: str
    variables: Variables
    told: set[tuple[int, str]]

    def read(self, module: Node) -> Iterator[Finding]:
        if isinstance(module, Scalar):
            for found in _PAIR.finditer(module.value):
                if found[0].startswith("image") or self.kind.startswith("image"):
                    yield from self.image(found[1] or found[2] or found[3], module)
        if not isinstance(module, Pairs):
            return
        image = module.text("image")
        if image is not None and self.kind not in {"volume", "network"}:
            yield from self.image(image.value, image)
        if not self.kind.startswith("image"):
            return
        for key in ("name", "repository"):
            name, tag = module.text(key), module.text("tag")
            for entry in (name,) if name is not None else module.items(key):
                if isinstance(entry, Scalar) and not entry.value.startswith(("sha256:", "/")):
                    complete = ":" in re.sub(r"\{\{.*?\}\}", "", entry.value).rpartition("/")[2] or "@" in entry.value
                    text = entry.value if complete or tag is None else f"{entry.value}:{tag.value}"
                    yield from self.image(text, entry)

    def image(self, text: str, spot: Scalar) -> Iterator[Finding]:
        self.told.add((spot.line, text))
        return iter(read_image(text, line=spot.line, at=self.at, variables=self.variables))


def _loop(node: Pairs) -> dict[str, Value]:
    """Return what ``item`` is in a task with a loop, and ``item.key`` where the items are mappings."""
    found: dict[str, tuple[str, ...]] = {}
    name = node.text("loop_control", "loop_var")
    item = name.value if name is not None else "item"
    for key in _LOOPS:
        for entry in node.items(key):
            if isinstance(entry, Scalar):
                found[item] = (*found.get(item, ()), entry.value)
            for inner, text in entry.entries.items() if isinstance(entry, Pairs) else ():
                if isinstance(text, Scalar):
                    found[f"{item}.{inner}"] = (*found.get(f"{item}.{inner}", ()), text.value)
    return {key: Value(texts) for key, texts in found.items()}


def _values(file: File, parsed: tuple[Node, ...]) -> dict[str, Value]:
    """Return the variables of the file and of its role. None is settled: Ansible has many places that come first."""
    found: dict[str, tuple[str, ...]] = {}
    nodes = [node for document in parsed for node in walk(document) if isinstance(node, Pairs)]
    sources = [node.pairs("vars") for node in nodes] + [node.pairs("ansible.builtin.set_fact") for node in nodes]
    sources += [node.pairs("set_fact") for node in nodes]
    if re.search(r"(?:^|/)(?:vars|defaults|group_vars|host_vars)/", file.path):
        sources += [node for node in parsed if isinstance(node, Pairs)]
    for relative in ("../defaults/main.yml", "../vars/main.yml", "../defaults/main.yaml", "../vars/main.yaml"):
        text = file.read_beside(relative)
        try:
            sources += [node for node in documents(text or "") if isinstance(node, Pairs)]
        except NotParsed:
            continue
    for source in sources:
        for name, value in source.entries.items():
            if (
                isinstance(value, Scalar)
                and not value.is_null
                and not re.search(rf"\b{re.escape(name)}\b", value.value)
            ):
                found[name] = (*found.get(name, ()), value.value)
            for inner, part in value.entries.items() if isinstance(value, Pairs) else ():
                if isinstance(part, Scalar):
                    found[f"{name}.{inner}"] = (*found.get(f"{name}.{inner}", ()), part.value)
    return {name: Value(tuple(dict.fromkeys(texts)), settled=False) for name, texts in found.items()}


def _variables(values: dict[str, Value]) -> Variables:
    """Return the variables by name, and those that have a default in Jinja's way."""

    def look_up(name: str) -> Value | None:
        found = _DEFAULT.fullmatch(name)
        if found is None:
            return values.get(name.partition("|")[0].strip()) if "|" not in name or "string" in name else None
        known = values.get(found[1])
        texts = (*(known.texts if known is not None else ()), found[2])
        return Value(tuple(dict.fromkeys(texts)), settled=False)

    return look_up


SYNTAX: Final = Syntax(name="ansible", claims=claims, extract=extract)
