"""What the clouds have in common: extraction that never fails, digests beside tags, packages that may be missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.model.errors import ConfigurationError
from tagsweep.sources.cloud import apprunner, awsbatch, awslambda, azureresources, cloudrun, codebuild, ecs, sagemaker
from tagsweep.sources.cloud.extras import load
from tagsweep.sources.cloud.images import image_in_use
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.testing.source_suite import digest

Extractor = Callable[[Mapping[str, Any]], Iterable[Finding]]

EXTRACTORS: Mapping[str, Extractor] = {
    "ecs task": ecs.in_task,
    "ecs task definition": lambda thing: ecs.in_definition(thing, note=""),
    "ecs service revision": lambda thing: ecs.in_service_revision(thing, note=""),
    "lambda function": lambda thing: awslambda.in_function(thing, note=""),
    "app runner service": apprunner.in_service,
    "batch job definition": lambda thing: awsbatch.in_definition(thing, note=""),
    "batch job": lambda thing: awsbatch.in_job(thing, note=""),
    "sagemaker": sagemaker.in_description,
    "codebuild project": codebuild.in_project,
    "cloud run": cloudrun.in_template,
    "cloud run revision": cloudrun.in_old_revision,
    "container app": azureresources.in_container_app,
    "container group": azureresources.in_container_group,
    "site": azureresources.in_site_config,
    "sidecar": azureresources.in_sidecar,
}
KEYS = [
    "AlgorithmSpecification", "AppSpecification", "Code", "Containers", "DeployedImages", "Image", "ImageIdentifier",
    "ImageRepository", "ImageUri", "PrimaryContainer", "ProductionVariants", "ResolvedImage", "ResolvedImageUri",
    "SourceConfiguration", "SpecifiedImage", "Status", "TrainingImage", "buildspec", "container",
    "containerDefinitions", "containerImages", "containerProperties", "containers", "ecsProperties", "eksProperties",
    "environment", "image", "imageDigest", "initContainers", "linuxFxVersion", "name", "nodeProperties",
    "nodeRangeProperties", "podProperties", "properties", "source", "status", "taskProperties", "template",
]  # fmt: skip
TEXTS = st.sampled_from(
    ["registry.example/app:v1", f"@{digest(1)}", digest(2), "${TAG}", "COMPOSE|e30=", "DOCKER|", ""]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)


@pytest.mark.parametrize("extractor", EXTRACTORS.values(), ids=EXTRACTORS)
@settings(max_examples=40, deadline=None)
@given(thing=st.dictionaries(st.sampled_from(KEYS), DOCUMENTS, max_size=6))
def test_no_document_makes_an_extraction_fail(extractor: Extractor, thing: dict[str, Any]) -> None:
    """Whatever an API answers, extraction gives findings and no exception."""
    assert all(isinstance(finding, Found | Open | NoReference) for finding in extractor(thing))


def test_a_package_that_is_missing_is_told_with_its_remedy() -> None:
    """Who names a cloud without its extra is told how to install it."""
    with pytest.raises(ConfigurationError, match="aws/prod") as caught:
        load("botocore_that_nobody_has", extra="aws", source="aws/prod")
    assert caught.value.remedy == "pip install 'tagsweep[aws]'"


def _told(findings: Iterator[Finding]) -> list[str]:
    return [str(finding.reference) for finding in findings if isinstance(finding, Found)]


def test_a_tag_and_its_digest_are_one_reference() -> None:
    """The digest that a cloud resolved stands beside the tag; one that differs from the named one comes as well."""
    app = "registry.example/app"
    assert _told(image_in_use(f"{app}:v1", digest=digest(1))) == [f"{app}:v1@{digest(1)}"]
    assert _told(image_in_use(app, digest=f"{app}@{digest(1)}")) == [f"{app}:latest@{digest(1)}"]
    assert _told(image_in_use(f"{app}@{digest(1)}", digest=digest(1))) == [f"{app}@{digest(1)}"]
    assert _told(image_in_use(f"{app}@{digest(1)}", digest=digest(2))) == [f"{app}@{digest(1)}", f"{app}@{digest(2)}"]


def test_a_digest_that_is_none_is_told() -> None:
    """Text in place of a digest protects nothing, and is shown beside the reference that stays in use."""
    found, none = image_in_use("registry.example/app:v1", digest="sha256:short")
    assert isinstance(found, Found)
    assert isinstance(none, NoReference)
