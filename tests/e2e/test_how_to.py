"""The how-to pages, followed word for word in an empty directory, with the registries behind their real names."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.reference import Digest
from tagsweep.testing.dialects import DISTRIBUTION_3
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.images import BuiltImage
from tagsweep.testing.tensorzero import TagList
from tagsweep.testing.vendors.dockerhub import DOCKER_HUB, HubApi, HubLogin
from tagsweep.testing.vendors.ghcr import GHCR, PREFIX, GitHubPackages
from tests.e2e.kit import SHA, gateway, own_server, part_of
from tests.e2e.named_hosts import Behind, named_hosts
from tests.e2e.walk import Shell, Typed, follow
from tests.real.interview import Interviewer
from tests.real.servers import ServerKind

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
APP = "acme/app"
SECRET = "secret-of-the-server"
pytestmark = [
    pytest.mark.slow,  # a dozen processes each
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program"),
]


def page(name: str) -> str:
    """Return the text of a how-to page."""
    return (HOW_TO / name).read_text(encoding="utf-8")


def home(folder: Path) -> Path:
    """Make the directory in which a reader begins, with nothing in it."""
    directory = folder / "home" / "work"
    directory.mkdir(parents=True)
    return directory


def app() -> TagList:
    """Return the tags of the pages' repository: releases with ``latest``, and builds."""
    tags = replace(part_of(gateway(), each=4), repository=APP)
    newest = next(record for record in reversed(tags.records) if not SHA.fullmatch(record.tag))
    return replace(tags, records=(*tags.records, replace(newest, tag="latest")))


def fill(push: Callable[[str, BuiltImage, str], object]) -> dict[str, Digest]:
    """Push the repository's images one tag after the other; return its tags."""
    found: dict[str, Digest] = {}
    for built in app().images():
        for tag in built.tags:
            push(APP, built.image, tag)
            found[tag] = built.image.top
    return found


def check(typed: list[Typed], before: Mapping[str, Digest], after: Mapping[str, Digest]) -> None:
    """What every page comes to: builds were removed and nothing else, and all of them came back."""
    (planned,) = (one.text for one in typed if "tagsweep plan" in one.command)
    assert "ci-build" in planned
    assert "remove 0 of" not in planned
    (applied,) = (one.text for one in typed if "tagsweep apply" in one.command)
    assert "all is well" in applied
    assert after == before
    used = next(one.text for one in typed if "tagsweep usage" in one.command)
    assert "the last release that runs on old kernels" in used


def test_docker_hub(tmp_path: Path) -> None:
    """docs/how-to/docker-hub.md: from login to restore, at docker.io as far as tagsweep can tell."""
    api = HubApi(logins=[HubLogin(name="acme", secret="dckr_pat_word_for_word")])
    with FakeRegistry(DOCKER_HUB, apis=[api]) as registry:
        before = fill(registry.push)
        for record in app().records:
            api.record(APP, record.tag, {TimeOrigin.PUSHED: record.pushed_at, TimeOrigin.UPDATED: record.pushed_at})
        hub = Behind(registry.host)
        names = {"registry-1.docker.io": hub, "auth.docker.io": hub, "hub.docker.com": hub}
        with named_hosts(tmp_path / "proxy", names) as environment:
            secret = {"DOCKER_HUB_TOKEN": "dckr_pat_word_for_word"}
            typed = follow(page("docker-hub.md"), home(tmp_path), Shell({**environment, **secret}))
        check(typed, before, registry.tags(APP))
        assert registry.count("DELETE", "tags/sha-") > 0


def test_ghcr(tmp_path: Path) -> None:
    """docs/how-to/ghcr.md: from login to restore, at ghcr.io as far as tagsweep can tell."""
    api = GitHubPackages(token="ghp_word_for_word", owners={"acme": "Organization"}, login="acme")
    with FakeRegistry(GHCR, access=api.access, apis=[api]) as registry:
        before = fill(registry.push)
        for record in app().records:
            api.date(APP, before[record.tag], created=record.pushed_at, updated=record.pushed_at)
        names = {"ghcr.io": Behind(registry.host), "api.github.com": Behind(registry.host, PREFIX)}
        with named_hosts(tmp_path / "proxy", names) as environment:
            secret = {"GHCR_TOKEN": "ghp_word_for_word"}
            typed = follow(page("ghcr.md"), home(tmp_path), Shell({**environment, **secret}))
        check(typed, before, registry.tags(APP))


@pytest.mark.real
def test_private_registry(tmp_path: Path) -> None:
    """docs/how-to/private-registry.md: from login to restore, on a real registry with passwords, behind TLS."""
    users = tmp_path / "htpasswd"
    users.write_text("acme:$2b$05$abcdefghijklmnopqrstuuH2DLrcfCyuAkW0fWsTifgoC0Xz/F7tK\n", encoding="utf-8")
    auth = json.dumps({"htpasswd": {"realm": "r", "path": str(users)}})
    basic = base64.b64encode(f"acme:{SECRET}".encode()).decode()
    with (
        own_server(ServerKind.DISTRIBUTION_2_8, auth=auth) as server,
        closing(Interviewer(server.host, f"Basic {basic}")) as asker,
        named_hosts(tmp_path / "proxy", {"registry.example.com": Behind(server.host)}) as environment,
    ):
        before = fill(asker.push)
        secret = {"REGISTRY_PASSWORD": SECRET}
        typed = follow(page("private-registry.md"), home(tmp_path), Shell({**environment, **secret}))
        tags = asker.tags(APP)
        assert isinstance(tags, tuple)
        heads = {tag: asker.ask("HEAD", f"{APP}/manifests/{tag}").headers["docker-content-digest"] for tag in tags}
        check(typed, before, {tag: Digest.parse(text) for tag, text in heads.items()})


def test_state_in_a_registry(tmp_path: Path) -> None:
    """docs/how-to/state-in-a-registry.md: the state is looked for where the page has it exported."""
    with (
        FakeRegistry(DISTRIBUTION_3) as registry,
        named_hosts(tmp_path / "proxy", {"registry.example.com": Behind(registry.host)}) as environment,
    ):
        (history,) = follow(page("state-in-a-registry.md"), home(tmp_path), Shell(environment))[1:]
        assert "No run is recorded" in history.text
        assert registry.count("GET", "ops/tagsweep-state/tags") > 0
