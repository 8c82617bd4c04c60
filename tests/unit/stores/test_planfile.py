"""The plan file keeps a plan as it was, shows tampering, and refuses what it does not know."""

from __future__ import annotations

import dataclasses
import json
import os
import typing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagsweep.model.capability import Capabilities, Capability, Support
from tagsweep.model.decision import Decision, KeptByClause, NotKept, Reason, SharesDigest, TimeUnknown, Verdict
from tagsweep.model.errors import ConfigurationError, PlanError
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.plan import DeleteManifest, Plan, RepositoryPlan, Role, RuleCount, Space, Step, Untag
from tagsweep.model.policy import (
    Evidence,
    KeepClause,
    KeepEvery,
    KeepNewestVersions,
    Pattern,
    Period,
    SourceSettings,
    VersionPattern,
    VersionScheme,
    Wave,
)
from tagsweep.stores.planfile import _CODES, dump_plan, load_plan, seal_of
from tests.unit.stores.values import GATEWAY, NOW, digest_of, of_type, plans

GOLDEN = Path(__file__).parent / "plan_version_1.json"
RELEASE, BUILD, CHILD = digest_of(b"release"), digest_of(b"build"), digest_of(b"child")
QUARTERLY = KeepEvery(period=Period.QUARTER, count=4)
VERSIONS = KeepNewestVersions(count=2, version=VersionPattern(VersionScheme.CALVER, ("YYYY.0M.MICRO",)), per="minor")
PLAN = Plan(
    id="20261124-0400-abcdef",
    now=NOW,
    valid_until=NOW + timedelta(hours=24),
    tool="tagsweep 0.1.0",
    policy_path="tagsweep.yaml",
    policy_fingerprint="0" * 64,
    repositories=(
        RepositoryPlan(
            repository=GATEWAY,
            driver="oci",
            capabilities=Capabilities(
                delete_tag=Capability(support=Support.YES, why="probed"),
                delete_manifest=Capability(support=Support.UNKNOWN),
                times=frozenset({TimeOrigin.PUSHED, TimeOrigin.CREATED}),
            ),
            taken_at=NOW,
            decisions=(
                Decision(
                    tag="2025.8.1",
                    digest=RELEASE,
                    verdict=Verdict.KEEP,
                    reasons=(KeptByClause(rule="releases", clause=VERSIONS, detail="1 of 2025.8"),),
                    naming_class="release",
                ),
                Decision(
                    tag="sha-1",
                    digest=RELEASE,
                    verdict=Verdict.KEEP,
                    reasons=(SharesDigest(digest=RELEASE, with_tags=("2025.8.1",)),),
                ),
                Decision(tag="sha-2", digest=BUILD, verdict=Verdict.REMOVE, reasons=(NotKept(rule="ci"),)),
                Decision(
                    tag="sha-3",
                    digest=None,
                    verdict=Verdict.UNDECIDED,
                    reasons=(
                        TimeUnknown(rule="ci", origin=TimeOrigin.PUSHED),
                        KeptByClause(rule="ci", clause=QUARTERLY),
                    ),
                ),
            ),
            steps=(
                Untag(tag="sha-2", expects=BUILD),
                DeleteManifest(digest=BUILD, role=Role.ROOT),
                DeleteManifest(digest=CHILD, role=Role.CHILD, after=(BUILD,), depth=1, media_type="m", size=7),
            ),
            keeps={"2025.8.1": RELEASE, "sha-1": RELEASE},
            space=Space(before=1000, reclaimable=400, complete=False),
            forecast=timedelta(seconds=1.5),
            notes=("a note ✓ beyond ASCII",),
        ),
    ),
    asked=Evidence(require=("list/prod",), max_age=timedelta(minutes=30)),
    sources=(SourceSettings(name="list/prod", kind="list", options={"path": "a.txt", "n": 5, "refs": ["1.10"]}),),
    rules=(RuleCount(rule="ci", repository=str(GATEWAY), matched=3, kept=1, samples=("sha-1",)),),
)


