"""The tables and pictures of the HTML report: tags by class, space before and after, counts over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tagsweep.model.decision import Decision, Verdict
from tagsweep.report.groups import NO_CLASS
from tagsweep.report.html_text import safe
from tagsweep.report.results import RepositoryResult
from tagsweep.report.timeline import Timeline, color, svg
from tagsweep.report.units import count, moment, percent, plural, size


def class_table(result: RepositoryResult) -> str:
    """Return how many tags of each class there were, went and stay."""
    before = _by_class(result.plan.decisions)
    removed = _by_class(result.removed)
    undecided = _by_class(d for d in result.stayed if d.verdict is Verdict.UNDECIDED)
    names = sorted(before, key=lambda name: (name == NO_CLASS, -before[name], name))
    rows = "".join(_row(name, before[name], removed[name], undecided[name]) for name in names)
    head = "".join(f'<th class="n" scope="col">{word}</th>' for word in ("Before", "Removed", "After", "Undecided"))
    total = _row("All", before.total(), removed.total(), undecided.total())
    return (
        f'<div class="scroll"><table><thead><tr><th scope="col">Class</th>{head}</tr></thead><tbody>{rows}</tbody>'
        f"<tfoot>{total}</tfoot></table></div>"
    )


def _row(name: str, before: int, removed: int, undecided: int) -> str:
    cells = "".join(f'<td class="n">{count(number)}</td>' for number in (before, removed, before - removed, undecided))
    return f'<tr><th scope="row">{safe(name)}</th>{cells}</tr>'


def _by_class(decisions: Iterable[Decision]) -> Counter[str]:
    return Counter(decision.naming_class or NO_CLASS for decision in decisions)


def space_figure(result: RepositoryResult) -> str:
    """Return a bar of the space that stays and that is freed; the repository's space is known."""
    space = result.space
    if space is None:
        return ""
    parts = (("stays", space.after, "var(--c0)"), ("freed", space.reclaimable, "var(--c1)"))
    bar = "".join(f'<span style="flex:{max(number, 0)};background:{paint}"></span>' for _, number, paint in parts)
    legend = "".join(
        f'<li><i style="background:{paint}"></i>{word} {size(number)} ({percent(number, space.before)})</li>'
        for word, number, paint in parts
    )
    label = f"{size(space.before)} before, {size(space.after)} after"
    known = "" if space.complete else " Some sizes are not known and are not counted."
    done = "" if result.complete else " Not every step was done, so less is freed than shown."
    return (
        f'<figure><ul class="legend">{legend}</ul><div class="bar" role="img" aria-label="{label}">{bar}</div>'
        f"<figcaption>Estimate: {label}, once the registry has collected. Layers are counted once; freed are those "
        f"that no kept manifest uses.{known}{done}</figcaption></figure>"
    )


def counts_figure(line: Timeline) -> str:
    """Return the picture of the counts over time with its legend, and the numbers as a table."""
    legend = "".join(
        f'<li><i style="background:{color(n)}"></i>{safe(one.name)} ({count(one.tags[-1])})</li>'
        for n, one in enumerate(line.series)
    )
    origins = f" How the counts are known: {safe('; '.join(line.origins))}." if line.origins else ""
    head = "".join(f'<th class="n" scope="col">{safe(one.name)}</th>' for one in line.series)
    rows = "".join(
        f'<tr><th scope="row">{moment(at)}</th>'
        + "".join(f'<td class="n">{count(one.tags[n])}</td>' for one in line.series)
        + "</tr>"
        for n, at in enumerate(line.times)
    )
    return (
        f'<figure><ul class="legend">{legend}</ul>{svg(line)}<figcaption>Numbers in brackets are the last counts. '
        f"Straight lines join the counts; between them nothing was counted.{origins}</figcaption></figure>"
        '<details><summary><span class="w">The numbers as a table</span></summary><div class="scroll"><table><thead>'
        f'<tr><th scope="col">Time</th>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def before_and_after(results: Sequence[RepositoryResult]) -> str:
    """Return two bars of the tags by class: where there are not enough counts for a line over time."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for result in results:
        before += _by_class(result.plan.decisions)
        after += _by_class((*result.stayed, *result.left))
    names = [name for name, _ in before.most_common()]
    legend = "".join(
        f'<li><i style="background:{color(n)}"></i>{safe(name)} ({count(before[name])} → {count(after[name])})</li>'
        for n, name in enumerate(names)
    )
    bars = "".join(_bar(word, names, tags, before.total()) for word, tags in (("Before", before), ("After", after)))
    return (
        f'<figure><ul class="legend">{legend}</ul><div class="rows">{bars}</div>'
        "<figcaption>Before: what the plan found. After: the same without what was removed. A line over time is drawn "
        "as soon as there are counts of two times.</figcaption></figure>"
    )


def _bar(word: str, names: Sequence[str], tags: Counter[str], whole: int) -> str:
    parts = "".join(
        f'<span style="flex:{tags[name]};background:{color(n)}"></span>' for n, name in enumerate(names) if tags[name]
    )
    rest = whole - tags.total()
    empty = f'<span style="flex:{rest};background:none;border:0"></span>' if rest else ""
    label = f"{word}: {plural(tags.total(), 'tag')}"
    return f'<div>{word}</div><div class="bar" role="img" aria-label="{label}">{parts}{empty}</div>'
