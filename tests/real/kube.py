"""A real Kubernetes API server over etcd, started for a test session: without nodes, so what is stored never runs."""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real.servers import CHECKOUT, free_port, running

PROGRAMS = ("etcd", "kube-apiserver")
REMEDY = "scripts/test_servers.sh all (needs go; the API server takes minutes to build)"
OBTAINABLE = shutil.which("go") is not None and shutil.which("apt-get") is not None
"""Whether this machine could have them, so that their absence in CI is a mistake."""
USERS = {
    "admin": "system:masters",
    "reader": "readers",
    "limited": "limited",
    "nobody": "nobodies",
}
"""Users with a static token each, and their group. Only admin has rights before a test gives some."""


def find_program(name: str) -> str | None:
    """Return the path of the program, or None."""
    places = [CHECKOUT / ".test-servers" / "bin"]
    if chosen := os.environ.get("TAGSWEEP_TEST_SERVERS"):
        places.insert(0, Path(chosen))
    for place in places:
        if os.access(place / name, os.X_OK):
            return str(place / name)
    return shutil.which(name)


def missing() -> tuple[str, ...]:
    """Return the programs that are not on this machine, openssl among them."""
    return tuple(name for name in (*PROGRAMS, "openssl") if find_program(name) is None)


def token_of(user: str) -> str:
    """Return the static token of a user."""
    return f"token-of-{user}-0123456789"


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:500]}")
        self.status = status


def until(ask: Callable[[], object]) -> None:
    """Ask again and again for at most a minute, until the answer is neither a refusal nor None."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if ask() is not None:
                return
            why = "no answer"
        except (OSError, Refusal) as error:
            why = str(error)
        if time.monotonic() > deadline:
            raise TimeoutError(why)
        time.sleep(0.05)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running API server. ``directory`` has ``ca.pem`` (the server's), ``client.crt`` and ``client.key`` of admin."""

    url: str
    etcd: str
    directory: Path
    process: subprocess.Popen[bytes]

    def ask(self, method: str, path: str, body: object = None, *, user: str = "admin") -> Any:
        """Send one request as ``user`` and return the decoded answer, or raise Refusal."""
        data = None if body is None else json.dumps(body).encode()
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method)  # noqa: S310 (a server of ours)
        request.add_header("Authorization", f"Bearer {token_of(user)}")
        request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, context=self._tls(), timeout=60) as answer:  # noqa: S310 - a server of our own
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise Refusal(error.code, error.read().decode(errors="replace")) from None

    def create(self, thing: Mapping[str, Any], plural: str, *, status: object = None) -> Any:
        """Create an object of the resource ``plural``, with a status where one is given, and return it."""
        version = str(thing["apiVersion"])
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        namespace = thing["metadata"].get("namespace")
        path = f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"
        made = self.ask("POST", path, thing)
        if status is not None:
            made = self.ask("PATCH", f"{path}/{made['metadata']['name']}/status", {"status": status})
        return made

    def store(self, key: str, things: Sequence[Mapping[str, Any]]) -> None:
        """Put objects of the resource ``key`` right into etcd, many at once; the API server understands JSON there."""
        for start in range(0, len(things), 100):
            puts = [
                {"requestPut": {"key": _base64(f"/registry/{key}/{_name(each)}"), "value": _base64(json.dumps(each))}}
                for each in things[start : start + 100]
            ]
            self._etcd("kv/txn", {"success": puts})

    def drop(self, key: str) -> None:
        """Take everything below ``key`` out of etcd at once."""
        start, end = _base64(f"/registry/{key}/"), _base64(f"/registry/{key}0")
        self._etcd("kv/deleterange", {"key": start, "range_end": end})

    def compact(self) -> None:
        """Let etcd forget every state but the last, so that no list can be continued that began before."""
        answer = self._etcd("kv/range", {"key": _base64("/registry/namespaces/default")})
        self._etcd("kv/compaction", {"revision": answer["header"]["revision"], "physical": True})

    def _etcd(self, path: str, body: object) -> Any:
        request = urllib.request.Request(f"{self.etcd}/v3/{path}", data=json.dumps(body).encode())  # noqa: S310 - a server of our own
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - a server of our own
            return json.loads(answer.read())

    def namespace(self, name: str) -> str:
        """Create a namespace and return its name."""
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "namespaces")
        return name

    def kubeconfig(self, directory: Path, user: Mapping[str, Any], **cluster: object) -> Path:
        """Write a kubeconfig with one context ``prod`` and return its path; JSON is YAML too."""
        where = {"server": self.url, "certificate-authority": str(self.directory / "ca.pem"), **cluster}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "prod",
            "contexts": [{"name": "prod", "context": {"cluster": "lab", "user": "who"}}],
            "clusters": [{"name": "lab", "cluster": {key: value for key, value in where.items() if value is not None}}],
            "users": [{"name": "who", "user": dict(user)}],
        }
        path = directory / "kubeconfig"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "ca.pem"))


