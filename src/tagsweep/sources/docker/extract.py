"""What the Engine's answers say about images in use. Pure: documents in, findings out.

Shapes: the Docker Engine API (1.24 and later), and Podman's version of it. An image id is the digest of a
configuration and no registry knows it; what the registry knows is in RepoDigests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tagsweep.model.errors import InvalidReference
from tagsweep.model.reference import Reference
from tagsweep.sources.jsonapi import dig, objects_at, text_at, texts_at
from tagsweep.sources.syntaxes.findings import Finding, NoReference, Open
from tagsweep.sources.syntaxes.image import read_image

_ID: Final = re.compile(r"(?:sha256:)?(?P<hex>[0-9a-f]{12,64})", re.ASCII)
_NONE: Final = "<none>"
_STATES: Final = {"exited": "stopped", "dead": "stopped", "stopped": "stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image that the engine has: the names and the digests under which registries have it, or had it.

    ``digest`` and ``former`` are Podman's: it forgets RepoDigests when the tag moves on to another image, but knows
    the digest of the manifest and the names that the image had.
    """

    id: str
    names: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    digest: str = ""
    former: tuple[str, ...] = ()

    def by_digest(self, *names: str) -> tuple[str, ...]:
        """Return the references by digest, those under ``names`` and former names included."""
        known = dict.fromkeys(self.digests)
        repositories = {_repository(text) for text in self.digests}
        for name in (*names, *self.former) if self.digest else ():
            repository = _repository(name)
            if repository and repository not in repositories:
                known[f"{repository}@{self.digest}"] = None
        return tuple(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container. ``image`` is the text that it was made from, or an id where that text means another image now."""

    id: str
    name: str
    image: str
    image_id: str
    state: str
    mounts: bool = False
    """Whether an image is mounted in it as a volume; which one only the container's own page tells."""

    @property
    def needs_a_closer_look(self) -> bool:
        """Whether its own page may tell more than the list does."""
        return self.mounts or is_id(self.image, self.image_id)


def read_image_entry(entry: Mapping[str, Any]) -> LocalImage:
    """Return an image from one entry of ``/images/json``."""
    return LocalImage(
        id=text_at(entry, "Id"),
        names=tuple(name for name in texts_at(entry, "RepoTags") if _NONE not in name),
        digests=tuple(digest for digest in texts_at(entry, "RepoDigests") if _NONE not in digest),
        digest=text_at(entry, "Digest"),
        former=texts_at(entry, "History"),
    )


def read_container_entry(entry: Mapping[str, Any]) -> Container:
    """Return a container from one entry of ``/containers/json``."""
    names = texts_at(entry, "Names")
    identity = text_at(entry, "Id")
    return Container(
        id=identity,
        name=names[0].lstrip("/") if names else identity[:12],
        image=text_at(entry, "Image"),
        image_id=text_at(entry, "ImageID"),
        state=text_at(entry, "State").lower(),
        mounts=any(text_at(mount, "Type") == "image" for mount in objects_at(entry, "Mounts")),
    )


def is_id(text: str, image_id: str) -> bool:
    """Tell whether ``text`` is an image id, in full or as the engine shortens it, rather than a name."""
    found = _ID.fullmatch(text)
    if found is None:
        return False
    return text.startswith("sha256:") or len(found["hex"]) == 64 or _hex(image_id).startswith(found["hex"])  # noqa: PLR2004 - a SHA-256


def _hex(identity: str) -> str:
    return identity.removeprefix("sha256:")


def _repository(name: str) -> str:
    """Return the repository of a name, or an empty text for what is no name of an image."""
    try:
        return str(Reference.parse(name).repository)
    except InvalidReference:
        return ""


def in_container(container: Container, image: LocalImage | None, page: Any = None) -> Iterator[Finding]:
    """Yield what ``container`` uses: the name it was made from, and its image by every digest that is known.

    ``image`` is None where the engine no longer has it; ``page`` is ``/containers/{id}/json`` where it was read.
    """
    note = _STATES.get(container.state, container.state)
    for mount in objects_at(page, "HostConfig", "Mounts"):
        if text_at(mount, "Type") == "image":
            yield from read_image(text_at(mount, "Source"), at="image volume", note=note)
    asked = (container.image, text_at(page, "Config", "Image"))
    named = tuple(dict.fromkeys(text for text in asked if text and not is_id(text, container.image_id)))
    for text in named:
        yield from read_image(text, note=note)
    for text in image.by_digest(*named) if image is not None else ():
        yield from read_image(text, note=note)
    told = container.image or container.image_id
    if named or not told:
        return  # a container without any image has a directory of the host as its root
    for text in image.names if image is not None else ():
        yield from read_image(text, note=note)
    if image is None:
        yield Open(text=told, note=f"{note}, and the engine has the image no longer")
    elif not image.names and not image.by_digest():
        why = "its image has neither name nor digest: it was built here or loaded from a file"
        yield NoReference(text=told, why=why)


def in_store(image: LocalImage) -> Iterator[Finding]:
    """Yield the names and digests of an image that the engine has, whether a container uses it or not."""
    for text in (*image.names, *image.by_digest()):
        yield from read_image(text, note="stored by the engine")


def in_plugin(entry: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what a managed plugin was installed from (an entry of ``/plugins``)."""
    note = "" if dig(entry, "Enabled") is not False else "disabled"
    yield from read_image(text_at(entry, "PluginReference"), note=note)


def in_service(entry: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what a Swarm service runs, and what it ran before its last update (an entry of ``/services``)."""
    spec = dig(entry, "Spec")
    yield from _in_task_spec(dig(spec, "TaskTemplate"), note=_mode(dig(spec, "Mode")))
    yield from _in_task_spec(dig(entry, "PreviousSpec", "TaskTemplate"), note="rollback target")


def in_task(entry: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what one task of a service runs or ran (an entry of ``/tasks``)."""
    yield from _in_task_spec(dig(entry, "Spec"), note=text_at(entry, "Status", "State"))


def _in_task_spec(spec: Any, *, note: str) -> Iterator[Finding]:
    container = dig(spec, "ContainerSpec")
    yield from read_image(text_at(container, "Image"), note=note)
    for mount in objects_at(container, "Mounts"):
        if text_at(mount, "Type") == "image":
            yield from read_image(text_at(mount, "Source"), at="image volume", note=note)
    yield from read_image(text_at(spec, "PluginSpec", "Remote"), at="plugin", note=note)


def _mode(mode: Any) -> str:
    if dig(mode, "Replicated", "Replicas") == 0:
        return "0 replicas"
    return "job" if dig(mode, "ReplicatedJob") is not None or dig(mode, "GlobalJob") is not None else ""


def unnamed_service(entry: Mapping[str, Any]) -> bool:
    """Tell whether a service says in no documented way what it runs, so that something was not seen."""
    template = dig(entry, "Spec", "TaskTemplate")
    known = text_at(template, "ContainerSpec", "Image") or text_at(template, "PluginSpec", "Remote")
    return not known and dig(template, "NetworkAttachmentSpec") is None
