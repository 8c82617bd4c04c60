"""What is in use stays: by tag, by digest, through indexes in both directions, over aliases; unknown is not unused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tagsweep.core.graph import Graph
from tagsweep.core.protect import UsageFacts, evidence_gaps, find_usage, recent_pulls, used_digests
from tagsweep.model.decision import InUse, UnresolvedReference
from tagsweep.model.inventory import Inventory, TimeOrigin
from tagsweep.model.policy import Evidence, UnresolvedReading, UnresolvedRule
from tagsweep.model.reference import Repository
from tagsweep.model.usage import Unresolved, UsageReport
from tests.unit.core.builders import (
    NOW,
    REPOSITORY,
    SOURCE,
    digest,
    image,
    index,
    inventory,
    report,
    tag,
)

MULTI = inventory(
    [tag("v1", "index"), tag("latest", "index"), tag("v1-amd64", "amd64"), tag("top"), tag("other")],
    [
        index("index", "amd64", "arm64"),
        image("amd64"),
        image("arm64"),
        index("top", "index", nested=True),
    ],
)


READINGS = {
    "careful": (UnresolvedRule(read=UnresolvedReading.PROTECT),),
    "careless": (UnresolvedRule(read=UnresolvedReading.IGNORE),),
}
"""How the policy of these tests wants open references of two of its sources read."""


def usage(found: Inventory, *reports: UsageReport, aliases: dict[str, str] | None = None) -> UsageFacts:
    return find_usage(found, reports, Graph.of(found), aliases=aliases or {}, readings=READINGS)


def vias(facts: UsageFacts) -> dict[str, set[str]]:
    return {name: {reason.via for reason in reasons} for name, reasons in facts.tags.items()}


def test_capitals_make_no_difference_where_a_registry_lists_none() -> None:
    """Gitea lists tags in lower case: a use of `V1` is one of `v1`, and `V2` beside `v2` is itself alone."""
    facts = usage(MULTI, report("acme/app:V1"))
    assert vias(facts) == {"v1": {"tag"}}
    assert facts.used == {digest("index")}
    assert not facts.dangling
    facts = usage(inventory([tag("V2"), tag("v2")]), report("acme/app:V2"))
    assert vias(facts) == {"V2": {"tag"}}
    open_one = Unresolved(
        source="careful", where="pod/web", text="acme/app:V${N}", repository=REPOSITORY, tag_pattern="V.*"
    )
    facts = usage(MULTI, UsageReport(source="careful", taken_at=NOW, unresolved=(open_one,)))
    assert vias(facts).keys() == {"v1", "v1-amd64"}


def test_capitals_protect_also_where_they_count() -> None:
    """A use of `v3` where only `V3` is listed protects that and is told as broken: one of both is right."""
    facts = usage(inventory([tag("V3")]), report("acme/app:v3"))
    assert vias(facts) == {"V3": {"tag"}}
    assert [str(each.reference) for each in facts.dangling] == ["docker.io/acme/app:v3"]


def test_a_tag_in_use_protects_that_tag_and_its_digest() -> None:
    """A reference by tag protects the tag by name; its digest is in use, and other names of it are not."""
    facts = usage(MULTI, report("acme/app:v1"))
    assert vias(facts) == {"v1": {"tag"}}
    assert facts.used == {digest("index")}
    assert facts.tags["v1"] == (InUse(source=SOURCE, where="pod/web", via="tag", reference="docker.io/acme/app:v1"),)


def test_a_digest_in_use_protects_every_tag_on_it() -> None:
    """Hazard 32: a workload that is pinned by digest protects all names of the digest, whatever they are."""
    facts = usage(MULTI, report(f"acme/app@{digest('other')}"))
    assert vias(facts) == {"other": {"digest"}}


def test_a_platform_in_use_protects_the_indexes_above_it() -> None:
    """A pod that names the platform's manifest keeps every index that contains it, at any height."""
    facts = usage(MULTI, report(f"acme/app@{digest('arm64')}"))
    assert vias(facts) == {"v1": {"child"}, "latest": {"child"}, "top": {"child"}}
    assert facts.used == {digest("arm64"), digest("index"), digest("top")}


def test_an_index_in_use_protects_its_platforms() -> None:
    """A pod that names the index keeps the tags of its platforms, at any depth."""
    facts = usage(MULTI, report(f"acme/app@{digest('top')}"))
    assert vias(facts) == {"top": {"digest"}, "v1": {"index"}, "latest": {"index"}, "v1-amd64": {"index"}}


def test_a_reference_by_tag_and_digest_protects_both() -> None:
    """Where both are written, the digest is what runs and the tag is what is written: both stay."""
    facts = usage(MULTI, report(f"acme/app:v1@{digest('other')}"))
    assert vias(facts) == {"v1": {"tag"}, "other": {"digest"}}
    assert facts.used == {digest("index"), digest("other")}


def test_a_bare_name_means_latest() -> None:
    """A reference without tag and digest pulls `latest`, so that is what it protects."""
    assert vias(usage(MULTI, report("acme/app"))) == {"latest": {"tag"}}


