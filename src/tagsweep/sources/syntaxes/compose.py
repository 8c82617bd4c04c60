"""Compose files: what the services run and build, with interpolation, ``.env``, ``extends`` and ``include``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tagsweep.sources.syntaxes import dockerfile, env_file, generic_yaml, image_builds
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.shape import looks_like_image
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, documents, walk

_NAMED: Final = re.compile(
    r"(?:.*[._-])?(?:docker-?)?(?:compose|stack)(?:[._-].*)?\.ya?ml(?:\.(?:dist|example|sample|j2|tmpl))?"
)
_YAML: Final = re.compile(r".*\.ya?ml(?:\.(?:dist|example|sample))?")
_SERVICES: Final = re.compile(
    r"services(?<![^\n]services):[ \t]*(?:#[^\n]*)?\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]+[A-Za-z0-9_.\"'-]+:",
    re.MULTILINE,
)
_BUILDS: Final = re.compile(r"^[ \t]+(?:image|build|extends):", re.MULTILINE)
_DEEPEST: Final = 5


def claims(file: File) -> bool:
    """Tell whether the file is named as Compose files are, or has services with an image or a build."""
    if _YAML.fullmatch(file.name) is None and _NAMED.fullmatch(file.name) is None:
        return False
    if _SERVICES.search(file.text) is not None and _BUILDS.search(file.text) is not None:
        return True
    named = _NAMED.fullmatch(file.name) is not None
    return named and re.search(r"(?m)^(?:services|include|models|x-[\w-]+):", file.text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file names. Raises NotParsed where it is no YAML."""
    try:
        parsed = documents(file.text)
    except NotParsed:
        yield from generic_yaml.lines(file.text, variables=_variables(_beside(file, ".env")))
        raise
    for document in parsed:
        if isinstance(document, Pairs):
            yield from _Project(file, _variables(_beside(file, ".env"))).read(document, _DEEPEST)


