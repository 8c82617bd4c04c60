"""A whole sweep of a repository of TensorZero's size on a real registry: the forecast beside what came true.

    python bench/sweep.py [tensorzero/gateway-dev]

Needs Debian's docker-registry (make test-servers). Fills it with the repository's real tag list, plans, applies and
verifies, and prints requests, the forecast that the plan told beforehand, and the ratio of the two.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tagsweep.testing.storage_layout import StorageLayout
from tagsweep.testing.tensorzero import load

DATA = Path(__file__).parents[1] / "tests" / "data" / "tensorzero.json.gz"
POLICY = """\
version: 1
targets: ["{host}/{repository}"]
rules:
  - name: builds
    match: {{regex: "(ci-)?sha-[0-9a-f]{{7,40}}"}}
    keep: []
evidence: none
"""


def run(directory: Path, *arguments: str) -> tuple[dict[str, object], float]:
    started = time.perf_counter()
    command = [sys.executable, "-m", "tagsweep", *arguments, "--state", str(directory / "state"), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=directory)
    return json.loads(done.stdout), time.perf_counter() - started


def main() -> None:
    sys.path.insert(0, str(DATA.parents[2]))  # a script's own path is its directory, not the checkout
    from tests.real.servers import ServerKind, serve  # noqa: PLC0415 - found from here on

    repository = sys.argv[1] if len(sys.argv) > 1 else "tensorzero/gateway"
    found = next(tags for tags in load(DATA) if tags.repository == repository)
    with serve(ServerKind.DISTRIBUTION_2_8) as server, tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        assert server.root is not None
        layout = StorageLayout(server.root)
        for built in found.images():
            layout.write(repository, built.image, built.tags)
        (directory / "tagsweep.yaml").write_text(POLICY.format(host=server.host, repository=repository))
        plan, planning = run(directory, "plan", "-c", "tagsweep.yaml", "-o", "plan.json")
        again, planning_again = run(directory, "plan", "-c", "tagsweep.yaml", "-o", "plan.json")
        swept, applying = run(directory, "apply", "plan.json", "--yes")
        repositories = again["repositories"]
        assert isinstance(repositories, list)
        forecast = sum(float(each["forecast"]) for each in repositories)
        print(f"{repository}: {len(found.records):,} tags, {plan['removals']:,} removed")
        print(f"first plan   {planning:6.1f} s  {plan['requests']}")
        print(f"second plan  {planning_again:6.1f} s  {again['requests']}")
        print(f"apply        {applying:6.1f} s, forecast {forecast:.1f} s: {applying / forecast:.2f} of the forecast")
        verification = swept["verification"]
        assert isinstance(verification, dict)
        print(f"verified     {verification['ok']}")


if __name__ == "__main__":
    main()
