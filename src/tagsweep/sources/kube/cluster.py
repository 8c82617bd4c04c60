"""Reading one cluster from discovery to evidence; what cannot be read is a gap that names cluster, kind and remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from tagsweep.model.errors import (
    AuthenticationFailed,
    NotFound,
    PermissionDenied,
    RegistryError,
    TagsweepError,
    Unreachable,
)
from tagsweep.ports import Progress
from tagsweep.sources.kube.client import KubeClient
from tagsweep.sources.kube.listing import PagedList
from tagsweep.sources.kube.resources import HELM_STORAGE, NODES, Resource, discover
from tagsweep.sources.kube.tally import Tally
from tagsweep.sources.syntaxes.files import NotParsed
from tagsweep.sources.syntaxes.findings import Evidence
from tagsweep.sources.syntaxes.helm_release import read_release
from tagsweep.sources.syntaxes.kubernetes import objects_in
from tagsweep.sources.syntaxes.podspec import Reading, images_in

_HELM_PAGE: Final = 20
"""A release can be a megabyte, and a page of them is in memory at once."""
_MOST_BROKEN: Final = 20
_MOST_LOST: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What of a cluster is to be read. Without ``namespaces`` all of it."""

    namespaces: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    nodes: bool = False
    page_size: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReport:
    """What one cluster answered."""

    evidence: Evidence
    gaps: tuple[str, ...] = ()
    examined: int = 0


class ClusterReader:
    """Reads one cluster once."""

    def __init__(self, client: KubeClient, wishes: Wishes, *, source: str, progress: Progress) -> None:
        self._client = client
        self._wishes = wishes
        self._source = source
        self._progress = progress
        self._tally = Tally()
        self._gaps: list[str] = []
        self._lost = 0

    def read(self) -> ClusterReport:
        """Return everything that is in use; raises RegistryError where the cluster cannot be asked at all."""
        discovery = discover(self._client, skip=self._wishes.skip)
        self._gaps.extend(discovery.gaps)
        places = [place for place in self._wishes.namespaces if self._exists(place)]
        # Pods come last: by then every owner that they may have is known.
        resources = sorted(discovery.resources, key=lambda each: (each.name == "pods", each.group, each.plural))
        lists = [
            (resource, namespace)
            for resource in resources
            if self._wanted(resource)
            for namespace in (places if self._wishes.namespaces else [""])
        ]
        self._progress.begin(f"reading {self._client.place}", len(lists))
        for index, (resource, namespace) in enumerate(lists):
            if self._lost >= _MOST_LOST:  # each of the others would take as long to fail
                self._gaps.append(f"{self._client.place}: {len(lists) - index} more lists were not asked for any more")
                break
            self._list(resource, namespace)
            self._progress.advance()
        return ClusterReport(
            evidence=self._tally.evidence(self._client.place, self._source),
            gaps=tuple(self._gaps),
            examined=self._tally.examined,
        )

    def _wanted(self, resource: Resource) -> bool:
        if resource.group == "" and resource.plural == NODES:
            return self._wishes.nodes
        return resource.namespaced or not self._wishes.namespaces

    def _exists(self, namespace: str) -> bool:
        """Tell whether the namespace is not surely absent: a list of one that is absent is empty, and no error."""
        try:
            self._client.get(f"/api/v1/namespaces/{quote(namespace, safe='')}")
        except NotFound:
            self._gaps.append(
                f"{self._client.place}: there is no namespace {namespace}; correct the option namespaces:"
            )
            return False
        except PermissionDenied:
            return True
        except RegistryError as error:
            self._gaps.append(_gap(error, "run it again"))
        return True

    def _list(self, resource: Resource, namespace: str) -> None:
        helm = resource.group == "" and resource.plural in HELM_STORAGE
        part = _Part(resource, helm=helm)
        pages = PagedList(
            self._client,
            resource.path(namespace),
            page_size=min(self._wishes.page_size, _HELM_PAGE) if helm else self._wishes.page_size,
            selector="owner=helm" if helm else "",
        )
        try:
            pages.read(each=part.add, restart=part.clear)
            self._lost = 0
        except RegistryError as error:
            self._lost = self._lost + 1 if isinstance(error, Unreachable) else 0
            self._gaps.append(_gap(error, _remedy(error, resource)))
        self._gaps.extend(f"{self._client.place}: {gap}" for gap in part.gaps())
        self._tally.merge(part.tally)  # what was read before an error is in use all the same


class _Part:
    """One list while it is read."""

    def __init__(self, resource: Resource, *, helm: bool) -> None:
        self._resource = resource
        self._helm = helm
        self._version = f"{resource.group}/{resource.version}" if resource.group else resource.version
        self.tally = Tally()
        self._broken: list[str] = []

    def clear(self) -> None:
        self.tally = Tally()
        self._broken = []

    def add(self, thing: dict[str, Any]) -> None:
        try:
            if self._helm:
                self._release(thing)
            else:
                # The items of a list do not say what they are.
                thing.setdefault("apiVersion", self._version)
                thing.setdefault("kind", self._resource.kind)
                self.tally.add(thing, self._resource.kind, images_in(thing, Reading(embedded=objects_in)))
        except NotParsed as error:
            self._broken.append(f"{self._resource.name} {_name(thing)} cannot be read: {error}")

    def gaps(self) -> Iterable[str]:
        yield from self._broken[:_MOST_BROKEN]
        if len(self._broken) > _MOST_BROKEN:
            yield f"{len(self._broken) - _MOST_BROKEN} more {self._resource.name} cannot be read"

    def _release(self, thing: dict[str, Any]) -> None:
        data = thing.get("data")
        packed = data.get("release") if isinstance(data, dict) else None
        if not isinstance(packed, str):
            raise NotParsed("it is labelled owner=helm and holds no release")
        release = read_release(packed, in_secret=self._resource.plural == "secrets")
        namespace = _name(thing).rpartition("/")[0]
        self._broken += [
            f"Helm release {release.name} in {namespace or 'the cluster'}, revision {release.revision}: {problem}; "
            "upgrade or uninstall the release, or delete that revision if nobody goes back to it"
            for problem in release.problems
        ]
        self.tally.add_named(namespace, "Helm release", release.name, release.findings)


def _name(thing: dict[str, Any]) -> str:
    metadata = thing.get("metadata")
    parts = (metadata.get(key) for key in ("namespace", "name")) if isinstance(metadata, dict) else ()
    return "/".join(part for part in parts if isinstance(part, str))


def _gap(error: TagsweepError, remedy: str) -> str:
    remedy = error.remedy or remedy
    return f"{error}; {remedy}" if remedy else str(error)


def _remedy(error: RegistryError, resource: Resource) -> str:
    skip = f"or write skip: ['{resource.name}']"
    if isinstance(error, PermissionDenied | AuthenticationFailed):
        return (
            f"give the right to list {resource.name} (ClusterRole tagsweep-reader, docs/sources/kubernetes.md), {skip}"
        )
    if isinstance(error, NotFound):
        return f"the kind is announced and not served: run it again, {skip}"
    return f"run it again, {skip}"
