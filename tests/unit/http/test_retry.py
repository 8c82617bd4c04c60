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
    ({"retry-after": "5, 8"}, 8.0),
    ({"x-ratelimit-reset": str(int(NOON_UNIX * 1000) + 4000)}, 4.0),
    ({"x-ratelimit-reset": "9", "x-ratelimit-remaining": "0"}, 9.0),
    ({"ratelimit-reset": "9", "ratelimit-remaining": "0;w=21600"}, 9.0),
    ({"x-retry-after": str(int(NOON_UNIX) + 60), "date": "Tue, 24 Nov 2026 12:00:50 GMT"}, 10.0),
    ({"retry-after": "Tue, 24 Nov 2026 09:00:30 GMT", "date": "Tue, 24 Nov 2026 09:00:00 GMT"}, 30.0),
    ({"retry-after": "7", "date": "Tue, 24 Nov 2026 09:00:00 GMT"}, 7.0),
]


@pytest.mark.parametrize(("headers", "seconds"), good_pauses)
def test_the_pause_that_a_server_asks_for_is_read(headers: Mapping[str, str], seconds: float) -> None:
    """Seconds, HTTP dates and unix times are understood; a moment that is past is no negative wait (hazard 42)."""
    assert told_pause(headers, NOON) == pytest.approx(seconds)


bad_pauses: list[Mapping[str, str]] = [
    {},
    {"retry-after": "soon"},
    {"retry-after": ""},
    {"x-retry-after": "-5"},
    {"retry-after": "\uff11"},
    {"retry-after": "9" * 400},
    {"retry-after": "40000000"},
    {"retry-after": "Tue, 24 Nov 9999 12:00:30 GMT"},
    {"x-ratelimit-reset": "9", "x-ratelimit-remaining": "12"},
]


@pytest.mark.parametrize("headers", bad_pauses)
def test_an_unreadable_pause_is_none(headers: Mapping[str, str]) -> None:
    """What cannot be read leaves the wait to tagsweep's own back-off."""
    assert told_pause(headers, NOON) is None


@given(st.text(), st.text())
@settings(max_examples=300, deadline=None)
def test_no_header_breaks_the_reading(text: str, date: str) -> None:
    """Whatever a server writes into its headers is a pause of less than a year, or none."""
    seconds = told_pause({"retry-after": text, "x-ratelimit-reset": text, "date": date}, NOON)
    assert seconds is None or 0 <= seconds < 366 * 86_400


def test_a_quota_speaks_only_where_a_rate_limit_refused() -> None:
    """Reset headers stand on every answer: after a fault they ask for no pause, nor say that nothing was done."""
    headers = {"x-ratelimit-reset": "3000", "x-ratelimit-remaining": "0"}
    assert told_pause(headers, NOON, quota=False) is None
    bench = Bench((503, headers), 202)
    assert bench.send("DELETE") == 503
    assert len(bench.script.sent) == 1
    bench = Bench((502, headers), 200)
    assert bench.send("GET") == 200
    assert bench.clock.passed == 0.5


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


def test_tries_end_with_the_last_answer() -> None:
    """After the last try at a fault the answer or the error is handed on as it is."""
    assert Bench(*[503] * 5).send("GET") == 503
    with pytest.raises(Unreachable):
        Bench(*[LOST] * 5).send("GET")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "POST"])
def test_pauses_that_were_obeyed_use_up_no_tries(method: str) -> None:
    """A registry may ask for any number of pauses, and faults between them still have all their tries."""
    asked: list[int | tuple[int, Mapping[str, str]]] = [(429, {"retry-after": "60"})] * 20
    faults: list[Exception] = [LOST] * 4 if method == "GET" else []
    bench = Bench(*asked, *faults, *asked, 200)
    assert bench.send(method) == 200
    assert bench.clock.passed == 40 * 60 + sum(bench.clock.slept[20:24] if faults else ())


def test_a_refusal_does_not_count_as_a_try_at_a_cut_answer() -> None:
    """A cut answer is tried once more even where a rate limit refused the request before."""
    assert Bench((429, {"retry-after": "1"}), Unreachable("cut", code=TRUNCATED), 200).send("GET") == 200


