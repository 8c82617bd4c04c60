"""A list of references that a person keeps: the hold list. One reference a line, with the reason behind a ``#``.

    # what production runs by hand
    docker.io/acme/api:1.4.2          # customer X, until 2027
    docker.io/acme/web@sha256:9f86…   # pinned in the appliance

Text in, values out in :func:`extract`; only ``collect`` reads a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from tagsweep.model.errors import ConfigurationError, InvalidReference
from tagsweep.model.policy import SourceSettings
from tagsweep.model.reference import Reference
from tagsweep.model.usage import Coverage, Usage, UsageReport


def extract(text: str, *, source: str, where: str) -> tuple[tuple[Usage, ...], tuple[str, ...]]:
    """Return the references in ``text`` and, for every line that is not one, a gap that names it.

    ``where`` is the file as a person would name it; each usage gets its line number.
    """
    usages: list[Usage] = []
    gaps: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        written, _, note = line.partition("#")
        if not written.strip():
            continue
        try:
            reference = Reference.parse(written.strip()).with_default_tag()
        except InvalidReference as error:
            gaps.append(f"{where}:{number}: {error}")
            continue
        usages.append(Usage(reference=reference, source=source, where=f"{where}:{number}", note=note.strip()))
    return tuple(usages), tuple(gaps)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSource:
    """The references in one file. A line that cannot be read makes the coverage partial."""

    name: str
    path: Path

    @classmethod
    def configure(cls, settings: SourceSettings, *, base: str) -> Self:
        """Return the source; its only option is ``file``, relative to the policy."""
        options = dict(settings.options)
        file = options.pop("file", None)
        if options:
            raise ConfigurationError(
                f"source {settings.name}: unknown option {min(options)!r}", remedy="a list source has one option: file"
            )
        if not isinstance(file, str) or not file:
            raise ConfigurationError(f"source {settings.name}: the option file is missing", remedy="file: hold.txt")
        return cls(name=settings.name, path=Path(base) / file)

    def collect(self, now: datetime) -> UsageReport:
        """Return the references in the file; a file that cannot be read is a gap."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
            gap = f"{self.path} cannot be read: {why}"
            return UsageReport(source=self.name, taken_at=now, coverage=Coverage(gaps=(gap,)))
        usages, gaps = extract(text, source=self.name, where=str(self.path))
        return UsageReport(
            source=self.name, taken_at=now, usages=usages, coverage=Coverage(gaps=gaps), examined=len(usages)
        )
