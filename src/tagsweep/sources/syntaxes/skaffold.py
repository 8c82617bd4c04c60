"""Skaffold: the artifacts that it builds and tags itself, the images that it builds from, tests and Helm values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import generic_yaml, image_builds
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.helm_command import set_images
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.shell_words import Word
from tagsweep.sources.syntaxes.template import nothing_known
from tagsweep.sources.syntaxes.yamlnodes import Pairs, Scalar, documents, walk

_VERSION: Final = re.compile(r"apiVersion(?<![^\n]apiVersion):\s*[\"']?skaffold/")
_SETTINGS: Final = ("setValues", "setValueTemplates")


def claims(file: File) -> bool:
    """Tell whether the file is a Skaffold configuration, by its API version or name."""
    return file.name.endswith((".yaml", ".yml")) and (
        file.name.startswith("skaffold.") or _VERSION.search(file.text) is not None
    )


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file names. Raises NotParsed where it is no YAML."""
    try:
        parsed = documents(file.text)
    except NotParsed:
        yield from generic_yaml.lines(file.text)
        raise
    for document in parsed:
        built: set[int] = set()
        for node in walk(document):
            if isinstance(node, Pairs):
                yield from _artifacts(file, node, built)
                yield from _values(node)
        for finding in generic_yaml.find_in(document):
            if finding.line not in built and not isinstance(finding, NoReference):
                yield finding


def _artifacts(file: File, node: Pairs, built: set[int]) -> Iterator[Finding]:
    """Yield what ``build.artifacts`` names: Skaffold makes the tag up, so any of the repository's may be deployed."""
    for artifact in node.items("artifacts"):
        if not isinstance(artifact, Pairs):
            continue
        image = artifact.text("image")
        if image is None:
            continue
        built.add(image.line)
        at = f"artifact {image.value}"
        tagged = ":" in image.value.rpartition("/")[2] or "@" in image.value
        text = image.value if tagged else f"{image.value}:${{tag}}"
        yield from read_image(text, line=image.line, at=at, note="built and tagged by Skaffold")
        docker = artifact.pairs("docker")
        yield from image_builds.cache_images(docker.get("cacheFrom"), nothing_known, at=at)
        context, name = artifact.text("context"), docker.text("dockerfile")
        path = image_builds.dockerfile_path(context.value if context else None, name.value if name else None)
        arguments = image_builds.arguments_of(docker.get("buildArgs"))
        yield from image_builds.arguments_used(file, path, arguments, nothing_known, at=at)
        for keys in (("buildpacks", "builder"), ("buildpacks", "runImage"), ("jib", "fromImage"), ("ko", "fromImage")):
            used = artifact.text(*keys)
            if used is not None:
                built.add(used.line)
                yield from read_image(used.value, line=used.line, at=at, note="built from it")


def _values(node: Pairs) -> Iterator[Finding]:
    """Yield the images that Helm values set; a template of them is filled in when Skaffold runs."""
    for key in _SETTINGS:
        settings: dict[str, tuple[str, Word]] = {}
        for name, value in node.pairs(key).entries.items():
            if isinstance(value, Scalar):
                settings[name] = (value.value, Word(value.value, value.line))
            elif isinstance(value, Pairs):
                nested = {f"{name}.{inner}": each for inner, each in value.entries.items() if isinstance(each, Scalar)}
                settings.update({inner: (each.value, Word(each.value, each.line)) for inner, each in nested.items()})
        for text, word in set_images(settings):
            yield from read_image(text, line=word.line, at="Helm values")
    for chart in node.items("releases"):
        remote = chart.text("remoteChart") if isinstance(chart, Pairs) else None
        version = chart.text("version") if isinstance(chart, Pairs) else None
        if remote is not None and remote.value.startswith("oci://"):
            ending = f":{version.value.replace('+', '_')}" if version is not None else ":${version}"
            yield from read_image(remote.value + ending, line=remote.line, at="Helm chart", note="chart")


SYNTAX: Final = Syntax(name="skaffold", claims=claims, extract=extract)
