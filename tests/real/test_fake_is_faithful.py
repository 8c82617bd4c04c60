"""The fake registry's dialects answer as the real servers do, question by question."""

from __future__ import annotations

import pytest

from tagsweep.testing.dialects import CRANE, DISTRIBUTION_2_8, DISTRIBUTION_3, Dialect, without_deletion
from tagsweep.testing.fake import FakeRegistry
from tests.real.interview import interview, interview_about_deletion, interview_about_pages
from tests.real.servers import ServerKind, find, serve

pytestmark = pytest.mark.real

TWINS = [
    pytest.param(ServerKind.DISTRIBUTION_2_8, DISTRIBUTION_2_8, "docker_registry", id="distribution 2.8"),
    pytest.param(ServerKind.DISTRIBUTION_3, DISTRIBUTION_3, "distribution_3", id="distribution 3"),
    pytest.param(ServerKind.CRANE, CRANE, "crane_registry", id="crane"),
]


@pytest.mark.parametrize(("kind", "dialect", "server"), TWINS)
def test_the_fake_answers_as_the_real_server(
    kind: ServerKind, dialect: Dialect, server: str, request: pytest.FixtureRequest
) -> None:
    """Status, error code, digest and remaining tags are equal for every question of the interview."""
    request.getfixturevalue(server)  # skips, or fails in CI, where there is no such server
    with serve(kind) as real, FakeRegistry(dialect) as fake:
        assert interview(fake.host) == interview(real.host)


@pytest.mark.parametrize(("kind", "dialect", "server"), TWINS[:2])
def test_the_fake_pages_as_the_real_server(
    kind: ServerKind, dialect: Dialect, server: str, request: pytest.FixtureRequest
) -> None:
    """Catalogs come in hundreds, odd page sizes are refused or not, and a refused push makes no repository."""
    request.getfixturevalue(server)
    with serve(kind) as real, FakeRegistry(dialect) as fake:
        assert interview_about_pages(fake.host) == interview_about_pages(real.host)


@pytest.mark.parametrize(("kind", "dialect", "server"), TWINS[:2])
def test_the_fake_refuses_deletion_as_the_real_server(
    kind: ServerKind, dialect: Dialect, server: str, request: pytest.FixtureRequest
) -> None:
    """With deletion switched off, both refuse tags and digests in the same way and keep everything."""
    request.getfixturevalue(server)
    assert find(kind) is not None
    with serve(kind, delete=False) as real, FakeRegistry(without_deletion(dialect)) as fake:
        assert interview_about_deletion(fake.host) == interview_about_deletion(real.host)
