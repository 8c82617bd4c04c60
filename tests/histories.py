"""The histories of Docker Official Images in tests/data: what each tag was on at a date, and before."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).parent / "data" / "official_images.json.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A repository at a date. ``images`` are what the tags are on, ``past`` what each was on before that."""

    images: Mapping[str, int]
    past: Mapping[str, frozenset[int]]


@lru_cache(maxsize=1)
def _document() -> dict[str, dict[str, list[object]]]:
    document: dict[str, dict[str, list[object]]] = json.loads(gzip.decompress(_FILE.read_bytes()))
    return document


def repositories() -> tuple[str, ...]:
    """Return the names of the repositories."""
    return tuple(_document())


def state(repository: str, until: datetime) -> State:
    """Return the tags as they were at ``until``, with those that nobody listed any more."""
    history = _document()[repository]
    images: dict[str, int] = {}
    past: dict[str, set[int]] = {}
    seconds = 0
    for step in history["events"]:
        assert isinstance(step, list)
        seconds += step[0]
        if datetime.fromtimestamp(seconds, UTC) > until:
            break
        for number, image in zip(step[1][::2], step[1][1::2], strict=True):
            tag = str(history["tags"][number])
            if tag in images and images[tag] != image:
                past.setdefault(tag, set()).add(images[tag])
            images[tag] = image
    return State(images=images, past={tag: frozenset(found) - {images[tag]} for tag, found in past.items()})
