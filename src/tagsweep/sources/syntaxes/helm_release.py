"""A Helm release as Helm 3 keeps it in the cluster: one revision, with everything that its manifests and values name.

Form: base64(gzip(JSON)), which a Secret encodes once more (helm.sh/helm, pkg/storage/driver).
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from tagsweep.sources.syntaxes import plain_text
from tagsweep.sources.syntaxes.files import File, NotParsed
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.kubernetes import objects_in, values_in
from tagsweep.sources.syntaxes.podspec import Reading, images_in
from tagsweep.sources.syntaxes.scan import speaks_of_images

MOST_BYTES: Final = 64 * 1024 * 1024
"""A release that unpacks to more is refused: etcd keeps at most about a megabyte of it, so it would be a bomb."""

_GZIP: Final = b"\x1f\x8b\x08"
_DEEPEST: Final = 50
_NO_ROLLBACK: Final = frozenset({"deployed", "pending-install", "pending-upgrade", "pending-rollback"})
_SOURCE: Final = re.compile(r"^# Source: (\S+)", re.MULTILINE)
_IMAGES: Final = "artifacthub.io/images"


class _Hook(msgspec.Struct):
    name: str = ""
    manifest: str = ""


class _Info(msgspec.Struct):
    status: str = ""


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    version: str = ""
    app_version: str = ""
    annotations: dict[str, str] | None = None


class _Chart(msgspec.Struct):
    metadata: _Metadata | None = None
    values: dict[str, Any] | None = None


class _Stored(msgspec.Struct):
    name: str = ""
    version: int = 0
    namespace: str = ""
    info: _Info | None = None
    chart: _Chart | None = None
    config: dict[str, Any] | None = None
    manifest: str = ""
    hooks: list[_Hook] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmRelease:
    """One revision of a release and what it names. ``superseded`` revisions are what a rollback goes back to.

    ``problems`` tell which of its manifests speak of images and are no YAML, so that not all that they name is known.
    """

    name: str
    revision: int
    status: str
    findings: tuple[Finding, ...] = field(default=())
    problems: tuple[str, ...] = field(default=())

    @property
    def superseded(self) -> bool:
        """Whether another revision is the one that is meant to run."""
        return self.status not in _NO_ROLLBACK


def read_release(data: str, *, in_secret: bool = True) -> HelmRelease:
    """Return the release in ``data.release`` of a Secret or a ConfigMap, or raise NotParsed with the reason."""
    packed = _base64(_base64(data.encode()) if in_secret else data.encode())
    text = _unpacked(packed) if packed.startswith(_GZIP) else packed
    try:
        stored = msgspec.json.decode(text, type=_Stored)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotParsed(f"it is not the JSON of a Helm release ({type(error).__name__})") from error
    if not stored.name or not stored.version:
        raise NotParsed("it has no name or revision")
    status = stored.info.status if stored.info is not None else "unknown"
    release = HelmRelease(name=stored.name, revision=stored.version, status=status)
    note = f"revision {release.revision}, {status}" + (": rollback target" if release.superseded else "")
    problems: list[str] = []
    findings = tuple(dict.fromkeys(_findings(stored, note, problems)))
    return replace(release, findings=findings, problems=tuple(dict.fromkeys(problems)))


def _base64(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotParsed("it is not base64") from error


def _unpacked(packed: bytes) -> bytes:
    inflate = zlib.decompressobj(wbits=31)
    try:
        text = inflate.decompress(packed, MOST_BYTES)
    except zlib.error as error:
        raise NotParsed("its gzip data is broken") from error
    if inflate.unconsumed_tail or not inflate.eof:
        raise NotParsed(f"it unpacks to more than {MOST_BYTES} bytes" if inflate.unconsumed_tail else "it is cut off")
    return text


def _findings(stored: _Stored, note: str, problems: list[str]) -> list[Finding]:
    found = list(manifest_images(stored.manifest, note, problems))
    for hook in stored.hooks or ():
        found.extend(manifest_images(hook.manifest, f"{note}; hook", problems))
    if stored.chart is None:
        return found
    metadata = stored.chart.metadata if stored.chart.metadata is not None else _Metadata()
    values = _merged(stored.chart.values or {}, stored.config or {}, _DEEPEST)
    # The manifests say what was rendered. Values add what a chart hands on to an operator; what they leave open is no
    # news, but an empty tag means the chart's appVersion by custom.
    reading = Reading(
        note=f"{note}; in the values", only_complete=True, default_tag=metadata.app_version, embedded=objects_in
    )
    found.extend(each for each in images_in(values, reading) if not isinstance(each, NoReference))
    listed = (metadata.annotations or {}).get(_IMAGES)
    if listed:
        documents = objects_in(listed) or []
        named = images_in({"images": documents}, Reading(note=f"{note}; listed by the chart"))
        found.extend(replace(each, line=0) for each in named)
    return found


def manifest_images(text: str, note: str, problems: list[str]) -> tuple[Finding, ...]:
    """Return what rendered manifests name, none with a line. What in them is no YAML is added to ``problems``."""
    reading = Reading(named=True, note=note, embedded=objects_in)
    try:
        found = images_in(values_in(text), reading)
    except NotParsed:
        found = ()
        for document in re.split(r"^---\s*$", text, flags=re.MULTILINE):
            found += _document(document, reading, problems)
    return tuple(replace(each, line=0) for each in found)  # the line is nowhere that a person could look


def _document(text: str, reading: Reading, problems: list[str]) -> tuple[Finding, ...]:
    """Return what one document names; where it is no YAML, whatever has the shape of a reference."""
    try:
        return images_in(values_in(text), reading)
    except NotParsed as error:
        if speaks_of_images(text):
            source = _SOURCE.search(text)
            problems.append(f"a manifest in it{f' ({source[1]})' if source is not None else ''} is no YAML: {error}")
        return tuple(plain_text.extract(File("", text)))


def _merged(below: dict[str, Any], above: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return the chart's values with the user's over them, as Helm coalesces: null removes, lists are replaced."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and depth:
            result[key] = _merged(old, value, depth - 1)
        else:
            result[key] = value
    return result
