"""The hold list: references with reasons, and every line that is none told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.policy import SourceSettings
from tagsweep.sources.list import ListSource, extract
from tagsweep.testing.source_suite import source_context

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_each_reference_comes_out_with_its_line_and_reason() -> None:
    """N references planted mean N come out, with the line number and the words behind the hash."""
    text = "# held\n\nghcr.io/acme/api:1.4.2  # customer X\nacme/web\n  acme/db@sha256:" + "a" * 64 + "\n"
    usages, gaps = extract(text, source="list/hold", where="hold.txt")
    assert [(str(usage.reference), usage.where, usage.note) for usage in usages] == [
        ("ghcr.io/acme/api:1.4.2", "hold.txt:3", "customer X"),
        ("docker.io/acme/web:latest", "hold.txt:4", ""),
        (f"docker.io/acme/db@sha256:{'a' * 64}", "hold.txt:5", ""),
    ]
    assert gaps == ()


def test_a_line_that_is_no_reference_is_a_gap() -> None:
    """A misspelt line makes the coverage partial, because it was meant to protect something."""
    usages, gaps = extract("acme/API:1\nacme/api:1\n", source="list/hold", where="hold.txt")
    assert len(usages) == 1
    assert len(gaps) == 1
    assert gaps[0].startswith("hold.txt:1: ")


def test_a_file_that_cannot_be_read_is_a_gap_and_no_empty_answer(tmp_path: Path) -> None:
    """An absent file and one that is not UTF-8 give partial coverage."""
    source = ListSource.configure(
        SourceSettings(name="list/hold", kind="list", options={"file": "absent.txt"}), context=source_context(tmp_path)
    )
    assert not source.collect(NOW).coverage.complete
    (tmp_path / "absent.txt").write_bytes(b"\xff\xfe\x00")
    assert not source.collect(NOW).coverage.complete


@pytest.mark.parametrize("options", [{}, {"file": 3}, {"file": ""}, {"file": "x", "files": "y"}])
def test_wrong_options_are_told(options: dict[str, object]) -> None:
    """A missing, empty or unknown option is a configuration error that names the source."""
    with pytest.raises(ConfigurationError, match="list/hold"):
        ListSource.configure(SourceSettings(name="list/hold", kind="list", options=options), context=source_context())
