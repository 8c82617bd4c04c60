"""The nomad source: jobs with their versions and allocations, by the documented shapes of the HTTP API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.usage import UsageReport
from tagsweep.sources.nomad.extract import in_job
from tagsweep.sources.nomad.source import NomadSource
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.testing.source_suite import NOW, SECRET, SourceSuite, source_context, source_settings
from tests.unit.sources.json_server import Asked, JsonServer, Reply


def task(image: str, *, driver: str = "docker", name: str = "server") -> dict[str, Any]:
    """Return a task of a job."""
    return {"Name": name, "Driver": driver, "Config": {"image": image, "ports": ["http"]}, "Env": {"P": SECRET}}


def job(
    identity: str, *tasks: dict[str, Any], version: int = 0, namespace: str = "default", **more: Any
) -> dict[str, Any]:
    """Return a job as ``/v1/job/:id`` answers it."""
    return {
        "ID": identity,
        "Name": identity,
        "Namespace": namespace,
        "Version": version,
        "Stop": False,
        "Type": "service",
        "Periodic": None,
        "ParameterizedJob": None,
        "Meta": None,
        "TaskGroups": [{"Name": "web", "Count": 1, "Tasks": list(tasks), "Services": None, "Meta": None}],
        **more,
    }


def allocation(identity: str, of: dict[str, Any], status: str = "running") -> dict[str, Any]:
    """Return an allocation as the listing shows it."""
    return {
        "ID": identity,
        "Namespace": of["Namespace"],
        "JobID": of["ID"],
        "JobVersion": of["Version"],
        "ClientStatus": status,
        "DesiredStatus": "run",
    }


@dataclass
class Cluster:
    """What a cluster has: versions of jobs, the last one current. ``hidden`` are jobs that only allocations know."""

    jobs: list[list[dict[str, Any]]] = field(default_factory=list)
    allocations: list[dict[str, Any]] = field(default_factory=list)
    hidden: dict[str, dict[str, Any]] = field(default_factory=dict)
    regions: list[str] = field(default_factory=lambda: ["global"])
    token: Reply = field(default_factory=lambda: Reply(status=400, raw=b"ACL support disabled"))
    failing: dict[str, Reply] = field(default_factory=dict)
    page: int = 2
    server: JsonServer = field(init=False)

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        path, namespace = unquote(asked.path), asked.query.get("namespace", "default")
        for key in (path, f"{path}?{namespace}", f"{path}@{asked.query.get('region')}"):
            if key in self.failing:
                return self.failing[key]
        if path == "/v1/acl/token/self":
            return self.token
        if path in ("/v1/jobs", "/v1/allocations"):
            rows = self.allocations
            if path == "/v1/jobs":
                rows = [{"ID": versions[-1]["ID"], "Namespace": versions[-1]["Namespace"]} for versions in self.jobs]
            return self._listing(asked, [row for row in rows if namespace in ("*", row["Namespace"])])
        documents = self._documents(namespace)
        if path in documents:
            return Reply(document=documents[path])
        return Reply(status=404, raw=b"not found")

    def _documents(self, namespace: str) -> dict[str, Any]:
        documents: dict[str, Any] = {"/v1/regions": self.regions}
        for versions in self.jobs:
            if namespace == versions[-1]["Namespace"]:
                path = f"/v1/job/{versions[-1]['ID']}"
                documents[path] = versions[-1]
                documents[f"{path}/versions"] = {"Versions": versions[::-1], "Diffs": None}
        for identity, hidden in self.hidden.items():
            documents[f"/v1/allocation/{identity}"] = {"ID": identity, "Job": hidden}
        return documents

    def _listing(self, asked: Asked, rows: list[dict[str, Any]]) -> Reply:
        start = int(asked.query.get("next_token", "0"))
        more = {"X-Nomad-NextToken": str(start + self.page)} if start + self.page < len(rows) else {}
        return Reply(document=rows[start : start + self.page], headers=more)


@pytest.fixture(autouse=True)
def _no_nomad(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of whoever runs the tests out of them."""
    for name in ("ADDR", "TOKEN", "NAMESPACE", "REGION", "CACERT", "CLIENT_CERT", "CLIENT_KEY"):
        monkeypatch.delenv(f"NOMAD_{name}", raising=False)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Yield a cluster that answers."""
    cluster = Cluster()
    with JsonServer(cluster.answer) as server:
        cluster.server = server
        yield cluster


def _ask(cluster: Cluster, **options: object) -> UsageReport:
    settings = source_settings("nomad", address=f"http://{cluster.server.host}", **options)
    return NomadSource.configure(settings, context=source_context()).collect(NOW)


def _told(report: UsageReport) -> list[tuple[str, str, str]]:
    return [(str(usage.reference), usage.where, usage.note) for usage in report.usages]


class ClusterEnvironment:
    """A cluster for the suite: a current version, one before it, and a version that Nomad has forgotten, in turn."""

    resolves = True

    def __init__(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        self._cluster = cluster
        monkeypatch.setenv("NOMAD_TOKEN", SECRET)

    def plant(self, texts: Sequence[str]) -> None:
        """Use each image in another way."""
        for number, text in enumerate(texts):
            name = f"job-{number}"
            match number % 3:
                case 0:
                    self._cluster.jobs.append([job(name, task(text), namespace="prod")])
                case 1:
                    self._cluster.jobs.append([job(name, task(text)), job(name, task("acme/new:1"), version=1)])
                case _:
                    forgotten = job(name, task(text))
                    self._cluster.allocations.append(allocation(name, forgotten))
                    self._cluster.hidden[name] = forgotten

    def break_it(self) -> None:
        """Refuse the listing, with the token in the words."""
        raw = f"Permission denied: token={SECRET}".encode()
        self._cluster.failing["/v1/jobs"] = Reply(status=403, raw=raw)

    def source(self) -> NomadSource:
        """Return the source."""
        settings = source_settings("nomad", address=f"http://{self._cluster.server.host}")
        return NomadSource.configure(settings, context=source_context())


class TestSuite(SourceSuite):
    """The suite against a server of the documented API."""

    @pytest.fixture
    def environment(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> ClusterEnvironment:
        """Return the environment."""
        return ClusterEnvironment(cluster, monkeypatch)


def test_a_job_counts_with_its_versions_and_what_runs_of_them(cluster: Cluster) -> None:
    """The current version, rollback targets and what still runs of each are told, across pages and namespaces."""
    versions = [job("api", task(f"acme/api:{number}"), version=number) for number in range(3)]
    other = job("web", task("acme/web:1"), namespace="prod")
    gone = job("gone", task("acme/gone:1"), version=4)
    cluster.jobs += [versions, [other], [job("idle", task("acme/idle:1"), Stop=True)]]
    cluster.hidden["a5"] = gone
    cluster.allocations += [
        allocation("a1", versions[2]),
        allocation("a2", versions[2], "pending"),
        allocation("a3", versions[1], "unknown"),
        allocation("a4", versions[0], "complete"),
        allocation("a5", gone),
    ]
    report = _ask(cluster)
    assert _told(report) == [
        ("docker.io/acme/api:2", "global job default/api version 2, group web, task server", "2 allocations"),
        (
            "docker.io/acme/api:1",
            "global job default/api version 1, group web, task server",
            "rollback target, 1 allocation",
        ),
        ("docker.io/acme/api:0", "global job default/api version 0, group web, task server", "rollback target"),
        ("docker.io/acme/web:1", "global job prod/web version 0, group web, task server", ""),
        ("docker.io/acme/idle:1", "global job default/idle version 0, group web, task server", "stopped job"),
        (
            "docker.io/acme/gone:1",
            "global job default/gone version 4, group web, task server",
            "forgotten version, 1 allocation",
        ),
    ]
    assert report.coverage.complete
    assert (report.examined, report.unit) == (3, "jobs")
    assert SECRET not in repr(report)


def _short(findings: Iterator[Finding]) -> list[str]:
    out = []
    for finding in findings:
        match finding:
            case Found():
                out.append(f"{finding.reference} {finding.at}")
            case Open():
                out.append(f"{finding.repository}|{finding.tag_pattern} {finding.at}")
            case NoReference():
                out.append(f"!{finding.text} {finding.at}")
    return out


def test_every_task_of_every_driver_is_read() -> None:
    """Docker, podman and containerd name images; files and programs of the client do not; unknown drivers may."""
    found = in_job(
        job(
            "api",
            task("acme/api:1"),
            task("docker://ghcr.io/acme/api:2", driver="podman", name="pod"),
            task("acme/api:3", driver="containerd-driver", name="con"),
            task("docker-archive:/tmp/x.tar", driver="podman", name="file"),
            task("ACME", name="wrong"),
            task("not an image", driver="exec2", name="program"),
            task("acme/api:4", driver="nspawn", name="other"),
            {"Name": "raw", "Driver": "raw_exec", "Config": {"command": "/bin/true"}},
            {"Name": "none", "Driver": "docker", "Config": None},
        )
    )
    assert _short(found) == [
        "docker.io/acme/api:1 group web, task server",
        "ghcr.io/acme/api:2 group web, task pod",
        "docker.io/acme/api:3 group web, task con",
        "!ACME group web, task wrong",
        "docker.io/acme/api:4 group web, task other",
    ]


def test_what_nomad_fills_in_is_filled_in() -> None:
    """Meta of job, group and task and the job's own names are known; the node's are open, and so is a dispatch."""
    texts = ("a/b:${NOMAD_META_tag}", "a/b:${NOMAD_JOB_NAME}", "a/b:${meta.tag}", "a/b:${NOMAD_META_other}")
    tasks = [task(text, name="t") for text in texts]
    whole = job("api", *tasks, Meta={"tag": "job", "other": None})
    assert [each.partition(" ")[0] for each in _short(in_job(whole))] == [
        "docker.io/a/b:job",
        "docker.io/a/b:api",
        "docker.io/a/b|.*",
        "docker.io/a/b|.*",
    ]
    whole["TaskGroups"][0]["Meta"] = {"TAG": "group"}
    assert _short(in_job(whole))[0].startswith("docker.io/a/b:group ")
    whole["ParameterizedJob"] = {"MetaOptional": ["tag"]}
    assert [each.partition(" ")[0] for each in _short(in_job(whole))][:2] == ["docker.io/a/b:group", "docker.io/a/b|.*"]


def test_sidecars_of_services_are_read() -> None:
    """A Connect sidecar with an image of its own is in use, whether the service is the group's or a task's."""
    sidecar = {"Name": "api", "Connect": {"SidecarTask": {"Config": {"image": "envoyproxy/envoy:v1"}}}}
    whole = job("api", {**task("acme/api:1"), "Services": [sidecar]})
    whole["TaskGroups"][0]["Services"] = [sidecar, {"Name": "plain", "Connect": None}]
    assert _short(in_job(whole)).count("docker.io/envoyproxy/envoy:v1 group web, sidecar of api") == 2


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"Periodic": {"Spec": "@monthly"}}, "periodic job"),
        ({"ParameterizedJob": {"Payload": "optional"}}, "parameterized job"),
        ({"Stop": True, "Periodic": {"Spec": "@daily"}}, "stopped job, periodic job"),
    ],
)
def test_jobs_that_do_not_run_now_count_with_a_note(cluster: Cluster, more: dict[str, Any], note: str) -> None:
    """A periodic job between two runs, one that waits for a dispatch and a stopped one may all run again."""
    cluster.jobs.append([job("batch", task("acme/batch:1"), **more)])
    ((reference, _, told),) = _told(_ask(cluster))
    assert (reference, told) == ("docker.io/acme/batch:1", note)


def test_ids_with_slashes_are_asked_for_in_one_piece(cluster: Cluster) -> None:
    """The children of periodic and parameterized jobs have slashes in their ids."""
    cluster.jobs.append([job("batch/dispatch-1 x", task("acme/batch:1"))])
    assert len(_ask(cluster).usages) == 1
    assert "/v1/job/batch%2Fdispatch-1%20x/versions" in [asked.path for asked in cluster.server.asked]


@pytest.mark.parametrize("path", ["/v1/regions", "/v1/jobs", "/v1/allocations", "/v1/job/api", "/v1/job/api/versions"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=403, raw=b"Permission denied"),
        Reply(status=500, raw=b"No cluster leader"),
        Reply(raw=b""),
        Reply(document="text"),
        Reply(document=["a", 1]),
        Reply(status=307, headers={"Location": "http://elsewhere.example/"}),
    ],
    ids=["403", "500", "empty", "text", "list", "redirect"],
)
def test_whatever_cannot_be_read_is_a_gap(cluster: Cluster, path: str, reply: Reply) -> None:
    """A refusal, an error and an answer of another form are never an empty one; the other job still counts."""
    cluster.jobs += [[job("api", task("acme/api:1"))], [job("web", task("acme/web:1"))]]
    cluster.failing[path] = reply
    report = _ask(cluster)
    assert report.coverage.gaps
    if "/job/" in path:
        assert "docker.io/acme/web:1" in [reference for reference, _, _ in _told(report)]
        assert "default/api" in report.coverage.gaps[0]


def test_a_job_that_does_not_say_what_it_runs_is_a_gap(cluster: Cluster) -> None:
    """A job without task groups, and an allocation without its job, are not read as using nothing."""
    odd = job("odd", task("acme/odd:1"))
    cluster.jobs.append([{**odd, "TaskGroups": None}])
    cluster.allocations.append(allocation("a1", job("gone", task("acme/gone:1"))))
    cluster.hidden["a1"] = {}
    gaps = _ask(cluster).coverage.gaps
    assert len(gaps) == 2
    assert all("does not say what it runs" in gap for gap in gaps)


def test_what_vanishes_between_two_requests_is_no_gap(cluster: Cluster) -> None:
    """A job that was purged after it was listed, and an allocation that ended, are no longer in use."""
    cluster.jobs.append([job("api", task("acme/api:1"))])
    cluster.failing["/v1/job/api"] = Reply(status=404, raw=b"job not found")
    cluster.allocations.append(allocation("a1", job("gone", task("acme/gone:1"))))
    report = _ask(cluster)
    assert (report.usages, report.coverage.gaps) == ((), ())


def test_a_token_that_may_not_see_all_namespaces_is_a_gap(cluster: Cluster) -> None:
    """Nomad leaves out what a token may not see: every namespace is believed only to a management token."""
    cluster.jobs.append([job("api", task("acme/api:1"))])
    cluster.token = Reply(document={"Type": "client", "Policies": ["readonly"]})
    (gap,) = _ask(cluster).coverage.gaps
    assert "namespace: [default, prod]" in gap
    assert _ask(cluster, namespace=["default"]).coverage.complete
    cluster.token = Reply(document={"Type": "management"})
    assert _ask(cluster).coverage.complete
    cluster.token = Reply(status=403, raw=b"Permission denied")
    assert not _ask(cluster).coverage.complete


def test_a_named_namespace_that_is_refused_is_a_gap(cluster: Cluster) -> None:
    """Each named namespace is asked for by itself, and a missing right names it."""
    cluster.jobs += [[job("api", task("acme/api:1"))], [job("web", task("acme/web:1"), namespace="prod")]]
    assert len(_ask(cluster, namespace=["default", "prod"]).usages) == 2
    cluster.failing["/v1/allocations?prod"] = Reply(status=403, raw=b"Permission denied")
    report = _ask(cluster, namespace=["default", "prod"])
    assert [reference for reference, _, _ in _told(report)] == ["docker.io/acme/api:1"]
    (gap,) = report.coverage.gaps
    assert "namespace prod" in gap
    assert "read-job" in gap


def test_every_region_is_asked(cluster: Cluster) -> None:
    """All regions of a federation are read by default; one that does not answer is a gap that names it."""
    cluster.regions = ["eu", "us"]
    cluster.jobs.append([job("api", task("acme/api:1"))])
    assert [where.partition(" ")[0] for _, where, _ in _told(_ask(cluster))] == ["eu", "us"]
    assert [where.partition(" ")[0] for _, where, _ in _told(_ask(cluster, region="us"))] == ["us"]
    cluster.failing["/v1/jobs@us"] = Reply(status=500, raw=b"No path to region")
    report = _ask(cluster)
    assert len(report.usages) == 1
    assert report.coverage.gaps[0].startswith("region us, ")


def test_a_listing_that_turns_in_a_circle_ends_as_a_gap(cluster: Cluster) -> None:
    """A page token that comes again is not followed for ever, and what it hides is told."""
    cluster.failing["/v1/jobs"] = Reply(document=[], headers={"X-Nomad-NextToken": "again"})
    (gap,) = _ask(cluster).coverage.gaps
    assert "repeats itself" in gap


def test_the_token_comes_from_the_environment_or_a_file(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NOMAD_TOKEN or the file is sent as Nomad wants it, with every request; an empty file is an error."""
    monkeypatch.setenv("NOMAD_TOKEN", "from-environment")
    _ask(cluster)
    (tmp_path / "token").write_text("from-file\n", encoding="utf-8")
    _ask(cluster, token_file=str(tmp_path / "token"))
    assert {asked.headers["x-nomad-token"] for asked in cluster.server.asked} == {"from-environment", "from-file"}
    for content in (b"", b"\xff", b"two\nlines"):
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(ConfigurationError, match="nomad/test"):
            _ask(cluster, token_file=str(tmp_path / "token"))
    with pytest.raises(ConfigurationError, match="absent"):
        _ask(cluster, token_file=str(tmp_path / "absent"))


