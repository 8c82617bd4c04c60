"""When a request is sent again, and after how long."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.http.curl_errors import TRUNCATED, UNTRUSTED
from tagsweep.http.limit import HostLimit
from tagsweep.http.retry import Retrier, RetryPolicy, backoff, told_pause
from tagsweep.model.errors import RateLimited, Unreachable
from tagsweep.ports import Request, Response
from tests.unit.http.helpers import NOON, FakeClock, Notes, Script, answer

NOON_UNIX = NOON.timestamp()

good_pauses: list[tuple[Mapping[str, str], float]] = [
    ({"retry-after": "7"}, 7.0),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, 30.0),
    ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0.0),
    ({"retry-after": str(int(NOON_UNIX) + 5)}, 5.0),
    ({"x-retry-after": str(int(NOON_UNIX) + 60)}, 60.0),
    ({"x-retry-after": str(int(NOON_UNIX) - 60)}, 0.0),
    ({"x-ratelimit-reset": str(int(NOON_UNIX) + 9)}, 9.0),
    ({"ratelimit-reset": "12"}, 12.0),
    ({"ratelimit-reset": "12;w=60"}, 12.0),
    ({"retry-after": "soon", "ratelimit-reset": "3"}, 3.0),
]


@pytest.mark.parametrize(("headers", "seconds"), good_pauses)
def test_the_pause_that_a_server_asks_for_is_read(headers: Mapping[str, str], seconds: float) -> None:
    """Seconds, HTTP dates and unix times are understood; a moment in the past is no wait, never a negative one."""
    assert told_pause(headers, NOON) == pytest.approx(seconds)


bad_pauses: list[Mapping[str, str]] = [{}, {"retry-after": "soon"}, {"x-retry-after": "-5"}, {"retry-after": "\uff11"}]


@pytest.mark.parametrize("headers", bad_pauses)
def test_an_unreadable_pause_is_none(headers: Mapping[str, str]) -> None:
    """What cannot be read leaves the wait to tagsweep's own back-off."""
    assert told_pause(headers, NOON) is None


@given(st.integers(1, 10_000), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_back_off_grows_and_stays_bounded(attempt: int, jitter: float) -> None:
    """A wait is at least half of its step, never longer than the longest, and large attempts do not overflow."""
    policy = RetryPolicy()
    wait = backoff(attempt, policy, jitter)
    assert 0 < wait <= policy.longest_wait
    assert wait <= backoff(attempt + 1, policy, jitter)


class Bench:
    """A retrier with a script of answers: statuses with headers, or errors."""

    def __init__(
        self, *answers: int | tuple[int, Mapping[str, str]] | Exception, policy: RetryPolicy | None = None
    ) -> None:
        self.queue = list(answers)
        self.clock, self.notes = FakeClock(), Notes()
        self.script = Script(self.respond)
        self.limit = HostLimit(8, self.clock)
        self.retrier = Retrier(
            self.script.send,
            limit=self.limit,
            clock=self.clock,
            progress=self.notes,
            place="registry.example.com",
            policy=policy,
            jitter=lambda: 1.0,
        )

    def respond(self, request: Request) -> Response | Exception:
        following = self.queue.pop(0)
        if isinstance(following, Exception):
            return following
        status, headers = following if isinstance(following, tuple) else (following, {})
        return answer(request, status, headers=headers)

    def send(self, method: str) -> int:
        return self.retrier.send(Request(method=method, url="https://registry.example.com/v2/")).status


LOST = Unreachable("the connection was lost")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_are_repeated_with_growing_waits(method: str) -> None:
    """A read survives lost connections and temporary errors."""
    bench = Bench(LOST, 503, 502, 504, 200)
    assert bench.send(method) == 200
    assert bench.clock.slept == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
@pytest.mark.parametrize("failure", [LOST, 502, 503, 504, 500])
def test_changes_are_not_repeated_where_they_may_have_happened(method: str, failure: int | Exception) -> None:
    """After a lost connection or a gateway's error nobody knows whether it was done, so it is sent once."""
    bench = Bench(failure, 200)
    if isinstance(failure, Exception):
        with pytest.raises(Unreachable):
            bench.send(method)
    else:
        assert bench.send(method) == failure
    assert len(bench.script.sent) == 1


@pytest.mark.parametrize("refusal", [(429, {"retry-after": "2"}), (503, {"retry-after": "2"}), (429, {})])
def test_a_change_that_the_server_did_not_begin_is_sent_again(refusal: tuple[int, Mapping[str, str]]) -> None:
    """429, and 503 with Retry-After, say that nothing was done."""
    bench = Bench(refusal, 202)
    assert bench.send("DELETE") == 202
    assert bench.clock.passed > 0


def test_patience_ends_with_the_last_answer() -> None:
    """After the last try the answer or the error is handed on as it is."""
    assert Bench(*[429] * 5).send("GET") == 429
    with pytest.raises(Unreachable):
        Bench(*[LOST] * 5).send("GET")


def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    """Waiting does not make it trusted."""
    bench = Bench(Unreachable("not trusted", code=UNTRUSTED), 200)
    with pytest.raises(Unreachable):
        bench.send("GET")
    assert bench.clock.slept == []


def test_a_pause_is_obeyed_and_told() -> None:
    """A person sees why nothing happens, once a pause, and only where it is long enough to notice."""
    bench = Bench((429, {"retry-after": "30"}), (429, {"retry-after": "1"}), 200)
    assert bench.send("GET") == 200
    assert bench.clock.passed == 31.0
    assert bench.notes.notes == ["registry.example.com answers 429: waiting 30 s as it asks"]


def test_a_pause_beyond_patience_fails_at_once() -> None:
    """Six hours are not waited for; the error says when to come back."""
    bench = Bench((429, {"retry-after": "21600"}), 200)
    with pytest.raises(RateLimited, match="21600 seconds") as caught:
        bench.send("GET")
    assert "360 minutes" in caught.value.remedy
    assert bench.clock.slept == []


def test_a_person_hears_of_a_connection_that_stays_lost() -> None:
    """One lost connection is no news; after the second, one note says why nothing happens."""
    bench = Bench(LOST, 200, LOST, LOST, LOST, 200)
    assert bench.send("GET") == 200
    assert bench.notes.notes == []
    assert bench.send("GET") == 200
    assert bench.notes.notes == ["the connection was lost; trying again"]


def test_a_cut_answer_is_tried_once_more_only() -> None:
    """Distribution cuts the answer for ever where a blob's file is gone, so patience would be wasted."""
    cut = Unreachable("cut", code=TRUNCATED)
    assert Bench(cut, 200).send("GET") == 200
    bench = Bench(cut, cut, 200)
    with pytest.raises(Unreachable):
        bench.send("GET")
    assert len(bench.script.sent) == 2
