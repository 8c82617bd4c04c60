"""What is special of Amazon ECR: its operations, batches, archive, tokens, throttling, and what answers mean."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest

from tagsweep.drivers.ecr import EcrDriver
from tagsweep.drivers.ecr_api import PRIVATE, PUBLIC, endpoint_of
from tagsweep.drivers.ecr_public import EcrPublicDriver
from tagsweep.model.capability import Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    ConfigurationError,
    Conflict,
    InvalidReference,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RegistryError,
    Unsupported,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.ecr import ECR, EcrFake
from tagsweep.testing.vendors.ecr_requests import AccessKey

REPOSITORY = "team/app"
KEY = AccessKey(secret="keep/this/out")


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment be that of a user with an access key."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY.secret)


@contextmanager
def ecr(
    *, clock: InstantClock | None = None, removal: str = "delete", **more: Any
) -> Iterator[tuple[FakeRegistry, EcrFake, Any]]:
    """Run a fake ECR (or ECR Public) and a driver for it."""
    clock = clock if clock is not None else InstantClock()
    api = EcrFake(**{"key": KEY, "clock": clock, **more})
    with FakeRegistry(ECR, access=api.access, apis=[api]) as registry:
        public = bool(more.get("public"))
        options = {"endpoint_url": f"http://{registry.host}"}
        if not public:
            options |= {"region": "eu-west-1", "removal": removal}
        settings = RegistrySettings(host=registry.host, options=options)
        factory = EcrPublicDriver if public else EcrDriver
        driver = factory.connect(settings, clock=clock, progress=Quiet())
        yield registry, api, driver
        driver.close()


# --- listing ------------------------------------------------------------------------------------------------------
def test_times_are_those_of_the_image() -> None:
    """T13: the push is that of the image, the pull is what Amazon recorded; a pull that is not recorded is unknown."""
    pushed, pulled = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)
    with ecr() as (registry, api, driver):
        one = registry.push(REPOSITORY, images.image("one"), "v1", "latest")
        two = registry.push(REPOSITORY, images.image("two"), "v2")
        api.record(REPOSITORY, one, pushed=pushed, pulled=pulled)
        api.record(REPOSITORY, two, pushed=pushed)
        listed = {tag.name: tag for tag in driver.list_tags(REPOSITORY)}
        expected = {TimeOrigin.PUSHED: pushed, TimeOrigin.PULLED: pulled}
        assert listed["v1"].times == listed["latest"].times == expected
        assert listed["v2"].times == {TimeOrigin.PUSHED: pushed}
        assert (listed["v1"].digest, listed["v2"].digest) == (one, two)


def test_a_tag_that_moves_between_pages_comes_without_digest() -> None:
    """Hazard 43: pages are no snapshot; what two images claim is believed of neither."""
    with ecr(page=1) as (registry, api, driver):
        built = sorted((images.image("one"), images.image("two"), images.image("three")), key=lambda each: each.top)
        for number, image in enumerate(built):
            registry.push(REPOSITORY, image, f"v{number}", *(["moves"] if number == 0 else []))

        def move(request: object) -> None:
            del request
            if api.asked.count("DescribeImages") == 1:
                registry.push(REPOSITORY, built[2], "moves")

        registry.on_request = move
        listed = {tag.name: tag for tag in driver.list_tags(REPOSITORY)}
        assert listed["moves"].digest is None
        assert listed["moves"].times == {}
        assert set(listed) == {"v0", "v1", "v2", "moves"}


def test_archived_images_have_no_tags_that_can_be_pulled() -> None:
    """An archived image is not listed, its tag resolves to nothing, and its manifest is not there."""
    with ecr(removal="archive") as (registry, api, driver):
        image = registry.push(REPOSITORY, images.image("old"), "old")
        registry.push(REPOSITORY, images.image("new"), "new")
        driver.probe(REPOSITORY)
        assert driver.delete_manifest(REPOSITORY, image)
        assert api.archived(REPOSITORY) == {image}
        assert [tag.name for tag in driver.list_tags(REPOSITORY)] == ["new"]
        assert driver.resolve_tag(REPOSITORY, "old") is None
        assert not driver.has_manifest(REPOSITORY, image)
        assert driver.delete_manifest(REPOSITORY, image) is False


def test_a_lost_answer_to_a_question_is_asked_for_again() -> None:
    """Looking is repeated after a fault; a deletion is sent once and its fault is told."""
    with ecr() as (registry, api, driver):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        driver.probe(REPOSITORY)
        registry.drop_next(1, method="POST")
        assert len(driver.list_tags(REPOSITORY)) == 2
        before = api.asked.count("BatchDeleteImage")
        registry.drop_next(1, method="POST", performed=True)
        with pytest.raises(RegistryError):
            driver.delete_tag(REPOSITORY, "v1")
        assert api.asked.count("BatchDeleteImage") == before + 1
        assert list(registry.tags(REPOSITORY)) == ["v2"]


def test_repositories_are_listed_through_all_pages() -> None:
    """A glob in a target sees every repository of the registry."""
    with ecr(page=2) as (registry, _, driver):
        names = [f"team/app-{number}" for number in range(5)]
        for name in names:
            registry.push(name, images.image(name), "v1")
        assert list(driver.list_repositories()) == names


# --- throttling and credentials -------------------------------------------------------------------------------------
def test_throttling_is_waited_for() -> None:
    """Hazard 41: AWS throttles with 400; it is obeyed like everybody's 429, also for deletions."""
    clock = InstantClock()
    with ecr(clock=clock) as (registry, api, driver):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        driver.probe(REPOSITORY)
        api.throttle_next(7)
        assert driver.delete_tag(REPOSITORY, "v1") is True
        assert clock.slept > 1
        assert list(registry.tags(REPOSITORY)) == ["v2"]


