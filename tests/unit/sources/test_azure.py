"""The azure source by the documented shapes of Azure Resource Manager, with real azure-identity."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.usage import UsageReport
from tagsweep.sources.azure import AzureSource
from tagsweep.sources.cloud.azureresources import in_site_config
from tagsweep.sources.syntaxes.findings import Found, NoReference
from tagsweep.testing.source_suite import NOW, SECRET, SourceSuite, source_context, source_settings
from tests.unit.sources.json_server import Asked, JsonServer, Reply

ONE, TWO = (f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2))
APP = "acme.azurecr.io/api"
RIGHT_VERSIONS = {
    "subscriptions": "2022-12-01",
    "Microsoft.App": "2024-03-01",
    "Microsoft.ContainerInstance": "2023-05-01",
    "Microsoft.Web": "2023-12-01",
}


def group(subscription: str = ONE) -> str:
    """Return the id of the resource group that everything is in."""
    return f"/subscriptions/{subscription}/resourceGroups/shop/providers"


def resource(of: str, name: str, *, subscription: str = ONE, properties: Any, **more: Any) -> dict[str, Any]:
    """Return a resource as its listing tells it."""
    return {"id": f"{group(subscription)}/{of}/{name}", "name": name, "properties": properties, **more}


def template(*images: str, **more: Any) -> dict[str, Any]:
    """Return the properties of something with containers."""
    return {"template": {"containers": [{"name": "main", "image": image} for image in images]}, **more}


@dataclass
class Azure:
    """Resource Manager and the endpoint of a managed identity: documents by path, two entries a page."""

    documents: dict[str, Any] = field(default_factory=dict)
    failing: dict[str, Reply] = field(default_factory=dict)
    token: Reply = field(
        default_factory=lambda: Reply(
            document={"access_token": SECRET, "expires_on": "4102444800", "resource": "x", "token_type": "Bearer"}
        )
    )
    host: str = ""
    elsewhere: str = ""

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        if asked.path == "/identity":
            return self.token
        if asked.path in self.failing:
            return self.failing[asked.path]
        if asked.headers.get("authorization") != f"Bearer {SECRET}":
            return Reply(status=401, document={"error": {"code": "AuthenticationFailed"}})
        kind = next(kind for kind in RIGHT_VERSIONS if kind.lower() in asked.path.lower().rpartition("/providers/")[2])
        if asked.query.get("api-version") != RIGHT_VERSIONS[kind]:
            return Reply(status=400, document={"error": {"code": "InvalidApiVersionParameter"}})
        document = self.documents.get(asked.path, [])
        if not isinstance(document, list):
            return Reply(document=document)
        start = int(asked.query.get("$skiptoken", "0"))
        page: dict[str, Any] = {"value": document[start : start + 2]}
        if start + 2 < len(document):
            host = self.elsewhere or f"http://{self.host}"
            page["nextLink"] = f"{host}{asked.path}?api-version={asked.query['api-version']}&%24skiptoken={start + 2}"
        return Reply(document=page)

    def add(self, listing: str, *entries: Any) -> None:
        """Add entries to a listing of the first subscription, or below a resource."""
        path = listing if listing.startswith("/") else f"/subscriptions/{ONE}/providers/{listing}"
        self.documents.setdefault(path, []).extend(entries)


class Running:
    """An Azure on a socket, and the source that asks it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.azure = Azure()
        self.server = JsonServer(self.azure.answer)
        self.azure.host = self.server.host
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{self.server.host}/identity")
        monkeypatch.setenv("IDENTITY_HEADER", SECRET)
        self.azure.documents["/subscriptions"] = [{"subscriptionId": ONE, "state": "Enabled"}]

    def source(self, **options: object) -> AzureSource:
        """Return the source with its endpoint here."""
        settings = source_settings("azure", **{"endpoint": f"http://{self.server.host}", **options})
        return AzureSource.configure(settings, context=source_context())

    def report(self, **options: object) -> UsageReport:
        """Return what the source says, after a look for secrets in it."""
        report = self.source(**options).collect(NOW)
        assert SECRET not in repr(report)
        return report


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Running]:
    """An Azure with one subscription that has nothing, and no credentials but its managed identity."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    here = Running(monkeypatch)
    yield here
    here.server.close()


class Subscription:
    """A subscription for the suite: container apps, container groups, jobs and sites in turn."""

    resolves = False

    def __init__(self, running: Running) -> None:
        self._running = running

    def plant(self, texts: Sequence[str]) -> None:
        """Put each image in use."""
        azure = self._running.azure
        for number, text in enumerate(texts):
            name = f"x{number}"
            match number % 4:
                case 0:
                    azure.add(
                        "Microsoft.App/containerApps",
                        resource("Microsoft.App/containerApps", name, properties=template(text)),
                    )
                case 1:
                    containers = [{"name": "main", "properties": {"image": text}}]
                    kind = "Microsoft.ContainerInstance/containerGroups"
                    azure.add(kind, resource(kind, name, properties={"containers": containers}))
                case 2:
                    azure.add("Microsoft.App/jobs", resource("Microsoft.App/jobs", name, properties=template(text)))
                case _:
                    site(azure, name, f"DOCKER|{text}")

    def break_it(self) -> None:
        """Refuse one listing, with words that repeat the token."""
        path = f"/subscriptions/{ONE}/providers/Microsoft.App/jobs"
        refusal = {"error": {"code": "AuthorizationFailed", "message": f"no {SECRET}"}}
        self._running.azure.failing[path] = Reply(status=403, document=refusal)

    def source(self) -> AzureSource:
        """Return the source; its token is SECRET."""
        return self._running.source()


def site(azure: Azure, name: str, runtime: str, *, below: str = "", kind: str = "app") -> None:
    """Add a site, or a slot of the site ``below``, with its runtime."""
    if below:
        full = f"{group()}/Microsoft.Web/sites/{below}/slots/{name}"
        listing = f"{group()}/Microsoft.Web/sites/{below}/slots"
        azure.add(listing, {"id": full, "name": f"{below}/{name}", "kind": kind, "properties": {}})
    else:
        full = f"{group()}/Microsoft.Web/sites/{name}"
        azure.add("Microsoft.Web/sites", resource("Microsoft.Web/sites", name, properties={}, kind=kind))
    azure.documents[f"{full}/config/web"] = {"properties": {"linuxFxVersion": runtime, "appSettings": SECRET}}


class TestSubscription(SourceSuite):
    """The suite that every source passes."""

    @pytest.fixture
    def environment(self, running: Running) -> Subscription:
        """Return an empty subscription."""
        return Subscription(running)


def _lines(report: UsageReport) -> list[str]:
    assert report.coverage.complete, report.coverage.gaps
    return [f"{usage.where} = {usage.reference} ({usage.note})" for usage in report.usages]


def test_every_revision_of_a_container_app(running: Running) -> None:
    """Revisions with traffic, without and inactive ones come out, with their init containers."""
    kind = "Microsoft.App/containerApps"
    running.azure.add(kind, resource(kind, "api", properties=template(f"{APP}:3")))
    first = template(f"{APP}:1", active=False)
    first["template"]["initContainers"] = [{"name": "up", "image": f"{APP}:0"}]
    running.azure.add(
        f"{group()}/{kind}/api/revisions",
        {"name": "api--1", "properties": first},
        {"name": "api--2", "properties": template(f"{APP}:2", active=True, trafficWeight=0)},
        {"name": "api--3", "properties": template(f"{APP}:3", active=True, trafficWeight=100)},
    )
    assert _lines(running.report()) == [
        f"container app shop/api, container main = {APP}:3 ()",
        f"container app shop/api, revision api--1, container main = {APP}:1 (inactive revision, rollback target)",
        f"container app shop/api, revision api--1, init container up = {APP}:0 (inactive revision, rollback target)",
        f"container app shop/api, revision api--2, container main = {APP}:2 (active revision)",
        f"container app shop/api, revision api--3, container main = {APP}:3 (active, 100 % of the traffic)",
    ]


def test_jobs_and_their_running_executions(running: Running) -> None:
    """A job is in use as it is defined, with its schedule as the note; an execution only until it ends."""
    kind = "Microsoft.App/jobs"
    properties = template(f"{APP}:new", configuration={"triggerType": "Schedule"})
    running.azure.add(kind, resource(kind, "nightly", properties=properties))
    running.azure.add(
        f"{group()}/{kind}/nightly/executions",
        {"name": "a", "properties": template(f"{APP}:old", status="Running")},
        {"name": "b", "properties": template(f"{APP}:ended", status="Succeeded")},
    )
    assert _lines(running.report()) == [
        f"container job shop/nightly, container main = {APP}:new (schedule job)",
        f"container job shop/nightly, execution a, container main = {APP}:old (running execution)",
    ]


def test_sites_their_slots_and_sidecars(running: Running) -> None:
    """Images of sites, of slots and of the containers beside them come out; a site of code has none."""
    site(running.azure, "web", f"DOCKER|{APP}:live")
    site(running.azure, "staging", f"DOCKER|{APP}:next", below="web")
    site(running.azure, "code", "NODE|20-lts")
    site(running.azure, "many", "sitecontainers", kind="app,linux,container")
    running.azure.add(
        f"{group()}/Microsoft.Web/sites/many/sitecontainers", {"name": "log", "properties": {"image": f"{APP}:log"}}
    )
    assert _lines(running.report()) == [
        f"app shop/many, container log = {APP}:log ()",
        f"app shop/web, linuxFxVersion = {APP}:live ()",
        f"app shop/web/staging, linuxFxVersion = {APP}:next ()",
    ]


def test_a_site_of_several_containers() -> None:
    """A Compose file in base64 is read as one; what is no base64 is told."""
    written = f"services:\n  web:\n    image: {APP}:v1\n  cache:\n    image: redis:7\n"
    runtime = f"COMPOSE|{base64.b64encode(written.encode()).decode()}"
    findings = list(in_site_config({"properties": {"linuxFxVersion": runtime}}))
    assert {str(finding.reference) for finding in findings if isinstance(finding, Found)} >= {
        f"{APP}:v1",
        "docker.io/library/redis:7",
    }
    (wrong,) = in_site_config({"properties": {"windowsFxVersion": "compose|%%%"}})
    assert isinstance(wrong, NoReference)


def test_all_subscriptions_or_those_that_are_named(running: Running) -> None:
    """Without subscriptions all that the identity sees are asked, but for deleted ones; else only those named."""
    running.azure.documents["/subscriptions"] = [
        {"subscriptionId": ONE, "state": "Enabled"},
        {"subscriptionId": TWO, "state": "Warned"},
        {"subscriptionId": "gone", "state": "Deleted"},
    ]
    kind = "Microsoft.App/jobs"
    for subscription in (ONE, TWO):
        entry = resource(kind, "job", subscription=subscription, properties=template(f"{APP}:{subscription[-1]}"))
        running.azure.add(f"/subscriptions/{subscription}/providers/{kind}", entry)
    assert len(running.report().usages) == 2
    assert [usage.reference.tag for usage in running.report(subscriptions=TWO).usages] == ["2"]


def test_an_identity_that_sees_nothing_is_a_gap(running: Running) -> None:
    """No subscription at all is no empty answer: most likely a right is missing."""
    running.azure.documents["/subscriptions"] = []
    (gap,) = running.report().coverage.gaps
    assert "the role Reader" in gap


def test_a_next_page_on_another_host_does_not_get_the_token(running: Running) -> None:
    """A nextLink to another host is not followed, and what is behind it is a gap."""
    with JsonServer(lambda _: Reply(document={"value": []})) as other:
        running.azure.elsewhere = f"http://{other.host}"
        kind = "Microsoft.App/jobs"
        running.azure.add(
            kind, *(resource(kind, f"job{number}", properties=template(f"{APP}:{number}")) for number in range(3))
        )
        (gap,) = running.report().coverage.gaps
        assert "another host" in gap
        assert other.asked == []


def test_a_kind_that_was_never_used_is_no_gap(running: Running) -> None:
    """A subscription that is not registered for a kind of resource has none of it."""
    refusal = Reply(status=409, document={"error": {"code": "MissingSubscriptionRegistration", "message": "x"}})
    running.azure.failing[f"/subscriptions/{ONE}/providers/Microsoft.App/jobs"] = refusal
    assert running.report().coverage.complete


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=403, document={"error": {"code": "AuthorizationFailed"}}), "the role Reader"),
        (Reply(status=401, document={"error": {"code": "ExpiredAuthenticationToken"}}), "az login"),
        (Reply(status=404, document={"error": {"code": "SubscriptionNotFound"}}), "SubscriptionNotFound"),
        (Reply(raw=b"<html>log in to this network</html>"), "no JSON object"),
        (Reply(document={}), "no list value"),
        (Reply(document={"value": None}), "no list value"),
        (Reply(document={"value": [{"name": "x"}]}), "x"),
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        "Microsoft.App/containerApps",
        "Microsoft.App/jobs",
        "Microsoft.ContainerInstance/containerGroups",
        "Microsoft.Web/sites",
    ],
)
def test_each_failure_is_a_gap_with_its_remedy(running: Running, kind: str, reply: Reply, words: str) -> None:
    """A refusal, a page of a proxy or a list that is none is a gap that says what helps."""
    running.azure.failing[f"/subscriptions/{ONE}/providers/{kind}"] = reply
    gaps = running.report().coverage.gaps
    assert words in gaps[0]


def test_no_token_is_a_gap_of_the_whole_source(running: Running) -> None:
    """Where the identity is refused, the report says how to sign in, and nothing that it was told."""
    running.azure.token = Reply(status=400, document={"error": "invalid_request", "error_description": SECRET})
    (gap,) = running.report().coverage.gaps
    assert "az login" in gap


def test_an_environment_that_cannot_be_is_told(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that azure-identity does not accept is a configuration error, and no traceback."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "nonsense")
    with pytest.raises(ConfigurationError, match="azure/test"):
        running.source().collect(NOW)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subscriptions": "production"}, "az account list"),
        ({"endpoint": "http://management.example"}, "endpoint"),
        ({"endpoint": f"https://user:{SECRET}@management.example"}, "endpoint"),
        ({"subscription": ONE}, "did you mean subscriptions"),
    ],
)
def test_wrong_options_are_told(options: dict[str, object], words: str) -> None:
    """An option that cannot be used is a configuration error that names it without its secrets."""
    with pytest.raises(ConfigurationError) as caught:
        AzureSource.configure(source_settings("azure", **options), context=source_context())
    told = f"{caught.value} {caught.value.remedy}"
    assert words in told
    assert SECRET not in told
