"""Reading WWW-Authenticate and token scopes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.http.challenge import CATALOG, Challenge, Scope, parse_challenges

good_challenges = [
    (
        'Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,delete"',
        [
            (
                "bearer",
                {
                    "realm": "https://auth.example.com/token",
                    "service": "registry",
                    "scope": "repository:a/b:pull,delete",
                },
            )
        ],
    ),
    ('Basic realm="a, b = c"', [("basic", {"realm": "a, b = c"})]),
    ('Basic realm="say \\"hi\\""', [("basic", {"realm": 'say "hi"'})]),
    ("basic REALM=lab", [("basic", {"realm": "lab"})]),
    ("Negotiate", [("negotiate", {})]),
    ('Negotiate, Basic realm="x", charset="UTF-8"', [("negotiate", {}), ("basic", {"realm": "x", "charset": "UTF-8"})]),
    (
        'Bearer realm="https://t/x?a=b", error="invalid_token", Basic realm="y"',
        [("bearer", {"realm": "https://t/x?a=b", "error": "invalid_token"}), ("basic", {"realm": "y"})],
    ),
    ('Bearer realm = "spaced" , service = s', [("bearer", {"realm": "spaced", "service": "s"})]),
    ('Bearer realm=""', [("bearer", {"realm": ""})]),
    ("", []),
    (", ,", []),
]


@pytest.mark.parametrize(("header", "expected"), good_challenges)
def test_every_challenge_of_a_header_is_read(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    """Several challenges, quoted commas, spaces and upper case are read as RFC 9110 means them."""
    assert parse_challenges(header) == tuple(Challenge(scheme=scheme, parameters=named) for scheme, named in expected)


@given(st.text(alphabet='Bb asic,="\\\\\t/:é', max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_header_breaks_the_reader(header: str) -> None:
    """Whatever a server sends, reading it ends and raises nothing."""
    assert isinstance(parse_challenges(header), tuple)


def test_a_scope_is_written_with_its_actions_in_a_fixed_order() -> None:
    """The same right is always the same text, because tokens are cached under it."""
    assert str(Scope.repository("team/app", "delete", "pull")) == "repository:team/app:pull,delete"
    assert str(CATALOG) == "registry:catalog:*"


def test_scopes_are_read_from_a_challenge() -> None:
    """Several scopes, a repository with a port and class in its kind, and rubbish are told apart."""
    assert Scope.parse_all("repository:host:5000/a:pull repository(plugin):b:push,* rubbish :x:") == (
        Scope.repository("host:5000/a", "pull"),
        Scope(kind="repository(plugin)", name="b", actions=frozenset({"push", "*"})),
    )


def test_asking_for_more_keeps_what_was_wanted_before() -> None:
    """What a challenge wants is added to what the request needs, for the same repository in one scope."""
    mine = Scope.repository("a", "pull", "delete")
    other = Scope.repository("b", "pull")
    assert mine.joined((Scope.repository("a", "metadata_read"), other)) == (
        Scope.repository("a", "pull", "delete", "metadata_read"),
        other,
    )


def test_missing_actions_are_named() -> None:
    """A grant of another repository or of fewer actions leaves the rest missing; a star grants all."""
    mine = Scope.repository("a", "pull", "delete")
    assert mine.missing_from((Scope.repository("a", "pull"), Scope.repository("b", "delete"))) == {"delete"}
    assert mine.missing_from((Scope.repository("a", "*"),)) == frozenset()
    assert mine.missing_from(()) == {"pull", "delete"}
