"""A directory in the OCI image layout is swept like a registry."""

from __future__ import annotations

from tagsweep.testing.images import image, multi_platform
from tagsweep.testing.oci_layout import write_layout
from tests.e2e.kit import Place, policy, removed


def test_a_layout_is_planned_swept_verified_and_restored(place: Place) -> None:
    """Builds go from the directory, the release on the same digest stays whole, and restore brings all back."""
    directory = place.directory / "layouts" / "app"
    release, build = multi_platform("release"), image("build")
    write_layout(directory, release, "2025.4.1", "sha-1111111")
    write_layout(directory, build, "sha-2222222")
    target = f"oci-layout:{directory}"
    place.write(policy(target))
    assert removed(place.make_plan("--json")) == {"sha-1111111", "sha-2222222"}
    place.apply()
    left = place.run("inventory", target, "--json").document["repositories"][0]["tags"]
    assert [(tag["name"], tag["digest"]) for tag in left] == [("2025.4.1", release.top)]
    place.run("restore", place.last_run()["id"], "--yes")
    names = [tag["name"] for tag in place.run("inventory", target, "--json").document["repositories"][0]["tags"]]
    assert sorted(names) == ["2025.4.1", "sha-1111111", "sha-2222222"]
