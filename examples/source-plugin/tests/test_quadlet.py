# ruff: noqa: INP001, S101 (tests are no package, and they assert)
"""The quadlet source against the suite that tagsweep ships for plugins, and what is its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tagsweep_quadlet import QuadletSource

from tagsweep.testing.source_suite import NOW, SourceSuite, source_context, source_settings


class Units:
    """A directory of units, for the suite to fill and to break."""

    resolves = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def plant(self, texts: Sequence[str]) -> None:
        """Write a unit for each image."""
        for number, text in enumerate(texts):
            unit = f"[Container]\nImage={text.replace('${BUILD}', '%i')}\nPublishPort=8080:80\n"
            (self.directory / f"app-{number}.container").write_text(unit, encoding="utf-8")

    def break_it(self) -> None:
        """Write a unit that is no text."""
        (self.directory / "app-0.container").write_bytes(b"\xff\xfe")

    def source(self) -> QuadletSource:
        """Return the source."""
        settings = source_settings("quadlet", directory=str(self.directory))
        return QuadletSource.configure(settings, context=source_context())


class TestSuite(SourceSuite):
    """Every test of the suite."""

    @pytest.fixture
    def environment(self, tmp_path: Path) -> Units:
        """Return a new directory for each test."""
        return Units(tmp_path)


def test_units_that_name_no_image_themselves(tmp_path: Path) -> None:
    """A unit that takes its image from another unit is no gap, a Kubernetes file is one."""
    (tmp_path / "a.container").write_text("[Container]\nImage=base.image\n", encoding="utf-8")
    (tmp_path / "base.image").write_text("[Image]\nImage = registry.example/base:1\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("Image=registry.example/none:1\n", encoding="utf-8")
    report = Units(tmp_path).source().collect(NOW)
    assert [(str(usage.reference), usage.where) for usage in report.usages] == [
        ("registry.example/base:1", f"{tmp_path}/base.image:2")
    ]
    assert report.coverage.complete
    (tmp_path / "pod.kube").write_text("[Kube]\nYaml=pod.yaml\n", encoding="utf-8")
    assert not Units(tmp_path).source().collect(NOW).coverage.complete
