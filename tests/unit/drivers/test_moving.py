"""Removing one tag by moving it: what is sent, what is put back, and what an interruption leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tagsweep.drivers.moving import MovingDriver, untag_by_moving
from tagsweep.drivers.oci import OciDriver
from tagsweep.model.errors import (
    Conflict,
    NotFound,
    PermissionDenied,
    RegistryError,
    ServerFailed,
    Unreachable,
    Unsupported,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.manifest import OCI_INDEX, RawManifest
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import ListsNamespaces, ReadsTimes, Recognises, TakesBack, TellsTags
from tagsweep.testing import images
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect, Refusal
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.images import BuiltImage

REPOSITORY = "team/app"
RELEASE = images.multi_platform("release")
OTHER = images.image("other")
NO_DELETION = replace(DISTRIBUTION_2_8, digest_delete=Refusal(status=405, code="UNSUPPORTED"))


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Yield a registry that deletes by digest only, with a build on the digest of a release."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        registry.push(REPOSITORY, RELEASE, "2025.8.1", "latest", "sha-1")
        registry.push(REPOSITORY, OTHER, "other")
        yield registry


def connect(registry: FakeRegistry, known: Callable[[Digest], RawManifest | None] = lambda _: None) -> MovingDriver:
    """Return a probed driver, and forget what the probe asked."""
    clock = InstantClock()
    inner = OciDriver.connect(RegistrySettings(host=registry.host), clock=clock, progress=Quiet())
    driver = untag_by_moving(inner, clock=clock, known=known)
    driver.probe(REPOSITORY)
    registry.clear_log()
    return driver


def become(registry: FakeRegistry, dialect: Dialect) -> None:
    """Change the registry's mind after the probe."""
    registry._writer._dialect = dialect


def pushed(registry: FakeRegistry) -> RawManifest:
    """Return the throw-away manifest, of which there is one."""
    known = {each.digest for each in (*RELEASE.manifests, *OTHER.manifests)}
    (found,) = (raw for digest, raw in registry.manifests(REPOSITORY).items() if digest not in known)
    return found


def before(registry: FakeRegistry, method: str, act: Callable[[], None]) -> None:
    """Do something once, directly before the first request of this method is answered."""

    def hook(request: LoggedRequest) -> None:
        if request.method == method:
            registry.on_request = None
            act()

    registry.on_request = hook


ALL = {"2025.8.1": RELEASE.top, "latest": RELEASE.top, "other": OTHER.top, "sha-1": RELEASE.top}


def test_only_that_tag_goes_and_nothing_is_left_behind(registry: FakeRegistry) -> None:
    """The tag is gone, its siblings are where they were, and the throw-away manifest is deleted."""
    assert connect(registry).delete_tag(REPOSITORY, "sha-1") is True
    assert registry.tags(REPOSITORY) == {tag: on for tag, on in ALL.items() if tag != "sha-1"}
    assert registry.manifests(REPOSITORY).keys() == {each.digest for each in (*RELEASE.manifests, *OTHER.manifests)}
    changes = [(one.method, one.target.rpartition("/")[2][:12]) for one in registry.requests if one.method[0] in "PD"]
    assert changes == [("PUT", "sha-1"), ("DELETE", "sha256:" + changes[1][1][7:])]


def test_a_throw_away_manifest_names_what_it_is_for_and_needs_nothing_new(registry: FakeRegistry) -> None:
    """It has a config that the image has, no layers, and the tag and digest in its annotations."""
    driver = connect(registry)
    with pytest.raises(ServerFailed):
        interrupt(registry, driver)
    document = json.loads(pushed(registry).data)
    assert document["layers"] == []
    assert document["config"]["digest"] in RELEASE.blobs
    assert document["annotations"]["dev.tagsweep.removing.tag"] == "sha-1"
    assert document["annotations"]["dev.tagsweep.removing.digest"] == RELEASE.top


@pytest.mark.parametrize(
    ("dialect", "error"),
    [
        (NO_DELETION, Unsupported),
        (replace(DISTRIBUTION_2_8, digest_delete=Refusal(status=403, code="DENIED")), PermissionDenied),
        (replace(DISTRIBUTION_2_8, tagged_delete=Refusal(status=409, code="DENIED")), Conflict),
        (replace(DISTRIBUTION_2_8, digest_delete_takes_tags=False), Unsupported),
    ],
    ids=["switched off", "forbidden", "tagged manifests stay", "tags outlive their digest"],
)
def test_trap_t11_a_refused_deletion_puts_the_tag_back(
    registry: FakeRegistry, dialect: Dialect, error: type[RegistryError]
) -> None:
    """T11, hazard 8: where the last step is refused or does not take the tag along, the tag is on its digest again."""
    driver = connect(registry)
    become(registry, dialect)
    with pytest.raises(error, match="was put back"):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.tags(REPOSITORY) == ALL


