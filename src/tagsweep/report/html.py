"""A sweep as one HTML page that needs nothing else: no script, no request, readable in light, dark and print.

Every text from outside (tags, places, reasons, errors) goes through :func:`html_text.safe`; a content security policy
forbids everything but the page's own style, so that a mistake here would still run nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from tagsweep.model.decision import Verdict
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.run import Finding, RunStatus, SweepReport
from tagsweep.report.evidence import (
    NOT_REQUIRED,
    WAIVED,
    Listing,
    explained,
    listings,
    open_words,
    seen,
    short_remedy,
)
from tagsweep.report.groups import ReasonGroup, group_reasons
from tagsweep.report.html_charts import before_and_after, class_table, counts_figure, space_figure
from tagsweep.report.html_style import STYLE
from tagsweep.report.html_text import code as _code
from tagsweep.report.html_text import safe as _text
from tagsweep.report.reasons import sentence
from tagsweep.report.results import RepositoryResult, SweepTotals, put_back, results_of, totals_of
from tagsweep.report.timeline import timeline
from tagsweep.report.totals import ALONE, shares_digests
from tagsweep.report.units import agree, count, duration, moment, percent, plural, size

_LOOKS = {Verdict.REMOVE: "bad", Verdict.UNDECIDED: "warn", Verdict.KEEP: "good"}
_MOST_SHOWN = 5
_MOST_PROBLEMS = 50
_MOST_TROUBLES = 20
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def sweep(report: SweepReport) -> str:
    """Return the page."""
    results = results_of(report)
    totals = totals_of(results)
    body = [
        *_header(report),
        *_tiles(report, totals, results),
        *_attention(report, results),
        *_pictures(report, results),
        *(line for result in results for line in _repository(result)),
        *_evidence(report),
        *_back(report, results),
        *_footer(report),
    ]
    title = f"Registry sweep of {report.run.started_at:%Y-%m-%d}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{title}</title><style>{STYLE}</style></head>",
            "<body><main>",
            *body,
            "</main></body></html>",
            "",
        ]
    )


# --- the top ------------------------------------------------------------------------------------------------------
def _header(report: SweepReport) -> Iterator[str]:
    run = report.run
    took = f"; it took {duration(run.ended_at - run.started_at)}" if run.ended_at is not None else ""
    look, words = _status(run.status)
    yield "<header>"
    yield f'<h1>Registry sweep of {run.started_at:%Y-%m-%d} <span class="badge {look}">{words}</span></h1>'
    yield f'<p class="sub">Run {_code(run.id)}, begun {moment(run.started_at)}{took}.</p>'
    yield "</header>"


def _status(status: RunStatus) -> tuple[str, str]:
    match status:
        case RunStatus.DONE:
            return "good", "done"
        case RunStatus.RESTORED:
            return "warn", "taken back"
        case RunStatus.RUNNING:
            return "warn", "not ended"
        case RunStatus.PARTIAL:
            return "warn", "partly done"
        case RunStatus.DAMAGED:
            return "bad", "damage found"
        case _:
            assert_never(status)


def _tiles(report: SweepReport, totals: SweepTotals, results: Sequence[RepositoryResult]) -> Iterator[str]:
    yield '<dl class="tiles">'
    of = "" if totals.removed == totals.planned else f"of {count(totals.planned)} planned; "
    yield _tile("Tags removed", count(totals.removed), f"{of}{percent(totals.removed, totals.tags)} of all tags")
    undecided = f", {count(totals.undecided)} of them undecided" if totals.undecided else ""
    yield _tile("Tags that stay", count(totals.stayed), f"in {plural(len(results), 'repository')}{undecided}")
    yield _space_tile(totals, results)
    yield _verified_tile(report)
    yield "</dl>"


def _space_tile(totals: SweepTotals, results: Iterable[RepositoryResult]) -> str:
    if totals.space is None:
        return _tile("Space", "not measured", "plan with --sizes to measure it")
    most = "" if all(result.complete for result in results) else "up to "
    least = "" if totals.space.complete else "at least "
    after = f"of {size(totals.space.before)}; estimate, once the registry collects"
    return _tile("Space to be freed", f"{most or least}{size(totals.space.reclaimable)}", after)


def _verified_tile(report: SweepReport) -> str:
    found = report.verification
    if found is None:
        return _tile("Verification", "not done", "run tagsweep verify", look="warn")
    looked = f"{plural(found.tags, 'kept tag')}, {plural(found.manifests, 'manifest')}, {plural(found.blobs, 'blob')}"
    if found.ok:
        return _tile("Verification", "all is well", looked, look="good")
    return _tile("Verification", plural(len(found.damage) + len(found.leftovers), "problem"), looked, look="bad")


def _tile(label: str, big: str, small: str, *, look: str = "") -> str:
    return (
        f'<div class="tile"><dt>{label}</dt><dd><div class="big {look}">{_text(big)}</div>'
        f'<div class="small">{_text(small)}</div></dd></div>'
    )


# --- what needs a look --------------------------------------------------------------------------------------------
def _attention(report: SweepReport, results: Sequence[RepositoryResult]) -> Iterator[str]:
    if (found := report.verification) is not None:
        yield from _findings("Damage: kept things that no longer work", "", found.damage)
        yield from _findings("Planned to go and still there", " warn", found.leftovers)
        yield from _findings("Kept tags that somebody moved since; no damage", " warn", found.moved)
        if found.restored:
            yield f'<section class="alert warn"><h3>Taken back</h3><p>{_text(put_back(found))}.</p></section>'
    for result in results:
        for trouble in result.troubles[:_MOST_TROUBLES]:
            kind = trouble.kind.value if trouble.kind is not None else "not tried"
            yield '<section class="alert warn">'
            yield f"<h3>{plural(len(trouble.steps), 'step')} {kind} in {_code(str(result.plan.repository))}</h3>"
            yield f"<p>{_text(trouble.why)}</p>"
            listed = f"<ul>{''.join(f'<li>{_code(step)}</li>' for step in trouble.steps)}</ul>"
            if len(trouble.steps) > _MOST_SHOWN:
                listed = f'<details><summary><span class="w">Which steps</span></summary>{listed}</details>'
            yield f"{listed}</section>"
        if rest := result.troubles[_MOST_TROUBLES:]:
            steps = plural(sum(len(trouble.steps) for trouble in rest), "more step")
            reasons = plural(len(rest), "other reason")
            yield f'<section class="alert warn"><p>{steps} not done for {reasons}: see report.json.</p></section>'


def _findings(title: str, look: str, findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield f'<section class="alert{look}"><h3>{title} ({count(len(findings))})</h3><ul>'
    for finding in findings:
        what = f"<br>→ {_text(finding.remedy)}" if finding.remedy else ""
        yield f"<li>{_code(f'{finding.repository}:{finding.subject}')}: {_text(finding.what)}{what}</li>"
    yield "</ul></section>"


def _pictures(report: SweepReport, results: Sequence[RepositoryResult]) -> Iterator[str]:
    line = timeline(report.counts)
    if len(line.times) > 1:
        yield "<h2>Tags by class over time</h2>"
        yield counts_figure(line)
    else:
        yield "<h2>Tags by class, before and after</h2>"
        yield before_and_after(results)


# --- one repository -----------------------------------------------------------------------------------------------
def _repository(result: RepositoryResult) -> Iterator[str]:
    yield f"<h2>{_text(str(result.plan.repository))}</h2>"
    gone = f"{plural(len(result.removed), 'tag')} and {plural(result.manifests, 'manifest')}"
    staying = len(result.stayed) + len(result.left)
    stay = f"{plural(staying, 'tag')} of {count(len(result.plan.decisions))} {agree(staying, 'stays')}"
    yield f"<p>{gone} removed; {stay}.</p>"
    for note in result.plan.notes:
        yield f'<p class="note">{_text(note)}</p>'
    yield class_table(result)
    if result.space is not None:
        yield space_figure(result)
    yield "<h3>What was removed, what stayed, and why</h3>"
    if shares_digests(result.plan):
        yield f'<p class="note">{ALONE} Tags that share a digest with one that stays therefore stay too.</p>'
    for group in group_reasons((*result.removed, *result.stayed)):
        yield from _group(group, result.plan.capabilities.times)
    if result.left:
        yield (
            f'<details><summary><span class="n">{count(len(result.left))}</span><span class="v warn">left</span>'
            '<span class="w">planned to go, and not known to be gone: see the steps above</span></summary>'
        )
        tags = "".join(f"<li>{_code(decision.tag)}</li>" for decision in result.left)
        yield f'<div class="list"><ul class="tags">{tags}</ul></div></details>'


def _group(group: ReasonGroup, times: frozenset[TimeOrigin]) -> Iterator[str]:
    words = {Verdict.REMOVE: "removed", Verdict.UNDECIDED: "undecided", Verdict.KEEP: "kept"}[group.verdict]
    yield (
        f'<details><summary><span class="n">{count(len(group.tags))}</span>'
        f'<span class="v {_LOOKS[group.verdict]}">{words}</span><span class="w">{_text(group.words)}</span></summary>'
    )
    if group.verdict is Verdict.UNDECIDED and (what := short_remedy(group.reason, times=times)):
        yield f'<p class="note" style="padding:0 1rem">→ {_text(what)}</p>'
    sentences = [sentence(reason) for reason in group.reasons]
    differ = len(set(sentences)) > 1
    yield '<div class="list"><ul class="tags">'
    for tag, why in zip(group.tags, sentences, strict=True):
        yield f"<li>{_code(tag)}" + (f'<span class="why">{_text(why)}</span>' if differ else "") + "</li>"
    yield "</ul></div></details>"


# --- the end ------------------------------------------------------------------------------------------------------
def _evidence(report: SweepReport) -> Iterator[str]:
    plan = report.plan
    yield "<h2>Evidence of what is in use</h2>"
    if plan.asked.waived:
        yield f"<p>{_text(NOT_REQUIRED if plan.evidence else WAIVED)}.</p>"
    if not plan.evidence:
        return
    yield '<div class="scroll"><table><thead><tr><th>Source</th><th>Answer</th></tr></thead><tbody>'
    for answer in plan.evidence:
        state = '<span class="warn">partial</span>' if answer.gaps else '<span class="good">complete</span>'
        words = seen(answer, now=plan.now, asked=plan.asked, sources=plan.sources, where="in these repositories")
        more = "".join(_listing(listing) for listing in listings(answer))
        yield f"<tr><th>{_text(answer.source)}</th><td>{state}, {_text(words)}{more}</td></tr>"
    yield "</tbody></table></div>"
    if words := open_words(plan):
        yield f'<p class="note">→ {_text(words)}</p>'


def _listing(listing: Listing) -> str:
    items, left = listing.shown(most=_MOST_PROBLEMS, few=_MOST_PROBLEMS)
    rest = f"<li>and {count(left)} more, in the plan file and in report.json</li>" if left else ""
    look = "warn" if listing.alarming else "note"
    entries = "".join(f"<li>{_code(item)}</li>" for item in items)
    opened = " open" if listing.alarming else ""
    return (
        f'<details{opened}><summary><span class="n">{count(len(listing.items))}</span>'
        f'<span class="v {look}">{listing.label}</span><span class="w">{explained(listing.label)}</span></summary>'
        f'<div class="list"><ul class="tags said">{entries}{rest}</ul></div></details>'
    )


def _back(report: SweepReport, results: Iterable[RepositoryResult]) -> Iterator[str]:
    yield "<h2>How to take it back</h2>"
    yield "<p>As long as the registry has not collected, this puts everything back with its old digests:</p>"
    yield f"<pre><code>tagsweep restore {_text(report.run.id)} --yes</code></pre>"
    hints: dict[str, list[str]] = {}
    undo: dict[str, None] = {}
    for result in results:
        if words := result.plan.capabilities.reclaim:
            hints.setdefault(words, []).append(str(result.plan.repository))
        if words := result.plan.capabilities.undo:
            undo[words] = None
    for words in undo:
        yield f"<p>{_text(words)}</p>"
    yield "<h2>How to get the space back</h2>"
    if not hints:
        yield "<p>tagsweep never collects garbage; how this registry does it is its operator's knowledge.</p>"
    for words, names in hints.items():
        yield f"<p>{', '.join(_code(name) for name in names)}: {_text(words)}</p>"
    yield '<p class="note">Collect only when you are sure: what the registry has collected cannot be restored.</p>'


def _footer(report: SweepReport) -> Iterator[str]:
    plan = report.plan
    facts = (
        ("Plan", f"{plan.id}, made {moment(plan.now)}"),
        ("Policy", f"{plan.policy_path} (sha256 {plan.policy_fingerprint[:12]})"),
        ("Made by", plan.tool),
    )
    yield '<footer><dl class="facts">'
    yield from (f"<dt>{label}</dt><dd>{_text(words)}</dd>" for label, words in facts)
    yield "</dl></footer>"
