"""Amazon SageMaker: the images of models, of endpoints with their digests, and of training and processing that runs.

Shapes: botocore's model of SageMaker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from tagsweep.model.errors import RegistryError
from tagsweep.sources.cloud.awsapi import AwsApi
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.images import image_in_use
from tagsweep.sources.jsonapi import dig, objects_at, text_at
from tagsweep.sources.syntaxes.findings import Finding

_RUNNING: Final = "InProgress"
_ABSENT: Final = ("Could not find", "does not exist", "not found")


def in_description(thing: Mapping[str, Any], *, note: str = "") -> Iterator[Finding]:
    """Yield the images of a model, endpoint, training job or processing job as its Describe operation answers it."""
    containers = (dig(thing, "PrimaryContainer"), *objects_at(thing, "Containers"))
    for container in containers:
        at = f"container {text_at(container, 'ContainerHostname')}".strip()
        yield from image_in_use(text_at(container, "Image"), at=at, note=note)
    for container in objects_at(thing, "InferenceSpecification", "Containers"):
        yield from image_in_use(
            text_at(container, "Image"), digest=text_at(container, "ImageDigest"), at="model package", note=note
        )
    yield from image_in_use(text_at(thing, "AlgorithmSpecification", "TrainingImage"), at="training image", note=note)
    yield from image_in_use(text_at(thing, "AppSpecification", "ImageUri"), at="processing image", note=note)
    for key in ("ProductionVariants", "ShadowProductionVariants"):
        for variant in objects_at(thing, key):
            for image in objects_at(variant, "DeployedImages"):
                yield from image_in_use(
                    text_at(image, "SpecifiedImage") or text_at(image, "ResolvedImage"),
                    digest=text_at(image, "ResolvedImage"),
                    at=f"variant {text_at(variant, 'VariantName')}",
                    note=note,
                )


class _Kind(NamedTuple):
    """One kind of thing: how it is listed and described."""

    noun: str
    listing: str
    key: str
    describing: str
    name: str
    status: str = ""
    """The only status that matters, or empty where all do."""


_KINDS: Final = (
    _Kind("model", "ListModels", "Models", "DescribeModel", "ModelName"),
    _Kind("endpoint", "ListEndpoints", "Endpoints", "DescribeEndpoint", "EndpointName"),
    _Kind(
        "training job", "ListTrainingJobs", "TrainingJobSummaries", "DescribeTrainingJob", "TrainingJobName", _RUNNING
    ),
    _Kind(
        "processing job",
        "ListProcessingJobs",
        "ProcessingJobSummaries",
        "DescribeProcessingJob",
        "ProcessingJobName",
        _RUNNING,
    ),
)


def read(api: AwsApi, found: Gathering) -> None:
    """Add what SageMaker in one region uses; what cannot be seen is a gap."""
    for kind in _KINDS:
        names: list[str] = []
        with found.trying():
            only = {"StatusEquals": kind.status} if kind.status else {}
            names.extend(text_at(entry, kind.name) for entry in api.many(kind.listing, kind.key, **only))
        for name, described in found.each(partial(_describe, api, kind), names):
            for each in (described, *_packages(api, described, found)):
                found.add(
                    in_description(each, note="running" if kind.status else ""),
                    where=f"{api.place} {kind.noun} {name}",
                    path=f"{api.region}/sagemaker/{name}",
                    runs=False,
                )


def _describe(api: AwsApi, kind: _Kind, name: str) -> Mapping[str, Any]:
    try:
        return api.call(kind.describing, **{kind.name: name})
    except RegistryError as error:
        if error.code == "ValidationException" and any(words in str(error) for words in _ABSENT):
            return {}  # deleted since it was listed; SageMaker has no code for that
        raise


def _packages(api: AwsApi, described: Mapping[str, Any], found: Gathering) -> Iterator[Mapping[str, Any]]:
    """Yield the model packages that a model is made of: its image is only named there."""
    for container in (dig(described, "PrimaryContainer"), *objects_at(described, "Containers")):
        package = text_at(container, "ModelPackageName")
        if package and not text_at(container, "Image"):
            with found.trying():
                yield api.call("DescribeModelPackage", ModelPackageName=package)
