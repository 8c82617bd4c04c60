"""AWS Batch: the images of active job definitions, of every revision, and of jobs that wait or run.

Shapes: botocore's model of Batch. A job keeps what it was submitted with, whatever becomes of its definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from tagsweep.sources.cloud.awsapi import AwsApi
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.images import containers_in, image_in_use
from tagsweep.sources.jsonapi import dig, objects_at, text_at
from tagsweep.sources.syntaxes.findings import Finding

_UNFINISHED: Final = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
_JOBS_AT_ONCE: Final = 100


def in_definition(definition: Mapping[str, Any], *, note: str) -> Iterator[Finding]:
    """Yield the images of a job definition: of a container, of ECS tasks, of an EKS pod, or of several nodes."""
    yield from _in_one_node(definition, "containerProperties", note=note)
    yield from _in_nodes(definition, note=note)


def in_job(job: Mapping[str, Any], *, note: str) -> Iterator[Finding]:
    """Yield the images of a job."""
    yield from _in_one_node(job, "container", note=note)
    yield from _in_nodes(job, note=note)


def _in_nodes(thing: Mapping[str, Any], *, note: str) -> Iterator[Finding]:
    for node in objects_at(thing, "nodeProperties", "nodeRangeProperties"):
        yield from _in_one_node(node, "container", note=note, at=f"nodes {text_at(node, 'targetNodes')}")


def _in_one_node(thing: Mapping[str, Any], key: str, *, note: str, at: str = "") -> Iterator[Finding]:
    before = f"{at}, " if at else ""
    yield from image_in_use(text_at(thing, key, "image"), at=f"{before}container", note=note)
    for task in objects_at(thing, "ecsProperties", "taskProperties"):
        yield from containers_in(task, "containers", kind=f"{before}container", note=note)
    pod = dig(thing, "eksProperties", "podProperties")
    yield from containers_in(pod, "initContainers", kind=f"{before}init container", note=note)
    yield from containers_in(pod, "containers", kind=f"{before}container", note=note)


def read(api: AwsApi, found: Gathering) -> None:
    """Add what Batch in one region uses; what cannot be seen is a gap."""
    with found.trying():
        definitions = list(api.many("DescribeJobDefinitions", "jobDefinitions", status="ACTIVE"))
        newest: dict[str, int] = {}
        for definition in definitions:
            name = text_at(definition, "jobDefinitionName")
            newest[name] = max(newest.get(name, 0), _revision(definition))
        for definition in definitions:
            name, revision = text_at(definition, "jobDefinitionName"), _revision(definition)
            found.add(
                in_definition(definition, note="newest revision" if revision == newest[name] else "rollback target"),
                where=f"{api.place} job definition {name}:{revision}",
                path=f"{api.region}/batch/job-definition/{name}",
            )
    queues: list[str] = []
    with found.trying():
        queues.extend(text_at(queue, "jobQueueArn") for queue in api.many("DescribeJobQueues", "jobQueues"))
    wanted = [(queue, status) for queue in queues for status in _UNFINISHED]
    for (queue, _), jobs in found.each(lambda each: _jobs(api, *each), wanted):
        name = queue.rpartition("/")[2]
        for job in jobs:
            spot = f"{name}/{text_at(job, 'jobName')}"
            found.add(
                in_job(job, note=f"job {text_at(job, 'status').lower()}"),
                where=f"{api.place} job {spot}",
                path=f"{api.region}/batch/{spot}",
            )


def _jobs(api: AwsApi, queue: str, status: str) -> list[Mapping[str, Any]]:
    listed = api.many("ListJobs", "jobSummaryList", jobQueue=queue, jobStatus=status)
    identities = (text_at(job, "jobId") for job in listed)
    jobs: list[Mapping[str, Any]] = []
    while batch := list(islice(identities, _JOBS_AT_ONCE)):
        jobs.extend(api.many("DescribeJobs", "jobs", jobs=batch))
    return jobs


def _revision(definition: Mapping[str, Any]) -> int:
    value = dig(definition, "revision")
    return value if isinstance(value, int) else 0
