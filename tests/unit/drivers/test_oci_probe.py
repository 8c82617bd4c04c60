"""What a probe concludes from the answers to deletions of absent things, and that it touches nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tagsweep.model.capability import Capabilities, Support
from tagsweep.model.errors import NotFound, ServerFailed, Unreachable
from tagsweep.ports import Request, Response
from tests.unit.drivers.test_oci import OTHER, REGISTRYS, REPOSITORY, driver, oci
from tests.unit.http.helpers import Script, answer

Told = tuple[int, bytes]
ABSENT: Told = (404, oci("MANIFEST_UNKNOWN"))
YES, NO, UNKNOWN = Support.YES, Support.NO, Support.UNKNOWN


def probe(tag: Told, manifest: Told, referrers: Told = (404, b"404 page not found")) -> tuple[Capabilities, Script]:
    """Return what a registry with these answers is found to be able to do, and what was sent to it."""

    def respond(request: Request) -> Response:
        if "/referrers/" in request.url:
            return answer(request, *referrers, REGISTRYS)
        if request.method == "HEAD":
            return answer(request, 404, headers=REGISTRYS)
        return answer(request, *(manifest if "sha256:" in request.url else tag), REGISTRYS)

    made, script = driver(respond)
    return made.probe(REPOSITORY), script


good_probes: Mapping[str, tuple[Told, Told, Support, Support]] = {
    "distribution 2.8": ((400, oci("DIGEST_INVALID")), ABSENT, NO, YES),
    "distribution 2.8, deletion off": ((405, oci("UNSUPPORTED")), (405, oci("UNSUPPORTED")), NO, NO),
    "distribution 3": (ABSENT, ABSENT, YES, YES),
    "distribution 3.0, deletion off": (ABSENT, (405, oci("UNSUPPORTED")), YES, NO),
    "Harbor": ((400, oci("UNSUPPORTED")), (404, oci("NOT_FOUND")), NO, YES),
    "GHCR": ((405, oci("UNSUPPORTED")), (405, oci("UNSUPPORTED")), NO, NO),
    "read-only user": ((403, oci("DENIED")), (403, oci("DENIED")), NO, NO),
    "refusals as 404": ((404, oci("DENIED")), (404, oci("UNAUTHORIZED")), NO, NO),
    "unsupported as 404": ((404, oci("UNSUPPORTED")), (404, oci("UNSUPPORTED")), NO, NO),
    "method not implemented": ((501, b""), (501, b""), NO, NO),
    "proxy's page": ((404, b"<html>"), (404, b"not here"), UNKNOWN, UNKNOWN),
    "says done to everything": ((202, b""), (202, b""), UNKNOWN, UNKNOWN),
    "something new": ((418, b""), (400, oci("DIGEST_INVALID")), UNKNOWN, UNKNOWN),
    "server in trouble": ((500, b""), (500, b""), UNKNOWN, UNKNOWN),
}


@pytest.mark.parametrize("name", good_probes)
def test_how_a_registry_refuses_tells_what_it_can_do(name: str) -> None:
    """Only a registry's own 404 for the absent thing means Yes; what is not understood is Unknown, never Yes."""
    tag, manifest, delete_tag, delete_manifest = good_probes[name]
    found, _ = probe(tag, manifest)
    assert (found.delete_tag.support, found.delete_manifest.support) == (delete_tag, delete_manifest)
    assert found.delete_tag.why
    assert found.delete_manifest.why


def test_a_probe_asks_to_delete_only_what_cannot_exist() -> None:
    """A random digest, and a random tag after a HEAD has seen it absent; nothing is written."""
    _, script = probe(ABSENT, ABSENT)
    lines = [re.sub(r"[0-9a-f]{32,64}", "RANDOM", line.partition("/v2/")[2]) for line in script.lines]
    methods = [sent.method for sent in script.sent]
    assert list(zip(methods, lines, strict=True)) == [
        ("DELETE", "team/app/manifests/sha256:RANDOM"),
        ("HEAD", "team/app/manifests/tagsweep-probe-RANDOM"),
        ("DELETE", "team/app/manifests/tagsweep-probe-RANDOM"),
        ("GET", "team/app/referrers/sha256:RANDOM"),
    ]


def test_a_tag_that_seems_to_exist_is_not_deleted() -> None:
    """A registry that answers every tag is left alone, and the ability stays Unknown."""

    def respond(request: Request) -> Response:
        if request.method == "HEAD":
            return answer(request, 200, docker_content_digest="sha256:" + "1" * 64)
        return answer(request, 404, oci("MANIFEST_UNKNOWN"))

    made, script = driver(respond)
    assert made.probe(REPOSITORY).delete_tag.support is UNKNOWN
    assert [sent.url for sent in script.sent if sent.method == "DELETE" and "probe" in sent.url] == []