@contextmanager
def serve_cluster(*extra: str) -> Iterator[Cluster]:
    """Run etcd and an API server on free ports with storage of their own; ``extra`` are more options of the latter."""
    memory = Path("/dev/shm")  # noqa: S108 - a RAM disk: etcd syncs every write
    with tempfile.TemporaryDirectory(prefix="tagsweep-", dir=memory if memory.is_dir() else None) as name:
        directory = Path(name)
        _certificates(directory)
        etcd, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        etcd_command = [
            str(find_program("etcd")), "--data-dir", str(directory / "etcd"), "--listen-client-urls", etcd,
            "--advertise-client-urls", etcd, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}", "--log-level", "error",
        ]  # fmt: skip
        with running(etcd_command, directory / "etcd.log"):
            port = free_port()
            with running(_api_server(directory, etcd, port, extra), directory / "api.log") as process:
                cluster = Cluster(url=f"https://127.0.0.1:{port}", etcd=etcd, directory=directory, process=process)
                _await(cluster)
                yield cluster


def _api_server(directory: Path, etcd: str, port: int, extra: tuple[str, ...]) -> list[str]:
    tokens = directory / "tokens.csv"
    tokens.write_text("".join(f"{token_of(user)},{user},{user},{group}\n" for user, group in USERS.items()))
    return [
        str(find_program("kube-apiserver")), "--etcd-servers", etcd, "--secure-port", str(port),
        "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
        "--tls-cert-file", str(directory / "server.crt"), "--tls-private-key-file", str(directory / "server.key"),
        "--client-ca-file", str(directory / "ca.pem"), "--token-auth-file", str(tokens),
        "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24",
        "--service-account-issuer", "https://kubernetes.default.svc",
        "--service-account-key-file", str(directory / "sa.key"),
        "--service-account-signing-key-file", str(directory / "sa.key"),
        "--disable-admission-plugins", "ServiceAccount", "--max-requests-inflight", "0", "--v", "0",
        "--feature-gates", "ImageVolume=true,ListFromCacheSnapshot=false", *extra,
    ]  # fmt: skip


def _await(cluster: Cluster) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and cluster.process.poll() is None:
        try:
            cluster.ask("GET", "/api/v1/namespaces/default")
            cluster.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin")
        except (OSError, Refusal):
            time.sleep(0.1)
        else:
            return
    log = (cluster.directory / "api.log").read_text(errors="replace")
    raise RuntimeError(f"the API server does not answer on {cluster.url}: {log[-2000:]}")


def _certificates(directory: Path) -> None:
    """Make a CA, a server's and a client's certificate, and the key of the service accounts."""
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    _openssl(directory, *new, "-x509", "-days", "2", "-subj", "/CN=lab CA", "-keyout", "ca.key", "-out", "ca.pem")
    for name, subject in (("server", "/CN=kube"), ("client", "/O=system:masters/CN=by certificate")):
        names = "subjectAltName=IP:127.0.0.1,DNS:kube.lab.example\n"
        (directory / f"{name}.ext").write_text(names, encoding="ascii")
        _openssl(directory, *new, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        _openssl(
            directory, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt",
        )  # fmt: skip
    _openssl(directory, "genrsa", "-out", "sa.key", "2048")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _name(thing: Mapping[str, Any]) -> str:
    return f"{thing['metadata']['namespace']}/{thing['metadata']['name']}"


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)
