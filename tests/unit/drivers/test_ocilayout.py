"""What is special about directories as registries: names, locks, permissions, broken files, entries without a tag."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagsweep.drivers.ocilayout import OciLayoutDriver
from tagsweep.model.capability import Support
from tagsweep.model.errors import Conflict, InvalidReference, NotFound, ProtocolViolation, Unsupported
from tagsweep.model.manifest import RawManifest
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.images import BuiltImage
from tagsweep.testing.oci_layout import REF_NAME, write_layout

IMAGE = images.multi_platform("one")
OTHER = images.image("other")


def _driver(root: Path, clock: InstantClock | None = None) -> OciLayoutDriver:
    settings = RegistrySettings(host=f"oci-layout:{root}")
    driver = OciLayoutDriver.connect(settings, clock=clock or InstantClock(), progress=Quiet())
    if (root / "app").is_dir():
        driver.probe("app")
    return driver


def _edit(root: Path, change: Callable[[list[dict[str, object]]], None]) -> None:
    place = root / "app" / "index.json"
    document = json.loads(place.read_bytes())
    change(document["manifests"])
    place.write_text(json.dumps(document), encoding="utf-8")


def _entry(image: BuiltImage, name: str | None) -> dict[str, object]:
    top = image.manifest
    entry: dict[str, object] = {"mediaType": top.media_type, "digest": top.digest, "size": len(top.data)}
    return entry if name is None else {**entry, "annotations": {REF_NAME: name}}


def test_sub_directories_that_are_layouts_are_the_repositories(tmp_path: Path) -> None:
    """Only directories with an oci-layout file are listed."""
    write_layout(tmp_path / "app", IMAGE, "v1")
    write_layout(tmp_path / "web", OTHER, "v1")
    (tmp_path / "notes").mkdir()
    assert list(_driver(tmp_path).list_repositories()) == ["app", "web"]


@pytest.mark.parametrize("host", ["oci-layout:relative/path", "/srv/images", "registry.example.com"])
def test_the_registry_is_an_absolute_directory(host: str) -> None:
    """Anything else than oci-layout: and an absolute path is refused with what to write."""
    with pytest.raises(InvalidReference) as caught:
        OciLayoutDriver.connect(RegistrySettings(host=host), clock=InstantClock(), progress=Quiet())
    assert "oci-layout:/" in caught.value.remedy


@pytest.mark.parametrize("repository", ["..", "../app", "a/../b", ""])
def test_a_repository_cannot_leave_its_directory(tmp_path: Path, repository: str) -> None:
    """Names with .. are refused."""
    with pytest.raises(InvalidReference):
        _driver(tmp_path / "inner").list_tags(repository)


def test_a_directory_that_is_no_layout_is_not_found(tmp_path: Path) -> None:
    """A directory without oci-layout is told as such."""
    (tmp_path / "other").mkdir()
    with pytest.raises(NotFound, match="oci-layout"):
        _driver(tmp_path).list_tags("other")
    with pytest.raises(NotFound):
        list(_driver(tmp_path / "absent").list_repositories())


@pytest.mark.parametrize(
    "content", ["", "{", "{}", "[]", '{"manifests": {}}', '{"manifests": [{"digest": "sha256:12"}]}']
)
def test_a_broken_index_is_never_an_empty_one(tmp_path: Path, content: str) -> None:
    """An index.json that cannot be read raises ProtocolViolation, naming the file."""
    write_layout(tmp_path / "app", IMAGE, "v1")
    (tmp_path / "app" / "index.json").write_text(content, encoding="utf-8")
    with pytest.raises(ProtocolViolation, match=r"index\.json"):
        _driver(tmp_path).list_tags("app")


def test_an_index_of_nothing_is_empty(tmp_path: Path) -> None:
    """Where `manifests` is an empty list there are no tags."""
    write_layout(tmp_path / "app", IMAGE, "v1")
    _edit(tmp_path, lambda entries: entries.clear())
    assert _driver(tmp_path).list_tags("app") == ()


def test_a_tag_on_two_digests_is_refused(tmp_path: Path) -> None:
    """Two entries with one name on different digests are ambiguous; twice the same entry is not."""
    write_layout(tmp_path / "app", IMAGE, "v1")
    _edit(tmp_path, lambda entries: entries.append(_entry(IMAGE, "v1")))
    assert [tag.name for tag in _driver(tmp_path).list_tags("app")] == ["v1"]
    _edit(tmp_path, lambda entries: entries.append(_entry(OTHER, "v1")))
    with pytest.raises(ProtocolViolation, match="two digests"):
        _driver(tmp_path).list_tags("app")


def test_entries_that_are_no_tags_protect_what_they_name(tmp_path: Path) -> None:
    """A full reference as a name is no tag: it is not listed, and its digest is not deleted."""
    write_layout(tmp_path / "app", IMAGE, "v1")
    _edit(tmp_path, lambda entries: entries.append(_entry(IMAGE, "docker.io/acme/app:v1")))
    driver = _driver(tmp_path)
    assert [tag.name for tag in driver.list_tags("app")] == ["v1"]
    with pytest.raises(Conflict):
        driver.delete_manifest("app", IMAGE.top)
    assert driver.delete_tag("app", "v1")
    assert driver.has_manifest("app", IMAGE.top)


@pytest.mark.parametrize("name", ["v1", None, "docker.io/acme/app:v1"])
def test_a_child_of_an_index_that_stays_is_not_deleted(tmp_path: Path, name: str | None) -> None:
    """Whatever names the index, its children are refused while it is there, at any depth."""
    outer = images.index([IMAGE])
    write_layout(tmp_path / "app", outer)
    _edit(tmp_path, lambda entries: entries.append(_entry(outer, name)))
    driver = _driver(tmp_path)
    with pytest.raises(Conflict):
        driver.delete_manifest("app", IMAGE.manifests[0].digest)
    assert driver.has_manifest("app", IMAGE.manifests[0].digest)


def test_children_go_after_their_index(tmp_path: Path) -> None:
    """In the order of a plan, index first, everything can be deleted, and only blobs are left."""
    write_layout(tmp_path / "app", IMAGE, "v1")
    driver = _driver(tmp_path)
    for manifest in reversed(IMAGE.manifests):
        assert driver.delete_manifest("app", manifest.digest)
    assert all(driver.has_blob("app", digest) for digest in IMAGE.blobs)
    assert not any(driver.has_manifest("app", manifest.digest) for manifest in IMAGE.manifests)


def test_configs_and_layers_are_no_manifests(tmp_path: Path) -> None:
    """A blob that is not a manifest does not answer as one."""
    write_layout(tmp_path / "app", OTHER, "v1")
    driver = _driver(tmp_path)
    assert not any(driver.has_manifest("app", digest) for digest in OTHER.blobs)


def test_foreign_fields_of_the_index_survive(tmp_path: Path) -> None:
    """Changing one entry leaves annotations, artifact types and other fields of index.json as they are."""
    write_layout(tmp_path / "app", IMAGE, "v1", "v2")
    place = tmp_path / "app" / "index.json"
    document = {**json.loads(place.read_bytes()), "annotations": {"made.by": "somebody"}}
    document["manifests"][0]["annotations"]["extra"] = "kept"
    place.write_text(json.dumps(document), encoding="utf-8")
    assert _driver(tmp_path).delete_tag("app", "v2")
    after = json.loads(place.read_bytes())
    assert after == {**document, "manifests": document["manifests"][:1]}


def test_a_private_layout_stays_private(tmp_path: Path) -> None:
    """Replacing index.json changes what is in it, and not who may read it."""
    write_layout(tmp_path / "app", IMAGE, "v1")
    (tmp_path / "app" / "index.json").chmod(0o600)
    assert _driver(tmp_path).delete_tag("app", "v1") is True
    assert (tmp_path / "app" / "index.json").stat().st_mode & 0o777 == 0o600


def test_an_untagged_referrer_keeps_an_entry_when_it_is_put_back(tmp_path: Path) -> None:
    """A manifest with a subject that is put by digest gets an entry without a name, once."""
    proof = images.referrer(IMAGE.manifest)
    write_layout(tmp_path / "app", IMAGE, "v1")
    write_layout(tmp_path / "app", proof)
    driver = _driver(tmp_path)
    for _ in range(2):
        driver.put_manifest("app", proof.top, proof.manifest)
    entries = json.loads((tmp_path / "app" / "index.json").read_bytes())["manifests"]
    assert [entry["digest"] for entry in entries] == [IMAGE.top, proof.top]


def test_bytes_under_a_wrong_digest_are_not_stored(tmp_path: Path) -> None:
    """A saved manifest whose bytes were spoilt is refused and nothing changes."""
    write_layout(tmp_path / "app", OTHER, "v1")
    spoilt = RawManifest(digest=OTHER.top, media_type=OTHER.manifest.media_type, data=OTHER.manifest.data + b" ")
    driver = _driver(tmp_path)
    with pytest.raises(ProtocolViolation):
        driver.put_manifest("app", "v2", spoilt)
    assert driver.fetch_manifest("app", "v1") == OTHER.manifest
    assert driver.resolve_tag("app", "v2") is None


def test_a_layout_that_cannot_be_written_is_probed_as_such(tmp_path: Path) -> None:
    """Without write permission deletion is No, and is refused before anything is touched."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    write_layout(tmp_path / "app", IMAGE, "v1")
    (tmp_path / "app").chmod(0o555)
    try:
        driver = _driver(tmp_path)
        assert driver.capabilities("app").delete_tag.support is Support.NO
        with pytest.raises(Unsupported):
            driver.delete_tag("app", "v1")
    finally:
        (tmp_path / "app").chmod(0o755)


