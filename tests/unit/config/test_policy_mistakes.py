"""Every mistake in a policy has a place, a sentence and what to write instead."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.config import parse_policy
from tagsweep.model.errors import PolicyError

GOOD = "version: 1\ntargets: [acme/web]\nrules: [{name: x, match: {glob: 'y*'}, keep: []}]\nevidence: none\n"

bad_yaml = [
    ("", "1:1", "empty", "version: 1"),
    ("# only a comment\n", "1:1", "empty", "evidence"),
    ("a:\n\tb: 1", "2:1", "tab", "spaces"),
    ("a: 1\nb\nc: 2", "2:1", "no colon after 'b'", "key: value"),
    ("version:1\ntargets: []", "1:8", "space is missing", "version: 1"),
    ("a: b: c", "1:5", "second colon", "quotes"),
    ('a: "foo\nb: 1', "1:4", "never closed", "quote"),
    ("a: 'x\n", "1:4", "never closed", "quote"),
    ("a: [1, 2\nb: 1", "1:4", r"\[ that opens here is not closed", "]"),
    ("a: {x: 1\nb: 2", "1:4", "{ that opens here is not closed", "}"),
    ("a:\n  b: 1\n c: 2", "3:2", "indentation", "align"),
    ("a:\n  b: 1\n   c: 2", "3:5", "indented more", "align"),
    ("g: *", "1:4", r"begins with \*", "single quotes"),
    ("g: *-dev", "1:4", r"begins with \*", "single quotes"),
    ("g: @x", "1:4", "cannot begin with '@'", "single quotes"),
    ("r: [0-9]+", "1:9", "already complete", "single quotes"),
    ('r: "\\."', "1:6", "backslash", "single quotes"),
    ("a: [x, y]]", "1:10", "closes or separates nothing", "single quotes"),
    ("a: - b", "1:4", "list entry", "next line"),
    ("a: 1\n---\nb: 2", "2:1", "second document", "---"),
    ("a: |x\n b", "1:5", "not YAML", ""),
    ("a: \x01", "1:4", r"U\+0001", "UTF-8"),
    ("a: &b\n<<: *b", "2:1", "merge keys", "repeat"),
    ("- a\n", "1:1", "must be a mapping", ""),
    ("[" * 5000, "1:1", "nested too deeply", ""),
]

bad_values = [
    ("verson: 1\n", "5:1", "'verson' is not known", "'version'"),
    ("limits: {max_removal: 3}\n", "5:10", "'max_removal' is not known", "'max_removals'"),
    ("limits: {max_removals: -1}\n", "5:24", "0 or more", ""),
    ("limits: {max_removals: 1_000}\n", "5:24", "whole number", "1000"),
    ("limits: {max_removals: 010}\n", "5:24", "whole number", "write 10,"),
    ("limits: {max_removals: '5'}\n", "5:24", "quoted text", "write 5,"),
    ("limits: {max_percent: 101}\n", "5:23", "0 to 100", ""),
    ("limits: {max_percent: ten}\n", "5:23", "not a percentage", "10%"),
    ("limits: {plan_valid: 24}\n", "5:22", "no unit", "24d"),
    ("limits: {plan_valid: 0h}\n", "5:22", "longer than zero", ""),
    ("limits: {accept_equal_times: yes}\n", "5:30", "true or false", "accept_equal_times: true"),
    ("limits:\n", "5:8", "has no value", "remove the key"),
    ("limits: 5\n", "5:9", "must be a mapping", ""),
    ("evidence: none\n", "5:1", "written twice", "line 4"),
    ("naming: {a: {}}\n", "5:13", "no pattern", "calver"),
    ("naming: {a: {semver: false}}\n", "5:22", "only be true", "remove"),
    ("naming: {a: {names: x, prefix: v}}\n", "5:32", "belongs to versions", ""),
    ("naming: {a: {semver: true, prefix: 'v '}}\n", "5:36", "no tag begins", ""),
    ("naming: {digest-derived: {semver: true}}\n", "5:26", "tagsweep's own", "another name"),
    ("naming: {'a b': {semver: true}}\n", "5:17", "no name for a class", ""),
    ("naming: {a: {calver: MAJOR.MINOR}}\n", "5:22", "not a calver format", "YYYY.0M.MICRO"),
    ("naming: {a: {calver: []}}\n", "5:22", "names no format", ""),
    ("naming: {a: {names: ['x y']}}\n", "5:22", "not a tag", "glob"),
    ("naming: {a: {names: 5, names: 6}}\n", "5:24", "written twice", ""),
    ("naming: {a: !secret {names: 5}}\n", "5:13", "tag !secret is not supported", ""),
    ("apply: {waves: [1, 10]}\n", "5:16", "not everything", "100%"),
    ("apply: {waves: [10%, 5%, 100%]}\n", "5:22", "waves grow", "growing"),
    ("apply: {waves: [0, 100%]}\n", "5:17", "at least one tag", ""),
    ("apply: {concurrency: 0}\n", "5:22", "1 or more", ""),
    ("verify: {checks: [{command: ./x.sh --all}]}\n", "5:29", "must be a list", "as a list"),
    ("verify: {checks: [{command: []}]}\n", "5:29", "command is empty", "program"),
    ("record: {changelog: ''}\n", "5:21", "is empty", "path"),
    ("registries: {'http://u:secret@x.y/': {}}\n", "5:38", "as a URL", "x.y"),
    ("registries: {x: {}}\n", "5:17", "part of Docker Hub", "x:5000"),
    ("registries: {docker.io: {}, index.docker.io: {}}\n", "5:46", "already names", ""),
    ("registries: {x.y: {plain_http: true, ca: a.pem}}\n", "5:32", "no certificates", ""),
    ("registries: {x.y: {client_key: a.pem}}\n", "5:19", "go together", ""),
    ("schedule: quartely\n", "5:11", "not a schedule", "'quarterly'"),
    ("protect: [{match: {names: latest}}]\n", "5:11", "protection has no 'reason'", "why"),
    ("protect: [{match: {names: latest}, reason: ' '}]\n", "5:44", "reason is empty", "why"),
    ("sources: &a {list/x: {y: *a}}\n", "5:10", "contains itself", ""),
    ("sources: {'a b': {}}\n", "5:18", "no name for a source", "KIND/NAME"),
    ("sources: {a: {kind: 5}}\n", "5:21", "not the name of a kind", ""),
    ("? [a]\n: b\n", "5:3", "key must be plain text", ""),
]

bad_parts = [
    ("version: 1", "version: 2", "1:10", "'2' is not known", "version: 1"),
    ("version: 1\n", "", "1:1", "no 'version'", "version: 1"),
    ("evidence: none\n", "", "1:1", "no 'evidence'", "`evidence: none`"),
    ("evidence: none", "evidence: null", "4:11", "no value", "`evidence: none`"),
    ("evidence: none", "evidence: {require: []}", "4:11", "requires no source", "`evidence: none`"),
    ("evidence: none", "evidence: {require: [k8s/x]}\nsources: {k8s/y: }", "4:22", "no 'k8s/x'", "'k8s/y'"),
    ("[acme/web]", "[]", "2:10", "empty", "targets:"),
    ("[acme/web]", "acme/web", "2:10", "must be a list", 'targets: ["acme/web"]'),
    ("[acme/web]", "[acme/web:1.0]", "2:11", "names a tag", "leave the tag out"),
    ("[acme/web]", "['a.b/x/*:latest']", "2:11", "names a tag", "leave the tag out"),
    ("[acme/web]", "['*']", "2:11", "which registry", "docker.io/*"),
    ("[acme/web]", "[Acme/Web]", "2:11", "registry host|lower case", ""),
    ("[acme/web]", "['acme/Web*']", "2:11", "lower case", "'acme/web*'"),
    ("[acme/web]", "['a.b//x*']", "2:11", "empty component", ""),
    ("[acme/web]", "['https://u:secret@a.b/c']", "2:11", "as a URL", "a.b/c"),
    ("[acme/web]", "['localhost:5000']", "2:11", "is a registry", "localhost:5000/**"),
    ("[acme/web]", "[acme/web, docker.io/acme/web]", "2:21", "twice", ""),
    ("[acme/web]", "['oci-layout:here']", "2:11", "no directory", "/absolute"),
    ("[{name: x, match: {glob: 'y*'}, keep: []}]", "[]", "3:8", "empty", "at least one rule"),
    ("name: x, ", "", "3:9", "rule has no 'name'", "name:"),
    ("name: x", "name: ' '", "3:16", "name is empty", ""),
    ("keep: []}", "keep: []}, {name: x, match: {names: a}, keep: []}", "3:58", "two rules", "its own"),
    (", keep: []", "", "3:9", "no 'keep'", "keep: [] to keep nothing"),
    ("keep: []", "keep:", "3:45", "no value", "keep: [] to keep nothing"),
    ("keep: []", "keep: all", "3:46", "must be a list", 'keep: ["all"]'),
    ("'y*'", "'*'", "3:33", "empty string", "'?*'"),
    ("'y*'", "'[z-a]'", "3:33", "not a glob", ""),
    ("glob: 'y*'", "regex: 'v*'", "3:34", "empty string", "+"),
    ("glob: 'y*'", "regex: '(a'", "3:34", "at character 1", ""),
    ("glob: 'y*'", "regex: '[[a]x'", "3:34", "safe regular expression", ""),
    ("glob: 'y*'", "clas: x", "3:27", "not known", "'class'"),
    ("glob: 'y*'", "class: x", "3:34", "no class 'x'", "naming:"),
    ("glob: 'y*'", "", "3:26", "says no tags", "class, glob, regex or names"),
    ("glob: 'y*'", "glob: a, regex: b", "3:43", "both 'glob' and 'regex'", "naming class"),
    ("glob: 'y*'", "names: []", "3:34", "is empty", ""),
    ("keep: []", "repositories: [web], keep: []", "3:55", "full repository name", "**/web"),
    ("keep: []", "repositories: [], keep: []", "3:54", "is empty", "all targets"),
    ("[]}]", "[{newest: 3, per: x}]}]", "3:64", "names the group 'x'", "(?P<x>"),
    ("[]}]", "[{newest: ten}]}]", "3:56", "whole number", ""),
    ("[]}]", "[{within: 30}]}]", "3:56", "no unit", "30d"),
    ("[]}]", "[{within: 30 days}]}]", "3:56", "not a duration", "30d"),
    ("[]}]", "[{within: 9999999w}]}]", "3:56", "100 years", "all: true"),
    ("[]}]", "[{within:30d}]}]", "3:48", "space is missing", "within: 30d"),
    ("[]}]", "[{within 30d}]}]", "3:48", "colon is missing", "within: 30d"),
    ("[]}]", "[{every: moth, for: 3}]}]", "3:55", "'moth' is not known", "'month'"),
    ("[]}]", "[{every: month}]}]", "3:47", "no 'for'", "for: 12"),
    ("[]}]", "[{every: month, for: 0}]}]", "3:67", "1 or more", ""),
    ("[]}]", "[{of: pushed}]}]", "3:48", "does not say what is kept", "newest"),
    ("[]}]", "[{newest: 3, of: push}]}]", "3:63", "'push' is not known", "'pushed'"),
    ("[]}]", "[{newest: 3, within: 3d}]}]", "3:59", "either 'newest' or 'within'", "two entries"),
    ("[]}]", "[{}]}]", "3:47", "is empty", "newest"),
    ("[]}]", "[everything]}]", "3:47", "must be a keep clause", ""),
    ("[]}]", "[{all: false}]}]", "3:53", "only be true", ""),
    ("[]}]", "[{label: ''}]}]", "3:55", "is empty", "key"),
    ("[]}]", "[{newest_versions: 3}]}]", "3:47", "how versions are read", "semver"),
    (
        "[]}]",
        "[{newest_versions: 3, semver: true, calver: YYYY}]}]",
        "3:90",
        "both 'semver' and 'calver'",
        "exactly one",
    ),
    ("[]}]", "[{newest_versions: 3, class: c}]}]\nnaming: {c: {names: a}}", "3:75", "in 0 ways", "semver: true"),
]


def check(text: str, place: str, sentence: str, remedy: str) -> None:
    """Expect one PolicyError at ``place`` with these words."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, path="p.yaml")
    assert str(caught.value).startswith(f"p.yaml:{place}: "), str(caught.value)
    assert re.search(sentence, str(caught.value)), str(caught.value)
    assert remedy in caught.value.remedy, caught.value.remedy
    assert "u:secret" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize(("text", "place", "sentence", "remedy"), bad_yaml, ids=[repr(row[0][:30]) for row in bad_yaml])
