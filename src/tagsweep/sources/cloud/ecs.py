"""Amazon ECS: what runs in every cluster, and what can be started again from a task definition.

Shapes: botocore's model of ECS. Three kinds of evidence: the digest of each container of a running task; the digests
of the service revisions that a service runs or can be rolled back to; the images of task definitions, of every ACTIVE
revision, because a service can be set back to any of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from tagsweep.model.errors import NotFound, ProtocolViolation
from tagsweep.sources.cloud.awsapi import AwsApi
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.images import containers_in
from tagsweep.sources.jsonapi import objects_at, text_at
from tagsweep.sources.syntaxes.findings import Finding

_TASKS_AT_ONCE: Final = 100
_SERVICES_AT_ONCE: Final = 10
_REVISIONS_AT_ONCE: Final = 20
_GONE: Final = "MISSING"

Notes = dict[str, dict[str, None]]
"""Task definitions by ARN, each with what uses it."""


def in_task(task: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the image of each container of a task, with the digest that it runs."""
    return containers_in(task, "containers", note="running task")


def in_definition(definition: Mapping[str, Any], *, note: str) -> Iterator[Finding]:
    """Yield the image of each container of a task definition."""
    return containers_in(definition, "containerDefinitions", note=note)


def in_service_revision(revision: Mapping[str, Any], *, note: str) -> Iterator[Finding]:
    """Yield the images of a service revision, with the digests that were found when it was deployed."""
    listed = [{**image, "name": text_at(image, "containerName")} for image in objects_at(revision, "containerImages")]
    return containers_in({"containers": listed}, "containers", note=note)


def read(api: AwsApi, found: Gathering) -> None:
    """Add what ECS in one region uses; what cannot be seen is a gap."""
    used: Notes = {}
    with found.trying():
        for cluster in api.many("ListClusters", "clusterArns"):
            with found.trying():
                _read_tasks(api, cluster, found, used)
            with found.trying():
                _read_services(api, cluster, found, used)
    with found.trying():
        active = list(api.many("ListTaskDefinitions", "taskDefinitionArns", status="ACTIVE"))
        for arn, note in _notes_of_active(active).items():
            used.setdefault(arn, {note: None})
    _read_definitions(api, found, used)


def _read_tasks(api: AwsApi, cluster: str, found: Gathering, used: Notes) -> None:
    arns = api.many("ListTasks", "taskArns", cluster=cluster, desiredStatus="RUNNING")
    for batch in _batches(arns, _TASKS_AT_ONCE):
        for task in _described(api, "DescribeTasks", "tasks", len(batch), cluster=cluster, tasks=batch):
            name = text_at(task, "group") or f"task:{_last(text_at(task, 'taskArn'))}"
            spot = f"{_last(cluster)}/{name}"
            used.setdefault(text_at(task, "taskDefinitionArn"), {}).setdefault(f"running in {spot}")
            found.add(in_task(task), where=f"{api.place} {spot}", path=f"{api.region}/ecs/{spot}")


def _read_services(api: AwsApi, cluster: str, found: Gathering, used: Notes) -> None:
    revisions: dict[str, tuple[str, str]] = {}
    with_history: list[tuple[str, str]] = []
    for batch in _batches(api.many("ListServices", "serviceArns", cluster=cluster), _SERVICES_AT_ONCE):
        for service in _described(api, "DescribeServices", "services", len(batch), cluster=cluster, services=batch):
            spot = f"{_last(cluster)}/service:{text_at(service, 'serviceName')}"
            found.examined += 1
            parts = (service, *objects_at(service, "deployments"), *objects_at(service, "taskSets"))
            for part in parts:
                used.setdefault(text_at(part, "taskDefinition"), {}).setdefault(f"used by {spot}")
            current = [text_at(revision, "arn") for revision in objects_at(service, "currentServiceRevisions")]
            revisions |= dict.fromkeys(current, (spot, "current service revision"))
            if current:  # only services that ECS itself deploys have revisions
                with_history.append((text_at(service, "serviceArn"), spot))
    for (_, spot), arns in found.each(lambda service: _earlier(api, cluster, service[0]), with_history):
        for arn in arns:
            revisions.setdefault(arn, (spot, "rollback target"))
    for batch in _batches((arn for arn in revisions if arn), _REVISIONS_AT_ONCE):
        with found.trying():
            for revision in _described(
                api, "DescribeServiceRevisions", "serviceRevisions", len(batch), serviceRevisionArns=batch
            ):
                spot, note = revisions.get(text_at(revision, "serviceRevisionArn"), (_last(cluster), ""))
                used.setdefault(text_at(revision, "taskDefinition"), {}).setdefault(f"{note} of {spot}")
                found.add(
                    in_service_revision(revision, note=note),
                    where=f"{api.place} {spot}",
                    path=f"{api.region}/ecs/{spot}",
                )


def _earlier(api: AwsApi, cluster: str, service: str) -> tuple[str, ...]:
    """Return the revisions that earlier deployments of a service led to, of the 90 days that ECS remembers."""
    deployments = api.many("ListServiceDeployments", "serviceDeployments", cluster=cluster, service=service)
    return tuple(text_at(deployment, "targetServiceRevisionArn") for deployment in deployments)


def _notes_of_active(arns: Sequence[str]) -> dict[str, str]:
    newest: dict[str, int] = {}
    for arn in arns:
        family, number = _revision(arn)
        newest[family] = max(number, newest.get(family, 0))
    return {
        arn: "newest revision" if _revision(arn)[1] == newest[_revision(arn)[0]] else "rollback target" for arn in arns
    }


def _read_definitions(api: AwsApi, found: Gathering, used: Notes) -> None:
    def describe(arn: str) -> Any:
        try:
            return api.call("DescribeTaskDefinition", taskDefinition=arn).get("taskDefinition") or {}
        except NotFound:
            return None  # deleted since it was listed, which nothing that runs can be

    for arn, definition in found.each(describe, sorted(arn for arn in used if arn)):
        if definition is None:
            continue
        name = _last(arn)
        found.add(
            in_definition(definition, note="; ".join(used[arn])),
            where=f"{api.place} task definition {name}",
            path=f"{api.region}/ecs/task-definition/{name}",
        )


def _described(api: AwsApi, operation: str, key: str, wanted: int, **arguments: Any) -> tuple[dict[str, Any], ...]:
    """Return what ECS describes. Raises where it is silent about something, or has another reason than its end."""
    answer = api.call(operation, **arguments)
    things, failures = objects_at(answer, key), objects_at(answer, "failures")
    for failure in failures:
        if text_at(failure, "reason") != _GONE:
            raise ProtocolViolation(
                f"{api.place}: {operation} fails for {_last(text_at(failure, 'arn'))}: {text_at(failure, 'reason')}",
                remedy="look at it in the console of ECS",
            )
    if len(things) + len(failures) < wanted:
        raise ProtocolViolation(
            f"{api.place}: {operation} tells of {len(things)} of {wanted}", remedy="check endpoint_url and the proxy"
        )
    return things


def _batches(items: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(islice(items, size)):
        yield batch


def _last(arn: str) -> str:
    return arn.rpartition("/")[2]


def _revision(arn: str) -> tuple[str, int]:
    family, _, number = arn.rpartition(":")
    return family, int(number) if number.isdecimal() else 0
