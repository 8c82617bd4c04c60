"""The aws source against moto's server: ECS, Lambda and Batch over real HTTP, with signatures and rights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tagsweep.sources.aws import AwsSource
from tagsweep.testing.source_suite import NOW, SECRET, SourceSuite, source_context, source_settings
from tests.real.moto import KEYS, PROGRAM, REGION, REMEDY, Moto, moto_server

pytestmark = pytest.mark.real

FARGATE = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
SERVICES = ["ecs", "lambda", "batch"]


@pytest.fixture(scope="module")
def server() -> Iterator[Moto]:
    """One server for this module; skipped with the reason where moto is not installed."""
    if not PROGRAM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"moto is not installed here; {REMEDY}", pytrace=False)
        pytest.skip(f"moto is not installed here; {REMEDY}")
    with moto_server() as running:
        yield running


@pytest.fixture
def moto(server: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    """An empty account, and credentials for it in the environment; no file of whoever runs the tests is read."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**KEYS, "AWS_SECRET_ACCESS_KEY": SECRET}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server.reset()
    yield server
    server.reset()


def _source(moto: Moto, **options: object) -> AwsSource:
    settings = source_settings("aws", **{"endpoint_url": moto.url, "services": SERVICES, **options})
    return AwsSource.configure(settings, context=source_context())


def _lines(source: AwsSource) -> list[str]:
    report = source.collect(NOW)
    assert report.coverage.complete, report.coverage.gaps
    return [f"{usage.where} = {usage.reference} ({usage.note})" for usage in report.usages]


def _definition(moto: Moto, family: str, *images: str, region: str = REGION) -> str:
    """Register a revision of a task definition, with a container for each image."""
    containers = [{"name": f"c{number}", "image": image, "memory": 64} for number, image in enumerate(images)]
    ecs = moto.client("ecs", region)
    answer = ecs.register_task_definition(family=family, containerDefinitions=containers)
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def _function(moto: Moto, name: str, image: str) -> None:
    role = moto.role(f"of-{name}")
    moto.client("lambda").create_function(
        FunctionName=name, PackageType="Image", Role=role, Code={"ImageUri": image}, Publish=True
    )


def _job_definition(moto: Moto, name: str, image: str) -> None:
    properties: dict[str, Any] = {"image": image, "vcpus": 1, "memory": 128, "command": ["true"]}
    moto.client("batch").register_job_definition(
        jobDefinitionName=name, type="container", containerProperties=properties
    )


class Account:
    """An account of AWS for the suite: task definitions, running tasks, functions and job definitions."""

    resolves = False

    def __init__(self, moto: Moto) -> None:
        self._moto = moto

    def plant(self, texts: Sequence[str]) -> None:
        """Put each image in use; the functions get digests, because Lambda resolves tags by itself."""
        ecs = self._moto.client("ecs")
        for number, text in enumerate(texts):
            if "@" in text and number % 2:
                _function(self._moto, f"function-{number}", text)
            elif number % 4 == 0:
                _job_definition(self._moto, f"job-{number}", text)
            else:
                arn = _definition(self._moto, f"family-{number}", text)
                ecs.create_cluster(clusterName="prod")
                ecs.run_task(cluster="prod", taskDefinition=arn, launchType="FARGATE", networkConfiguration=FARGATE)

    def break_it(self) -> None:
        """Check credentials from now on: those of the environment are nobody's."""
        self._moto.enforce_rights()

    def source(self) -> AwsSource:
        """Return the source; the secret key of the environment is SECRET."""
        return _source(self._moto)


class TestAccount(SourceSuite):
    """The suite that every source passes."""

    @pytest.fixture
    def environment(self, moto: Moto) -> Account:
        """Return an empty account."""
        return Account(moto)


def test_task_definitions_are_told_by_what_uses_them(moto: Moto) -> None:
    """Every active revision comes out: with its service, with its running task, the newest, or as a rollback target."""
    ecs = moto.client("ecs")
    ecs.create_cluster(clusterName="prod")
    arns = [_definition(moto, "api", f"registry.example/api:v{number}") for number in range(4)]
    ecs.create_service(cluster="prod", serviceName="api", taskDefinition=arns[1], desiredCount=1)
    ecs.run_task(
        cluster="prod", taskDefinition=arns[2], launchType="FARGATE", networkConfiguration=FARGATE, group="nightly"
    )
    assert _lines(_source(moto, services=["ecs"])) == [
        "eu-west-1 ecs prod/nightly, container c0 = registry.example/api:v2 (running task)",
        "eu-west-1 ecs task definition api:1, container c0 = registry.example/api:v0 (rollback target)",
        "eu-west-1 ecs task definition api:2, container c0 = registry.example/api:v1 (used by prod/service:api)",
        "eu-west-1 ecs task definition api:3, container c0 = registry.example/api:v2 (running in prod/nightly)",
        "eu-west-1 ecs task definition api:4, container c0 = registry.example/api:v3 (newest revision)",
    ]


