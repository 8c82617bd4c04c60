"""What Azure's resources say of images: Container Apps, Container Instances and App Service. Pure.

Shapes: Azure Resource Manager's ``Microsoft.App`` 2024-03-01, ``Microsoft.ContainerInstance`` 2023-05-01 and
``Microsoft.Web`` 2023-12-01.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tagsweep.sources.cloud.images import containers_in, image_in_use
from tagsweep.sources.jsonapi import objects_at, text_at
from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.scan import scan

SIDECARS: Final = "SITECONTAINERS"
_FILES: Final[Mapping[str, str]] = {"COMPOSE": "docker-compose.yml", "KUBE": "kube.yml"}
_RUNTIMES: Final = ("linuxFxVersion", "windowsFxVersion")


def in_container_app(thing: Mapping[str, Any], *, note: str = "") -> Iterator[Finding]:
    """Yield the images of a container app, of one of its revisions, of a job or of one of its executions."""
    for template in ("template", "customContainerTemplate"):
        yield from containers_in(thing, "properties", template, "containers", note=note)
        yield from containers_in(thing, "properties", template, "initContainers", kind="init container", note=note)


def in_container_group(group: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the images of a container group of Container Instances."""
    for key, kind in (("containers", "container"), ("initContainers", "init container")):
        for container in objects_at(group, "properties", key):
            yield from image_in_use(
                text_at(container, "properties", "image"), at=f"{kind} {text_at(container, 'name')}"
            )


def in_site_config(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the images that the runtime of a site or slot names: ``DOCKER|…``, or a Compose file in base64."""
    for key in _RUNTIMES:
        kind, _, rest = text_at(config, "properties", key).partition("|")
        if kind.upper() == "DOCKER":
            yield from image_in_use(rest.removeprefix("https://"), at=key)
        elif kind.upper() in _FILES:
            yield from _in_encoded(rest, _FILES[kind.upper()], at=key)


def in_sidecar(sidecar: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the image of one of the containers of a site."""
    return image_in_use(text_at(sidecar, "properties", "image"), at=f"container {text_at(sidecar, 'name')}")


def has_sidecars(site: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Tell whether a site may have containers of its own beside its runtime: only those on Linux can."""
    runtime = text_at(config, "properties", "linuxFxVersion").upper()
    return runtime.startswith(SIDECARS) or "linux" in text_at(site, "kind").lower().split(",")


def _in_encoded(text: str, file: str, *, at: str) -> Iterator[Finding]:
    try:
        written = base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        yield NoReference(text=text[:40], why="it is not the base64 of a text", at=at)
        return
    yield from scan(File(file, written)).findings
