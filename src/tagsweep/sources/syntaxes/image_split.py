"""Images whose parts stand in fields of their own, as in Helm values: ``{registry, repository, tag, digest}``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tagsweep.sources.syntaxes.kubernetes_fields import is_image_key, is_tagged, may_be_image
from tagsweep.sources.syntaxes.template import has_holes
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar

_DEEPEST: Final = 40
_BESIDE: Final = ("tag", "digest", "registry", "pullPolicy", "imagePullPolicy", "sha", "imageTag", "image_tag")
_TAG_ENDS: Final = ("Tag", "_tag", "-tag")
_REPOSITORY_KEY: Final = re.compile(r"(?P<stem>.*?)(?P<end>[Rr]epository|_repository|-repository)", re.ASCII)
_FLOAT_TAG: Final = re.compile(r"[0-9]+\.[0-9]+0")
_FOREIGN: Final = re.compile(r"git|chart|ansible|source", re.IGNORECASE)
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One image by its parts. A part is None where nothing is written; written as null it is a scalar all the same.

    ``path`` are the keys that lead to it.
    """

    path: tuple[str, ...]
    registry: Scalar | None = None
    name: Scalar | None = None
    tag: Scalar | None = None
    digest: Scalar | None = None

    @property
    def at(self) -> str:
        """The keys as Helm writes them: ``gateway.image``."""
        return ".".join(self.path)

    @property
    def parts(self) -> tuple[Scalar, ...]:
        """The parts that are written."""
        return tuple(part for part in (self.registry, self.name, self.tag, self.digest) if part is not None)

    @property
    def has_name(self) -> bool:
        """Whether it says which repository."""
        return bool(_text(self.name))

    @property
    def has_version(self) -> bool:
        """Whether it says which tag or digest."""
        return bool(_text(self.tag) or _text(self.digest)) or is_tagged(_text(self.name))


