"""Charts in directories and repositories, rendered by the real helm program."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tagsweep.model.usage import UsageReport
from tagsweep.sources.charts.rendering import ChartAt, Wish, render
from tagsweep.sources.files import DirectoryTree, FilesSource
from tagsweep.sources.git import GitSource
from tagsweep.sources.harvest import Harvest
from tagsweep.testing.source_suite import NOW, source_context, source_settings
from tests.real.helm import OBTAINABLE, missing, program
from tests.unit.sources.gitkit import LINK, Content, Repo, isolated

pytestmark = pytest.mark.real

CHART = "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: 4.5.6\n"
VALUES = 'parts: {registry: ghcr.io, owner: acme, name: api}\ntags: ["1", "2"]\n'
# The name is put together in a way that only the template engine follows.
TEMPLATE = """\
{{- range $index, $tag := .Values.tags }}
---
apiVersion: v1
kind: Pod
metadata: {name: pod-{{ $index }}}
spec:
  containers:
    - name: api
      image: {{ join "/" (list $.Values.parts.registry $.Values.parts.owner $.Values.parts.name) }}:{{ $tag | trunc 3 }}
{{- end }}
"""
WEB: Mapping[str, str] = {"Chart.yaml": CHART, "values.yaml": VALUES, "templates/pods.yaml": TEMPLATE}


@pytest.fixture(autouse=True)
def helm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Helm alone on the PATH, beside git; skipped with the reason where there is none."""
    if reason := missing():
        if os.environ.get("CI") == "true" and OBTAINABLE:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    programs = tmp_path / "programs"
    programs.mkdir()
    for path in (program(), shutil.which("git")):
        assert path is not None
        (programs / Path(path).name).symlink_to(path)
    for key, value in isolated(tmp_path / "home").items():
        if key.startswith(("GIT_", "HOME", "XDG_")):
            monkeypatch.setenv(key, value)
    monkeypatch.setenv("PATH", str(programs))
    return programs / "helm"


