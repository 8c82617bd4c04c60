"""AWS CodeBuild: the image that each project builds in, and those that a build specification kept in the project names.

Shapes: botocore's model of CodeBuild.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from tagsweep.model.errors import ProtocolViolation
from tagsweep.sources.cloud.awsapi import AwsApi
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.cloud.images import image_in_use
from tagsweep.sources.jsonapi import dig, objects_at, text_at, texts_at
from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.scan import scan

_PROJECTS_AT_ONCE: Final = 100
_CURATED: Final = "aws/codebuild/"


def in_project(project: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the image of a project and what its inline build specifications name; AWS's own images are left out."""
    image = text_at(project, "environment", "image")
    if not image.startswith(_CURATED):
        yield from image_in_use(image, at="environment")
    for source in (dig(project, "source"), *objects_at(project, "secondarySources")):
        written = text_at(source, "buildspec")
        if "\n" in written:  # else it is the path of a file in the repository
            yield from scan(File("buildspec.yml", written)).findings


def read(api: AwsApi, found: Gathering) -> None:
    """Add what CodeBuild in one region uses; what cannot be seen is a gap."""
    with found.trying():
        names = api.many("ListProjects", "projects")
        while batch := list(islice(names, _PROJECTS_AT_ONCE)):
            answer = api.call("BatchGetProjects", names=batch)
            projects = objects_at(answer, "projects")
            if len(projects) + len(texts_at(answer, "projectsNotFound")) < len(batch):
                raise ProtocolViolation(f"{api.place}: BatchGetProjects tells of {len(projects)} of {len(batch)}")
            for project in projects:
                name = text_at(project, "name")
                found.add(
                    in_project(project),
                    where=f"{api.place} project {name}",
                    path=f"{api.region}/codebuild/{name}",
                    runs=False,
                )
