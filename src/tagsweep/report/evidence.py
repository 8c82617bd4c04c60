"""What the evidence sources of a plan said, in words: the same for terminal, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tagsweep.model.decision import Reason, UnresolvedReference, Verdict
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.plan import Plan, SourceAnswer
from tagsweep.model.policy import Evidence, SourceSettings
from tagsweep.report.reasons import open_remedy, reading_example, remedy
from tagsweep.report.units import age, agree, count, counted, duration, plural

WAIVED = "none was asked: the policy says “evidence: none”"
NOT_REQUIRED = "none is required: the policy says so; what the sources say still protects"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Things of one kind that a source said. ``alarming`` ones need a look, so more of them are shown."""

    label: str
    items: Sequence[str]
    alarming: bool = False

    def shown(self, *, most: int, few: int) -> tuple[Sequence[str], int]:
        """Return what is to be shown of them and how many are left out."""
        limit = most if self.alarming else few
        items = self.items if len(self.items) <= limit + 1 else self.items[:limit]  # as long as "and 1 more"
        return items, len(self.items) - len(items)


def listings(answer: SourceAnswer) -> Iterator[Listing]:
    """Yield what there is to list about an answer, what needs a look first; nothing of what is empty."""
    found = (
        Listing(label="gap", items=answer.gaps, alarming=True),
        Listing(label="unresolved", items=answer.unresolved, alarming=True),
        Listing(label="broken", items=answer.dangling, alarming=True),
        Listing(label="protecting", items=answer.protecting),
        Listing(label="ignored", items=answer.ignored),
        Listing(label="invalid", items=answer.invalid),
    )
    yield from (listing for listing in found if listing.items)


def explained(label: str) -> str:
    """Return what a label of a listing means."""
    words = {
        "gap": "what the source could not see",
        "unresolved": "open references that could mean any tag that fits",
        "broken": "references that name a tag or digest which does not exist",
        "protecting": "open references that the policy reads as in use, whatever fits",
        "ignored": "open references that the policy does not count",
        "invalid": "texts that no registry could have as an image, and charts that helm could not fill in",
    }
    return words[label]


def seen(answer: SourceAnswer, *, now: datetime, asked: Evidence, sources: Sequence[SourceSettings], where: str) -> str:
    """Return how old an answer is, what was looked through, and how much of that counts; ``where`` says in what."""
    words = f"{age(answer.taken_at, now)}; {counted(answer.examined, answer.unit)}, {count(answer.relevant)} {where}"
    if answer.remembered:
        kept = memory(answer.source, asked, sources)
        words += f", {count(answer.remembered)} of them only remembered"
        words += f" (for {duration(kept)})" if kept else ""
    if not asked.waived and answer.source not in asked.require:
        words += "; not required"
    return words


def memory(source: str, asked: Evidence, sources: Sequence[SourceSettings]) -> timedelta:
    """Return for how long what this source once said counts as in use."""
    own = next((entry.remember for entry in sources if entry.name == source), None)
    return asked.remember if own is None else own


def short_remedy(reason: Reason, *, times: frozenset[TimeOrigin] | None) -> str:
    """Return the remedy of a reason where many stand together; that of open references is said in the evidence."""
    if isinstance(reason, UnresolvedReference):
        return "a reference in use is not complete: see “unresolved” in the evidence"
    return remedy(reason, times=times)


def open_words(plan: Plan) -> str:
    """Return what can be done about the open references of a plan, word for word; empty where there are none."""
    reasons = [
        [reason for reason in decision.reasons if isinstance(reason, UnresolvedReference)]
        for repository in plan.repositories
        for decision in repository.decisions
        if decision.verdict is Verdict.UNDECIDED
    ]
    undecided = [found[0] for found in reasons if found]
    if undecided:
        tags = len(undecided)
        return f"{plural(tags, 'tag')} {agree(tags, 'stays')} for this: {open_remedy(undecided[0])}"
    source = next((answer.source for answer in plan.evidence if answer.unresolved), None)
    if source is None:
        return ""
    return f"No tag is undecided for these. How they are read is said so: {reading_example(source)}, or protect"
