"""``helm install`` and ``helm upgrade`` on a command line: images given by ``--set``, and charts in registries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tagsweep.sources.syntaxes.shell_words import Word

_SETTING: Final = frozenset({"--set", "--set-string", "--set-literal"})
_REPOSITORY: Final = ("repository", "repo")
_TAG: Final = ("tag", "imagetag")


def helm_images(words: Sequence[Word]) -> Iterator[tuple[str, Word]]:
    """Yield each image that the values set, put together from its parts, and each chart of an OCI registry."""
    settings: dict[str, tuple[str, Word]] = {}
    version = ""
    charts: list[Word] = []
    for index, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        following = words[index + 1] if index + 1 < len(words) else None
        if name in _SETTING:
            spot = word if equals else following
            if spot is not None:
                settings.update(_pairs(value if equals else spot.text, spot))
        elif name == "--version":
            version = value if equals else following.text if following is not None else ""
        elif word.text.startswith("oci://"):
            charts.append(word)
    yield from set_images(settings)
    if words and words[0].text != "push":
        for chart in charts:
            yield chart_reference(chart.text, version), chart


def chart_reference(url: str, version: str) -> str:
    """Return the reference of a chart in a registry. Its tag is the version, with ``_`` for ``+``."""
    name = url.removeprefix("oci://")
    if ":" in name.rpartition("/")[2] or "@" in name:
        return name
    return f"{name}:{version.replace('+', '_')}" if version else f"{name}:${{version}}"


def set_images(settings: dict[str, tuple[str, Word]]) -> Iterator[tuple[str, Word]]:
    """Yield ``image=…`` and each ``….repository`` with the registry, tag and digest beside it."""
    for key, (value, spot) in settings.items():
        prefix, _, last = key.rpartition(".")
        stem = f"{prefix}." if prefix else ""
        beside = {
            name.removeprefix(stem).lower(): given
            for name, (given, _) in settings.items()
            if name.startswith(stem) and "." not in name.removeprefix(stem)
        }
        tag = next((beside[name] for name in _TAG if name in beside), "")
        if last.lower() in _REPOSITORY and value and "://" not in value:
            registry = beside.get("registry", "")
            digest = f"@{beside['digest']}" if beside.get("digest") else ""
            name = f"{registry}/{value}" if registry else value
            yield f"{name}:{tag}{digest}" if tag else f"{name}{digest}" if digest else f"{name}:${{tag}}", spot
        elif last.lower() in {"image", "imagename"} and value and "/" not in value[:1]:
            complete = ":" in value.rpartition("/")[2] or "@" in value
            yield value if complete or not tag else f"{value}:{tag}", spot
        elif last.lower() in _TAG and value and not set(beside) & {*_REPOSITORY, "image", "imagename"}:
            continue  # the chart's own repository, which only its values tell


def _pairs(text: str, word: Word) -> dict[str, tuple[str, Word]]:
    """Return ``a.b=c,d=e`` as pairs; a comma within braces or behind a backslash separates nothing."""
    found: dict[str, tuple[str, Word]] = {}
    for part in text.replace("\\,", "\x00").split(","):
        key, equals, value = part.partition("=")
        if equals:
            found[key.strip()] = (value.replace("\x00", ","), word)
    return found