def texts(split: Split, *, versions: tuple[str, ...] = (), registries: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what the parts are put together.

    ``versions`` are the tags where none is written, and with none of them the tag is open. ``registries`` are names
    that a chart may put before the repository instead of its own.
    """
    name = _text(split.name) or "{{ repository of the chart }}"
    tags = [_text(split.tag)] if _text(split.tag) else list(versions)
    if split.tag is not None and split.tag.plain and _FLOAT_TAG.fullmatch(_text(split.tag)):
        tags.append(_text(split.tag).rstrip("0").removesuffix("."))  # 1.10 without quotes is the number 1.1
    digest = _text(split.digest)
    if _HEX.fullmatch(digest):
        digest = f"sha256:{digest}"
    if not tags and not digest:
        tags = ["{{ version of the chart }}"]
    if is_tagged(name) and not _text(split.tag) and not name.endswith("@sha256"):
        tags = [""]
    endings = [(f":{tag}" if tag else "") for tag in tags if not tag.startswith("sha256:")]
    endings += [f"@{tag}" for tag in tags if tag.startswith("sha256:")]
    if digest:
        endings = [f"{ending}@{digest}" for ending in (endings if _text(split.tag) else [""])]
    for prefix in _prefixes(_text(split.registry), name, registries):
        for ending in endings:
            yield f"{prefix}{name}{ending}"


def _prefixes(registry: str, name: str, registries: tuple[str, ...]) -> tuple[str, ...]:
    own = registry.rstrip("/") + "/" if registry else ""
    prefixes = [own]
    host = name.partition("/")[0]
    if own and "/" in name and ("." in host or ":" in host) and not has_holes(host):
        prefixes.append("")  # the repository names a registry already, and some charts look for that
    if own and name.startswith(own):
        prefixes = [""]
    prefixes += [each.rstrip("/") + "/" for each in registries if each and not name.startswith(each.rstrip("/") + "/")]
    return tuple(dict.fromkeys(prefixes))


def splits(root: Pairs) -> Iterator[Split]:
    """Yield every image in ``root`` that is written in parts, or as one text under a key that says so."""
    seen: set[int] = set()
    stack: list[tuple[Node, tuple[str, ...]]] = [(root, ())]
    while stack:
        node, path = stack.pop()
        if id(node) in seen or len(path) > _DEEPEST:
            continue
        seen.add(id(node))
        if isinstance(node, Pairs):
            yield from _of_mapping(node, path)
            stack.extend((entry, (*path, key)) for key, entry in reversed(node.entries.items()))
        elif isinstance(node, Items):
            yield from _of_list(node, path)
            stack.extend((entry, path) for entry in reversed(node.entries))


def _of_list(node: Items, path: tuple[str, ...]) -> Iterator[Split]:
    if path and is_image_key(path[-1]):
        for entry in node.entries:
            if isinstance(entry, Scalar) and may_be_image(entry.value, surely_meant=False):
                yield Split(path, name=entry)


def _of_mapping(node: Pairs, path: tuple[str, ...]) -> Iterator[Split]:
    key = path[-1] if path else ""
    named_so = is_image_key(key)
    whole = _whole(node, path, named_so=named_so)
    if whole is not None:
        yield whole
    used = {id(part) for part in whole.parts} if whole is not None else set()
    for name, entry in node.entries.items():
        if isinstance(entry, Scalar) and id(entry) not in used and not entry.is_null:
            yield from _flat(node, name, entry, path, below_images=any(each.lower() == "images" for each in path))


def _whole(node: Pairs, path: tuple[str, ...], *, named_so: bool) -> Split | None:
    """Return the image that the mapping as a whole is."""
    repository = _scalar(node, "repository", "repo")
    name = repository
    if name is None and named_so:
        name = _scalar(node, "name", "image", "imageName")
    if name is not None and "://" in name.value.removeprefix("oci://").removeprefix("docker://"):
        return None
    tag = _scalar(node, "tag", "imageTag", "image_tag")
    if tag is None and named_so:
        tag = _scalar(node, "version")
    digest = _scalar(node, "digest", "sha", "sha256")
    registry = _scalar(node, "registry", "hub")
    parts = (registry, name, tag, digest)
    if named_so:
        return Split(path, *parts) if any(part is not None for part in parts) else None
    if repository is not None and any(key in node.entries for key in _BESIDE):
        return Split(path, *parts)
    if repository is not None and "/" in repository.value and not any(_FOREIGN.search(key) for key in path):
        return Split(path, *parts)
    lone = "tag" in node.entries and bool(_text(tag)) and not any(key in node.entries for key in _NAMES)
    return Split(path, None, None, tag, digest) if lone else None


def _flat(node: Pairs, name: str, entry: Scalar, path: tuple[str, ...], *, below_images: bool) -> Iterator[Split]:
    """Yield what one field of a mapping names, with the tag that stands beside it under a name of the same stem."""
    repository = _REPOSITORY_KEY.fullmatch(name)
    if repository is not None and repository["stem"]:
        tag = _beside(node, repository["stem"])
        if tag is not None or is_image_key(repository["stem"]):
            yield Split((*path, name), _scalar(node, f"{repository['stem']}Registry"), entry, tag)
    elif is_image_key(name):
        if may_be_image(entry.value, surely_meant=name == "image"):
            tag = None if is_tagged(entry.value) else _beside(node, name.removesuffix("Name"))
            # An image that is written as one text is complete: without a tag it is the latest.
            complete = tag is None and not is_tagged(entry.value)
            tag = Scalar("latest", entry.line) if complete else tag
            hub = None if "/" in entry.value else _scalar(node, "hub")
            yield Split((*path, name), hub, entry, tag)
    elif below_images:
        if may_be_image(entry.value, surely_meant=False) and is_tagged(entry.value):
            yield Split((*path, name), name=entry)
    elif name in {"imageTag", "image_tag"} and not any(_scalar(node, key) for key in _NAMES):
        yield Split((*path, name), tag=entry)


_NAMES: Final = ("image", "repository", "imageRepository", "image_repository", "imageName", "image_name", "repo")


def _beside(node: Pairs, stem: str) -> Scalar | None:
    """Return the tag whose key has the stem of the image's: ``apiImage`` and ``apiImageTag`` or ``apiTag``."""
    shorter = re.sub(r"[_-]?[Ii]mage$", "", stem)
    for each in (stem, shorter):
        for end in _TAG_ENDS:
            tag = _scalar(node, f"{each}{end}".lstrip("_-") if each else "tag")
            if tag is not None:
                return tag
    return _scalar(node, "tag") if stem.lower() in {"image", ""} else None


def _scalar(node: Pairs, *keys: str) -> Scalar | None:
    """Return the first of these fields that is there as a text or null."""
    for key in keys:
        entry = node.entries.get(key)
        if isinstance(entry, Scalar):
            return entry
    return None


def _text(part: Scalar | None) -> str:
    return "" if part is None or part.is_null else part.value.strip()


def merge(base: Pairs, over: Pairs, depth: int = _DEEPEST) -> Pairs:
    """Return ``base`` with what ``over`` writes in its place, as Helm does it; a null stays to be seen."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = entries.get(key)
        both = isinstance(entry, Pairs) and isinstance(below, Pairs) and depth > 0
        entries[key] = merge(below, entry, depth - 1) if both else entry  # type: ignore[arg-type] # both are Pairs
    return Pairs(entries, over.line or base.line, {**base.key_lines, **over.key_lines})