@pytest.mark.parametrize("status", [403, 409, 500])
def test_a_tag_that_may_not_be_pushed_never_moves(registry: FakeRegistry, status: int) -> None:
    """An immutable tag stays where it is, and no deletion is sent."""
    driver = connect(registry)
    registry.fail_next(status=status, code="DENIED", method="PUT")
    with pytest.raises(RegistryError):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.tags(REPOSITORY) == ALL
    assert registry.count("DELETE") == 0


def test_a_lost_answer_to_the_push_puts_the_tag_back(registry: FakeRegistry) -> None:
    """Where it is not known whether the tag was moved, a look tells, and the tag is put back."""
    driver = connect(registry)
    registry.drop_next(method="PUT", performed=True)
    with pytest.raises(Unreachable):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.tags(REPOSITORY) == ALL
    assert driver.delete_tag(REPOSITORY, "sha-1") is True


@pytest.mark.parametrize("performed", [True, False])
def test_a_lost_answer_to_the_deletion_is_looked_up(registry: FakeRegistry, *, performed: bool) -> None:
    """If it was done the tag is gone and not pushed again; if not it is back on its digest. A second try ends well."""
    driver = connect(registry)
    registry.drop_next(method="DELETE", performed=performed)
    with pytest.raises(Unreachable):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.tags(REPOSITORY).get("sha-1") == (None if performed else RELEASE.top)
    assert driver.delete_tag(REPOSITORY, "sha-1") is not performed
    assert "sha-1" not in registry.tags(REPOSITORY)


def test_a_deletion_that_fails_half_way_leaves_no_tag_without_a_manifest(registry: FakeRegistry) -> None:
    """Where the registry deleted the manifest, failed, and answers 500, the tag is put back: it may be listed still."""
    driver = connect(registry)

    def fail_half_way() -> None:
        registry.remove_manifest(REPOSITORY, pushed(registry).digest)
        registry.remove_tag(REPOSITORY, "sha-1")
        registry.fail_next(status=500, method="DELETE")

    before(registry, "DELETE", fail_half_way)
    with pytest.raises(ServerFailed, match="was put back"):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.tags(REPOSITORY) == ALL
    assert driver.delete_tag(REPOSITORY, "sha-1") is True


def test_one_tag_at_a_time_is_on_its_way(registry: FakeRegistry) -> None:
    """However many threads remove tags, at most one is off its digest, and nothing is deleted while one is pushed."""
    tags = [f"sha-{number}" for number in range(2, 10)]
    builds = [images.image(f"build {number}") for number in range(8)]
    registry.push(REPOSITORY, RELEASE, *tags)
    for build in builds:
        registry.push(REPOSITORY, build)
    driver = connect(registry)
    with ThreadPoolExecutor(max_workers=8) as pool:
        moved = pool.map(lambda tag: driver.delete_tag(REPOSITORY, tag), tags)
        deleted = pool.map(lambda build: driver.delete_manifest(REPOSITORY, build.top), builds)
        assert all([*moved, *deleted])
    changes = [one for one in registry.requests if one.method in ("PUT", "DELETE")]
    after = [changes[at + 1] for at, one in enumerate(changes) if one.method == "PUT"]
    doomed = {build.top for build in builds}
    assert [one.method for one in after] == ["DELETE"] * 8
    assert not [one for one in after if one.target.rpartition("/")[2] in doomed]


def test_a_tag_that_is_pushed_again_meanwhile_is_left_there(registry: FakeRegistry) -> None:
    """Whoever pushes the tag between moving and deleting keeps what was pushed, and is told of."""
    driver = connect(registry)
    before(registry, "DELETE", lambda: void(registry.push(REPOSITORY, OTHER, "sha-1")))
    with pytest.raises(Conflict, match="pushed again"):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.tags(REPOSITORY)["sha-1"] == OTHER.top


def void(_: object) -> None:
    """Take a value and give none."""


def interrupt(registry: FakeRegistry, driver: MovingDriver) -> None:
    """Let a removal end between its two calls: neither the deletion nor the push back is done."""
    become(registry, NO_DELETION)
    before(registry, "DELETE", lambda: registry.fail_next(10, status=500, method="PUT"))
    try:
        driver.delete_tag(REPOSITORY, "sha-1")
    finally:
        registry.faults.clear()
        become(registry, DISTRIBUTION_2_8)


