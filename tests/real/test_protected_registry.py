"""The `oci` driver keeps the driver contract against distribution 2.8 that asks who is there: htpasswd and tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.model.capability import Support
from tagsweep.model.errors import AuthenticationFailed, Unsupported
from tagsweep.testing import images
from tagsweep.testing.driver_suite import DriverSuite
from tagsweep.testing.harness import Harness
from tests.real.harness import RealHarness
from tests.real.servers import Server, ServerKind, serve
from tests.real.token_server import ISSUER, PASSWORD, SERVICE, USERNAME, TokenServer, token_server

pytestmark = pytest.mark.real

HTPASSWD = "sweeper:$2b$05$abcdefghijklmnopqrstuuH2DLrcfCyuAkW0fWsTifgoC0Xz/F7tK\n"
"""``secret-of-the-server``, by bcrypt with the least effort that it allows."""


def log_in(monkeypatch: pytest.MonkeyPatch, username: str, password: str) -> None:
    """Give the environment of a user these credentials and no others."""
    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAGSWEEP_USERNAME", username)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", password)


@pytest.fixture(scope="module")
def htpasswd_registry(docker_registry: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a registry for the user of the htpasswd file alone; skipped where ``docker_registry`` is."""
    users = tmp_path_factory.mktemp("auth") / "htpasswd"
    users.write_text(HTPASSWD, encoding="utf-8")
    assert docker_registry.program
    with serve(ServerKind.DISTRIBUTION_2_8, auth=json.dumps({"htpasswd": {"realm": "r", "path": str(users)}})) as one:
        yield one


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """Run a token server."""
    with token_server(tmp_path_factory.mktemp("tokens")) as server:
        yield server


@pytest.fixture(scope="module")
def token_registry(docker_registry: Server, tokens: TokenServer) -> Iterator[Server]:
    """Run a registry that believes the token server; skipped where ``docker_registry`` is."""
    assert docker_registry.program
    bundle = str(tokens.certificate)
    token = {"realm": tokens.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": bundle}
    with serve(ServerKind.DISTRIBUTION_2_8, auth=json.dumps({"token": token})) as one:
        yield one


def bearer(tokens: TokenServer) -> Callable[[str], str]:
    """Return what authorizes everything in a repository."""
    return lambda repository: f"Bearer {tokens.token(f'repository:{repository}:pull,push,delete')}"


@pytest.fixture
def behind_passwords(htpasswd_registry: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealHarness]:
    """Yield a repository of its own, for a user who is logged in with a password."""
    log_in(monkeypatch, USERNAME, PASSWORD)
    encoded = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    harness = RealHarness(htpasswd_registry, OciDriver, authorization=lambda _: f"Basic {encoded}")
    yield harness
    harness.close()


@pytest.fixture
def behind_tokens(
    token_registry: Server, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RealHarness]:
    """Yield a repository of its own, for an account that may do everything."""
    log_in(monkeypatch, USERNAME, PASSWORD)
    harness = RealHarness(token_registry, OciDriver, authorization=bearer(tokens))
    yield harness
    harness.close()


@pytest.mark.slow  # the same registry as without a password, where the default run has the suite
class TestHtpasswd(DriverSuite):
    """The suite with basic authentication."""

    @pytest.fixture
    def harness(self, behind_passwords: RealHarness) -> Harness:
        """Return the repository."""
        return behind_passwords


@pytest.mark.slow  # likewise
class TestTokens(DriverSuite):
    """The suite with a token server."""

    @pytest.fixture
    def harness(self, behind_tokens: RealHarness) -> Harness:
        """Return the repository."""
        return behind_tokens


def test_a_wrong_password_is_said_so(behind_passwords: RealHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """AuthenticationFailed, without the password in it."""
    log_in(monkeypatch, USERNAME, "never-to-be-seen")
    with pytest.raises(AuthenticationFailed) as raised:
        behind_passwords.connect().list_tags(behind_passwords.repository)
    assert "never-to-be-seen" not in f"{raised.value} {raised.value.remedy}"


def test_who_may_only_read_is_told_before(
    behind_tokens: RealHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody in particular lists and reads; the probe says that nothing can be deleted, and nothing is."""
    image = images.image("readable")
    behind_tokens.seed(image, "v1")
    for name in ("TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    driver = behind_tokens.connect()
    assert [tag.name for tag in driver.list_tags(behind_tokens.repository)] == ["v1"]
    known = driver.probe(behind_tokens.repository)
    assert known.delete_tag.support is known.delete_manifest.support is Support.NO
    with pytest.raises(Unsupported):
        driver.delete_manifest(behind_tokens.repository, image.top)
    assert dict(behind_tokens.tags()) == {"v1": image.top}
    driver.close()


@pytest.mark.parametrize("access", ["behind_passwords", "behind_tokens"])
def test_a_tag_is_listed_deleted_and_put_back(request: pytest.FixtureRequest, access: str) -> None:
    """With credentials the whole way works: listing, deleting by digest, and putting the bytes back."""
    harness: RealHarness = request.getfixturevalue(access)
    image = images.multi_platform("protected")
    harness.seed(image, "v1")
    driver = harness.connect()
    assert [tag.name for tag in driver.list_tags(harness.repository)] == ["v1"]
    assert driver.probe(harness.repository).delete_manifest.usable
    assert driver.delete_manifest(harness.repository, image.top) is True
    assert driver.list_tags(harness.repository) == ()
    assert driver.put_manifest(harness.repository, "v1", image.manifest) == image.top
    assert dict(harness.tags()) == {"v1": image.top}
    driver.close()
