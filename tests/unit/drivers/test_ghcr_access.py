"""Where GitHub's API is for a registry, and which token goes to it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tagsweep.drivers.ghcr_access import GITHUB_COM, GitHubCredentials, api_url
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import RegistrySettings

SERVER = "https://github.example.com/api/v3"


@pytest.mark.parametrize(
    ("host", "option", "environ", "expected"),
    [
        ("ghcr.io", None, {}, GITHUB_COM),
        ("ghcr.io", None, {"GITHUB_API_URL": SERVER}, GITHUB_COM),
        ("containers.acme.ghe.com", None, {}, "https://api.acme.ghe.com"),
        ("containers.github.example.com", None, {}, SERVER),
        ("containers.other.example.com", None, {"GITHUB_API_URL": f"{SERVER}/"}, SERVER),
        (
            "containers.github.example.com",
            "https://elsewhere.example.com/api/v3/",
            {},
            "https://elsewhere.example.com/api/v3",
        ),
        ("127.0.0.1:5000", None, {"GITHUB_API_URL": "http://127.0.0.1:5000/api/v3"}, "http://127.0.0.1:5000/api/v3"),
    ],
)
def test_the_api_is_found_by_the_host_of_the_registry(
    host: str, option: str | None, environ: dict[str, str], expected: str
) -> None:
    """github.com and ghe.com have their own API; a server's is named by the option, its workflow, or its host name."""
    assert api_url(RegistrySettings(host=host), option, environ) == expected


@pytest.mark.parametrize(
    "api", ["http://github.example.com/api/v3", "ftp://a.example", "github.example.com", "https://u:p@a.example"]
)
def test_a_token_is_never_sent_in_plain_text(api: str) -> None:
    """An address without TLS, or one that is no address, is refused before anything is sent."""
    with pytest.raises(ConfigurationError) as caught:
        api_url(RegistrySettings(host="ghcr.io"), api, {})
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("api", "environ", "expected"),
    [
        (GITHUB_COM, {"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, "a"),
        (GITHUB_COM, {"GITHUB_TOKEN": "b"}, "b"),
        (GITHUB_COM, {"GH_ENTERPRISE_TOKEN": "c"}, None),
        ("https://api.acme.ghe.com", {"GITHUB_TOKEN": "b"}, "b"),
        (SERVER, {"GITHUB_TOKEN": "b"}, None),
        (SERVER, {"GITHUB_TOKEN": "b", "GH_ENTERPRISE_TOKEN": "c"}, "c"),
        (SERVER, {"GITHUB_TOKEN": "b", "GITHUB_API_URL": SERVER}, "b"),
        (GITHUB_COM, {"GITHUB_TOKEN": "b", "GITHUB_API_URL": SERVER}, None),
        (GITHUB_COM, {"GITHUB_TOKEN": "b", "TAGSWEEP_USERNAME": "u", "TAGSWEEP_PASSWORD": "p"}, "p"),
    ],
)
def test_a_token_goes_only_to_the_server_that_it_is_for(
    tmp_path: Path, api: str, environ: dict[str, str], expected: str | None
) -> None:
    """Tagsweep's own variables win; a workflow's token goes to the server of that workflow and to no other."""
    found = GitHubCredentials("ghcr.io", api, environ={"HOME": str(tmp_path), **environ}).find("team/app")
    assert (found.password if found is not None else None) == expected


def test_the_password_of_docker_login_is_the_token(tmp_path: Path) -> None:
    """Whoever is logged in with docker needs nothing else; a variable wins over it."""
    (tmp_path / ".docker").mkdir()
    auth = base64.b64encode(b"jane:classic").decode()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}))
    environ = {"HOME": str(tmp_path)}
    found = GitHubCredentials("ghcr.io", GITHUB_COM, environ=environ).find("team/app")
    assert found is not None
    assert (found.username, found.password) == ("jane", "classic")
    named = GitHubCredentials("ghcr.io", GITHUB_COM, environ={**environ, "GITHUB_TOKEN": "b"}).find("team/app")
    assert named is not None
    assert named.password == "b"
    assert "classic" not in repr(found)
