"""The text of a hold list: one reference a line, with the reason behind a ``#``. Pure: text in, findings out.

    # what production runs by hand
    docker.io/acme/api:1.4.2          # customer X, until 2027-01-01
    docker.io/acme/web@sha256:9f86…   # pinned in the appliance
    docker.io/acme/job:${BUILD}       # any tag, as the policy's `unresolved` has it

A date behind ``until`` is for people: after it the line still holds, and its note says that the date has passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.image import read_image

PASSED: Final = "that date has passed"
_COMMENT: Final = re.compile(r"(?:^|\s)#")
_UNTIL: Final = re.compile(r"\buntil:?\s+(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})\b", re.ASCII | re.IGNORECASE)
_END: Final = re.compile(r"\r\n|\r|\n")
_OPENERS: Final = frozenset("${%")


def read_lines(text: str, *, today: date) -> Iterator[Finding]:
    """Yield what each line names; a line that is neither a reference, empty nor a comment is a NoReference."""
    for number, line in enumerate(_END.split(text.removeprefix("\ufeff")), start=1):
        written, note = _split(line)
        if not written:
            continue
        findings = read_image(written, line=number, note=_note(note, today))
        # Two words on a line are no reference with a reason: the reason would have its hash.
        yield from findings or (NoReference(text=written, why="it names no image", line=number),)


def _split(line: str) -> tuple[str, str]:
    found = _COMMENT.search(line)
    if found is not None:
        return line[: found.start()].strip(), line[found.end() :].strip()
    if "#" in line and not _OPENERS & set(line):  # in ``${TAG#v}`` and ``#{TAG}`` the hash belongs to the variable
        written, _, note = line.partition("#")
        return written.strip(), note.strip()
    return line.strip(), ""


def _note(note: str, today: date) -> str:
    for found in _UNTIL.finditer(note):
        try:
            passed = date.fromisoformat(found["date"]) < today
        except ValueError:
            continue
        if passed:
            return f"{note} ({PASSED})"
    return note
