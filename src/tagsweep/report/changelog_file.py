"""Where an entry stands in a changelog, in the style that the file has: :func:`insert`.

Keep a Changelog (keepachangelog.com, 1.1.0), and every file with a section Unreleased: a section of its own below that
heading, at the end. Tools that read this format take every heading on the level of the versions for a version; one that
is none would break them or end Unreleased too early. When a release is cut the entry moves with the rest.

Any other style: tools put each new release above the older ones, so a section Unreleased would soon stand below what
was released. Among dates the entry stands in the section of its day, among versions it is a section of its own, above
the newest, on the level and with the underlines that the others have. Files that grow at their end are known by dates
that rise. Lists have the sign that the file's other lists have.

Writing an entry again replaces what stands between its two comments, wherever it is by then, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_NEW_FILE: Final = """\
# Changelog

All notable changes to this project will be documented in this file.

The format is based on [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).
"""
_ENTRY_LEVEL: Final = 3
_UNRELEASED: Final = re.compile(r"\[?unreleased\]?(?:[\s(:].*)?", re.IGNORECASE)
_VERSION: Final = re.compile(r"(?:version |release )?\[?v?\d+\.\d+.*", re.IGNORECASE)
_KEPT_VERSION: Final = re.compile(r"\[v?\d[^\]]*\](?:\s+\S\s+\d{4}-\d\d-\d\d.*)?")
_KEPT: Final = re.compile(r"keepachangelog\.com|keep a changelog", re.IGNORECASE)
_OURS: Final = re.compile(r"Registry (?:sweep|restore)\b.*")
_DATE: Final = re.compile(r"[\[(]?(\d{4}-\d\d-\d\d)\b.*")
_TITLE: Final = re.compile(r"### (.*?(\d{4}-\d\d-\d\d).*)")
_TOWNCRIER: Final = re.compile(r"<!-- *towncrier release notes start *-->")
_HEADING: Final = re.compile(r" {0,3}(#{1,3})[ \t]+(\S.*)")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)\s*")
_NO_TITLE: Final = re.compile(r"\s*$| {4}|\t| {0,3}(?:[#>|]|[-+*] |\d+[.)] |=+\s*$|-+\s*$)")
"""What no underline makes a heading: an empty line, code, another heading, a quotation, a table, a list, a rule."""
_LINK: Final = re.compile(r" {0,3}\[[^\]]+\]:\s*\S.*")
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
"""A line with its end; ``str.splitlines`` would also split at form feeds and the like."""
_BULLET: Final = re.compile(r"^( *)([-*+])(?= )", re.MULTILINE)


def insert(existing: str, entry: str, *, run_id: str) -> str:
    """Return the changelog ``existing`` with the entry of the run in it, once.

    ``existing`` is the file's text with its own line ends and byte-order mark (read it with ``newline=""`` as UTF-8);
    everything but the entry stays byte for byte. Empty text becomes a new Keep a Changelog file. Where a person removed
    the entry's closing marker the text is returned as it is: the entry is then theirs. ``entry`` begins with its
    heading, on level 3.
    """
    end = "\r\n" if "\r\n" in existing[: existing.find("\n") + 1] else "\n"
    begin, close = f"<!-- tagsweep run {run_id} -->", f"<!-- /tagsweep run {run_id} -->"
    block = _with_bullets_of(existing, entry.rstrip("\n")).replace("\n", end)
    start = existing.find(begin)
    if start >= 0:
        stop = existing.find(close, start)
        body = block[block.index(begin) :]
        return existing if stop < 0 else existing[:start] + body + existing[stop + len(close) :]
    mark = "\ufeff" if existing.startswith("\ufeff") else ""
    text = existing.removeprefix(mark)
    if not text.strip():
        return mark + _NEW_FILE.replace("\n", end) + f"{end}## [Unreleased]{end}{end}{block}{end}"
    return mark + _placed(text, block, end)


def _with_bullets_of(existing: str, entry: str) -> str:
    """Return the entry with its lists marked as most of the file's are."""
    marks = [found[2] for found in _BULLET.finditer(existing)]
    most = max("-*+", key=marks.count)  # of equally many the first: a dash
    return _BULLET.sub(lambda found: found[1] + most, entry)


# --- place --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Heading:
    line: int
    level: int
    text: str
    underlined: bool = False


def _placed(existing: str, block: str, end: str) -> str:
    lines = _LINE.findall(existing)
    headings = list(_headings(lines))
    unreleased = next((one for one in headings if _UNRELEASED.fullmatch(one.text)), None)
    if unreleased is not None:
        below = _on_level(block, unreleased.level + 1)
        return _joined(lines, _end_of(unreleased, headings, lines), below, end)
    newest = _newest(headings)
    dates = [one for one in headings if _DATE.fullmatch(one.text) and newest and one.level == newest.level]
    if dates and newest == dates[0] and _KEPT.search(existing) is None:
        return _among_dates(lines, headings, dates, block, end)
    if newest is None or _is_kept(existing, newest):
        at = _end_of_section(lines, len(lines) if newest is None else newest.line)
        below_marker = next((n + 1 for n, line in enumerate(lines) if _TOWNCRIER.match(line.strip())), None)
        if newest is None and below_marker is not None:
            return _joined(lines, below_marker, _on_level(block, 2), end)
        level = 2 if newest is None else newest.level
        return _joined(lines, at, f"{'#' * level} [Unreleased]{end}{end}{_on_level(block, level + 1)}", end)
    return _joined(lines, _end_of_section(lines, newest.line), _like(newest, block, end), end)


