"""The laws of schedules, against an oracle that walks over every minute of real time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.core.cron import Cron, parse_cron
from tagsweep.core.due import due, latest_date, next_date, since_known

MINUTE = timedelta(minutes=1)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
ZONES += ["America/Sao_Paulo", "Africa/Casablanca", "Pacific/Kiritimati"]
# Around changes of the clocks, quarter ends and leap days, where mistakes are.
DAYS = [(1, 1), (2, 28), (3, 1), (3, 10), (3, 29), (3, 31), (4, 5), (7, 1), (10, 1), (10, 25), (11, 1), (12, 30)]
TURNS = [datetime(year, month, day, tzinfo=UTC) for year in (2011, 2018, 2024, 2026) for month, day in DAYS]

law = settings(deadline=None, derandomize=True)
instants = st.builds(
    lambda turn, minutes: turn + timedelta(minutes=minutes), st.sampled_from(TURNS), st.integers(-2880, 2880)
)
zones = st.sampled_from(ZONES).map(ZoneInfo)


def _numbers(least: int, most: int) -> st.SearchStrategy[str]:
    some = st.lists(st.integers(least, most), min_size=1, max_size=3).map(lambda found: ",".join(map(str, found)))
    return st.one_of(st.just("*"), some)


days = st.sampled_from(["* * *", "* * 1", "1 * *", "1 1,4,7,10 *", "29 2 *", "*/2 * 1", "15 * 0", "30,31 12 *"])
crons = st.builds(
    lambda minute, hour, rest: parse_cron(f"{minute} {hour} {rest}"),
    st.integers(0, 59).map(str),
    _numbers(0, 23),
    days,
)


def wall_dates(cron: Cron, zone: ZoneInfo, begin: datetime, end: datetime) -> set[datetime]:
    """Return the dates between two instants the slow way: every minute that the wall shows, at its first showing.

    A minute that no clock shows is taken at the offset that held before it.
    """
    found = set()
    day = begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None) - timedelta(days=3)
    while day <= end.astimezone(zone).replace(tzinfo=None) + timedelta(days=3):
        if cron.on(day.date()) and day.hour in cron.hours and day.minute in cron.minutes:
            offsets = [day.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)]
            assert offsets[0] is not None
            instant = (day - offsets[0]).replace(tzinfo=UTC)
            if begin <= instant <= end:
                found.add(instant)
        day += MINUTE
    return found


@law
@given(now=instants, cron=crons, zone=zones)
def test_the_latest_and_the_next_date_are_those_of_the_oracle(now: datetime, cron: Cron, zone: ZoneInfo) -> None:
    """Within two days before and after, no date is missed, invented or out of order."""
    span = timedelta(days=2)
    near = wall_dates(cron, zone, now - span, now + span)
    before, after = [one for one in near if one <= now], [one for one in near if one > now]
    latest, upcoming = latest_date(now, cron, zone), next_date(now, cron, zone)
    if before:
        assert latest == max(before)
    else:
        assert latest is None or latest < now - span
    if after:
        assert upcoming == min(after)
    else:
        assert upcoming is None or upcoming > now + span


@law
@given(
    start=instants,
    steps=st.lists(st.integers(-3 * 24 * 60, 9 * 24 * 60), min_size=1, max_size=25),
    cron=crons,
    zone=zones,
)
def test_no_date_is_ever_done_twice(start: datetime, steps: list[int], cron: Cron, zone: ZoneInfo) -> None:
    """However the clock jumps, forward and back, each date is due at most once."""
    now = start
    done: list[datetime] = []
    for step in steps:
        now += timedelta(minutes=step)
        found = due(now, done, cron, zone)
        if found is not None:
            assert found <= now
            assert found not in done
            done.append(found)
        assert due(now, done, cron, zone) is None


@law
@given(start=instants, pauses=st.lists(st.integers(0, 40 * 24 * 60), min_size=1, max_size=12), cron=crons, zone=zones)
def test_after_any_pause_one_run_catches_up(start: datetime, pauses: list[int], cron: Cron, zone: ZoneInfo) -> None:
    """While time goes on, something is due exactly if a date passed since the last look, and then the latest one."""
    now = start
    done = [one for one in [latest_date(start, cron, zone)] if one is not None]
    for pause in pauses:
        before, now = now, now + timedelta(minutes=pause)
        latest = latest_date(now, cron, zone)
        found = due(now, done, cron, zone)
        if latest is not None and latest > before:
            assert found == latest
            done.append(latest)
        else:
            assert found is None


@law
@given(start=instants, pauses=st.lists(st.integers(0, 40 * 24 * 60), min_size=1, max_size=12), cron=crons, zone=zones)
def test_no_date_before_the_first_call_is_ever_due(
    start: datetime, pauses: list[int], cron: Cron, zone: ZoneInfo
) -> None:
    """From the first call on exactly the dates after it are due, and the one that it is the wake of."""
    wake = timedelta(hours=1)
    now, done, calls = start, list[datetime](), list[datetime]()
    for pause in [0, *pauses]:
        now += timedelta(minutes=pause)
        since, known = since_known(now, calls)
        assert (since, known) == (start - wake, bool(calls))
        calls.append(now)
        found = due(now, done, cron, zone, since=since)
        latest = latest_date(now, cron, zone)
        fresh = latest is not None and latest > start - wake and latest not in done
        assert found == (latest if fresh else None)
        if found is not None:
            done.append(found)


@law
@given(now=instants, ahead=st.integers(1, 9 * 24 * 60))
def test_a_call_that_is_still_to_come_is_no_first_call(now: datetime, ahead: int) -> None:
    """What a clock noted that was ahead does not make a schedule known, and holds none up."""
    since, known = since_known(now, [now + timedelta(minutes=ahead)])
    assert (since, known) == (now - timedelta(hours=1), False)