def test_a_token_for_the_registry_is_renewed_before_it_ends() -> None:
    """The token lives for 12 hours; one is bought for all repositories, and another one only towards its end."""
    clock = InstantClock(start=datetime.now(UTC))
    with ecr(clock=clock) as (registry, api, driver):
        image = images.image("one")
        for name in ("team/a", "team/b"):
            registry.push(name, image, "v1")
            assert driver.fetch_manifest(name, image.top) is not None
        assert api.asked.count("GetAuthorizationToken") == 1
        clock.sleep(11 * 3600)
        assert driver.fetch_manifest("team/a", image.top) is not None
        assert api.asked.count("GetAuthorizationToken") == 1
        clock.sleep(3600)
        assert driver.fetch_manifest("team/a", image.top) is not None
        assert api.asked.count("GetAuthorizationToken") == 2


def test_a_wrong_secret_is_told_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature that does not fit is AuthenticationFailed, names the clock as a cause, and quotes no secret."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another/secret")
    with ecr() as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        with pytest.raises(AuthenticationFailed) as caught:
            driver.list_tags(REPOSITORY)
        told = f"{caught.value} {caught.value.remedy} {driver.__dict__!r}"
        assert "clock" in told
        assert "another/secret" not in told


def test_without_credentials_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Where the chain of the aws command finds nothing, that is said, and nothing is sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with ecr() as (registry, _, driver):
        with pytest.raises(AuthenticationFailed, match="none were found"):
            driver.list_tags(REPOSITORY)
        assert registry.requests == ()


def test_without_botocore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed the extra is told how; nothing is imported for anybody else."""
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    settings = RegistrySettings(host="123456789012.dkr.ecr.eu-west-1.amazonaws.com")
    with pytest.raises(ConfigurationError) as caught:
        EcrDriver.connect(settings, clock=InstantClock(), progress=Quiet())
    assert caught.value.remedy == "pip install 'tagsweep[aws]'"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"removal": "forget"}, "removal"),
        ({"profile": "nobody-has-this"}, "profile"),
        ({"endpoint_url": "http://ecr.example.com"}, "endpoint_url"),
        ({"endpoint_url": "https://user:secret@ecr.example.com"}, "endpoint_url"),
        ({"regio": "eu-west-1"}, "regio"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], words: str) -> None:
    """A mistake in the options is a ConfigurationError with the option's name and no value that may be secret."""
    settings = RegistrySettings(host="123456789012.dkr.ecr.eu-west-1.amazonaws.com", options=options)
    with pytest.raises(ConfigurationError, match=words) as caught:
        EcrDriver.connect(settings, clock=InstantClock(), progress=Quiet())
    assert "user:secret" not in str(caught.value)


def test_another_host_must_say_where_its_api_is() -> None:
    """A host that is not Amazon's has no region that could be guessed."""
    with pytest.raises(ConfigurationError, match="does not know which API"):
        EcrDriver.connect(RegistrySettings(host="ecr.example.com"), clock=InstantClock(), progress=Quiet())


