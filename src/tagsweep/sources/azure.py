"""AzureSource: asks Azure Resource Manager what Container Apps, Container Instances and App Service run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Self

from tagsweep.model.errors import AuthenticationFailed, NotFound, PermissionDenied, RegistryError
from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.cloud.azureresources import (
    has_sidecars,
    in_container_app,
    in_container_group,
    in_sidecar,
    in_site_config,
)
from tagsweep.sources.cloud.azuretokens import AzureTokens
from tagsweep.sources.cloud.endpoint import read_endpoint
from tagsweep.sources.cloud.extras import load
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.restapi import Paging, RestApi, open_transport
from tagsweep.sources.jsonapi import dig, text_at
from tagsweep.sources.options import Options

_ENDPOINT: Final = "https://management.azure.com"
_IDENTITY: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_PAGING: Final = Paging(items="value", token=("nextLink",))
_UNREGISTERED: Final = "MissingSubscriptionRegistration"
_SUBSCRIPTIONS: Final = "2022-12-01"
_APP: Final = "2024-03-01"
_INSTANCE: Final = "2023-05-01"
_WEB: Final = "2023-12-01"
_ENDED: Final = frozenset({"succeeded", "failed", "stopped", "degraded"})
_Thing = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSource:
    """What runs in ``subscriptions``; none named: in all that this identity sees."""

    name: str
    context: SourceContext = field(repr=False)
    subscriptions: tuple[str, ...] = ()
    endpoint: str = _ENDPOINT

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source that the options subscriptions and endpoint describe."""
        options = Options(settings)
        subscriptions = options.texts("subscriptions")
        if not all(map(_IDENTITY.fullmatch, subscriptions)):
            raise options.error(
                "subscriptions", "has something in it that is no id of one", remedy="az account list shows the ids"
            )
        endpoint = read_endpoint(options, _ENDPOINT)
        options.done()
        load("azure.identity", extra="azure", source=settings.name)
        return cls(name=settings.name, context=context, subscriptions=subscriptions, endpoint=endpoint)

    def collect(self, now: datetime) -> UsageReport:
        """Return what is in use; a subscription or resource that refuses or does not answer is a gap."""
        found = Gathering(self.name, unit="resources")
        tokens = AzureTokens(self.endpoint, source=self.name, clock=self.context.clock)
        api = RestApi(
            open_transport(self.name),
            url=self.endpoint,
            place=self.name,
            token=tokens.token,
            remedy=_remedy,
            context=self.context,
        )
        try:
            with api, found.trying():
                tokens.token()  # where there is none, once is enough to say so
                for subscription in self.subscriptions or _visible(api, found):
                    for read in (_container_apps, _jobs, _container_groups, _sites):
                        with found.trying():
                            read(api, subscription, found)
        finally:
            tokens.close()
        return found.answer(now)


def _visible(api: RestApi, found: Gathering) -> tuple[str, ...]:
    listed = api.many("/subscriptions", _PAGING, **{"api-version": _SUBSCRIPTIONS})
    identities = tuple(text_at(entry, "subscriptionId") for entry in listed if text_at(entry, "state") != "Deleted")
    if not identities:
        found.gap(f"{api.place}: this identity sees no subscription: give it the role Reader on those that matter")
    return identities


def _list(api: RestApi, path: str, version: str) -> list[_Thing]:
    """Return all of a listing; nothing where the subscription never used this kind of resource."""
    try:
        return list(api.many(path, _PAGING, **{"api-version": version}))
    except RegistryError as error:
        if error.code == _UNREGISTERED:
            return []
        raise


def _in_subscription(subscription: str, kind: str) -> str:
    return f"/subscriptions/{subscription}/providers/{kind}"


def _container_apps(api: RestApi, subscription: str, found: Gathering) -> None:
    apps = _list(api, _in_subscription(subscription, "Microsoft.App/containerApps"), _APP)
    for app in apps:
        found.add(in_container_app(app), where=_where("container app", app), path=_path(app))
    for app, revisions in found.each(_below(api, "revisions", _APP), apps):
        for revision in revisions:
            name = text_at(revision, "name")
            found.add(
                in_container_app(revision, note=_state(revision)),
                where=f"{_where('container app', app)}, revision {name}",
                path=_path(app),
            )


