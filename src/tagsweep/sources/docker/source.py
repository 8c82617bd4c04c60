"""DockerSource: asks one Docker Engine or Podman service what is in use on its machine, and in its Swarm."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, Self
from urllib.parse import quote

from tagsweep.model.errors import ConfigurationError, NotFound, ProtocolViolation, TagsweepError
from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.collecting import Collection
from tagsweep.sources.docker import extract
from tagsweep.sources.docker.address import check_socket, read_endpoint
from tagsweep.sources.docker.extract import Container, LocalImage
from tagsweep.sources.jsonapi import Endpoint, JsonApi, Remedies, as_gap, dig, entries, objects_at, text_at
from tagsweep.sources.options import Options
from tagsweep.sources.syntaxes.findings import Finding

_REMEDIES: Final = Remedies(
    unreachable="check host, and for TLS ca, cert and key of this source",
    refused="let this user or certificate read the Engine's API",
)
_VERSION: Final = re.compile(r"1\.[0-9]{1,3}", re.ASCII)
_NO_SWARM: Final = frozenset({"", "inactive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerSource:
    """One engine. ``stored`` counts all its images, not only those of containers; ``swarm`` asks for services too."""

    name: str
    endpoint: Endpoint
    context: SourceContext = field(repr=False)
    stored: bool = False
    swarm: bool = True

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source that the options host, ca, cert, key, plain_http, images and swarm describe."""
        options = Options(settings)
        stored = options.choice("images", ("used", "all"), "used") == "all"
        swarm = options.flag("swarm", default=True)
        endpoint = read_endpoint(options, os.environ, base=context.base)
        options.done()
        return cls(name=settings.name, endpoint=endpoint, context=context, stored=stored, swarm=swarm)

    def collect(self, now: datetime) -> UsageReport:
        """Return what containers, images, plugins and services use; each part that cannot be read is a gap."""
        found = _Machine(self.name)
        try:
            if self.endpoint.unix_socket:
                check_socket(self.endpoint.unix_socket, place=self.name)
            with JsonApi(self.endpoint, place=self.name, remedies=_REMEDIES, context=self.context) as api:
                self._ask(api, found)
        except ConfigurationError:
            raise
        except TagsweepError as error:
            found.gap(as_gap(error))
        return found.report(now, unit="containers, images and services")

    def _ask(self, api: JsonApi, found: _Machine) -> None:
        version = api.get("/version")
        if not isinstance(version, dict) or not text_at(version, "Version"):
            raise ProtocolViolation(f"{self.name}: what answers there is neither Docker nor Podman")
        prefix = f"/v{text_at(version, 'ApiVersion')}" if _VERSION.fullmatch(text_at(version, "ApiVersion")) else ""
        podman = any("podman" in text_at(part, "Name").lower() for part in objects_at(version, "Components"))
        engine = _Engine(api=api, prefix=prefix, place=self.name)
        info = found.part(partial(engine.one, "/info"))
        found.name = text_at(info, "Name")
        images = found.part(engine.images) or {}
        for image in images.values() if self.stored else ():
            found.add(extract.in_store(image), f"image {(*image.names, *image.by_digest(), image.id)[0]}")
        found.part(partial(_containers, engine, images, found))
        if not podman:  # which has no managed plugins and no Swarm
            found.part(partial(_plugins, engine, found))
            if self.swarm and info is not None:
                found.part(partial(_swarm, engine, dig(info, "Swarm"), found))


class _Machine(Collection):
    """What one machine says, and how the machine is called."""

    name = ""

    def add(self, findings: Iterable[Finding], what: str) -> None:
        """Add what was found in ``what``, such as ``container web``."""
        self.examined += 1
        self.take(findings, where=f"{self.name} {what}".strip(), path=what.replace(" ", "/", 1))

    def part(self, read: Callable[[], Any]) -> Any:
        """Return what ``read`` returns; where it fails, that is a gap and the rest goes on."""
        try:
            return read()
        except TagsweepError as error:
            self.gap(as_gap(error))
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Engine:
    """The Engine's API at one version."""

    api: JsonApi
    prefix: str
    place: str

    def one(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return one document."""
        return self.api.get(self.prefix + path, query)

    def many(self, path: str, what: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Return the objects of a list."""
        return entries(self.one(path, query), place=self.place, what=what)

    def images(self) -> dict[str, LocalImage]:
        """Return every image that the engine has, by the hex digits of its id."""
        found = map(extract.read_image_entry, self.many("/images/json", "the images", {"all": "1"}))
        return {image.id.removeprefix("sha256:"): image for image in found}


def _containers(engine: _Engine, images: Mapping[str, LocalImage], found: _Machine) -> None:
    for entry in engine.many("/containers/json", "the containers", {"all": "1"}):
        container = extract.read_container_entry(entry)
        page = None
        if container.needs_a_closer_look:
            page = found.part(partial(_page, engine, container))
        image = images.get(container.image_id.removeprefix("sha256:"))
        found.add(extract.in_container(container, image, page), f"container {container.name}")


def _page(engine: _Engine, container: Container) -> Any:
    try:
        return engine.one(f"/containers/{quote(container.id, safe='')}/json")
    except NotFound:
        return None  # it was removed since the list was made, and with it its use


def _plugins(engine: _Engine, found: _Machine) -> None:
    for entry in engine.many("/plugins", "the plugins"):
        found.add(extract.in_plugin(entry), f"plugin {text_at(entry, 'Name')}")


def _swarm(engine: _Engine, state: Any, found: _Machine) -> None:
    if not isinstance(state, dict):
        raise ProtocolViolation(f"{engine.place}: /info does not tell whether this machine is in a Swarm")
    if text_at(state, "LocalNodeState").lower() in _NO_SWARM:
        return
    if dig(state, "ControlAvailable") is not True:
        found.gap(
            f"{engine.place}: this machine is in a Swarm and is not its manager, so the services cannot be seen: "
            "ask a manager in a source of its own, and write swarm: false here"
        )
        return
    names = {}
    for entry in engine.many("/services", "the services"):
        name = text_at(entry, "Spec", "Name")
        names[text_at(entry, "ID")] = name
        if extract.unnamed_service(entry):
            found.gap(f"{engine.place}: the service {name} does not say what it runs")
        found.add(extract.in_service(entry), f"service {name}")
    for entry in engine.many("/tasks", "the tasks"):
        service = names.get(text_at(entry, "ServiceID"), text_at(entry, "ServiceID")[:12])
        node = text_at(entry, "NodeID")[:12]
        found.add(extract.in_task(entry), f"service {service}, task {dig(entry, 'Slot') or 0} on node {node}")
