"""Where credentials are found, in which order, and what a broken file or helper says."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tagsweep.drivers.credentials import CredentialStore
from tagsweep.http.auth import Credentials
from tagsweep.model.errors import ConfigurationError


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def auths(**entries: str) -> dict[str, Any]:
    return {"auths": {host.replace("_", "."): {"auth": b64(text)} for host, text in entries.items()}}


def write(path: Path, document: Mapping[str, Any] | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def find(home: Path, host: str, repository: str = "", **environ: str) -> Credentials | None:
    return CredentialStore(host, environ=environ, home=home).find(repository)


def user(credentials: Credentials | None) -> tuple[str, str] | None:
    return (credentials.username, credentials.password) if credentials is not None else None


def helper(folder: Path, name: str, script: str) -> str:
    program = folder / f"docker-credential-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    return str(folder)


def test_no_files_and_no_environment_is_no_credentials(tmp_path: Path) -> None:
    """A fresh machine has none, and that is no error."""
    assert find(tmp_path, "registry.example.com") is None


good_keys = [
    ("registry.example.com", "registry.example.com"),
    ("registry.example.com:5000", "registry.example.com:5000"),
    ("https://registry.example.com", "registry.example.com"),
    ("https://registry.example.com/v2/", "registry.example.com"),
    ("http://registry.example.com/v1/", "registry.example.com"),
    ("registry.example.com/", "registry.example.com"),
    ("Registry.Example.com", "registry.example.com"),
    ("https://index.docker.io/v1/", "docker.io"),
    ("docker.io", "docker.io"),
    ("registry-1.docker.io", "docker.io"),
]


@pytest.mark.parametrize(("key", "host"), good_keys)
def test_dockers_keys_name_their_registry(tmp_path: Path, key: str, host: str) -> None:
    """Every form of key that Docker has written over the years is understood."""
    write(tmp_path / ".docker/config.json", {"auths": {key: {"auth": b64("u:p:with:colons")}}})
    assert user(find(tmp_path, host)) == ("u", "p:with:colons")


bad_keys = [
    ("registry.example.com", "registry.example.com:5000"),
    ("registry.example.com:5000", "registry.example.com"),
    ("example.com", "registry.example.com"),
    ("registry.example.com.evil.com", "registry.example.com"),
    ("https://index.docker.io/v1/", "index.example.com"),
]


@pytest.mark.parametrize(("key", "host"), bad_keys)
def test_credentials_of_another_registry_are_not_used(tmp_path: Path, key: str, host: str) -> None:
    """Another host, port or parent domain is another registry."""
    write(tmp_path / ".docker/config.json", {"auths": {key: {"auth": b64("u:p")}}})
    assert find(tmp_path, host) is None


def test_the_longest_namespace_wins(tmp_path: Path) -> None:
    """Podman's keys may carry a path; the longest that holds the repository decides."""
    file = write(
        tmp_path / "auth.json",
        {
            "auths": {
                "quay.io": {"auth": b64("host:1")},
                "quay.io/org": {"auth": b64("org:2")},
                "quay.io/org/app": {"auth": b64("app:3")},
            }
        },
    )

    def name(repository: str) -> str:
        found = find(tmp_path, "quay.io", repository, REGISTRY_AUTH_FILE=str(file))
        return found.username if found is not None else ""

    assert [name(r) for r in ("org/app", "org/app/sub", "org/application", "org", "other/x", "")] == [
        "app", "app", "org", "org", "host", "host",
    ]  # fmt: skip


def test_the_order_of_places(tmp_path: Path) -> None:
    """Environment for the host, environment, REGISTRY_AUTH_FILE, Docker's file, podman's files."""
    named = str(write(tmp_path / "named.json", auths(r_example="named:1")))
    write(tmp_path / "docker/config.json", auths(r_example="docker:1"))
    write(tmp_path / "run/containers/auth.json", auths(r_example="runtime:1"))
    write(tmp_path / ".config/containers/auth.json", auths(r_example="podman:1"))
    environ = {
        "TAGSWEEP_R_EXAMPLE_USERNAME": "host",
        "TAGSWEEP_R_EXAMPLE_PASSWORD": "1",
        "TAGSWEEP_USERNAME": "any",
        "TAGSWEEP_PASSWORD": "1",
        "REGISTRY_AUTH_FILE": named,
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }
    order = []
    for taken_away in [(), ("TAGSWEEP_R_EXAMPLE_USERNAME", "TAGSWEEP_R_EXAMPLE_PASSWORD"),
                       ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"), ("REGISTRY_AUTH_FILE",), ("DOCKER_CONFIG",),
                       ("XDG_RUNTIME_DIR",)]:  # fmt: skip
        for name in taken_away:
            del environ[name]
        found = find(tmp_path, "r.example", **environ)
        order.append(found.username if found is not None else None)
    assert order == ["host", "any", "named", "docker", "runtime", "podman"]


def test_the_environment_names_a_host_with_a_port(tmp_path: Path) -> None:
    """Every character that is no letter or digit is an underscore."""
    found = find(tmp_path, "127.0.0.1:5000", TAGSWEEP_127_0_0_1_5000_USERNAME="u", TAGSWEEP_127_0_0_1_5000_PASSWORD="p")
    assert user(found) == ("u", "p")


