"""What steps of GitHub Actions hand on (outputs), and where the inputs of actions name images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.findings import Finding, NoReference, Open
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.kubernetes_fields import is_tagged
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Pairs, Scalar

_PUBLISHES: Final = re.compile(
    r"build-push-action|bake-action|buildah|kaniko|docker-manifest|docker-build|publish-docker"
)
_NAMES_ONLY: Final = re.compile(r"docker/metadata-action|login-action|crazy-max/ghaction-docker-meta")
# The inputs by which actions that take an image call it.
_IMAGE_INPUT: Final = re.compile(
    r"(?:[a-z0-9]+[-_])*(?:image|images|container|containers)(?:[-_](?:ref|reference|name|uri|url))?|base[-_]image",
    re.IGNORECASE,
)
_VERSION_ENDS: Final = ("-tag", "_tag", "-version", "_version")
_BUILD: Final = frozenset({"cache-from", "cache-to", "build-contexts", "build-args", "driver-opts", "outputs", "set"})
_KEY: Final = re.compile(r"\b(?:ref|name)=([^,\s\"]+)")
_SHAPE: Final = re.compile(r"[^\s=]*(?:[/:]|\$)[^\s=]*")
_EXPRESSION: Final = re.compile(r"\$\{\{.*?\}\}")


def step_outputs(steps: tuple[Pairs, ...]) -> dict[str, Value]:
    """Return the outputs that scripts echo, as ``ID.outputs.NAME``."""
    found: dict[str, Value] = {}
    for step in steps:
        name, run = step.text("id"), step.text("run")
        if name is not None and run is not None:
            for output, value in pipeline.assignments(run.value, "GITHUB_OUTPUT").items():
                found[f"{name.value}.outputs.{output}"] = value
    return found


def given(uses: str, inputs: Pairs, lines: list[str], *, at: str, variables: Variables) -> Iterator[Finding]:
    """Yield the images in the ``with:`` of an action. Caches and build arguments are told as such, and so is what the
    step publishes: of that, only what has a name or a tag in the text.
    """
    outputs = inputs.text("outputs")
    by_digest = outputs is not None and "push-by-digest=true" in outputs.value
    for name, node in inputs.entries.items():
        key = name.lower()
        if not isinstance(node, Scalar) or node.is_null or (by_digest and key == "tags"):
            continue  # what is pushed by digest gets no tag here
        if key in _BUILD:
            yield from _build(key, node, lines, at=at, variables=variables)
        elif _PUBLISHES.search(uses) and key in {"tags", "tag", "image", "images", "sources"}:
            note = "" if key == "sources" else "published by the workflow"
            for line, word in pipeline.words(node, lines):
                yield from _named(read_image(word, line=line, at=at, note=note, variables=variables))
        elif _IMAGE_INPUT.fullmatch(key) and not _NAMES_ONLY.search(uses):
            yield from _images(_with_version(name, node, inputs), lines, at=at, variables=variables)
        elif key in {"run", "script"} and uses and "github-script" not in uses:
            yield from pipeline.script(node, lines, at=at, variables=variables)


def _with_version(name: str, node: Scalar, inputs: Pairs) -> Scalar:
    """Return the image of an input with the version that stands in an input of its own, as ``image-tag`` beside
    ``image``, or ``tool-version`` beside ``tool-image``; as it is where there is none or it has one.
    """
    if is_tagged(node.value) or len(node.value.split()) != 1:
        return node
    stem = re.sub(r"[-_]?image$", "", name, flags=re.IGNORECASE)
    beside = [f"{name}{end}" for end in _VERSION_ENDS] + [f"{stem}{end}" for end in _VERSION_ENDS if stem]
    version = next((text for key in beside if (text := inputs.text(key)) is not None), None)
    return node if version is None else replace(node, value=f"{node.value}:{version.value.strip()}")


def _build(key: str, node: Scalar, lines: list[str], *, at: str, variables: Variables) -> Iterator[Finding]:
    """Yield what an input of a build names."""
    if key in {"build-args", "driver-opts"}:
        yield from _arguments(node, lines, at=at, variables=variables)
        return
    if key in {"outputs", "set"}:
        yield from _outputs(node, lines, at=at, variables=variables)
        return
    note = "build context" if key == "build-contexts" else "build cache"
    for line, word in _entries(node, lines):
        context = word.partition("=")[2]
        texts = _registry(word) if note == "build cache" else iter([context] * context.startswith("docker-image://"))
        for text in texts:
            yield from read_image(text, line=line, at=at, note=note, variables=variables)


def _entries(node: Scalar, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines of a list that is written one entry a line."""
    first = pipeline.body_line(node, lines)
    for offset, line in enumerate(node.value.splitlines()):
        if line.strip():
            yield first + offset, line.strip()


def _registry(cache: str) -> Iterator[str]:
    """Yield the reference in ``type=registry,ref=…`` or ``user/app:cache``; other kinds of cache have none."""
    kind = re.search(r"\btype=(\w+)", cache)
    if kind is None and "=" not in _EXPRESSION.sub("", cache):
        yield cache
    elif kind is None or kind[1] in {"registry", "image"}:
        found = re.search(r"\bref=((?:\$\{\{.*?\}\}|[^,\s])+)", cache)
        if found is not None:
            yield found[1]


def _arguments(node: Scalar, lines: list[str], *, at: str, variables: Variables) -> Iterator[Finding]:
    """Yield the images among ``NAME=value`` lines: those whose name says so."""
    for line, word in _entries(node, lines):
        name, equals, value = word.partition("=")
        if (
            equals
            and re.search(r"(^|_)(image|base)$|image|baseimage", name.strip().lower())
            and _SHAPE.fullmatch(_EXPRESSION.sub("$", value))
        ):
            yield from read_image(value, line=line, at=at, note="build argument", variables=variables)


def _outputs(node: Scalar, lines: list[str], *, at: str, variables: Variables) -> Iterator[Finding]:
    """Yield what ``type=image,name=…`` and Bake's ``set`` publish; pushing by digest makes no tag."""
    for line, word in _entries(node, lines):
        _, _, target = word.partition(".tags=")
        texts = [target] if target else []
        if "push-by-digest=true" not in word and "type=" in word:
            texts += _KEY.findall(word)
        for text in texts:
            note = "published by the workflow"
            yield from _named(read_image(text, line=line, at=at, note=note, variables=variables))


def _images(node: Scalar, lines: list[str], *, at: str, variables: Variables) -> Iterator[Finding]:
    for line, word in pipeline.words(node, lines):
        if "=" in _EXPRESSION.sub("", word):
            _, _, word = word.partition("=")  # noqa: PLW2901 - ``name=image`` as several deploy actions write it
        for finding in read_image(word, line=line, at=at, variables=variables):
            if not isinstance(finding, NoReference):
                yield finding


def _named(findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """Yield those with something literal in them: a name that another step makes up publishes, and uses nothing."""
    for finding in findings:
        if isinstance(finding, NoReference):
            continue
        anything = isinstance(finding, Open) and finding.repository is None
        if not (anything and isinstance(finding, Open) and {finding.repository_pattern, finding.tag_pattern} == {".*"}):
            yield finding