def test_an_inactive_task_definition_counts_only_while_it_is_used(moto: Moto) -> None:
    """A deregistered revision that a service still uses is in use; one that nothing uses is not."""
    ecs = moto.client("ecs")
    ecs.create_cluster(clusterName="prod")
    used, unused = (_definition(moto, "api", f"registry.example/api:v{number}") for number in (1, 2))
    ecs.create_service(cluster="prod", serviceName="api", taskDefinition=used, desiredCount=0)
    for arn in (used, unused):
        ecs.deregister_task_definition(taskDefinition=arn)
    assert _lines(_source(moto, services=["ecs"])) == [
        "eu-west-1 ecs task definition api:1, container c0 = registry.example/api:v1 (used by prod/service:api)"
    ]


def test_every_page_is_read(moto: Moto) -> None:
    """120 revisions, more than ECS lists at once, all come out."""
    for number in range(120):
        _definition(moto, f"family-{number % 7}", f"registry.example/api:v{number}")
    report = _source(moto, services=["ecs"]).collect(NOW)
    assert {usage.reference.tag for usage in report.usages} == {f"v{number}" for number in range(120)}
    assert report.coverage.complete


def test_versions_and_aliases_of_functions(moto: Moto) -> None:
    """Every version of a function comes out with the digest that Lambda resolved, and with the aliases on it."""
    _function(moto, "resize", "registry.example/resize:v1")
    functions = moto.client("lambda")
    functions.create_alias(FunctionName="resize", Name="prod", FunctionVersion="1")
    lines = _lines(_source(moto, services=["lambda"]))
    assert [line.partition("@sha256:")[0] for line in lines] == [
        "eu-west-1 lambda function resize version $LATEST = registry.example/resize:v1",
        "eu-west-1 lambda function resize version 1 = registry.example/resize:v1",
    ]
    assert lines[0].endswith(" ()")
    assert lines[1].endswith(" (alias prod)")


def test_revisions_of_job_definitions(moto: Moto) -> None:
    """Every active revision of a job definition comes out, the older ones as rollback targets."""
    for tag in ("v1", "v2"):
        _job_definition(moto, "nightly", f"registry.example/nightly:{tag}")
    assert _lines(_source(moto, services=["batch"])) == [
        "eu-west-1 batch job definition nightly:1, container = registry.example/nightly:v1 (rollback target)",
        "eu-west-1 batch job definition nightly:2, container = registry.example/nightly:v2 (newest revision)",
    ]


def test_each_region_is_asked(moto: Moto) -> None:
    """The same family in two regions is two places; a region that is not named is not asked."""
    for region in ("eu-west-1", "us-east-1", "us-west-2"):
        _definition(moto, "api", f"registry.example/api:{region}", region=region)
    lines = _lines(_source(moto, services=["ecs"], regions=["eu-west-1", "us-east-1"]))
    assert [line.partition(" = ")[2] for line in lines] == [
        "registry.example/api:eu-west-1 (newest revision)",
        "registry.example/api:us-east-1 (newest revision)",
    ]


def test_a_missing_right_is_a_gap_that_names_it(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the rights allow is read; what they do not is a gap with service, region and the IAM action to allow."""
    _definition(moto, "api", "registry.example/api:v1")
    _function(moto, "resize", "registry.example/resize:v1")
    for name, value in moto.user("ecs:ListTaskDefinitions", "ecs:DescribeTaskDefinition").items():
        monkeypatch.setenv(name, value)
    moto.enforce_rights()
    report = _source(moto, services=["ecs", "lambda"]).collect(NOW)
    assert [str(usage.reference) for usage in report.usages] == ["registry.example/api:v1"]
    assert [(gap.partition(": ")[0], gap.partition("allow ")[2].partition(" ")[0]) for gap in report.coverage.gaps] == [
        ("eu-west-1 ecs", "ecs:ListClusters"),
        ("eu-west-1 lambda", "lambda:ListFunctions"),
    ]


def test_a_role_is_taken_on(moto: Moto) -> None:
    """With role_arn the account of the role is read, and a role that does not exist is a gap of the whole source."""
    _definition(moto, "api", "registry.example/api:v1")
    assert len(_lines(_source(moto, services=["ecs"], role_arn=moto.role(), external_id="of the suite"))) == 1
    moto.enforce_rights()
    report = _source(moto, services=["ecs"], role_arn="arn:aws:iam::123456789012:role/absent").collect(NOW)
    assert not report.usages
    (gap,) = report.coverage.gaps
    assert "AssumeRole" in gap
