"""Verifying a run: everything that was to stay still works in full, and everything that was to go is gone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from tagsweep.app.taken_back import restored_tags
from tagsweep.model.errors import ProtocolViolation, ServerFailed
from tagsweep.model.manifest import Manifest, RawManifest, is_foreign
from tagsweep.model.plan import DeleteManifest, Plan, RepositoryPlan, Step, Untag
from tagsweep.model.run import Finding, Outcome, VerifyReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tagsweep.app.session import Session
    from tagsweep.model.policy import Check
    from tagsweep.model.reference import Digest, Repository
    from tagsweep.ports import RegistryDriver

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_REMEDY_OURS: Final = "tagsweep restore {run} puts it back"
_REMEDY_OTHERS: Final = "this run did not remove it: push the image again, or take the tag out of use"
_MAX_OUTPUT: Final = 2000


@dataclass(slots=True, kw_only=True)
class _Look:
    """What one repository's verification found so far."""

    part: RepositoryPlan
    session: Session
    run_id: str
    ours: frozenset[Digest]
    """The digests that the run deleted."""
    gone_tags: frozenset[str]
    put_back: Mapping[str, Digest]
    """Tags that the run removed and a restore put back, with the digests that they had."""
    kept: dict[str, Digest] = field(default_factory=dict)
    damage: list[Finding] = field(default_factory=list)
    leftovers: list[Finding] = field(default_factory=list)
    moved: list[Finding] = field(default_factory=list)
    restored: list[Finding] = field(default_factory=list)
    manifests: dict[Digest, Manifest] = field(default_factory=dict)
    blobs: int = 0

    @property
    def driver(self) -> RegistryDriver:
        return self.session.driver(self.part.repository)

    def work(self, task: str, items: Iterable[K], function: Callable[[K], V]) -> Iterator[tuple[K, V]]:
        return self.session.work(self.part.repository, task, items, function)

    def finding(self, subject: str, what: str, *, digest: Digest | None = None) -> Finding:
        remedy = _REMEDY_OURS.format(run=self.run_id) if digest in self.ours else _REMEDY_OTHERS
        return Finding(repository=self.part.repository, subject=subject, what=what, remedy=remedy)


def verify_run(
    plan: Plan, outcomes: Sequence[Outcome], *, run_id: str, session: Session
) -> tuple[VerifyReport, Mapping[Repository, Mapping[Digest, Manifest]]]:
    """Return what is right and wrong after a run, and every kept manifest that was read on the way.

    Each kept tag must be on the digest that it had; every manifest below it must answer, and every config and layer.
    What the run removed must be absent, unless a restore of the run put it back: then it must work like what was kept.
    Tags that somebody else moved meanwhile are told, and checked where they are.
    """
    put_back = restored_tags(run_id, session=session)
    looks = [_verify_repository(part, outcomes, run_id, put_back, session) for part in plan.repositories]
    damage = [finding for look in looks for finding in look.damage]
    damage += _run_checks(plan, session)
    report = VerifyReport(
        run_id=run_id,
        at=session.clock.now(),
        tags=sum(len(look.kept) - len(look.restored) for look in looks),
        manifests=sum(len(look.manifests) for look in looks),
        blobs=sum(look.blobs for look in looks),
        damage=tuple(damage),
        leftovers=tuple(finding for look in looks for finding in look.leftovers),
        moved=tuple(finding for look in looks for finding in look.moved),
        restored=tuple(finding for look in looks for finding in look.restored),
    )
    return report, {look.part.repository: look.manifests for look in looks}


def _verify_repository(
    part: RepositoryPlan, outcomes: Sequence[Outcome], run_id: str, put_back: frozenset[str], session: Session
) -> _Look:
    kinds = {outcome.step: outcome.kind for outcome in outcomes if outcome.repository == part.repository}
    done = [step for step in part.steps if step.key in kinds and kinds[step.key].absent]
    look = _Look(
        part=part,
        session=session,
        run_id=run_id,
        ours=frozenset(step.digest for step in done if isinstance(step, DeleteManifest)),
        gone_tags=frozenset(tag for step in done for tag in _tags_of(step)),
        put_back={
            tag: _digest_of(step) for step in done for tag in _tags_of(step) if f"{part.repository}:{tag}" in put_back
        },
    )
    with session.trace.span("verify repository", repository=str(part.repository)):
        _check_tags(look)
        _check_manifests(look)
        _check_blobs(look)
        _check_victims(look, done)
    return look


def _tags_of(step: Step) -> tuple[str, ...]:
    return (step.tag,) if isinstance(step, Untag) else step.tags


def _digest_of(step: Step) -> Digest:
    return step.expects if isinstance(step, Untag) else step.digest


def _check_tags(look: _Look) -> None:
    expected = {**look.part.keeps, **look.put_back}
    # What was to go and did not (a step skipped or failed) must work as well.
    for decision in look.part.decisions:
        if decision.digest is not None and decision.tag not in look.gone_tags:
            expected.setdefault(decision.tag, decision.digest)
    path = look.part.repository.path
    for tag, digest in look.work("resolving kept tags", sorted(expected), lambda t: look.driver.resolve_tag(path, t)):
        was = expected[tag]
        if digest is None and tag in look.put_back:
            continue  # removed once more since, by a later plan or by somebody else
        if digest is None:
            look.damage.append(look.finding(tag, f"it was to stay on {was.short} and no longer resolves", digest=was))
            continue
        look.kept[tag] = digest
        if digest != was:
            what = f"it was moved from {was.short} to {digest.short} by somebody else"
            look.moved.append(look.finding(tag, what))
        elif tag in look.put_back:
            look.restored.append(_put_back(look, tag))


