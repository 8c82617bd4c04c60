"""A plan or a sweep as Markdown, for pull-request comments, job summaries and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tagsweep.model.decision import Decision, Verdict
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.plan import Plan, RepositoryPlan, Space
from tagsweep.model.run import Finding, SweepReport
from tagsweep.report.evidence import NOT_REQUIRED, WAIVED, explained, listings, open_words, seen, short_remedy
from tagsweep.report.groups import ReasonGroup, group_classes
from tagsweep.report.markdown_text import cell, code, escape, table
from tagsweep.report.results import RepositoryResult, put_back, results_of, totals_of
from tagsweep.report.totals import ALONE, forecast_of, manifests_in, shares_digests, space_of, space_words, unmatched
from tagsweep.report.units import count, duration, estimated, moment, plural
from tagsweep.report.words import short_tags

_MOST_IN_COMMENT = 200
_LONGEST = 60_000
"""A comment on GitHub has at most 65,536 characters; the rest is for what a workflow adds."""
_CUT = "**This is not all: it was too long for a comment. The plan file has the rest.**\n"
_MOST_PROBLEMS = 20
_SAMPLES = 3


def plan(plan: Plan) -> str:
    """Return a plan for reviewers: what would go and why, on which evidence. It fits into a comment on GitHub.

    Long lists of tags are cut; where that is not enough they are left out, and then the end is. Each says so.
    """
    listing = sum(1 for repository in plan.repositories if repository.removed_tags)
    text = "\n".join(_plan_lines(plan, most=max(_MOST_IN_COMMENT // max(listing, 1), 1))) + "\n"
    if len(text) > _LONGEST:
        text = "\n".join(_plan_lines(plan, most=0)) + "\n"
    if len(text) > _LONGEST:
        text = text[: text.rindex("\n", 0, _LONGEST - len(_CUT)) + 1] + f"\n{_CUT}"
    return text


def sweep(report: SweepReport) -> str:
    """Return the record of a sweep, with every removed tag."""
    return "\n".join(_sweep_lines(report)) + "\n"


# --- plan ---------------------------------------------------------------------------------------------------------
def _plan_lines(plan: Plan, *, most: int) -> Iterator[str]:
    yield f"## Tag sweep plan: {plural(plan.removals, 'tag')} would go"
    yield ""
    forecast = forecast_of(plan)
    time = f", {estimated(forecast)}" if forecast is not None else ""
    yield (
        f"Plan {code(plan.id)} of {moment(plan.now)}, valid until {moment(plan.valid_until)}: "
        f"{plural(plan.removals, 'tag')}, {plural(manifests_in(plan), 'manifest')}{time}. **Nothing was changed.**"
    )
    yield ""
    space = space_of(repository.space for repository in plan.repositories)
    freed = space_words(space) + ", after the registry's own collection" if space is not None else "not measured"
    yield f"Frees: {freed}."
    for name in unmatched(plan.rules):
        yield ""
        yield f"**Rule {escape(name)} matched no tag: is it misspelt?**"
    for repository in plan.repositories:
        yield ""
        yield from _plan_repository(repository, most)
    yield ""
    yield from _evidence(plan)


def _plan_repository(repository: RepositoryPlan, most: int) -> Iterator[str]:
    yield f"### {code(str(repository.repository))}"
    yield ""
    yield from _reasons_table(repository.decisions, repository.capabilities.times)
    if shares_digests(repository):
        yield ""
        yield ALONE
    for note in repository.notes:
        yield ""
        yield f"Note: {escape(note)}"
    going = [decision for decision in repository.decisions if decision.verdict is Verdict.REMOVE]
    if going and most:
        yield ""
        yield from _tags_in_details("Tags that would go", going, most=most)
    elif going:
        yield ""
        yield f"{plural(len(going), 'tag')} would go; the plan file lists them."


def _reasons_table(decisions: Sequence[Decision], times: frozenset[TimeOrigin], *, past: bool = False) -> Iterator[str]:
    words = {
        Verdict.KEEP: "keep",
        Verdict.UNDECIDED: "undecided",
        Verdict.REMOVE: "**removed**" if past else "**remove**",
    }
    rows = (
        (escape(group.name), words[reasons.verdict], count(len(reasons.tags)), _why(reasons, times))
        for group in group_classes(decisions)
        for reasons in group.groups
    )
    yield from table(("Class", "Verdict", "Tags", "Why"), rows, right=frozenset({2}))


def _why(group: ReasonGroup, times: frozenset[TimeOrigin]) -> str:
    samples = ", ".join(cell(tag) for tag in short_tags(group.tags[:_SAMPLES]))
    more = ", …" if len(group.tags) > _SAMPLES else ""
    what = short_remedy(group.reason, times=times) if group.verdict is Verdict.UNDECIDED else ""
    return f"{escape(group.words)} ({samples}{more})" + (f"<br>→ {escape(what)}" if what else "")


def _tags_in_details(title: str, decisions: Sequence[Decision], *, most: int | None = None) -> Iterator[str]:
    shown = decisions if most is None else decisions[:most]
    yield f"<details><summary>{title} ({count(len(decisions))})</summary>"
    yield ""
    for decision in shown:
        digest = f" on {code(decision.digest.short)}" if decision.digest is not None else ""
        yield f"- {code(decision.tag)}{digest}"
    if len(shown) < len(decisions):
        yield f"- and {count(len(decisions) - len(shown))} more, in the plan file"
    yield ""
    yield "</details>"


def _evidence(plan: Plan) -> Iterator[str]:
    yield "### Evidence"
    yield ""
    if plan.asked.waived:
        yield f"{escape(_sentence(NOT_REQUIRED if plan.evidence else WAIVED))}"
        yield ""
    for answer in plan.evidence:
        state = "complete" if not answer.gaps else "**partial**"
        words = seen(answer, now=plan.now, asked=plan.asked, sources=plan.sources, where="in these repositories")
        yield f"- {escape(answer.source)}: {state}, {escape(words)}"
        for listing in listings(answer):
            items, left = listing.shown(most=_MOST_PROBLEMS, few=_SAMPLES)
            yield f"  - {listing.label} ({count(len(listing.items))}): {explained(listing.label)}"
            yield from (f"    - {code(item)}" for item in items)
            if left:
                yield f"    - and {count(left)} more, in the plan file"
    if words := open_words(plan):
        yield ""
        yield f"→ {escape(words)}"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


# --- sweep --------------------------------------------------------------------------------------------------------
def _sweep_lines(report: SweepReport) -> Iterator[str]:
    results = results_of(report)
    totals = totals_of(results)
    run = report.run
    yield f"# Registry sweep of {moment(run.started_at)}"
    yield ""
    took = f", which took {duration(run.ended_at - run.started_at)}" if run.ended_at is not None else ", not ended"
    yield f"Run {code(run.id)} of plan {code(run.plan_id)}{took}. Status: **{run.status.value}**."
    yield ""
    rows = [
        ("Tags removed", f"{count(totals.removed)} of {count(totals.planned)} planned"),
        ("Tags that stay", f"{count(totals.stayed)}, {count(totals.undecided)} of them undecided"),
        ("Manifests deleted", count(totals.manifests)),
        ("Steps not done", count(totals.troubles)),
        ("Space", _space(totals.space, results)),
        ("Verification", _verification(report)),
    ]
    yield from table(("", ""), rows)
    for result in results:
        yield ""
        yield from _result(result)
    yield ""
    yield from _findings(report)
    yield from _back(report, results)


def _space(space: Space | None, results: Iterable[RepositoryResult]) -> str:
    if space is None:
        return "not measured"
    most = "" if all(result.complete for result in results) else "up to "
    return f"{most}{space_words(space)} would be free once the registry collects (estimate; each layer counted once)"


def _verification(report: SweepReport) -> str:
    found = report.verification
    if found is None:
        return "not done yet"
    looked = f"{plural(found.tags, 'kept tag')}, {plural(found.manifests, 'manifest')}, {plural(found.blobs, 'blob')}"
    verdict = (
        "all is well" if found.ok else f"**{count(len(found.damage))} damaged, {count(len(found.leftovers))} left**"
    )
    return f"{verdict} ({looked})"


def _result(result: RepositoryResult) -> Iterator[str]:
    yield f"## {code(str(result.plan.repository))}"
    yield ""
    yield f"{plural(len(result.removed), 'tag')} and {plural(result.manifests, 'manifest')} removed."
    yield ""
    yield from _reasons_table((*result.removed, *result.stayed), result.plan.capabilities.times, past=True)
    if shares_digests(result.plan):
        yield ""
        yield ALONE
    for note in result.plan.notes:
        yield ""
        yield f"Note: {escape(note)}"
    for trouble in result.troubles:
        kind = trouble.kind.value if trouble.kind is not None else "not tried"
        yield ""
        yield f"**{plural(len(trouble.steps), 'step')} {kind}**: {escape(trouble.why)}"
        yield ""
        yield from (f"- {code(step)}" for step in trouble.steps)
    for title, decisions in (("Planned, not known to be gone", result.left), ("Removed tags", result.removed)):
        if decisions:
            yield ""
            yield from _tags_in_details(title, decisions)


def _findings(report: SweepReport) -> Iterator[str]:
    found = report.verification
    if found is None:
        return
    for title, findings in (("Damage", found.damage), ("Still there", found.leftovers), ("Moved since", found.moved)):
        if findings:
            yield f"## {title}"
            yield ""
            yield from (_finding(finding) for finding in findings)
            yield ""
    if found.restored:
        yield "## Taken back"
        yield ""
        yield f"{put_back(found)}."
        yield ""


def _finding(finding: Finding) -> str:
    what = f" → {escape(finding.remedy)}" if finding.remedy else ""
    return f"- {code(f'{finding.repository} {finding.subject}')}: {escape(finding.what)}{what}"


def _back(report: SweepReport, results: Iterable[RepositoryResult]) -> Iterator[str]:
    yield "## Take it back, or get the space back"
    yield ""
    command = code(f"tagsweep restore {report.run.id} --yes")
    yield f"- Take it back, as long as the registry has not collected: {command}"
    hints: dict[str, list[str]] = {}
    for result in results:
        if words := result.plan.capabilities.reclaim:
            hints.setdefault(words, []).append(code(str(result.plan.repository)))
    yield from (f"- Get the space back ({', '.join(names)}): {escape(words)}" for words, names in hints.items())
