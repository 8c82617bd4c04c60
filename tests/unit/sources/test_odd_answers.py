"""Answers of any form: no extractor of an API's documents falls over one."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.docker import extract as docker
from tagsweep.sources.nomad.extract import in_job, state_of
from tests.unit.sources.engine import container, image, image_id, service

_LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.just("acme/api:1")
_KEYS = st.sampled_from(
    (
        "Id",
        "Image",
        "ImageID",
        "Names",
        "State",
        "Mounts",
        "Type",
        "Source",
        "Config",
        "HostConfig",
        "RepoTags",
        "RepoDigests",
        "Digest",
        "History",
        "Spec",
        "PreviousSpec",
        "TaskTemplate",
        "ContainerSpec",
        "PluginSpec",
        "Remote",
        "Mode",
        "Replicated",
        "Replicas",
        "Status",
        "TaskGroups",
        "Tasks",
        "Driver",
        "Meta",
        "Services",
        "Connect",
        "SidecarTask",
        "image",
    )
)
_ANY = st.recursive(
    _LEAF, lambda each: st.lists(each, max_size=3) | st.dictionaries(_KEYS, each, max_size=4), max_leaves=20
)
_OBJECT = st.dictionaries(_KEYS, _ANY, max_size=8)


@settings(deadline=None)
@given(_OBJECT, _OBJECT, _ANY)
def test_the_engine_may_answer_anything(entry: dict[str, Any], stored: dict[str, Any], page: object) -> None:
    """Entries of any form give findings or none, and never an exception."""
    local = docker.read_image_entry(stored)
    list(docker.in_store(local))
    for known in (local, None):
        list(docker.in_container(docker.read_container_entry(entry), known, page))
    for read in (docker.in_plugin, docker.in_service, docker.in_task):
        list(read(entry))
    assert docker.unnamed_service(entry) in (True, False)


@settings(deadline=None)
@given(_OBJECT)
def test_nomad_may_answer_anything(job: dict[str, Any]) -> None:
    """Jobs of any form give findings or none, and never an exception."""
    list(in_job(job))
    assert isinstance(state_of(job), str)


@settings(deadline=None)
@given(_KEYS, _ANY)
def test_a_good_entry_with_one_odd_part_is_still_read(key: str, value: object) -> None:
    """Whatever one part of an entry is, what the other parts name is found."""
    entry = container("web", "acme/api:1", image_id(1)) | ({} if key in ("Image", "ImageID") else {key: value})
    stored = docker.read_image_entry(image(image_id(1), digests=[f"acme/api@sha256:{'d' * 64}"]))
    found = [
        str(getattr(each, "reference", "")) for each in docker.in_container(docker.read_container_entry(entry), stored)
    ]
    assert found == ["docker.io/acme/api:1", f"docker.io/acme/api@sha256:{'d' * 64}"]
    spec = service("web", "acme/api:1") | ({} if key == "Spec" else {key: value})
    assert "docker.io/acme/api:1" in [str(getattr(each, "reference", "")) for each in docker.in_service(spec)]