def test_a_registry_that_deletes_by_digest_only_is_described() -> None:
    """The costs grow with the tags, and the way to reclaim space warns of -m on 2.x."""
    found, _ = probe((400, oci("DIGEST_INVALID")), ABSENT)
    assert found.delete_cost_grows_with_tags
    assert "read-only" in found.reclaim
    assert "Never use -m" in found.reclaim
    assert found.delete_tag.why == "this registry deletes by digest only, with all tags on the digest"


def test_where_nothing_can_be_deleted_nothing_is_to_be_reclaimed() -> None:
    """No advice for a sweep that cannot be."""
    found, _ = probe((405, b""), (405, b""))
    assert (found.reclaim, found.delete_cost_grows_with_tags) == ("", False)


good_referrers = [
    ((200, b'{"schemaVersion":2,"manifests":[]}'), YES),
    ((404, b"404 page not found"), NO),
    ((405, b""), NO),
    ((500, b""), UNKNOWN),
    ((403, b""), UNKNOWN),
]


@pytest.mark.parametrize(("told", "support"), good_referrers)
def test_the_referrers_api_is_found_out(told: Told, support: Support) -> None:
    """200 is Yes, 404 is No by the specification, everything else stays Unknown."""
    assert probe(ABSENT, ABSENT, told)[0].referrers.support is support


def test_a_repository_that_does_not_exist_is_told() -> None:
    """There is nothing to be found out about it."""
    with pytest.raises(NotFound, match="no such repository"):
        probe(ABSENT, (404, oci("NAME_UNKNOWN", "unknown name")))


def test_a_probe_is_made_once() -> None:
    """What was found holds for the life of the driver and shows in its capabilities."""

    def respond(request: Request) -> Response:
        return answer(request, 404, oci("MANIFEST_UNKNOWN"), REGISTRYS)

    made, script = driver(respond)
    first = made.probe(REPOSITORY)
    sent = len(script.sent)
    assert made.probe(REPOSITORY) is first
    assert made.capabilities(REPOSITORY) is first
    assert len(script.sent) == sent
    assert made.capabilities("team/other").delete_tag.support is UNKNOWN


def test_a_registry_that_is_not_there_cannot_be_probed() -> None:
    """No connection is an error, not a lack of abilities."""
    made, _ = driver(lambda _: Unreachable("no connection"))
    with pytest.raises(Unreachable):
        made.probe(REPOSITORY)


def test_a_failing_look_up_stops_the_probe() -> None:
    """Whether the random tag is absent must be known before it is deleted."""

    def respond(request: Request) -> Response:
        return answer(request, 500) if request.method == "HEAD" else answer(request, *ABSENT)

    made, script = driver(respond)
    with pytest.raises(ServerFailed):
        made.probe(REPOSITORY)
    assert [line for line in script.lines if "tagsweep-probe" in line and line.startswith("DELETE")] == []


def test_a_token_without_the_delete_right_is_no() -> None:
    """The reason names the missing right."""

    def respond(request: Request) -> Response:
        if request.url.startswith("https://auth.example.com"):
            # An unsigned token whose access claim grants only pull on team/app.
            claims = "eyJhY2Nlc3MiOlt7InR5cGUiOiJyZXBvc2l0b3J5IiwibmFtZSI6InRlYW0vYXBwIiwiYWN0aW9ucyI6WyJwdWxsIl19XX0"
            return answer(request, 200, f'{{"token":"e30.{claims}.x"}}'.encode())
        if request.method == "DELETE":
            challenge = 'Bearer realm="https://auth.example.com/t",scope="repository:team/app:delete"'
            return answer(request, 401, www_authenticate=challenge)
        return answer(request, 404, oci("MANIFEST_UNKNOWN"), REGISTRYS)

    found = driver(respond)[0].probe(REPOSITORY)
    assert (found.delete_tag.support, found.delete_manifest.support) == (NO, NO)
    assert "lack the delete right on team/app" in found.delete_tag.why


def test_after_a_probe_found_referrers_a_404_is_an_error() -> None:
    """A missing answer must not read as: nothing refers to it."""
    answers = iter([200, 404])

    def respond(request: Request) -> Response:
        if "/referrers/" in request.url:
            return answer(request, next(answers), b'{"schemaVersion":2,"manifests":[]}', REGISTRYS)
        return answer(request, 404, oci("MANIFEST_UNKNOWN"), REGISTRYS)

    made, _ = driver(respond)
    assert made.probe(REPOSITORY).referrers.support is YES
    with pytest.raises(NotFound):
        made.list_referrers(REPOSITORY, OTHER)