def test_broken_yaml_is_explained(text: str, place: str, sentence: str, remedy: str) -> None:
    """What is no YAML is refused where the mistake is, with what to write instead."""
    check(text, place, sentence, remedy)


@pytest.mark.parametrize(("text", "place", "sentence", "remedy"), bad_values, ids=[row[0][:40] for row in bad_values])
def test_a_wrong_value_is_explained(text: str, place: str, sentence: str, remedy: str) -> None:
    """What is added to a good policy and is wrong is refused at its own place."""
    check(GOOD + text, place, sentence, remedy)


@pytest.mark.parametrize(
    ("old", "new", "place", "sentence", "remedy"), bad_parts, ids=[f"{row[0][:12]}→{row[1][:40]}" for row in bad_parts]
)
def test_a_wrong_part_is_explained(old: str, new: str, place: str, sentence: str, remedy: str) -> None:
    """A part of a good policy that is replaced by a wrong one is refused at its own place."""
    assert old in GOOD
    check(GOOD.replace(old, new), place, sentence, remedy)


@given(cut=st.integers(0, len(GOOD)), text=st.text(st.characters(codec="utf-8"), max_size=6))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_the_reader(cut: int, text: str) -> None:
    """Whatever is typed into a policy, the answer is a policy or one PolicyError with a place."""
    try:
        parse_policy(GOOD[:cut] + text + GOOD[cut:], path="p.yaml")
    except PolicyError as error:
        assert re.match(r"p\.yaml:\d+:\d+: ", str(error))  # noqa: PT017  a policy that is still good is fine too


def test_aliases_cannot_blow_up_the_reader() -> None:
    """A small file that aliases make huge is refused instead of being read."""
    levels = "".join(f"  s/{n}: {{x: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9))
    with pytest.raises(PolicyError, match="more than 200,000 values"):
        parse_policy(GOOD + "sources:\n  s/0: {x: &a0 [1]}\n" + levels, path="p.yaml")
