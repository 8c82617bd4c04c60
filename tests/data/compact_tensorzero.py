"""Turn a verbose tag list into the compact form that tests/data holds: `compact_tensorzero.py SOURCE TARGET.json.gz`.

The verbose form has an object with `tag`, `image` and `pushed_at` (ISO 8601) for each tag; the compact form a list of
the three with the time in seconds since 1970. The gzip header carries no time, so equal input gives equal bytes.
"""

from __future__ import annotations

import gzip
import json
import sys
from datetime import datetime
from pathlib import Path


def main(source: Path, target: Path) -> None:
    """Read `source`, write `target`."""
    document = json.loads(source.read_bytes())
    repositories = {
        repository: [
            [entry["tag"], entry["image"], int(datetime.fromisoformat(entry["pushed_at"]).timestamp())]
            for entry in entries
        ]
        for repository, entries in document["repositories"].items()
    }
    compact = {"about": document["about"], "repositories": repositories}
    target.write_bytes(gzip.compress(json.dumps(compact, separators=(",", ":")).encode(), 9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
