"""The TensorZero sweep on a real Gitea: plan, apply, verify and restore through the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.kit import WHOLE, Place, gateway
from tests.e2e.sweeps import Sweep, doctor, log_in, vendor_policy
from tests.real.filled import Filled
from tests.real.gitea import AUTHORIZATION, PASSWORD, USER
from tests.real.servers import Server

pytestmark = [pytest.mark.real, pytest.mark.slow]

GATEWAY: Final = f"{USER}/gateway"
"""Gitea has repositories below the name of a user or organization only."""


@pytest.fixture
def gitea(gitea_registry: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Filled]:
    """Yield a Gitea with the images, and the credentials for it in the environment."""
    log_in(monkeypatch, USER, PASSWORD)
    filled = Filled(gitea_registry, GATEWAY, gateway(), authorization=AUTHORIZATION)
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
