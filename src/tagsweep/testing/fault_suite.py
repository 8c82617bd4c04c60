# ruff: noqa: S101 - a suite of tests states what it promises with assert
"""FaultSuite: the part of DriverSuite that breaks what the registry answers. One law runs through it: what a driver
returns is the truth, and where it does not know the truth, it raises.

It needs a harness that ``Interposes``: a registry in this process, or a proxy before a real one. Others are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from tagsweep.model.capability import Capabilities
from tagsweep.model.errors import ConfigurationError, NotFound, RegistryError
from tagsweep.model.reference import Digest
from tagsweep.ports import RegistryDriver
from tagsweep.testing import images
from tagsweep.testing.answers import error
from tagsweep.testing.faults import LOST_CONNECTION, Faults, Moment, RetryForm, TimedLimit
from tagsweep.testing.harness import Harness, Interposes
from tagsweep.testing.interposing import Perform, Rule, Stranger, connected, line_before, refused
from tagsweep.testing.wire import Answer, WireRequest

LISTING_FAULTS: Final = (0, 200, 401, 403, 404, 405, 409, 412, 500, 503)
"""Statuses of answers; 0 is a lost connection, 200 a log-in page of a proxy."""
LOOK_UP_FAULTS: Final = (0, 401, 403, 404, 405, 409, 412, 500, 503)
CHANGE_FAULTS: Final = (401, 403, 404, 405, 409, 412, 500, 502, 503, 504)
TOLD_FORMS: Final = tuple(form for form in RetryForm if form is not RetryForm.SILENT)
_MOST_REQUESTS: Final = 40
_PAUSE: Final = 30
_FAILED = (RegistryError, ConfigurationError)


class FaultSuite:
    """What every driver holds when the registry, or what is before it, fails. DriverSuite contains it."""

    # --- listings -------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("status", LISTING_FAULTS)
    def test_an_error_in_a_listing_is_no_shorter_list(self, harness: Harness, status: int) -> None:
        """Whichever request of a listing fails, once or for good, the list is complete or raises (hazards 42, 43)."""
        names = [f"build-{number}" for number in range(8)]
        for name in names:
            harness.seed(images.image(name), name)
        with line_before(harness) as (_, line):
            for lasting in (True, False):
                for at in range(1, _MOST_REQUESTS):
                    line.restart(_failing(at, status, lasting=lasting))
                    with connected(harness) as driver:
                        found = line.told(driver.list_tags, harness.repository)
                    if not isinstance(found, _FAILED):
                        assert sorted(tag.name for tag in found) == sorted(names), f"request {at} answered {status}"
                    if line.number < at:
                        break

    def test_listing_looks_at_no_manifest(self, harness: Harness, driver: RegistryDriver) -> None:
        """A listing fetches no manifest, which would count as a pull, and asks less than once for each tag."""
        for number in range(60):
            harness.seed(images.image(f"build {number % 7}"), f"build-{number}")
        with line_before(harness) as (_, line):
            assert len(driver.list_tags(harness.repository)) == 60  # noqa: PLR2004 - as many as were seeded
            fetched = [each.target for each in line.asked if each.method == "GET" and "/manifests/" in each.target]
            assert fetched == []
            assert line.number < 60  # noqa: PLR2004 - as many as were seeded

    # --- look-ups -------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("status", LOOK_UP_FAULTS)
    def test_a_failed_look_up_is_not_absence(self, harness: Harness, status: int) -> None:
        """Whatever fails, a look-up tells the truth or raises; None and False are for what is certainly absent."""
        image = images.multi_platform("looked up")
        harness.seed(image, "v1")
        repository, blob = harness.repository, next(iter(image.blobs))
        look_ups: dict[str, tuple[Callable[[RegistryDriver], Any], Any]] = {
            "tag": (lambda driver: driver.resolve_tag(repository, "v1"), image.top),
            "has": (lambda driver: driver.has_manifest(repository, image.top), True),
            "by tag": (lambda driver: driver.fetch_manifest(repository, "v1"), image.manifest),
            "by digest": (lambda driver: driver.fetch_manifest(repository, image.top), image.manifest),
            "has blob": (lambda driver: driver.has_blob(repository, blob), True),
            "blob": (lambda driver: driver.fetch_blob(repository, blob, max_bytes=100_000), image.blobs[blob]),
            "referrers": (lambda driver: driver.list_referrers(repository, image.top), None),
        }
        with line_before(harness) as (_, line):
            line.rule = _failing(1, status, lasting=True)
            for name, (look_up, truth) in look_ups.items():
                with connected(harness) as driver:
                    found = line.told(look_up, driver)
                assert isinstance(found, _FAILED) or found == truth, f"{name}: {status} was read as {found!r}"

    def test_a_tag_is_looked_up_anew_each_time(self, harness: Harness, driver: RegistryDriver) -> None:
        """A tag that was moved, or taken away, is seen to be: what a tag is on is never remembered."""
        old, new = images.image("old"), images.image("new")
        harness.seed(old, "v1")
        harness.seed(new, "stays")
        assert driver.list_tags(harness.repository)
        assert driver.resolve_tag(harness.repository, "v1") == old.top
        harness.seed(new, "v1")
        assert driver.resolve_tag(harness.repository, "v1") == new.top
        listed = {tag.name: tag.digest for tag in driver.list_tags(harness.repository)}
        assert listed["v1"] in (None, new.top)

    # --- changes --------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("status", CHANGE_FAULTS)
    def test_a_refused_deletion_is_an_error(self, harness: Harness, status: int) -> None:
        """A deletion that is answered with an error raises one; never is it "done" or "already gone"."""
        image = images.image("stays")
        harness.seed(images.image("other"), "v2")
        harness.seed(image, "v1", "latest")
        with line_before(harness) as (where, line):
            before = dict(harness.tags())
            for delete in _deletions(harness, image.top):
                with connected(harness) as driver:
                    known = driver.probe(harness.repository)
                    line.restart(_changes(where, lambda *_: refused(status)))
                    deleting = delete(driver, known)
                    found = line.told(deleting) if deleting is not None else None
                    line.restart(None)
                if deleting is not None:
                    assert isinstance(found, RegistryError), f"{status} was read as {found!r}"
                assert dict(harness.tags()) == before

    @pytest.mark.parametrize("status", [0, 500, 502, 504])
    def test_a_deletion_without_an_answer_is_sent_once(self, harness: Harness, status: int) -> None:
        """Where nobody knows whether it was done, it is not done again: the caller looks what is there."""
        image = images.image("maybe gone")
        with line_before(harness) as (where, line):
            for number in range(2):
                harness.seed(images.image("other"), "v2", "v3")
                harness.seed(image, "v1", "latest")
                with connected(harness) as driver:
                    deleting = _deletions(harness, image.top)[number](driver, driver.probe(harness.repository))
                    line.restart(_changes(where, _performed_and_lost(status)))
                    found = line.told(deleting) if deleting is not None else True
                    sent = [(each.method, each.target, each.body) for each in line.asked if where.is_change(each)]
                    line.restart(None)
                assert len(set(sent)) == len(sent), "a change was sent twice"
                assert isinstance(found, RegistryError) or not sent or found is True

    def test_a_tag_that_vanishes_before_its_deletion_is_no_error(
        self, harness: Harness, driver: RegistryDriver
    ) -> None:
        """Somebody else removes the tag between the look and the call: it is gone, and nothing else is."""
        image = images.image("raced")
        harness.seed(image, "v1", "latest")
        harness.seed(images.image("other"), "other")
        if not driver.probe(harness.repository).delete_tag.usable:
            pytest.skip("one tag cannot be deleted here")
        with line_before(harness) as (where, line):
            line.rule = _once_before_a_change(where, lambda: where.remove_tag("v1"))
            assert driver.delete_tag(harness.repository, "v1") in (False, True)
        assert harness.tags().keys() == {"latest", "other"}

    def test_a_repository_that_vanished_is_not_found(self, harness: Harness, driver: RegistryDriver) -> None:
        """A repository that is gone since it was listed is NotFound, and deleting in it is never "done"."""
        image = images.image("vanishes")
        harness.seed(image, "v1")
        with line_before(harness) as (where, line):
            deletions = [make(driver, driver.probe(harness.repository)) for make in _deletions(harness, image.top)]
            assert driver.list_tags(harness.repository)
            where.remove_repository()
            found = line.told(driver.list_tags, harness.repository)
            assert isinstance(found, NotFound)
            gone = line.told(driver.resolve_tag, harness.repository, "v1")
            assert gone is None or isinstance(gone, RegistryError)
            for deleting in deletions:
                done = line.told(deleting) if deleting is not None else False
                assert done is False or isinstance(done, RegistryError)

    # --- rate limits ----------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("form", TOLD_FORMS, ids=str)
    def test_a_pause_is_kept_as_it_was_told(self, harness: Harness, driver: RegistryDriver, form: RetryForm) -> None:
        """However the registry says when to come back, nobody comes before; then the right answer is given."""
        image = images.image("asked often")
        harness.seed(image, "v1")
        with line_before(harness) as (where, line):
            assert driver.resolve_tag(harness.repository, "v1") == image.top
            faults = Faults(rate_limit=TimedLimit(allowed=3, seconds=_PAUSE, clock=where.clock, form=form))
            refusals: list[int] = []

            def limited(_: int, request: WireRequest, perform: Perform) -> Answer:
                answer = faults.strike(request, Moment.BEFORE)
                if answer is not None:
                    refusals.append(answer.status)
                return answer or perform(request)

            line.restart(limited)
            slept = where.clock.slept
            for _ in range(9):
                assert driver.resolve_tag(harness.repository, "v1") == image.top
            assert [tag.name for tag in driver.list_tags(harness.repository)] == ["v1"]
            assert refusals
            assert where.clock.slept - slept >= len(refusals) * (_PAUSE - 1)

    def test_a_limited_deletion_waits_and_is_done(self, harness: Harness, driver: RegistryDriver) -> None:
        """A deletion that a limit refused is sent again after the pause, and not before."""
        harness.seed(images.image("other"), "latest", "other")
        harness.seed(images.image("limited"), "v1")
        if not driver.probe(harness.repository).delete_tag.usable:
            pytest.skip("one tag cannot be deleted here")
        with line_before(harness) as (where, line):
            left = [_PAUSE, _PAUSE]

            def limited(request: WireRequest, perform: Perform) -> Answer:
                if left:
                    return error(429, "TOOMANYREQUESTS", "slowly", headers={"Retry-After": str(left.pop())})
                return perform(request)

            line.rule = _changes(where, limited)
            slept = where.clock.slept
            assert driver.delete_tag(harness.repository, "v1") is True
            assert where.clock.slept - slept >= 2 * _PAUSE
        assert harness.tags().keys() == {"latest", "other"}

    # --- credentials ----------------------------------------------------------------------------------------------
    def test_errors_show_no_credentials(self, harness: Harness) -> None:
        """Also where a server repeats what it was sent, no error and no note shows a credential."""
        image = images.image("secret")
        harness.seed(image, "v1", "v2")
        with line_before(harness) as (_, line):
            for at in range(1, 8):
                with connected(harness) as driver:
                    line.restart(_echoing(at))
                    line.told(driver.resolve_tag, harness.repository, "v1")
                    line.told(driver.list_tags, harness.repository)
                    known = line.told(driver.probe, harness.repository)
                    shown = repr(driver) + (repr(known) if isinstance(known, Capabilities) else "")
                    assert not any(secret in shown for secret in line.secrets), "a credential is shown"

    @pytest.mark.parametrize("status", [302, 307])
    def test_a_redirect_to_another_host_takes_nothing_along(self, harness: Harness, status: int) -> None:
        """Whichever request is redirected elsewhere, no credential and no change goes there, and no answer is wrong."""
        image = images.image("redirected")
        harness.seed(image, "v1", "v2")
        with line_before(harness) as (where, line), Stranger() as stranger:
            for at in range(1, 6):
                line.restart(None)
                with connected(harness) as driver:
                    known = driver.probe(harness.repository)
                    line.restart(_redirecting(at, status, stranger))
                    listed = line.told(driver.list_tags, harness.repository)
                    assert isinstance(listed, _FAILED) or {tag.name for tag in listed} == {"v1", "v2"}
                    line.restart(_redirecting(1, status, stranger))
                    found = line.told(driver.resolve_tag, harness.repository, "v1")
                    assert isinstance(found, _FAILED) or found == image.top
                    for make in _deletions(harness, image.top):
                        deleting = make(driver, known)
                        done = line.told(deleting) if deleting is not None else None
                        assert done is None or isinstance(done, _FAILED), "a deletion was redirected and is done"
            stranger.check(line, where)
        assert harness.tags().keys() == {"v1", "v2"}

    def test_a_link_to_another_host_is_not_followed(self, harness: Harness) -> None:
        """A page whose next one is elsewhere is no end of the list: it is refused, and nothing is asked there."""
        names = {f"build-{number}" for number in range(12)}
        for name in names:
            harness.seed(images.image(name), name)
        with line_before(harness) as (where, line), Stranger() as stranger, connected(harness) as driver:
            driver.probe(harness.repository)
            line.restart(lambda _, request, perform: stranger.linked(perform(request), home=where.base))
            found = line.told(driver.list_tags, harness.repository)
            assert isinstance(found, _FAILED) or {tag.name for tag in found} == names
            assert stranger.asked == []


Deletion = Callable[[RegistryDriver, Capabilities], Callable[[], bool] | None]


def _deletions(harness: Harness, digest: Digest) -> tuple[Deletion, Deletion]:
    """Return the two ways to delete; each gives None where it is not usable."""

    def tag(driver: RegistryDriver, known: Capabilities) -> Callable[[], bool] | None:
        return (lambda: driver.delete_tag(harness.repository, "v1")) if known.delete_tag.usable else None

    def manifest(driver: RegistryDriver, known: Capabilities) -> Callable[[], bool] | None:
        return (lambda: driver.delete_manifest(harness.repository, digest)) if known.delete_manifest.usable else None

    return tag, manifest


def _failing(at: int, status: int, *, lasting: bool) -> Rule:
    def rule(number: int, request: WireRequest, perform: Perform) -> Answer:
        return refused(status) if number == at or (lasting and number > at) else perform(request)

    return rule


def _changes(where: Interposes, answer: Callable[[WireRequest, Perform], Answer]) -> Rule:
    return lambda _, request, perform: answer(request, perform) if where.is_change(request) else perform(request)


def _performed_and_lost(status: int) -> Callable[[WireRequest, Perform], Answer]:
    def answer(request: WireRequest, perform: Perform) -> Answer:
        perform(request)
        return LOST_CONNECTION if status == 0 else refused(status)

    return answer


def _once_before_a_change(where: Interposes, happen: Callable[[], None]) -> Rule:
    left = [happen]

    def answer(request: WireRequest, perform: Perform) -> Answer:
        if left:
            left.pop()()
        return perform(request)

    return _changes(where, answer)


def _redirecting(at: int, status: int, stranger: Stranger) -> Rule:
    def rule(number: int, request: WireRequest, perform: Perform) -> Answer:
        headers = {"Location": f"{stranger.base}{request.target}"}
        return Answer(status=status, headers=headers) if number >= at else perform(request)

    return rule


def _echoing(at: int) -> Rule:
    """Repeat the credentials that are sent, from the request ``at`` on, as careless servers do in their errors."""

    def rule(number: int, request: WireRequest, perform: Perform) -> Answer:
        sent = request.headers.get("authorization", "")
        return error(500, "UNKNOWN", f"not understood: {sent}") if number >= at and sent else perform(request)

    return rule
