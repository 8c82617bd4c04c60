"""The `ecr` driver against moto's server: the wire format of Amazon's API, as somebody else understood it.

Only the wire: moto knows neither signatures' rules of an image that an index lists, nor archives, nor the registry API.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tagsweep.core.options import OptionReader
from tagsweep.drivers.ecr import EcrDriver
from tagsweep.drivers.ecr_api import PRIVATE, EcrTokens, connect_api
from tagsweep.model.errors import NotFound
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.harness import InstantClock, Quiet
from tests.real.moto import KEYS, PROGRAM, REGION, REMEDY, Moto, moto_server

pytestmark = pytest.mark.real

REPOSITORY = "team/app"


@pytest.fixture(scope="module")
def server() -> Iterator[Moto]:
    """One server for this module; skipped with the reason where moto is not installed."""
    if not PROGRAM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"moto is not installed here; {REMEDY}", pytrace=False)
        pytest.skip(f"moto is not installed here; {REMEDY}")
    with moto_server() as running:
        yield running


@pytest.fixture
def moto(server: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    """An account with one empty repository, and credentials for it in the environment."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "TAGSWEEP_USER", "TAGSWEEP_PASS"))]:
        monkeypatch.delenv(name)
    for name, value in {**KEYS, "AWS_SECRET_ACCESS_KEY": "of nobody"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    server.reset()
    server.client("ecr").create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    yield server
    server.reset()


def push(moto: Moto, name: str, *tags: str) -> str:
    """Push an image by Amazon's own client, and return its digest."""
    manifest = images.image(name).manifest
    digest = ""
    for tag in tags:
        put = moto.client("ecr").put_image(
            repositoryName=REPOSITORY,
            imageManifest=manifest.data.decode(),
            imageManifestMediaType=manifest.media_type,
            imageTag=tag,
        )
        digest = str(put["image"]["imageId"]["imageDigest"])
    return digest


def settings(moto: Moto) -> RegistrySettings:
    """Return the settings of a registry whose API is moto's."""
    options = {"endpoint_url": moto.url, "region": REGION}
    return RegistrySettings(host=moto.url.partition("://")[2], options=options)


def test_tags_are_listed_looked_up_and_removed(moto: Moto) -> None:
    """Listing, looking and deleting many tags with partial failures are understood by another's server, and read."""
    driver = EcrDriver.connect(settings(moto), clock=InstantClock(), progress=Quiet())
    shared, lonely = push(moto, "shared", "v1", "latest"), push(moto, "lonely", "sha-1")
    listed = {tag.name: tag for tag in driver.list_tags(REPOSITORY)}
    assert {name: tag.digest for name, tag in listed.items()} == {"v1": shared, "latest": shared, "sha-1": lonely}
    assert all(TimeOrigin.PUSHED in tag.times for tag in listed.values())
    assert driver.resolve_tag(REPOSITORY, "v1") == shared
    assert driver.resolve_tag(REPOSITORY, "gone") is None
    assert list(driver.list_repositories()) == [REPOSITORY]
    with pytest.raises(NotFound):
        driver.list_tags("team/nothing")
    capability = driver._probe_deletion(REPOSITORY)
    assert capability.usable
    told = "; ".join(driver._settings_in_words(REPOSITORY))
    assert "IMMUTABLE" in told
    ended = driver._api.delete(
        REPOSITORY, [{"imageTag": "latest"}, {"imageTag": "gone"}, {"imageTag": "sha-1"}], doing="remove three tags"
    )
    assert ended == [True, False, True]
    assert [tag.name for tag in driver.list_tags(REPOSITORY)] == ["v1"]
    driver.close()


def test_a_lifecycle_policy_is_told(moto: Moto) -> None:
    """A policy that Amazon's client put there is seen."""
    rule = {"rulePriority": 1, "action": {"type": "expire"}}
    selection = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5}
    document = json.dumps({"rules": [{**rule, "selection": selection}]})
    moto.client("ecr").put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=document)
    driver = EcrDriver.connect(settings(moto), clock=InstantClock(), progress=Quiet())
    assert any("lifecycle policy of its own" in words for words in driver._settings_in_words(REPOSITORY))
    driver.close()


def test_a_token_for_the_registry_is_read(moto: Moto) -> None:
    """What GetAuthorizationToken answers becomes a user's name and a password that nobody sees."""
    where = settings(moto)
    options = OptionReader("a test", where.options)
    clock = InstantClock()
    api = connect_api(PRIVATE, where, options, clock=clock, progress=Quiet())
    found = EcrTokens(where.host, api, clock).find(REPOSITORY)
    assert found is not None
    assert found.username == "AWS"
    assert found.password
    assert found.password not in repr(found)
    api.close()
