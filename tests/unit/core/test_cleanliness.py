"""How clean a repository is: what is not known is never called moved, and numbers of then use today's classes."""

from __future__ import annotations

from datetime import UTC, datetime

from tagsweep.core.cleanliness import Since, cleanliness
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.policy import NamingClass, Regex
from tagsweep.model.reference import Repository
from tests.unit.core.builders import digest

NAMING = (NamingClass(name="build", patterns=(Regex("b-[0-9]+"),), immutable=True),)
THEN, NOW = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def inventory(*tags: TagState) -> Inventory:
    """Return a repository with these tags."""
    return Inventory(repository=Repository("docker.io", "acme/app"), taken_at=NOW, tags=tags, manifests={})


def test_a_digest_that_is_not_known_has_not_moved() -> None:
    """A tag that did not resolve, now or then, is neither moved nor new; it is counted in its class."""
    found = cleanliness(
        inventory(TagState(name="b-1", digest=None), TagState(name="b-2", digest=digest("two"))),
        NAMING,
        earlier={"b-1": frozenset({digest("one")})},
        last=(THEN, {"b-1": digest("one"), "b-2": None, "x": digest("x")}),
    )
    assert found.moved == ()
    assert found.since == Since(at=THEN, new=0, gone=1, moved=0, classes={"build": 2, "": 1})


def test_a_tag_that_went_back_to_its_digest_has_still_moved() -> None:
    """An immutable tag that was on another digest in between is a finding for good."""
    tag = TagState(name="b-1", digest=digest("one"))
    found = cleanliness(inventory(tag), NAMING, earlier={"b-1": frozenset({digest("one"), digest("two")})}, last=None)
    assert (found.moved, found.since, found.unnamed) == (("b-1",), None, ())
