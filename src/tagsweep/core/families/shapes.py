"""What one tag looks like by itself: a version, a hash, a date, a number, a pull request, or words.

Nothing is decided here that needs the other tags: a run of seven digits may be a hash or a number, and its shape says
that both are possible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PULL: Final = re.compile(
    r"(?P<prefix>(?:[A-Za-z0-9]+[-_.])*?)"
    r"(?P<word>pr|PR|pull|mr|MR|pull-request|merge-request|pullrequest)(?P<gap>[-_.]?)(?P<number>[0-9]+)"
    r"(?P<suffix>(?:[-_.].*)?)"
)
_HASH: Final = re.compile(r"(?<![A-Za-z0-9])(?P<g>g?)(?P<hex>[0-9a-f]{7,40}|[0-9a-f]{64})(?![A-Za-z0-9])")
_DATE: Final = re.compile(
    r"(?<![A-Za-z0-9.])(?P<date>(?:20[0-9]{2})(?P<gap>[-_]?)(?:0[1-9]|1[0-2])(?P=gap)(?:0[1-9]|[12][0-9]|3[01]))"
    r"(?P<time>(?:[-_.T]?(?:[01][0-9]|2[0-3])(?P<sign>[-:.]?)[0-5][0-9](?:(?P=sign)[0-5][0-9])?Z?)?)(?P<again>(?:\.[0-9]{1,3})?)"
    r"(?![A-Za-z0-9]|[-_][0-9]{2}[-_][0-9]{2}(?![0-9]))"  # the 2026 of 20260810-2026-08-11 is no time
)
_EPOCH: Final = re.compile(r"(?<![A-Za-z0-9.])1[4-9][0-9]{8}(?![A-Za-z0-9.])")
_BUILD: Final = re.compile(
    r"(?P<prefix>(?:[A-Za-z0-9]+[-_.])*?(?:build|bld|ci|run|job|jenkins|pipeline|BUILD|main|master|develop|trunk)[-_.]?)(?P<number>[0-9]+)"
    r"(?P<suffix>(?:[-_.][A-Za-z].*)?)"
)
_VERSION: Final = re.compile(
    r"(?P<prefix>(?:[A-Za-z][A-Za-z0-9]*[-_])*?)(?P<v>[vV]?)"
    r"(?P<core>[0-9]+u[0-9]+(?:-b[0-9]+(?:\.[0-9]+)?)?|[0-9]+(?:\.[0-9]+)*(?:[_+][0-9]+)?)"
    r"(?P<pre>(?:[-_.]?(?:rc|alpha|beta|preview|pre|dev|ea|m|snapshot|canary|next|a|b|c)(?:[-.]?[0-9]+)*)?)"
    r"(?P<post>(?:[-.]?post[0-9]+)?)"
    r"(?P<variant>(?:[-_][A-Za-z0-9._-]+)?)",
    re.IGNORECASE,
)
_EARLY: Final = frozenset({"rc", "alpha", "beta", "preview", "pre", "ea", "next"})
ROLLING: Final = frozenset(
    {"nightly", "tip", "edge", "snapshot", "dev", "devel", "canary", "unstable", "daily", "head", "weekly", "ci"}
)
_LONG_HASH: Final = 12
_SHA_WORDS: Final = re.compile(r"(?:^|.*[-_.])(?:sha|sha1|commit|git|rev|hash)[-_.]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a tag is built: ``prefix``, a middle of the given ``kind``, ``suffix`` (with its separator).

    ``kind`` is ``pull``, ``hash``, ``date``, ``build``, ``version`` or ``words``; ``core`` is the middle. ``sure`` is
    False where another reading is possible. ``early`` is the mark behind a version before its release, ``ahead`` that
    the prefix says so; ``gap`` the layout of a date, with a zero for each digit.
    """

    kind: str
    prefix: str = ""
    core: str = ""
    suffix: str = ""
    sure: bool = True
    v: str = ""
    early: str = ""
    ahead: bool = False
    gap: str = ""


def readings(tag: str) -> tuple[Shape, ...]:
    """Return how ``tag`` can be read, the likeliest first; the last always stands without the others."""
    found = [shape for shape in (_pull(tag), _hash(tag), _date(tag), _build(tag), _version(tag)) if shape is not None]
    if len(found) > 1 and found[0].kind == "hash" and found[1].kind == "date" and found[0].core in found[1].core:
        # git-20260810 is a day: about one hash in a million looks like one.
        found = [*found[1:], found[0]]
    return (*found, Shape(kind="words", core=tag))


def _pull(tag: str) -> Shape | None:
    found = _PULL.fullmatch(tag)
    if found is None:
        return None
    return Shape(
        kind="pull", prefix=found["prefix"] + found["word"] + found["gap"], core=found["number"], suffix=found["suffix"]
    )


def _hash(tag: str) -> Shape | None:
    # 20260810-abc1234 is a commit of that day: what has letters and digits is likelier than what is longer.
    found = max(_HASH.finditer(tag), key=lambda each: (_is_mixed(each["hex"]), len(each["hex"])), default=None)
    if found is None:
        return None
    digits = found["hex"]
    prefix = tag[: found.start("hex")]
    marked = _SHA_WORDS.fullmatch(prefix) is not None or (found["g"] == "g" and "-" in prefix)
    mixed = _is_mixed(digits)
    if digits.isalpha() and not marked:
        return None  # likelier a word, such as defaced: one hash in a thousand has no digit
    sure = marked or (mixed and len(digits) >= _LONG_HASH)
    return Shape(
        kind="hash", prefix=prefix, core=digits, suffix=tag[found.end("hex") :], sure=sure, early="" if mixed else "?"
    )


def _is_mixed(digits: str) -> bool:
    return not digits.isdigit() and not digits.isalpha()


def _date(tag: str) -> Shape | None:
    found = _DATE.search(tag)
    if found is not None:
        layout = re.sub(r"[0-9]", "0", found["date"] + found["time"])
        suffix = tag[found.end() :]
        return Shape(
            kind="date",
            prefix=tag[: found.start()],
            core=found[0],
            suffix=suffix,
            gap=layout + ("." if found["again"] else ""),
        )
    seconds = _EPOCH.search(tag)
    if seconds is None:
        return None
    return Shape(kind="date", prefix=tag[: seconds.start()], core=seconds[0], suffix=tag[seconds.end() :], gap="0" * 10)


def _build(tag: str) -> Shape | None:
    if tag.isdigit() and tag.isascii():
        return Shape(kind="build", core=tag, sure=False)
    found = _BUILD.fullmatch(tag)
    if found is None:
        return None
    return Shape(kind="build", prefix=found["prefix"], core=found["number"], suffix=found["suffix"])


def _version(tag: str) -> Shape | None:
    found = _VERSION.fullmatch(tag)
    if found is None:
        return None
    words = [word for word in re.split(r"[-_]", found["prefix"].lower()) if word]
    return Shape(
        kind="version",
        prefix=found["prefix"],
        v=found["v"],
        core=found["core"] + found["post"],
        early=found["pre"],
        ahead=bool(words) and words[0] in _EARLY | ROLLING,
        suffix=found["variant"],
    )
