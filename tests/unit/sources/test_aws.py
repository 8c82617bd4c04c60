"""The aws source by the documented shapes: digests, service revisions, and what moto's server has not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.usage import UsageReport
from tagsweep.sources.aws import AwsSource
from tagsweep.sources.cloud.awsbatch import in_definition
from tagsweep.sources.syntaxes.findings import Finding, Found
from tagsweep.testing.source_suite import NOW, SECRET, digest, source_context, source_settings
from tests.unit.sources.aws_server import Answer, AwsRefusal, AwsServer

ARN = "arn:aws:ecs:eu-west-1:1"
APP = "registry.example/app"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put credentials into the environment, and let AWS read no files but the one that this returns."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": f"token-{SECRET}",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    return config


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore read its models of the services once, not once for each session: most of a test's time."""
    create: Any = import_module("botocore.loaders").create_loader
    monkeypatch.setattr("botocore.session.create_loader", _loader(create))


@cache
def _loader(create: Any) -> Any:
    """Return what makes a loader for a session: the same for all that look in the same places."""
    return cache(create)


def _report(answers: Mapping[str, Answer], *services: str) -> UsageReport:
    with AwsServer(answers) as server:
        settings = source_settings("aws", regions="eu-west-1", services=list(services), endpoint_url=server.url)
        report = AwsSource.configure(settings, context=source_context()).collect(NOW)
    assert SECRET not in repr(report)
    return report


def _lines(report: UsageReport) -> list[str]:
    return [f"{usage.where} = {usage.reference} ({usage.note})" for usage in report.usages]


def _revision(number: int) -> str:
    return f"{ARN}:service-revision/prod/api/{number}"


def ecs(**more: Answer) -> dict[str, Answer]:
    """Return a cluster with one service of two deployments and one running task."""
    definition = f"{ARN}:task-definition/api:7"
    task = {
        "taskArn": f"{ARN}:task/prod/0a1b",
        "group": "service:api",
        "taskDefinitionArn": definition,
        "containers": [
            {"name": "api", "image": f"{APP}:v7", "imageDigest": digest(7)},
            {"name": "proxy", "image": f"registry.example/proxy@{digest(1)}", "imageDigest": digest(2)},
        ],
    }
    service = {
        "serviceName": "api",
        "serviceArn": f"{ARN}:service/prod/api",
        "taskDefinition": definition,
        "deployments": [{"taskDefinition": definition}],
        "currentServiceRevisions": [{"arn": _revision(2), "runningTaskCount": 1}],
    }

    def revision(number: int) -> dict[str, Any]:
        images = [{"containerName": "api", "image": f"{APP}:v{number}", "imageDigest": digest(number)}]
        return {"serviceRevisionArn": _revision(number), "taskDefinition": definition, "containerImages": images}

    return {
        "ListClusters": lambda _: {"clusterArns": [f"{ARN}:cluster/prod"]},
        "ListTasks": lambda _: {"taskArns": [task["taskArn"]]},
        "DescribeTasks": lambda _: {"tasks": [task], "failures": []},
        "ListServices": lambda _: {"serviceArns": [service["serviceArn"]]},
        "DescribeServices": lambda _: {"services": [service], "failures": []},
        "ListServiceDeployments": lambda _: {
            "serviceDeployments": [{"targetServiceRevisionArn": _revision(number)} for number in (2, 1)]
        },
        "DescribeServiceRevisions": lambda asked: {
            "serviceRevisions": [revision(int(arn[-1])) for arn in asked["serviceRevisionArns"]]
        },
        "ListTaskDefinitions": lambda _: {"taskDefinitionArns": []},
        "DescribeTaskDefinition": lambda _: {
            "taskDefinition": {"containerDefinitions": [{"name": "api", "image": f"{APP}:v7"}]}
        },
        **more,
    }