def within(directory: str, files: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """Return the files with their paths below ``directory``."""
    return {f"{directory}/{path}": content for path, content in files.items()}


def read(base: Path, files: Mapping[str, str | bytes], **options: object) -> UsageReport:
    """Write the files, and return what the files source says about them."""
    for path, content in files.items():
        place = base / "tree" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    settings = source_settings("files", path="tree", **options)
    return FilesSource.configure(settings, context=source_context(base)).collect(NOW)


def read_git(base: Path, **options: object) -> UsageReport:
    settings = source_settings("git", path="deploy", **options)
    return GitSource.configure(settings, context=source_context(base)).collect(NOW)


def rendered(report: UsageReport) -> list[tuple[str, str]]:
    """Return what only rendering shows, and where that is said to be."""
    return sorted((str(usage.reference), usage.where) for usage in report.usages if "rendered with" in usage.where)


def test_a_chart_for_kubernetes_of_today_is_rendered(tmp_path: Path) -> None:
    """Charts that refuse old clusters are rendered, also by a helm that claims an old one where it asks none."""
    chart = f'{CHART}kubeVersion: ">=1.30.0-0"\n'
    report = read(tmp_path, within("web", {**WEB, "Chart.yaml": chart}))
    assert {str(usage.reference) for usage in report.usages} == {"ghcr.io/acme/api:1", "ghcr.io/acme/api:2"}


def test_what_only_the_template_engine_puts_together_is_found(tmp_path: Path) -> None:
    """A name joined from parts in a loop is found by rendering, with the chart and the values file as its place."""
    without = read(tmp_path, within("charts/web", WEB), helm="off")
    assert not [usage for usage in without.usages if usage.reference.repository.path == "acme/api"]
    report = read(tmp_path, {}, helm="auto")
    place = "test:charts/web, rendered with values.yaml, Pod pod-{}, container api"
    assert rendered(report) == [(f"ghcr.io/acme/api:{tag}", place.format(tag - 1)) for tag in (1, 2)]
    assert report.unit.endswith("and 1 chart rendered by helm")
    assert report.coverage.complete
    assert set(without.usages) <= set(report.usages)
    assert set(without.unresolved) <= set(report.unresolved)


def test_each_values_file_is_rendered_and_named(tmp_path: Path) -> None:
    """Values for production and for CI are laid over the chart's own, each in turn; one that is excluded is not."""
    values = {
        "values-prod,eu.yaml": 'tags: ["7"]\n',
        "ci/small-values.yaml": 'tags: ["8"]\n',
        "values-no.yaml": "tags: [9]",
    }
    report = read(tmp_path, within("web", {**WEB, **values}), exclude=["values-no.yaml"])
    assert [(name.rpartition(":")[2], where.split(", ")[1]) for name, where in rendered(report)] == [
        ("1", "rendered with values.yaml"),
        ("2", "rendered with values.yaml"),
        ("7", "rendered with values-prod,eu.yaml"),
        ("8", "rendered with ci/small-values.yaml"),
    ]


def test_rendering_is_what_happens_where_nothing_is_said(tmp_path: Path) -> None:
    """Without the option charts are rendered if there is a helm, and with off they are not."""
    assert rendered(read(tmp_path, WEB))
    report = read(tmp_path, {}, helm="off")
    assert not rendered(report)
    assert "helm" not in report.unit


def test_a_chart_that_cannot_be_rendered_is_told_and_read(tmp_path: Path) -> None:
    """A required value makes one chart fail: that is told with the words of helm, and no other suffers."""
    broken = {
        "Chart.yaml": CHART,
        "values.yaml": 'image: {repository: ghcr.io/acme/db, tag: "3"}\n',
        "templates/a.yaml": '{{ required "name the owner" .Values.owner }}\n',
    }
    files = {**within("broken", broken), **within("web", WEB)}
    report = read(tmp_path, files)
    assert len(rendered(report)) == 2
    assert "ghcr.io/acme/db:3" in {str(usage.reference) for usage in report.usages}
    assert report.coverage.complete
    (told,) = [each for each in report.invalid if "helm template" in each]
    assert told.startswith("test:broken  'helm template': ")
    assert "name the owner" in told
    assert told.endswith("; the chart was only read")
    assert str(tmp_path) not in told
    assert "tagsweep-helm-" not in told


def test_where_helm_is_required_a_failure_is_a_gap(tmp_path: Path, helm: Path) -> None:
    """With require a chart that cannot be rendered makes the answer incomplete, and so does an absent helm."""
    files = {**WEB, "templates/b.yaml": '{{ fail "never" }}\n'}
    (gap,) = read(tmp_path, files, helm="require").coverage.gaps
    assert gap.startswith("test:. cannot be rendered (helm template): ")
    assert "never" in gap
    helm.unlink()
    (gap,) = read(tmp_path, {}, helm="require").coverage.gaps
    assert gap.startswith("there is no helm program on the PATH; ")
    assert read(tmp_path, {}, helm="auto").coverage.complete


def test_dependencies_that_are_not_committed_are_not_fetched(tmp_path: Path, requests: list[str], address: str) -> None:
    """A chart whose dependency is elsewhere is not rendered: nothing is asked over the network, and that is told."""
    missing = f"{CHART}dependencies: [{{name: db, version: 1.0.0, repository: '{address}/charts'}}]\n"
    report = read(tmp_path, {**WEB, "Chart.yaml": missing})
    assert not rendered(report)
    assert any("helm template" in each and "missing" in each and "db" in each for each in report.invalid)
    assert requests == []


def test_schemas_of_values_reach_for_no_address(tmp_path: Path, requests: list[str], address: str) -> None:
    """A schema that names another one by its address is not looked at, neither the chart's nor a packaged one's."""
    schema = f'{{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "{address}/schema.json"}}'
    inner = {"db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n", "db/values.schema.json": schema}
    needs = f"{CHART}dependencies: [{{name: db, version: 1.0.0, repository: '{address}'}}]\n"
    files: dict[str, str | bytes] = {
        **WEB,
        "Chart.yaml": needs,
        "values.schema.json": schema,
        "charts/db-1.0.0.tgz": package(inner),
    }
    assert len(rendered(read(tmp_path, files))) == 2
    assert requests == []


def test_packaged_and_local_charts_are_rendered_with_the_one_that_needs_them(tmp_path: Path) -> None:
    """A packaged dependency in charts/ and one in a directory of the same tree are filled in as the chart sets them."""
    image = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {0}}}\nspec: {{containers: [{{name: {0}, image: {1}}}]}}\n"
    packed = {
        "db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n",
        "db/values.yaml": 'tag: "1"\n',
        "db/templates/pod.yaml": image.format("db", "ghcr.io/acme/db:{{ .Values.tag }}"),
    }
    local = {
        "Chart.yaml": "apiVersion: v2\nname: cache\nversion: 1.0.0\n",
        "templates/pod.yaml": image.format("cache", 'ghcr.io/acme/cache:{{ printf "%d-%s" 5 .Release.Name }}'),
    }
    needs = (
        f"{CHART}dependencies:\n  - {{name: db, version: 1.0.0, repository: 'https://charts.example.org'}}\n"
        "  - {name: cache, version: 1.0.0, repository: 'file://../cache'}\n"
    )
    web: dict[str, str | bytes] = {
        **WEB,
        "Chart.yaml": needs,
        "values.yaml": f'{VALUES}db: {{tag: "99"}}\n',
        "charts/db-1.0.0.tgz": package(packed),
    }
    report = read(tmp_path, {**within("apps/web", web), **within("apps/cache", local)})
    names = {name for name, where in rendered(report) if where.startswith("test:apps/web, ")}
    assert {"ghcr.io/acme/db:99", "ghcr.io/acme/cache:5-release"} <= names