@pytest.mark.parametrize(
    "reference",
    ["acme/app:v1", "docker.io/acme/app:v1", "index.docker.io/acme/app:v1", "mirror.example:5000/acme/app:v1"],
)
def test_other_names_of_the_registry_are_the_same_registry(reference: str) -> None:
    """Docker Hub's own names and the policy's aliases all mean this repository."""
    facts = usage(MULTI, report(reference), aliases={"mirror.example:5000": "docker.io"})
    assert vias(facts) == {"v1": {"tag"}}


def test_an_alias_of_our_own_registry_is_followed_too() -> None:
    """The repository itself may be scanned under its alias while workloads use the other name."""
    found = inventory([tag("v1")], repository=Repository("mirror.example", "acme/app"))
    facts = usage(found, report("docker.io/acme/app:v1"), aliases={"mirror.example": "docker.io"})
    assert vias(facts) == {"v1": {"tag"}}


@pytest.mark.parametrize("reference", ["acme/other:v1", "ghcr.io/acme/app:v1", "library/app:v1"])
def test_a_tag_of_another_repository_means_nothing_here(reference: str) -> None:
    """The same tag name elsewhere neither protects nor dangles here."""
    facts = usage(MULTI, report(reference))
    assert not facts.tags
    assert not facts.used
    assert not facts.dangling


def test_a_digest_is_the_same_in_every_registry() -> None:
    """A mirror that nobody declared still serves our digest, so its use protects ours."""
    facts = usage(MULTI, report(f"unknown-mirror.example/x/y@{digest('other')}"))
    assert vias(facts) == {"other": {"digest"}}


def test_a_digest_that_no_tag_names_is_still_in_use() -> None:
    """Untagged is not unused: the digest is handed on, so that planning keeps what it reaches."""
    facts = usage(MULTI, report(f"acme/app@{digest('untagged')}", f"ghcr.io/other/app@{digest('foreign')}"))
    assert not facts.tags
    assert facts.used == {digest("untagged")}


def test_a_reference_to_a_tag_that_does_not_exist_dangles() -> None:
    """A workload that names an absent tag is told, because its next pull fails."""
    facts = usage(MULTI, report("acme/app:v0", "acme/app:v1"))
    assert [str(each.reference) for each in facts.dangling] == ["docker.io/acme/app:v0"]


def test_a_digest_that_the_registry_lost_dangles() -> None:
    """A pinned digest that is known to be missing is told too; a pinned one beside an absent tag is not."""
    found = inventory([tag("v1")], missing=[digest("lost")])
    facts = usage(found, report(f"acme/app@{digest('lost')}", f"acme/app:gone@{digest('v1')}"))
    assert [each.reference.digest for each in facts.dangling] == [digest("lost")]


def test_each_place_of_use_is_told_once() -> None:
    """Equal references of one place are one reason; different places are all told."""
    facts = usage(MULTI, report("acme/app:v1", "acme/app:v1"), report("acme/app:v1", source="git/deploy"))
    assert [reason.source for reason in facts.tags["v1"]] == [SOURCE, "git/deploy"]


# --- references that are not complete -----------------------------------------------------------------------------
def unresolved(
    pattern: str, repository: Repository | None = REPOSITORY, *, source: str = SOURCE, names: str = ".*"
) -> UsageReport:
    open_reference = Unresolved(
        text="acme/app:${TAG}",
        source=source,
        where="a.yml:3",
        repository=repository,
        repository_pattern=names,
        tag_pattern=pattern,
    )
    return report(unresolved=(open_reference,), source=source)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (unresolved("v1.*"), {"v1", "v1-amd64"}),
        (unresolved("v1"), {"v1"}),
        (unresolved(".*"), {"v1", "latest", "v1-amd64", "top", "other"}),
        (unresolved(".*", repository=None), {"v1", "latest", "v1-amd64", "top", "other"}),
        (unresolved(".*", repository=Repository("docker.io", "acme/other")), set()),
        (unresolved("("), {"v1", "latest", "v1-amd64", "top", "other"}),
    ],
)
def test_an_incomplete_reference_could_mean_every_tag_that_fits(answer: UsageReport, expected: set[str]) -> None:
    """It is told for every tag that its pattern matches in full; a pattern that is none could mean any."""
    facts = usage(MULTI, answer)
    assert set(facts.unresolved) == expected
    for reasons in facts.unresolved.values():
        assert reasons == (UnresolvedReference(source=SOURCE, where="a.yml:3", text="acme/app:${TAG}"),)


# --- required sources ---------------------------------------------------------------------------------------------
REQUIRED = Evidence(require=(SOURCE,), max_age=timedelta(hours=1))

