"""The policy that `tagsweep init` proposes, as the text of a file that explains itself.

The text is read by the same parser as any other policy. Where the evidence was not chosen it holds a word that the
parser refuses: whether nothing needs to be asked before a deletion is for a person to say.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from tagsweep.core.families import Family, FamilyKind
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import Glob, Names, Pattern, Regex, VersionPattern, VersionScheme
from tagsweep.report.units import count, day, plural
from tagsweep.report.words import sampled

UNCHOSEN: Final = "choose"
"""What stands for the evidence until a person has chosen. No policy with it can be read."""

_WIDTH: Final = 110
_MOST_EXAMPLES: Final = 3
_ROUND: Final = 100
_PLAIN_NAME: Final = re.compile(r"(?!(?:null|true|false|yes|no|on|off|y|n)\Z)[A-Za-z_][A-Za-z0-9_.-]*", re.IGNORECASE)
"""What every YAML reader takes for text without quotes: no number, date, or word such as ``no``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDraft:
    """What the policy is to say. ``within`` is a duration of the policy, such as ``30d``, or empty for no such clause;
    ``keep_newest`` 0 is no such clause. ``evidence_waived`` is a person's own word; False leaves the choice open.
    """

    targets: tuple[str, ...]
    families: tuple[Family, ...]
    clock: TimeOrigin
    made_at: datetime
    keep_newest: int = 20
    within: str = "30d"
    evidence_waived: bool = False
    changelog: str = ""


def policy_text(draft: PolicyDraft) -> str:
    """Return the whole file."""
    parts = [_head(draft), _naming(draft), _rules(draft), _evidence(draft), _limits(draft), _record(draft)]
    return "\n".join(parts)


# --- the parts of the file ----------------------------------------------------------------------------------------
def _head(draft: PolicyDraft) -> str:
    targets = "".join(f"  - {_quoted(target)}\n" for target in draft.targets)
    about = (
        f"Proposed by `tagsweep init` on {day(draft.made_at)} from the tags that were there. Read it before you use "
        "it: names tell how a tag was made, not whether somebody needs it. A tag that no rule matches stays. "
        "Try it with `tagsweep plan`, which changes nothing."
    )
    return f"{_comment(about)}version: 1\ntargets:\n{targets}"


def _naming(draft: PolicyDraft) -> str:
    key = "naming:\n" if any(map(_has_class, draft.families)) else "naming: {}\n"
    lines = [_comment("What every tag is. `tagsweep lint` holds new tags to it.") + key]
    for family in draft.families:
        facts = f"{plural(len(family.tags), 'tag')}: {sampled(family.tags, most=_MOST_EXAMPLES)}"
        if family.kind is FamilyKind.DERIVED:
            lines.append(_comment(f"{facts}. They follow the digest in their name; no class is needed.", indent=2))
        elif family.kind is FamilyKind.OTHER:
            lines.append(_comment(f"{facts}. They fit no family and stay.", indent=2))
        else:
            moves = f"; {count(len(family.moved))} of them moved" if family.moved else ""
            lines.append(_comment(f"{facts}{moves}", indent=2))
            lines.extend(_class(family))
    return "".join(lines)


def _rules(draft: PolicyDraft) -> str:
    temporary = [family for family in draft.families if family.temporary]
    doubtful = [family for family in draft.families if family.doubt]
    about = "Only builds are ever removed" + _stay(draft)
    if not temporary:
        about = "No family here is certainly temporary, so there is no rule: this policy removes nothing."
    lines = [_comment(about) + ("rules:\n" if temporary else "rules: []\n")]
    if temporary and draft.clock is TimeOrigin.FIRST_SEEN and (draft.keep_newest or draft.within):
        lines.append(
            _comment(
                "This registry does not tell when a tag was pushed. The clock is when tagsweep first saw the tag, so "
                "everything is young on the first run and the clauses begin to work with time.",
                indent=2,
            )
        )
    for family in temporary:
        if family.overruled:
            lines.append(_comment(f"Taken on by your word, although {family.overruled}.", indent=2))
        lines.extend(_rule(family, draft))
    for family in doubtful:
        offer = f"If old ones may go all the same, run init with --also {family.name}, or take the # away"
        offer += ":" if temporary else ", and the [] above:"
        lines.append(_comment(f"No rule for {family.name}: {family.doubt}. {offer}", indent=2))
        rule = "".join(_rule(family, draft)).splitlines(keepends=True)
        lines.extend(f"  # {line[2:]}" for line in rule)
    return "".join(lines)


