"""The policy that init writes: read by the same parser, whatever the tags are called, and readable by other tools."""

from __future__ import annotations

from datetime import UTC, datetime

import yaml

from tagsweep.config import parse_policy
from tagsweep.core.families import Family, FamilyKind, TagFacts, find_families
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import Names
from tagsweep.report.policy_text import PolicyDraft, policy_text
from tests.unit.core.builders import digest


def written(*families: Family) -> str:
    """Return the policy for these families, with the evidence waived."""
    now = datetime(2026, 10, 1, tzinfo=UTC)
    draft = PolicyDraft(
        targets=("docker.io/acme/app",),
        families=families,
        clock=TimeOrigin.PUSHED,
        made_at=now,
        evidence_waived=True,
    )
    return policy_text(draft)


def test_names_that_other_tools_take_for_numbers_are_quoted() -> None:
    """18.10 stays a text, and no stays a name, for every reader of YAML."""
    names = ("18.10", "2026-10-01", "NO", "latest", "null", "1e3")
    patterns = (Names(frozenset(names)),)
    text = written(Family(kind=FamilyKind.FLOATING, name="floating", tags=names, patterns=patterns))
    assert set(yaml.safe_load(text)["naming"]["floating"]["names"]) == set(names)
    assert "latest," in text
    assert parse_policy(text, path="tagsweep.yaml").naming[0].patterns == patterns


def test_a_rule_that_is_only_offered_is_a_comment_to_its_last_line() -> None:
    """A family that is in doubt gets its rule as a comment, however long the list of moved tags in it is."""
    moved = {f"noble-202608{day:02}" for day in range(1, 29)}
    facts = [
        TagFacts(name=name, digests=frozenset({digest(name)}), past=frozenset({digest(f"{name} before")}))
        for name in sorted(moved)
    ]
    families = find_families(facts)
    assert families[0].doubt
    text = written(*families)
    assert parse_policy(text, path="tagsweep.yaml").rules == ()
    offered = text.partition("rules: []\n")[2].partition("\n# ")[0]
    assert all(line.startswith("  #") for line in offered.splitlines() if line)
    assert "exclude" in offered
