"""What the files of repositories name, beside what Renovate extracts from them as container images.

    python bench/extraction.py CHECKOUT=RENOVATE.json ...

Each CHECKOUT is a work tree and each JSON file the log of Renovate over it:

    LOG_LEVEL=debug LOG_FORMAT=json renovate --platform=local --dry-run=extract --require-config=ignored >LOG

Renovate is a different tool with a different aim (what may be updated); everything that it takes for an image and that
is not found here is listed, because a tag in use that is overlooked may be deleted.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tagsweep.model.errors import InvalidReference
from tagsweep.model.reference import Reference
from tagsweep.model.usage import Unresolved
from tagsweep.sources.files import FilesSource
from tagsweep.testing.source_suite import NOW, source_context, source_settings

NO_IMAGES = {"pyenv", "ruby-version", "nvm", "nodenv", "runtime-version", "asdf", "mise"}
"""Managers that use Docker Hub to look up versions of a language: their files name no image."""


@dataclass(kw_only=True)
class Extracted:
    """What one tool says of each file: references as full texts, without a default tag."""

    by_path: dict[str, set[str]] = field(default_factory=dict)

    def add(self, path: str, reference: str) -> None:
        """Note a reference in a file."""
        self.by_path.setdefault(path, set()).add(reference)

    @property
    def total(self) -> int:
        """How many there are, each once a file."""
        return sum(len(found) for found in self.by_path.values())


def renovate(log: Path) -> tuple[Extracted, Counter[str]]:
    """Return the container images in a log of Renovate, and how many each of its managers found."""
    found, managers = Extracted(), Counter[str]()
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("msg") != "Extracted dependencies":
            continue
        for manager, files in entry["packageFiles"].items():
            for file in files if manager not in NO_IMAGES else ():
                for each in file.get("deps", ()):
                    if each.get("datasource") == "docker" and not each.get("skipReason") and each.get("depName"):
                        name = each.get("packageName") or each["depName"]
                        value = each.get("currentValue")
                        tag = f":{value}" if value and value != "undefined" else ""
                        digest = f"@{each['currentDigest']}" if each.get("currentDigest") else ""
                        found.add(file["packageFile"], f"{name}{tag}{digest}")
                        managers[manager] += 1
    return found, managers


def tagsweep(checkout: Path) -> tuple[Extracted, tuple[Unresolved, ...], int, float]:
    """Return what is found in the files, what stays open, how many files there are and the seconds that it took."""
    begun = time.perf_counter()
    source = FilesSource.configure(source_settings("files", path=str(checkout)), context=source_context())
    report = source.collect(NOW)
    seconds = time.perf_counter() - begun
    found = Extracted()
    for usage in report.usages:
        path = re.sub(r":[0-9]+(?:,.*)?$", "", usage.where.removeprefix("test ").removeprefix("test:"))
        found.add(path, str(usage.reference))
    for gap in report.coverage.gaps[:5]:
        print(f"    gap: {gap}")
    return found, report.unresolved, report.examined, seconds


def known(text: str, ours: set[str]) -> bool:
    """Tell whether a reference of Renovate's is among ours. One without a tag of its own is, where we found the tag in
    another file (the chart's version, the resource that a kustomization renames).
    """
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return False
    if str(reference.with_default_tag()) in ours:
        return True
    bare = reference.tag is None and reference.digest is None
    return bare and any(Reference.parse(each).repository == reference.repository for each in ours)


def main() -> None:
    """Compare the two over every repository that is named."""
    for argument in sys.argv[1:]:
        checkout, _, log = argument.partition("=")
        theirs, managers = renovate(Path(log))
        ours, unresolved, files, seconds = tagsweep(Path(checkout))
        print(f"{Path(checkout).name}: {files:,} files in {seconds:.1f} s; {ours.total:,} references of ours, ", end="")
        print(f"{len(unresolved):,} open; Renovate {theirs.total:,} ({dict(managers)})")
        missed = [
            (path, text)
            for path, found in sorted(theirs.by_path.items())
            for text in sorted(found)
            if not known(text, ours.by_path.get(path, set()))
        ]
        print(f"    missed of Renovate's: {len(missed)}")
        for path, text in missed:
            open_here = [entry.text for entry in unresolved if f"{path}:" in entry.where or entry.path == path]
            print(f"      {path}  {text}  {'open: ' + ', '.join(open_here[:3]) if open_here else ''}")


if __name__ == "__main__":
    main()
