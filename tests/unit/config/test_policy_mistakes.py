"""Every mistake in a policy has a place, a sentence and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.config import load_policy, parse_policy
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
    ("---\n", "1:1", "empty", "evidence"),
    ("--- ~\n", "1:1", "empty", "evidence"),
    ("\ufeffa: \x01\n", "1:5", r"U\+0001", "UTF-8"),
    ('a: "\\UFFFFFFFF"', "1:7", "too large for YAML", "U+10FFFF"),
    ('a: "\\U00110000"', "1:7", "too large for YAML", "U+10FFFF"),
    (f"%YAML 1.{'9' * 5000}\n---\na: 1\n", "1:9", "too large for YAML", "remove it"),
    ("%YAML 2.0\n---\na: 1\n", "1:1", r"directive \(%\)", "begins with %"),
    ("a: &x 1\nb: &x 2\n", "2:4", "name of an earlier one", "its own name"),
    ("g: &", "1:4", "begins with &", "single quotes"),
    ("g: !a!b", "1:4", "begins with !", "single quotes"),
    ("a: 1\n...\nb: 2\n", "3:1", "ended before this line", "remove the line ..."),
    (": c\n", "1:1", "no key stands before", "key: value"),
    ("a: 1\npassword u:secret\n", "2:1", "no colon after 'password'", "key: value"),
    ("a:\n  token:u:secret\n  b: 1\n", "2:8", "space is missing", "token: REDACTED"),
]

bad_values = [
    ("verson: 1\n", "5:1", "'verson' is not known", "'version'"),
    ("limits: {max_removal: 3}\n", "5:10", "'max_removal' is not known", "'max_removals'"),
    ("limits: {max_removals: -1}\n", "5:24", "0 or more", ""),
    ("limits: {max_removals: 1_000}\n", "5:24", "whole number", "1000"),
    ("limits: {max_removals: 010}\n", "5:24", "whole number", "write 10,"),
    ("limits: {max_removals: '5'}\n", "5:24", "quoted text", "write 5,"),
    ("limits: {max_percent: 101}\n", "5:23", "0 to 100", ""),
    ("limits: {max_percent: 100.0001}\n", "5:23", r"100\.0001 is not from 0 to 100", ""),
    (f"limits: {{max_removals: {'9' * 5000}}}\n", "5:24", "whole number", "at most 18 digits"),
    (f"limits: {{max_removals: '{'9' * 5000}'}}\n", "5:24", "whole number", "at most 18 digits"),
    ("limits: {max_removals: 1e3}\n", "5:24", "whole number", "decimal digits"),
    ("limits: {max_removals: 00}\n", "5:24", "whole number", "write 0,"),
    ("l\u0456mits: {}\n", "5:1", r"with U\+0456 CYRILLIC", "'limits'"),
    ("!secret schedule: daily\n", "5:1", "tag !secret is not supported", "quotes"),
    ('record: {changelog: "a\\0b"}\n', "5:21", r"U\+0000 is not allowed", "escape"),
    ('sources: {a: {b: "\\ud800"}}\n', "5:18", r"U\+D800 is not allowed", "escape"),
    ('sources: {a: {"\\e[31m": 1}}\n', "5:15", r"U\+001B is not allowed", "escape"),
    ("sources: {'list/u:secret@x': {}}\n", "5:30", "'list/REDACTED@x' is no name", "KIND/NAME"),
    ("registries: {x.y: {password:u:secret}}\n", "5:20", "password:REDACTED", "'driver'"),
    ("registries: {'u:secret@x.y': {}}\n", "5:30", "not a registry host", "port"),
    ("registries: {x.y: {}, 'X.Y:443': {}}\n", "5:34", "already names", ""),
    ("registries: {x.y: {aliases: ['X.Y:443']}}\n", "5:19", "already names", ""),
    ("registries: {x.y: {ca: ''}}\n", "5:24", "'ca' is empty", "path"),
    ("registries: {x.y: {driver: ' '}}\n", "5:28", "'driver' is empty", "name"),
    ("schedule: every day at 4 am\n", "5:11", "'every' is no minute", "0 to 59"),
    ("schedule: '0 24 * * *'\n", "5:11", "'24' is no hour", "0 to 23"),
    ("schedule: '0 4 1 */0 *'\n", "5:11", r"'\*/0' is no month", "1 to 12"),
    ("schedule: '0 4 1 * mon-'\n", "5:11", "'mon-' is no day of the week", "0 to 7"),
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
    ("record: {changelog: docs/NEWS.rst}\n", "5:21", "is not Markdown", "SWEEPS.md"),
    ("record: {metrics_url_env: 'http://x'}\n", "5:27", "is no name of an environment variable", "the value itself"),
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
    ("[acme/web]", "['acme/web:1@sha256:12']", "2:11", "'sha256:12' is not a digest", "HOST/PATH"),
    ("[acme/web]", "['a.b/x/*:latest']", "2:11", "names a tag", "leave the tag out"),
    ("[acme/web]", "['*']", "2:11", "which registry", "docker.io/*"),
    ("[acme/web]", "[Acme/Web]", "2:11", "registry host|lower case", ""),
    ("[acme/web]", "['acme/Web*']", "2:11", "lower case", "'acme/web*'"),
    ("[acme/web]", "['a.b//x*']", "2:11", "empty component", ""),
    ("[acme/web]", "['https://u:secret@a.b/c']", "2:11", "as a URL", "a.b/c"),
    ("[acme/web]", "['localhost:5000']", "2:11", "is a registry", "localhost:5000/**"),
    ("[acme/web]", "[acme/web, docker.io/acme/web]", "2:21", "twice", ""),
    ("[acme/web]", "['oci-layout:here']", "2:11", "no directory", "/absolute"),
    ("[acme/web]", "['oci-layout:/srv/x/']", "2:11", "empty component", "in full"),
    ("[acme/web]", "['a.b/x/[z-a]']", "2:11", "not a glob", "range"),
    ("[acme/web]", "['ac%me/web*']", "2:11", "'ac%me' matches no", "HOST/PATH"),
    ("[acme/web]", "['ghcr.io:99999/acme/web']", "2:11", "no such port", "65535"),
    ("[acme/web]", "['https://u:secret@a.b/c d']", "2:11", "as a URL", "a.b/c d"),
    ("[acme/web]", "['u:secret@a.b/c']", "2:11", "a user stands before 'a.b/c'", "leave it out"),
    ("[acme/web]", "['u:secret@a.b/c*']", "2:11", "a user stands before", "leave it out"),
    ("[{name: x, match: {glob: 'y*'}, keep: []}]", "", "3:7", "no value", "rules: []"),
    ("name: x, ", "", "3:9", "rule has no 'name'", "name:"),
    ("name: x", "name: ' '", "3:16", "name is empty", ""),
    ("keep: []}", "keep: []}, {name: x, match: {names: a}, keep: []}", "3:58", "two rules", "its own"),
    (", keep: []", "", "3:9", "no 'keep'", "keep: [] to keep nothing"),
    ("keep: []", "keep:", "3:45", "no value", "keep: [] to keep nothing"),
    ("keep: []", "keep: all", "3:46", "must be a list", 'keep: ["all"]'),
    ("keep: []", "keep: 20", "3:46", "must be a list", "keep: [] to keep nothing"),
    ("'y*'", "'*'", "3:33", "empty string", "'?*'"),
    ("'y*'", "'[z-a]'", "3:33", "not a glob", ""),
    ("'y*'", "'v{1,2}*'", "3:33", "matches no tag: none has the character '{'", "are a list"),
    ("'y*'", "'[!]x'", "3:33", r"none has the character '\['", ""),
    ("'y*'", "'rel\u0435ase-*'", "3:33", r"U\+0435 CYRILLIC SMALL LETTER IE", "letters"),
    ("glob: 'y*'", "regex: 'rel\u0435ase-.+'", "3:34", r"U\+0435 CYRILLIC", "retype"),
    ("glob: 'y*'", "names: ['l\u0430test']", "3:35", r"it has U\+0430 CYRILLIC", "whole tags"),
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
    ("keep: []", "repositories: ['**/[z-a]'], keep: []", "3:55", "not a glob", "range"),
    ("[]}]", "[{newest: 3, per: x}]}]", "3:64", "names the group 'x'", "(?P<x>"),
    ("[]}]", "[{newest: ten}]}]", "3:56", "whole number", ""),
    ("[]}]", "[{glob: 'v{1,2}'}]}]", "3:54", "matches no tag", "are a list"),
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


def test_a_long_value_is_shortened_in_the_message() -> None:
    """What is quoted from the file does not fill the screen, and what is wrong with it is still said."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(GOOD + f"limits: {{max_removals: {'x' * 100_000}}}\n", path="p.yaml")
    assert len(str(caught.value)) < 600
    assert "'max_removals' must be a whole number" in str(caught.value)


def test_an_unknown_class_among_thousands_names_a_few() -> None:
    """The remedy for an unknown name lists some of the known ones, however many there are."""
    naming = "".join(f"  c{n}: {{names: a}}\n" for n in range(1000))
    with pytest.raises(PolicyError) as caught:
        parse_policy(GOOD.replace("glob: 'y*'", "class: zzz") + "naming:\n" + naming, path="p.yaml")
    assert caught.value.remedy.endswith("'c23' or one of 976 others")


def test_a_policy_larger_than_any_is_not_read_whole(tmp_path: Path) -> None:
    """A file that cannot be a policy is refused by its size."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(PolicyError, match=r"huge\.yaml:1:1: the file has more than 16 MiB"):
        load_policy(path)
