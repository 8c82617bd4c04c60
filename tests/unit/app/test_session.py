"""The session's drivers: one for each registry, whichever thread asks for it first."""

from __future__ import annotations

import threading
from pathlib import Path

from tagsweep.app.session import Session
from tagsweep.http.pool import Pool
from tagsweep.model.reference import Repository
from tagsweep.stores.state import StateDirectory
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet

_THREADS = 8


def test_threads_that_ask_at_once_share_one_driver(tmp_path: Path) -> None:
    """What a driver knows and its limits are shared by all threads, so that two may not be made of the same registry.

    Restoring begins in threads: with two drivers, one listed what GitHub had deleted while the other brought it back.
    """
    together = threading.Barrier(_THREADS)
    # The registry is asked what it is before its driver is made; until it answers, every thread finds none.
    with FakeRegistry(latency=0.05) as registry:
        repository = Repository(registry=registry.host, path="team/app")
        state = StateDirectory.open(tmp_path)
        with Session(state=state, clock=InstantClock(), progress=Quiet()) as session, Pool(_THREADS) as pool:

            def ask(_: int) -> int:
                together.wait(timeout=10)
                return id(session.driver(repository))

            found = {driver for _, driver in pool.map_unordered(ask, range(_THREADS))}
            assert found == {id(session.driver(repository))}
        assert len(registry.requests) == len({request.target for request in registry.requests})
