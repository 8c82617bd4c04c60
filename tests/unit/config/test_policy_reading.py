"""A good policy becomes the values that it says."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from tagsweep.config import load_policy, parse_policy
from tagsweep.model.errors import PolicyError
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import (
    Evidence,
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
    NamingClass,
    Period,
    Regex,
    RegistrySettings,
    SourceSettings,
    VersionPattern,
    VersionScheme,
    WaveCount,
    WavePercent,
)
from tagsweep.model.schedule import Schedule

GOOD = "version: 1\ntargets: [acme/web]\nrules: [{name: x, match: {glob: 'y*'}, keep: []}]\nevidence: none\n"
BASE = """\
version: 1
targets: [docker.io/acme/*]
naming:
  release: {semver: true, prefix: v}
rules:
  - name: builds
    match: {regex: '(?P<branch>[a-z]+)-.+'}
    keep: [CLAUSE]
evidence: none
"""

good_clauses: list[tuple[str, KeepClause]] = [
    ("{newest: 0}", KeepNewest(count=0)),
    ("{newest: 20, of: first-seen, per: branch}", KeepNewest(count=20, of=TimeOrigin.FIRST_SEEN, per="branch")),
    ("{within: 30d}", KeepWithin(age=timedelta(days=30))),
    ("{within: 90m, of: created}", KeepWithin(age=timedelta(minutes=90), of=TimeOrigin.CREATED)),
    ("{within: 2w, of: pulled}", KeepWithin(age=timedelta(weeks=2), of=TimeOrigin.PULLED)),
    ("{every: month, for: 12}", KeepEvery(period=Period.MONTH, count=12)),
    ("{newest_versions: 3, semver: true}", KeepNewestVersions(count=3, version=VersionPattern(VersionScheme.SEMVER))),
    (
        "{newest_versions: 3, class: release, per: minor}",
        KeepNewestVersions(count=3, version=VersionPattern(VersionScheme.SEMVER, (), "v"), per="minor"),
    ),
    (
        "{newest_versions: 1, calver: YYYY.0M.MICRO, prefix: r}",
        KeepNewestVersions(count=1, version=VersionPattern(VersionScheme.CALVER, ("YYYY.0M.MICRO",), "r")),
    ),
    ("{newest_versions: 1, pep440: true}", KeepNewestVersions(count=1, version=VersionPattern(VersionScheme.PEP440))),
    ("{label: a.b}", KeepLabelled(key="a.b")),
    ("{label: a.b, value: 1.10}", KeepLabelled(key="a.b", value="1.10")),
    ("{annotation: a.b, value: on}", KeepLabelled(key="a.b", value="on", annotation=True)),
    (
        "{names: [1.10, 2025.10, on, null, 2025-10-01]}",
        KeepNamed(match=(Names(frozenset({"1.10", "2025.10", "on", "null", "2025-10-01"})),)),
    ),
    ("{glob: ['a*', 'b?']}", KeepNamed(match=(Glob("a*"), Glob("b?")))),
    (r"{regex: 'v\d+'}", KeepNamed(match=(Regex(r"v\d+"),))),
    ("all", KeepAll()),
    ("{all: true}", KeepAll()),
]


@pytest.mark.parametrize(("text", "clause"), good_clauses, ids=[text for text, _ in good_clauses])
def test_a_keep_clause_is_read_as_written(text: str, clause: KeepClause) -> None:
    """Each form of a keep clause becomes the value that it stands for."""
    policy = parse_policy(BASE.replace("CLAUSE", text), path="p.yaml")
    assert policy.rules[0].keep == (clause,)


good_targets = [
    ("docker.io/tensorzero/gateway", "docker.io/tensorzero/gateway"),
    ("tensorzero/gateway", "docker.io/tensorzero/gateway"),
    ("tensorzero/*", "docker.io/tensorzero/*"),
    ("redis", "docker.io/library/redis"),
    ("index.docker.io/tensorzero/*", "docker.io/tensorzero/*"),
    ("127.0.0.1:5000/tensorzero/*", "127.0.0.1:5000/tensorzero/*"),
    ("'[::1]:5000/a/**'", None),
    ("localhost/a", "localhost/a"),
    ("ghcr.io/**", "ghcr.io/**"),
    ("GHCR.io:443/**", "ghcr.io/**"),
    ("GHCR.io/acme/web", "ghcr.io/acme/web"),
    ("oci-layout:/srv/images", "oci-layout:/srv/images"),
]


@pytest.mark.parametrize(("text", "target"), good_targets, ids=[text for text, _ in good_targets])
def test_a_target_is_completed_as_docker_does(text: str, target: str | None) -> None:
    """Targets come out with their registry, Docker Hub under its one name; a wildcard in the host is refused."""
    source = BASE.replace("CLAUSE", "").replace("docker.io/acme/*", text)
    if target is None:
        with pytest.raises(PolicyError, match="does not say which registry"):
            parse_policy(source, path="p.yaml")
    else:
        assert parse_policy(source, path="p.yaml").targets == (target,)


def test_a_whole_policy_becomes_its_values() -> None:
    """Every part of a policy arrives in its place in the model."""
    policy = parse_policy(
        BASE.replace("CLAUSE", "").replace("evidence: none\n", "")
        + """\
  - name: releases
    match: {class: [release]}
    exclude: {names: v1.0.0}
    repositories: ["**/api", acme/web]
    keep: [all]
evidence: {require: [list/prod], max_age: 30m}
sources:
  list/prod: {path: a.txt, pages: 5, follow: true, tag: 1.10, none: null, refs: [main, 2025-10-01]}
  staging: {kind: list}
  list/empty:
protect: [{match: {glob: 'x?'}, reason: because, may_match_nothing: true}]
limits: {max_removals: 0, max_percent: 12.5, keep_at_least: 0, accept_equal_times: true, plan_valid: 2h}
apply: {waves: [5, 50%, "100%"], concurrency: 2}
verify: {checks: [{command: [./smoke.sh, 1.10], timeout: 5m}]}
record: {changelog: CHANGELOG.md, reports: out}
registries:
  127.0.0.1:5000: {plain_http: true, concurrency: 4, aliases: [registry.example]}
  registry-1.docker.io:
schedule: '0 4 1 */3 *'
""",
        path="p.yaml",
    )
    assert policy.naming == (NamingClass(name="release", patterns=(VersionPattern(VersionScheme.SEMVER, (), "v"),)),)
    assert policy.rules[1].match == (InClass("release"),)
    assert policy.rules[1].exclude == (Names(frozenset({"v1.0.0"})),)
    assert policy.rules[1].repositories == ("**/api", "docker.io/acme/web")
    assert policy.evidence == Evidence(require=("list/prod",), max_age=timedelta(minutes=30))
    options = {"path": "a.txt", "pages": 5, "follow": True, "tag": "1.10", "none": None, "refs": ["main", "2025-10-01"]}
    assert policy.sources == (
        SourceSettings(name="list/prod", kind="list", options=options),
        SourceSettings(name="staging", kind="list"),
        SourceSettings(name="list/empty", kind="list"),
    )
    assert policy.sources[0].options == options
    assert (policy.limits.max_removals, policy.limits.max_percent, policy.limits.keep_at_least) == (0, 12.5, 0)
    assert policy.limits.plan_valid == timedelta(hours=2)
    assert policy.apply.waves == (WaveCount(5), WavePercent(50.0), WavePercent(100.0))
    assert policy.checks[0].command == ("./smoke.sh", "1.10")
    assert policy.record.reports == "out"
    assert policy.registries == (
        RegistrySettings(host="127.0.0.1:5000", plain_http=True, concurrency=4, aliases=("registry.example",)),
        RegistrySettings(host="docker.io"),
    )
    assert policy.schedule == Schedule(cron="0 4 1 */3 *", written="0 4 1 */3 *")


def test_evidence_none_is_a_waiver_in_words() -> None:
    """``evidence: none`` says that no source is asked, and nothing else does."""
    assert parse_policy(BASE.replace("CLAUSE", ""), path="p.yaml").evidence == Evidence(waived=True)


def test_a_file_is_read_with_its_fingerprint(tmp_path: Path) -> None:
    """Loading keeps the path and the sha256 of the file's bytes, a byte order mark included."""
    file = tmp_path / "p.yaml"
    data = ("\ufeff" + BASE.replace("CLAUSE", "")).encode()
    file.write_bytes(data)
    policy = load_policy(file)
    assert policy.path == str(file)
    assert policy.fingerprint == hashlib.sha256(data).hexdigest()


def test_an_alias_repeats_a_value() -> None:
    """YAML aliases to values work, so that a policy need not repeat itself."""
    text = BASE.replace("CLAUSE", "&young {within: 30d}") + "protect: [{match: &m {names: [a]}, reason: r}]\n"
    text += "limits: &l {max_percent: 90%}\n"
    assert parse_policy(text, path="p.yaml").limits.max_percent == 90.0


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A policy that is not there, or is a directory, is a PolicyError with the path."""
    with pytest.raises(PolicyError, match="no such file"):
        load_policy(tmp_path / "absent.yaml")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path)


def test_bytes_that_are_not_utf8_are_named_by_their_place(tmp_path: Path) -> None:
    """A file in another encoding is refused at the line and column of the first such byte."""
    file = tmp_path / "p.yaml"
    file.write_bytes(b"version: 1\n# caf\xe9\n")
    with pytest.raises(PolicyError, match=r"p\.yaml:2:6: the file is not UTF-8"):
        load_policy(file)


@pytest.mark.parametrize("schedule", ["quarterly", "0 4 1 */3 *", "*/15 0-6,22 ? JAN,jul 1-5", "0 0 31 12 7"])
def test_a_schedule_is_a_word_or_cron(schedule: str) -> None:
    """Words for periods and the five fields of cron are kept as written."""
    read = parse_policy(GOOD + f"schedule: '{schedule}'\n", path="p").schedule
    assert read is not None
    assert read.written == schedule


@pytest.mark.parametrize("glob", ["y[!a]*", "[]x]", "[^a-c]?", "sha-?*", "a.b_c-*"])
def test_a_glob_with_character_classes_is_kept(glob: str) -> None:
    """What stands in brackets is no character of its own, and what can match a tag is accepted."""
    assert parse_policy(GOOD.replace("y*", glob), path="p").rules[0].match == (Glob(glob),)


def test_names_and_reasons_are_one_line() -> None:
    """Line breaks in what reports and changelogs quote become spaces."""
    text = GOOD.replace("name: x", 'name: "a\\n## b"') + "protect: [{match: {names: a}, reason: 'x\n\n  y'}]\n"
    policy = parse_policy(text, path="p")
    assert (policy.rules[0].name, policy.protect[0].reason) == ("a ## b", "x y")


def test_no_rules_written_out_is_a_policy_that_removes_nothing() -> None:
    """``rules: []`` is a policy that only names tags, as ``tagsweep lint`` needs it."""
    text = "version: 1\ntargets: [acme/web]\nnaming: {release: {semver: true}}\nrules: []\nevidence: none\n"
    assert parse_policy(text, path="tagsweep.yaml").rules == ()