def test_a_tag_that_cannot_be_put_back_is_told_with_both_digests(registry: FakeRegistry) -> None:
    """Where even putting back fails the error says where the tag may be, where it was, and what to do."""
    with pytest.raises(ServerFailed, match=RELEASE.top) as caught:
        interrupt(registry, connect(registry))
    assert "apply the same plan again" in caught.value.remedy


def test_a_digest_that_stops_answering_is_put_back(registry: FakeRegistry) -> None:
    """If the release is gone after the tag was removed, its bytes are pushed again under the tag."""
    driver = connect(registry)
    before(registry, "DELETE", lambda: registry.remove_manifest(REPOSITORY, RELEASE.top))
    with pytest.raises(RegistryError, match="no longer answers"):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert RELEASE.top in registry.manifests(REPOSITORY)
    assert registry.tags(REPOSITORY)["sha-1"] == RELEASE.top


def test_what_somebody_else_pushed_is_never_overwritten(registry: FakeRegistry) -> None:
    """If the release is gone and the tag is on somebody else's push, the release comes back by its digest alone."""
    driver = connect(registry)

    def meanwhile() -> None:
        registry.remove_manifest(REPOSITORY, RELEASE.top)
        registry.push(REPOSITORY, OTHER, "sha-1")

    before(registry, "DELETE", meanwhile)
    with pytest.raises(RegistryError, match="no longer answers"):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert RELEASE.top in registry.manifests(REPOSITORY)
    assert registry.tags(REPOSITORY)["sha-1"] == OTHER.top


def test_what_cannot_be_fetched_is_never_moved(registry: FakeRegistry) -> None:
    """Without the bytes that would be needed to put the tag back, nothing is sent that changes anything."""
    driver = connect(registry)
    registry.remove_manifest(REPOSITORY, RELEASE.top)
    with pytest.raises(RegistryError):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.count("PUT") == registry.count("DELETE") == 0


def test_bytes_that_only_tagsweep_has_are_not_enough(registry: FakeRegistry) -> None:
    """Bytes from the cache spare a fetch, and the digest must answer at the registry all the same."""
    saved = {each.digest: each for each in RELEASE.manifests}
    driver = connect(registry, known=saved.get)
    registry.remove_manifest(REPOSITORY, RELEASE.top)
    with pytest.raises(NotFound):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.count("PUT") == 0


def test_cached_bytes_spare_every_fetch(registry: FakeRegistry) -> None:
    """With the bytes at hand no manifest is fetched, which registries would count as a pull (hazard 50)."""
    saved = {each.digest: each for each in RELEASE.manifests}
    assert connect(registry, known=saved.get).delete_tag(REPOSITORY, "sha-1") is True
    fetched = [one for one in registry.requests if one.method == "GET" and one.status == 200]
    assert fetched == []


@pytest.mark.parametrize(
    "image",
    [
        images.image("plain"),
        images.image("docker", docker=True),
        images.index([images.multi_platform("inner")]),
        images.multi_platform("docker list", docker=True, attestations=False),
    ],
    ids=["image", "docker image", "nested index", "docker list"],
)
def test_every_shape_of_image_lends_its_config(registry: FakeRegistry, image: BuiltImage) -> None:
    """An image, or the first one below an index at any depth, has the config that the throw-away manifest needs."""
    registry.push(REPOSITORY, image, "v1", "v1-too")
    assert connect(registry).delete_tag(REPOSITORY, "v1") is True
    assert registry.tags(REPOSITORY)["v1-too"] == image.top


def test_an_index_without_images_is_never_moved(registry: FakeRegistry) -> None:
    """Where there is no config to borrow the tag stays, and the error says so."""
    empty = images.raw({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}, OCI_INDEX)
    registry.push(REPOSITORY, BuiltImage(manifests=(empty,), blobs={}, top=empty.digest), "v1")
    with pytest.raises(Unsupported, match="no config"):
        connect(registry).delete_tag(REPOSITORY, "v1")
    assert registry.tags(REPOSITORY)["v1"] == empty.digest


def test_a_leftover_is_known_again_and_carried_on(registry: FakeRegistry) -> None:
    """After an interruption between the two calls another process recognises the tag and only deletes."""
    with pytest.raises(ServerFailed):
        interrupt(registry, connect(registry))
    found = registry.tags(REPOSITORY)["sha-1"]
    assert found != RELEASE.top
    second = connect(registry)
    assert isinstance(second, Recognises)
    assert second.leftover(REPOSITORY, "sha-1", found=found, expected=RELEASE.top)
    assert second.delete_tag(REPOSITORY, "sha-1") is True
    assert registry.count("PUT") == 0
    assert registry.tags(REPOSITORY) == {tag: on for tag, on in ALL.items() if tag != "sha-1"}


