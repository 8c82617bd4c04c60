"""Decisions as files: fixed repositories under fixed policies, one line a tag, so that a change of verdicts is seen.

Written anew with ``TAGSWEEP_UPDATE_GOLDENS=1``; look at the difference before committing it.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tagsweep.core.decide import DecisionSet, decide
from tagsweep.model.decision import Decision, Reason
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.manifest import Manifest, Unreadable
from tagsweep.model.policy import (
    Evidence,
    Glob,
    InClass,
    KeepClause,
    KeepEvery,
    KeepLabelled,
    KeepNewest,
    KeepNewestVersions,
    KeepWithin,
    Names,
    NamingClass,
    Period,
    Policy,
    Protection,
    Regex,
    Rule,
    VersionPattern,
    VersionScheme,
)
from tagsweep.model.usage import Unresolved, UsageReport
from tests.unit.core.builders import (
    NOW,
    SOURCE,
    digest,
    image,
    index,
    inventory,
    policy,
    report,
    tag,
    unreadable,
)

GOLDENS = Path(__file__).parent / "decisions"
TENSORZERO = Path(__file__).parent.parent / "data" / "tensorzero.json.gz"

CALVER = VersionPattern(VersionScheme.CALVER, ("YYYY.0M.MICRO", "YYYY.MM.MICRO"))
NAMING = (
    NamingClass(name="release", patterns=(CALVER,)),
    NamingClass(name="floating", patterns=(Names(frozenset({"latest"})),)),
    NamingClass(name="ci-build", patterns=(Regex("sha-[0-9a-f]{40}"), Glob("build-*")), immutable=True),
)


class Case(NamedTuple):
    """What is decided: a repository, a policy, and what the sources answered."""

    found: Inventory
    policy: Policy
    reports: tuple[UsageReport, ...] = ()


def gateway() -> Inventory:
    """tensorzero/gateway as its public history says: 226 tags, the later releases sharing digests with builds."""
    document = json.loads(gzip.decompress(TENSORZERO.read_bytes()))
    entries: list[tuple[str, str, int]] = document["repositories"]["tensorzero/gateway"]
    return inventory(tag(name, build, pushed=datetime.fromtimestamp(pushed, UTC)) for name, build, pushed in entries)


def mixed() -> Inventory:
    """A small repository in which everything that deciding knows occurs once."""

    def of(subject: str, suffix: str = ".sig") -> str:
        return digest(subject).fallback_tag() + suffix

    created = {TimeOrigin.CREATED: datetime(1970, 1, 1, tzinfo=UTC)}
    tags = [
        tag("latest", "2026.3.1", pushed=10),
        tag("2026.3.1", pushed=10),
        tag("2026.03.0", pushed=20),
        tag("2026.3.0", "2026.03.0", pushed=20),
        tag("2025.12.0", pushed=100),
        tag("build-1", pushed=1),
        tag("build-2", pushed=40),
        tag("build-3", pushed=40),
        tag("build-4", pushed=90, labels={"keep": frozenset({"true"})}),
        tag("build-5", pushed=91, labels={}),
        tag("build-1970", times=created),
        tag("build-broken", pushed=300),
        TagState(name="build-lost", digest=None, problem="HTTP 404"),
        tag("build-multi", pushed=200),
        tag("build-used", pushed=300),
        tag("build-pinned", pushed=301),
        tag("build-child-used", pushed=302),
        tag("build-demo", pushed=303),
        tag("build-attests-latest", pushed=304),
        tag(of("2026.3.1"), "signature of a release"),
        tag(of("build-5"), "signature of a build"),
        tag(of("build-5", ""), "referrers of a build"),
        tag(of("arm64", ".att"), "attestation of a platform"),
        tag(of("nowhere"), "signature of nothing"),
        tag(of("build-5")[:-8], "look-alike"),
        tag("odd"),
    ]
    manifests: list[Manifest | Unreadable] = [
        unreadable("build-broken", "it has Docker's old schema 1"),
        index("build-multi", "amd64", "arm64"),
        index("build-child-used", "amd64", "used-platform"),
        image("build-attests-latest", subject="2026.3.1"),
        index("referrers of a build", "sbom"),
    ]
    return inventory(tags, manifests)


def readable() -> Inventory:
    """The same repository without what could not be read, so that signatures can follow what goes."""
    found = mixed()
    hidden = {"build-lost", "build-broken"}
    return replace(found, tags=tuple(each for each in found.tags if each.name not in hidden))


USED = report(
    "acme/app:build-used",
    "acme/app:build-long-gone",
    f"acme/app@{digest('build-pinned')}",
    f"mirror.example/x@{digest('used-platform')}",
)


def builds(*keep: KeepClause) -> Rule:
    return Rule(name="ci builds", match=(InClass("ci-build"),), keep=keep)


def releases(*keep: KeepClause) -> Rule:
    return Rule(name="releases", match=(InClass("release"),), keep=keep)


DEMO = Protection(match=(Names(frozenset({"build-demo"})),), reason="shown to a customer until May")
OPEN = Unresolved(text="acme/app:build-${N}", source=SOURCE, where="compose.yml:14", tag_pattern="build-[0-9]")
EVERYTHING = Rule(name="everything", match=(Glob("*"),), keep=(), exclude=(InClass("release"),))
LABELS = builds(KeepLabelled(key="keep"))

CASES: dict[str, Callable[[], Case]] = {
    "gateway-without-builds": lambda: Case(gateway(), policy(builds(), naming=NAMING)),
    "gateway-tiers-of-builds": lambda: Case(
        gateway(),
        policy(
            builds(
                KeepNewest(count=5),
                KeepWithin(age=timedelta(days=300)),
                KeepEvery(period=Period.QUARTER, count=2),
            ),
            naming=NAMING,
        ),
    ),
    "gateway-newest-releases": lambda: Case(
        gateway(), policy(releases(KeepNewestVersions(count=1, version=CALVER, per="minor")), naming=NAMING)
    ),
    "mixed-without-builds": lambda: Case(mixed(), policy(builds(), naming=NAMING, protect=(DEMO,)), (USED,)),
    "readable-without-builds": lambda: Case(readable(), policy(builds(), naming=NAMING, protect=(DEMO,)), (USED,)),
    "mixed-tiers-of-builds": lambda: Case(
        mixed(), policy(builds(KeepNewest(count=2), KeepWithin(age=timedelta(days=90))), naming=NAMING), (USED,)
    ),
    "mixed-labels": lambda: Case(mixed(), policy(LABELS, naming=NAMING), (USED,)),
    "mixed-releases": lambda: Case(
        mixed(), policy(releases(KeepNewestVersions(count=1, version=CALVER)), naming=NAMING), (USED,)
    ),
    "readable-glob-over-everything": lambda: Case(readable(), policy(EVERYTHING, naming=NAMING)),
    "mixed-incomplete-reference": lambda: Case(mixed(), policy(builds(), naming=NAMING), (report(unresolved=(OPEN,)),)),
    "mixed-without-evidence": lambda: Case(
        mixed(), policy(builds(KeepNewest(count=1)), naming=NAMING, evidence=Evidence(require=(SOURCE,)))
    ),
}


def shown(made: DecisionSet) -> str:
    """The decisions as text, a line for each tag and an indented one for each reason, then the counts."""
    lines = [line for each in made.decisions for line in (heading(each), *(f"    {told(r)}" for r in each.reasons))]
    counts = [f"{c.rule}: matches {c.matched}, of which {c.kept} stay" for c in made.rules]
    dangling = [f"dangling: {usage.reference}" for usage in made.dangling]
    return "\n".join([*lines, "", *counts, *dangling, ""])


def heading(decision: Decision) -> str:
    return f"{decision.verdict.value:9} {decision.tag} ({decision.naming_class or 'no class'})"


def told(reason: Reason) -> str:
    """A reason as its code and facts; of a clause its kind, because the rest stands in the policy."""
    facts = []
    for field in fields(reason):
        value = getattr(reason, field.name)
        if isinstance(value, KeepClause):
            value = type(value).__name__
        facts.append(f"{field.name}={getattr(value, 'value', value)}")
    return " ".join([type(reason).__name__, *facts])


@pytest.mark.parametrize("name", CASES)
def test_decisions_are_those_of_the_golden_file(name: str) -> None:
    """The same repository, policy and evidence give the decisions that were reviewed, reason by reason."""
    case = CASES[name]()
    text = shown(decide(case.found, case.policy, case.reports, now=NOW))
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("TAGSWEEP_UPDATE_GOLDENS") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_file_has_its_case() -> None:
    """No file is left behind by a case that is gone."""
    assert {path.stem for path in GOLDENS.iterdir()} == set(CASES)
