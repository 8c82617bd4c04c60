"""AWS App Runner: the image of every service that is made of one. Shapes: botocore's model of App Runner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tagsweep.model.errors import NotFound
from tagsweep.sources.cloud.awsapi import AwsApi
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.images import image_in_use
from tagsweep.sources.jsonapi import dig, text_at
from tagsweep.sources.syntaxes.findings import Finding

_RUNNING: Final = "RUNNING"
_DELETED: Final = "DELETED"


def in_service(service: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the image of a service; one that is built from source has none."""
    status = text_at(service, "Status")
    note = "" if status == _RUNNING else status.lower().replace("_", " ")
    return image_in_use(text_at(service, "SourceConfiguration", "ImageRepository", "ImageIdentifier"), note=note)


def read(api: AwsApi, found: Gathering) -> None:
    """Add what App Runner in one region uses; what cannot be seen is a gap."""

    def describe(listed: Mapping[str, Any]) -> Any:
        try:
            return api.call("DescribeService", ServiceArn=text_at(listed, "ServiceArn")).get("Service")
        except NotFound:
            return {"Status": _DELETED, "SourceConfiguration": {}}

    services: list[Mapping[str, Any]] = []
    with found.trying():
        services.extend(api.many("ListServices", "ServiceSummaryList"))
    for listed, service in found.each(describe, services):
        name = text_at(listed, "ServiceName")
        if not isinstance(dig(service, "SourceConfiguration"), dict):
            found.gap(f"{api.place}: the service {name} does not say of what it is made")
        elif text_at(service, "Status") != _DELETED:
            found.add(
                in_service(service),
                where=f"{api.place} service {name}",
                path=f"{api.region}/apprunner/{name}",
                runs=False,
            )
