"""One round of ``tagsweep watch``: what each source said, and the one line that a log gets about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tagsweep.report.units import count, duration, plural
from tagsweep.report.words import clean, listed, short_hashes, to_ascii

_MOST: Final = 2
_LONGEST: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one source said in a round. ``new`` and ``gone`` are ``reference (place)`` against its round before.

    In the first round nothing is new. While there are gaps nothing is gone: what was not seen may still be there.
    ``error`` is why there is no answer at all, or why it could not be remembered.
    """

    source: str
    places: int = 0
    unresolved: int = 0
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All sources asked once. ``number`` begins at 1."""

    number: int
    at: datetime
    took: timedelta
    told: tuple[Told, ...]

    @property
    def complete(self) -> bool:
        """Whether every source was asked and what it said is remembered; there may be gaps in it."""
        return not any(told.error for told in self.told)

    def trouble(self, required: Collection[str]) -> str:
        """Return why the round does not suffice: an error, or a gap in a source that is required; or nothing."""
        for told in self.told:
            if told.error or (told.gaps and told.source in required):
                return f"{told.source}: {told.error or told.gaps[0]}"
        return ""


def line(round_: Round, *, unicode: bool = True) -> str:
    """Return the round as one line, bounded in length, safe for terminals and logs."""
    told = round_.told
    changes = ""
    if round_.number > 1:
        changes = f" (+{count(sum(len(t.new) for t in told))} -{count(sum(len(t.gone) for t in told))})"
    parts = [f"{plural(sum(t.places for t in told), 'place')} in use{changes}"]
    if unresolved := sum(t.unresolved for t in told):
        parts.append(f"{count(unresolved)} unresolved")
    parts += [part for each in told for part in _parts(each)]
    parts.append(f"took {duration(round_.took)}")
    text = clean(f"{round_.at:%Y-%m-%dT%H:%M:%SZ}  {'; '.join(parts)}")
    return text if unicode else to_ascii(text)


def _parts(told: Told) -> Iterator[str]:
    for label, items in (("new", told.new), ("gone", told.gone), ("gap", told.gaps)):
        if items:
            yield f"{told.source}: {label} {_some(items)}"
    if told.error:
        yield f"{told.source}: ERROR {_cut(told.error)}"


def _some(items: Sequence[str]) -> str:
    return listed([_cut(short_hashes(item)) for item in items[: _MOST + 1]], most=_MOST, total=len(items))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