@dataclass(frozen=True, slots=True)
class _Project:
    """One file as it is read with these variables. ``line`` replaces the lines of a file that another one includes."""

    file: File
    variables: Variables
    line: int = 0
    by: str = ""

    def read(self, document: Pairs, depth: int) -> Iterator[Finding]:
        services = document.pairs("services")
        told: set[int] = set()
        for name, service in services.entries.items():
            if isinstance(service, Pairs):
                for finding in self.service(name, service, told, depth):
                    yield self.placed(finding)
        for name, model in document.pairs("models").entries.items():
            reference = model.text("model") if isinstance(model, Pairs) else None
            if reference is not None:
                told.add(id(reference))
                yield self.placed(self_read(reference, f"model {name}", self.variables))
        for finding in self.others(document, told):
            yield self.placed(finding)
        if depth > 0:
            for entry in document.items("include"):
                yield from self.included(entry, depth - 1)

    def placed(self, finding: Finding) -> Finding:
        if not self.line:
            return finding
        return replace(finding, line=self.line, at=f"{self.by}, {finding.at}" if finding.at else self.by)

    def service(self, name: str, service: Pairs, told: set[int], depth: int) -> Iterator[Finding]:
        at = f"service {name}"
        image = service.text("image")
        if image is not None:
            told.add(id(image))
            note = "built here" if service.get("build") is not None else ""
            yield from read_image(image.value, line=image.line, at=at, note=note, variables=self.variables)
        build = service.get("build")
        if isinstance(build, Pairs):
            yield from self.build(build, at)
        for volume in service.items("volumes"):
            kind, source = (volume.text("type"), volume.text("source")) if isinstance(volume, Pairs) else (None, None)
            if source is not None and kind is not None and kind.value == "image":
                told.add(id(source))
                yield from read_image(source.value, line=source.line, at=at, note="volume", variables=self.variables)
        if image is None and build is None and depth > 0:
            yield from self.extended(service, at, depth - 1)

    def build(self, build: Pairs, at: str) -> Iterator[Finding]:
        arguments = image_builds.arguments_of(build.get("args"))
        contexts = tuple(image_builds.arguments_of(build.get("additional_contexts")))
        inline = build.text("dockerfile_inline")
        if inline is not None:
            first = inline.first_line
            yield from dockerfile.find(
                inline.value.replace("$$", "$"),
                line=first,
                arguments={key: value.value for key, value in arguments.items()},
                contexts=contexts,
                variables=self.variables,
                at=at,
            )
        else:
            context, name = build.text("context"), build.text("dockerfile")
            path = image_builds.dockerfile_path(context.value if context else None, name.value if name else None)
            yield from image_builds.arguments_used(self.file, path, arguments, self.variables, contexts=contexts, at=at)
        for key in ("cache_from", "cache_to"):
            yield from image_builds.cache_images(build.get(key), self.variables, at=at)
        yield from image_builds.context_images(build.get("additional_contexts"), self.variables, at=at)
        yield from image_builds.tag_images(build.get("tags"), self.variables, at=at)

    def extended(self, service: Pairs, at: str, depth: int) -> Iterator[Finding]:
        """Yield the image of a service in another file that this one extends, read with this project's variables."""
        name, path = service.text("extends", "service"), service.text("extends", "file")
        if name is None or path is None:
            return
        other = self.other(path.value)
        if other is None:
            return
        by = f"{at} extends {other.path}"
        for document in _parsed(other.text):
            base = document.get("services", name.value)
            if isinstance(base, Pairs):
                project = _Project(other, self.variables, path.line, by)
                yield from map(project.placed, project.service(name.value, base, set(), depth))

    def included(self, entry: Node, depth: int) -> Iterator[Finding]:
        """Yield what an included file names, read with this project's variables over those that ``include`` gives."""
        paths = entry if isinstance(entry, Scalar) else entry.get("path") if isinstance(entry, Pairs) else None
        environment = entry.get("env_file") if isinstance(entry, Pairs) else None
        for path in paths.entries if isinstance(paths, Items) else (paths,):
            other = self.other(path.value) if isinstance(path, Scalar) else None
            if other is None or not isinstance(path, Scalar):
                continue
            values: dict[str, env_file.Setting] = {}
            if environment is None:
                values = _beside(other, ".env")
            for env in environment.entries if isinstance(environment, Items) else (environment,):
                if isinstance(env, Scalar):
                    values.update(_beside(self.file, env.value))
            own, theirs = self.variables, _variables(values)
            project = _Project(other, _first_of(own, theirs), self.line or path.line, f"include {other.path}")
            for document in _parsed(other.text):
                yield from project.read(document, depth)

    def other(self, relative: str) -> File | None:
        path = self.file.beside(relative)
        text = None if path is None else self.file.tree.read(path)
        return None if path is None or text is None else File(path, text, self.file.tree)

    def others(self, document: Pairs, told: set[int]) -> Iterator[Finding]:
        """Yield what can only be meant as an image anywhere else: in variables, commands and ``x-`` extensions."""
        for key, part in document.entries.items():
            if key in {"configs", "secrets", "volumes", "networks", "models", "include"}:
                continue
            for node in walk(part):
                if isinstance(node, Pairs) and key.startswith("x-"):
                    image = node.text("image")
                    if image is not None and id(image) not in told:
                        told.add(id(image))
                        yield from read_image(image.value, line=image.line, at=key, variables=self.variables)
                if not isinstance(node, Scalar) or id(node) in told:
                    continue
                _, equals, value = node.value.partition("=")
                text = value if equals and not looks_like_image(node.value) else node.value
                if looks_like_image(text) and not _MOUNT.search(text):
                    yield from read_image(text, line=node.line, variables=self.variables, prose=True)


_MOUNT: Final = re.compile(r":(?:ro|rw|z|Z|cached|delegated)$")


def self_read(reference: Scalar, at: str, variables: Variables) -> Finding:
    """Return the first finding of a model's reference."""
    return read_image(reference.value, line=reference.line, at=at, note="model", variables=variables)[0]


def _parsed(text: str) -> Iterator[Pairs]:
    """Yield the documents of another file; what it cannot be read for is told where it is read on its own."""
    try:
        yield from (document for document in documents(text) if isinstance(document, Pairs))
    except NotParsed:
        return


def _beside(file: File, relative: str) -> dict[str, env_file.Setting]:
    text = file.read_beside(relative)
    return {} if text is None else env_file.settings(text)


def _variables(values: Mapping[str, env_file.Setting]) -> Variables:
    """Return the variables of ``.env``, which Compose reads by itself: they are settled."""

    def look_up(name: str) -> Value | None:
        setting = values.get(name)
        return None if setting is None else Value((setting.value,))

    return look_up


def _first_of(first: Variables, second: Variables) -> Variables:
    return lambda name: first(name) or second(name)


SYNTAX: Final = Syntax(name="compose", claims=claims, extract=extract)