def _rule(family: Family, draft: PolicyDraft) -> Iterator[str]:
    yield f"  - name: old {family.name.replace('-', ' ')} tags\n"
    yield f"    match: {{class: {family.name}}}\n"
    if family.moved:
        yield "    # These were moved, so somebody treats them as names that stay.\n"
        names = _wrapped(sorted(family.moved), indent=6)
        yield f"    exclude:\n      names: {names}\n"
    clock = f", of: {draft.clock.value}"
    clauses = [f"      - {{newest: {draft.keep_newest}{clock}}}\n"] if draft.keep_newest else []
    clauses += [f"      - {{within: {draft.within}{clock}}}\n"] if draft.within else []
    yield from ("    keep:\n", *clauses) if clauses else ("    keep: []\n",)


def _stay(draft: PolicyDraft) -> str:
    """Return the end of the sentence about what is removed: which of the builds stay, and what equal times mean."""
    stays = [word for word, wanted in (("young", draft.within), ("newest", draft.keep_newest)) if wanted]
    if not stays:
        return ", and all of them: keep: [] keeps none."
    words = f", and of these the {' and the '.join(stays)} stay."
    if draft.keep_newest:
        words += (
            " Of tags with the same time all stay, and so does what has no time: newest may keep more than its number."
        )
    return words


def _evidence(draft: PolicyDraft) -> str:
    if draft.evidence_waived:
        about = (
            "Chosen in words: nothing is asked before a deletion. If these images run anywhere that can be asked, name "
            "it here instead, as below."
        )
        return _comment(about) + "evidence: none\n" + _example_sources()
    about = (
        "What must be asked before anything is removed. This choice is yours, and the policy cannot be used before it "
        f"is made: replace `{UNCHOSEN}` by {{require: [kubernetes/prod]}} with the sources below, or by none if no "
        "environment runs these images."
    )
    return _comment(about) + f"evidence: {UNCHOSEN}\n" + _example_sources()


def _example_sources() -> str:
    return (
        "# evidence: {require: [kubernetes/prod, git/deploy]}\n"
        "# sources:\n"
        "#   kubernetes/prod: {context: prod}\n"
        "#   git/deploy: {url: 'https://git.example.com/acme/deploy', refs: [main]}\n"
    )


def _limits(draft: PolicyDraft) -> str:
    members = sum(len(family.tags) for family in draft.families if family.temporary)
    most = max(-(-members // _ROUND) * _ROUND, _ROUND)
    about = (
        "A plan beyond these limits is refused as a whole. They are there for the day on which a pattern goes wrong."
    )
    return _comment(about) + f'limits: {{max_removals: {most}, max_percent: "90%", keep_at_least: 5}}\n'


def _record(draft: PolicyDraft) -> str:
    if draft.changelog:
        return _comment("Every sweep leaves an entry.") + f"record: {{changelog: {_quoted(draft.changelog)}}}\n"
    return _comment("Every sweep can leave an entry in a changelog: record: {changelog: CHANGELOG.md}")


# --- classes ------------------------------------------------------------------------------------------------------
def _has_class(family: Family) -> bool:
    return family.kind not in (FamilyKind.DERIVED, FamilyKind.OTHER)


def _class(family: Family) -> Iterator[str]:
    body = [part for pattern in family.patterns for part in _pattern(pattern)]
    if family.kind is FamilyKind.COMMIT and not family.moved:
        body.append("immutable: true")
    yield f"  {family.name}:\n"
    yield from (f"    {part}\n" for part in body)


def _pattern(pattern: Pattern) -> Iterator[str]:
    match pattern:
        case Names():
            yield f"names: {_wrapped(sorted(pattern.names), indent=4)}"
        case Regex():
            yield f"regex: {_quoted(pattern.pattern)}"
        case Glob():
            yield f"glob: {_quoted(pattern.pattern)}"
        case VersionPattern():
            calver = pattern.scheme is VersionScheme.CALVER
            value = f"[{', '.join(pattern.formats)}]" if calver else "true"
            yield f"{pattern.scheme.value}: {value}"
            if pattern.prefix:
                yield f"prefix: {_quoted(pattern.prefix)}"
        case _:
            assert_never(pattern)


# --- text ---------------------------------------------------------------------------------------------------------
def _quoted(text: str) -> str:
    """Return the text as a YAML scalar: in single quotes, in which nothing but the quote itself is special."""
    return text if _PLAIN_NAME.fullmatch(text) else "'" + text.replace("'", "''") + "'"


def _wrapped(names: Sequence[str], *, indent: int) -> str:
    body = ", ".join(map(_quoted, names))
    if len(body) + indent <= _WIDTH:
        return f"[{body}]"
    margin = " " * (indent + 2)
    lines = textwrap.wrap(body, _WIDTH - len(margin), break_long_words=False, break_on_hyphens=False)
    return "[\n" + "".join(f"{margin}{line}\n" for line in lines) + " " * indent + "]"


def _comment(text: str, *, indent: int = 0) -> str:
    margin = " " * indent + "# "
    lines = textwrap.wrap(text, _WIDTH - len(margin), break_long_words=False, break_on_hyphens=False)
    return "".join(f"{margin}{line}\n" for line in lines)
