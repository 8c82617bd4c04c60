"""The second half of the TensorZero story: quarter after quarter on a real registry, with nobody there."""

from __future__ import annotations

import pytest

from tagsweep.app.asked import Asked
from tagsweep.model.schedule import AttemptResult
from tests.e2e.attempts import ends, listener, run
from tests.e2e.kit import SHA, Place, gateway, part_of, policy, shared_with_release
from tests.e2e.seeding import add, seeded
from tests.real.servers import ServerKind

MORE = """\
schedule: {every: quarterly, at: "04:00", time_zone: Europe/Berlin}
"""
RECORD = "record: {changelog: CHANGELOG.md, reports: reports, notify: [{kind: slack, url_env: HOOK}]}\n"


@pytest.mark.real
def test_two_quarters_a_day_that_is_not_due_and_a_failure(place: Place) -> None:
    """Two sweeps leave two entries, a third that is not due none, and one that fails is recorded and told."""
    images = list(part_of(gateway(), each=14).images())
    builds = [one for one in images if all(SHA.fullmatch(tag) for tag in one.tags)]
    later = builds[-5:]
    with listener() as (url, got):
        asked = Asked(environ={"HOOK": url})
        with seeded(ServerKind.DISTRIBUTION_2_8, [one for one in images if one not in later]) as (server, first):
            text = policy(f"{server.host}/tensorzero/*", more=MORE)
            place.write(text.replace("record: {changelog: CHANGELOG.md}\n", RECORD))
            quarter = run(place, "2026-10-01 02:00", asked)  # 04:00 in Berlin, where it is still summer time
            alone = [tag for tag in first if SHA.fullmatch(tag) and tag not in shared_with_release(first)]
            assert (ends(quarter), quarter[0].report.removed) == ([AttemptResult.SWEPT], len(alone))
            second = add(server, later)
            assert run(place, "2026-12-24 18:00", asked) == ()
            assert run(place, "2027-01-01 02:59", asked) == ()
            quarter = run(place, "2027-01-01 03:00", asked)
            assert (ends(quarter), quarter[0].report.removed) == ([AttemptResult.SWEPT], len(second))
            assert run(place, "2027-03-31 23:59", asked) == ()
        failed = run(place, "2027-04-01 02:00", asked)  # the registry is no longer there
    assert (ends(failed), failed[0].report.exit_code) == ([AttemptResult.FAILED], 1)
    entries = place.changelog.read_text(encoding="utf-8")
    assert entries.count("### Registry sweep 20") == 2
    assert entries.count("### Registry sweep failed") == 1
    assert "scheduled for 2026-10-01 02:00 UTC" in entries
    assert "scheduled for 2027-01-01 03:00 UTC" in entries
    told = [one["text"] for one in got]
    assert told[0] == f"tagsweep: {len(alone)} tags removed from 1 repository"
    assert told[2] == "tagsweep: The sweep failed"
    assert len(told) == 3
