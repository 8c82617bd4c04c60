"""What Google Artifact Registry calls things in its API, from the path of an image at one of its hosts.

Facts: cloud.google.com, "Repository and image names" and "Transition from Container Registry": LOCATION-docker.pkg.dev
serves PROJECT/REPOSITORY/IMAGE, and gcr.io hosts serve PROJECT/IMAGE from a repository that is called as the host.
A project of a domain is DOMAIN/PROJECT in paths and DOMAIN:PROJECT in the API.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

_PKG_DEV: Final = re.compile(r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev")
_GCR: Final = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GarHost:
    """One host: its location, and the repository that all its images are in (empty: the path names it)."""

    location: str
    repository: str = ""

    def project_path(self, project: str) -> str:
        """Return what the API calls the location of a project, which a path names."""
        return f"projects/{project.replace('/', ':')}/locations/{self.location}"

    def split(self, path: str) -> tuple[str, str, str]:
        """Return project, repository and image of a path; those that it lacks are empty."""
        project, rest = _project(path)
        if self.repository:
            return project, self.repository, rest
        repository, _, image = rest.partition("/")
        return project, repository, image

    def repository_path(self, path: str) -> str | None:
        """Return what the API calls the repository of an image, or None where the path names none."""
        project, repository, image = self.split(path)
        if not project or not repository or not image:
            return None
        return f"{self.project_path(project)}/repositories/{repository}"

    def package_path(self, path: str) -> str | None:
        """Return what the API calls the image itself, or None where the path names none."""
        parent = self.repository_path(path)
        return f"{parent}/packages/{quote(self.split(path)[2], safe='')}" if parent is not None else None

    def image(self, project: str, package: str) -> str:
        """Return the path of an image from what the API calls its package."""
        _, _, rest = package.partition("/repositories/")
        repository, _, name = rest.partition("/packages/")
        image = unquote(name)
        return f"{project}/{image}" if self.repository else f"{project}/{repository}/{image}"


def known_host(host: str, location: str | None) -> GarHost | None:
    """Return what is known of a host by its name, or by the ``location`` that the policy names for it."""
    found = _PKG_DEV.fullmatch(host)
    if found is not None:
        return GarHost(location=found["location"])
    if host in _GCR:
        return GarHost(location=_GCR[host], repository=host)
    return GarHost(location=location) if location else None


def _project(path: str) -> tuple[str, str]:
    first, _, rest = path.partition("/")
    if "." not in first:
        return first, rest
    second, _, rest = rest.partition("/")
    return f"{first}/{second}", rest
