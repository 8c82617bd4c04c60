"""The page of ``tagsweep plan``: what would go, what stays and why, on which evidence, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import quote

from tagsweep.model.decision import Verdict
from tagsweep.model.plan import GuardRefusal, Plan, RepositoryPlan, RuleCount
from tagsweep.report.canvas import PLAIN, Align, Column, Page, Piece, Screen, Span, Style
from tagsweep.report.evidence import NOT_REQUIRED, WAIVED, open_words, short_remedy
from tagsweep.report.groups import ClassGroup, ReasonGroup, group_classes
from tagsweep.report.terminal_evidence import source_answers
from tagsweep.report.totals import (
    ALONE,
    digests,
    forecast_of,
    manifests_in,
    shares_digests,
    space_of,
    space_words,
    step_words,
    unmatched,
    verdicts,
)
from tagsweep.report.units import agree, count, estimated, moment, plural
from tagsweep.report.words import columns, listed, padded, sampled

LOOKS = {Verdict.KEEP: Style.GOOD, Verdict.UNDECIDED: Style.WARN, Verdict.REMOVE: Style.BAD}
_LABEL = 12
_LONG_NAME = 20


def plan(plan: Plan, *, path: str, screen: Screen = PLAIN) -> str:
    """Return the whole plan for a person; ``path`` is the file that was written, as the user named it, or empty."""
    page = Page(screen)
    for repository in plan.repositories:
        _repository(page, repository)
    _evidence(page, plan)
    _rules(page, plan.rules)
    _summary(page, plan, path)
    _next(page, plan, path)
    return page.text()


def refused(refusals: Sequence[GuardRefusal], *, screen: Screen = PLAIN) -> str:
    """Return why a guard refuses the plan, and what can be done about each refusal."""
    page = Page(screen)
    page.line(Span("Refused", Style.BAD), f" by {plural(len(refusals), 'guard')}. Nothing was changed.")
    for refusal in refusals:
        page.gap()
        page.hanging(("  ", Span(refusal.guard, Style.TITLE), "  "), refusal.message)
        if refusal.repository:
            page.line(refusal.repository, indent=4)
        if refusal.remedy:
            page.hanging(("    ",), f"→ {refusal.remedy}", style=Style.DIM)
    return page.text()


def _repository(page: Page, repository: RepositoryPlan) -> None:
    tags = len(repository.decisions)
    found = verdicts(repository.decisions)
    stay = tags - found[Verdict.REMOVE]
    page.gap()
    page.line(Span(str(repository.repository), Style.TITLE))
    facts = [plural(tags, "tag"), plural(digests(repository), "digest")]
    facts += [space_words(repository.space) + " would be free"] if repository.space is not None else []
    page.paragraph("   ".join(facts), indent=2)
    page.gap()
    groups = group_classes(repository.decisions)
    page.table(_columns(), _class_rows(groups))
    page.gap()
    page.line(
        *(
            Span(
                f"remove {count(found[Verdict.REMOVE])}", LOOKS[Verdict.REMOVE] if found[Verdict.REMOVE] else Style.DIM
            ),
        ),
        f" of {plural(tags, 'tag')}; {count(stay)} {agree(stay, 'stays')}",
        f", {count(found[Verdict.UNDECIDED])} of them undecided" if found[Verdict.UNDECIDED] else "",
        indent=2,
    )
    if shares_digests(repository):
        page.paragraph(ALONE, style=Style.DIM, indent=2)
    for note in repository.notes:
        page.hanging(("  ", Span("note", Style.WARN), "  "), note)
    for title, verdict in (
        ("What would decide the undecided", Verdict.UNDECIDED),
        ("About those that the registry cannot remove", Verdict.KEEP),
    ):
        _remedies(
            page, title, (group for one in groups for group in one.groups if group.verdict is verdict), repository
        )


def _columns() -> tuple[Column, ...]:
    return (
        Column(most=16),
        Column(align=Align.RIGHT),
        Column(),
        Column(align=Align.RIGHT),
        Column(wraps=True),
    )


def _class_rows(classes: Iterable[ClassGroup]) -> Iterable[Sequence[Piece]]:
    for group in classes:
        first: tuple[Piece, Piece] = (Span(group.name, Style.TITLE), count(group.tags))
        for reasons in group.groups:
            one = f"{sampled(reasons.tags)}: " if len(reasons.tags) == 1 else ""
            yield (*first, *_verdict_cells(reasons), one + reasons.words)
            first = ("", "")
            if reasons.verdict is not Verdict.KEEP and not one:
                yield ("", "", "", "", Span(sampled(reasons.tags), Style.DIM))


def _verdict_cells(group: ReasonGroup) -> tuple[Span, Span]:
    look = LOOKS[group.verdict]
    return Span(group.verdict.value, look), Span(count(len(group.tags)), look)


def _remedies(page: Page, title: str, groups: Iterable[ReasonGroup], repository: RepositoryPlan) -> None:
    """Say once what can be done about each kind of these tags."""
    remedies: dict[str, int] = {}
    for group in groups:
        if words := short_remedy(group.reason, times=repository.capabilities.times):
            remedies[words] = remedies.get(words, 0) + len(group.tags)
    if remedies:
        page.gap()
        page.line(Span(title, Style.WARN), indent=2)
        rows = ((count(tags), words) for words, tags in remedies.items())
        page.table((Column(align=Align.RIGHT), Column(wraps=True)), rows, indent=4)


def _evidence(page: Page, plan: Plan) -> None:
    page.gap()
    label: Piece = Span("evidence".ljust(_LABEL), Style.TITLE)
    if plan.asked.waived:
        page.hanging((label,), NOT_REQUIRED if plan.evidence else WAIVED, style=Style.WARN)
        label = " " * _LABEL
    elif not plan.evidence:
        page.hanging((label,), "no source was asked", style=Style.WARN)
    source_answers(page, plan.evidence, label=label, now=plan.now, asked=plan.asked, sources=plan.sources)
    if words := open_words(plan):
        page.hanging((" " * _LABEL, Span("→ ", Style.WARN)), words)


def _rules(page: Page, rules: Sequence[RuleCount]) -> None:
    if not rules:
        return
    page.gap()
    label: Piece = Span("rules".ljust(_LABEL), Style.TITLE)
    totals: dict[str, tuple[int, int, list[str]]] = {}
    for rule in rules:
        matched, kept, samples = totals.get(rule.rule, (0, 0, []))
        totals[rule.rule] = (matched + rule.matched, kept + rule.kept, [*samples, *rule.samples])
    for name, (matched, kept, samples) in totals.items():
        if matched == 0:
            page.hanging((label, Span(name, Style.BAD), "  "), "MATCHED NO TAG: is it misspelt?", style=Style.BAD)
        else:
            words = f"matched {plural(matched, 'tag')}, {count(kept)} stay{'s' if kept == 1 else ''}"
            sample = f": {sampled(tuple(dict.fromkeys(samples)), total=matched)}" if samples else ""
            _named(page, label, name, words + sample)
        label = " " * _LABEL


def _named(page: Page, label: Piece, name: str, words: str) -> None:
    """Write what is to be said about a rule beside its name, or below it where the name is long."""
    if len(name) <= _LONG_NAME:
        page.hanging((label, f"{name}  "), words)
    else:
        page.hanging((label,), name)
        page.hanging((" " * (_LABEL + 2),), words)


def _summary(page: Page, plan: Plan, path: str) -> None:
    page.gap()
    space = space_of(repository.space for repository in plan.repositories)
    label = Span("frees".ljust(_LABEL), Style.TITLE)
    if space is None:
        page.hanging((label,), "not measured: add --sizes")
    else:
        words = f"{space_words(space)}: what no kept manifest uses, after the registry's own collection"
        page.hanging((label,), words)
    forecast = forecast_of(plan)
    steps = step_words(step for repository in plan.repositories for step in repository.steps)
    page.hanging((Span("steps".ljust(_LABEL), Style.TITLE),), steps)
    time = f"{estimated(forecast)} at this registry" if forecast is not None else "no forecast"
    total = f"{plural(plan.removals, 'tag')}, {plural(manifests_in(plan), 'manifest')}, {time}"
    words = f"{total}; valid until {moment(plan.valid_until)}"
    if columns(path) < _LABEL:
        page.hanging((Span(padded(path or "plan", _LABEL), Style.TITLE),), words)
    else:
        page.line(Span(path, Style.TITLE))
        page.hanging((" " * _LABEL,), words)


def _next(page: Page, plan: Plan, path: str) -> None:
    page.gap()
    if missing := unmatched(plan.rules):
        page.paragraph(f"Look first: {listed([f'“{name}”' for name in missing])} matched nothing.", style=Style.WARN)
    if plan.removals == 0:
        page.paragraph("Nothing was changed, and there is nothing to remove.")
        return
    page.line("Nothing was changed. Next:")
    page.line(Span(_explain(plan, page.screen.width), Style.COMMAND), indent=2)
    policy = f" -c {quote(plan.policy_path)}" if plan.policy_path else ""
    command = f"apply {quote(path)}" if path else f"plan{policy} -o plan.json"
    page.line(Span(f"tagsweep {command}", Style.COMMAND), indent=2)


def _explain(plan: Plan, width: int) -> str:
    """Return an example that can be copied, with a tag that goes if it fits into the line."""
    first = next(repository for repository in plan.repositories if repository.removed_tags)
    policy = f" -c {quote(plan.policy_path)}" if plan.policy_path else ""
    for tag in (*first.removed_tags[:1], "TAG"):
        command = f"tagsweep explain {first.repository}:{tag}{policy}"
        if len(command) <= width - 2:
            return command
    return f"tagsweep explain REF{policy}"
