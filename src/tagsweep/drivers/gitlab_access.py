"""How GitLab's API beside its container registry is reached: where it is, and with which token.

Rules: docs.gitlab.com, "Authenticate with the container registry", "CI/CD job token", "Predefined CI/CD variables"; the
variables GITLAB_TOKEN and GITLAB_HOST are those of the glab command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tagsweep.drivers.connection import api_address
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.http.auth import Credentials, Lookup
from tagsweep.http.hosts import origin
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import canonical_registry

GITLAB_COM: Final = "https://gitlab.com/api/v4"
_REGISTRY_COM: Final = "registry.gitlab.com"
_PERSONAL: Final = "glpat-"
_EXAMPLE: Final = '"https://gitlab.example.com/api/v4"'


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabAccess:
    """Where the API answers and the header that authorizes; ``api`` is empty where there is none to be used.

    ``login`` is what the registry takes where nothing else was found for it.
    """

    api: str = ""
    header: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    login: Credentials | None = None
    why_not: str = ""


def find_access(
    settings: RegistrySettings, *, api: str | None, token_env: str | None, environ: Mapping[str, str], lookup: Lookup
) -> GitLabAccess:
    """Return how the API of this registry's GitLab is reached.

    The address: the option ``api``, CI_API_V4_URL in a job of the GitLab whose registry this is, or gitlab.com's. The
    token: the variable that ``token_env`` names, GITLAB_TOKEN (for GITLAB_HOST, else gitlab.com), what docker login has
    for the registry if it is a personal access token, CI_JOB_TOKEN. A token goes only to the GitLab that it is for.
    """
    address = _address(settings, api, environ)
    login = _ci_login(settings, environ)
    if not address:
        return GitLabAccess(login=login, why_not="where GitLab's API answers is not known (option api)")
    token = _named(settings, token_env, environ) if token_env is not None else _token(address, environ)
    if not token:
        known = lookup("")
        token = known.password if known is not None and known.password.startswith(_PERSONAL) else ""
    if token:
        ours = Credentials(username="token", password=token, found_in="the access token of GitLab's API")
        return GitLabAccess(api=address, header={"PRIVATE-TOKEN": token}, login=login or ours)
    job = environ.get("CI_JOB_TOKEN", "")
    if job and _is_at(address, environ.get("CI_API_V4_URL", "")):
        ours = Credentials(username="gitlab-ci-token", password=job, found_in="environment, CI_JOB_TOKEN")
        return GitLabAccess(api=address, header={"JOB-TOKEN": job}, login=login or ours)
    return GitLabAccess(login=login, why_not="no token for GitLab's API was found (GITLAB_TOKEN, or option token_env)")


def _address(settings: RegistrySettings, given: str | None, environ: Mapping[str, str]) -> str:
    if given is not None:
        return api_address(given, settings, example=_EXAMPLE)
    host = endpoint(settings).host
    named = environ.get("CI_API_V4_URL", "")
    if named and canonical_registry(environ.get("CI_REGISTRY", "")) == host:
        return api_address(named, settings, example=_EXAMPLE)
    return GITLAB_COM if host == _REGISTRY_COM else ""


def _named(settings: RegistrySettings, name: str, environ: Mapping[str, str]) -> str:
    token = environ.get(name, "")
    if not token:
        raise ConfigurationError(
            f"registries: {settings.host}: token_env names {name}, which is not set in the environment",
            remedy=f"set {name} to an access token with the scope api, or leave token_env out",
        )
    return token


def _token(address: str, environ: Mapping[str, str]) -> str:
    host = environ.get("GITLAB_HOST") or environ.get("CI_SERVER_URL") or GITLAB_COM
    theirs = host if "://" in host else f"https://{host}"
    return environ.get("GITLAB_TOKEN", "") if _is_at(address, theirs) else ""


def _is_at(address: str, other: str) -> bool:
    return bool(other) and origin(address) == origin(other)


def _ci_login(settings: RegistrySettings, environ: Mapping[str, str]) -> Credentials | None:
    """Return what a job has for the registry of its own GitLab."""
    if canonical_registry(environ.get("CI_REGISTRY", "")) != endpoint(settings).host:
        return None
    username, password = environ.get("CI_REGISTRY_USER"), environ.get("CI_REGISTRY_PASSWORD")
    if not username or not password:
        return None
    return Credentials(username=username, password=password, found_in="environment, CI_REGISTRY_USER")
