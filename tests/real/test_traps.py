"""The traps of registries themselves: each is shown to be there, on real servers and fakes, and then not to catch.

A trap has a number in the table of hazards; what it is stands in the test's sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.model.errors import RegistryError, Unsupported
from tagsweep.model.manifest import DOCKER_MANIFEST
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, DISTRIBUTION_3_0_0, OCI, ZOT, Dialect
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.harness import FakeHarness, InstantClock, Quiet
from tagsweep.testing.images import BuiltImage
from tagsweep.testing.storage_layout import StorageLayout
from tests.real.harness import RealHarness
from tests.real.interview import Interviewer

FAKES = {"fake 2.8": DISTRIBUTION_2_8, "fake 3": DISTRIBUTION_3}
OLD = ["fake 2.8", pytest.param("docker_registry", marks=pytest.mark.real)]
BOTH = [*OLD, "fake 3", pytest.param("distribution_3", marks=pytest.mark.real)]


class Place:
    """A registry with an empty repository, a driver for it, and a naive client beside the driver."""

    def __init__(self, harness: FakeHarness | RealHarness, host: str) -> None:
        self.harness = harness
        self.repository = harness.repository
        self.driver = harness.connect()
        self.client = Interviewer(host)

    def seed(self, image: BuiltImage, *tags: str) -> None:
        """Store an image."""
        self.harness.seed(image, *tags)

    def naive_digest(self, tag: str, accept: str | None) -> tuple[int, str | None]:
        """Return status and digest that a client gets that accepts only this."""
        reply = self.client.ask("GET", f"{self.repository}/manifests/{tag}", accept=accept)
        return reply.status, reply.headers.get("docker-content-digest")

    def close(self) -> None:
        """Give back the connections."""
        self.driver.close()
        self.client.close()


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Yield the registry that the test's parameter names: a fake dialect or the fixture of a real server."""
    name: str = request.param
    with ExitStack() as stack:
        harness: FakeHarness | RealHarness
        if name in FAKES:
            registry = stack.enter_context(FakeRegistry(FAKES[name]))
            harness, host = FakeHarness(registry, OciDriver), registry.host
        else:
            server = request.getfixturevalue(name)
            harness, host = stack.enter_context(closing(RealHarness(server, OciDriver))), server.host
        yield stack.enter_context(closing(Place(harness, host)))


@pytest.mark.parametrize("place", BOTH, indirect=True)
def test_trap_t1_deleting_by_digest_takes_every_tag_on_it(place: Place) -> None:
    """T1: the release and `latest` go with a `sha-` tag that is deleted by its digest."""
    image = images.multi_platform("release")
    place.seed(image, "2025.8.1", "latest", "sha-0123456")
    place.driver.probe(place.repository)
    assert place.driver.delete_manifest(place.repository, image.top)
    assert dict(place.harness.tags()) == {}


@pytest.mark.parametrize("place", OLD, indirect=True)
def test_trap_t1_a_tag_is_never_deleted_by_its_digest_instead(place: Place) -> None:
    """T1: where one tag cannot be deleted, deleting a tag is refused and all three tags stay."""
    image = images.multi_platform("release")
    place.seed(image, "2025.8.1", "latest", "sha-0123456")
    place.driver.probe(place.repository)
    with pytest.raises(Unsupported):
        place.driver.delete_tag(place.repository, "sha-0123456")
    assert dict(place.harness.tags()) == dict.fromkeys(("2025.8.1", "latest", "sha-0123456"), image.top)


@pytest.mark.parametrize("place", BOTH, indirect=True)
def test_trap_t2_a_narrow_accept_gets_a_childs_digest(place: Place) -> None:
    """T2: a client that accepts only Docker's manifests gets the amd64 child of a list; the driver gets the list."""
    image = images.multi_platform("list", docker=True, attestations=False)
    place.seed(image, "v1")
    assert place.naive_digest("v1", DOCKER_MANIFEST) == (200, image.manifests[0].digest)
    assert place.driver.resolve_tag(place.repository, "v1") == image.top


@pytest.mark.parametrize("accept", [None, "*/*", DOCKER_MANIFEST])
@pytest.mark.parametrize("place", OLD, indirect=True)
def test_trap_t2_a_404_does_not_mean_that_the_tag_is_gone(place: Place, accept: str | None) -> None:
    """T2: distribution 2.x answers 404 for an OCI index that the client does not accept; the driver finds it."""
    image = images.multi_platform("index")
    place.seed(image, "v1")
    assert place.naive_digest("v1", accept) == (404, None)
    assert place.driver.resolve_tag(place.repository, "v1") == image.top
    assert place.driver.fetch_manifest(place.repository, "v1") == image.manifest


@pytest.mark.parametrize("place", OLD, indirect=True)
def test_trap_t3_conversion_gives_another_digest(place: Place) -> None:
    """T3: without the right Accept a manifest comes converted to schema 1, under a digest that nobody pushed."""
    image = images.image("converted", docker=True)
    place.seed(image, "v1")
    status, digest = place.naive_digest("v1", None)
    assert status == 200
    assert digest not in {None, image.top}
    assert place.driver.resolve_tag(place.repository, "v1") == image.top