def test_digests_of_tasks_and_service_revisions() -> None:
    """A tag comes with the digest that ECS found, an index beside its platform, and rollback targets by digest."""
    report = _report(ecs(), "ecs")
    used = "running in prod/service:api; used by prod/service:api"
    revisions = "current service revision of prod/service:api; rollback target of prod/service:api"
    assert _lines(report) == [
        f"eu-west-1 ecs prod/service:api, container api = {APP}:v1@{digest(1)} (rollback target)",
        f"eu-west-1 ecs prod/service:api, container api = {APP}:v2@{digest(2)} (current service revision)",
        f"eu-west-1 ecs prod/service:api, container api = {APP}:v7@{digest(7)} (running task)",
        f"eu-west-1 ecs prod/service:api, container proxy = registry.example/proxy@{digest(1)} (running task)",
        f"eu-west-1 ecs prod/service:api, container proxy = registry.example/proxy@{digest(2)} (running task)",
        f"eu-west-1 ecs task definition api:7, container api = {APP}:v7 ({used}; {revisions})",
    ]
    assert report.coverage.complete, report.coverage.gaps


@pytest.mark.parametrize("operation", sorted(ecs()))
def test_each_refused_operation_is_a_gap(operation: str) -> None:
    """Whichever operation is refused, the coverage is partial and the gap names the action to allow."""
    report = _report(ecs(**{operation: lambda _: AwsRefusal("AccessDeniedException")}), "ecs")
    assert any(f"allow ecs:{operation} to" in gap for gap in report.coverage.gaps), report.coverage.gaps


@pytest.mark.parametrize("operation", sorted(ecs()))
@pytest.mark.parametrize("body", ["{}", "<html>log in to this network</html>", "[]", "null", '"text"', ""])
def test_an_answer_of_something_else_is_no_empty_one(operation: str, body: str) -> None:
    """A proxy's page or an empty object in place of an answer makes the coverage partial, never an empty list."""
    assert not _report(ecs(**{operation: lambda _: body}), "ecs").coverage.complete


def _failing(reason: str) -> Answer:
    return lambda _: {"tasks": [], "failures": [{"arn": f"{ARN}:task/prod/0a1b", "reason": reason}]}


def test_what_ended_meanwhile_is_no_gap_and_what_failed_is() -> None:
    """A task that is MISSING has ended since it was listed; any other failure of ECS is a gap with its reason."""
    for reason, complete in (("MISSING", True), ("ACCESS_DENIED", False)):
        report = _report(ecs(DescribeTasks=_failing(reason)), "ecs")
        assert report.coverage.complete is complete
        assert complete or "ACCESS_DENIED" in report.coverage.gaps[0]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (AwsRefusal("ThrottlingException", message="Rate exceeded"), "AWS_MAX_ATTEMPTS"),
        (AwsRefusal("ExpiredTokenException", status=403, message=SECRET), "aws sts get-caller-identity"),
        (AwsRefusal("UnrecognizedClientException"), "aws sts get-caller-identity"),
        (AwsRefusal("ServerException", status=500), "run it again later"),
        (AwsRefusal("ValidationException", message="of the wrong kind"), "of the wrong kind"),
    ],
)
def test_each_kind_of_failure_has_its_remedy(refusal: AwsRefusal, words: str) -> None:
    """Throttling, expired credentials and faults of AWS are told apart by what helps."""
    answers: dict[str, Answer] = {
        "POST /v1/describejobdefinitions": lambda _: refusal,
        "POST /v1/describejobqueues": lambda _: {"jobQueues": []},
    }
    (gap,) = _report(answers, "batch").coverage.gaps
    assert gap.startswith("eu-west-1 batch: DescribeJobDefinitions ")
    assert words in gap


def test_no_more_is_asked_after_many_refusals() -> None:
    """Of a thousand task definitions that may not be described only a few are tried, and the coverage is partial."""
    arns = [f"{ARN}:task-definition/api:{number}" for number in range(1, 1001)]
    answers = ecs(
        ListClusters=lambda _: {"clusterArns": []},
        ListTaskDefinitions=lambda _: {"taskDefinitionArns": arns},
        DescribeTaskDefinition=lambda _: AwsRefusal("AccessDeniedException"),
    )
    with AwsServer(answers) as server:
        settings = source_settings("aws", regions=["eu-west-1"], services=["ecs"], endpoint_url=server.url)
        report = AwsSource.configure(settings, context=source_context()).collect(NOW)
    assert not report.coverage.complete
    assert server.asked.count("DescribeTaskDefinition") < 100


