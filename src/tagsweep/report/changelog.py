"""A sweep as an entry of CHANGELOG.md: :func:`entry` writes it, :func:`insert` puts it in its place.

Place: each sweep is a level-3 section of its own, ``### Registry sweep DATE``, at the end of ``## [Unreleased]``. Tools
that read Keep a Changelog (keepachangelog.com, 1.1.0) take every level-2 heading for a version and level-3 headings for
what changed in it; a level-2 heading that is no version would break them or end the section of Unreleased too early.
When a release is cut the entry moves with the rest of Unreleased, and stays findable by its marker. Where there is no
such section it is made above the newest version, on the level that the versions have, be they headings with number
signs or underlined ones; a section that is no version (“About this file”) may stand above it.

Below the heading two comments that no reader sees, ``<!-- tagsweep run ID -->`` and ``<!-- /tagsweep run ID -->``,
enclose the text (the heading stands outside, because readers give a line before it to the section above). Writing the
same run again replaces what stands between them, wherever that is by then, and touches nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tagsweep.model.decision import Verdict
from tagsweep.model.run import SweepReport
from tagsweep.model.schedule import Attempt, AttemptResult
from tagsweep.report.groups import group_reasons
from tagsweep.report.markdown_text import code, escape
from tagsweep.report.results import RepositoryResult, put_back, results_of, totals_of
from tagsweep.report.totals import space_words
from tagsweep.report.units import agree, count, day, plural
from tagsweep.report.words import short_tags

_NEW_FILE: Final = """\
# Changelog

All notable changes to this project will be documented in this file.

