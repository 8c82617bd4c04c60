"""A real client takes the fake registry for a registry: crane pushes to it, lists it and deletes from it."""

from __future__ import annotations

import subprocess

import pytest

from tagsweep.testing import images
from tagsweep.testing.dialects import CRANE, DISTRIBUTION_2_8, DISTRIBUTION_3, OCI, Dialect
from tagsweep.testing.fake import FakeRegistry
from tests.real.servers import Server

pytestmark = pytest.mark.real
DIALECTS = [DISTRIBUTION_3, *(pytest.param(one, marks=pytest.mark.slow) for one in (OCI, DISTRIBUTION_2_8, CRANE))]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_crane_copies_an_index_and_deletes_it(dialect: Dialect, crane_registry: Server) -> None:
    """Everything below an index arrives under the same digest; listing and deletion by digest work."""
    image = images.multi_platform("copied")

    def crane(*arguments: str) -> str:
        command = [crane_registry.program, *arguments, "--insecure"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    with FakeRegistry() as source, FakeRegistry(dialect) as target:
        source.push("team/app", image, "v1")
        crane("copy", f"{source.host}/team/app:v1", f"{target.host}/other/place:v2")
        assert target.tags("other/place") == {"v2": image.top}
        assert target.manifests("other/place").keys() == {manifest.digest for manifest in image.manifests}
        assert target.blobs("other/place") == image.blobs.keys()
        assert crane("ls", f"{target.host}/other/place") == "v2"
        assert crane("digest", f"{target.host}/other/place:v2") == image.top
        crane("delete", f"{target.host}/other/place@{image.top}")
        assert image.top not in target.manifests("other/place")
