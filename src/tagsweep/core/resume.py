"""Which steps are still to do, which may not be done yet or any more, and in which groups they run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, assert_never

from tagsweep.core.derived import Derived, derived_from
from tagsweep.model.plan import DeleteManifest, Step, Untag
from tagsweep.model.policy import ApplySettings, Wave, WaveCount, WavePercent
from tagsweep.model.reference import Digest
from tagsweep.model.run import OutcomeKind

_NOTHING_ELSE: Final[Mapping[str, tuple[str, ...]]] = {}


# --- what is left -------------------------------------------------------------------------------------------------
def remaining(steps: Sequence[Step], outcomes: Mapping[str, OutcomeKind]) -> tuple[Step, ...]:
    """Return the steps whose object is not known to be gone, in their order.

    What failed or was skipped is among them: its precondition is checked again before anything happens, and a step
    that was skipped only because of another one can go when that one has gone.
    """
    return tuple(step for step in steps if not _absent(step.key, outcomes))


# --- what has to be gone before a step ----------------------------------------------------------------------------
def prerequisites(steps: Sequence[Step]) -> Mapping[str, tuple[str, ...]]:
    """Return, by the key of a step, the keys of all steps of the same repository that must have gone before it.

    A manifest goes after what contains it or what it refers to, and after the tags that were on it: otherwise the
    deletion of the digest would take a tag whose own removal was refused. A signature's tag goes after the tags
    through which its subject is reached.
    """
    untags: defaultdict[Digest, list[str]] = defaultdict(list)
    deletes: dict[Digest, DeleteManifest] = {}
    for step in steps:
        match step:
            case Untag():
                untags[step.expects].append(step.key)
            case DeleteManifest():
                deletes[step.digest] = step
            case _:
                assert_never(step)
    found: dict[str, tuple[str, ...]] = {}
    for step in steps:
        match step:
            case Untag():
                first = tuple(_tags_of_subject(step, untags, deletes))
            case DeleteManifest():
                first = (*_deletions_before(step), *untags.get(step.digest, ()))
            case _:
                assert_never(step)
        if first:
            found[step.key] = first
    return found


def blocked_by(
    step: Step, outcomes: Mapping[str, OutcomeKind], needs: Mapping[str, tuple[str, ...]] = _NOTHING_ELSE
) -> str:
    """Return why ``step`` may not run, given how the steps before it ended; empty if nothing stands against it.

    ``needs`` are the :func:`prerequisites` of the whole plan of the repository; what the step itself says that it
    comes after is looked at in any case. A step that has not ended is as good as one that failed.
    """
    before = dict.fromkeys((*_deletions_before(step), *needs.get(step.key, ())))
    for key in before:
        if not _absent(key, outcomes):
            kind = outcomes.get(key)
            return f"{key!r} comes first and {'has not ended' if kind is None else f'was {kind.value}'}"
    return ""


def _deletions_before(step: Step) -> tuple[str, ...]:
    return tuple(f"delete {digest}" for digest in step.after) if isinstance(step, DeleteManifest) else ()


def _tags_of_subject(
    step: Untag, untags: Mapping[Digest, Iterable[str]], deletes: Mapping[Digest, DeleteManifest]
) -> Iterator[str]:
    """Yield the untag steps on the subject of a digest-derived tag, and on what the plan deletes above it."""
    derived = derived_from(step.tag)
    if not isinstance(derived, Derived):
        return
    seen = {derived.subject}
    todo = [derived.subject]
    while todo:
        digest = todo.pop()
        yield from (key for key in untags.get(digest, ()) if key != step.key)
        above = deletes[digest].after if digest in deletes else ()
        todo.extend(each for each in above if each not in seen)
        seen.update(above)


def _absent(key: str, outcomes: Mapping[str, OutcomeKind]) -> bool:
    kind = outcomes.get(key)
    return kind is not None and kind.absent


# --- groups -------------------------------------------------------------------------------------------------------
def waves(steps: Sequence[Step], settings: ApplySettings) -> tuple[tuple[Step, ...], ...]:
    """Return all steps in groups that run one after the other; the steps of one group may run together.

    A group holds steps of one depth only, so that nothing runs beside what it comes after. Groups are cut where a wave
    of ``settings`` ends, counted in tags; a wave that cannot hold all tags of the next digest ends before them. What
    has no tags goes with the last group of its depth. Whatever is left after the last wave is one more.
    """
    ends = _ends(settings.waves, total=sum(_tags(step) for step in steps))
    groups: list[tuple[Step, ...]] = []
    done = 0
    for _, level in groupby(steps, key=_level):
        group: list[Step] = []
        inside = 0
        tagless: list[Step] = []
        for step in level:
            count = _tags(step)
            if count == 0:
                tagless.append(step)
                continue
            if group and any(done < end < done + inside + count for end in ends):
                groups.append(tuple(group))
                done, inside, group = done + inside, 0, []
            group.append(step)
            inside += count
        groups.append((*group, *tagless))
        done += inside
    return tuple(groups)


def _level(step: Step) -> tuple[int, int]:
    """Return what must be equal for two steps to run together: the kind of step, and how deep it is."""
    match step:
        case Untag():
            return (0, 0 if derived_from(step.tag) is None else 1)
        case DeleteManifest():
            return (1, step.depth)
        case _:
            assert_never(step)


def _tags(step: Step) -> int:
    return 1 if isinstance(step, Untag) else len(step.tags)


def _ends(chosen: Sequence[Wave], *, total: int) -> tuple[int, ...]:
    """Return after how many tags in all each wave ends; a wave has at least one tag, and a share is rounded down."""
    ends: set[int] = set()
    for wave in chosen:
        match wave:
            case WaveCount():
                ends.add(max(1, wave.tags))
            case WavePercent():
                ends.add(max(1, int(total * wave.percent / 100)))
            case _:
                assert_never(wave)
    return tuple(sorted(ends))
