"""Images in decoded Kubernetes objects, found by structure: pod specs and statuses anywhere, fields of custom kinds.

The values are those that JSON gives; a text may be a :class:`Written`, which knows its line. One walk serves clusters,
manifests in git and Helm releases, so that all three see the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tagsweep.model.errors import InvalidReference
from tagsweep.model.reference import Reference
from tagsweep.sources.syntaxes import plain_text
from tagsweep.sources.syntaxes.files import File, NotParsed
from tagsweep.sources.syntaxes.findings import Finding, NoReference, Open
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.kubernetes_fields import (
    CONTAINER_LISTS,
    MUST_NAME_IMAGES,
    Split,
    as_text,
    images_of_option,
    is_image_key,
    is_tagged,
    may_be_image,
    nested,
    split_of,
)
from tagsweep.sources.syntaxes.kubernetes_kinds import has_no_images, is_object, name_of, note_of, variables_of
from tagsweep.sources.syntaxes.template import Variables, nothing_known

_DEEPEST: Final = 120
_DEEPEST_EMBEDDED: Final = 3
_LONGEST_EMBEDDED: Final = 4 * 1024 * 1024
_NOT_WALKED: Final = frozenset({"metadata", "managedFields", "openAPIV3Schema", "imagePullSecrets", "labels"})
_IMAGE_LINE: Final = re.compile(r"""^[ \t-]*["']?image["']?[ \t]*:[ \t]*["']?([^\s"'#,}]+)""", re.MULTILINE)
_COMMANDS: Final = frozenset({"args", "command", "script", "source"})
_TEXTS: Final = _COMMANDS | {"imageID", "imageDigest", "names", "reference"}
_PATCHES: Final = frozenset({"add", "replace", "test"})
_BARE_ID: Final = re.compile(r"(?:docker(?:-pullable)?://)?(?:sha256:)?[0-9a-f]{64}", re.ASCII)


class Written(str):
    """A text that knows the line on which it was written."""

    __slots__ = ("line",)
    line: int

    @classmethod
    def at(cls, text: str, line: int) -> Written:
        """Return ``text`` with its line."""
        written = cls(text)
        written.line = line
        return written


Embedded = Callable[[str], "list[Any] | None"]
"""Reads a text that may be YAML or JSON inside an object: its documents, or None where it is no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read: ``named`` puts kind and name of each object before the spot; ``note`` is for all that is found.

    ``default_tag`` is what a chart takes where values name no tag. ``only_complete`` leaves out what values leave open,
    for where the manifests that came out of them are read as well. ``embedded`` reads texts that hold objects.
    """

    named: bool = False
    note: str = ""
    default_tag: str = ""
    only_complete: bool = False
    embedded: Embedded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spot:
    key: str = ""
    above: str = ""
    at: str = ""
    owner: str = ""
    note: str = ""
    variables: Variables = nothing_known
    known_tags: frozenset[str] = frozenset()
    prose: bool = False
    kustomize: bool = False
    depth: int = 0
    embedded: int = 0


def images_in(value: object, reading: Reading | None = None) -> tuple[Finding, ...]:
    """Return every image that ``value`` names, each once, or raise NotParsed where it is nested too deep to be read."""
    walk = _Walk(reading if reading is not None else Reading())
    walk.value(value, _Spot(note=walk.reading.note))
    return tuple(walk.found)


@dataclass(slots=True)
class _Walk:
    reading: Reading
    found: dict[Finding, None] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    kept: list[object] = field(default_factory=list)

    def value(self, value: object, spot: _Spot) -> None:
        if spot.depth > _DEEPEST:
            raise NotParsed("nested too deep")
        if isinstance(value, str) and value:
            self._text(value, spot)
        if not isinstance(value, dict | list) or id(value) in self.seen:
            return
        self.seen.add(id(value))
        self.kept.append(value)  # an id is only its own while the value lives
        if isinstance(value, dict):
            self._mapping(value, spot)
        elif spot.key == "parameters" and _is_helm_parameters(value, spot):
            self.value(nested(value), replace(spot, key="values", depth=spot.depth + 1))
        else:
            below = replace(spot, depth=spot.depth + 1)
            for entry in value:
                self.value(entry, below)

    def _mapping(self, fields: dict[str, Any], spot: _Spot) -> None:
        if is_object(fields):
            if has_no_images(fields):
                return
            spot = self._object(fields, spot)
        word = CONTAINER_LISTS.get(spot.key)
        if word is not None and isinstance(fields.get("name"), str):
            spot = replace(spot, at=f"{word} {fields['name']}")
        taken = self._forms(fields, spot)
        for key, child in fields.items():
            if key in taken:
                continue
            if key == "metadata":
                self._annotations(child, spot)
            elif key not in _NOT_WALKED and _may_matter(key, child, spot):
                note = _joined(spot.note, "rollback target") if key == "history" else spot.note
                self.value(child, replace(spot, key=key, above=spot.key, note=note, depth=spot.depth + 1))

    def _object(self, thing: dict[str, Any], spot: _Spot) -> _Spot:
        kind = thing["kind"]
        if kind.endswith("List") and isinstance(thing.get("items"), list):
            return spot
        return replace(
            spot,
            owner=name_of(thing) if self.reading.named else spot.owner,
            at="",
            note=_joined(spot.note, note_of(thing)),
            variables=variables_of(thing),
            known_tags=_tags_in_use(thing) if kind == "Application" else spot.known_tags,
            prose=kind in {"ConfigMap", "Secret"},
            kustomize=spot.depth <= 1 and spot.embedded == 0 and _is_kustomization(thing),
        )

    def _forms(self, fields: Mapping[str, Any], spot: _Spot) -> frozenset[str]:
        """Read what several fields say together, and return the fields that this settles."""
        name, value = fields.get("name"), fields.get("value")
        if isinstance(name, str) and isinstance(value, str) and is_image_key(name.rpartition(".")[2]):
            self._guess(value, replace(spot, at=_joined(spot.at, name, ", ")), surely_meant=False)
            return frozenset({"value"})
        path = fields.get("path")
        if as_text(fields.get("op")) in _PATCHES and isinstance(path, str) and isinstance(value, str):
            if is_image_key(path.rpartition("/")[2]):
                self._guess(value, replace(spot, at=f"patch of {path}"), surely_meant=True)
            return frozenset({"value", "path"})
        split = split_of(fields, spot.key)
        if split is None:
            return frozenset()
        if split.name and not (split.tag or split.digest) and "image" in split.keys:
            return frozenset()
        return self._split(split, fields, spot)

    def _split(self, split: Split, fields: Mapping[str, Any], spot: _Spot) -> frozenset[str]:
        line = next((_line(fields.get(key)) for key in split.keys if _line(fields.get(key))), 0)
        options: dict[str, Any] = {"line": line, "at": _at(spot), "note": spot.note}
        if not split.name:
            self._only_tag(split, spot, options)
        elif split.tag or split.digest or is_tagged(split.name):
            text = split.text if not is_tagged(split.name) or not split.tag else split.name
            self._add(read_image(text, variables=spot.variables, **options), only_valid=not is_image_key(spot.key))
        elif self.reading.default_tag:
            self._add(read_image(f"{split.name}:{self.reading.default_tag}", **options), only_valid=True)
        elif spot.kustomize:
            pass  # keeps whatever tag the resources have: the syntax of Kustomize reads both
        elif not self.reading.only_complete and may_be_image(split.name, surely_meant=False):
            options["note"] = _joined(spot.note, "no tag is named here: whoever reads this chooses it")
            found = read_image(f"{split.name}:${{tag}}", variables=spot.variables, **options)
            self._add([replace(each, text=split.name) for each in found if isinstance(each, Open)])
        return frozenset(split.keys)

    def _only_tag(self, split: Split, spot: _Spot, options: dict[str, Any]) -> None:
        if self.reading.only_complete or split.tag in spot.known_tags:
            return
        if not split.tag:
            self._add(
                [NoReference(text=split.digest, why="no repository is named", line=options["line"], at=_at(spot))]
            )
            return
        options["note"] = _joined(spot.note, "only the tag is named here: the repository is the chart's")
        found = read_image(f"${{repository}}:{split.tag}", variables=spot.variables, **options)
        self._add([replace(each, text=f":{split.tag}") for each in found if isinstance(each, Open)])

    def _annotations(self, metadata: object, spot: _Spot) -> None:
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        for name, value in annotations.items() if isinstance(annotations, dict) else ():
            key = name.rpartition("/")[2] if isinstance(name, str) else ""
            if key.endswith(("Image", "-image")) and isinstance(value, str) and value:
                self._guess(value, replace(spot, at=f"annotation {name}"), surely_meant=False)

    def _text(self, text: str, spot: _Spot) -> None:
        key, statuses = spot.key, spot.above.endswith("Statuses")
        if statuses and key in {"image", "imageID", "imageDigest"}:
            if not _BARE_ID.fullmatch(text):  # what only the machine with the image knows: the spec names it too
                self._read(text, spot)
        elif (key == "image" and spot.above in MUST_NAME_IMAGES) or (key == "reference" and spot.above == "image"):
            self._read(text, spot)
        elif key == "imageDigest":
            self._guess(text if "@" in text else "", spot, surely_meant=False)
        elif is_image_key(key) or (key == "names" and spot.above == "images"):
            if not self._embedded(text, spot):
                new = text.partition("=")[2] if key == "images" and "=" in text else text
                self._guess(Written.at(new, _line(text)), spot, surely_meant=key == "image")
        elif key in _COMMANDS:
            self._command(text, spot)
        elif not self._embedded(text, spot) and spot.prose:
            self._prose(text, spot)

    def _command(self, text: str, spot: _Spot) -> None:
        for image in images_of_option(text):
            self._guess(Written.at(image, _line(text)), replace(spot, at=_at_argument(spot)), surely_meant=False)
        if "\n" in text or " " in text:
            self._prose(text, replace(spot, at=_at_argument(spot)))

    def _read(self, text: str, spot: _Spot) -> None:
        found = read_image(text, line=_line(text), at=_at(spot), note=spot.note, variables=spot.variables)
        self._add(found)

    def _guess(self, text: str, spot: _Spot, *, surely_meant: bool) -> None:
        """Read a text that its field's name makes an image; what cannot be one is told where it surely is meant."""
        if not may_be_image(text.strip(), surely_meant=surely_meant):
            return
        at = spot.at or (f"field {spot.key}" if spot.key else "")
        found = read_image(
            text, line=_line(text), at=_at(replace(spot, at=at)), note=spot.note, variables=spot.variables
        )
        self._add(found, only_valid=not surely_meant)

    def _embedded(self, text: str, spot: _Spot) -> bool:
        """Read a text that is YAML or JSON of its own; tell whether it was."""
        read = self.reading.embedded
        if read is None or spot.embedded >= _DEEPEST_EMBEDDED or len(text) > _LONGEST_EMBEDDED:
            return False
        if "mage" not in text or ("\n" not in text and text[0] not in "{["):
            return False
        values = read(text)
        for each in values or ():
            self.value(each, replace(spot, embedded=spot.embedded + 1, depth=spot.depth + 1))
        return values is not None or self._unparsed(text, spot)

    def _unparsed(self, text: str, spot: _Spot) -> bool:
        """Read the lines ``image: …`` of a text that becomes YAML only later; tell whether there are any."""
        found = list(_IMAGE_LINE.finditer(text))
        for each in found:
            line = _line(text) + text.count("\n", 0, each.start(1)) if _line(text) else 0
            self._guess(Written.at(each[1], line), spot, surely_meant=False)
        if found:
            self._prose(text, spot)
        return bool(found)

    def _prose(self, text: str, spot: _Spot) -> None:
        first = _line(text)
        for each in plain_text.extract(File("", text)):
            line = first + each.line - 1 if first else 0
            moved = replace(each, line=line, at=_at(spot))
            self._add([moved if isinstance(moved, NoReference) else replace(moved, note=spot.note)])

    def _add(self, findings: list[Finding] | tuple[Finding, ...], *, only_valid: bool = False) -> None:
        for each in findings:
            if isinstance(each, NoReference) and only_valid:
                continue
            if isinstance(each, Open) and self.reading.only_complete:
                continue
            self.found.setdefault(each)


def _is_kustomization(thing: Mapping[str, Any]) -> bool:
    """Tell whether the syntax of Kustomize reads the document as well, where it is one of a file."""
    return thing["apiVersion"].startswith("kustomize.config.k8s.io/") and thing["kind"] in {
        "Kustomization",
        "Component",
    }


def _may_matter(key: str, child: object, spot: _Spot) -> bool:
    """Tell whether the value of a field could name an image: most fields of ten thousand pods are done with here."""
    if isinstance(child, str):
        return spot.prose or key in _TEXTS or "mage" in child or is_image_key(key)
    return isinstance(child, dict | list)


def _is_helm_parameters(entries: list[Any], spot: _Spot) -> bool:
    return spot.above == "helm" and any(isinstance(entry, dict) and "value" in entry for entry in entries)


def _tags_in_use(application: Mapping[str, Any]) -> frozenset[str]:
    """Return the tags of the images that Argo CD saw running, by which a bare tag parameter is understood."""
    status = application.get("status")
    summary = status.get("summary") if isinstance(status, dict) else None
    images = summary.get("images") if isinstance(summary, dict) else None
    tags = set()
    for image in images if isinstance(images, list) else ():
        try:
            tags.add(Reference.parse(as_text(image)).tag or "")
        except InvalidReference:
            continue
    return frozenset(tags)


def _at(spot: _Spot) -> str:
    return _joined(spot.owner, spot.at, ", ")


def _at_argument(spot: _Spot) -> str:
    return _joined(spot.at, "argument" if spot.key == "args" else spot.key, ", ")


def _joined(first: str, second: str, between: str = "; ") -> str:
    return between.join(part for part in (first, second) if part)


def _line(value: object) -> int:
    return value.line if isinstance(value, Written) else 0
