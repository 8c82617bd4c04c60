"""Showing what is in use: every source asked, the references grouped; a registry is asked only to check them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tagsweep.app.assess import collect_usage
from tagsweep.core.aliases import canonical_repository
from tagsweep.core.answers import answer_of
from tagsweep.core.open_references import standing
from tagsweep.core.protect import evidence_gaps
from tagsweep.core.scope import Scope
from tagsweep.model.errors import ConfigurationError, NotFound, RegistryError, TagsweepError
from tagsweep.report.usage import OpenReference, UsageView, Used

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from tagsweep.app.session import Session
    from tagsweep.model.decision import EvidenceMissing
    from tagsweep.model.policy import Evidence, Policy, SourceSettings
    from tagsweep.model.reference import Digest, Reference, Repository
    from tagsweep.model.usage import Usage, UsageReport
    from tagsweep.ports import RegistryDriver


def usage(policy: Policy, *, session: Session, everything: bool, only: Sequence[str] = (), check: bool) -> UsageView:
    """Return what is in use in the policy's targets, or ``everything`` that the sources know.

    ``only`` names the sources to ask, none means all. With ``check`` the registries of the targets say which of the
    references name something that exists; otherwise no registry is asked.
    """
    sources = chosen_sources(policy, only)
    base = str(Path(policy.path).parent)
    reports = collect_usage(sources, policy.evidence, base=base, session=session)
    now = session.clock.now()
    aliases = session.aliases()
    scope = Scope(None if everything else policy.targets, aliases)
    grouped = _grouped(reports, scope)
    checked = _Check(session, aliases)
    if check:
        ours = Scope(policy.targets, aliases)
        checked.look_at([reference for reference in grouped if ours.has(reference.repository)])
    settings = {source.name: source for source in sources}
    broken = [each for reference in checked.absent for each in grouped[reference] if each.last_seen is None]
    answers = (
        answer_of(report, settings[report.source], has=scope.has, could_have=scope.could_have) for report in reports
    )
    return UsageView(
        now=now,
        targets=None if everything else policy.targets,
        used=tuple(
            Used(reference=reference, places=tuple(grouped[reference]), exists=checked.exists(reference))
            for reference in sorted(grouped, key=str)
        ),
        opened=tuple(
            OpenReference(entry=entry, standing=standing(entry, settings[report.source].unresolved))
            for report in reports
            for entry in report.unresolved
            if scope.could_have(entry)
        ),
        answers=tuple(
            replace(answer, dangling=tuple(f"{u.where}  {u.reference}" for u in broken if u.source == answer.source))
            for answer in answers
        ),
        asked=policy.evidence,
        sources=policy.sources,
        missing=_missing(policy.evidence, sources, reports, now),
        checked=check,
        unchecked=tuple(checked.problems),
    )


def chosen_sources(policy: Policy, only: Iterable[str]) -> tuple[SourceSettings, ...]:
    """Return the policy's sources with these names, or all; raise ConfigurationError for an unknown name."""
    wanted = list(dict.fromkeys(only))
    known = [source.name for source in policy.sources]
    for name in wanted:
        if name not in known:
            have = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigurationError(f"the policy has no source {name!r}", remedy=f"{have}; --source names one of them")
    return tuple(source for source in policy.sources if not wanted or source.name in wanted)


def _missing(
    evidence: Evidence, sources: Iterable[SourceSettings], reports: Sequence[UsageReport], now: datetime
) -> tuple[EvidenceMissing, ...]:
    """Return why the required ones among the sources that were asked do not suffice."""
    asked = {source.name for source in sources}
    required = tuple(name for name in evidence.require if name in asked)
    return evidence_gaps(replace(evidence, require=required), reports, now=now) if required else ()


def _grouped(reports: Iterable[UsageReport], scope: Scope) -> dict[Reference, list[Usage]]:
    grouped: defaultdict[Reference, list[Usage]] = defaultdict(list)
    for report in reports:
        for each in report.usages:
            if scope.has(each.reference.repository):
                grouped[each.reference.with_default_tag()].append(each)
    for places in grouped.values():
        places.sort(key=lambda each: each.last_seen is not None)  # stable: within that the order of the sources
    return dict(grouped)


class _Check:
    """Asks registries which references name something: one listing of tags a repository, one look a digest."""

    def __init__(self, session: Session, aliases: Mapping[str, str]) -> None:
        self._session = session
        self._aliases = aliases
        self._present: set[Reference] = set()
        self.absent: dict[Reference, None] = {}
        self.problems: list[str] = []

    def exists(self, reference: Reference) -> bool | None:
        """Return what was found out about a reference, or None."""
        if reference in self._present:
            return True
        return False if reference in self.absent else None

    def look_at(self, references: Iterable[Reference]) -> None:
        """Find out about these references; what cannot be asked is a problem, not an absence."""
        by_repository: defaultdict[Repository, list[Reference]] = defaultdict(list)
        for reference in references:
            by_repository[canonical_repository(reference.repository, self._aliases)].append(reference)
        for repository, members in sorted(by_repository.items()):
            try:
                self._repository(repository, members)
            except TagsweepError as error:
                self.problems.append(f"{repository} was not checked: {error}")

    def _repository(self, repository: Repository, members: Sequence[Reference]) -> None:
        driver = self._session.driver(repository)
        self._session.progress.begin(f"{repository}: listing tags", None)
        try:
            tags = {tag.name for tag in driver.list_tags(repository.path)}
        except NotFound:
            self.absent.update(dict.fromkeys(members))
            return
        digests = self._digests(repository, driver, {each.digest for each in members if each.digest is not None})
        for each in members:
            # Where both are written, the digest is what runs.
            found: bool | RegistryError = digests[each.digest] if each.digest is not None else each.tag in tags
            if isinstance(found, RegistryError):
                self.problems.append(f"{each} was not checked: {found}")
            elif found:
                self._present.add(each)
            else:
                self.absent[each] = None

    def _digests(
        self, repository: Repository, driver: RegistryDriver, digests: Iterable[Digest]
    ) -> dict[Digest, bool | RegistryError]:
        def ask(digest: Digest) -> bool | RegistryError:
            try:
                return driver.has_manifest(repository.path, digest)
            except RegistryError as error:
                return error

        return dict(self._session.work(repository, "looking for digests", sorted(digests), ask))
