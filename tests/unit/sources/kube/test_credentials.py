"""Credentials: tokens read again, and exec plugins that are real programs, good and bad ones."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tagsweep.model.errors import TagsweepError
from tagsweep.sources.kube.credentials import Credentials
from tagsweep.sources.kube.kubeconfig import ClusterAccess, ExecPlugin, Login
from tagsweep.testing.harness import InstantClock
from tagsweep.testing.source_suite import SECRET

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"


def credentials(login: Login, clock: InstantClock | None = None, **more: Any) -> Credentials:
    """Return credentials of a cluster with this login."""
    access = ClusterAccess(name="prod", server="https://api", login=login, ca=b"CA", **more)
    clock = clock if clock is not None else InstantClock()
    return Credentials(access, now=clock.now, environ={"PATH": "/usr/bin:/bin"}, timeout=2.0)


def program(directory: Path, script: str, **settings: Any) -> Login:
    """Return a login by a plugin that is this shell script."""
    path = directory / "plugin"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return Login(plugin=ExecPlugin(**{"command": str(path), "api_version": V1, **settings}))


def printing(status: dict[str, object] | None, version: str = V1) -> str:
    """Return a script that prints an ExecCredential."""
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    return f"cat <<'END'\n{json.dumps(answer)}\nEND"


def test_tokens_and_passwords_become_headers(tmp_path: Path) -> None:
    """A token is sent as bearer, name and password as basic, nothing as nothing; a token file is read each time."""
    assert credentials(Login(token="t")).headers() == {"Authorization": "Bearer t"}
    assert credentials(Login(username="u", password="p")).headers() == {"Authorization": "Basic dTpw"}
    assert credentials(Login()).headers() == {}
    file = tmp_path / "token"
    login = credentials(Login(token_file=str(file), token="old"))
    for token in ("one", "two"):
        file.write_text(f"{token}\n", encoding="ascii")
        assert login.headers() == {"Authorization": f"Bearer {token}"}
    file.write_text("two\r\nHost: elsewhere", encoding="ascii")
    with pytest.raises(TagsweepError, match="holds no token"):
        login.headers()


@pytest.mark.parametrize("version", [V1, V1BETA1])
def test_a_plugin_is_asked_again_when_its_credentials_expire(tmp_path: Path, version: str) -> None:
    """What a plugin printed is kept until a minute before its end, or until the server refuses it."""
    clock = InstantClock()
    until = (clock.now() + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    script = f"echo x >>{tmp_path}/runs\n{printing({'token': SECRET, 'expirationTimestamp': until}, version)}"
    login = credentials(program(tmp_path, script, api_version=version), clock)
    for _ in range(3):
        assert login.headers() == {"Authorization": f"Bearer {SECRET}"}
        assert login.identity() == (None, None)
    assert (tmp_path / "runs").read_text() == "x\n"
    clock.sleep(3590)
    login.headers()
    assert (tmp_path / "runs").read_text() == "x\nx\n"
    assert login.refused()
    login.headers()
    assert (tmp_path / "runs").read_text() == "x\nx\nx\n"
    assert SECRET not in repr(login)


def test_a_plugin_gets_what_the_protocol_promises(tmp_path: Path) -> None:
    """Arguments, its own environment, and the cluster where it wants to know it; never a terminal."""
    seen = tmp_path / "seen"
    script = f'echo "$1|$OWN|$KUBERNETES_EXEC_INFO|$(cat)" >{seen}\n{printing({"token": "t"})}'
    settings = {"args": ("an argument",), "environ": {"OWN": "x"}, "provide_cluster": True}
    login = program(tmp_path, script, **settings)
    credentials(login, server_name="inner", proxy="http://proxy", plugin_config={"region": "eu"}).headers()
    argument, own, info, stdin = seen.read_text().strip("\n").split("|")
    assert (argument, own, stdin) == ("an argument", "x", "")
    assert json.loads(info) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {
                "server": "https://api",
                "certificate-authority-data": "Q0E=",
                "tls-server-name": "inner",
                "proxy-url": "http://proxy",
                "config": {"region": "eu"},
            },
        },
    }


def test_a_plugin_can_issue_a_certificate(tmp_path: Path) -> None:
    """Certificate and key come out as PEM, and no header with them."""
    status: dict[str, object] = {"clientCertificateData": "CERT", "clientKeyData": "KEY"}
    login = credentials(program(tmp_path, printing(status)))
    assert login.identity() == (b"CERT", b"KEY")
    assert login.headers() == {}


@pytest.mark.parametrize(
    ("script", "settings", "words"),
    [
        ("echo no", {"command": "/nowhere/plugin", "install_hint": "get it at example.com"}, "is not installed"),
        (f"echo token: {SECRET} >&2; exit 3", {}, "failed with exit code 3"),
        ("echo $OWN $1 >&2; exit 3", {"environ": {"OWN": SECRET}, "args": (SECRET,)}, "REDACTED REDACTED"),
        (f"echo {SECRET}", {}, "printed no JSON"),
        ("echo '[]'", {}, "no ExecCredential"),
        (printing(None), {}, "no ExecCredential with a status"),
        (printing({"clientCertificateData": SECRET}), {}, "neither a token nor a certificate with its key"),
        (printing({"token": SECRET}, V1BETA1), {}, "answered in another version"),
        (printing({"token": SECRET, "expirationTimestamp": "soon"}), {}, "no time"),
        (printing({"token": SECRET, "expirationTimestamp": "2026-01-01T00:00:00"}), {}, "without a time zone"),
        ("echo no", {"api_version": "client.authentication.k8s.io/v1alpha1"}, "v1alpha1"),
        ("echo no", {"interactive": "Always"}, "wants a terminal"),
        ("exec sleep 30", {}, "did not end within 2 s"),
    ],
)
def test_a_plugin_that_fails_is_told_without_secrets(
    tmp_path: Path, script: str, settings: dict[str, Any], words: str
) -> None:
    """Each way to fail is one sentence, and nothing that is secret or was printed as a credential is in it."""
    with pytest.raises(TagsweepError, match=words) as caught:
        credentials(program(tmp_path, script, **settings)).headers()
    assert SECRET not in f"{caught.value!r} {caught.value.remedy} {caught.value.__cause__!r}"
    assert "context prod" in str(caught.value)


@pytest.mark.parametrize("token", ["a\nX-Evil: 1", "t\u00f6ken", "\ud800"])
def test_a_token_that_no_header_could_have_is_refused_and_not_shown(tmp_path: Path, token: str) -> None:
    """A token with a line feed or other characters is an error without it, from a kubeconfig and from a plugin."""
    for login in (Login(token=token), program(tmp_path, printing({"token": token}))):
        with pytest.raises(TagsweepError, match="characters that no token can have") as caught:
            credentials(login).headers()
        assert token not in str(caught.value)


@pytest.mark.parametrize("settings", [{"args": ("a\0b",)}, {"environ": {"A=B": "c"}}, {"environ": {"A": "\0"}}])
def test_a_plugin_that_cannot_be_started_as_written_is_an_error(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Arguments and variables that no program can be given are told with the remedy, and never end in a traceback."""
    with pytest.raises(TagsweepError, match="cannot be run") as caught:
        credentials(program(tmp_path, "exit 0", **settings)).headers()
    assert caught.value.remedy


def test_a_certificate_that_is_no_text_ends_in_no_traceback(tmp_path: Path) -> None:
    """What a plugin prints as a certificate is handed on as bytes whatever is in it."""
    login = program(tmp_path, printing({"clientCertificateData": "\ud800", "clientKeyData": "k"}))
    assert credentials(login).identity() == (b"?", b"k")
