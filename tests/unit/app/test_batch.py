"""Many tags by one request: each has its own look, intent and outcome, and a lost answer is not taken for a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from tagsweep.app.batch import Ended, delete_batch
from tagsweep.model.errors import Conflict, PermissionDenied, RegistryError, Unreachable
from tagsweep.model.plan import Untag
from tagsweep.model.reference import Digest
from tagsweep.model.run import OutcomeKind

DIGEST = Digest("sha256:" + "a" * 64)


class Registry:
    """A registry that deletes many tags at once; ``before`` and ``after`` are called around each deletion."""

    largest_batch = 100

    def __init__(self, *tags: str, refused: Mapping[str, RegistryError] | None = None) -> None:
        self.tags = set(tags)
        self.refused = dict(refused or {})
        self.asked: list[list[str]] = []
        self.looks: list[int] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def delete_tags(self, repository: str, tags: Mapping[str, Digest]) -> Mapping[str, bool | RegistryError]:
        """Delete what is there and not refused."""
        assert repository == "acme/api"
        self.asked.append(sorted(tags))
        self.before()
        answers: dict[str, bool | RegistryError] = {}
        for tag in tags:
            if tag in self.refused:
                answers[tag] = self.refused[tag]
            else:
                answers[tag] = tag in self.tags
                self.tags.discard(tag)
        self.after()
        return answers

    def look(self, steps: Sequence[Untag]) -> Mapping[str, Ended | None]:
        """Tell which tags are there."""
        self.looks.append(len(steps))
        gone: Ended = (OutcomeKind.GONE, "it was already absent", None)
        return {step.key: None if step.tag in self.tags else gone for step in steps}


def steps(*tags: str) -> list[Untag]:
    """Return a step for each tag."""
    return [Untag(tag=tag, expects=DIGEST) for tag in tags]


def run(registry: Registry, *tags: str, ours: frozenset[str] = frozenset()) -> tuple[dict[str, OutcomeKind], list[str]]:
    """Delete the tags and return how each ended, and the intents in their order."""
    intents: list[str] = []
    todo = steps(*tags)
    ended = delete_batch(
        todo,
        driver=registry,
        path="acme/api",
        look=registry.look,
        intend=lambda step: intents.append(step.tag),
        ours=ours,
        wait=lambda _: None,
    )
    return {step.tag: ended[step.key][0] for step in todo}, intents


def test_each_tag_has_its_own_end() -> None:
    """One that goes, one that was gone before and one that is refused end each in their own way, by one request."""
    registry = Registry("a", "c", refused={"c": Conflict("locked")})
    kinds, intents = run(registry, "a", "b", "c")
    assert kinds == {"a": OutcomeKind.DONE, "b": OutcomeKind.GONE, "c": OutcomeKind.FAILED}
    assert intents == ["a", "c"]
    assert registry.asked == [["a", "c"]]


def test_what_the_answer_does_not_mention_has_failed() -> None:
    """A tag of which the answer says nothing is not taken for deleted."""

    class Silent(Registry):
        def delete_tags(self, repository: str, tags: Mapping[str, Digest]) -> Mapping[str, bool | RegistryError]:
            return {} if repository and tags else {"": False}

    assert run(Silent("a"), "a")[0] == {"a": OutcomeKind.FAILED}


def test_a_lost_answer_is_followed_by_a_look() -> None:
    """Where the answer is lost after the deletion, a look shows that it is done, and nothing is asked twice."""
    registry = Registry("a", "b")

    def lose() -> None:
        raise Unreachable("lost")

    registry.after = lose
    kinds, intents = run(registry, "a", "b")
    assert kinds == {"a": OutcomeKind.DONE, "b": OutcomeKind.DONE}
    assert intents == ["a", "b"]
    assert registry.asked == [["a", "b"]]


def test_a_request_that_never_arrives_is_sent_again_and_then_given_up() -> None:
    """Where nothing was deleted it is tried three times, with one intent, and then every tag has failed."""
    registry = Registry("a")

    def refuse() -> None:
        raise Unreachable("no way")

    registry.before = refuse
    kinds, intents = run(registry, "a")
    assert kinds == {"a": OutcomeKind.FAILED}
    assert len(registry.asked) == 3
    assert intents == ["a"]


def test_a_refused_request_fails_every_tag_once() -> None:
    """A missing right is not asked for again."""
    registry = Registry("a", "b")

    def refuse() -> None:
        raise PermissionDenied("no")

    registry.before = refuse
    assert set(run(registry, "a", "b")[0].values()) == {OutcomeKind.FAILED}
    assert len(registry.asked) == 1


@pytest.mark.parametrize(("ours", "expected"), [(frozenset(), OutcomeKind.GONE), (frozenset({"a"}), OutcomeKind.DONE)])
def test_what_an_interrupted_try_did_is_its_own(ours: frozenset[str], expected: OutcomeKind) -> None:
    """A tag that is gone after an intent of this run was removed by this run."""
    keys = frozenset(step.key for step in steps(*ours))
    assert run(Registry(), "a", ours=keys)[0] == {"a": expected}


def test_all_tags_are_looked_at_together_and_once() -> None:
    """Before a request each tag is looked at once: a hundred tags cost a hundred looks, not ten thousand."""
    registry = Registry("a", "b", "c")
    run(registry, "a", "b", "c", "gone")
    assert registry.looks == [4]
    assert registry.asked == [["a", "b", "c"]]
