"""How GitHub's API beside the container registry is reached: where it is, with which token, and with what patience.

Rules: docs.github.com, "Authenticating to the REST API", "Rate limits for the REST API", "About permissions for GitHub
Packages"; the variables are those of GitHub Actions and of the gh command line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tagsweep.drivers.credentials import CredentialStore
from tagsweep.http.auth import Credentials
from tagsweep.http.hosts import is_loopback, origin
from tagsweep.http.redact import redact_url
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import canonical_registry
from tagsweep.ports import Request, Response, Transport

GITHUB_COM: Final = "https://api.github.com"
LOG_IN: Final = (
    "set GITHUB_TOKEN (in GitHub Actions with permissions: packages: write) or GH_TOKEN, or docker login {host} with a "
    "classic token that has read:packages and delete:packages"
)
_LIMITED: Final = frozenset({403, 429})
_AT_LEAST: Final = "60"
"""Seconds to wait after a secondary limit that names none: GitHub asks for at least a minute."""
_CLOUD: Final = ("GH_TOKEN", "GITHUB_TOKEN")
_SERVER: Final = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


def api_url(settings: RegistrySettings, option: str | None, environ: Mapping[str, str] | None = None) -> str:
    """Return where the API of this registry is: as the option ``api`` says, as the host's name tells, or by
    GITHUB_API_URL. Never over plain http, except on this machine or where ``plain_http`` allows it for this host.
    """
    host = canonical_registry(settings.host)
    environ = os.environ if environ is None else environ
    known = option or _by_host(host) or environ.get("GITHUB_API_URL")
    url = (known or f"https://{host.removeprefix('containers.')}/api/v3").rstrip("/")
    scheme, name, _ = origin(url)
    safe = scheme == "https" or (scheme == "http" and (is_loopback(name) or settings.plain_http))
    if not name or not safe or "?" in url or "#" in url or "@" in url:
        raise ConfigurationError(
            f"registries: {settings.host}: {redact_url(url)} is no place to which a token of GitHub may be sent",
            remedy='name the API in options, such as api: "https://github.example.com/api/v3"',
        )
    return url


def _by_host(host: str) -> str | None:
    if host == "ghcr.io":
        return GITHUB_COM
    if host.startswith("containers.") and host.endswith(".ghe.com"):
        return f"https://api.{host.removeprefix('containers.')}"
    return None


class GitHubCredentials:
    """Finds the credentials that serve both the registry and the API: a token, with any user's name.

    Order: tagsweep's own variables; GH_TOKEN, GITHUB_TOKEN (for another server than github.com and ghe.com
    GH_ENTERPRISE_TOKEN, GITHUB_ENTERPRISE_TOKEN); what docker login keeps. A variable's token goes only to the server
    that it is for: where GITHUB_API_URL is set, that is the one it names.
    """

    def __init__(self, host: str, api: str, *, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._store = CredentialStore(host, environ=self._environ)
        self._api = api

    def find(self, repository: str) -> Credentials | None:
        """Return the credentials for a repository path ("" for the registry itself), or None where there are none."""
        return self._store.from_environment() or self._from_github() or self._store.find(repository)

    def _from_github(self) -> Credentials | None:
        for name in self._variables():
            token = self._environ.get(name)
            if token:
                username = self._environ.get("GITHUB_ACTOR") or "x-access-token"
                return Credentials(username=username, password=token, found_in=f"environment, {name}")
        return None

    def _variables(self) -> tuple[str, ...]:
        named = self._environ.get("GITHUB_API_URL")
        ours = origin(self._api)
        if named:
            return (*_CLOUD, *_SERVER) if origin(named) == ours else ()
        cloud = ours == origin(GITHUB_COM) or ours[1].endswith(".ghe.com")
        return _CLOUD if cloud else _SERVER


class PatientTransport:
    """A transport that adds the pause which GitHub's documentation asks for where its answer names none.

    Secondary limits answer 403 or 429 and may say so in their body only.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    def send(self, request: Request) -> Response:
        """Send the request and return the answer, with Retry-After where a limit refused without naming a pause."""
        response = self._inner.send(request)
        headers = response.headers
        if response.status not in _LIMITED or "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0":
            return response
        if b"rate limit" not in response.body.lower():
            return response
        return replace(response, headers={**headers, "retry-after": _AT_LEAST})

    def close(self) -> None:
        """Give back the connections."""
        self._inner.close()