def test_a_layout_that_another_process_changes_is_a_conflict(tmp_path: Path) -> None:
    """While somebody else holds the lock the driver waits, then says so, and changes nothing."""
    write_layout(tmp_path / "app", IMAGE, "v1")
    clock = InstantClock()
    driver = _driver(tmp_path, clock)
    handle = os.open(tmp_path / "app", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="another process"):
            driver.delete_tag("app", "v1")
    finally:
        os.close(handle)
    assert clock.slept >= 10
    assert driver.delete_tag("app", "v1")


def test_many_threads_delete_without_losing_a_change(tmp_path: Path) -> None:
    """Each of many deletions at once is done, and what is not deleted stays."""
    write_layout(tmp_path / "app", IMAGE, *(f"v{number}" for number in range(24)), "stays")
    # Here waiting for the lock must take real time, so that the threads make way for one another.
    drivers = [_driver(tmp_path, _Patient()) for _ in range(2)]
    with ThreadPoolExecutor(max_workers=6) as pool:
        done = list(pool.map(lambda number: drivers[number % 2].delete_tag("app", f"v{number}"), range(24)))
    assert done == [True] * 24
    assert [tag.name for tag in drivers[0].list_tags("app")] == ["stays"]
    assert list((tmp_path / "app").glob(".tagsweep-*")) == []


class _Patient(InstantClock):
    """A clock that lets other threads run while it sleeps, and never runs out of patience."""

    def monotonic(self) -> float:
        """Return always the same."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Give the processor away, and count."""
        super().sleep(seconds)
        os.sched_yield()
