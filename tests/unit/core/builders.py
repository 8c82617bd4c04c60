"""Short words for the values that tests of deciding are made of: real values of the model, nothing in their stead."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from tagsweep.core.decide import DecisionSet, decide
from tagsweep.core.keeps import Context, Verdicts, apply_clause
from tagsweep.model.decision import Decision, KeptByClause
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Kind, Manifest, Unreadable
from tagsweep.model.policy import (
    Evidence,
    Glob,
    KeepClause,
    Match,
    NamingClass,
    Pattern,
    Policy,
    Protection,
    Rule,
)
from tagsweep.model.reference import Digest, Reference, Repository
from tagsweep.model.usage import Coverage, Unresolved, Usage, UsageReport

NOW = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)
REPOSITORY = Repository("docker.io", "acme/app")
WAIVED = Evidence(waived=True)
SOURCE = "kubernetes/prod"


def digest(name: str) -> Digest:
    """The digest that stands for ``name`` in this test."""
    return Digest.parse(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}")


def days_ago(days: float) -> datetime:
    """The instant that many days before the tests' now."""
    return NOW - timedelta(days=days)


def tag(
    name: str,
    on: str | None = None,
    *,
    pushed: datetime | float | None = None,
    times: Mapping[TimeOrigin, datetime] | None = None,
    labels: Mapping[str, frozenset[str]] | None = None,
) -> TagState:
    """A tag on the manifest that is named ``on`` (its own name if not given), pushed then, or so many days ago."""
    known = dict(times or {})
    if pushed is not None:
        known[TimeOrigin.PUSHED] = pushed if isinstance(pushed, datetime) else days_ago(pushed)
    return TagState(name=name, digest=digest(name if on is None else on), times=known, labels=labels)


def image(name: str, *, subject: str | Digest | None = None, annotations: Mapping[str, str] | None = None) -> Manifest:
    """An image manifest, or a referrer if it has a subject."""
    target = digest(subject) if isinstance(subject, str) and not isinstance(subject, Digest) else subject
    return Manifest(
        digest=digest(name),
        media_type=OCI_MANIFEST,
        size=500,
        kind=Kind.IMAGE,
        subject=Descriptor(digest=target) if isinstance(target, Digest) else None,
        annotations=annotations or {},
    )


def index(name: str, *children: str, nested: bool = False) -> Manifest:
    """An index over manifests named ``children``; ``nested`` says that they are indexes themselves."""
    media_type = OCI_INDEX if nested else OCI_MANIFEST
    return Manifest(
        digest=digest(name),
        media_type=OCI_INDEX,
        size=900,
        kind=Kind.INDEX,
        children=tuple(Descriptor(digest=digest(child), media_type=media_type) for child in children),
    )


def unreadable(name: str, why: str = "it is not JSON") -> Unreadable:
    """A manifest that could not be understood."""
    return Unreadable(digest=digest(name), why=why)


def inventory(
    tags: Iterable[TagState],
    manifests: Iterable[Manifest | Unreadable] = (),
    *,
    plain: bool = True,
    missing: Iterable[Digest] = (),
    repository: Repository = REPOSITORY,
) -> Inventory:
    """A repository with these tags and manifests; ``plain`` gives every other tagged digest a plain image."""
    states = tuple(tags)
    known: dict[Digest, Manifest | Unreadable] = {each.digest: each for each in manifests}
    gone = frozenset(missing)
    if plain:
        for state in states:
            if state.digest is not None and state.digest not in known and state.digest not in gone:
                known[state.digest] = Manifest(digest=state.digest, media_type=OCI_MANIFEST, size=500, kind=Kind.IMAGE)
    return Inventory(repository=repository, taken_at=NOW, tags=states, manifests=known, missing=gone)


def rule(
    *keep: KeepClause,
    match: Match | Pattern | str = "sha-*",
    exclude: Match = (),
    name: str = "builds",
    repositories: tuple[str, ...] = (),
) -> Rule:
    """A rule; text as its match is a glob."""
    pattern = Glob(match) if isinstance(match, str) else match
    found = pattern if isinstance(pattern, tuple) else (pattern,)
    return Rule(name=name, match=found, keep=keep, exclude=exclude, repositories=repositories)


def policy(
    *rules: Rule,
    naming: tuple[NamingClass, ...] = (),
    protect: tuple[Protection, ...] = (),
    evidence: Evidence = WAIVED,
) -> Policy:
    """A policy of these rules that waives evidence unless told otherwise."""
    return Policy(targets=("docker.io/acme/*",), rules=rules, evidence=evidence, naming=naming, protect=protect)


def report(
    *references: str,
    unresolved: tuple[Unresolved, ...] = (),
    gaps: tuple[str, ...] = (),
    taken_at: datetime = NOW,
    source: str = SOURCE,
) -> UsageReport:
    """What a source answers that found these references in use."""
    return UsageReport(
        source=source,
        taken_at=taken_at,
        usages=tuple(Usage(reference=Reference.parse(each), source=source, where="pod/web") for each in references),
        unresolved=unresolved,
        coverage=Coverage(gaps=gaps),
        examined=len(references),
    )


def decisions(found: Inventory, rules: Policy, *reports: UsageReport) -> dict[str, Decision]:
    """The decisions by tag at the tests' now."""
    return {each.tag: each for each in decided(found, rules, *reports).decisions}


def decided(found: Inventory, rules: Policy, *reports: UsageReport) -> DecisionSet:
    """Everything that deciding gives at the tests' now."""
    return decide(found, rules, reports, now=NOW)


def verdicts(found: Inventory, rules: Policy, *reports: UsageReport) -> dict[str, str]:
    """The verdicts by tag, as words."""
    return {name: each.verdict.value for name, each in decisions(found, rules, *reports).items()}


def asked(clause: KeepClause, found: Inventory, *, patterns: tuple[Pattern, ...] = ()) -> Verdicts:
    """What one clause says about every tag of an inventory."""
    context = Context(rule="builds", patterns=patterns, now=NOW, inventory=found)
    return apply_clause(clause, found.tags, context)


def kept(said: Verdicts) -> set[str]:
    """The tags that a clause keeps."""
    return {name for name, each in said.items() if isinstance(each, KeptByClause)}


def doubted(said: Verdicts) -> set[str]:
    """The tags about which a clause would have to know more."""
    return {name for name, each in said.items() if not isinstance(each, KeptByClause)}
