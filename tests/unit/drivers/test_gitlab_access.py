"""Where GitLab's API is, and which token goes there: each only to the GitLab that it is for."""

from __future__ import annotations

import pytest

from tagsweep.drivers.gitlab_access import GitLabAccess, find_access
from tagsweep.http.auth import Credentials
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import RegistrySettings

COM = "registry.gitlab.com"
OURS = "registry.acme.example"
API = "https://gitlab.acme.example/api/v4"
JOB = {
    "CI_REGISTRY": OURS,
    "CI_API_V4_URL": API,
    "CI_JOB_TOKEN": "job",
    "CI_REGISTRY_USER": "gitlab-ci-token",
    "CI_REGISTRY_PASSWORD": "job-password",
}


def access(
    host: str,
    environ: dict[str, str],
    *,
    api: str | None = None,
    token_env: str | None = None,
    login: Credentials | None = None,
) -> GitLabAccess:
    """Return how GitLab is reached in this environment."""
    settings = RegistrySettings(host=host)
    return find_access(settings, api=api, token_env=token_env, environ=environ, lookup=lambda _: login)


def test_gitlab_com_is_known() -> None:
    """Its registry's API is gitlab.com's, with GITLAB_TOKEN; the registry takes the same token."""
    found = access(COM, {"GITLAB_TOKEN": "t"})
    assert found.api == "https://gitlab.com/api/v4"
    assert found.header == {"PRIVATE-TOKEN": "t"}
    assert found.login is not None
    assert found.login.password == "t"


def test_a_job_reaches_its_own_gitlab() -> None:
    """In a job the address, the job's token and its registry login are those that GitLab sets."""
    found = access(OURS, JOB)
    assert found.api == API
    assert found.header == {"JOB-TOKEN": "job"}
    assert found.login is not None
    assert (found.login.username, found.login.password) == ("gitlab-ci-token", "job-password")
    alone = access(OURS, {**JOB, "CI_REGISTRY_USER": ""})
    assert alone.login is not None
    assert (alone.login.username, alone.login.password) == ("gitlab-ci-token", "job")


def test_a_jobs_token_goes_to_no_other_gitlab() -> None:
    """Another registry than the job's is not given what the job has."""
    found = access(COM, JOB)
    assert found.header == {}
    assert found.login is None
    assert "no token" in found.why_not


@pytest.mark.parametrize(
    ("environ", "header"),
    [
        ({"GITLAB_TOKEN": "t"}, {}),
        ({"GITLAB_TOKEN": "t", "GITLAB_HOST": "gitlab.acme.example"}, {"PRIVATE-TOKEN": "t"}),
        ({"GITLAB_TOKEN": "t", "GITLAB_HOST": "https://gitlab.acme.example"}, {"PRIVATE-TOKEN": "t"}),
        ({"GITLAB_TOKEN": "t", "CI_SERVER_URL": "https://gitlab.acme.example"}, {"PRIVATE-TOKEN": "t"}),
        ({"GITLAB_TOKEN": "t", "GITLAB_HOST": "gitlab.other.example"}, {}),
    ],
)
def test_gitlab_token_goes_to_the_host_that_it_is_for(environ: dict[str, str], header: dict[str, str]) -> None:
    """GITLAB_TOKEN is for GITLAB_HOST, else for the server of the job, else for gitlab.com."""
    assert access(OURS, environ, api=API).header == header


def test_a_named_variable_is_used_and_must_be_there() -> None:
    """token_env says which token is for this registry's GitLab."""
    assert access(OURS, {"SWEEP": "s"}, api=API, token_env="SWEEP").header == {"PRIVATE-TOKEN": "s"}
    with pytest.raises(ConfigurationError, match="SWEEP"):
        access(OURS, {}, api=API, token_env="SWEEP")


def test_a_personal_token_of_docker_login_serves_the_api() -> None:
    """What docker login keeps is used if it is an access token, and not if it is a password or a deploy token."""
    for password, header in (("glpat-1", {"PRIVATE-TOKEN": "glpat-1"}), ("gldt-1", {}), ("password", {})):
        login = Credentials(username="me", password=password)
        assert access(COM, {}, login=login).header == header


def test_an_unknown_address_is_told_and_not_guessed() -> None:
    """A registry's host does not say where its GitLab is; nothing is sent to a guess."""
    found = access(OURS, {"GITLAB_TOKEN": "t"})
    assert found.api == ""
    assert "option api" in found.why_not


@pytest.mark.parametrize(
    "api", ["gitlab.acme.example", "http://gitlab.acme.example/api/v4", "https://u:p@host/api", ""]
)
def test_an_address_that_would_leak_the_token_is_refused(api: str) -> None:
    """No plain http to another machine, no user in the address, no address that is none."""
    with pytest.raises(ConfigurationError) as caught:
        access(OURS, {"SWEEP": "secret-token"}, api=api, token_env="SWEEP")
    assert "secret-token" not in str(caught.value)
    assert "u:p" not in str(caught.value)
