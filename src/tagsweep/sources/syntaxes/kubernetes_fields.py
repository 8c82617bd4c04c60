"""Names and forms of the fields that hold images in Kubernetes objects: by these a custom resource is understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from tagsweep.sources.syntaxes.template import has_holes

CONTAINER_LISTS: Final = {
    "containers": "container",
    "initContainers": "init container",
    "ephemeralContainers": "ephemeral container",
    "containerStatuses": "container",
    "initContainerStatuses": "init container",
    "ephemeralContainerStatuses": "ephemeral container",
    "containerSet": "container",
    "sidecars": "sidecar",
    "steps": "step",
    "tasks": "task",
    "templates": "template",
    "volumes": "volume",
    "sources": "source",
}
"""Lists whose entries have a name that tells a person where an image is, with the word for an entry."""

MUST_NAME_IMAGES: Final = frozenset(
    {"containers", "initContainers", "ephemeralContainers", "sidecars", "steps", "container", "script", "stepTemplate"}
)
"""What holds containers: their ``image`` is an image, or the object is broken."""

_IMAGE: Final = re.compile(
    r"(?:.*[^A-Za-z])?images?|.*[a-z0-9]Images?"
    r"|(?:.*[^A-Za-z]|)image(?:[_-]?(?:name|ref|reference|url|uri|pullspec))|.*[a-z0-9]Image(?:Name|Ref|Reference|Url|URL|Uri|URI)"
    r"|image(?:Name|Ref|Reference|Url|URL|Uri|URI|Digest)|latestImage",
    re.ASCII,
)
_IMAGE_VARIABLE: Final = re.compile(
    r"(?:.*_)?RELATED_IMAGE_.*|(?:.*_)?IMAGE(?:_(?:NAME|REF|REFERENCE|URL|URI|DEFAULT|[0-9]+))?", re.ASCII
)
_NO_IMAGES: Final = re.compile(
    r"(?:canonicalImageName|(?:os|machine|vm|disk|root|boot|node|ami|background|logo|icon|cover|avatar|hero|thumbnail)"
    r"[-_]?[Ii]mages?)",
    re.ASCII,
)
_OPTION: Final = re.compile(r"--?[A-Za-z0-9-]*(?:image|reloader)[A-Za-z0-9-]*=(\S+)", re.ASCII)
_TAG_KEYS: Final = ("newTag", "tag", "imageTag", "image_tag")
_DIGEST_KEYS: Final = ("digest", "sha256", "sha", "imageDigest")
_NAME_KEYS: Final = ("repository", "newName", "repo", "imageRepository", "image_repository", "name", "image")
_PARTS: Final = frozenset({*_TAG_KEYS, *_DIGEST_KEYS, "repository"})
_TRANSPORTS: Final = ("docker://", "oci://", "docker-pullable://")
_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """An image whose parts stand in fields of their own. Texts are as written; empty is not written."""

    name: str
    tag: str
    digest: str
    keys: tuple[str, ...]

    @property
    def text(self) -> str:
        """The parts put together as one reference."""
        tag, digest = self.tag, self.digest
        if tag.startswith("sha256:"):
            tag, digest = "", digest or tag
        if digest and ":" not in digest:
            digest = f"sha256:{digest}"
        return self.name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


@lru_cache(maxsize=4096)
def is_image_key(key: str) -> bool:
    """Tell whether a field of this name holds an image by the custom of those who write custom resources."""
    return _NO_IMAGES.fullmatch(key) is None and (
        _IMAGE.fullmatch(key) is not None or _IMAGE_VARIABLE.fullmatch(key) is not None
    )


def images_of_option(text: str) -> tuple[str, ...]:
    """Return what an argument such as ``--reloader-image=acme/reloader:1`` names."""
    return tuple(_OPTION.findall(text))


def may_be_image(text: str, *, surely_meant: bool) -> bool:
    """Tell whether a text in a field that is called after images can name one: no URL, path or sentence.

    A single word is too common to be meant, except where the field is called just ``image``.
    """
    if not text or len(text) > _LONGEST:
        return False
    if "://" in text and not text.startswith(_TRANSPORTS):
        return False
    # A policy engine's ``image: ghcr.io/acme/*`` is a pattern, which nothing is pulled by.
    if text[0] in "/.<" or (any(each.isspace() or each in "*!?|^\\" for each in text) and not has_holes(text)):
        return False
    return surely_meant or any(mark in text for mark in "/:@")


def is_tagged(name: str) -> bool:
    """Tell whether a name has a tag or a digest already."""
    return "@" in name or ":" in name.rpartition("/")[2]


def split_of(fields: Mapping[str, Any], key: str) -> Split | None:
    """Return the image that the fields of one mapping name in parts, or None where they are no such thing.

    ``key`` is the name under which the mapping stands: under ``image`` a ``name`` is one, elsewhere only what has a
    ``repository`` with a tag, a digest or a registry beside it, or an ``image`` with a tag beside it.
    """
    named_so = is_image_key(key)
    if not named_so and _PARTS.isdisjoint(fields):
        return None
    tag_key = next((each for each in _TAG_KEYS if each in fields), "")
    digest_key = next((each for each in _DIGEST_KEYS if as_text(fields.get(each))), "")
    parts = bool(tag_key or digest_key)
    for name_key in _NAME_KEYS:
        name = as_text(fields.get(name_key))
        if not name or "://" in name.removeprefix("docker://").removeprefix("oci://"):
            continue
        if name_key == "repository":
            meant = named_so or parts or "registry" in fields
        elif name_key in {"imageRepository", "image_repository", "image"}:
            meant = parts
        elif name_key == "name":
            meant = named_so or (key.endswith("Ref") and "tag" in fields)
        else:
            meant = named_so
        if meant:
            return _split(fields, name_key, name, tag_key, digest_key)
    if named_so and (tag_key or digest_key) and (as_text(fields.get(tag_key)) or digest_key):
        return _split(fields, "", "", tag_key, digest_key)
    return None


def _split(fields: Mapping[str, Any], name_key: str, name: str, tag_key: str, digest_key: str) -> Split:
    registry = as_text(fields.get("registry")).rstrip("/")
    if registry and name and not name.startswith(f"{registry}/"):
        name = f"{registry}/{name}"
    return Split(
        name=name,
        tag=as_text(fields.get(tag_key)),
        digest=as_text(fields.get(digest_key)),
        keys=(tag_key, digest_key, name_key, "registry"),  # the tag is what a person would go and change
    )


def as_text(value: object) -> str:
    """Return a text or number as it is written; anything else is the empty text."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def nested(entries: list[Any]) -> dict[str, Any]:
    """Return parameters such as ``{name: image.tag, value: 1}`` as the tree of values that they set."""
    tree: dict[str, Any] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue
        node = tree
        *above, last = entry["name"].split(".")
        for part in above:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                below = node[part] = {}
            node = below
        node[last] = entry.get("value")
    return tree
