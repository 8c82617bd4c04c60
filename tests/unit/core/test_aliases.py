"""One repository, many names."""

from __future__ import annotations

import pytest

from tagsweep.core.aliases import canonical_repository, names_of
from tagsweep.model.reference import Repository

ALIASES = {
    "mirror.example": "docker.io",
    "harbor.example/hub-proxy": "docker.io",
    "harbor.example/hub-proxy/deep": "ghcr.io",
    "old.example": "ghcr.io",
}


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("docker.io/acme/api", "docker.io/acme/api"),
        ("registry-1.docker.io/acme/api", "docker.io/acme/api"),
        ("mirror.example/acme/api", "docker.io/acme/api"),
        ("mirror.example/postgres", "docker.io/library/postgres"),
        ("harbor.example/hub-proxy/acme/api", "docker.io/acme/api"),
        ("harbor.example/hub-proxy/postgres", "docker.io/library/postgres"),
        ("harbor.example/hub-proxy/deep/acme/api", "ghcr.io/acme/api"),
        ("harbor.example/hub-proxy-2/acme/api", "harbor.example/hub-proxy-2/acme/api"),
        ("harbor.example/team/api", "harbor.example/team/api"),
        ("old.example/acme/api", "ghcr.io/acme/api"),
        ("old.example.org/acme/api", "old.example.org/acme/api"),
    ],
)
def test_every_name_leads_to_the_one(written: str, canonical: str) -> None:
    """Hosts, mirrors and caches under a path lead to the registry's own name; the longest alias counts."""
    assert str(canonical_repository(Repository.parse(written), ALIASES)) == canonical


def test_all_names_of_a_repository_lead_back_to_it() -> None:
    """Whatever text can name a repository is parsed to one that is canonically the same."""
    for repository in (Repository("docker.io", "library/postgres"), Repository("ghcr.io", "acme/api")):
        for name in names_of(repository, ALIASES):
            assert canonical_repository(Repository.parse(name), ALIASES) == repository
