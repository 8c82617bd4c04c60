"""What of an image config matters: when it says it was built, and its labels."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from tagsweep.stores.manifests import ConfigFacts

_NO_TIME_BEFORE: Final = datetime(2013, 3, 20, tzinfo=UTC)
"""Docker was shown to the public on this day; builders that write an earlier time (1970, 1980) mean none at all."""


def read_config(data: bytes) -> ConfigFacts:
    """Return the facts in a config's bytes; what is not there or makes no sense is unknown, never a guess."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return ConfigFacts()
    if not isinstance(document, dict):
        return ConfigFacts()
    return ConfigFacts(created=_created(document.get("created")), labels=_labels(document.get("config")))


def _created(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        # Builders write nanoseconds; datetime reads six digits of a fraction and ignores the rest.
        created = datetime.fromisoformat(value)
    except ValueError:
        return None
    if created.tzinfo is None or created < _NO_TIME_BEFORE:
        return None
    return created.astimezone(UTC)


def _labels(config: Any) -> dict[str, str]:
    labels = config.get("Labels") if isinstance(config, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {str(key): str(value) for key, value in labels.items()}
