"""What each evidence source said, summed up for the repositories of a plan and its reader."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tagsweep.core.aliases import canonical_repository
from tagsweep.core.open_references import Standing, could_be_in, standing
from tagsweep.model.plan import SourceAnswer
from tagsweep.model.policy import SourceSettings
from tagsweep.model.reference import Repository
from tagsweep.model.usage import Usage, UsageReport


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
    found = (_answer(report, settings.get(report.source), ours, aliases) for report in reports)
    return tuple(replace(answer, dangling=_dangling(answer.source, dangling)) for answer in found)


def _dangling(source: str, usages: Sequence[Usage]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{usage.where}  {usage.reference}" for usage in usages if usage.source == source))


def _answer(
    report: UsageReport, settings: SourceSettings | None, ours: set[Repository], aliases: Mapping[str, str]
) -> SourceAnswer:
    relevant = [usage for usage in report.usages if canonical_repository(usage.reference.repository, aliases) in ours]
    rules = settings.unresolved if settings is not None else ()
    open_ones: defaultdict[Standing, list[str]] = defaultdict(list)
    for entry in report.unresolved:
        if any(could_be_in(entry, repository, aliases) for repository in ours):
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