@pytest.mark.parametrize("place", OLD, indirect=True)
def test_trap_t4_a_list_that_ignores_paging_is_read_once(place: Place) -> None:
    """T4: distribution 2.x repeats the whole list for every `last`; the driver returns each tag once and ends."""
    image = images.image("paged")
    names = {f"build-{number}" for number in range(30)}
    place.seed(image, *names)
    again = place.client.tags(place.repository, "?n=1&last=build-7")
    assert set(again) == names
    listed = [tag.name for tag in place.driver.list_tags(place.repository)]
    assert sorted(listed) == sorted(names)


def test_trap_t4_one_request_suffices_without_a_link() -> None:
    """T4: a list without a Link is complete, and is asked for once."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry:
        registry.push("team/app", images.image("one"), *(f"v{number}" for number in range(50)))
        driver = _driver(registry)
        assert len(driver.list_tags("team/app")) == 50
        assert registry.count("GET", "/tags/list") == 1


@pytest.mark.parametrize(
    "dialect",
    [
        replace(OCI, name="short pages", page_size=6, short_pages=True),
        replace(OCI, name="page of one", page_size=1),
        replace(OCI, name="clamped", page_size=3, largest_page=2),
    ],
    ids=lambda dialect: dialect.name,
)
def test_trap_t5_fewer_tags_than_asked_for_is_not_the_end(dialect: Dialect) -> None:
    """T5: the Link says whether there is more, not the length of the page."""
    names = sorted(f"v{number}" for number in range(20))
    with FakeRegistry(dialect) as registry:
        registry.push("team/app", images.image("one"), *names)
        driver = _driver(registry)
        assert [tag.name for tag in driver.list_tags("team/app")] == names


@pytest.mark.real
@pytest.mark.parametrize("server", ["docker_registry", "distribution_3"])
def test_trap_t5_more_tags_than_a_page_may_have(server: str, request: pytest.FixtureRequest) -> None:
    """T5: 1,203 tags, more than distribution 3 puts on a page of a given size, are all listed."""
    running = request.getfixturevalue(server)
    names = sorted(f"build-{number}" for number in range(1203))
    StorageLayout(running.root).write("traps/many", images.image("many"), names)
    driver = OciDriver.connect(RegistrySettings(host=running.host), clock=InstantClock(), progress=Quiet())
    assert sorted(tag.name for tag in driver.list_tags("traps/many")) == names


def test_trap_t20_deleting_between_pages_loses_a_tag() -> None:
    """T20: on distribution 3.0.0 a tag is skipped when the last one of the page before has vanished meanwhile."""
    removed: list[str] = []

    def meanwhile(request: LoggedRequest) -> None:
        if "last=b" in request.target and not removed:
            removed.append("b")
            registry.remove_tag("team/app", "b")

    dialect = replace(DISTRIBUTION_3_0_0, page_size=2)
    with FakeRegistry(dialect, on_request=meanwhile) as registry:
        registry.push("team/app", images.image("one"), "a", "b", "c", "d", "e")
        listed = [tag.name for tag in _driver(registry).list_tags("team/app")]
    assert removed == ["b"]
    assert listed == ["a", "b", "d", "e"]


def test_trap_t20_an_interrupted_listing_is_an_error_on_zot() -> None:
    """T20: where an unknown `last` is answered with 404 the driver raises, and never returns half a list."""
    with FakeRegistry(replace(ZOT, page_size=2)) as registry:
        registry.push("team/app", images.image("one"), "a", "b", "c", "d", "e")

        def meanwhile(request: LoggedRequest) -> None:
            if "last=b" in request.target:
                registry.remove_tag("team/app", "b")

        registry.on_request = meanwhile
        with pytest.raises(RegistryError):
            _driver(registry).list_tags("team/app")


@pytest.mark.parametrize("dialect", [DISTRIBUTION_3_0_0, ZOT], ids=lambda dialect: dialect.name)
def test_trap_t20_a_list_is_read_to_its_end_before_it_is_handed_out(dialect: Dialect) -> None:
    """T20: deleting while going through the driver's list loses nothing, because the list is complete by then."""
    with FakeRegistry(replace(dialect, page_size=2)) as registry:
        registry.push("team/app", images.image("one"), *"abcdefg")
        driver = _driver(registry)
        driver.probe("team/app")
        registry.clear_log()
        for tag in driver.list_tags("team/app"):
            assert driver.delete_tag("team/app", tag.name)
        assert registry.tags("team/app") == {}
        kinds = [request.method for request in registry.requests]
        assert kinds == ["GET"] * kinds.count("GET") + ["DELETE"] * 7


def _driver(registry: FakeRegistry) -> OciDriver:
    return OciDriver.connect(RegistrySettings(host=registry.host), clock=InstantClock(), progress=Quiet())
