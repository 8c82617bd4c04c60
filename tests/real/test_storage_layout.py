"""Images written straight into the storage of a real registry are served as if they had been pushed."""

from __future__ import annotations

import pytest

from tagsweep.testing import images
from tagsweep.testing.storage_layout import StorageLayout
from tests.real.interview import Interviewer

pytestmark = pytest.mark.real


@pytest.mark.parametrize("server", ["docker_registry", "distribution_3"])
def test_what_is_written_is_served_and_can_be_deleted(server: str, request: pytest.FixtureRequest) -> None:
    """Tags, manifests and blobs answer at once with the right digests, and a deletion works as after a push."""
    running = request.getfixturevalue(server)
    image, other = images.multi_platform("written"), images.image("other", algorithm="sha512")
    layout = StorageLayout(running.root)
    layout.write("written/app", image, ["v1", "latest"])
    layout.write("written/app", other, ["v2"])
    asker = Interviewer(running.host)
    try:
        assert sorted(asker.tags("written/app")) == ["latest", "v1", "v2"]
        for manifest in (*image.manifests, other.manifest):
            assert asker.ask("GET", f"written/app/manifests/{manifest.digest}").body == manifest.data
        for digest, content in image.blobs.items():
            assert asker.ask("GET", f"written/app/blobs/{digest}").body == content
        assert asker.ask("DELETE", f"written/app/manifests/{image.top}").status == 202
        assert asker.tags("written/app") == ("v2",)
    finally:
        asker.close()
