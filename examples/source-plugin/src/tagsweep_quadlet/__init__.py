"""The images in Podman's Quadlet units: an evidence source for tagsweep in one file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import Coverage, UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.options import Options
from tagsweep.sources.syntaxes.findings import Evidence, Finding, Place, evidence
from tagsweep.sources.syntaxes.image import read_image

_UNITS = (".container", ".image", ".volume", ".kube")
_IMAGE = re.compile(r"\s*Image\s*=(?P<text>.*)")
_SPECIFIER = re.compile(r"%([A-Za-z])")


def extract(text: str) -> Iterator[Finding]:
    """Yield the images that a unit names. Pure: whatever the text is, findings or nothing, and never an exception."""
    for number, line in enumerate(text.split("\n"), start=1):
        found = _IMAGE.match(line)
        if found is None or found["text"].strip().endswith((".image", ".build")):
            continue  # those are the names of other units
        # What systemd fills in is a part that is not known here: %i becomes ${i}, which read_image takes for open.
        yield from read_image(_SPECIFIER.sub(r"${\1}", found["text"]), line=number)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuadletSource:
    """The units in one directory."""

    name: str
    directory: Path

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source; its only option is ``directory``, relative to the policy."""
        options = Options(settings)
        directory = options.required("directory", example="/etc/containers/systemd")
        options.done()  # refuses what nobody read, with the nearest known name
        return cls(name=settings.name, directory=Path(context.base) / directory)

    def collect(self, now: datetime) -> UsageReport:
        """Return what the units name; everything that could not be read is a gap, with what to do about it."""
        found, gaps, units = Evidence(), [], 0
        try:
            paths = sorted(path for path in self.directory.iterdir() if path.suffix in _UNITS)
        except OSError as error:
            paths, gaps = [], [f"{self.directory} cannot be read ({error.strerror}): name the units' directory"]
        for path in paths:
            units += 1
            if path.suffix == ".kube":
                gaps.append(f"{path} runs a Kubernetes file, which is not read here: ask it with a source `files`")
                continue
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                gaps.append(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}")
                continue
            part = evidence(extract(text), Place(source=self.name, where=str(path), path=path.name))
            found = Evidence(
                usages=found.usages + part.usages,
                unresolved=found.unresolved + part.unresolved,
                invalid=found.invalid + part.invalid,
            )
        return UsageReport(
            source=self.name,
            taken_at=now,
            usages=found.usages,
            unresolved=found.unresolved,
            invalid=found.invalid,
            coverage=Coverage(gaps=tuple(gaps)),
            examined=units,
            unit="units",
        )
