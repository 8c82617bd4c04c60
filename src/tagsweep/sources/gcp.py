"""GcpSource: asks Google Cloud Run what is in use in the projects that are named."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from tagsweep.model.errors import AuthenticationFailed, ConfigurationError, PermissionDenied, RegistryError
from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import UsageReport
from tagsweep.ports import SourceContext, Transport
from tagsweep.sources.cloud import cloudrun
from tagsweep.sources.cloud.endpoint import read_endpoint
from tagsweep.sources.cloud.extras import load
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.googletokens import GoogleTokens
from tagsweep.sources.cloud.restapi import RestApi, open_transport
from tagsweep.sources.options import Options

_ENDPOINT: Final = "https://run.googleapis.com"
_ALL: Final = "-"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.:_-]*", re.ASCII)
_SWITCHED_OFF: Final = "SERVICE_DISABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpSource:
    """Cloud Run in ``projects`` (none named: the one of the credentials) and ``locations`` (``-``: all)."""

    name: str
    context: SourceContext = field(repr=False)
    projects: tuple[str, ...] = ()
    locations: tuple[str, ...] = (_ALL,)
    endpoint: str = _ENDPOINT

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source that the options projects, locations and endpoint describe."""
        options = Options(settings)
        projects, locations = options.texts("projects"), options.texts("locations", (_ALL,))
        endpoint = read_endpoint(options, _ENDPOINT)
        for key, names in (("projects", projects), ("locations", locations)):
            if not all(_NAME.fullmatch(name) or (name == _ALL and key == "locations") for name in names):
                raise options.error(key, "has something in it that is no name of one", remedy=f'{key}: ["my-name"]')
        options.done()
        load("google.auth", extra="gcp", source=settings.name)
        return cls(name=settings.name, context=context, projects=projects, locations=locations, endpoint=endpoint)

    def collect(self, now: datetime) -> UsageReport:
        """Return what is in use; a project or location that refuses or does not answer is a gap with its remedy."""
        found = Gathering(self.name, unit="resources")
        transport = open_transport(self.name)
        try:
            with found.trying():
                tokens = GoogleTokens(transport, source=self.name)
                projects = self.projects or ((tokens.project,) if tokens.project else ())
                if not projects:
                    raise ConfigurationError(
                        f"source {self.name}: no project is named, here or in the Google credentials",
                        remedy='projects: ["my-project"]',
                    )
                tokens.token()  # where there is none, once is enough to say so
                for project in projects:
                    self._read(tokens, transport, project, found)
        finally:
            transport.close()
        return found.answer(now)

    def _read(self, tokens: GoogleTokens, transport: Transport, project: str, found: Gathering) -> None:
        api = RestApi(
            transport,
            url=self.endpoint,
            place=f"{self.name}, project {project}",
            token=tokens.token,
            remedy=lambda error: _remedy(error, project),
            context=self.context,
        )
        with found.trying():
            names = cloudrun.locations(api, project) if _ALL in self.locations else self.locations
            wanted = [(name, kind) for name in names for kind in cloudrun.KINDS]
            for (name, _), listing in found.each(lambda each: cloudrun.ask(api, project, *each), wanted):
                cloudrun.add(listing, found, place=f"{project}/{name}")


def _remedy(error: RegistryError, project: str) -> str:
    if error.code == _SWITCHED_OFF:
        return (
            f"the Cloud Run API is switched off in {project}, so nothing can run there: take the project out of "
            f"projects, or gcloud services enable run.googleapis.com --project {project}"
        )
    if isinstance(error, PermissionDenied):
        return f"give this identity the role roles/run.viewer in {project}"
    if isinstance(error, AuthenticationFailed):
        return "sign in again: gcloud auth application-default login"
    return ""
