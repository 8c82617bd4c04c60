"""What a Nomad job says about images in use. Pure: documents of the HTTP API in, findings out.

Shapes: the job specification in JSON, as ``/v1/job/:id`` answers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tagsweep.sources.jsonapi import dig, objects_at, text_at
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value, Variables

_CONTAINER_DRIVERS: Final = frozenset({"docker", "podman", "containerd", "containerd-driver"})
_NO_REGISTRY: Final = ("docker-archive:", "oci-archive:", "dir:", "oci:", "containers-storage:", "docker-daemon:")
_META: Final = "NOMAD_META_"


def in_job(job: Mapping[str, Any], *, note: str = "") -> Iterator[Finding]:
    """Yield the images of every task of ``job``, Connect's sidecars among them.

    ``note`` says how this version of the job is in use. What a job's ``meta`` says is filled in, as Nomad does; whoever
    dispatches a parameterized job may say something else.
    """
    for group in objects_at(job, "TaskGroups"):
        name = text_at(group, "Name")
        for task in objects_at(group, "Tasks"):
            at = f"group {name}, task {text_at(task, 'Name')}"
            yield from _in_task(task, at=at, note=note, variables=_variables(job, group, task))
        for service in (*objects_at(group, "Services"), *_services_of_tasks(group)):
            sidecar = dig(service, "Connect", "SidecarTask")
            at = f"group {name}, sidecar of {text_at(service, 'Name')}"
            yield from _in_task(sidecar, at=at, note=note, variables=_variables(job, group, sidecar))


def _services_of_tasks(group: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for task in objects_at(group, "Tasks"):
        yield from objects_at(task, "Services")


def _in_task(task: Any, *, at: str, note: str, variables: Variables) -> Iterator[Finding]:
    text = text_at(task, "Config", "image")
    driver = text_at(task, "Driver").lower()
    if text.startswith(_NO_REGISTRY):
        return  # a file or a store of the client's own
    # A driver that nobody knows may mean anything by image: what has the form of a reference is one.
    prose = bool(driver) and driver not in _CONTAINER_DRIVERS
    yield from read_image(text, at=at, note=note, variables=variables, prose=prose)


def _variables(job: Mapping[str, Any], group: Mapping[str, Any], task: Any) -> Variables:
    known = {
        "NOMAD_JOB_NAME": text_at(job, "Name"),
        "NOMAD_JOB_ID": text_at(job, "ID"),
        "NOMAD_GROUP_NAME": text_at(group, "Name"),
        "NOMAD_TASK_NAME": text_at(task, "Name"),
        "NOMAD_NAMESPACE": text_at(job, "Namespace"),
    }
    meta: dict[str, str] = {}
    for part in (job, group, task):  # the inner one wins
        told = dig(part, "Meta")
        for key, value in told.items() if isinstance(told, dict) else ():
            if isinstance(value, str):
                meta[key.upper()] = value
    settled = dig(job, "ParameterizedJob") is None

    def look_up(name: str) -> Value | None:
        if name.startswith(_META):
            text = meta.get(name.removeprefix(_META).upper())
            return None if not text else Value((text,), settled)
        text = known.get(name)
        return Value((text,)) if text else None

    return look_up


def state_of(job: Mapping[str, Any]) -> str:
    """Return how a job is in use where that is not simply running: stopped, periodic, parameterized."""
    words = []
    if dig(job, "Stop") is True:
        words.append("stopped job")
    if dig(job, "ParameterizedJob") is not None:
        words.append("parameterized job")
    if dig(job, "Periodic") is not None:
        words.append("periodic job")
    return ", ".join(words)