The format is based on [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).
"""
_UNRELEASED: Final = re.compile(r"\[?unreleased\]?(?:[\s(:].*)?", re.IGNORECASE)
_VERSION: Final = re.compile(r"(?:version |release )?\[?v?\d+\.\d+.*", re.IGNORECASE)
_HEADING: Final = re.compile(r" {0,3}(#{1,2})[ \t]+(\S.*)")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)\s*")
_NO_TITLE: Final = re.compile(r"\s*$| {4}|\t| {0,3}(?:[#>|]|[-+*] |\d+[.)] |=+\s*$|-+\s*$)")
"""What no underline makes a heading: an empty line, code, another heading, a quotation, a table, a list, a rule."""
_LINK: Final = re.compile(r" {0,3}\[[^\]]+\]:\s*\S.*")
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
"""A line with its end; ``str.splitlines`` would also split at form feeds and the like."""
_SAMPLES: Final = 5


def entry(report: SweepReport) -> str:
    """Return the entry for a sweep: heading, markers and text, each line ended by a line feed."""
    results = results_of(report)
    totals = totals_of(results)
    run = report.run.id
    stay = agree(totals.stayed, "stays")
    removed = f"Removed {plural(totals.removed, 'image tag')} from {plural(len(results), 'repository')}, out"
    lines = [
        f"### Registry sweep {day(report.run.started_at)}",
        "",
        f"<!-- tagsweep run {run} -->",
        f"{removed} of {count(totals.tags)}; {count(totals.stayed)} {stay} (run {code(run)}).",
        "",
    ]
    for result in results:
        lines += _repository(result)
    if report.verification is not None and report.verification.restored:
        lines.append(f"- Taken back: {put_back(report.verification)}.")
    lines += [f"- {_verification(report)}", f"- To take it back: {code(f'tagsweep restore {run} --yes')}."]
    return "\n".join([*lines, f"<!-- /tagsweep run {run} -->", ""])


def failed_entry(attempt: Attempt, *, entry_id: str, removed: int) -> str:
    """Return the entry for an unattended run that came to no end of its own, or was refused; ``removed`` tags are gone.

    ``entry_id`` stands where a sweep has its run, so that a second try of the same date replaces it.
    """
    word = "refused" if attempt.result is AttemptResult.REFUSED else "failed"
    gone = f"{plural(removed, 'tag')} {agree(removed, 'was')} removed before that" if removed else "Nothing was removed"
    again = "The next run tries again." if attempt.due is not None else ""
    lines = [
        f"### Registry sweep {word} {day(attempt.began_at)}",
        "",
        f"<!-- tagsweep run {entry_id} -->",
        f"{gone}: {escape(attempt.why)}. {again}".rstrip(),
    ]
    return "\n".join([*lines, f"<!-- /tagsweep run {entry_id} -->", ""])


def _repository(result: RepositoryResult) -> Iterator[str]:
    tags = len(result.plan.decisions)
    space = f"; frees {space_words(result.space)} once the registry collects (estimate)" if result.space else ""
    name = code(str(result.plan.repository))
    yield f"- {name}: {count(len(result.removed))} of {plural(tags, 'tag')} removed{space}."
    for group in group_reasons(result.removed):
        shown = [code(tag) for tag in short_tags(group.tags[:_SAMPLES])]
        more = f" and {count(len(group.tags) - len(shown))} more" if len(group.tags) > len(shown) else ""
        yield f"  - Removed {count(len(group.tags))}: {escape(group.words)}: {', '.join(shown)}{more}."
    for group in group_reasons(result.stayed):
        word = "Undecided, kept" if group.verdict is Verdict.UNDECIDED else "Kept"
        yield f"  - {word} {count(len(group.tags))}: {escape(group.words)}."
    if result.left:
        yield f"  - Not removed though planned: {plural(len(result.left), 'tag')}; see the report of the run."


def _verification(report: SweepReport) -> str:
    found = report.verification
    if found is None:
        return "Not verified yet."
    looked = f"{plural(found.tags, 'kept tag')}, {plural(found.manifests, 'manifest')}, {plural(found.blobs, 'blob')}"
    if found.ok:
        return f"Verified on {day(found.at)}: all is well ({looked})."
    wrong = f"{count(len(found.damage))} damaged, {count(len(found.leftovers))} still there"
    return f"Verified on {day(found.at)}: {wrong} ({looked})."


def insert(existing: str, entry: str, *, run_id: str) -> str:
    """Return the changelog ``existing`` with the entry of the run in it, once.

    ``existing`` is the file's text with its own line ends and byte-order mark (read it with ``newline=""`` as UTF-8);
    everything but the entry stays byte for byte. Empty text becomes a new Keep a Changelog file. Where a person removed
    the entry's closing marker the text is returned as it is: the entry is then theirs.
    """
    end = "\r\n" if "\r\n" in existing[: existing.find("\n") + 1] else "\n"
    block = entry.rstrip("\n").replace("\n", end)
    begin, close = f"<!-- tagsweep run {run_id} -->", f"<!-- /tagsweep run {run_id} -->"
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


def _placed(existing: str, block: str, end: str) -> str:
    lines = _LINE.findall(existing)
    headings = list(_headings(lines))
    unreleased = next((one for one in headings if _UNRELEASED.fullmatch(one.text)), None)
    if unreleased is None:
        above = _newest(headings)
        at = _end_of_section(lines, len(lines) if above is None else above.line)
        mark = "##" if above is None else "#" * above.level
        return _joined(lines, at, f"{mark} [Unreleased]{end}{end}{block}", end)
    later = (one.line for one in headings if one.line > unreleased.line and one.level <= unreleased.level)
    return _joined(lines, _end_of_section(lines, next(later, len(lines))), block, end)


@dataclass(frozen=True, slots=True)
class _Heading:
    line: int
    level: int
    text: str


def _newest(headings: Sequence[_Heading]) -> _Heading | None:
    """Return the heading of the newest version: the first that has a number, or else the first of level 2."""
    numbered = (one for one in headings if _VERSION.fullmatch(one.text))
    return next(numbered, None) or next((one for one in headings if one.level > 1), None)


def _headings(lines: Sequence[str]) -> Iterator[_Heading]:
    """Yield the headings of levels 1 and 2, in either form, that are outside of code blocks, comments, front matter."""
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
            yield _Heading(number, 1 if under[1].startswith("=") else 2, text)


def _alone(lines: Sequence[str], number: int) -> bool:
    """Tell whether the line is a paragraph so far, and the first line of it: an underline would make it a heading."""
    before = lines[number - 1] if number else ""
    return _NO_TITLE.match(lines[number]) is None and _NO_TITLE.match(before) is not None


def _front_matter(lines: Sequence[str]) -> int:
    """Return how many lines at the top are YAML between two rows of three dashes, as site generators have it."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    return next((number + 1 for number, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), 0)


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
