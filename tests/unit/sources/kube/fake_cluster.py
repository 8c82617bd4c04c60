"""An API server of a few lines on a real socket: discovery, lists in pages, and whatever a test wants to go wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CORE = {"pods": "Pod", "podtemplates": "PodTemplate", "replicationcontrollers": "ReplicationController"}
MORE_CORE = {"secrets": "Secret", "configmaps": "ConfigMap", "services": "Service", "events": "Event", "nodes": "Node"}


@dataclass(frozen=True)
class Answer:
    """What is sent for a path instead of the usual; the last one of a list is sent for ever."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def status(code: int, message: str) -> Answer:
    """Return a refusal in Kubernetes' own form."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return Answer(code, json.dumps(body).encode())


def answer(body: object) -> Answer:
    """Return a good answer."""
    return Answer(200, json.dumps(body).encode())


class FakeCluster:
    """``groups`` are group versions with their resources; ``lists`` the objects by the path of the list."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.groups: dict[str, dict[str, dict[str, str]]] = {
            "apps": {"v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"}}
        }
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.answers: dict[str, list[Answer]] = {}
        self.token: str | None = None
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []

    def kubeconfig(
        self, directory: Path, user: Mapping[str, Any] | None = None, *, cluster: Mapping[str, Any] | None = None
    ) -> Path:
        """Write a kubeconfig whose context ``prod`` leads here."""
        content = {
            "current-context": "prod",
            "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url, **(cluster or {})}}],
            "users": [{"name": "u", "user": dict(user or {})}],
        }
        path = directory / "kubeconfig"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [path for path, _, _ in self.requests]

    def reply(self, path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        """Return what is sent."""
        self.requests.append((path, query, headers))
        if path in self.answers:
            planned = self.answers[path]
            return planned.pop(0) if len(planned) > 1 else planned[0]
        if self.token is not None and headers.get("authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized")
        found = self._discovery(path)
        return found if found is not None else self._list(path, query)

    def _discovery(self, path: str) -> Answer | None:
        if path == "/api/v1":
            return answer(_resources({**CORE, **MORE_CORE}))
        if path == "/apis":
            groups = [
                {
                    "name": name,
                    "versions": [{"groupVersion": f"{name}/{version}", "version": version} for version in versions],
                    "preferredVersion": {"version": next(iter(versions))},
                }
                for name, versions in self.groups.items()
            ]
            return answer({"kind": "APIGroupList", "groups": groups})
        parts = path.split("/")
        if path.startswith("/apis/") and len(parts) == 4:
            versions = self.groups.get(parts[2], {})
            return answer(_resources(versions[parts[3]])) if parts[3] in versions else status(404, "not found")
        return None

    def _list(self, path: str, query: dict[str, str]) -> Answer:
        items = self.lists.get(path, [])
        start, limit = int(query.get("continue", "0")), int(query.get("limit", "500"))
        rest = start + limit < len(items)
        metadata = {"continue": str(start + limit)} if rest else {}
        return answer({"metadata": metadata, "items": items[start : start + limit]})


def _resources(resources: Mapping[str, str]) -> dict[str, Any]:
    listed = [
        {"name": plural, "kind": kind, "namespaced": plural != "nodes", "verbs": ["get", "list", "watch"]}
        for plural, kind in resources.items()
    ]
    listed.append({"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]})
    listed.append({"name": "bindings", "kind": "Binding", "namespaced": True, "verbs": ["create"]})
    return {"kind": "APIResourceList", "resources": listed}


@contextmanager
def fake_cluster() -> Iterator[FakeCluster]:
    """Serve a cluster on a free port of this machine until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = cluster.reply(parts.path, dict(parse_qsl(parts.query)), headers)
            self.send_response(sent.status)
            for name, value in {"Content-Length": str(len(sent.body)), **sent.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name that http.server has)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    cluster = FakeCluster(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