@given(plans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_plan_comes_back_as_it_was(plan: Plan) -> None:
    """Any plan is equal to itself after a way through its file."""
    assert load_plan(dump_plan(plan), name="plan.json") == plan


@pytest.mark.parametrize("kind", [*typing.get_args(Reason), *typing.get_args(KeepClause), *typing.get_args(Step)])
@given(data=st.data())
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_reason_clause_and_step_comes_back(kind: type, data: st.DataObject) -> None:
    """No class of reason, keep clause or step is lost or mistaken for another."""
    value = data.draw(of_type(kind))
    repository = PLAN.repositories[0]
    if kind in typing.get_args(Step):
        changed = dataclasses.replace(repository, steps=(value,))
    else:
        reason = value if kind in typing.get_args(Reason) else KeptByClause(rule="r", clause=value)
        decision = dataclasses.replace(repository.decisions[0], reasons=(reason,))
        changed = dataclasses.replace(repository, decisions=(decision,))
    plan = dataclasses.replace(PLAN, repositories=(changed,))
    assert load_plan(dump_plan(plan), name="p") == plan


def test_every_member_of_a_union_has_its_own_code() -> None:
    """Codes are unique within each union, and no class has a field where its code would stand."""
    for union in (Reason, KeepClause, Step, Pattern, Wave):
        codes = [_CODES[member] for member in typing.get_args(union)]
        assert len(set(codes)) == len(codes)
        assert not any(one.name == "kind" for member in typing.get_args(union) for one in dataclasses.fields(member))


def test_the_format_has_not_changed() -> None:
    """The bytes of a known plan are those of the golden file; another format needs another version.

    Written again with TAGSWEEP_UPDATE_GOLDENS=1.
    """
    data = dump_plan(PLAN)
    if os.environ.get("TAGSWEEP_UPDATE_GOLDENS") == "1":
        GOLDEN.write_bytes(data)
    assert data == GOLDEN.read_bytes()
    assert load_plan(GOLDEN.read_bytes(), name="golden") == PLAN


def test_each_decision_and_step_has_a_line() -> None:
    """A person can read and compare a plan: what belongs together stands in one line."""
    lines = dump_plan(PLAN).decode().splitlines()
    for tag in ("2025.8.1", "sha-1", "sha-2", "sha-3"):
        assert sum(line.strip().startswith(f'{{"tag": "{tag}"') for line in lines) == 1
    assert sum('"kind": "delete-manifest"' in line for line in lines) == 2


def test_reformatting_does_no_harm() -> None:
    """The seal is about what the plan says, not about its spaces or the order of keys."""
    data = dump_plan(PLAN)
    reformatted = json.dumps(json.loads(data), indent=7, sort_keys=True).encode()
    assert load_plan(reformatted, name="p") == PLAN
    assert seal_of(reformatted) == seal_of(data)


def test_a_changed_word_breaks_the_seal() -> None:
    """A plan edited by hand is refused, with exit code 5."""
    data = dump_plan(PLAN).replace(b'"sha-2"', b'"sha-4"')
    for read in (lambda: load_plan(data, name="plan.json"), lambda: seal_of(data, name="plan.json")):
        with pytest.raises(PlanError, match=r"plan\.json was changed after it was made") as caught:
            read()
        assert caught.value.exit_code == 5


def test_a_key_that_stands_twice_is_a_change() -> None:
    """What people read first must not be what tagsweep passes over: such a file is refused, at any depth."""
    data = dump_plan(PLAN)
    for key in (b'"plan":', b'"steps":', b'"verdict":'):
        at = data.index(key)
        with pytest.raises(PlanError, match=r"p was changed after it was made: .* stands twice") as caught:
            load_plan(data[:at] + key + b' "other", ' + data[at:], name="p")
        assert caught.value.exit_code == 5


def test_text_that_no_file_can_hold() -> None:
    """Half a surrogate pair in words becomes a question mark; in a setting it is refused, with the remedy."""
    plan = dataclasses.replace(PLAN, policy_path="p\udcff.yaml")
    assert load_plan(dump_plan(plan), name="p").policy_path == "p?.yaml"
    source = SourceSettings(name="list/prod", kind="list", options={"path": "\ud800"})
    with pytest.raises(ConfigurationError, match="cannot be written") as caught:
        dump_plan(dataclasses.replace(PLAN, sources=(source,)))
    assert "options of the sources" in caught.value.remedy


@given(cut=st.integers(0, 400))
@settings(max_examples=50, deadline=None)
def test_a_cut_off_plan_is_refused(cut: int) -> None:
    """A truncated file is no plan, wherever it was cut."""
    data = dump_plan(PLAN)
    with pytest.raises(PlanError):
        load_plan(data[: len(data) - 2 - cut * (len(data) - 2) // 400], name="p")


bad_plans: list[tuple[bytes, str]] = [
    (b"", "not a plan file"),
    (b"version: 1", "not a plan file"),
    (b"\xff\xfe", "not a plan file"),
    (b"[]", "not a plan of tagsweep"),
    (b'{"format": "other"}', "not a plan of tagsweep"),
    (b'{"format": "tagsweep-plan"}', "version None"),
    (b'{"format": "tagsweep-plan", "version": 2}', "version 2"),
    (b'{"format": "tagsweep-plan", "version": true}', "version True"),
    (b'{"format": "tagsweep-plan", "version": 1}', "changed"),
    (b"[" * 5000, "not a plan file"),
    (b'{"format": NaN}', "not a plan file"),
    (b'{"format": "tagsweep-plan", "version": 1, "seal": "", "plan": "\\ud800"}', "changed"),
    (b'{"format": "tagsweep-plan", "version": 1, "seal": "", "plan": 1e999}', "changed"),
]


@pytest.mark.parametrize(("data", "sentence"), bad_plans, ids=[repr(data[:40]) for data, _ in bad_plans])
def test_what_is_no_plan_is_refused(data: bytes, sentence: str) -> None:
    """Other files and other versions are PlanErrors that say what they are."""
    with pytest.raises(PlanError, match=sentence):
        load_plan(data, name="p")


def resealed(change: Any) -> bytes:
    """Return the plan's file after a change of its content, sealed again as an attacker would."""
    from tagsweep.stores.planfile import _seal  # noqa: PLC0415  only here

    document = json.loads(dump_plan(PLAN))
    change(document["plan"])
    document["seal"] = _seal(document["plan"])
    return json.dumps(document).encode()


bad_contents: list[tuple[str, Any, str]] = [
    ("unknown field", lambda plan: plan.update(surprise=1), "no 'surprise'"),
    ("missing field", lambda plan: plan.pop("now"), "lacks its 'now'"),
    ("unknown kind", lambda plan: plan["repositories"][0]["steps"][0].update(kind="purge"), "'purge' is not known"),
    ("no kind", lambda plan: plan["repositories"][0]["steps"][0].pop("kind"), "None is not known"),
    ("bad digest", lambda plan: plan["repositories"][0]["keeps"].update(x="sha256:1"), "not a digest"),
    ("no time zone", lambda plan: plan.update(now="2026-11-24T04:00:00"), "no time zone"),
    ("time before all", lambda plan: plan.update(now="0001-01-01T00:00:00+01:00"), "not an instant"),
    ("no time", lambda plan: plan.update(now="now"), "not an instant"),
    ("text for a list", lambda plan: plan.update(rules="ci"), "no list"),
    ("truth for a number", lambda plan: plan["rules"][0].update(matched=True), "no int"),
    ("unknown verdict", lambda plan: plan["repositories"][0]["decisions"][0].update(verdict="drop"), "no Verdict"),
    ("endless forecast", lambda plan: plan["repositories"][0].update(forecast=1e300), "no duration"),
]


@pytest.mark.parametrize(
    ("change", "sentence"), [row[1:] for row in bad_contents], ids=[row[0] for row in bad_contents]
)
def test_content_that_is_not_understood_is_refused(change: Any, sentence: str) -> None:
    """A plan with a good seal and strange content is refused, never read in part."""
    with pytest.raises(PlanError, match=sentence):
        load_plan(resealed(change), name="p")


def test_an_error_does_not_repeat_the_plan() -> None:
    """Content that does not fit is shown by its beginning, however long it is."""
    with pytest.raises(PlanError, match="is no list") as caught:
        load_plan(resealed(lambda plan: plan.update(rules="x" * 100_000)), name="p")
    assert len(str(caught.value)) < 300