def test_the_variables_of_nomad_are_read(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, namespace and region come from the variables of Nomad's own command line where the policy has none."""
    cluster.jobs.append([job("api", task("acme/api:1"), namespace="prod")])
    monkeypatch.setenv("NOMAD_ADDR", f"http://{cluster.server.host}/")
    monkeypatch.setenv("NOMAD_NAMESPACE", "prod")
    monkeypatch.setenv("NOMAD_REGION", "eu")
    source = NomadSource.configure(source_settings("nomad"), context=source_context())
    assert [where for _, where, _ in _told(source.collect(NOW))] == [
        "eu job prod/api version 0, group web, task server"
    ]
    assert {asked.query.get("namespace") for asked in cluster.server.asked} == {"prod"}


def test_a_socket_is_an_address_too(tmp_path: Path) -> None:
    """An agent on a unix socket is asked there, and an absent one is a gap."""
    settings = source_settings("nomad", address=f"unix://{tmp_path}/absent.sock")
    report = NomadSource.configure(settings, context=source_context()).collect(NOW)
    assert len(report.coverage.gaps) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "http://10.0.0.1:4646"}, "plain http"),
        ({"address": f"https://user:{SECRET}@nomad.example"}, "no address"),
        ({"address": "nomad.example:4646"}, "no address"),
        ({"address": "http://a:99999"}, "no address"),
        ({"address": "https://n.example", "cert": "c.pem"}, "belong together"),
        ({"token": SECRET}, "unknown option 'token'"),
        ({"namespace": [1]}, "namespace"),
    ],
)
def test_wrong_options_are_told_with_the_remedy(options: dict[str, object], said: str) -> None:
    """An address that cannot be used, half a client certificate and a token in the policy are configuration errors."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        NomadSource.configure(source_settings("nomad", **options), context=source_context())
    assert caught.value.remedy
    assert SECRET not in f"{caught.value} {caught.value.remedy}"
