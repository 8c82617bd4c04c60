"""What is special of Artifact Registry: names in its API, the map in its tag list, its logins, and what it refuses."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tagsweep.drivers.gar import GarDriver
from tagsweep.drivers.gar_login import GoogleLogin
from tagsweep.drivers.gar_names import known_host
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import AuthenticationFailed, ConfigurationError, Conflict, NotFound, Unsupported
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.gar import GAR, GarFake, GarRepository

REPOSITORY = "acme/images/team/app"
TOKEN = "ya29.keep-this-out"


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment be that of a user with an access token."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", "oauth2accesstoken")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", TOKEN)


@contextmanager
def gar(*, location: str | None = "us", **more: Any) -> Iterator[tuple[FakeRegistry, GarFake, GarDriver]]:
    """Run a fake Artifact Registry and a driver for it."""
    api = GarFake(**{"password": TOKEN, **more})
    with FakeRegistry(GAR, apis=[api]) as registry:
        options = {"api": f"http://{registry.host}", **({"location": location} if location else {})}
        settings = RegistrySettings(host=registry.host, options=options)
        driver = GarDriver.connect(settings, clock=InstantClock(), progress=Quiet())
        yield registry, api, driver
        driver.close()


# --- names ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("host", "path", "package"),
    [
        (
            "europe-west1-docker.pkg.dev",
            "acme/images/team/app",
            "projects/acme/locations/europe-west1/repositories/images/packages/team%2Fapp",
        ),
        ("us-docker.pkg.dev", "acme/images/app", "projects/acme/locations/us/repositories/images/packages/app"),
        ("gcr.io", "acme/app", "projects/acme/locations/us/repositories/gcr.io/packages/app"),
        ("eu.gcr.io", "acme/a/b", "projects/acme/locations/europe/repositories/eu.gcr.io/packages/a%2Fb"),
        ("gcr.io", "example.com/acme/app", "projects/example.com:acme/locations/us/repositories/gcr.io/packages/app"),
    ],
)
def test_paths_become_names_of_the_api(host: str, path: str, package: str) -> None:
    """Both kinds of hosts, projects of domains and images with slashes have their place in the API, and back."""
    known = known_host(host, None)
    assert known is not None
    assert known.package_path(path) == package
    assert known.image(known.split(path)[0], package) == path


def test_what_is_no_image_has_no_name() -> None:
    """A path that names no image, and a host of nobody, have no place that could be guessed."""
    known = known_host("us-docker.pkg.dev", None)
    assert known is not None
    assert known.repository_path("acme/images") is None
    assert known_host("registry.example.com", None) is None


# --- listing --------------------------------------------------------------------------------------------------------
def test_times_have_their_true_origin() -> None:
    """The upload is Google's record of a push; what the builder wrote is only that."""
    uploaded, built = datetime(2025, 5, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)
    with gar() as (registry, api, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1")
        api.record(REPOSITORY, digest, uploaded=uploaded, built=built)
        (tag,) = driver.list_tags(REPOSITORY)
        assert tag.digest == digest
        assert tag.times == {TimeOrigin.PUSHED: uploaded}  # the first second of 1970 is no time


def test_without_the_map_only_names_are_known() -> None:
    """A tag list without the map gives names; digests and times are unknown, not guessed."""
    with gar(has_map=False) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        listed = driver.list_tags(REPOSITORY)
        assert [(tag.name, tag.digest, dict(tag.times)) for tag in listed] == [("v1", None, {}), ("v2", None, {})]


def test_an_image_that_is_not_there_is_not_empty() -> None:
    """gcr.io lists whatever it is asked for as an empty image: the REST API tells that it is none."""
    with gar(lists_everything=True) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        with pytest.raises(NotFound):
            driver.list_tags("acme/images/nothing")
        registry.remove_tag(REPOSITORY, "v1")
        assert driver.list_tags(REPOSITORY) == ()


def test_the_images_of_a_project_are_listed_by_the_rest_api() -> None:
    """Every page of repositories and of packages is read; what is no registry of images is left out."""
    with gar(page=1) as (registry, _, driver):
        paths = ["acme/images/team/app", "acme/images/web", "acme/other/db"]
        for path in paths:
            registry.push(path, images.image(path), "v1")
        registry.push("somebody/images/app", images.image("theirs"), "v1")
        assert sorted(driver.list_namespace("acme")) == paths


# --- what it refuses ------------------------------------------------------------------------------------------------
def test_what_is_tagged_or_listed_is_a_conflict() -> None:
    """Google refuses a digest while it has a tag or an index lists it: nothing is lost, and it is no missing right."""
    with gar() as (registry, _, driver):
        image = images.multi_platform("one")
        registry.push(REPOSITORY, image, "v1")
        driver.probe(REPOSITORY)
        with pytest.raises(Conflict, match="GOOGLE_MANIFEST_DANGLING_TAG"):
            driver.delete_manifest(REPOSITORY, image.top)
        with pytest.raises(Conflict, match="GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE"):
            driver.delete_manifest(REPOSITORY, image.children[0].digest)
        assert driver.delete_tag(REPOSITORY, "v1")
        assert driver.delete_manifest(REPOSITORY, image.top)


def test_immutable_tags_are_locked_in_googles_words() -> None:
    """Tags of a repository with immutable tags cannot be deleted, which the listing says."""
    with gar(settings={"acme/images": GarRepository(immutable_tags=True)}) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        (tag,) = driver.list_tags(REPOSITORY)
        assert "immutable tags (Artifact Registry)" in tag.locked


def test_a_virtual_repository_deletes_nothing() -> None:
    """What only passes on what others hold is refused before anything is sent."""
    with gar(settings={"acme/images": GarRepository(mode="VIRTUAL_REPOSITORY")}) as (registry, _, driver):
        digest = registry.push(REPOSITORY, images.image("one"), "v1")
        known = driver.probe(REPOSITORY)
        assert "virtual" in known.delete_tag.why
        registry.clear_log()
        with pytest.raises(Unsupported):
            driver.delete_tag(REPOSITORY, "v1")
        with pytest.raises(Unsupported):
            driver.delete_manifest(REPOSITORY, digest)
        assert registry.count("DELETE") == 0


@pytest.mark.parametrize(
    ("more", "location", "words"),
    [
        ({"may_read_settings": False}, "us", "artifactregistry.repositories.get"),
        ({"token": "another"}, "us", "artifactregistry.repositories.get: 401"),
        ({}, None, "does not tell its place"),
        ({}, "asia", "does not show"),
    ],
)
def test_settings_that_are_not_told_are_said_to_be_unknown(more: dict[str, Any], location: str, words: str) -> None:
    """An error is never read as "not immutable" in silence: the ability says what could not be found out."""
    with gar(location=location, **more) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        why = driver.probe(REPOSITORY).delete_tag.why
        assert "whether its tags are immutable is not known" in why
        assert words in why


def test_clean_up_policies_are_told() -> None:
    """Google's own clean-up works beside a sweep, and is named."""
    with gar(settings={"acme/images": GarRepository(cleanup_policies=True)}) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1")
        assert "clean-up policies of its own (dry run)" in driver.probe(REPOSITORY).delete_tag.why


# --- logins ---------------------------------------------------------------------------------------------------------
def test_a_key_without_googles_package_serves_the_registry_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A docker login with _json_key lists and deletes; the REST API is not asked, and the key not sent there."""
    key = json.dumps({"type": "service_account", "private_key": "keep-this-out"})
    monkeypatch.setenv("TAGSWEEP_USERNAME", "_json_key")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", key)
    monkeypatch.setitem(sys.modules, "google.auth.exceptions", None)
    with gar(username="_json_key", password=key) as (registry, _, driver):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        assert "of no use at Google's REST API" in driver.probe(REPOSITORY).delete_tag.why
        assert driver.delete_tag(REPOSITORY, "v1")
        assert registry.count("GET", "/v1/") == 0
        with pytest.raises(Unsupported, match="there is no token for it"):
            list(driver.list_namespace("acme"))


def test_a_key_is_exchanged_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """With google-auth a service account's key, encoded or not, buys the token that the REST API takes."""
    seen: list[Any] = []

    class Account:
        token = "ya29.minted"

        @classmethod
        def from_service_account_info(cls, info: Any, *, scopes: list[str]) -> Account:
            seen.append((info["client_email"], scopes))
            return cls()

        def refresh(self, send: Any) -> None:
            assert callable(send)

    encoded = base64.b64encode(json.dumps({"client_email": "sweeper@acme"}).encode()).decode()
    monkeypatch.setenv("TAGSWEEP_USERNAME", "_json_key_base64")
    monkeypatch.setenv("TAGSWEEP_PASSWORD", encoded)
    monkeypatch.setitem(sys.modules, "google.oauth2.service_account", SimpleNamespace(Credentials=Account))
    clock = InstantClock()
    found = GoogleLogin("us-docker.pkg.dev", transport=CurlTransport(place="none"), clock=clock)
    assert found.authorize() == {"Authorization": "Bearer ya29.minted"}
    assert found.authorize() == {"Authorization": "Bearer ya29.minted"}
    assert len(seen) == 1
    clock.sleep(1800)
    found.authorize()
    assert seen == [("sweeper@acme", ["https://www.googleapis.com/auth/cloud-platform"])] * 2


def test_application_default_credentials_are_used_and_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a docker login the identity of the machine signs in, at both APIs, and again before its token ends."""
    tokens = iter(["ya29.first", "ya29.second"])

    def default(*, scopes: list[str], request: Any) -> tuple[Any, None]:
        assert scopes
        assert request
        made = SimpleNamespace(token="")
        made.refresh = lambda _: setattr(made, "token", next(tokens))
        return made, None

    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    monkeypatch.setattr("google.auth.default", default)
    clock = InstantClock()
    found = GoogleLogin("us-docker.pkg.dev", transport=CurlTransport(place="none"), clock=clock)
    first = found.find("acme/images/app")
    assert first is not None
    assert (first.username, first.password) == ("oauth2accesstoken", "ya29.first")
    assert found.authorize() == {"Authorization": "Bearer ya29.first"}
    clock.sleep(1800)
    assert first.good_until <= clock.monotonic()
    assert found.authorize() == {"Authorization": "Bearer ya29.second"}
    assert "ya29" not in repr(first)


class Helper:
    """A credential helper on the PATH, which gives one token after the other, the last one for ever."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *tokens: str) -> None:
        for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD", "REGISTRY_AUTH_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("DOCKER_CONFIG", str(folder))
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        (folder / "config.json").write_text('{"credsStore": "told"}', encoding="ascii")
        self._runs = folder / "runs"
        self._runs.touch()
        for number, token in enumerate(tokens, start=1):
            (folder / f"token-{number}").write_text(token, encoding="ascii")
        program = folder / "docker-credential-told"
        program.write_text(
            f"""#!/bin/sh
            cat > /dev/null
            echo run >> {self._runs}
            number=$(wc -l < {self._runs})
            [ "$number" -le {len(tokens)} ] || number={len(tokens)}
            printf '{{"Username": "_dcgcloud_token", "Secret": "%s"}}' "$(cat {folder}/token-$((number)))"
            """,
            encoding="ascii",
        )
        program.chmod(0o755)

    @property
    def runs(self) -> int:
        """How often it was run."""
        return len(self._runs.read_text(encoding="ascii").splitlines())


def test_a_helper_is_run_once_in_a_tokens_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to the REST API share one token, and the helper is run again when its life has ended."""
    helper = Helper(tmp_path, monkeypatch, "ya29.first", "ya29.second")
    clock = InstantClock()
    found = GoogleLogin("us-docker.pkg.dev", transport=CurlTransport(place="none"), clock=clock)
    assert [found.authorize() for _ in range(3)] == [{"Authorization": "Bearer ya29.first"}] * 3
    assert helper.runs == 1
    clock.sleep(1800)
    assert found.authorize() == found.authorize() == {"Authorization": "Bearer ya29.second"}
    assert helper.runs == 2


def test_a_token_that_is_refused_is_renewed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 401 of the REST API asks the helper for another token, with which the request is sent again."""
    helper = Helper(tmp_path, monkeypatch, "ya29.revoked", TOKEN)
    with gar(page=1) as (registry, _, driver):
        paths = ["acme/images/team/app", "acme/images/web", "acme/other/db"]
        for path in paths:
            registry.push(path, images.image(path), "v1")
        assert sorted(driver.list_namespace("acme")) == paths
        assert helper.runs == 2


def test_a_helper_without_another_token_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the helper has but the token that is refused, one more run finds that out, and further 401s run nothing."""
    helper = Helper(tmp_path, monkeypatch, "ya29.revoked")
    with gar() as (_, _, driver):
        for _ in range(3):
            with pytest.raises(AuthenticationFailed):
                list(driver.list_namespace("acme"))
        assert helper.runs == 2


def test_a_minted_token_that_is_refused_is_minted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Application Default Credentials sign in again after a 401; others that were refused the old token get the new."""
    tokens = iter(["ya29.first", "ya29.second"])

    def default(**_: Any) -> tuple[Any, None]:
        made = SimpleNamespace(token="")
        made.refresh = lambda _: setattr(made, "token", next(tokens))
        return made, None

    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    monkeypatch.setattr("google.auth.default", default)
    found = GoogleLogin("us-docker.pkg.dev", transport=CurlTransport(place="none"), clock=InstantClock())
    first = found.authorize()
    assert [found.authorize(first) for _ in range(3)] == [{"Authorization": "Bearer ya29.second"}] * 3


def test_a_token_server_that_fails_is_told_by_name_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What google-auth says may repeat a secret: only the kind of its error is told."""

    def default(**_: Any) -> tuple[Any, None]:
        raise ValueError("the key keep-this-out is bad")

    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    monkeypatch.setattr("google.auth.default", default)
    found = GoogleLogin("us-docker.pkg.dev", transport=CurlTransport(place="none"), clock=InstantClock())
    with pytest.raises(AuthenticationFailed, match="ValueError") as caught:
        found.find("")
    assert "keep-this-out" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize("api", ["http://api.example.com", "https://user:secret@api.example.com", "nowhere"])
def test_a_token_goes_to_no_unsafe_place(api: str) -> None:
    """The option api is refused where a token would be sent in the clear."""
    settings = RegistrySettings(host="us-docker.pkg.dev", options={"api": api})
    with pytest.raises(ConfigurationError, match="option api") as caught:
        GarDriver.connect(settings, clock=InstantClock(), progress=Quiet())
    assert "secret" not in str(caught.value)


# --- what we did not write --------------------------------------------------------------------------------------------
def test_googles_sdk_understands_the_fake() -> None:
    """google-cloud-artifact-registry over REST as a client of the fake: settings, images, tags and their removal."""
    artifactregistry = pytest.importorskip("google.cloud.artifactregistry_v1", reason="Google's SDK is not installed")
    credentials = pytest.importorskip("google.oauth2.credentials")
    transports = pytest.importorskip("google.cloud.artifactregistry_v1.services.artifact_registry.transports.rest")
    settings = {"acme/images": GarRepository(immutable_tags=False, cleanup_policies=True)}
    with gar(page=1, settings=settings) as (registry, api, _):
        registry.push(REPOSITORY, images.image("one"), "v1", "v2")
        registry.push(REPOSITORY, images.image("two"), "v3")
        transport = transports.ArtifactRegistryRestTransport(
            host=registry.host, url_scheme="http", credentials=credentials.Credentials(TOKEN)
        )
        client = artifactregistry.ArtifactRegistryClient(transport=transport)
        parent = "projects/acme/locations/us/repositories/images"
        described = client.get_repository(name=parent)
        assert described.docker_config.immutable_tags is False
        assert described.cleanup_policy_dry_run is True
        listed = {tag for image in client.list_docker_images(parent=parent) for tag in image.tags}
        assert listed == {"v1", "v2", "v3"}
        package = f"{parent}/packages/team%2Fapp"
        tags = {tag.name.rpartition("/")[2]: tag.version.rpartition("/")[2] for tag in client.list_tags(parent=package)}
        assert tags == registry.tags(REPOSITORY)
        client.delete_tag(name=f"{package}/tags/v1")
        assert set(registry.tags(REPOSITORY)) == {"v2", "v3"}
        api.settings["acme/images"] = GarRepository(immutable_tags=True)
        assert client.get_repository(name=parent).docker_config.immutable_tags is True
        with pytest.raises(Exception, match="immutability"):
            client.delete_tag(name=f"{package}/tags/v2")
        transport.close()
