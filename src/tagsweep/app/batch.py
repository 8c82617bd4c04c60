"""Removing many tags by one request, where the registry can: looks, intents and outcomes stay one for each tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from tagsweep.model.errors import ProtocolViolation, RegistryError, ServerFailed, Unreachable
from tagsweep.model.run import OutcomeKind

if TYPE_CHECKING:
    from tagsweep.model.plan import Untag
    from tagsweep.ports import DeletesMany

Ended: TypeAlias = tuple[OutcomeKind, str, RegistryError | None]
"""How a step ended, why, and the error where there was one."""
_TRIES: Final = 3
LOST: Final = "the answer was lost; a look showed that it is gone"
ABSENT: Final = "it was already absent"


def delete_batch(
    steps: Sequence[Untag],
    *,
    driver: DeletesMany,
    path: str,
    look: Callable[[Sequence[Untag]], Mapping[str, Ended | None]],
    intend: Callable[[Untag], None],
    ours: frozenset[str],
    wait: Callable[[int], None],
) -> dict[str, Ended]:
    """Remove the tags of ``steps``, at most the driver's largest batch, and return how each ended, by its key.

    ``look`` tells for each step how it ends without a call, None where everything is as it expects. ``ours`` are steps
    that an interrupted try of this run was about to do. A request whose answer was lost is sent again for what a new
    look still finds; ``wait`` is called before that.
    """
    ended: dict[str, Ended] = {}
    left = list(steps)
    for attempt in range(1, _TRIES + 1):
        found = look(left)
        left = [step for step in left if not _looked(step, found, ended, again=attempt > 1 or step.key in ours)]
        if not left:
            break
        if attempt == 1:
            for step in left:
                intend(step)
        try:
            answers = driver.delete_tags(path, {step.tag: step.expects for step in left})
        except (Unreachable, ServerFailed) as error:
            if attempt == _TRIES:
                ended.update({step.key: (OutcomeKind.FAILED, str(error), error) for step in left})
            else:
                wait(attempt)
            continue
        except RegistryError as error:
            ended.update({step.key: (OutcomeKind.FAILED, str(error), error) for step in left})
            break
        for step in left:
            ended[step.key] = _answered(answers.get(step.tag), step, again=attempt > 1 or step.key in ours)
        break
    return ended


def _looked(step: Untag, found: Mapping[str, Ended | None], ended: dict[str, Ended], *, again: bool) -> bool:
    known = found[step.key]
    if known is None:
        return False
    lost = again and known[0] is OutcomeKind.GONE
    ended[step.key] = (OutcomeKind.DONE, LOST, None) if lost else known
    return True


def _answered(answer: bool | RegistryError | None, step: Untag, *, again: bool) -> Ended:  # noqa: FBT001 (one of three)
    if answer is True:
        return OutcomeKind.DONE, "", None
    if answer is False:
        return (OutcomeKind.DONE, LOST, None) if again else (OutcomeKind.GONE, ABSENT, None)
    if answer is None:
        error: RegistryError = ProtocolViolation(
            f"the registry's answer does not say what became of the tag {step.tag}"
        )
        return OutcomeKind.FAILED, str(error), error
    return OutcomeKind.FAILED, str(answer), answer
