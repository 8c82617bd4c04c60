"""How clean a repository is by the naming policy, and how that changed since it was last looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tagsweep.core.classify import Classifier
from tagsweep.model.inventory import Inventory
from tagsweep.model.policy import NamingClass
from tagsweep.model.reference import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What changed since the look ``at``. ``classes`` are the numbers of then, by the classes of today's policy."""

    at: datetime
    new: int
    gone: int
    moved: int
    classes: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanliness:
    """``unnamed`` tags are of no class; ``moved`` are of an immutable class and were seen on another digest before.

    ``since`` is None for a repository that was never looked at before.
    """

    unnamed: tuple[str, ...]
    moved: tuple[str, ...]
    since: Since | None


def cleanliness(
    inventory: Inventory,
    naming: Sequence[NamingClass],
    *,
    earlier: Mapping[str, frozenset[Digest]],
    last: tuple[datetime, Mapping[str, Digest | None]] | None,
) -> Cleanliness:
    """Return how clean the inventory is. ``earlier`` are the digests that tags were on before, ``last`` is the look
    before this one. A tag whose digest is not known on either side has not moved, as far as anyone can say.
    """
    classifier = Classifier(naming)
    immutable = {each.name for each in naming if each.immutable}
    now = {tag.name: tag.digest for tag in inventory.tags}
    moved = [
        name
        for name, digest in now.items()
        if digest is not None and earlier.get(name, frozenset()) - {digest} and classifier.class_of(name) in immutable
    ]
    return Cleanliness(
        unnamed=tuple(sorted(name for name in now if not classifier.class_of(name))),
        moved=tuple(sorted(moved)),
        since=_since(*last, now, classifier) if last is not None else None,
    )


def _since(
    at: datetime, then: Mapping[str, Digest | None], now: Mapping[str, Digest | None], classifier: Classifier
) -> Since:
    return Since(
        at=at,
        new=len(now.keys() - then.keys()),
        gone=len(then.keys() - now.keys()),
        moved=sum(
            None not in (then[name], digest) and then[name] != digest for name, digest in now.items() if name in then
        ),
        classes=Counter(map(classifier.class_of, then)),
    )