def test_app_runner() -> None:
    """A paused service's image comes out with its state; a service that is built from source has none."""
    services = {
        "a": {"Status": "PAUSED", "SourceConfiguration": {"ImageRepository": {"ImageIdentifier": f"{APP}:v1"}}},
        "b": {"Status": "RUNNING", "SourceConfiguration": {"CodeRepository": {"RepositoryUrl": "https://x"}}},
        "c": {"Status": "RUNNING"},
    }
    pages = {
        "": {"ServiceSummaryList": [{"ServiceName": "a", "ServiceArn": "a"}], "NextToken": "2"},
        "2": {"ServiceSummaryList": [{"ServiceName": name, "ServiceArn": name} for name in "bc"]},
    }
    report = _report(
        {
            "ListServices": lambda asked: pages[asked.get("NextToken", "")],
            "DescribeService": lambda asked: {"Service": services[asked["ServiceArn"]]},
        },
        "apprunner",
    )
    assert _lines(report) == [f"eu-west-1 apprunner service a = {APP}:v1 (paused)"]
    assert report.coverage.gaps == ("eu-west-1 apprunner: the service c does not say of what it is made",)


def test_a_listing_that_repeats_itself_is_a_gap() -> None:
    """The same token twice is a listing without end, which is left and told."""
    report = _report({"ListServices": lambda _: {"ServiceSummaryList": [], "NextToken": "again"}}, "apprunner")
    assert "repeats itself" in report.coverage.gaps[0]


def test_sagemaker() -> None:
    """Models, their packages, endpoints by digest and jobs that run come out."""
    model = {"PrimaryContainer": {"Image": f"{APP}:model"}, "Containers": [{"ModelPackageName": "packed"}]}
    package = {"InferenceSpecification": {"Containers": [{"Image": f"{APP}:packed", "ImageDigest": digest(3)}]}}
    image = {"SpecifiedImage": f"{APP}:served", "ResolvedImage": f"{APP}@{digest(4)}"}
    report = _report(
        {
            "ListModels": lambda _: {"Models": [{"ModelName": "m"}]},
            "DescribeModel": lambda _: model,
            "DescribeModelPackage": lambda _: package,
            "ListEndpoints": lambda _: {"Endpoints": [{"EndpointName": "e"}]},
            "DescribeEndpoint": lambda _: {"ProductionVariants": [{"VariantName": "all", "DeployedImages": [image]}]},
            "ListTrainingJobs": lambda asked: {
                "TrainingJobSummaries": [{"TrainingJobName": f"t-{asked['StatusEquals']}"}]
            },
            "DescribeTrainingJob": lambda _: {"AlgorithmSpecification": {"TrainingImage": f"{APP}:train"}},
            "ListProcessingJobs": lambda _: {"ProcessingJobSummaries": [{"ProcessingJobName": "p"}]},
            "DescribeProcessingJob": lambda _: {"AppSpecification": {"ImageUri": f"{APP}:process"}},
        },
        "sagemaker",
    )
    assert _lines(report) == [
        f"eu-west-1 sagemaker endpoint e, variant all = {APP}:served@{digest(4)} ()",
        f"eu-west-1 sagemaker model m, container = {APP}:model ()",
        f"eu-west-1 sagemaker model m, model package = {APP}:packed@{digest(3)} ()",
        f"eu-west-1 sagemaker processing job p, processing image = {APP}:process (running)",
        f"eu-west-1 sagemaker training job t-InProgress, training image = {APP}:train (running)",
    ]
    assert report.coverage.complete


def test_codebuild() -> None:
    """A project's image and its inline build specification come out; AWS's own images do not."""
    spec = f"version: 0.2\nphases:\n  build:\n    commands:\n      - docker pull {APP}:built\n"
    projects = [
        {"name": "a", "environment": {"image": f"{APP}:builder"}, "source": {"buildspec": spec}},
        {"name": "b", "environment": {"image": "aws/codebuild/standard:7.0"}, "source": {"buildspec": "ci/spec.yml"}},
    ]
    report = _report(
        {
            "ListProjects": lambda _: {"projects": ["a", "b", "c"]},
            "BatchGetProjects": lambda _: {"projects": projects, "projectsNotFound": ["c"]},
        },
        "codebuild",
    )
    assert [str(usage.reference) for usage in report.usages] == [f"{APP}:builder", f"{APP}:built"]
    assert report.coverage.complete


