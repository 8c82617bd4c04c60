"""Watching goes on whatever a source does, without drift, and what was seen once is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tagsweep.app.session import Session
from tagsweep.app.watch import Watch
from tagsweep.config import load_policy
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import Policy
from tagsweep.report.watch import Round
from tagsweep.stores.state import StateDirectory
from tagsweep.testing.harness import InstantClock, Quiet

HEAD = "version: 1\ntargets: [acme/web]\nrules: [{name: x, match: {glob: 'y*'}, keep: []}]\n"
SOURCES = "evidence: {require: [list/hold], remember: 30d}\nsources:\n  list/hold: {file: hold.txt}\n"
PLUGIN = """\
class Moody:
    def __init__(self, name, base):
        self.name, self.base = name, base

    @classmethod
    def configure(cls, settings, *, context):
        return cls(settings.name, context.base)

    def collect(self, now):
        with open(self.base + "/mood") as file:
            raise RuntimeError(file.read())
"""


class SlowClock(InstantClock):
    """A clock on which each look at the time of day takes some seconds, as a slow source would."""

    def __init__(self, takes: float) -> None:
        super().__init__()
        self.takes = takes

    def monotonic(self) -> float:
        """Return what has passed, and let some more pass."""
        self.slept += self.takes
        return self.slept


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Return a session on a state of its own whose clock takes no time."""
    with Session(state=StateDirectory.open(tmp_path / "state"), clock=InstantClock(), progress=Quiet()) as opened:
        yield opened


def policy(tmp_path: Path, text: str = SOURCES) -> Policy:
    """Return the policy with these sources."""
    file = tmp_path / "tagsweep.yaml"
    file.write_text(HEAD + text, encoding="utf-8")
    return load_policy(file)


def hold(tmp_path: Path, *lines: str) -> None:
    """Write the hold list."""
    (tmp_path / "hold.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_a_round_tells_what_is_new_and_what_is_gone(tmp_path: Path, session: Session) -> None:
    """The first round is the ground; each further one is compared with the one before."""
    found = policy(tmp_path)
    watching = Watch(found, found.sources, session)
    hold(tmp_path, "acme/web:1", "acme/web:2")
    first = watching.round().told[0]
    assert (first.places, first.new, first.gone) == (2, (), ())
    hold(tmp_path, "acme/web:1", "acme/web:3")
    second = watching.round().told[0]
    assert [text.partition(" ")[0] for text in second.new] == ["docker.io/acme/web:3"]
    assert [text.partition(" ")[0] for text in second.gone] == ["docker.io/acme/web:2"]


def test_what_was_seen_between_two_sweeps_is_remembered(tmp_path: Path, session: Session) -> None:
    """The ledger has what only one round saw, with the time of that round."""
    found = policy(tmp_path)
    watching = Watch(found, found.sources, session)
    hold(tmp_path, "acme/web:1", "acme/web:2")
    seen = watching.round().at
    session.clock.sleep(3600)
    hold(tmp_path, "acme/web:1")
    watching.round()
    remembered = session.ledger.remembered_usages("list/hold", since=seen)
    assert {str(usage.reference): usage.last_seen == seen for usage in remembered} == {
        "docker.io/acme/web:1": False,
        "docker.io/acme/web:2": True,
    }


def test_nothing_is_gone_while_a_source_has_gaps(tmp_path: Path, session: Session) -> None:
    """What was not seen may still be there; the next whole answer tells."""
    found = policy(tmp_path)
    watching = Watch(found, found.sources, session)
    hold(tmp_path, "acme/web:1", "acme/web:2")
    watching.round()
    (tmp_path / "hold.txt").unlink()
    partial = watching.round()
    assert partial.told[0].gaps
    assert partial.told[0].gone == ()
    assert partial.complete
    hold(tmp_path, "acme/web:1")
    assert len(watching.round().told[0].gone) == 1


def test_a_source_that_breaks_is_told_and_the_next_is_asked(
    tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in a plugin ends neither the round nor the watch, and shows no secret."""
    plugin = tmp_path / "plugin"
    info = plugin / "moody-1.0.dist-info"
    info.mkdir(parents=True)
    (plugin / "moody_source.py").write_text(PLUGIN, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moody\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[tagsweep.sources]\nmoody = moody_source:Moody\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(plugin))
    found = policy(tmp_path, SOURCES.replace("  list/hold", "  moody/one: {}\n  list/hold"))
    hold(tmp_path, "acme/web:1")
    (tmp_path / "mood").write_text("no answer from https://me:hunter2@host/x", encoding="utf-8")
    watching = Watch(found, found.sources, session)
    broken, whole = watching.round().told
    assert broken.error.startswith("RuntimeError: no answer from https://")
    assert "hunter2" not in broken.error
    assert whole.places == 1
    (tmp_path / "mood").unlink()
    assert watching.round().told[0].error.startswith("FileNotFoundError")


def test_a_mistake_in_the_policy_is_told_at_once(tmp_path: Path, session: Session) -> None:
    """A wrong option, and a policy without sources, would never be right by waiting."""
    found = policy(tmp_path, SOURCES.replace("file:", "fiel:"))
    with pytest.raises(ConfigurationError, match="fil"):
        Watch(found, found.sources, session)
    with pytest.raises(ConfigurationError, match="nothing to watch"):
        Watch(found, (), session)


def rounds(watching: Watch, every: float, number: int) -> tuple[list[Round], list[float]]:
    """Return so many rounds and how long was waited after each."""
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == number

    return list(watching.rounds(timedelta(seconds=every), wait)), waits


def test_rounds_end_when_they_are_told_to(tmp_path: Path, session: Session) -> None:
    """After the round in flight, and numbered from 1."""
    hold(tmp_path, "acme/web:1")
    found = policy(tmp_path)
    done, waits = rounds(Watch(found, found.sources, session), 300, 3)
    assert [one.number for one in done] == [1, 2, 3]
    assert len(waits) == 3


def test_slow_rounds_make_no_drift(tmp_path: Path) -> None:
    """The waits make up for what the rounds took; what a round has missed is left out, never caught up."""
    hold(tmp_path, "acme/web:1")
    found = policy(tmp_path)
    for every in (300.0, 10.0):
        clock = SlowClock(7.0)
        with Session(state=StateDirectory.open(tmp_path / "state"), clock=clock, progress=Quiet()) as opened:
            watching = Watch(found, found.sources, opened)
            begins: list[float] = []

            def wait(seconds: float, clock: SlowClock = clock, begins: list[float] = begins) -> bool:
                assert seconds >= 0
                clock.slept += seconds
                begins.append(clock.slept)
                return len(begins) == 4

            list(watching.rounds(timedelta(seconds=every), wait))
        assert {round((later - begins[0]) % every, 6) for later in begins} <= {0.0, every}
        assert begins == sorted(set(begins))