def test_charts_of_every_branch_are_rendered_once_each(tmp_path: Path) -> None:
    """The same chart on two branches is rendered once and names both; another content of it names its own branch."""
    repo = Repo.create(tmp_path / "deploy")
    repo.commit(within("web", WEB))
    repo.git("branch", "copy", "main")
    repo.commit(within("web", {**WEB, "values.yaml": VALUES.replace('"1", "2"', '"3"')}), on="release/1")
    report = read_git(tmp_path)
    assert [(name.rpartition(":")[2], where.partition(":")[0]) for name, where in rendered(report)] == [
        ("1", "test main, copy"),
        ("2", "test main, copy"),
        ("3", "test release/1"),
    ]
    assert report.unit == "files on 3 branches and 2 charts rendered by helm"


def test_links_of_a_chart_lead_nowhere(tmp_path: Path) -> None:
    """A link to a file of this machine, as a template or as a file that one includes, is not part of the chart."""
    secret = tmp_path / "secret.yaml"
    secret.write_text("apiVersion: v1\nkind: Pod\nspec: {containers: [{name: x, image: ghcr.io/acme/secret:1}]}\n")
    files: dict[str, Content] = {
        **WEB,
        "templates/link.yaml": (LINK, str(secret)),
        "secret.yaml": (LINK, str(secret)),
        "templates/get.yaml": '{{ .Files.Get "secret.yaml" }}\n',
    }
    Repo.create(tmp_path / "deploy").commit(files)
    report = read_git(tmp_path)
    assert len(rendered(report)) == 2
    assert not [usage for usage in report.usages if "secret" in str(usage.reference)]


def test_a_chart_without_an_end_is_broken_off(tmp_path: Path) -> None:
    """A template that takes for ever is ended in time and told; after three of them the rest is told as untried."""
    endless = '{{ range until 100000 }}{{ range until 100000 }}{{ sha256sum "x" | substr 0 0 }}{{ end }}{{ end }}\n'
    for number in range(5):
        for path, text in {**WEB, "templates/z.yaml": endless}.items():
            place = tmp_path / f"chart-{number}" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    tree = DirectoryTree(tmp_path, 1024 * 1024)
    charts = [ChartAt(directory=f"chart-{number}", tree=tree, where="test") for number in range(5)]
    harvest = Harvest("files/test")
    progress = source_context(tmp_path).progress
    render(charts, harvest, Wish.AUTO, takes=lambda _: True, name="test", progress=progress, seconds=0.5)
    report = harvest.report(taken_at=NOW)
    assert [each.partition("  ")[0] for each in report.invalid] == [f"test:chart-{number}" for number in range(4)]
    assert all("no end within 0.5 s" in each for each in report.invalid[:3])
    assert "not tried for this and 1 more" in report.invalid[3]
    assert report.coverage.complete


def test_a_program_that_is_no_helm_of_today_is_not_used(tmp_path: Path, helm: Path) -> None:
    """Another program of that name changes nothing with auto, and is told with require."""
    helm.unlink()
    helm.write_text("#!/bin/sh\necho 'helm template [flags] CHART'\n")
    helm.chmod(0o755)
    assert not rendered(read(tmp_path, WEB))
    (gap,) = read(tmp_path, {}, helm="require").coverage.gaps
    assert gap.startswith(f"{helm} is no Helm of version 3 or later; ")


def test_the_environment_of_the_user_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of Helm and secrets in the environment are not there for a chart, which cannot even ask."""
    monkeypatch.setenv("TOKEN", "hunter2")
    monkeypatch.setenv("HELM_DEBUG", "true")
    report = read(tmp_path, {**WEB, "templates/e.yaml": 'x: {{ env "TOKEN" }}\n'})
    (told,) = [each for each in report.invalid if "helm template" in each]
    assert 'function "env" not defined' in told
    assert "hunter2" not in repr(report)


def package(files: Mapping[str, str]) -> bytes:
    """Return the files as a chart is packaged."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture
def requests() -> list[str]:
    """The paths that were asked for at ``address``."""
    return []


@pytest.fixture
def address(requests: list[str]) -> Iterator[str]:
    """The address of a server that answers everything with an empty object."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