def _put_back(look: _Look, tag: str) -> Finding:
    what = "it was removed, and a restore of this run put it back"
    return Finding(repository=look.part.repository, subject=tag, what=what, remedy="")


def _check_manifests(look: _Look) -> None:
    """Ask for every manifest below the kept tags; the cache tells what is below, only the registry tells what is."""
    path = look.part.repository.path
    cache = look.session.manifests
    owner: dict[Digest, str] = {}
    for tag, digest in sorted(look.kept.items()):
        owner.setdefault(digest, tag)
    level = set(owner)
    while level:
        known = cache.get(level)

        def read(digest: Digest, known: Mapping[Digest, RawManifest] = known) -> RawManifest | None:
            if digest in known:
                return known[digest] if look.driver.has_manifest(path, digest) else None
            return look.driver.fetch_manifest(path, digest)

        below: set[Digest] = set()
        fresh = []
        for digest, raw in look.work("checking manifests", sorted(level), read):
            if raw is None:
                what = f"{digest.short}, which it needs, does not answer"
                look.damage.append(look.finding(owner[digest], what, digest=digest))
                continue
            if digest not in known:
                fresh.append(raw)
            manifest = raw.parse()
            if isinstance(manifest, Manifest):
                look.manifests[digest] = manifest
                for child in manifest.children:
                    owner.setdefault(child.digest, owner[digest])
                    below.add(child.digest)
        cache.put(fresh)
        level = below - look.manifests.keys() - level


def _check_blobs(look: _Look) -> None:
    path = look.part.repository.path
    owner: dict[Digest, Digest] = {}
    for manifest in look.manifests.values():
        for blob in manifest.blobs:
            if not is_foreign(blob):
                owner.setdefault(blob.digest, manifest.digest)

    def answers(digest: Digest) -> bool:
        try:
            return look.driver.has_blob(path, digest)
        except (ServerFailed, ProtocolViolation):
            return False

    for digest, present in look.work("checking configs and layers", sorted(owner), answers):
        look.blobs += 1
        if not present:
            what = f"its blob {digest.short} does not answer"
            look.damage.append(look.finding(owner[digest].short, what))


def _check_victims(look: _Look, done: Sequence[Step]) -> None:
    path = look.part.repository.path
    listed = {tag.name for tag in look.driver.list_tags(path)}
    digests = {_digest_of(step) for step in done}
    for tag in sorted((look.gone_tags & listed) - look.kept.keys()):
        digest = look.driver.resolve_tag(path, tag)
        if digest is None:
            continue  # a stale list: it is named, but it is gone
        if digest in digests:
            look.leftovers.append(
                Finding(
                    repository=look.part.repository,
                    subject=tag,
                    what="it was removed and is there again on the same digest",
                    remedy="somebody pushed it again, or the registry did not do what it answered; make a new plan",
                )
            )
        else:
            look.moved.append(look.finding(tag, f"it was removed and pushed again since, now on {digest.short}"))
    deleted = sorted({step.digest for step in done if isinstance(step, DeleteManifest)} - _digests_put_back(look))

    def there(digest: Digest) -> bool:
        return look.driver.has_manifest(path, digest)

    for digest, present in look.work("checking that removed manifests are gone", deleted, there):
        if present:
            look.leftovers.append(
                Finding(
                    repository=look.part.repository,
                    subject=digest.short,
                    what="the manifest was deleted and still answers",
                    remedy="somebody pushed it again, or the registry keeps a cache; verify again later",
                )
            )


def _digests_put_back(look: _Look) -> set[Digest]:
    """Return the deleted digests that came back with restored tags: theirs, all below them, and what refers to them."""
    back = {look.put_back[finding.subject] for finding in look.restored}
    for step in look.part.steps:  # in the order of execution: what a step comes after is before it
        if isinstance(step, DeleteManifest) and not back.isdisjoint(step.after):
            back.add(step.digest)
    return back


# --- the policy's own checks --------------------------------------------------------------------------------------
def _run_checks(plan: Plan, session: Session) -> list[Finding]:
    findings = []
    for check in plan.checks:
        session.progress.begin(f"running {check.command[0]}", None)
        why = _failure(check)
        if why and plan.repositories:
            findings.append(
                Finding(
                    repository=plan.repositories[0].repository,
                    subject=" ".join(check.command),
                    what=f"the check of the policy failed: {why}",
                    remedy="tagsweep restore puts back what the run removed",
                )
            )
    return findings


def _failure(check: Check) -> str:
    """Return why the check failed, or an empty string."""
    try:
        done = subprocess.run(  # noqa: S603 (the policy's author names the program; no shell is involved)
            check.command, capture_output=True, timeout=check.timeout.total_seconds(), check=False
        )
    except FileNotFoundError:
        return "there is no such program"
    except OSError as error:
        return error.strerror or str(error)
    except subprocess.TimeoutExpired:
        return f"it ran longer than {check.timeout.total_seconds():.0f} s"
    if done.returncode == 0:
        return ""
    output = (done.stderr or done.stdout)[-_MAX_OUTPUT:].decode(errors="replace").strip()
    last = output.splitlines()[-1] if output else "it printed nothing"
    return f"exit code {done.returncode}, {last}"