@pytest.mark.parametrize(
    ("tag", "expected"), [("latest", RELEASE.top), ("sha-1", OTHER.top)], ids=["other tag", "other digest"]
)
def test_only_the_very_leftover_is_recognised(registry: FakeRegistry, tag: str, expected: Digest) -> None:
    """The throw-away manifest of another tag or digest is somebody else's push, whatever its annotations say."""
    driver = connect(registry)
    with pytest.raises(ServerFailed):
        interrupt(registry, driver)
    away = pushed(registry).digest
    assert driver.leftover(REPOSITORY, "sha-1", found=away, expected=RELEASE.top)
    assert not driver.leftover(REPOSITORY, tag, found=away, expected=expected)
    assert not driver.leftover(REPOSITORY, "sha-1", found=OTHER.top, expected=RELEASE.top)


def test_a_registry_that_removes_single_tags_goes_on_doing_that() -> None:
    """Nothing is moved where there is a better way."""
    with FakeRegistry(DISTRIBUTION_3) as registry:
        registry.push(REPOSITORY, RELEASE, "v1", "v2")
        driver = connect(registry)
        assert not driver.probe(REPOSITORY).untag_moves
        assert driver.delete_tag(REPOSITORY, "v1") is True
        assert registry.count("PUT") == 0


def test_probing_pushes_nothing_that_could_stay(registry: FakeRegistry) -> None:
    """The right to push is found out by a push that is refused: no tag and no manifest comes of it."""
    manifests = registry.manifests(REPOSITORY)
    driver = connect(registry)
    found = driver.probe(REPOSITORY)
    assert found.delete_tag.usable
    assert found.untag_moves
    assert registry.manifests(REPOSITORY) == manifests
    assert registry.tags(REPOSITORY) == ALL


def test_only_what_the_inner_driver_can_is_claimed(registry: FakeRegistry) -> None:
    """A driver without an undo of its own does not get one by being wrapped."""
    driver = connect(registry)
    assert not isinstance(driver, TakesBack | TellsTags | ListsNamespaces | ReadsTimes)


class Talented(OciDriver):
    """A driver that can do more than the common."""

    detailed_times = frozenset({TimeOrigin.CREATED})

    def list_namespace(self, namespace: str) -> Iterator[str]:
        """Yield one repository."""
        yield f"{namespace}/app"

    def read_times(self, repository: str, tag: str) -> Mapping[TimeOrigin, datetime]:
        """Tell one time."""
        assert (repository, tag) == (REPOSITORY, "sha-1")
        return {TimeOrigin.CREATED: datetime(2026, 1, 1, tzinfo=UTC)}


def test_what_the_inner_driver_can_beyond_the_common_is_not_lost(registry: FakeRegistry) -> None:
    """Targets such as ghcr.io/acme/* and times by details work as they do without the option."""
    clock = InstantClock()
    inner = Talented.connect(RegistrySettings(host=registry.host), clock=clock, progress=Quiet())
    driver = untag_by_moving(inner, clock=clock)
    assert isinstance(driver, ListsNamespaces)
    assert list(driver.list_namespace("team")) == [REPOSITORY]
    assert isinstance(driver, ReadsTimes)
    assert driver.detailed_times == driver.read_times(REPOSITORY, "sha-1").keys() == {TimeOrigin.CREATED}
    assert not isinstance(driver, TakesBack)


class Telling(OciDriver):
    """A driver whose registry tells the tags of a manifest."""

    answer: frozenset[str] | None = None

    def tags_on(self, repository: str, digest: Digest) -> frozenset[str] | None:
        """Return what the test says."""
        assert repository == REPOSITORY
        assert digest not in (RELEASE.top, OTHER.top)
        return self.answer


@pytest.mark.parametrize("tags", [None, frozenset({"sha-1", "mine"}), frozenset({"mine"})])
def test_trap_t10_a_throw_away_manifest_with_other_tags_is_not_deleted(
    registry: FakeRegistry, tags: frozenset[str] | None
) -> None:
    """T10: unless the registry shows exactly the one tag on it, nothing is deleted and the tag is put back."""
    clock = InstantClock()
    inner = Telling.connect(RegistrySettings(host=registry.host), clock=clock, progress=Quiet())
    assert isinstance(inner, Telling)
    inner.answer = tags
    driver = untag_by_moving(inner, clock=clock)
    driver.probe(REPOSITORY)
    registry.clear_log()
    with pytest.raises(Conflict, match="was put back"):
        driver.delete_tag(REPOSITORY, "sha-1")
    assert registry.count("DELETE") == 0
    assert registry.tags(REPOSITORY) == ALL
