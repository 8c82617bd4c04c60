"""Turn the tag histories of Docker Official Images into one compact file: `compact_histories.py DIRECTORY TARGET`.

The verbose form is one gzipped JSON document for each repository, with a list `events` of `[time, tag, image]`. Times
become seconds since the event before; tags become numbers in a list of names; images become numbers, equal for one
digest. Events without an image (a tag that is no longer listed, and that the registry keeps) are left out.
"""

from __future__ import annotations

import gzip
import json
import sys
from datetime import datetime
from pathlib import Path


def main(directory: Path, target: Path) -> None:
    """Read all histories of `directory`, write `target`."""
    compact = {}
    for path in sorted(directory.glob("*.json.gz")):
        document = json.loads(gzip.decompress(path.read_bytes()))
        compact[document["repository"]] = _history(document["events"])
    target.write_bytes(gzip.compress(json.dumps(compact, separators=(",", ":")).encode(), 9, mtime=0))


def _history(events: list[tuple[str, str, str | None]]) -> dict[str, object]:
    tags: dict[str, int] = {}
    images: dict[str, int] = {}
    steps: list[tuple[int, list[int]]] = []
    before = 0
    for moment, tag, image in events:
        if image is None:
            continue
        seconds = int(datetime.fromisoformat(moment).timestamp())
        if not steps or seconds != before:
            steps.append((seconds - before, []))
            before = seconds
        steps[-1][1].extend((tags.setdefault(tag, len(tags)), images.setdefault(image, len(images))))
    return {"tags": list(tags), "events": steps}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
