"""The page of `tagsweep init`: the families that were found, what the policy would remove today, and what is next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tagsweep.core.families import Family, FamilyKind
from tagsweep.model.decision import Verdict
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.plan import RepositoryPlan
from tagsweep.report.canvas import PLAIN, Align, Column, Page, Piece, Screen, Span, Style
from tagsweep.report.clauses import origin_words
from tagsweep.report.proposal import Proposal
from tagsweep.report.totals import verdicts
from tagsweep.report.units import agree, count, day, plural
from tagsweep.report.words import listed, sampled, short_tag

_MOST_VARIANTS = 4


def families_found(families: Sequence[Family], clock: TimeOrigin, *, screen: Screen = PLAIN) -> str:
    """Return the table of families alone, for whoever is about to be asked."""
    page = Page(screen)
    _families(page, families, clock)
    return page.text()


def proposal(proposal: Proposal, *, path: str, families: bool = True, screen: Screen = PLAIN) -> str:
    """Return the whole page. ``path`` is where the policy was written; ``families`` is False where they were shown."""
    page = Page(screen)
    for part in proposal.preview:
        page.line(Span(str(part.repository), Style.TITLE), f"   {plural(len(part.decisions), 'tag')}")
    page.gap()
    if families:
        _families(page, proposal.families, proposal.clock)
        page.gap()
    _preview(page, proposal)
    page.gap()
    _next(page, proposal, path)
    return page.text()


def _families(page: Page, families: Sequence[Family], clock: TimeOrigin) -> None:
    columns = (
        Column(heading="class", most=24),
        Column(heading="kind", most=16),
        Column(heading="tags", align=Align.RIGHT),
        Column(heading="oldest"),
        Column(heading="newest"),
        Column(heading="what they are", wraps=True),
    )
    page.table(columns, (_row(family) for family in families))
    page.paragraph(f"times: {origin_words(clock)}", style=Style.DIM, indent=2)


def _row(family: Family) -> Sequence[Piece]:
    return (
        Span(family.name, Style.TITLE),
        Span(family.kind.value, Style.WARN if family.temporary else Style.PLAIN),
        count(len(family.tags)),
        day(family.oldest) if family.oldest is not None else "-",
        day(family.newest) if family.newest is not None else "-",
        "; ".join(_facts(family)),
    )


def _facts(family: Family) -> Iterator[str]:
    yield sampled(family.tags, most=2)
    if family.variants:
        yield f"also with {listed(list(family.variants), most=_MOST_VARIANTS)}"
    if family.targets:
        shown = [f"{short_tag(tag)} → {short_tag(targets[0])}" for tag, targets in sorted(family.targets.items())]
        yield listed(shown, most=2)
    if family.moved:
        yield f"{count(len(family.moved))} moved"
    if family.doubt:
        yield f"stays: {family.doubt}"
    elif family.overruled:
        yield f"old ones may go by your word, although {family.overruled}"
    elif family.temporary:
        yield "old ones may go"
    elif family.kind is FamilyKind.DERIVED:
        yield "they follow their subject"


def _preview(page: Page, proposal: Proposal) -> None:
    but = ":" if proposal.chosen else ", if no evidence had to be asked:"
    page.line(Span("What the policy would remove today", Style.TITLE), but)
    for part in proposal.preview:
        page.hanging(("  ", Span(str(part.repository)), "  "), _removals(part))
    if _waits(proposal):
        page.paragraph(
            "None yet: this registry does not say when a tag was pushed, so the age of the builds counts from the day "
            "on which tagsweep first saw them, and what it saw first in one look is equally old and stays together. "
            "Run the plan again when there are newer builds, or write a smaller keep.",
            indent=2,
        )
    for refusal in proposal.refusals:
        page.hanging(("  ", Span("refused", Style.BAD), "  "), f"{refusal.guard}: {refusal.message}")
    page.paragraph(
        "Names and digests were read, and no manifest: the plan looks deeper, and may keep more.",
        style=Style.DIM,
        indent=2,
    )


def _waits(proposal: Proposal) -> bool:
    """Tell whether there are builds, and all of them are young because nobody knows how old they are."""
    builds = any(family.temporary for family in proposal.families)
    removed = any(part.removed_tags for part in proposal.preview)
    return builds and not removed and proposal.clock is TimeOrigin.FIRST_SEEN


def _removals(part: RepositoryPlan) -> str:
    found = verdicts(part.decisions)
    removed = found[Verdict.REMOVE]
    words = f"{plural(removed, 'tag')} of {count(len(part.decisions))}"
    if removed:
        words += f": {sampled(part.removed_tags, most=2)}"
    if found[Verdict.UNDECIDED]:
        undecided = found[Verdict.UNDECIDED]
        words += (
            f"; {count(undecided)} {agree(undecided, 'stays')} undecided, because something about them is not known"
        )
    return words


def _next(page: Page, proposal: Proposal, path: str) -> None:
    page.line(f"Nothing was changed. The policy is in {path}.")
    if not proposal.chosen:
        page.hanging(
            (Span("To do", Style.WARN), "  "),
            "choose the evidence in it: what must be asked before anything is removed. Until then no command reads it.",
        )
    page.line("Next: ", Span(f"tagsweep plan -c {path}", Style.COMMAND))