# --- rights ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("removal", "operation"), [("delete", "BatchDeleteImage"), ("archive", "UpdateImageStorageClass")]
)
def test_a_missing_right_is_found_by_the_probe(removal: str, operation: str) -> None:
    """The probe asks for an absent image, changes nothing, and names the right that is missing."""
    key = AccessKey(secret=KEY.secret, denied=frozenset({operation}))
    with ecr(key=key, removal=removal) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        found = driver.probe(REPOSITORY).delete_manifest
        assert found.support is Support.NO
        assert f"allow ecr:{operation}" in found.why
        with pytest.raises(Unsupported):
            driver.delete_manifest(REPOSITORY, Digest("sha256:" + "0" * 64))
    with ecr(removal=removal) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        assert driver.probe(REPOSITORY).delete_manifest.usable


def test_an_unknown_repository_is_not_found() -> None:
    """Probing and listing a repository that is not there raise NotFound; deleting in one that vanished is False."""
    with ecr() as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        driver.probe(REPOSITORY)
        for method in (driver.probe, driver.list_tags):
            with pytest.raises(NotFound):
                method("team/nothing")
        assert driver.resolve_tag("team/nothing", "v1") is None


def test_the_settings_of_the_repository_are_told() -> None:
    """Immutability and a lifecycle policy stand beside the ability; where they may not be read, that is said."""
    with ecr(mutability="IMMUTABLE_WITH_EXCLUSION", lifecycle=[REPOSITORY]) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        found = driver.probe(REPOSITORY).delete_tag
        assert found.usable
        assert "IMMUTABLE_WITH_EXCLUSION" in found.why
        assert "lifecycle policy of its own" in found.why
    key = AccessKey(secret=KEY.secret, denied=frozenset({"DescribeRepositories", "GetLifecyclePolicy"}))
    with ecr(key=key) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        found = driver.probe(REPOSITORY).delete_tag
        assert found.usable
        assert "whether its tags are immutable is not known (allow ecr:DescribeRepositories" in found.why


# --- deleting -------------------------------------------------------------------------------------------------------
def test_each_tag_of_a_batch_has_its_own_end() -> None:
    """Partial failures: one goes, one was absent, one is the last tag of what an index lists, one takes its image."""
    with ecr() as (registry, api, driver):
        listed = images.image("listed")
        registry.push(REPOSITORY, listed, "last-on-child")
        registry.push(REPOSITORY, images.index([listed]), "index")
        registry.push(REPOSITORY, images.image("shared"), "one", "two")
        lonely = registry.push(REPOSITORY, images.image("lonely"), "lonely")
        driver.probe(REPOSITORY)
        digests = registry.tags(REPOSITORY)
        asked = {tag: digests.get(tag, lonely) for tag in ("one", "gone", "last-on-child", "lonely")}
        api.asked.clear()
        ended = driver.delete_tags(REPOSITORY, asked)
        assert api.asked == ["BatchDeleteImage"]
        assert (ended["one"], ended["gone"], ended["lonely"]) == (True, False, True)
        assert isinstance(ended["last-on-child"], Conflict)
        assert "ImageReferencedByManifestList" in str(ended["last-on-child"])
        assert set(registry.tags(REPOSITORY)) == {"two", "index", "last-on-child"}
        assert lonely not in registry.manifests(REPOSITORY)


def test_a_hundred_tags_are_one_request_and_more_are_refused() -> None:
    """The declared batch is Amazon's; a larger one would be refused as a whole."""
    with ecr() as (registry, _, driver):
        names = [f"v{number}" for number in range(101)]
        digest = registry.push(REPOSITORY, images.image("many"), "stays", *names)
        driver.probe(REPOSITORY)
        assert driver.largest_batch == 100
        with pytest.raises(RegistryError, match="InvalidParameterException"):
            driver.delete_tags(REPOSITORY, dict.fromkeys(names, digest))
        ended = driver.delete_tags(REPOSITORY, dict.fromkeys(names[:100], digest))
        assert set(ended.values()) == {True}
        assert set(registry.tags(REPOSITORY)) == {"stays", "v100"}


