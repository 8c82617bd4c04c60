"""The registries that mutants of drivers are tried against, by name: fakes, each with the harness of its own suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pytest

from tagsweep.drivers.acr import AcrDriver
from tagsweep.drivers.artifactory import ArtifactoryDriver
from tagsweep.drivers.digitalocean import DigitalOceanDriver
from tagsweep.drivers.ecr import EcrDriver
from tagsweep.drivers.gitea import GiteaDriver
from tagsweep.drivers.harbor import HarborDriver
from tagsweep.drivers.oci import OciDriver
from tagsweep.drivers.quay import OAUTH_USER
from tagsweep.drivers.scaleway import ScalewayDriver
from tagsweep.testing import images
from tagsweep.testing.access import BasicAccess, BearerAccess
from tagsweep.testing.dialects import DISTRIBUTION_2_8, DISTRIBUTION_3, OCI, Dialect
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import FakeHarness, Harness, InstantClock
from tagsweep.testing.vendors.acr import ACR, AcrFake, Lock
from tagsweep.testing.vendors.artifactory import ARTIFACTORY, ArtifactoryApi
from tagsweep.testing.vendors.digitalocean import DIGITALOCEAN, DigitalOceanApi
from tagsweep.testing.vendors.dockerhub import DOCKER_HUB, HubApi
from tagsweep.testing.vendors.ecr import ECR, EcrFake
from tagsweep.testing.vendors.ecr_requests import AccessKey
from tagsweep.testing.vendors.ghcr import GHCR, GitHubPackages
from tagsweep.testing.vendors.gitea import GITEA, GiteaApi
from tagsweep.testing.vendors.gitlab import GITLAB, GitLabApi, GitLabToken
from tagsweep.testing.vendors.harbor import HARBOR, HarborAccount, HarborApi
from tagsweep.testing.vendors.quay import QUAY, QuayApi, QuayToken
from tagsweep.testing.vendors.scaleway import SCALEWAY, ScalewayApi
from tests.conformance.lockable import LockableHarness
from tests.conformance.test_digitalocean import DigitalOceanHarness
from tests.conformance.test_dockerhub import ADMIN, HubHarness
from tests.conformance.test_ecr import EcrHarness
from tests.conformance.test_ghcr import GhcrHarness
from tests.conformance.test_gitlab import LockableGitLab
from tests.conformance.test_quay import OPTIONS, TOKEN, LockableQuay
from tests.conformance.test_scaleway import ScalewayHarness

Patch = pytest.MonkeyPatch
Made = Iterator[Harness]


def _oci(dialect: Dialect) -> Callable[[Patch], Made]:
    def made(_: Patch) -> Made:
        with FakeRegistry(dialect) as registry:
            yield FakeHarness(registry, OciDriver)

    return made


def _log_in(patch: Patch, name: str, password: str) -> None:
    patch.setenv("TAGSWEEP_USERNAME", name)
    patch.setenv("TAGSWEEP_PASSWORD", password)


def _basic(patch: Patch) -> Made:
    access = BasicAccess(username="user", password="hunter2-of-the-fake")
    _log_in(patch, access.username, access.password)
    with FakeRegistry(access=access) as registry:
        yield FakeHarness(registry, OciDriver)


def _dockerhub(patch: Patch) -> Made:
    _log_in(patch, ADMIN.name, ADMIN.secret)
    api = HubApi(logins=[ADMIN], clock=InstantClock())
    with FakeRegistry(DOCKER_HUB, apis=[api]) as registry:
        yield HubHarness(registry, api, {})


def _ecr(*, archives: bool) -> Callable[[Patch], Made]:
    def made(patch: Patch) -> Made:
        patch.setenv("AWS_ACCESS_KEY_ID", AccessKey().id)
        patch.setenv("AWS_SECRET_ACCESS_KEY", AccessKey().secret)
        options = {"region": "eu-west-1", "registry_id": "123456789012"}
        api = EcrFake(page=3)
        with FakeRegistry(ECR, access=api.access, apis=[api]) as registry:
            yield EcrHarness(registry, api, EcrDriver, {**options, **({"removal": "archive"} if archives else {})})

    return made


def _ghcr(patch: Patch) -> Made:
    api = GitHubPackages()
    with FakeRegistry(GHCR, access=api.access, apis=[api]) as registry:
        patch.setenv("GITHUB_API_URL", f"http://{registry.host}/api/v3")
        patch.setenv("GITHUB_TOKEN", api.token)
        yield GhcrHarness(registry)


def _harbor(patch: Patch) -> Made:
    account = HarborAccount(name="robot$team+sweeper", secret="secret-of-the-robot")
    _log_in(patch, account.name, account.secret)
    api = HarborApi(accounts=[account])
    access = BearerAccess(username=account.name, password=account.secret)
    with FakeRegistry(HARBOR, access=access, apis=[api]) as registry:
        yield LockableHarness(registry, HarborDriver, lambda _, tag: api.make_immutable("team", tag))


def _acr(patch: Patch) -> Made:
    api = AcrFake()
    _log_in(patch, api.username, api.password)
    with FakeRegistry(ACR, apis=[api]) as registry:
        yield LockableHarness(registry, AcrDriver, lambda path, tag: api.lock(path, tag, Lock(delete_enabled=False)))


def _quay(patch: Patch) -> Made:
    patch.setenv("SWEEP_QUAY_TOKEN", TOKEN)
    access = BearerAccess(username=OAUTH_USER, password=TOKEN)
    api = QuayApi(tokens=[QuayToken(secret=TOKEN)])
    with FakeRegistry(QUAY, access=access, apis=[api]) as registry:
        yield LockableQuay(registry, OPTIONS, api)


def _gitlab(patch: Patch) -> Made:
    secret = "glpat-secret-of-a-user"
    _log_in(patch, "token", secret)
    patch.setenv("SWEEP_TOKEN", secret)
    api = GitLabApi(tokens=[GitLabToken(secret=secret, level=40)], projects=["team/app"])
    api.record("team/app", "v1", images.LONG_AGO)
    with FakeRegistry(GITLAB, access=BearerAccess(username="token", password=secret), apis=[api]) as registry:
        options = {"api": f"http://{registry.host}/api/v4", "token_env": "SWEEP_TOKEN"}
        yield LockableGitLab(registry, options, api)


def _gitea(*, packages: bool) -> Callable[[Patch], Made]:
    def made(patch: Patch) -> Made:
        api = GiteaApi(may_read=packages)
        _log_in(patch, api.name, api.token)
        with FakeRegistry(GITEA, access=api.access, apis=[api]) as registry:
            yield FakeHarness(registry, GiteaDriver)

    return made


def _artifactory(patch: Patch) -> Made:
    api = ArtifactoryApi()
    _log_in(patch, api.name, api.token)
    with FakeRegistry(ARTIFACTORY, access=api.access, apis=[api]) as registry:
        yield FakeHarness(registry, ArtifactoryDriver)


def _scaleway(patch: Patch) -> Made:
    api = ScalewayApi()
    patch.setenv("SCW_SECRET_KEY", api.key)
    with FakeRegistry(SCALEWAY, access=api.access, apis=[api]) as registry:
        yield ScalewayHarness(registry, ScalewayDriver)


def _digitalocean(patch: Patch) -> Made:
    api = DigitalOceanApi()
    patch.setenv("DIGITALOCEAN_ACCESS_TOKEN", api.token)
    with FakeRegistry(DIGITALOCEAN, access=api.access, apis=[api]) as registry:
        yield DigitalOceanHarness(registry, DigitalOceanDriver)


_MADE: Final = {
    "oci": _oci(OCI),
    "small pages": _oci(replace(OCI, name="small pages", page_size=4)),
    "repeating pages": _oci(replace(OCI, name="repeating pages", page_size=5, repeats_across_pages=True)),
    "distribution 2.8": _oci(DISTRIBUTION_2_8),
    "distribution 3": _oci(DISTRIBUTION_3),
    "basic": _basic,
    "acr": _acr,
    "artifactory": _artifactory,
    "digitalocean": _digitalocean,
    "dockerhub": _dockerhub,
    "ecr": _ecr(archives=False),
    "ecr archive": _ecr(archives=True),
    "ghcr": _ghcr,
    "gitea": _gitea(packages=True),
    "gitea without packages": _gitea(packages=False),
    "gitlab": _gitlab,
    "harbor": _harbor,
    "quay": _quay,
    "scaleway": _scaleway,
}


@contextmanager
def registry(name: str, patch: Patch) -> Iterator[Harness]:
    """Give a new registry of this kind, with its credentials, and no others, in the environment."""
    others = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "GH_TOKEN", "GITHUB_ACTOR")
    for variable in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD", *others):
        patch.delenv(variable, raising=False)
    yield from _MADE[name](patch)