good_evidence = [
    (REQUIRED, [report()]),
    (REQUIRED, [report(taken_at=NOW - timedelta(hours=1))]),
    (REQUIRED, [report(taken_at=NOW + timedelta(minutes=5))]),
    (REQUIRED, [report(), report(source="git/deploy", gaps=("one repository",))]),
    (Evidence(waived=True), []),
    (Evidence(waived=True, require=(SOURCE,)), []),
]
bad_evidence = [
    (REQUIRED, [], "was not asked or did not answer"),
    (REQUIRED, [report(source="git/deploy")], "was not asked or did not answer"),
    (REQUIRED, [report(gaps=("namespace kube-system: forbidden",))], "namespace kube-system: forbidden"),
    (REQUIRED, [report(taken_at=NOW - timedelta(hours=1, seconds=1))], "more than 1:00:00 from now"),
    (REQUIRED, [report(taken_at=NOW + timedelta(days=1))], "more than 1:00:00 from now"),
    (REQUIRED, [report(), report(gaps=("half",))], "half"),
    (Evidence(), [report()], "does not waive evidence"),
]


@pytest.mark.parametrize(("evidence", "reports"), good_evidence)
def test_complete_and_fresh_answers_suffice(evidence: Evidence, reports: list[UsageReport]) -> None:
    """A required source that answered completely and in time leaves no gap; waived evidence needs none."""
    assert evidence_gaps(evidence, reports, now=NOW) == ()


@pytest.mark.parametrize(("evidence", "reports", "why"), bad_evidence)
def test_absent_stale_and_partial_answers_are_gaps(evidence: Evidence, reports: list[UsageReport], why: str) -> None:
    """What did not answer, did not see everything or answered at another time is a gap with its reason."""
    gaps = evidence_gaps(evidence, reports, now=NOW)
    assert gaps
    assert why in gaps[0].why


def test_an_open_reference_that_the_policy_protects_is_in_use() -> None:
    """With `unresolved: protect` every tag that fits stays as in use, with its digest, and nothing is undecided."""
    facts = usage(MULTI, unresolved("v1.*", source="careful"))
    assert vias(facts) == {"v1": {"pattern"}, "v1-amd64": {"pattern"}}
    assert facts.used == {digest("index"), digest("amd64")}
    assert not facts.unresolved


def test_an_open_reference_that_the_policy_ignores_counts_for_nothing() -> None:
    """With `unresolved: ignore` neither use nor doubt comes of it; another source's are as they were."""
    assert not usage(MULTI, unresolved("v1.*", source="careless")).unresolved
    both = usage(MULTI, unresolved("v1", source="careless"), unresolved("other"))
    assert set(both.unresolved) == {"other"}
    assert not both.tags


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        (".*/app", True),
        ("acme/.*", True),
        ("docker\\.io/acme/app", True),
        ("mirror\\.example/hub/acme/app", True),
        (".*/acme/other", False),
        ("app", False),
        ("(", True),
    ],
)
def test_an_open_repository_is_matched_by_every_name_of_ours(names: str, *, fits: bool) -> None:
    """The literal parts of an open name count: in full, in Docker's short form, and through aliases."""
    answer = unresolved("v1", repository=None, names=names)
    facts = usage(MULTI, answer, aliases={"mirror.example/hub": "docker.io"})
    assert set(facts.unresolved) == ({"v1"} if fits else set())


def test_very_many_open_references_are_told_in_part() -> None:
    """A tag that a thousand places could mean has some of them as reasons; protected ones are all told."""
    entries = tuple(
        Unresolved(text="x", source=SOURCE, where=f"a.yml:{line}", repository=REPOSITORY) for line in range(1000)
    )
    facts = usage(MULTI, report(unresolved=entries))
    assert {len(reasons) for reasons in facts.unresolved.values()} == {20}


def test_a_digest_behind_a_cache_of_ours_is_used_here() -> None:
    """A digest that is in use under an alias is read in this repository even if no tag names it."""
    answers = [
        report(f"mirror.example/hub/acme/app@{digest('untagged')}", f"acme/app@{digest('other')}", "acme/app:v1")
    ]
    found = used_digests(answers, REPOSITORY, {"mirror.example/hub": "docker.io"})
    assert found == {digest("untagged"), digest("other")}
    assert used_digests(answers, REPOSITORY, {}) == {digest("other")}


def test_what_was_pulled_lately_stays_and_no_time_says_nothing() -> None:
    """The registry's pull times only protect: a recent one keeps, an old one or none neither keeps nor removes."""
    found = inventory(
        [
            tag("fresh", times={TimeOrigin.PULLED: NOW - timedelta(days=29)}),
            tag("border", times={TimeOrigin.PULLED: NOW - timedelta(days=30)}),
            tag("old", times={TimeOrigin.PULLED: NOW - timedelta(days=31)}),
            tag("never", times={TimeOrigin.PUSHED: NOW}),
            tag("tomorrow", times={TimeOrigin.PULLED: NOW + timedelta(days=1)}),
        ]
    )
    pulls = recent_pulls(found, timedelta(days=30), now=NOW)
    assert set(pulls) == {"fresh", "border", "tomorrow"}
    assert {reason.via for reason in pulls.values()} == {"pull"}
    assert recent_pulls(found, None, now=NOW) == {}