def test_tags_are_deleted_by_their_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An identifier with tag and digest may mean the whole image: the digest is never sent beside a tag."""
    with ecr() as (registry, api, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        driver.probe(REPOSITORY)
        given: list[Any] = []
        inner = api._delete

        def noted(body: Any) -> dict[str, Any]:
            given.append(body["imageIds"])
            return inner(body)

        monkeypatch.setattr(api, "_delete", noted)
        driver.delete_tags(REPOSITORY, {"v1": digest})
        assert driver.delete_tag(REPOSITORY, "v2")
        assert given == [[{"imageTag": "v1"}], [{"imageTag": "v2"}]]


def test_with_the_archive_no_tag_goes_alone() -> None:
    """removal: archive moves whole images, so one tag of several is refused before anything is sent."""
    with ecr(removal="archive") as (registry, api, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        known = driver.probe(REPOSITORY)
        assert not known.last_tag_takes_manifest
        assert "one tag of several stays" in known.delete_tag.why
        api.asked.clear()
        with pytest.raises(Unsupported):
            driver.delete_tag(REPOSITORY, "v1")
        with pytest.raises(Unsupported):
            driver.delete_tags(REPOSITORY, {"v1": digest})
        assert api.asked == []


def test_the_archive_gives_back_what_it_has() -> None:
    """Amazon's own undo is waited for; tags that come back beside those that were asked for are told."""
    clock, progress = InstantClock(), Quiet()
    with ecr(clock=clock, removal="archive", restoring=6) as (registry, _, driver):
        driver._progress = progress
        digest = registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        driver.probe(REPOSITORY)
        assert driver.take_back(REPOSITORY, digest, ["v1"]) is False  # it is there
        driver.delete_manifest(REPOSITORY, digest)
        assert driver.take_back(REPOSITORY, digest, ["v1"]) is True
        assert clock.slept >= 50
        assert set(registry.tags(REPOSITORY)) == {"v1", "v2"}
        assert any("waiting for it" in note for note in progress.notes)
        assert any("came back with v2" in note for note in progress.notes)
        assert driver.take_back(REPOSITORY, Digest("sha256:" + "0" * 64), []) is False


def test_a_restore_that_never_ends_is_given_up() -> None:
    """After half an hour the bytes are put again instead."""
    clock = InstantClock()
    with ecr(clock=clock, removal="archive", restoring=10_000) as (registry, _, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1")
        driver.probe(REPOSITORY)
        driver.delete_manifest(REPOSITORY, digest)
        assert driver.take_back(REPOSITORY, digest, ["v1"]) is False
        assert clock.slept == 1800


# --- ECR Public -----------------------------------------------------------------------------------------------------
def test_public_tags_have_their_own_times() -> None:
    """ECR Public tells when a tag was made beside when its image was pushed, and no pulls."""
    pushed = datetime(2025, 3, 1, tzinfo=UTC)
    with ecr(public=True) as (registry, api, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1")
        api.record(REPOSITORY, digest, pushed=pushed)
        (tag,) = driver.list_tags(REPOSITORY)
        assert tag.times[TimeOrigin.PUSHED] == pushed
        assert tag.times[TimeOrigin.UPDATED] > pushed
        assert TimeOrigin.PULLED not in driver.capabilities(REPOSITORY).times
        assert list(driver.list_repositories()) == [REPOSITORY]


def test_only_ones_own_public_registry_is_touched() -> None:
    """The API knows no alias: a repository of the same name in somebody else's registry is refused, and not one's own
    deleted in its place.
    """
    with ecr(public=True, alias="team") as (registry, api, driver):
        registry.push(REPOSITORY, images.image("mine"), "v1")
        registry.push("other/app", images.image("theirs"), "v1")
        with pytest.raises(PermissionDenied, match="other is not the registry of these AWS credentials"):
            driver.list_tags("other/app")
        assert driver.probe("other/app").delete_tag.support is Support.NO
        assert "BatchDeleteImage" not in api.asked
        with pytest.raises(InvalidReference):
            driver.list_tags("app")


# --- what we did not write ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("host", "region", "options"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", {}),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", {}),
        ("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1", {}),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1", {"use_fips_endpoint": True}),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1", {"use_dualstack_endpoint": True}),
        (
            "123456789012.dkr-ecr-fips.us-east-1.on.aws",
            "us-east-1",
            {"use_dualstack_endpoint": True, "use_fips_endpoint": True},
        ),
    ],
)
def test_endpoints_are_those_of_botocore(host: str, region: str, options: dict[str, Any]) -> None:
    """Where the API of a registry host is agrees with Amazon's own SDK, also for China, GovCloud, FIPS and IPv6."""
    config = import_module("botocore.config").Config(**options)
    client = import_module("botocore.session").Session().create_client("ecr", region_name=region, config=config)
    where = endpoint_of(PRIVATE, host)
    assert where is not None
    assert (where.url, where.region, where.account) == (client.meta.endpoint_url, region, "123456789012")


