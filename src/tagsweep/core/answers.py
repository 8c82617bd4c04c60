"""What each evidence source said, summed up for the repositories of a plan and its reader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tagsweep.core.aliases import canonical_repository
from tagsweep.core.open_references import Standing, could_be_in, standing
from tagsweep.model.plan import SourceAnswer
from tagsweep.model.policy import SourceSettings
from tagsweep.model.reference import Repository
from tagsweep.model.usage import Unresolved, Usage, UsageReport


def answers(
    reports: Sequence[UsageReport],
    sources: Sequence[SourceSettings],
    repositories: Sequence[Repository],
    aliases: Mapping[str, str],
    *,
    dangling: Sequence[Usage] = (),
) -> tuple[SourceAnswer, ...]:
    """Return one answer for each report. What concerns none of the repositories is counted, not listed.

    ``dangling`` are the usages whose tag or digest is not there.
    """
    ours = {canonical_repository(repository, aliases) for repository in repositories}
    settings = {source.name: source for source in sources}

    def has(repository: Repository) -> bool:
        return canonical_repository(repository, aliases) in ours

    def could_have(entry: Unresolved) -> bool:
        return any(could_be_in(entry, repository, aliases) for repository in ours)

    found = (answer_of(report, settings.get(report.source), has=has, could_have=could_have) for report in reports)
    return tuple(replace(answer, dangling=_dangling(answer.source, dangling)) for answer in found)


def _dangling(source: str, usages: Sequence[Usage]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{usage.where}  {usage.reference}" for usage in usages if usage.source == source))


def answer_of(
    report: UsageReport,
    settings: SourceSettings | None,
    *,
    has: Callable[[Repository], bool],
    could_have: Callable[[Unresolved], bool],
) -> SourceAnswer:
    """Return one report summed up; ``has`` and ``could_have`` say which repositories and open references concern."""
    relevant = [usage for usage in report.usages if has(usage.reference.repository)]
    rules = settings.unresolved if settings is not None else ()
    open_ones: defaultdict[Standing, list[str]] = defaultdict(list)
    for entry in report.unresolved:
        if could_have(entry):
            open_ones[standing(entry, rules)].append(f"{entry.where}  {entry.text}")
    return SourceAnswer(
        source=report.source,
        taken_at=report.taken_at,
        examined=report.examined,
        unit=report.unit,
        relevant=len(relevant),
        gaps=report.coverage.gaps,
        unresolved=tuple(open_ones[Standing.UNDECIDED]),
        protecting=tuple(open_ones[Standing.PROTECT]),
        ignored=tuple(open_ones[Standing.IGNORE]),
        invalid=report.invalid,
        remembered=sum(usage.last_seen is not None for usage in relevant),
    )