def _jobs(api: RestApi, subscription: str, found: Gathering) -> None:
    jobs = _list(api, _in_subscription(subscription, "Microsoft.App/jobs"), _APP)
    for job in jobs:
        trigger = text_at(job, "properties", "configuration", "triggerType").lower()
        note = f"{trigger} job" if trigger else "job"
        found.add(in_container_app(job, note=note), where=_where("container job", job), path=_path(job))
    for job, executions in found.each(_below(api, "executions", _APP), jobs):
        for execution in executions:
            status = text_at(execution, "properties", "status") or text_at(execution, "status")
            if status.lower() not in _ENDED:
                found.add(
                    in_container_app(execution, note="running execution"),
                    where=f"{_where('container job', job)}, execution {text_at(execution, 'name')}",
                    path=_path(job),
                )


def _container_groups(api: RestApi, subscription: str, found: Gathering) -> None:
    kind = "Microsoft.ContainerInstance/containerGroups"
    for group in _list(api, _in_subscription(subscription, kind), _INSTANCE):
        found.add(in_container_group(group), where=_where("container group", group), path=_path(group))


def _sites(api: RestApi, subscription: str, found: Gathering) -> None:
    sites = _list(api, _in_subscription(subscription, "Microsoft.Web/sites"), _WEB)
    slots = [slot for _, listed in found.each(_below(api, "slots", _WEB), sites) for slot in listed]

    def configuration(site: _Thing) -> tuple[_Thing, list[_Thing]]:
        # The list of sites has a configuration too, but Azure leaves most of it empty there.
        config = api.get(f"{_resource(api, site)}/config/web", **{"api-version": _WEB})
        if not isinstance(dig(config, "properties"), dict):
            raise _not_as_documented(api, site)
        sidecars: list[_Thing] = []
        if has_sidecars(site, config):
            try:
                sidecars = _below(api, "sitecontainers", _WEB)(site)
            except NotFound:
                sidecars = []  # the site is there, as its configuration shows: it has none
        return config, sidecars

    for site, (config, sidecars) in found.each(configuration, [*sites, *slots]):
        where, path = _where("app", site), _path(site)
        found.add(in_site_config(config), where=where, path=path, runs=False)
        for sidecar in sidecars:
            found.add(in_sidecar(sidecar), where=where, path=path)


def _below(api: RestApi, listing: str, version: str) -> Callable[[_Thing], list[_Thing]]:
    """Return what lists the things below a resource."""
    return lambda thing: _list(api, f"{_resource(api, thing)}/{listing}", version)


def _resource(api: RestApi, thing: Mapping[str, Any]) -> str:
    """Return the id of a resource, which is its path in the API."""
    identity = text_at(thing, "id")
    if not re.fullmatch(r"/subscriptions/[^?#\s]+", identity):
        raise _not_as_documented(api, thing)
    return identity


def _not_as_documented(api: RestApi, thing: Mapping[str, Any]) -> RegistryError:
    return RegistryError(f"{api.place}: the resource {text_at(thing, 'name')!r} is not told as Azure documents it")


def _where(noun: str, thing: Mapping[str, Any]) -> str:
    """Return the place for a person: ``container app shop-rg/api``; a slot is ``app shop-rg/web/staging``."""
    parts = text_at(thing, "id").split("/")
    group = next((after for key, after in pairwise(parts) if key.lower() == "resourcegroups"), "")
    return f"{noun} {group}/{text_at(thing, 'name')}" if group else f"{noun} {text_at(thing, 'name')}"


def _path(thing: Mapping[str, Any]) -> str:
    return text_at(thing, "id").removeprefix("/")


def _state(revision: Mapping[str, Any]) -> str:
    weight = dig(revision, "properties", "trafficWeight")
    if dig(revision, "properties", "active") is not True:
        return "inactive revision, rollback target"
    return f"active, {weight} % of the traffic" if isinstance(weight, int) and weight else "active revision"


def _remedy(error: RegistryError) -> str:
    if isinstance(error, PermissionDenied):
        return "give this identity the role Reader on the subscription"
    if isinstance(error, AuthenticationFailed):
        return "sign in again with az login, or check the identity that this runs as"
    return ""
