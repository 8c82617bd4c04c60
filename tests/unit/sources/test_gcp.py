"""The gcp source by the documented shapes of the Cloud Run Admin API, with real google-auth and its metadata server."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module, reload
from pathlib import Path
from typing import Any

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.usage import UsageReport
from tagsweep.sources.gcp import GcpSource
from tagsweep.testing.source_suite import NOW, SECRET, SourceSuite, digest, source_context, source_settings
from tests.unit.sources.json_server import Asked, JsonServer, Reply

APP = "europe-docker.pkg.dev/acme/apps/api"
HERE = "/v2/projects/acme/locations/europe-west1"


def container(image: str, name: str = "main") -> dict[str, Any]:
    """Return a container as the API tells it."""
    return {"name": name, "image": image, "env": [{"name": "PASSWORD", "value": SECRET}]}


@dataclass
class CloudRun:
    """Projects of Cloud Run: listings by path, two entries a page, and the metadata server that gives the token."""

    listings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failing: dict[str, Reply] = field(default_factory=dict)
    locations: tuple[str, ...] = ("europe-west1", "us-central1")
    extra: dict[str, Any] = field(default_factory=dict)
    token: Reply = field(
        default_factory=lambda: Reply(document={"access_token": SECRET, "expires_in": 3600, "token_type": "Bearer"})
    )

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.path in self.failing:
            return self.failing[asked.path]
        if not asked.path.startswith(("/v1/", "/v2/")):
            return self._metadata(asked.path)
        if asked.headers.get("authorization") != f"Bearer {SECRET}":
            return Reply(status=401, document={"error": {"code": 401, "status": "UNAUTHENTICATED"}})
        if asked.path.endswith("/locations"):
            return self._page(asked, [{"locationId": name} for name in self.locations], "locations")
        items = asked.path.rpartition("/")[2]
        old = asked.path.startswith("/v1/")
        return self._page(asked, self.listings.get(asked.path, []), "items" if old else items)

    def _page(self, asked: Asked, entries: list[dict[str, Any]], items: str) -> Reply:
        old = items == "items"
        start = int(asked.query.get("continue" if old else "pageToken", "0"))
        document: dict[str, Any] = {**self.extra}
        if entries:  # an empty list is left out
            document[items] = entries[start : start + 2]
        if start + 2 < len(entries):
            document |= {"metadata": {"continue": str(start + 2)}} if old else {"nextPageToken": str(start + 2)}
        return Reply(document=document)

    def _metadata(self, path: str) -> Reply:
        headers = {"Metadata-Flavor": "Google"}
        if path.endswith("/token"):
            return Reply(
                document=self.token.document,
                status=self.token.status,
                headers={**headers, "Content-Type": "application/json"},
                raw=self.token.raw,
            )
        if path.endswith("/project-id"):
            return Reply(raw=b"acme", headers={**headers, "Content-Type": "text/plain"})
        if path.endswith("/"):
            account = {"aliases": ["default"], "email": "sweep@acme.example", "scopes": []}
            return Reply(document=account, headers={**headers, "Content-Type": "application/json"})
        return Reply(raw=b"", headers=headers)


@pytest.fixture(autouse=True)
def environment_of_google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let google-auth find no credentials of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "GCE_", "GCLOUD_", "CLOUDSDK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def read_environment_again() -> None:
    """Let google-auth look where its metadata server is, which it does but once."""
    reload(import_module("google.auth.compute_engine._metadata"))


class Running:
    """A Cloud Run on a socket, and the source that asks it."""

    def __init__(self, cloud: CloudRun, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        self.server = JsonServer(cloud.answer)
        monkeypatch.setenv("GCE_METADATA_HOST", self.server.host)
        monkeypatch.setenv("GCE_METADATA_IP", self.server.host)
        monkeypatch.setenv("GCE_METADATA_DETECT_RETRIES", "1")
        read_environment_again()

    def source(self, **options: object) -> GcpSource:
        """Return the source with its endpoint here."""
        settings = source_settings("gcp", **{"endpoint": f"http://{self.server.host}", **options})
        return GcpSource.configure(settings, context=source_context())

    def report(self, **options: object) -> UsageReport:
        """Return what the source says, after a look for secrets in it."""
        report = self.source(**options).collect(NOW)
        assert SECRET not in repr(report)
        return report


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """An empty Cloud Run."""
    here = Running(CloudRun(), monkeypatch)
    yield here
    here.server.close()


class Project:
    """A project for the suite: services with revisions, jobs and worker pools in turn."""

    resolves = False

    def __init__(self, running: Running) -> None:
        self._running = running

    def plant(self, texts: Sequence[str]) -> None:
        """Put each image in use."""
        listings = self._running.cloud.listings
        for number, text in enumerate(texts):
            kind = ("services", "jobs", "workerPools")[number % 3]
            template: dict[str, Any] = {"containers": [container(text)]}
            thing = {
                "name": f"{HERE[4:]}/{kind}/x{number}",
                "template": {"template": template} if kind == "jobs" else template,
            }
            listings.setdefault(f"{HERE}/{kind}", []).append(thing)

    def break_it(self) -> None:
        """Refuse one listing of one location, with words that repeat the token."""
        self._running.cloud.failing[f"{HERE}/jobs"] = Reply(status=403, document={"error": {"message": SECRET}})

    def source(self) -> GcpSource:
        """Return the source; its token is SECRET."""
        return self._running.source()


class TestProject(SourceSuite):
    """The suite that every source passes."""

    @pytest.fixture
    def environment(self, running: Running) -> Project:
        """Return an empty project."""
        return Project(running)


def _lines(report: UsageReport) -> list[str]:
    return [f"{usage.where} = {usage.reference} ({usage.note})" for usage in report.usages]


def _service(running: Running) -> None:
    """Put a service with three revisions there: one has the traffic, one a tag, one nothing."""
    full = f"{HERE[4:]}/services/api"
    running.cloud.listings |= {
        f"{HERE}/services": [
            {
                "name": full,
                "template": {"containers": [container(f"{APP}:v3")]},
                "latestReadyRevision": f"{full}/revisions/api-3",
                "trafficStatuses": [
                    {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100},
                    {"revision": "api-2", "tag": "canary"},
                ],
            }
        ],
        f"{HERE}/services/-/revisions": [
            {"name": f"{full}/revisions/api-{number}", "service": full, "containers": [container(f"{APP}:v{number}")]}
            for number in (1, 2, 3)
        ],
        "/v1/projects/acme/locations/europe-west1/revisions": [
            {
                "metadata": {"name": f"api-{number}", "labels": {"serving.knative.dev/service": "api"}},
                "status": {"imageDigest": f"{APP}@{digest(number)}"},
            }
            for number in (1, 2, 3)
        ],
    }


def test_every_revision_is_in_use_by_tag_and_by_digest(running: Running) -> None:
    """Revisions with traffic, with a tag and with neither come out, each with the digest that it was resolved to."""
    _service(running)
    report = running.report()
    assert _lines(report) == [
        f"acme/europe-west1 service api, container main = {APP}:v3 ()",
        f"acme/europe-west1 service api, revision api-1, container main = {APP}:v1 (rollback target)",
        f"acme/europe-west1 service api, revision api-1, resolved digest = {APP}@{digest(1)} (rollback target)",
        f"acme/europe-west1 service api, revision api-2, container main = {APP}:v2 (tag canary)",
        f"acme/europe-west1 service api, revision api-2, resolved digest = {APP}@{digest(2)} (tag canary)",
        f"acme/europe-west1 service api, revision api-3, container main = {APP}:v3 (100 % of the traffic)",
        f"acme/europe-west1 service api, revision api-3, resolved digest = {APP}@{digest(3)} (100 % of the traffic)",
    ]
    assert report.coverage.complete


def test_digests_are_not_asked_for_where_they_are_known(running: Running) -> None:
    """Where every revision names its image by digest, the older version of the API is left alone."""
    _service(running)
    (*_, revisions) = [entries for path, entries in running.cloud.listings.items() if path.endswith("/-/revisions")]
    for number, revision in enumerate(revisions):
        revision["containers"] = [container(f"{APP}@{digest(number)}")]
    assert running.report().coverage.complete
    assert not [asked for asked in running.server.asked if asked.path.startswith("/v1/") and "revisions" in asked.path]


def test_jobs_and_their_running_executions(running: Running) -> None:
    """A job is in use as it is defined; an execution that has not ended as it was started."""
    full = f"{HERE[4:]}/jobs/nightly"
    running.cloud.listings |= {
        f"{HERE}/jobs": [{"name": full, "template": {"template": {"containers": [container(f"{APP}:new")]}}}],
        f"{HERE}/jobs/-/executions": [
            {"name": f"{full}/executions/a", "job": full, "template": {"containers": [container(f"{APP}:old")]}},
            {
                "name": f"{full}/executions/b",
                "job": full,
                "completionTime": "2026-01-01T00:00:00Z",
                "template": {"containers": [container(f"{APP}:ended")]},
            },
        ],
    }
    assert _lines(running.report()) == [
        f"acme/europe-west1 job nightly, container main = {APP}:new ()",
        f"acme/europe-west1 job nightly, execution a, container main = {APP}:old (running execution)",
    ]


def test_worker_pools_and_their_revisions(running: Running) -> None:
    """A worker pool and each of its revisions come out, the one with instances told as such."""
    full = f"{HERE[4:]}/workerPools/pool"
    running.cloud.listings |= {
        f"{HERE}/workerPools": [
            {
                "name": full,
                "template": {"containers": [container(f"{APP}:2")]},
                "instanceSplitStatuses": [{"revision": "pool-2", "percent": 100}],
            }
        ],
        f"{HERE}/workerPools/-/revisions": [
            {"name": f"{full}/revisions/pool-{number}", "containers": [container(f"{APP}:{number}")]}
            for number in (1, 2)
        ],
    }
    assert _lines(running.report())[1:] == [
        f"acme/europe-west1 worker pool pool, revision pool-1, container main = {APP}:1 (rollback target)",
        f"acme/europe-west1 worker pool pool, revision pool-2, container main = {APP}:2 (100 % of the traffic)",
    ]


def test_every_location_and_only_those_that_are_named(running: Running) -> None:
    """All locations are asked without ``locations``, and no other than the named one with it."""
    for location in ("europe-west1", "us-central1"):
        path = f"/v2/projects/acme/locations/{location}/services"
        running.cloud.listings[path] = [{"name": "x/services/a", "template": {"containers": [container(APP)]}}]
    assert len(running.report().usages) == 2
    assert len(running.report(locations=["us-central1"]).usages) == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply(status=403, document={"error": {"code": 403, "status": "PERMISSION_DENIED"}}),
            "roles/run.viewer in acme",
        ),
        (
            Reply(
                status=403,
                document={"error": {"code": 403, "details": [{"@type": "x"}, {"reason": "SERVICE_DISABLED"}]}},
            ),
            "gcloud services enable run.googleapis.com --project acme",
        ),
        (Reply(status=401, document={"error": {"code": 401}}), "sign in again"),
        (Reply(status=404, document={"error": {"code": 404, "status": "NOT_FOUND"}}), "NOT_FOUND"),
        (Reply(raw=b"<html>log in to this network</html>"), "no JSON object"),
        (Reply(raw=b"[]"), "no JSON object"),
        (Reply(document={"hello": "world"}), "no list"),
        (Reply(document={"locations": ["a"]}), "no list"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}), "302"),
        (Reply(document={"unreachable": ["asia-east1"]}), "asia-east1"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/projects/acme/locations", f"{HERE}/services"])
def test_each_failure_is_a_gap_with_its_remedy(running: Running, path: str, reply: Reply, words: str) -> None:
    """A refusal, a switched off API, a page of a proxy or a part that is left out is a gap that says what helps."""
    running.cloud.failing[path] = reply
    gaps = running.report().coverage.gaps
    assert gaps
    assert words in gaps[0]


def test_a_listing_that_repeats_itself_is_a_gap(running: Running) -> None:
    """The same page token twice is a listing without end, which is left and told."""
    running.cloud.extra["nextPageToken"] = "0"
    assert "repeats itself" in running.report().coverage.gaps[0]


def test_one_project_that_refuses_leaves_the_others(running: Running) -> None:
    """What can be read is read, and the project that cannot is a gap."""
    _service(running)
    running.cloud.failing["/v1/projects/other/locations"] = Reply(status=403, document={"error": {}})
    report = running.report(projects=["other", "acme"])
    assert len(report.usages) == 7
    assert [gap for gap in report.coverage.gaps if "other" in gap] == list(report.coverage.gaps) != []


def test_no_token_is_a_gap_of_the_whole_source(running: Running) -> None:
    """Where the metadata server refuses the token, the report says how to sign in, and nothing that it was told."""
    running.cloud.token = Reply(status=403, raw=SECRET.encode())
    (gap,) = running.report(projects="acme").coverage.gaps
    assert "gcloud auth application-default login" in gap


def test_no_credentials_at_all_are_a_gap(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where google-auth finds nothing, the report says how to sign in."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    read_environment_again()
    (gap,) = running.report(projects="acme").coverage.gaps
    assert "GOOGLE_APPLICATION_CREDENTIALS" in gap


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"projects": "../acme"}, "projects"),
        ({"projects": ["-"]}, "projects"),
        ({"locations": "EU West"}, "locations"),
        ({"endpoint": "http://run.example"}, "endpoint"),
        ({"endpoint": f"https://user:{SECRET}@run.example"}, "endpoint"),
        ({"endpoint": "https://run.example/path"}, "endpoint"),
        ({"endpoint": "https://[::1"}, "endpoint"),
        ({"project": "acme"}, "did you mean projects"),
    ],
)
def test_wrong_options_are_told(options: dict[str, object], words: str) -> None:
    """An option that cannot be used is a configuration error that names it without its secrets."""
    with pytest.raises(ConfigurationError) as caught:
        GcpSource.configure(source_settings("gcp", **options), context=source_context())
    told = f"{caught.value} {caught.value.remedy}"
    assert words in told
    assert SECRET not in told
