"""Google Cloud Run: services, all their revisions, jobs and worker pools, in every location of a project.

Shapes: the Cloud Run Admin API v2 (``GoogleCloudRunV2*``). Its revisions name the image as it was written; the digest
that it resolved to is only in version 1 of the API (``status.imageDigest``), which is asked where a revision has none.
Functions of the second generation are services of Cloud Run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.images import containers_in, image_in_use
from tagsweep.sources.cloud.restapi import Paging, RestApi
from tagsweep.sources.jsonapi import dig, objects_at, text_at
from tagsweep.sources.syntaxes.findings import Finding

_PAGE: Final = "100"
_DEEPEST: Final = 3
"""A job has its containers in the template of its template."""


def in_template(thing: Mapping[str, Any], *, note: str = "") -> Iterator[Finding]:
    """Yield the images that a service, a job, a worker pool, a revision or an execution names.

    The containers of a service are in its template, those of a job in the template of the template.
    """
    inner: Any = thing
    for _ in range(_DEEPEST):
        yield from containers_in(inner, "containers", note=note)
        yield from containers_in(inner, "initContainers", kind="init container", note=note)
        inner = dig(inner, "template")


def in_old_revision(revision: Mapping[str, Any], *, note: str = "") -> Iterator[Finding]:
    """Yield the digest of a revision as version 1 of the API tells it."""
    return image_in_use(text_at(revision, "status", "imageDigest"), at="resolved digest", note=note)


def has_digests(revision: Mapping[str, Any]) -> bool:
    """Tell whether every image of a revision is named by digest."""
    return all("@" in text_at(container, "image") for container in objects_at(revision, "containers"))


def revisions_with_traffic(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the short names of the revisions that a service sends requests to, each with a note."""
    for target in (*objects_at(service, "trafficStatuses"), *objects_at(service, "instanceSplitStatuses")):
        percent = dig(target, "percent")
        name = last(text_at(target, "revision")) or last(text_at(service, "latestReadyRevision"))
        tag = text_at(target, "tag")
        words = [f"{percent} % of the traffic" if isinstance(percent, int) and percent else ""]
        words.append(f"tag {tag}" if tag else "")
        note = ", ".join(word for word in words if word)
        if name and note:
            yield name, note


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of thing, as its listing is called; ``below`` are the things that it keeps."""

    noun: str
    listing: str
    below: str


KINDS: Final = (
    _Kind("service", "services", "revisions"),
    _Kind("job", "jobs", "executions"),
    _Kind("worker pool", "workerPools", "revisions"),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What one location has of one kind, and what those things keep."""

    kind: _Kind
    things: tuple[dict[str, Any], ...]
    kept: tuple[dict[str, Any], ...]
    old: tuple[dict[str, Any], ...] = ()


def locations(api: RestApi, project: str) -> tuple[str, ...]:
    """Return the names of all locations where Cloud Run can be used in ``project``."""
    paging = Paging(items="locations", token=("nextPageToken",), parameter="pageToken", omits_empty=True)
    listed = api.many(f"/v1/projects/{project}/locations", paging, pageSize=_PAGE)
    return tuple(sorted(text_at(location, "locationId") for location in listed))


def ask(api: RestApi, project: str, location: str, kind: _Kind) -> Listing:
    """Return what ``location`` has of ``kind``, or raise RegistryError."""
    place = f"/v2/projects/{project}/locations/{location}/{kind.listing}"
    things = tuple(_list(api, place, kind.listing))
    if not things:
        return Listing(kind, (), ())
    kept = tuple(_list(api, f"{place}/-/{kind.below}", kind.below))
    if kind.noun != "service" or all(map(has_digests, kept)):
        return Listing(kind, things, kept)
    paging = Paging(items="items", token=("metadata", "continue"), parameter="continue", omits_empty=True)
    old = api.many(f"/v1/projects/{project}/locations/{location}/revisions", paging, limit=_PAGE)
    return Listing(kind, things, kept, tuple(old))


def _list(api: RestApi, path: str, items: str) -> Iterable[dict[str, Any]]:
    paging = Paging(items=items, token=("nextPageToken",), parameter="pageToken", omits_empty=True)
    return api.many(path, paging, pageSize=_PAGE)


def add(listing: Listing, found: Gathering, *, place: str) -> None:
    """Add what a listing names. ``place`` is project and location: ``acme-prod/europe-west1``."""
    kind = listing.kind
    traffic: dict[str, list[str]] = {}
    for thing in listing.things:
        spot = f"{place} {kind.noun} {last(text_at(thing, 'name'))}"
        path = f"{place}/{kind.listing}/{last(text_at(thing, 'name'))}"
        for name, note in revisions_with_traffic(thing):
            traffic.setdefault(name, []).append(note)
        found.add(in_template(thing), where=spot, path=path)
    for kept in listing.kept:
        name = last(text_at(kept, "name"))
        owner = last(text_at(kept, "service") or text_at(kept, "job")) or _owner(text_at(kept, "name"))
        if kind.below == "executions":
            if text_at(kept, "completionTime"):
                continue  # the next one is made from the job
            note = "running execution"
        else:
            note = "; ".join(traffic.get(name, ())) or "rollback target"
        found.add(
            in_template(kept, note=note),
            where=f"{place} {kind.noun} {owner}, {kind.below[:-1]} {name}",
            path=f"{place}/{kind.listing}/{owner}",
        )
    for old in listing.old:
        name, owner = (
            text_at(old, "metadata", "name"),
            text_at(old, "metadata", "labels", "serving.knative.dev/service"),
        )
        found.add(
            in_old_revision(old, note="; ".join(traffic.get(name, ())) or "rollback target"),
            where=f"{place} service {owner}, revision {name}",
            path=f"{place}/services/{owner}",
        )


def last(name: str) -> str:
    """Return the last part of a full resource name."""
    return name.rpartition("/")[2]


def _owner(name: str) -> str:
    parts = name.split("/")
    return parts[-3] if len(parts) > 2 else ""  # noqa: PLR2004 - …/workerPools/POOL/revisions/NAME
