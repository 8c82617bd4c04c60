"""kubeconfig files: merged, relative to themselves, and never quoted."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagsweep.model.errors import ConfigurationError
from tagsweep.sources.kube.kubeconfig import Kubeconfig, find_files, in_cluster
from tagsweep.testing.source_suite import SECRET

PEM = b"-----BEGIN CERTIFICATE-----\n"


def write(path: Path, *, user: object = None, cluster: object = None, **more: object) -> Path:
    """Write a kubeconfig with the context ``a``."""
    content = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster if cluster is not None else {"server": "https://one/"}}],
        "users": [{"name": "u", "user": user if user is not None else {}}],
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_first_file_that_says_something_wins(tmp_path: Path) -> None:
    """Contexts, clusters and users of several files come together; of the same name the first one counts."""
    first = write(tmp_path / "1", cluster={"server": "https://first"}, users=[])
    second = write(tmp_path / "2", cluster={"server": "https://second"}, user={"token": SECRET})
    config = Kubeconfig([first, second])
    access = config.access("a")
    assert config.current == "a"
    assert access.server == "https://first"
    assert access.login.token == SECRET
    assert SECRET not in repr(access)


def test_everything_that_leads_to_a_cluster_is_read(tmp_path: Path) -> None:
    """Certificates as files and as data, server name, proxy and the unchecked certificate come out as they are."""
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.pem").write_bytes(PEM)
    cluster = {
        "server": "https://api:6443/",
        "certificate-authority": "pki/ca.pem",
        "insecure-skip-tls-verify": True,
        "tls-server-name": "inner",
        "proxy-url": f"http://u:{SECRET}@proxy:3128",
    }
    user = {"client-certificate-data": base64.b64encode(PEM).decode(), "client-key": "pki/ca.pem", "tokenFile": "t"}
    access = Kubeconfig([write(tmp_path / "config", cluster=cluster, user=user)]).access("a")
    assert (access.server, access.ca, access.check_certificate) == ("https://api:6443", PEM, False)
    assert (access.server_name, access.proxy) == ("inner", f"http://u:{SECRET}@proxy:3128")
    assert (access.login.certificate, access.login.key) == (PEM, PEM)
    assert access.login.token_file == str(tmp_path / "t")
    assert SECRET not in repr(access)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"contexts": []}, "no context 'a'"),
        ({"clusters": []}, "its cluster 'c' is in no kubeconfig"),
        ({"users": []}, "its user 'u' is in no kubeconfig"),
        ({"cluster": {}}, "no usable server address"),
        ({"cluster": {"server": "ftp://x"}}, "no usable server address"),
        ({"cluster": {"server": "https://[::1", "tls-server-name": "x"}}, "no usable server address"),
        ({"cluster": {"server": "https://x:99999", "tls-server-name": "x"}}, "no usable server address"),
        ({"cluster": {"server": "https://"}}, "no usable server address"),
        ({"cluster": {"server": "https://x", "certificate-authority": "a\0b"}}, "it is no path"),
        ({"cluster": {"server": "https://x", "certificate-authority": "absent"}}, "absent cannot be read"),
        ({"cluster": {"server": "https://x", "certificate-authority-data": "%"}}, "is not base64"),
        ({"user": {"client-key-data": f"%{SECRET}"}}, "client-key-data is not base64"),
        ({"user": {"auth-provider": {"config": {"access-token": SECRET}}}}, "auth-provider"),
        ({"user": {"exec": {"args": [SECRET]}}}, "has no command"),
    ],
)
def test_what_cannot_be_used_is_told_without_secrets(tmp_path: Path, parts: dict[str, Any], words: str) -> None:
    """Each mistake is one sentence with a remedy, and no value of the file is in it."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        Kubeconfig([write(tmp_path / "config", **parts)]).access("a")
    assert SECRET not in f"{caught.value!r} {caught.value.remedy} {caught.value.__cause__!r}"


@pytest.mark.parametrize("text", [f"token: '{SECRET}\nx: [", "- a list", "\0", "a: &a [*a]\nb: {{{"])
def test_a_file_that_is_no_kubeconfig_is_not_quoted(tmp_path: Path, text: str) -> None:
    """Text that is no mapping in YAML is an error that names the file and quotes nothing of it."""
    (tmp_path / "config").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="the kubeconfig") as caught:
        Kubeconfig([tmp_path / "config"])
    assert SECRET not in f"{caught.value!r}"
    assert caught.value.__cause__ is None


def test_the_files_are_looked_for_as_kubectl_does(tmp_path: Path) -> None:
    """The option wins over KUBECONFIG, which may name absent files, and that over the home directory."""
    home, one = write(tmp_path / ".kube" / "config"), write(tmp_path / "one")
    environ = {"HOME": str(tmp_path)}
    assert find_files(None, environ) == (home,)
    assert find_files(None, {**environ, "KUBECONFIG": f":{tmp_path}/absent:{one}"}) == (one,)
    assert find_files(str(one), {**environ, "KUBECONFIG": str(home)}) == (one,)
    assert find_files(None, {}) == ()
    with pytest.raises(ConfigurationError, match="is not there"):
        find_files(str(tmp_path / "absent"), environ)


def test_a_pod_finds_the_cluster_around_it(tmp_path: Path) -> None:
    """With a mounted service account the address comes from the environment, IPv6 in brackets; else there is none."""
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    assert in_cluster(environ, "prod", str(tmp_path)) is None
    (tmp_path / "token").write_text(SECRET, encoding="ascii")
    (tmp_path / "ca.crt").write_bytes(PEM)
    access = in_cluster(environ, "prod", str(tmp_path))
    assert access is not None
    assert (access.name, access.server, access.ca) == ("prod", "https://[fd00::1]:6443", PEM)
    assert in_cluster({}, "prod", str(tmp_path)) is None


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(user=_values, cluster=_values, contexts=_values)
def test_no_kubeconfig_is_too_odd(tmp_path: Path, user: object, cluster: object, contexts: object) -> None:
    """Whatever stands where something is expected, the answer is an access or a configuration error."""
    for parts in ({"user": user}, {"cluster": cluster}, {"contexts": contexts}, {"users": user}, {"clusters": cluster}):
        path = write(tmp_path / "config", **parts)
        with contextlib.suppress(ConfigurationError):
            assert Kubeconfig([path]).access("a").server.startswith("https://")
