"""How an error reaches the person: a sentence, a remedy, and nothing that acts on the terminal."""

from __future__ import annotations

import pytest

from tagsweep.cli.main import main


def test_an_escape_sequence_in_an_error_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Text that somebody else wrote is cleaned in messages as it is in pages."""
    with pytest.raises(SystemExit) as ended:
        main(["plan", "-c", "no\x1b[2Jsuch\u202efile.yaml"])
    assert ended.value.code != 0
    printed = capsys.readouterr().err
    assert "such" in printed
    assert "\x1b" not in printed
    assert "\u202e" not in printed
