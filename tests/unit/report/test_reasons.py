"""Every reason has a sentence, a code and, where something can be done, a remedy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from tagsweep.config import parse_policy
from tagsweep.core.patterns import repository_matches
from tagsweep.model.decision import (
    CannotDelete,
    Decision,
    EvidenceMissing,
    FollowsSubject,
    InUse,
    KeepReason,
    KeptByClause,
    LabelsUnknown,
    ManifestUnknown,
    NoRuleMatches,
    NotKept,
    Protected,
    ReachedBy,
    Reason,
    RemoveReason,
    SharesDigest,
    SubjectRemoved,
    SubjectUnknown,
    TimeUnknown,
    UndecidedReason,
    UnresolvedReference,
    Verdict,
    VersionUnreadable,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import (
    Glob,
    InClass,
    KeepAll,
    KeepClause,
    KeepEvery,
    KeepLabelled,
    KeepNamed,
    KeepNewest,
    KeepNewestVersions,
    KeepWithin,
    Names,
    Period,
    Regex,
    UnresolvedReading,
    VersionPattern,
    VersionScheme,
)
from tagsweep.report.clauses import clause_code, clause_words, match_words
from tagsweep.report.groups import NO_CLASS, group_classes, group_reasons, main_reason
from tagsweep.report.reasons import code, many, reading_example, remedy, sentence, verdict_of
from tests.unit.report import samples

SUBJECT = samples.digest("subject")
SHORT = SUBJECT.short

good_sentences: list[tuple[Reason, str]] = [
    (NoRuleMatches(), "no rule matches it"),
    (
        KeptByClause(rule="ci", clause=KeepNewest(count=20), detail="rank 3 of 40"),
        "rule “ci” keeps the 20 newest by push time (rank 3 of 40)",
    ),
    (Protected(reason="the benchmark pins it"), "protected by the policy: the benchmark pins it"),
    (
        InUse(source="kubernetes/prod", where="prod/web api", via="tag", reference="web:1"),
        "in use by kubernetes/prod: prod/web api names web:1",
    ),
    (
        InUse(source="list", where="used.txt:3", via="index", reference="web@sha256:1"),
        "in use by list: used.txt:3 names web@sha256:1, an index that contains it",
    ),
    (
        InUse(source="kubernetes/prod", where="prod/web api", via="tag", reference="web:1", note="rollback target"),
        "in use by kubernetes/prod: prod/web api names web:1 (rollback target)",
    ),
    (
        InUse(source="k", where="prod/web api", via="digest", reference="web@sha256:1", last_seen=samples.NOW),
        "in use by k: prod/web api names web@sha256:1 by digest; no longer there, last seen 2026-11-24 and remembered",
    ),
    (
        InUse(source="git/deploy", where="compose.yml:14", via="pattern", reference="web:${TAG}"),
        "in use by git/deploy: compose.yml:14 says web:${TAG}, which fits it, and the policy protects whatever fits",
    ),
    (
        InUse(source="registry", where="last pull 2026-11-20 10:00 UTC", via="pull", reference="web:1"),
        "pulled lately, by the registry's record: last pull 2026-11-20 10:00 UTC",
    ),
    (SharesDigest(digest=SUBJECT, with_tags=("2025.8.1",)), "shares the digest of 2025.8.1, which stays"),
    (
        SharesDigest(digest=SUBJECT, with_tags=("2025.8.1", "latest")),
        "shares the digest of 2025.8.1 and latest, which stay",
    ),
    (ReachedBy(digest=SUBJECT, tags=("latest",)), "is part of what latest needs, which stays"),
    (FollowsSubject(subject=SUBJECT), f"belongs to {SHORT}, which stays"),
    (CannotDelete(why="deletion is switched off"), "this registry cannot remove it: deletion is switched off"),
    (TimeUnknown(rule="ci", origin=TimeOrigin.PUSHED), "rule “ci” needs its push time, which is not known"),
    (VersionUnreadable(rule="old", scheme="semver"), "rule “old” compares versions, and this is no semver version"),
    (LabelsUnknown(rule="ci", key="keep"), "rule “ci” asks for keep, which could not be read"),
    (ManifestUnknown(why="not JSON"), "its manifest is not known: not JSON"),
    (
        UnresolvedReference(source="git/deploy", where="compose.yml:14", text="web:${TAG}"),
        "git/deploy may mean it: compose.yml:14 says web:${TAG}",
    ),
    (EvidenceMissing(source="list", why="no such file"), "required evidence is missing: list: no such file"),
    (
        SubjectUnknown(why="two digests fit"),
        "looks derived from a digest, but what it belongs to is not known: two digests fit",
    ),
    (NotKept(rule="ci"), "rule “ci” matches it and none of its keep clauses does"),
    (SubjectRemoved(subject=SUBJECT), f"belongs to {SHORT}, which is removed"),
]

good_clauses: list[tuple[KeepClause, str, str]] = [
    (KeepNewest(count=20), "newest", "the 20 newest by push time"),
    (
        KeepNewest(count=2, per="branch", of=TimeOrigin.CREATED),
        "newest",
        "the 2 newest by build time (created) for each “branch”",
    ),
    (KeepWithin(age=timedelta(days=30)), "within", "what is not older than 30 days by push time"),
    (
        KeepEvery(period=Period.MONTH, count=12, of=TimeOrigin.FIRST_SEEN),
        "every",
        "the newest of each month for the last 12 months by time when tagsweep first saw it",
    ),
    (
        KeepNewestVersions(count=3, version=VersionPattern(VersionScheme.SEMVER), per="minor"),
        "newest-versions",
        "the 3 highest semver versions of each minor line",
    ),
    (KeepLabelled(key="keep", value="yes"), "labelled", "what has the label keep = yes"),
    (KeepLabelled(key="keep", annotation=True), "labelled", "what has the annotation keep"),
    (KeepNamed(match=(Names(frozenset({"b", "a"})), Glob("v*"))), "named", "what matches a and b or glob v*"),
    (KeepAll(), "all", "everything that the rule matches"),
]


@pytest.mark.parametrize(("reason", "words"), good_sentences)
def test_a_reason_is_one_short_sentence(reason: Reason, words: str) -> None:
    """Each class of reason has its words, with the tag as the subject that is left out."""
    assert sentence(reason) == words
    assert many((reason,)) == words


def test_every_class_of_reason_is_in_the_table() -> None:
    """A new class of reason cannot be forgotten here."""
    assert {type(reason) for reason, _ in good_sentences} == set(get_args(Reason))
    assert {type(clause) for clause, _, _ in good_clauses} == set(get_args(KeepClause))


def test_every_class_of_reason_speaks_for_its_verdict() -> None:
    """The three unions of the model are the three verdicts."""
    unions = {Verdict.KEEP: KeepReason, Verdict.UNDECIDED: UndecidedReason, Verdict.REMOVE: RemoveReason}
    for reason, _ in good_sentences:
        assert type(reason) in get_args(unions[verdict_of(reason)])


def test_every_code_is_its_own() -> None:
    """Two classes of reason never share a code."""
    codes = {code(reason) for reason, _ in good_sentences}
    assert len(codes) == len(get_args(Reason))


@pytest.mark.parametrize(("clause", "name", "words"), good_clauses)
def test_a_keep_clause_says_what_it_keeps(clause: KeepClause, name: str, words: str) -> None:
    """Each keep clause has a code and words."""
    assert clause_code(clause) == name
    assert clause_words(clause) == words


def test_a_match_says_which_tags_it_means() -> None:
    """Patterns are named by their kind; an empty match means nothing."""
    version = VersionPattern(VersionScheme.CALVER, formats=("YYYY.MM",), prefix="v")
    assert match_words((InClass("ci"), Regex("x+"), version)) == "class ci or regex x+ or calver YYYY.MM after “v”"
    assert match_words(()) == "nothing"


@pytest.mark.parametrize(("reason", "words"), good_sentences)
def test_many_tags_have_words_of_their_own(reason: Reason, words: str) -> None:
    """Two tags with the same kind of reason are summed up in the plural, or in the same words where none is needed."""
    summed = many((reason, reason))
    if isinstance(reason, Protected | EvidenceMissing | LabelsUnknown):
        assert summed == words
    else:
        assert summed != words
        assert not summed.startswith(("its ", "it ", "belongs", "is ", "shares", "looks"))


def test_more_tags_than_a_clause_keeps_have_the_same_time_and_it_says_so() -> None:
    """Of thirty tags of one time "the 4 newest" alone would be a lie; of four it is the truth."""
    reason = KeptByClause(rule="builds", clause=KeepNewest(count=4))
    words = "rule “builds” keeps the 4 newest by push time"
    assert many((reason,) * 4) == words
    assert many((reason,) * 30) == f"{words}, and all of the same time"
    by_branch = replace(reason, clause=KeepNewest(count=4, per="branch"))
    assert many((by_branch,) * 30) == f"{words} for each “branch”"


def test_what_differs_between_many_tags_is_shown_by_samples() -> None:
    """The tags whose digest is shared are named, a few of them."""
    reasons = tuple(SharesDigest(digest=SUBJECT, with_tags=(f"2025.8.{n}",)) for n in range(1, 35))
    assert many(reasons) == "share the digest of 2025.8.1, 2025.8.2, 2025.8.3 and 31 more, which stay"


def test_only_what_a_person_can_change_has_a_remedy() -> None:
    """Every undecided reason says what would decide it; a plain keep or removal needs nothing."""
    for reason, _ in good_sentences:
        undecided = verdict_of(reason) is Verdict.UNDECIDED
        assert bool(remedy(reason)) is (undecided or isinstance(reason, CannotDelete))


def test_the_remedy_of_an_open_reference_can_be_written_as_it_is() -> None:
    """Place, source and path are in it; the entry is YAML that a policy takes, whatever the path looks like."""
    for path in ("compose.yml", "a b/[x]*.yml", 'odd "name": {1}.yml', "ns/app/deployment"):
        reason = UnresolvedReference(source="git/deploy", where="deploy main:f:14", text="web:${TAG}", path=path)
        words = remedy(reason)
        assert "write the whole reference in deploy main:f:14" in words
        entry = reading_example("git/deploy", path)
        assert entry in words
        head = "version: 1\ntargets: [acme/web]\nrules: [{name: x, match: {glob: 'y*'}, keep: []}]\n"
        policy = parse_policy(f"{head}evidence: {{require: [git/deploy]}}\n{entry}\n", path="p.yaml")
        (rule,) = policy.sources[0].unresolved
        assert rule.read is UnresolvedReading.IGNORE
        assert [repository_matches(glob, path) for glob in rule.paths] == [True]


def test_an_open_reference_without_a_path_is_read_by_its_source() -> None:
    """A source that knows no paths is named alone."""
    assert reading_example("list/hold") == "sources: {list/hold: {unresolved: ignore}}"


def test_many_tags_that_one_open_reference_fits_are_one_group() -> None:
    """What the policy protects by a pattern is told apart from what is named, and what is there from what was."""
    named = InUse(source="k", where="a", via="tag", reference="web:1")
    fits = InUse(source="k", where="b", via="pattern", reference="web:${TAG}")
    was = InUse(source="k", where="c", via="tag", reference="web:1", last_seen=samples.NOW)
    earlier = InUse(source="k", where="d", via="tag", reference="web:2", last_seen=samples.NOW - timedelta(days=9))
    decisions = [
        samples.kept(f"{number}{tag}", reason, naming_class="ci")
        for number, reasons in enumerate(((named, named), (fits, fits), (was, earlier)))
        for tag, reason in zip("ab", reasons, strict=True)
    ]
    assert [group.words for group in group_reasons(decisions)] == [
        "in use by k: a",
        "in use by k: b: web:${TAG} fits them, and the policy protects whatever fits",
        "in use by k: c and d; no longer there, last seen 2026-11-15 to 2026-11-24 and remembered",
    ]
    every = Decision(tag="x", digest=SUBJECT, verdict=Verdict.KEEP, reasons=(was, fits, named))
    assert main_reason(every) == named


def test_tags_that_many_open_references_could_mean_are_one_group() -> None:
    """A thousand files with the same variable are one line, with a few of them."""
    decisions = [
        samples.kept(
            f"t{n}",
            UnresolvedReference(source="git/deploy", where=f"{n}.yml:1", text="web:${TAG}", path=f"{n}.yml"),
            naming_class="ci",
            verdict=Verdict.UNDECIDED,
        )
        for n in range(1000)
    ]
    (group,) = group_reasons(decisions)
    assert group.words == ("git/deploy may mean them: 0.yml:1 says web:${TAG}, 1.yml:1 says web:${TAG} and 998 more")


def test_a_missing_push_time_names_the_registry_where_it_reports_none() -> None:
    """The remedy tells a registry without push times from one that lacks the time of this tag."""
    reason = TimeUnknown(rule="ci", origin=TimeOrigin.PUSHED)
    assert remedy(reason, times=frozenset()).startswith("this registry reports no push times: use “of: first-seen”")
    assert remedy(reason, times=frozenset({TimeOrigin.PUSHED})).startswith("use “of: first-seen”")


def test_each_tag_is_in_exactly_one_group() -> None:
    """Groups partition the decisions, removals first, and the numbers add up."""
    groups = group_reasons(samples.decisions())
    tags = [tag for group in groups for tag in group.tags]
    assert sorted(tags) == sorted(decision.tag for decision in samples.decisions())
    assert [(group.verdict, len(group.tags)) for group in groups] == [
        (Verdict.REMOVE, 72),
        (Verdict.KEEP, 119),
        (Verdict.KEEP, 34),
        (Verdict.KEEP, 1),
    ]


def test_a_tag_is_counted_under_what_people_most_need_to_know() -> None:
    """Being in use comes before sharing a digest, and a reason of another verdict never leads."""
    used = InUse(source="list", where="used.txt:1", via="tag", reference="web:1")
    reasons = (NotKept(rule="ci"), SharesDigest(digest=SUBJECT, with_tags=("latest",)), used)
    decision = Decision(tag="a", digest=SUBJECT, verdict=Verdict.KEEP, reasons=reasons)
    assert main_reason(decision) == used


def test_classes_that_lose_tags_come_first_and_tags_of_no_class_last() -> None:
    """The order of the classes is the order of what a reader must look at."""
    found = group_classes(
        (
            samples.kept("x", NoRuleMatches(), naming_class=""),
            samples.kept("1.0", NoRuleMatches(), naming_class="release"),
            samples.kept("sha-1", NotKept(rule="ci"), naming_class="ci-build", verdict=Verdict.REMOVE),
        )
    )
    assert [group.name for group in found] == ["ci-build", "release", NO_CLASS]