def _is_kept(existing: str, newest: _Heading) -> bool:
    """Tell whether the file is in the format of Keep a Changelog: it says so, or its versions look so."""
    return _KEPT.search(existing) is not None or _KEPT_VERSION.fullmatch(newest.text) is not None


def _among_dates(
    lines: Sequence[str], headings: Sequence[_Heading], dates: Sequence[_Heading], block: str, end: str
) -> str:
    """Put the entry into the section of its day, which is made where there is none."""
    titled = _TITLE.match(block)
    assert titled is not None  # noqa: S101 (every entry of ours begins with a heading that has its date)
    day = titled[2]
    same = next((one for one in dates if _day(one) == day), None)
    if same is not None:
        return _joined(lines, _end_of(same, headings, lines), _on_level(block, same.level + 1), end)
    first, last = dates[0], dates[-1]
    rising = len(dates) > 1 and _day(first) < _day(last)
    at = _end_of_section(lines, len(lines)) if rising else _end_of_section(lines, first.line)
    head = _heading(_Heading(0, first.level, day, first.underlined), end)
    return _joined(lines, at, f"{head}{end}{end}{_on_level(block, first.level + 1)}", end)


def _day(heading: _Heading) -> str:
    found = _DATE.fullmatch(heading.text)
    return found[1] if found else ""


def _on_level(block: str, level: int) -> str:
    """Return the entry with its heading on a level below that of what it stands in."""
    return "#" * level + block.removeprefix("#" * _ENTRY_LEVEL)


def _like(other: _Heading, block: str, end: str) -> str:
    """Return the entry with a heading like another one."""
    title, _, body = block.removeprefix("#" * _ENTRY_LEVEL).lstrip().partition(end)
    return f"{_heading(_Heading(0, other.level, title, other.underlined), end)}{end}{body}"


def _heading(one: _Heading, end: str) -> str:
    if one.underlined:
        return f"{one.text}{end}{('=' if one.level == 1 else '-') * len(one.text)}"
    return f"{'#' * one.level} {one.text}"


def _newest(headings: Sequence[_Heading]) -> _Heading | None:
    """Return the heading of the newest version, or of an entry of ours that is newer: else the first of level 2."""
    named = (one for one in headings if any(known.fullmatch(one.text) for known in (_VERSION, _DATE, _OURS)))
    return next(named, None) or next((one for one in headings if one.level == 2), None)  # noqa: PLR2004 (a level)


# --- lines --------------------------------------------------------------------------------------------------------
def _headings(lines: Sequence[str]) -> Iterator[_Heading]:
    """Yield the headings of levels 1 to 3, in either form, that are outside of code blocks, comments, front matter."""
    fence = ""
    comment = False
    begin = _front_matter(lines)
    for number, line in enumerate(lines):
        if number < begin:
            continue
        text = line.strip()
        mark = _FENCE.match(line)
        if fence:
            if mark is not None and mark[1].startswith(fence) and text == mark[1]:
                fence = ""
        elif comment:
            comment = "-->" not in text
        elif mark is not None:
            fence = mark[1]
        elif text.startswith("<!--"):
            comment = "-->" not in text
        elif (found := _HEADING.fullmatch(line.rstrip())) is not None:
            yield _Heading(number, len(found[1]), found[2])
        elif _alone(lines, number) and (under := _UNDERLINE.fullmatch("".join(lines[number + 1 : number + 2]))):
            yield _Heading(number, 1 if under[1].startswith("=") else 2, text, underlined=True)


def _alone(lines: Sequence[str], number: int) -> bool:
    """Tell whether the line is a paragraph so far, and the first line of it: an underline would make it a heading."""
    before = lines[number - 1] if number else ""
    return _NO_TITLE.match(lines[number]) is None and _NO_TITLE.match(before) is not None


def _front_matter(lines: Sequence[str]) -> int:
    """Return how many lines at the top are YAML between two rows of three dashes, as site generators have it."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    return next((number + 1 for number, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), 0)


def _end_of(section: _Heading, headings: Sequence[_Heading], lines: Sequence[str]) -> int:
    """Return where a section ends: at the next heading on its level or above."""
    later = (one.line for one in headings if one.line > section.line and one.level <= section.level)
    return _end_of_section(lines, next(later, len(lines)))


def _end_of_section(lines: Sequence[str], following: int) -> int:
    """Return where a section ends that lasts until line ``following``: before link definitions and empty lines."""
    at = following
    if following == len(lines):  # the definitions at the end of a file belong to all of it
        while at > 0 and (not lines[at - 1].strip() or _LINK.fullmatch(lines[at - 1].rstrip("\r\n"))):
            at -= 1
        return at
    while at > 0 and not lines[at - 1].strip():
        at -= 1
    return at


def _joined(lines: Sequence[str], at: int, block: str, end: str) -> str:
    """Put the block between the lines, with an empty line on either side of it where something stands there."""
    before, after = "".join(lines[:at]), "".join(lines[at:])
    ended = before if not before or before.endswith("\n") else before + end
    lead = end if ended else ""
    tail = after if not after or not after.strip() or after.startswith(("\n", "\r\n")) else end + after
    return f"{ended}{lead}{block}{end}{tail}"