def test_batch_jobs_that_wait_or_run() -> None:
    """A job that has not ended is in use with what it was submitted with, whatever its definition says now."""

    def listed(asked: Mapping[str, Any]) -> Any:
        return {"jobSummaryList": [{"jobId": "1"}] if asked["jobStatus"] == "RUNNABLE" else []}

    job = {"jobName": "night", "status": "RUNNABLE", "container": {"image": f"{APP}:old"}}
    report = _report(
        {
            "POST /v1/describejobdefinitions": lambda _: {"jobDefinitions": []},
            "POST /v1/describejobqueues": lambda _: {"jobQueues": [{"jobQueueArn": "arn:aws:batch:::job-queue/q"}]},
            "POST /v1/listjobs": listed,
            "POST /v1/describejobs": lambda _: {"jobs": [job]},
        },
        "batch",
    )
    assert _lines(report) == [f"eu-west-1 batch job q/night, container = {APP}:old (job runnable)"]
    assert report.coverage.complete, report.coverage.gaps


def test_every_form_of_a_job_definition() -> None:
    """Images of one container, of ECS tasks, of an EKS pod and of several nodes come out, each at its place."""
    definition = {
        "containerProperties": {"image": f"{APP}:1"},
        "ecsProperties": {"taskProperties": [{"containers": [{"name": "a", "image": f"{APP}:2"}]}]},
        "eksProperties": {
            "podProperties": {
                "initContainers": [{"name": "b", "image": f"{APP}:3"}],
                "containers": [{"name": "c", "image": f"{APP}:4"}],
            }
        },
        "nodeProperties": {
            "nodeRangeProperties": [
                {"targetNodes": "0:", "container": {"image": f"{APP}:5"}},
                {"targetNodes": "1:", "ecsProperties": {"taskProperties": [{"containers": [{"image": f"{APP}:6"}]}]}},
            ]
        },
    }
    assert [_short(finding) for finding in in_definition(definition, note="x")] == [
        ("1", "container"),
        ("2", "container a"),
        ("3", "init container b"),
        ("4", "container c"),
        ("5", "nodes 0:, container"),
        ("6", "nodes 1:, container"),
    ]


def _short(finding: Finding) -> tuple[str | None, str]:
    assert isinstance(finding, Found)
    return finding.reference.tag, finding.at


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"services": ["ecs", "eks"]}, "services names 'eks'"),
        ({"regions": []}, "regions"),
        ({"regions": "eu-west-1", "region": "x"}, "unknown option 'region'"),
        ({"regions": "eu-west-1", "profile": "absent"}, "profile"),
        ({"regions": "eu-west-1", "endpoint_url": "http://aws.example"}, "endpoint_url"),
        ({"regions": "eu-west-1", "endpoint_url": f"https://user:{SECRET}@aws.example"}, "endpoint_url"),
        ({}, "no region is named"),
    ],
)
def test_wrong_options_are_told(options: dict[str, object], words: str) -> None:
    """An option that cannot be used is a configuration error that names it without its secrets."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        AwsSource.configure(source_settings("aws", **options), context=source_context())
    assert SECRET not in f"{caught.value} {caught.value.remedy}"


def test_region_and_profile_come_from_the_chain(credentials: Path) -> None:
    """Without regions it is the region of the profile, as for the aws command."""
    credentials.write_text("[profile deploy]\nregion = ap-south-1\n", encoding="utf-8")
    source = AwsSource.configure(source_settings("aws", profile="deploy"), context=source_context())
    assert source.access.regions == ("ap-south-1",)


def test_no_credentials_are_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the chain finds no credentials the report says so, once for each service, and is not complete."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    gaps = _report({}, "lambda").coverage.gaps
    assert [gap.partition(" (")[0] for gap in gaps] == ["eu-west-1 lambda: ListFunctions has no credentials"]


def test_an_endpoint_that_does_not_answer_is_a_gap() -> None:
    """A closed port is a gap that speaks of the network."""
    with AwsServer({}) as server:
        url = server.url
    settings = source_settings("aws", regions="eu-west-1", services="lambda", endpoint_url=url)
    (gap,) = AwsSource.configure(settings, context=source_context()).collect(NOW).coverage.gaps
    assert "check the network" in gap
