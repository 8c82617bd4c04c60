"""What is read from an image config, and what is rather not believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tagsweep.app.config_facts import read_config

good_times = [
    ("2024-09-09T19:34:50Z", datetime(2024, 9, 9, 19, 34, 50, tzinfo=UTC)),
    ("2024-09-09T19:34:50.123456789Z", datetime(2024, 9, 9, 19, 34, 50, 123456, tzinfo=UTC)),
    ("2024-09-09T21:34:50+02:00", datetime(2024, 9, 9, 19, 34, 50, tzinfo=UTC)),
]
bad_times = ["1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "0001-01-01T00:00:00Z", "", "yesterday", None, 5]
bad_configs = [b"", b"not json", b"[]", b"null", b'{"created": {}}', b'{"config": []}', b"[" * 100_000]


@pytest.mark.parametrize(("text", "expected"), good_times)
def test_a_time_of_building_is_read_in_utc(text: str, expected: datetime) -> None:
    """A builder's time with any offset and precision is the same instant in UTC."""
    assert read_config(json.dumps({"created": text}).encode()).created == expected


@pytest.mark.parametrize("value", bad_times)
def test_a_time_before_docker_or_none_at_all_is_unknown(value: object) -> None:
    """Reproducible builders write 1970 or 1980; such a time is unknown rather than very old (hazard 15)."""
    assert read_config(json.dumps({"created": value}).encode()).created is None


@pytest.mark.parametrize("data", bad_configs)
def test_a_config_that_makes_no_sense_has_no_facts(data: bytes) -> None:
    """Bytes that are no config give no time and no labels instead of an error."""
    facts = read_config(data)
    assert facts.created is None
    assert facts.labels == {}


def test_labels_are_read_as_text() -> None:
    """Labels of the config come out as text to text."""
    data = json.dumps({"config": {"Labels": {"org.opencontainers.image.revision": "abc", "n": 1}}}).encode()
    assert read_config(data).labels == {"org.opencontainers.image.revision": "abc", "n": "1"}
