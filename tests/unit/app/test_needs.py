"""What a policy makes it necessary to read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tagsweep.app.needs import Needs, needs_of
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import (
    Evidence,
    Glob,
    KeepAll,
    KeepClause,
    KeepLabelled,
    KeepNewest,
    KeepWithin,
    Policy,
    Rule,
)

cases: list[tuple[KeepClause, Needs]] = [
    (KeepAll(), Needs()),
    (KeepNewest(count=3), Needs(origins=frozenset({TimeOrigin.PUSHED}))),
    (KeepNewest(count=3, of=TimeOrigin.FIRST_SEEN), Needs(origins=frozenset({TimeOrigin.FIRST_SEEN}))),
    (
        KeepWithin(age=timedelta(days=1), of=TimeOrigin.CREATED),
        Needs(created=True, origins=frozenset({TimeOrigin.CREATED})),
    ),
    (KeepLabelled(key="keep"), Needs(labels=True)),
    (KeepLabelled(key="keep", annotation=True), Needs(annotations=True)),
]


def _policy(clause: KeepClause) -> Policy:
    rule = Rule(name="r", match=(Glob("x*"),), keep=(clause,))
    return Policy(targets=("127.0.0.1:1/a",), rules=(rule,), evidence=Evidence(waived=True))


@pytest.mark.parametrize(("clause", "expected"), cases)
def test_only_what_a_clause_asks_for_is_read(clause: KeepClause, expected: Needs) -> None:
    """Configs and platform manifests are read only for rules that look at them."""
    assert needs_of(_policy(clause), sizes=False) == expected


def test_sizes_need_everything_below_the_tags() -> None:
    """The space estimate reads platform manifests, and the configs with them for the picture over time."""
    needs = needs_of(_policy(KeepAll()), sizes=True)
    assert needs.children
    assert needs.created
