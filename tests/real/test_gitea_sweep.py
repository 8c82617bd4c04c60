"""The TensorZero sweep on a real Gitea: plan, apply, verify and restore through the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tagsweep.model.reference import Digest
from tests.e2e.kit import WHOLE, Place, gateway
from tests.e2e.sweeps import Sweep, doctor, log_in, vendor_policy
from tests.real.gitea import AUTHORIZATION, PASSWORD, USER
from tests.real.interview import Interviewer
from tests.real.servers import Server

pytestmark = [pytest.mark.real, pytest.mark.slow]

GATEWAY: Final = f"{USER}/gateway"
"""Gitea has repositories below the name of a user or organization only."""


class Filled:
    """The gateway's images on a real server, looked at over plain HTTP."""

    def __init__(self, server: Server) -> None:
        self.host = server.host
        self._asker = Interviewer(server.host, AUTHORIZATION)
        self._pushed: set[Digest] = set()
        for built in replace(gateway(), repository=GATEWAY).images():
            self._asker.push(GATEWAY, built.image, *built.tags)
            self._pushed.update(manifest.digest for manifest in built.image.manifests)

    def tags(self, repository: str) -> Mapping[str, Digest]:
        """Return what a client sees that asks for each tag."""
        names = self._asker.tags(repository)
        assert isinstance(names, tuple), names
        replies = {name: self._asker.ask("HEAD", f"{repository}/manifests/{name}") for name in names}
        return {name: Digest.parse(reply.headers["docker-content-digest"]) for name, reply in replies.items()}

    def manifests(self, repository: str) -> set[Digest]:
        """Return the digests of what was pushed and answers still."""
        return {each for each in self._pushed if self._asker.ask("HEAD", f"{repository}/manifests/{each}").status == 200}

    def clear_log(self) -> None:
        """A real server has none."""

    def close(self) -> None:
        """Give back the connection."""
        self._asker.close()


@pytest.fixture
def gitea(gitea_registry: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Filled]:
    """Yield a Gitea with the images, and the credentials for it in the environment."""
    log_in(monkeypatch, USER, PASSWORD)
    filled = Filled(gitea_registry)
    yield filled
    filled.close()


def test_the_builds_go_and_only_what_is_left_comes_back(gitea: Filled, tmp_path: Path) -> None:
    """107 tags go and no digest that has another tag; of them the 35 on a release's digest come back.

    The layers of the others went with them, which doctor says before, and restore of each afterwards.
    """
    place = Place(tmp_path)
    text = vendor_policy(gitea.host, "gitea", target=GATEWAY)
    assert "has to be pushed again" in doctor(place, text)
    sweep = Sweep(place, gitea, text, repository=GATEWAY)
    assert len(sweep.tags) == WHOLE.tags
    sweep.plan()
    sweep.apply()
    assert set(sweep.left.values()) <= gitea.manifests(GATEWAY)
    restored = place.run("restore", place.last_run()["id"], "--yes", expect=3)
    assert f"{WHOLE.shared} put back" in restored.text
    assert f"{WHOLE.builds - WHOLE.shared} gone for good" in restored.text
    back = sweep.left.keys() | sweep.shared
    assert gitea.tags(GATEWAY) == {tag: digest for tag, digest in sweep.tags.items() if tag in back}
