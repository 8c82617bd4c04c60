# ruff: noqa: S101 (tests assert)
"""SourceSuite: what every usage source must do, as tests that a subclass runs against its own environment.

class TestNomad(SourceSuite):
    @pytest.fixture
    def environment(self): return NomadEnvironment()
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from tagsweep.model.policy import SourceSettings
from tagsweep.model.reference import Digest, Reference, Repository
from tagsweep.ports import SourceContext
from tagsweep.testing.harness import InstantClock, Quiet

if TYPE_CHECKING:
    from tagsweep.model.usage import UsageReport
    from tagsweep.ports import UsageSource

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
SECRET: Final = "s3cr3t-of-the-suite"  # noqa: S105 - a canary, planted to see that it never comes out again


def source_context(base: str | Path = ".", *, cache: str | Path = "") -> SourceContext:
    """Return what a source works with in a test: a clock without waiting and a quiet progress."""
    return SourceContext(base=str(base), clock=InstantClock(NOW), progress=Quiet(), cache=str(cache))


def source_settings(kind: str, **options: object) -> SourceSettings:
    """Return settings of a source called ``KIND/test``."""
    return SourceSettings(name=f"{kind}/test", kind=kind, options=options)


class SourceEnvironment(Protocol):
    """One place where images are in use, that the suite can fill and break."""

    resolves: bool
    """Whether the place can hold references with open parts (``${TAG}``)."""

    def plant(self, texts: Sequence[str]) -> None:
        """Put these images in use, each in a way of its own where there are several."""
        ...

    def break_it(self) -> None:
        """Make it unreadable in part or in whole: no rights, no answer, broken bytes."""
        ...

    def source(self) -> UsageSource:
        """Return the source under test, with SECRET among its credentials where it has any."""
        ...


def planted(count: int) -> tuple[str, ...]:
    """Return ``count`` references, by tag, by digest and by both in turn, none of them twice."""
    texts = []
    for number in range(count):
        digest = f"sha256:{number:064x}"
        repository = f"registry.example/team-{number % 3}/app-{number}"
        texts.append(
            (f"{repository}:v{number}", f"{repository}@{digest}", f"{repository}:v{number}@{digest}")[number % 3]
        )
    return tuple(texts)


class SourceSuite:
    """The tests. A subclass gives the fixture ``environment``; each test gets a new one."""

    how_many = 12

    def test_all_that_is_planted_comes_out(self, environment: SourceEnvironment) -> None:
        """N references planted mean N come out, each with a place, and the coverage is complete."""
        texts = planted(self.how_many)
        environment.plant(texts)
        report = environment.source().collect(NOW)
        assert {str(Reference.parse(text)) for text in texts} <= {str(usage.reference) for usage in report.usages}
        assert report.coverage.complete, report.coverage.gaps
        assert all(usage.where.strip() for usage in report.usages)
        assert report.examined >= 1

    def test_nothing_planted_is_a_complete_empty_answer(self, environment: SourceEnvironment) -> None:
        """A place where nothing is in use gives a complete answer without usages."""
        environment.plant(())
        report = environment.source().collect(NOW)
        assert report.coverage.complete, report.coverage.gaps
        assert not report.usages

    def test_everything_carries_the_name_and_the_time(self, environment: SourceEnvironment) -> None:
        """The report and all in it carry the policy's name of the source, and the time that was passed in."""
        environment.plant(planted(3))
        source = environment.source()
        report = source.collect(NOW)
        assert report.source == source.name
        assert report.taken_at == NOW
        assert {usage.source for usage in report.usages} == {source.name}

    def test_asking_again_gives_the_same_answer(self, environment: SourceEnvironment) -> None:
        """A source can be asked more than once, as apply does it, and what has not changed is told in the same way."""
        environment.plant(planted(3))
        source = environment.source()
        assert source.collect(NOW) == source.collect(NOW)

    def test_what_cannot_be_read_is_a_gap(self, environment: SourceEnvironment) -> None:
        """A place that cannot be read gives partial coverage with a reason, never an empty complete answer."""
        environment.plant(planted(3))
        environment.break_it()
        report = _answer(environment.source())
        assert report is None or not report.coverage.complete
        assert report is None or all(gap.strip() for gap in report.coverage.gaps)

    def test_open_references_are_told_as_such(self, environment: SourceEnvironment) -> None:
        """A reference with an open tag comes out unresolved, with the repository and a pattern that fits its tags."""
        if not environment.resolves:
            return
        environment.plant(("registry.example/team/app:v1-${BUILD}",))
        report = environment.source().collect(NOW)
        (entry,) = report.unresolved
        assert entry.repository == Repository("registry.example", "team/app")
        assert entry.tag_pattern == r"v1\-.*"
        assert entry.where

    def test_no_secret_comes_out(self, environment: SourceEnvironment) -> None:
        """Credentials are in no place, gap or note, whether the source answers or fails."""
        environment.plant(planted(3))
        assert SECRET not in repr(environment.source().collect(NOW))
        environment.break_it()
        source = environment.source()
        assert SECRET not in repr(source)
        assert SECRET not in repr(_answer(source))


def _answer(source: UsageSource) -> UsageReport | None:
    """Return the report, or None where the source raises an error of tagsweep's, which the caller turns into a gap."""
    from tagsweep.model.errors import TagsweepError  # noqa: PLC0415 - what is allowed, said beside the reason

    try:
        return source.collect(NOW)
    except TagsweepError as error:
        told = f"{error} {error.remedy}"
    assert SECRET not in told
    return None


def digest(number: int) -> Digest:
    """Return a digest for tests, another one for each number."""
    return Digest(f"sha256:{number:064x}")
