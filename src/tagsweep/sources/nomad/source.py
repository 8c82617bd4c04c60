"""NomadSource: asks a Nomad cluster for its jobs, their earlier versions, and what still runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self
from urllib.parse import quote

from tagsweep.model.errors import ConfigurationError, NotFound, ProtocolViolation, TagsweepError
from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.collecting import Collection
from tagsweep.sources.jsonapi import JsonApi, Remedies, as_gap, dig, entries, objects_at, pages, text_at
from tagsweep.sources.nomad.address import Access, read_access
from tagsweep.sources.nomad.extract import in_job, state_of
from tagsweep.sources.options import Options

_PAGE: Final = "500"
_ALL: Final = "*"
_ALIVE: Final = frozenset({"running", "pending", "unknown"})
_REMEDIES: Final = Remedies(
    unreachable="check address, and for TLS ca, cert and key of this source",
    refused="give NOMAD_TOKEN or token_file a token with list-jobs and read-job in these namespaces",
)
_NARROW: Final = (
    "this token may not see every namespace, and Nomad leaves out the others without a word: name the namespaces, "
    "namespace: [default, prod], each of which is then asked for, or use a management token"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NomadSource:
    """One cluster: the namespaces (``*``: all) of the regions (none named: all) that it tells of."""

    name: str
    access: Access
    context: SourceContext = field(repr=False)
    namespaces: tuple[str, ...] = (_ALL,)
    regions: tuple[str, ...] = ()

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source that the options address, namespace, region, token_file and the TLS files describe."""
        options = Options(settings)
        namespace, region = os.environ.get("NOMAD_NAMESPACE", ""), os.environ.get("NOMAD_REGION", "")
        namespaces = options.texts("namespace", (namespace or _ALL,))
        regions = options.texts("region", (region,) if region else ())
        access = read_access(options, os.environ, base=context.base)
        options.done()
        return cls(name=settings.name, access=access, context=context, namespaces=namespaces, regions=regions)

    def collect(self, now: datetime) -> UsageReport:
        """Return what the jobs use; a region, namespace or job that cannot be read is a gap."""
        token = self.access.read_token(place=self.name)
        headers = {"X-Nomad-Token": token} if token else {}
        found = Collection(self.name)
        try:
            with JsonApi(
                self.access.endpoint, place=self.name, remedies=_REMEDIES, context=self.context, headers=headers
            ) as api:
                for region in self.regions or _regions(api, self.name):
                    self._ask(_Region(api=api, name=region, place=self.name), found)
        except ConfigurationError:
            raise
        except TagsweepError as error:
            found.gap(as_gap(error))
        return found.report(now, unit="jobs")

    def _ask(self, region: _Region, found: Collection) -> None:
        if _ALL in self.namespaces:
            try:
                if not region.sees_everything():
                    found.gap(f"{self.name}, region {region.name}: {_NARROW}")
            except TagsweepError as error:
                found.gap(as_gap(error))
        for namespace in self.namespaces:
            try:
                _read_namespace(region, namespace, found)
            except TagsweepError as error:
                found.gap(f"region {region.name}, namespace {namespace}: {as_gap(error)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """The API as one region answers it."""

    api: JsonApi
    name: str
    place: str

    def one(self, path: str, **query: str) -> Any:
        """Return one document."""
        return self.api.get(path, {**query, "region": self.name})

    def many(self, path: str, what: str, **query: str) -> Iterator[dict[str, Any]]:
        """Yield the objects of a listing, page after page."""

        def ask(mark: str) -> tuple[Any, str]:
            page = {**query, "region": self.name, "per_page": _PAGE} | ({"next_token": mark} if mark else {})
            document, headers = self.api.ask(path, page)
            return document, headers.get("x-nomad-nexttoken", "")

        for document in pages(ask, place=self.place, what=path):
            yield from entries(document, place=self.place, what=what)

    def sees_everything(self) -> bool:
        """Tell whether the token is one that nothing is hidden from, or the cluster has no access control."""
        try:
            token = self.one("/v1/acl/token/self")
        except TagsweepError as error:
            if "ACL support disabled" in str(error):
                return True
            raise
        return text_at(token, "Type") == "management"


def _regions(api: JsonApi, place: str) -> tuple[str, ...]:
    regions = api.get("/v1/regions")
    if not isinstance(regions, list) or not regions or not all(isinstance(name, str) and name for name in regions):
        raise ProtocolViolation(f"{place}: what answers there is not Nomad, it names no region")
    return tuple(regions)


def _read_namespace(region: _Region, namespace: str, found: Collection) -> None:
    running: Counter[tuple[str, str, int]] = Counter()
    example: dict[tuple[str, str, int], str] = {}
    for allocation in region.many("/v1/allocations", "the allocations", namespace=namespace):
        if text_at(allocation, "ClientStatus") in _ALIVE:
            key = (text_at(allocation, "Namespace"), text_at(allocation, "JobID"), _version(allocation, "JobVersion"))
            running[key] += 1
            example[key] = text_at(allocation, "ID")
    # The jobs come after the allocations: what moves to another version meanwhile is seen in one of the two.
    for stub in region.many("/v1/jobs", "the jobs", namespace=namespace):
        identity, home = text_at(stub, "ID"), text_at(stub, "Namespace") or namespace
        found.examined += 1
        try:
            for job, note in _versions(region, identity, home):
                count = running.pop((home, identity, _version(job, "Version")), 0)
                _add(found, region, job, note=_joined(note, _allocations(count)))
        except TagsweepError as error:
            found.gap(f"job {home}/{identity}: {as_gap(error)}")
    for (home, identity, version), count in running.items():  # of a version, or a whole job, that Nomad has forgotten
        try:
            whole = region.one(f"/v1/allocation/{quote(example[home, identity, version], safe='')}", namespace=home)
            _add(found, region, dig(whole, "Job") or {}, note=_joined("forgotten version", _allocations(count)))
        except NotFound:
            continue  # it has ended meanwhile
        except TagsweepError as error:
            found.gap(f"an allocation of {home}/{identity}: {as_gap(error)}")


def _versions(region: _Region, identity: str, namespace: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the job as it is, and the versions before it, each with a note."""
    path = f"/v1/job/{quote(identity, safe='')}"
    try:
        job = region.one(path, namespace=namespace)
    except NotFound:
        return  # purged since the list was made; what still runs of it is among the allocations
    if not isinstance(job, dict):
        raise ProtocolViolation(f"{region.place}: the job {identity} is not in the form that the API documents")
    state = state_of(job)
    yield job, state
    try:
        answer = region.one(f"{path}/versions", namespace=namespace)
    except NotFound:
        return
    if not isinstance(dig(answer, "Versions"), list):
        raise ProtocolViolation(f"{region.place}: the versions are not in the form that the API documents")
    for version in objects_at(answer, "Versions"):
        if _version(version, "Version") != _version(job, "Version"):
            yield version, _joined(state, "rollback target")


def _add(found: Collection, region: _Region, job: Mapping[str, Any], *, note: str) -> None:
    identity = f"{text_at(job, 'Namespace')}/{text_at(job, 'ID')}"
    where = f"{region.name} job {identity} version {_version(job, 'Version')}"
    if not objects_at(job, "TaskGroups"):
        raise ProtocolViolation(f"{region.place}: {where} does not say what it runs")
    found.take(in_job(job, note=note), where=where, path=identity)


def _version(job: Mapping[str, Any], key: str) -> int:
    value = dig(job, key)
    return value if isinstance(value, int) else 0


def _allocations(count: int) -> str:
    return f"{count} {'allocation' if count == 1 else 'allocations'}" if count else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
