# ruff: noqa: S101 - a suite of tests states what it promises with assert
"""AbilitySuite: the part of DriverSuite about lists of every length, times, locks, moved tags, and what only some
drivers can: removing many tags at once, taking back, telling the tags of a digest.
"""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from tagsweep.model.capability import Capabilities
from tagsweep.model.errors import RegistryError, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.reference import Digest
from tagsweep.ports import DeletesMany, ReadsTimes, RegistryDriver, TakesBack, TellsTags
from tagsweep.testing import images
from tagsweep.testing.harness import Harness, Locks
from tagsweep.testing.interposing import line_before, web_page
from tagsweep.testing.wire import Answer

LENGTHS = (1, 9, 10, 11, 49, 50, 51, 99, 100, 101, 201)
"""Around the pages of the registries' APIs: 10, 50 and 100."""
EMPTY = Answer(status=200, headers={"Content-Type": "application/json"}, body=b"{}")
NOBODYS = Digest("sha256:" + "0" * 64)


class AbilitySuite:
    """What every driver holds that can do these things. DriverSuite contains it."""

    # --- listing --------------------------------------------------------------------------------------------------
    def test_lists_of_every_length_are_complete(self, harness: Harness, driver: RegistryDriver) -> None:
        """Whether a page is not full, exactly full or followed by one tag, every tag is listed once.

        Two tags share a digest each time: some registries page by tag, others by image.
        """
        names: list[str] = []
        for length in LENGTHS:
            for number in range(len(names), length):
                names.append(f"build-{number}")
                harness.seed(images.image(f"digest {number // 2}"), names[-1])
            found = [tag.name for tag in driver.list_tags(harness.repository)]
            assert len(found) == length
            assert set(found) == set(names)

    def test_times_are_those_that_are_declared(self, harness: Harness, driver: RegistryDriver) -> None:
        """Every time that is told has a declared origin and an offset, and no push is told that is an image's age."""
        long_ago = images.LONG_AGO - timedelta(days=5000, seconds=7)
        harness.seed(images.image("old", created=long_ago), "v1", "v2")
        harness.seed(images.image("new", created=long_ago), "v3")
        for known in (driver.capabilities(harness.repository), driver.probe(harness.repository)):
            for tag in driver.list_tags(harness.repository):
                assert tag.times.keys() <= known.times
                for origin, time in tag.times.items():
                    assert time.utcoffset() is not None
                    assert origin is TimeOrigin.CREATED or time.astimezone(UTC) != long_ago
        if isinstance(driver, ReadsTimes):
            told = driver.read_times(harness.repository, "v1") if driver.detailed_times else {}
            assert told.keys() <= driver.detailed_times
            assert all(told[at] != long_ago for at in told if at is not TimeOrigin.CREATED)

    def test_locked_tags_are_told(self, harness: Harness, driver: RegistryDriver) -> None:
        """A tag that the registry would refuse to remove is listed with the reason, and no other is."""
        if not isinstance(harness, Locks):
            pytest.skip("nothing can be locked here")
        harness.seed(images.image("locked"), "locked")
        harness.seed(images.image("free"), "free")
        harness.lock("locked")
        listed = {tag.name: tag.locked for tag in driver.list_tags(harness.repository)}
        assert listed["locked"]
        assert not listed["free"]
        if not driver.probe(harness.repository).delete_tag.usable:
            return
        with pytest.raises(RegistryError):
            driver.delete_tag(harness.repository, "locked")
        assert harness.tags().keys() == {"locked", "free"}

    # --- a tag that moves between the plan and the call -----------------------------------------------------------
    def test_the_planned_digest_goes_and_not_where_its_tag_went(self, harness: Harness, driver: RegistryDriver) -> None:
        """Deleting a manifest deletes that digest, though its tag was moved to another one meanwhile."""
        planned, newer = images.image("planned"), images.image("newer")
        harness.seed(planned, "v1")
        harness.seed(newer, "v2")
        if not driver.probe(harness.repository).delete_manifest.usable:
            pytest.skip("manifests cannot be deleted here")
        assert driver.list_tags(harness.repository)
        assert driver.resolve_tag(harness.repository, "v1") == planned.top
        harness.seed(newer, "v1")
        assert driver.delete_manifest(harness.repository, planned.top) is True
        assert dict(harness.tags()) == {"v1": newer.top, "v2": newer.top}
        assert driver.has_manifest(harness.repository, newer.top)

    def test_a_moved_tag_takes_along_nothing_of_either_digest(self, harness: Harness, driver: RegistryDriver) -> None:
        """Removing a tag that was moved leaves the other tags of the digest it was on, and of the one it is on."""
        planned, newer = images.image("planned"), images.image("newer")
        harness.seed(planned, "v1", "release")
        harness.seed(newer, "latest")
        if not driver.probe(harness.repository).delete_tag.usable:
            pytest.skip("one tag cannot be deleted here")
        assert driver.list_tags(harness.repository)
        harness.seed(newer, "v1")
        assert driver.delete_tag(harness.repository, "v1") is True
        assert dict(harness.tags()) == {"release": planned.top, "latest": newer.top}
        assert driver.has_manifest(harness.repository, planned.top)
        assert driver.has_manifest(harness.repository, newer.top)

    # --- many at once ---------------------------------------------------------------------------------------------
    def test_many_tags_go_at_once_and_each_is_told(self, harness: Harness, driver: RegistryDriver) -> None:
        """Each tag of a batch is told for itself: removed, absent, or with its error; nothing else goes."""
        image = images.multi_platform("shared")
        harness.seed(image, "sha-1", "latest")
        harness.seed(images.image("two"), "sha-2", "v2")
        batch = _batch(harness, driver)
        wanted = {"sha-1": image.top, "sha-2": harness.tags()["sha-2"], "never": NOBODYS}
        done = batch.delete_tags(harness.repository, wanted)
        assert dict(done) == {"sha-1": True, "sha-2": True, "never": False}
        assert harness.tags().keys() == {"latest", "v2"}
        assert all(driver.has_manifest(harness.repository, each.digest) for each in image.manifests)

    def test_what_a_batch_does_not_tell_is_not_done(self, harness: Harness, driver: RegistryDriver) -> None:
        """A batch whose answer names none of the tags, or is no answer, is an error for each or for all."""
        image = images.image("kept")
        harness.seed(image, "sha-1", "latest")
        batch = _batch(harness, driver)
        with line_before(harness) as (where, line):
            for answer in (EMPTY, web_page(200), web_page(403), web_page(500)):
                line.rule = lambda _, request, perform, answer=answer: (
                    answer if where.is_change(request) else perform(request)
                )
                try:
                    done = batch.delete_tags(harness.repository, {"sha-1": image.top})
                except RegistryError:
                    continue
                assert not isinstance(done.get("sha-1"), bool)
        assert harness.tags().keys() == {"sha-1", "latest"}

    def test_a_batch_that_is_not_known_to_work_is_not_tried(self, harness: Harness, driver: RegistryDriver) -> None:
        """Without the probed ability to remove a tag a batch raises Unsupported and sends nothing."""
        image = images.image("kept")
        harness.seed(image, "v1")
        if not isinstance(driver, DeletesMany) or driver.capabilities(harness.repository).delete_tag.usable:
            pytest.skip("nothing to refuse here")
        sent = harness.changes()
        with pytest.raises(Unsupported):
            driver.delete_tags(harness.repository, {"v1": image.top})
        assert harness.changes() == sent

    # --- the registry's own undo ----------------------------------------------------------------------------------
    def test_taking_back_is_told_only_where_it_is_done(self, harness: Harness, driver: RegistryDriver) -> None:
        """Where the registry takes a deletion back, the tag is on its digest again; False where it does not."""
        image = images.image("taken back")
        harness.seed(images.image("other"), "other", "another")
        harness.seed(image, "v1")
        if not isinstance(driver, TakesBack):
            pytest.skip("this registry has no undo of its own")
        _delete(harness, driver, driver.probe(harness.repository), image.top)
        assert "v1" not in harness.tags()
        if driver.take_back(harness.repository, image.top, ["v1"]):
            assert harness.tags().get("v1") == image.top
            assert driver.has_manifest(harness.repository, image.top)
        assert harness.tags().keys() >= {"other", "another"}

    def test_what_never_was_is_not_taken_back(self, harness: Harness, driver: RegistryDriver) -> None:
        """Taking back a digest that nobody had is False or an error, never "done"."""
        harness.seed(images.image("other"), "other")
        if not isinstance(driver, TakesBack):
            pytest.skip("this registry has no undo of its own")
        driver.probe(harness.repository)
        try:
            assert driver.take_back(harness.repository, NOBODYS, ["never"]) is False
        except RegistryError:
            return
        assert harness.tags().keys() == {"other"}

    def test_the_tags_of_a_digest_are_told(self, harness: Harness, driver: RegistryDriver) -> None:
        """A registry that tells which tags are on a digest tells all of them; None for what it does not know."""
        image = images.multi_platform("several")
        harness.seed(image, "v1", "latest", "sha-1")
        harness.seed(images.image("other"), "other")
        if not isinstance(driver, TellsTags):
            pytest.skip("this registry does not tell the tags of a digest")
        assert driver.tags_on(harness.repository, image.top) in ({"v1", "latest", "sha-1"}, None)
        assert not driver.tags_on(harness.repository, NOBODYS)


def _batch(harness: Harness, driver: RegistryDriver) -> DeletesMany:
    if not isinstance(driver, DeletesMany):
        pytest.skip("this registry removes one tag at a time")
    if not driver.probe(harness.repository).delete_tag.usable:
        pytest.skip("tags cannot be deleted here")
    return driver


def _delete(harness: Harness, driver: RegistryDriver, known: Capabilities, digest: Digest) -> None:
    if known.delete_manifest.usable:
        assert driver.delete_manifest(harness.repository, digest)
    elif known.delete_tag.usable:
        assert driver.delete_tag(harness.repository, "v1")
    else:
        pytest.skip("this registry deletes nothing")
