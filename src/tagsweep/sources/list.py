"""Lists of references that people keep: hold lists. One reference a line, the reason behind a ``#``."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import Coverage, UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.held_lines import read_lines
from tagsweep.sources.options import Options
from tagsweep.sources.syntaxes.findings import Evidence, NoReference, Place, evidence

_MAGIC: Final = re.compile(r"[*?\[]")


def extract(text: str, *, place: Place, now: datetime) -> tuple[Evidence, tuple[str, ...]]:
    """Return what ``text`` holds and, for every line that names no image, a gap: it was meant to protect something."""
    findings = tuple(read_lines(text, today=now.date()))
    wrong = tuple(
        f"{place.where}:{each.line}: {each.text!r} is no reference: {each.why}"
        for each in findings
        if isinstance(each, NoReference)
    )
    return evidence((each for each in findings if not isinstance(each, NoReference)), place), wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """The references in some files. ``files`` are paths or globs, relative to ``base``."""

    name: str
    base: Path
    files: tuple[str, ...]

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source; its only option is ``file``: paths and globs, relative to the policy."""
        options = Options(settings)
        files = options.texts("file")
        if not files:
            options.required("file", example="hold.txt")
        options.done()
        return cls(name=settings.name, base=Path(context.base), files=files)

    def collect(self, now: datetime) -> UsageReport:
        """Return the references in the files; what cannot be read and a glob without files are gaps."""
        found = Evidence()
        gaps: list[str] = []
        for path in dict.fromkeys(path for written in self.files for path in _files(self.base, written, gaps)):
            text = _read(path, gaps)
            place = Place(source=self.name, where=str(path), path=os.path.relpath(path, self.base))
            held, wrong = extract(text, place=place, now=now)
            gaps += wrong
            found = Evidence(usages=found.usages + held.usages, unresolved=found.unresolved + held.unresolved)
        return UsageReport(
            source=self.name,
            taken_at=now,
            usages=found.usages,
            unresolved=found.unresolved,
            coverage=Coverage(gaps=tuple(dict.fromkeys(gaps))),
            examined=len(found.usages) + len(found.unresolved),
        )


def _read(path: Path, gaps: list[str]) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        gaps.append(f"{path} cannot be read: {error.strerror or error}")
    except UnicodeDecodeError:
        gaps.append(f"{path} cannot be read: it is not UTF-8 text")
    return ""


def _files(base: Path, written: str, gaps: list[str]) -> Sequence[Path]:
    """Return the files that ``written`` means, sorted; a path without wildcards is one file, there or not."""
    literal = base / written
    search, pattern, root = _Search(gaps=gaps), Path(written), base
    if pattern.is_absolute():
        root = Path(pattern.anchor)
        pattern = pattern.relative_to(root)
    try:
        if _MAGIC.search(written) is None or literal.exists():
            return (literal,)
        found = sorted(set(search.below(root, pattern.parts)))
    except OSError as error:
        gaps.append(f"{written} cannot be looked for: {error.filename}: {error.strerror or error}")
        return ()
    if not found:
        gaps.append(f"{written} matches no file in {base}: correct the glob, or put an empty list there")
    return found


@dataclass(slots=True, kw_only=True)
class _Search:
    """Files by a glob, with a gap for every directory that cannot be looked into, which Python's own leaves out."""

    gaps: list[str] = field(default_factory=list)

    def below(self, directory: Path, parts: Sequence[str]) -> Iterator[Path]:
        """Yield the files below ``directory`` that ``parts`` match; ``**`` is any number of directories."""
        first, rest = parts[0], parts[1:]
        if first == "**":
            yield from self._at_any_depth(directory, rest or ("*",))
        elif _MAGIC.search(first) is None:
            yield from self._literally(directory / first, rest)
        else:
            for entry in self._entries(directory):
                if not fnmatch.fnmatchcase(entry.name, first) or (entry.name[0] == "." and first[0] != "."):
                    continue
                yield from self._literally(Path(entry.path), rest)

    def _literally(self, place: Path, rest: Sequence[str]) -> Iterator[Path]:
        if rest and place.is_dir():
            yield from self.below(place, rest)
        elif not rest and place.exists() and not place.is_dir():
            yield place

    def _at_any_depth(self, directory: Path, rest: Sequence[str]) -> Iterator[Path]:
        yield from self.below(directory, rest)
        for entry in self._entries(directory):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from self._at_any_depth(Path(entry.path), rest)

    def _entries(self, directory: Path) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.gaps.append(f"{directory} cannot be looked into: {error.strerror or error}")
            return ()
