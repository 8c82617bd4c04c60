"""A Docker Engine by the documented shapes of its API, on a real unix socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.unit.sources.json_server import Asked, JsonServer, Reply

MANAGER = {"NodeID": "n1", "LocalNodeState": "active", "ControlAvailable": True}
WORKER = {"NodeID": "n2", "LocalNodeState": "active", "ControlAvailable": False}


def image_id(number: int) -> str:
    """Return the id of an image, another one for each number."""
    return f"sha256:{0xC0FFEE:06x}{number:058x}"


def container(name: str, image: str, identity: str, state: str = "running", **more: Any) -> dict[str, Any]:
    """Return an entry of ``/containers/json``."""
    return {
        "Id": f"{sum(name.encode()):064x}",
        "Names": [f"/{name}"],
        "Image": image,
        "ImageID": identity,
        "Command": "serve",
        "Labels": {},
        "State": state,
        "Status": "Up 2 hours",
        "Mounts": [],
        **more,
    }


def image(identity: str, *, tags: list[str] | None = None, digests: list[str] | None = None) -> dict[str, Any]:
    """Return an entry of ``/images/json``."""
    return {"Id": identity, "ParentId": "", "RepoTags": tags, "RepoDigests": digests, "Containers": -1}


def task_template(text: str) -> dict[str, Any]:
    """Return the part of a service that says what it runs."""
    return {"ContainerSpec": {"Image": text, "Env": ["DATABASE_PASSWORD=s3cr3t-of-the-suite"]}, "Runtime": "container"}


def service(name: str, text: str, *, before: str = "", replicas: int = 2) -> dict[str, Any]:
    """Return an entry of ``/services``."""
    entry: dict[str, Any] = {
        "ID": f"id-{name}",
        "Spec": {"Name": name, "TaskTemplate": task_template(text), "Mode": {"Replicated": {"Replicas": replicas}}},
    }
    if before:
        entry["PreviousSpec"] = {"Name": name, "TaskTemplate": task_template(before)}
    return entry


@dataclass
class Engine:
    """What the engine has. ``failing`` are answers instead of the good ones, by path behind the version."""

    socket: Path
    containers: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    plugins: list[dict[str, Any]] = field(default_factory=list)
    services: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    pages: dict[str, Any] = field(default_factory=dict)
    swarm: Mapping[str, Any] = field(default_factory=lambda: {"NodeID": "", "LocalNodeState": "inactive"})
    failing: dict[str, Reply] = field(default_factory=dict)

    def serve(self, **listening: Any) -> JsonServer:
        """Return a server of it, on the socket unless ``listening`` says otherwise."""
        return JsonServer(self.answer, **(listening or {"unix": self.socket}))

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        path = asked.path.removeprefix("/v1.47")
        if path in self.failing:
            return self.failing[path]
        if path == "/version":
            return Reply(document={"Version": "28.0.1", "ApiVersion": "1.47", "Components": [{"Name": "Engine"}]})
        documents: dict[str, Any] = {
            "/info": {"Name": "host-1", "Swarm": self.swarm},
            "/containers/json": self.containers if asked.query.get("all") == "1" else [],
            "/images/json": self.images,
            "/plugins": self.plugins,
            **self.pages,
        }
        if self.swarm.get("ControlAvailable"):
            documents |= {"/services": self.services, "/tasks": self.tasks}
        if path in documents:
            return Reply(document=documents[path])
        return Reply(document={"message": "page not found"}, status=404)