def test_half_of_a_pair_in_the_environment_is_an_error(tmp_path: Path) -> None:
    """A user without password is a mistake, not an anonymous run."""
    with pytest.raises(ConfigurationError, match="TAGSWEEP_PASSWORD is not"):
        find(tmp_path, "r.example", TAGSWEEP_USERNAME="u")


def test_identity_tokens_are_told_from_passwords(tmp_path: Path) -> None:
    """A file's identitytoken and a helper's <token> user are exchanged, not sent as a password."""
    entry = {"auth": b64("00000000-0000-0000-0000-000000000000:"), "identitytoken": "idt"}
    write(tmp_path / ".docker/config.json", {"auths": {"r.example": entry}})
    found = find(tmp_path, "r.example")
    assert found is not None
    assert (found.identity_token, found.basic) == ("idt", "")


def test_a_helper_is_asked_for_the_host(tmp_path: Path) -> None:
    """CredHelpers beats credsStore; the server goes in on standard input; Docker Hub has its own key."""
    path = helper(tmp_path / "bin", "one", 'read -r s || true; printf \'{"Username":"one","Secret":"%s"}\' "$s"')
    helper(tmp_path / "bin", "two", 'read -r s || true; printf \'{"Username":"<token>","Secret":"%s"}\' "$s"')
    write(tmp_path / ".docker/config.json", {"credHelpers": {"r.example": "one"}, "credsStore": "two"})
    environ = {"PATH": f"{path}:/bin:/usr/bin"}
    assert user(find(tmp_path, "r.example", **environ)) == ("one", "r.example")
    hub = find(tmp_path, "docker.io", **environ)
    assert hub is not None
    assert hub.identity_token == "https://index.docker.io/v1/"


def test_a_helper_that_knows_nothing_leaves_it_to_the_file(tmp_path: Path) -> None:
    """The words that Docker's helpers use mean none, and the file's own entry is used."""
    path = helper(tmp_path / "bin", "none", "cat >/dev/null; echo credentials not found in native keychain; exit 1")
    write(tmp_path / ".docker/config.json", {"credsStore": "none", **auths(r_example="file:1")})
    assert user(find(tmp_path, "r.example", PATH=f"{path}:/bin:/usr/bin")) == ("file", "1")
    assert find(tmp_path, "other.example", PATH=f"{path}:/bin:/usr/bin") is None


bad_helpers = [
    ("cat >/dev/null; echo broken >&2; exit 3", "exit code 3 \\(broken\\)"),
    ("cat >/dev/null; echo hello", "something else than JSON"),
    ('cat >/dev/null; echo \'{"Username": 1, "Secret": 2}\'', "something else than JSON"),
]


@pytest.mark.parametrize(("script", "message"), bad_helpers)
def test_a_broken_helper_is_an_error(tmp_path: Path, script: str, message: str) -> None:
    """It is not silently skipped: the run would go on with other rights than meant."""
    path = helper(tmp_path / "bin", "bad", script)
    write(tmp_path / ".docker/config.json", {"credsStore": "bad"})
    with pytest.raises(ConfigurationError, match=message) as caught:
        find(tmp_path, "r.example", PATH=f"{path}:/bin:/usr/bin")
    assert "config.json" in caught.value.remedy


@pytest.mark.parametrize("name", ["missing", "../../evil", "a b", ""])
def test_a_helper_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    """The message says which program is missing and which file wants it; a path is no helper's name."""
    write(tmp_path / ".docker/config.json", {"credHelpers": {"r.example": name}})
    with pytest.raises(ConfigurationError, match=r"not on the PATH"):
        find(tmp_path, "r.example", PATH=str(tmp_path))


bad_files = [
    "{",
    "[]",
    '{"auths": []}',
    '{"auths": {"r.example": 7}}',
    '{"auths": {"r.example": {"auth": "%%%"}}}',
    '{"auths": {"r.example": {"auth": "bm9jb2xvbg=="}}}',
    '{"credHelpers": 3}',
]


@pytest.mark.parametrize("text", bad_files)
def test_a_broken_file_is_named_with_a_remedy(tmp_path: Path, text: str) -> None:
    """Where credentials cannot be read, nothing goes on without them."""
    path = write(tmp_path / ".docker/config.json", text)
    with pytest.raises(ConfigurationError) as caught:
        find(tmp_path, "r.example")
    assert str(path) in str(caught.value) + caught.value.remedy
    assert caught.value.remedy


def test_a_broken_file_does_not_show_its_content(tmp_path: Path) -> None:
    """The parser's complaint could quote a secret."""
    write(tmp_path / ".docker/config.json", '{"auths": {"r.example": {"auth": "c2VjcmV0"}')
    with pytest.raises(ConfigurationError) as caught:
        find(tmp_path, "r.example")
    assert "c2VjcmV0" not in str(caught.value)


def test_an_auth_file_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    """REGISTRY_AUTH_FILE is meant; its absence is a mistake."""
    with pytest.raises(ConfigurationError, match="REGISTRY_AUTH_FILE"):
        find(tmp_path, "r.example", REGISTRY_AUTH_FILE=str(tmp_path / "none.json"))


def test_empty_files_and_entries_are_no_credentials(tmp_path: Path) -> None:
    """Docker logout leaves such things behind."""
    write(tmp_path / ".docker/config.json", "")
    write(tmp_path / ".config/containers/auth.json", {"auths": {"r.example": {}}})
    assert find(tmp_path, "r.example") is None