def test_the_public_endpoint_is_botocores() -> None:
    """ECR Public answers in one region only."""
    client = import_module("botocore.session").Session().create_client("ecr-public", region_name="us-east-1")
    where = endpoint_of(PUBLIC, "public.ecr.aws")
    assert where is not None
    assert where.url == client.meta.endpoint_url
    assert endpoint_of(PUBLIC, "ecr.example.com") is None


def test_amazons_sdk_understands_the_fake() -> None:
    """Botocore as a client of the fake: it signs, pages, deletes in batches, archives and reads every error."""
    session = import_module("botocore.session").Session()
    errors = import_module("botocore.exceptions")
    with ecr(page=2) as (registry, _, _):
        for number in range(5):
            registry.push(REPOSITORY, images.image(f"image {number}"), f"v{number}", "latest")
        client = session.create_client("ecr", region_name="eu-west-1", endpoint_url=f"http://{registry.host}")
        pages = client.get_paginator("describe_images").paginate(repositoryName=REPOSITORY)
        details = [detail for page in pages for detail in page["imageDetails"]]
        assert {tag: each["imageDigest"] for each in details for tag in each["imageTags"]} == registry.tags(REPOSITORY)
        assert all(each["imagePushedAt"].tzinfo is not None for each in details)
        ids = [{"imageTag": "latest"}, {"imageTag": "v0"}, {"imageTag": "never"}]
        answer = client.batch_delete_image(repositoryName=REPOSITORY, imageIds=ids)
        assert {each["imageTag"] for each in answer["imageIds"]} == {"latest", "v0"}
        assert answer["failures"][0]["failureCode"] == "ImageNotFound"
        digest = registry.tags(REPOSITORY)["v1"]
        moved = client.update_image_storage_class(
            repositoryName=REPOSITORY, imageId={"imageDigest": digest}, targetStorageClass="ARCHIVE"
        )
        assert moved["imageStatus"] == "ARCHIVED"
        with pytest.raises(client.exceptions.ImageNotFoundException):
            client.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageDigest": digest}])
        with pytest.raises(client.exceptions.RepositoryNotFoundException):
            client.describe_images(repositoryName="team/nothing")
        with pytest.raises(client.exceptions.LifecyclePolicyNotFoundException):
            client.get_lifecycle_policy(repositoryName=REPOSITORY)
        assert client.get_authorization_token()["authorizationData"][0]["expiresAt"]
        stranger = session.create_client(
            "ecr",
            region_name="eu-west-1",
            endpoint_url=f"http://{registry.host}",
            aws_access_key_id=KEY.id,
            aws_secret_access_key="wrong",
        )
        with pytest.raises(errors.ClientError, match="InvalidSignatureException"):
            stranger.describe_repositories()


def test_amazons_sdk_understands_the_public_fake() -> None:
    """The same for ECR Public: per-tag times, aliases and tokens have the SDK's shapes."""
    session = import_module("botocore.session").Session()
    with ecr(public=True, page=2) as (registry, _, _):
        for number in range(5):
            registry.push(REPOSITORY, images.image(f"image {number}"), f"v{number}")
        client = session.create_client("ecr-public", region_name="us-east-1", endpoint_url=f"http://{registry.host}")
        pages = client.get_paginator("describe_image_tags").paginate(repositoryName="app")
        tags = {each["imageTag"]: each for page in pages for each in page["imageTagDetails"]}
        assert {tag: each["imageDetail"]["imageDigest"] for tag, each in tags.items()} == registry.tags(REPOSITORY)
        assert all(each["createdAt"].tzinfo is not None for each in tags.values())
        assert client.describe_registries()["registries"][0]["aliases"][0]["name"] == "team"
        assert client.get_authorization_token()["authorizationData"]["authorizationToken"]


def test_nonsense_is_no_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without the list that was asked for is an error, so that it never reads as "nothing there"."""
    with ecr() as (registry, api, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        monkeypatch.setattr(api, "_images", lambda _: {})
        with pytest.raises(ProtocolViolation, match="no imageDetails"):
            driver.list_tags(REPOSITORY)
        with pytest.raises(ProtocolViolation, match="no imageDetails"):
            driver.resolve_tag(REPOSITORY, "v1")