def test_a_limit_without_a_word_is_waited_for_with_growing_pauses() -> None:
    """429 without a header is waited for like a fault, up to the longest wait, and does not end after five tries."""
    bench = Bench(*[429] * 12, 200)
    assert bench.send("DELETE") == 200
    assert bench.clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0]
    assert bench.notes.notes[0] == "registry.example.com answers 429: waiting 8 s before the next try"


@pytest.mark.parametrize("told", ["0", str(int(NOON_UNIX) - 100)])
def test_a_pause_of_nothing_is_no_leave_to_hammer(told: str) -> None:
    """Come back at once is obeyed once; whoever then refuses again is given more time each time."""
    bench = Bench(*[(429, {"retry-after": told})] * 5, 200)
    assert bench.send("GET") == 200
    assert bench.clock.slept == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "headers", [{"retry-after": "20"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON_UNIX) + 20)}]
)
def test_a_403_of_a_rate_limit_is_waited_for(headers: Mapping[str, str]) -> None:
    """GitHub refuses with 403 as well; the headers tell it from a missing right."""
    bench = Bench((403, headers), 204)
    assert bench.send("DELETE") == 204
    assert bench.clock.passed == 20
    assert Bench((403, {"x-ratelimit-remaining": "41", "x-ratelimit-reset": "20"})).send("DELETE") == 403


def test_patience_ends_an_hour_after_the_last_good_answer() -> None:
    """The error says how long it was waited and when to come back, and the next call sends nothing before then."""
    bench = Bench(*[(429, {"retry-after": "600"})] * 7, 200)
    with pytest.raises(RateLimited, match=r"still answers 429 after 1 h of waiting") as caught:
        bench.send("DELETE")
    assert caught.value.remedy.startswith("run it again after 2026-11-24 13:10 UTC")
    assert bench.clock.passed == 3600
    with pytest.raises(RateLimited, match="still answers 429"):
        bench.send("DELETE")
    assert len(bench.script.sent) == 7
    bench.clock.sleep(600)
    assert bench.send("DELETE") == 200


def test_a_good_answer_gives_patience_back() -> None:
    """As long as the host does something now and then, a long sweep goes on."""
    answers: list[int | tuple[int, Mapping[str, str]]] = [*[(429, {"retry-after": "600"})] * 6, 202]
    bench = Bench(*answers * 3)
    assert [bench.send("DELETE") for _ in range(3)] == [202] * 3
    assert bench.clock.passed == 3 * 3600


def test_patience_ends_without_a_word_from_the_host_too() -> None:
    """A host that only ever says 429 is left after an hour, and each later call asks it once at most."""
    bench = Bench(*[429] * 200)
    with pytest.raises(RateLimited) as caught:
        bench.send("GET")
    assert "run it again later" in caught.value.remedy
    assert 3600 <= bench.clock.passed <= 3630
    sent = len(bench.script.sent)
    bench.clock.sleep(31)
    for _ in range(3):
        with pytest.raises(RateLimited):
            bench.send("GET")
    assert len(bench.script.sent) == sent + 1


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


def test_a_pause_beyond_the_longest_fails_at_once() -> None:
    """Six hours are not waited for; the error says when to come back, and until then nothing of the kind is sent."""
    bench = Bench((429, {"retry-after": "21600"}), 200, 200)
    with pytest.raises(RateLimited, match="asks to wait 6 h, and tagsweep waits 1 h at most") as caught:
        bench.send("GET")
    assert "after 2026-11-24 18:00 UTC" in caught.value.remedy
    assert caught.value.status == 429
    with pytest.raises(RateLimited, match="asks to wait 6 h"):
        bench.send("GET")
    assert len(bench.script.sent) == 1
    assert bench.send("HEAD") == 200, "Docker Hub counts pulls, not every request"
    assert bench.clock.slept == []
    bench.clock.sleep(21600)
    assert bench.send("GET") == 200


def test_a_long_pause_is_told_in_words() -> None:
    """Three quarters of an hour are waited for, and the note says so in minutes."""
    bench = Bench((429, {"retry-after": "2700"}), 200)
    assert bench.send("DELETE") == 200
    assert bench.notes.notes == ["registry.example.com answers 429: waiting 45 min as it asks"]


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
