"""How long `tagsweep --help` takes beyond a Python that does nothing.

Usage: ``python bench/startup.py [--rounds N] [--limit MS]``. The two commands take turns, so that a change of the
machine's speed meets both; the medians and their difference are printed. With ``--limit``, exit 1 when the difference
is larger. Bytecode is written by the first, uncounted rounds, as an installation has it.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

BARE = "python -c pass"
HELP = "tagsweep --help"
COMMANDS = {
    BARE: [sys.executable, "-c", "pass"],
    HELP: [str(Path(sys.executable).parent / "tagsweep"), "--help"],
}


def milliseconds(command: list[str]) -> float:
    """Run the command once and return its wall-clock time."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return (time.perf_counter() - began) * 1000


def main() -> int:
    """Measure, print, and compare with the limit."""
    parser = argparse.ArgumentParser(description="tagsweep --help against a bare interpreter")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--limit", type=float, metavar="MS", help="fail when the difference is larger")
    options = parser.parse_args()

    for command in COMMANDS.values():
        milliseconds(command)
        milliseconds(command)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(options.rounds):
        for name, command in COMMANDS.items():
            times[name].append(milliseconds(command))

    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, {options.rounds} rounds")
    for name, values in times.items():
        print(f"  {name:<16} median {statistics.median(values):6.1f} ms   fastest {min(values):6.1f} ms")
    bare, full = statistics.median(times[BARE]), statistics.median(times[HELP])
    print(f"  beyond the bare interpreter: {full - bare:.1f} ms, {full / bare:.1f} times its time")
    if options.limit is not None and full - bare > options.limit:
        print(f"  that is more than the limit of {options.limit:g} ms")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
