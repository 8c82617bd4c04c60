"""OciDriver against scripted answers: what it concludes from each, and what it never sends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from tagsweep.drivers.oci import OciDriver
from tagsweep.http.auth import Credentials
from tagsweep.http.retry import RetryPolicy
from tagsweep.model import errors
from tagsweep.model.capability import Support
from tagsweep.model.manifest import MANIFEST_TYPES, OCI_INDEX, OCI_MANIFEST, RawManifest
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import Request, Response
from tests.unit.http.helpers import FakeClock, Notes, Script, answer

HOST = "registry.example.com"
BASE = f"https://{HOST}"
REPOSITORY = "team/app"
DATA = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}'
OTHER = Digest("sha256:" + "0" * 64)
REGISTRYS = {"content-type": "application/json; charset=utf-8", "docker-distribution-api-version": "registry/2.0"}
"""The headers by which a registry's own 404 is known where there is no body."""
Respond = Callable[[Request], Response | Exception]


def digest_of(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


DIGEST = digest_of(DATA)
MANIFEST = RawManifest(digest=DIGEST, media_type=OCI_MANIFEST, data=DATA)


def oci(code: str, message: str = "") -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def driver(respond: Respond, host: str = HOST, *, plain_http: bool = False) -> tuple[OciDriver, Script]:
    script = Script(respond)
    made = OciDriver(
        RegistrySettings(host=host, plain_http=plain_http),
        transport=script,
        lookup=lambda _: Credentials(username="u", password="p", found_in="here"),
        clock=FakeClock(),
        progress=Notes(),
        policy=RetryPolicy(tries=2),
    )
    return made, script


def always(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Respond:
    return lambda request: answer(request, status, body, headers)


# --- where it is asked ------------------------------------------------------------------------------------------
good_endpoints = [
    ("docker.io", False, "https://registry-1.docker.io"),
    ("index.docker.io", False, "https://registry-1.docker.io"),
    ("ghcr.io", False, "https://ghcr.io"),
    ("registry.lan:5000", False, "https://registry.lan:5000"),
    ("192.168.1.5:5000", False, "https://192.168.1.5:5000"),
    ("registry.lan:5000", True, "http://registry.lan:5000"),
    ("localhost:5000", False, "http://localhost:5000"),
    ("127.0.0.1:5000", False, "http://127.0.0.1:5000"),
]


@pytest.mark.parametrize(("host", "plain", "base"), good_endpoints)
def test_each_host_is_asked_at_its_api(host: str, plain: bool, base: str) -> None:  # noqa: FBT001 - a table's column
    """Docker Hub has another host for its API; plain http is for loopback and for what the policy says in words."""
    made, script = driver(always(200, b'{"tags":[]}'), host, plain_http=plain)
    made.list_tags("library/nginx")
    assert script.lines == [f"GET {base}/v2/library/nginx/tags/list"]


@pytest.mark.parametrize("host", ["", "https://x", "user@host", "a b", "x/y", "host?"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    """A URL or a path in place of a host is told before anything is sent."""
    with pytest.raises(errors.ConfigurationError, match="not a registry host"):
        driver(always(200), host)


def test_only_reads_on_this_machine_are_known_not_to_count() -> None:
    """Every other registry may count a GET as a pull."""
    assert driver(always(200))[0].capabilities(REPOSITORY).reads_count_as_pulls
    assert driver(always(200), "docker.io")[0].capabilities(REPOSITORY).reads_count_as_pulls
    assert not driver(always(200), "localhost:5000")[0].capabilities(REPOSITORY).reads_count_as_pulls


# --- listing ----------------------------------------------------------------------------------------------------
def test_tags_are_listed_once_in_the_order_of_the_registry() -> None:
    """Pages are followed, duplicates collapse, JSON is asked for, and no page size is."""
    pages = {
        f"{BASE}/v2/team/app/tags/list": (b'{"tags":["b","a","b"]}', '</v2/team/app/tags/list?last=a>; rel="next"'),
        f"{BASE}/v2/team/app/tags/list?last=a": (b'{"tags":["a","c"]}', ""),
    }

    def respond(request: Request) -> Response:
        body, link = pages[request.url]
        return answer(request, 200, body, link=link)

    made, script = driver(respond)
    assert [tag.name for tag in made.list_tags(REPOSITORY)] == ["b", "a", "c"]
    assert {sent.headers["Accept"] for sent in script.sent} == {"application/json"}


def test_null_tags_are_an_empty_list() -> None:
    """Distribution 2.x writes null after the last tag went."""
    assert driver(always(200, b'{"name":"team/app","tags":null}'))[0].list_tags(REPOSITORY) == ()


@pytest.mark.parametrize("name", ["", "a/../b", "\x1b[2J", ".a", "a" * 129])
def test_a_list_with_a_name_that_is_no_tag_is_a_violation(name: str) -> None:
    """It could not be looked up, so what it is on could not be protected; and it is not printed as it is."""
    with pytest.raises(errors.ProtocolViolation, match="which is no tag") as caught:
        driver(always(200, json.dumps({"tags": ["v1", name]}).encode()))[0].list_tags(REPOSITORY)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("link", ["/list?last=a", "https://other.example.net/list?last=a"])
def test_a_listing_that_leads_to_another_host_gets_no_authorization_there(link: str) -> None:
    """Neither a redirect nor the Link of the page behind it takes credentials along; the list would be incomplete."""

    def respond(request: Request) -> Response:
        if not request.url.startswith(BASE):
            return answer(request, 200, b'{"tags":["a"]}', link=f'<{link}>; rel="next"')
        if "Authorization" not in request.headers:
            return answer(request, 401, www_authenticate='Basic realm="x"')
        return answer(request, 307, location="https://other.example.net/list")

    made, script = driver(respond)
    with pytest.raises(errors.ProtocolViolation, match="at another host"):
        made.list_tags(REPOSITORY)
    assert [sent.url for sent in script.sent if "Authorization" in sent.headers] == [f"{BASE}/v2/team/app/tags/list"]


bad_lists = [b"", b"[]", b"{}", b"<html>", b'{"tags":"a"}', b'{"tags":[1]}', b'{"tags":{"a":1}}']


@pytest.mark.parametrize("body", bad_lists)
def test_an_answer_that_is_no_list_is_never_an_empty_one(body: bytes) -> None:
    """A web page with status 200 does not mean that there are no tags."""
    with pytest.raises(errors.ProtocolViolation):
        driver(always(200, body))[0].list_tags(REPOSITORY)


def test_only_a_registrys_own_404_means_that_the_repository_is_gone() -> None:
    """A proxy's 404 says nothing about the repository."""
    with pytest.raises(errors.NotFound):
        driver(always(404, oci("NAME_UNKNOWN")))[0].list_tags(REPOSITORY)
    for body in (b"", b"404 page not found", b"<html>"):
        with pytest.raises(errors.ProtocolViolation):
            driver(always(404, body))[0].list_tags(REPOSITORY)


def test_a_registry_without_catalog_says_so() -> None:
    """The remedy is to name the repositories."""
    with pytest.raises(errors.Unsupported, match="no catalog") as caught:
        list(driver(always(404))[0].list_repositories())
    assert "targets" in caught.value.remedy
    assert list(driver(always(200, b'{"repositories":["a","b"]}'))[0].list_repositories()) == ["a", "b"]


# --- looking up -------------------------------------------------------------------------------------------------
def test_a_tag_is_resolved_by_one_head_that_accepts_every_manifest() -> None:
    """Without the index types a registry would answer a child's digest or a 404 (trap T2)."""
    made, script = driver(always(200, headers={"docker-content-digest": DIGEST}))
    assert made.resolve_tag(REPOSITORY, "v1") == DIGEST
    assert script.lines == [f"HEAD {BASE}/v2/team/app/manifests/v1"]
    assert all(media_type in script.sent[0].headers["Accept"] for media_type in MANIFEST_TYPES)


def by_method(head: Response | int, get: tuple[int, bytes], headers: Mapping[str, str] | None = None) -> Respond:
    """Return what answers HEAD with a status and GET with a status and body."""

    def respond(request: Request) -> Response:
        if request.method == "HEAD":
            return answer(request, head, headers=headers) if isinstance(head, int) else head
        return answer(request, get[0], get[1])

    return respond


def test_a_registry_without_the_digest_header_is_asked_for_the_bytes() -> None:
    """Where HEAD gives no digest or is not known, the bytes are hashed."""
    for status in (200, 405, 501):
        made, script = driver(by_method(status, (200, DATA)))
        assert made.resolve_tag(REPOSITORY, "v1") == DIGEST
        assert [sent.method for sent in script.sent] == ["HEAD", "GET"]


def test_a_404_to_a_head_counts_if_it_is_a_registrys() -> None:
    """Only one that names the API is a registry's; any other is asked for a body, which must be a registry's error."""
    made, script = driver(always(404, headers=REGISTRYS))
    assert made.resolve_tag(REPOSITORY, "v1") is None
    assert made.has_blob(REPOSITORY, DIGEST) is False
    assert [sent.method for sent in script.sent] == ["HEAD", "HEAD"]
    made, script = driver(by_method(404, (404, oci("MANIFEST_UNKNOWN"))))
    assert made.resolve_tag(REPOSITORY, "v1") is None
    assert [sent.method for sent in script.sent] == ["HEAD", "GET"]


bad_absences = [b"", b"404 page not found", b"<html>no</html>", b'{"message":"no"}',
                oci("MANIFEST_UNKNOWN", "OCI index found, but accept header does not support OCI indexes")]  # fmt: skip


@pytest.mark.parametrize("body", bad_absences)
def test_a_404_that_proves_nothing_is_an_error(body: bytes) -> None:
    """Absence is concluded from a registry's own words only (law 2)."""
    made, _ = driver(by_method(404, (404, body), {"content-type": "application/json"}))
    for look_up in (
        lambda: made.resolve_tag(REPOSITORY, "v1"),
        lambda: made.has_manifest(REPOSITORY, DIGEST),
        lambda: made.fetch_manifest(REPOSITORY, "v1"),
        lambda: made.has_blob(REPOSITORY, DIGEST),
        lambda: made.fetch_blob(REPOSITORY, DIGEST, max_bytes=10),
    ):
        with pytest.raises(errors.ProtocolViolation, match="does not say that it is absent"):
            look_up()


@pytest.mark.parametrize("code", ["DENIED", "UNAUTHORIZED", "UNSUPPORTED"])
def test_a_refusal_that_comes_as_404_is_not_absence(code: str) -> None:
    """A registry that hides what one may not see has not said that it does not exist."""
    made, _ = driver(by_method(404, (404, oci(code))))
    for look_up in (
        lambda: made.resolve_tag(REPOSITORY, "v1"),
        lambda: made.fetch_manifest(REPOSITORY, "v1"),
        lambda: made.has_blob(REPOSITORY, DIGEST),
        lambda: made.list_tags(REPOSITORY),
    ):
        with pytest.raises((errors.PermissionDenied, errors.Unsupported)):
            look_up()


@pytest.mark.parametrize("status", [400, 403, 429, 500, 502, 503])
def test_no_other_failure_is_ever_absence(status: int) -> None:
    """Whatever goes wrong, None and False are not the answer."""
    made, _ = driver(always(status))
    for look_up in (
        lambda: made.resolve_tag(REPOSITORY, "v1"),
        lambda: made.has_manifest(REPOSITORY, DIGEST),
        lambda: made.fetch_manifest(REPOSITORY, "v1"),
        lambda: made.has_blob(REPOSITORY, DIGEST),
        lambda: made.fetch_blob(REPOSITORY, DIGEST, max_bytes=10),
        lambda: made.list_referrers(REPOSITORY, DIGEST),
        lambda: made.list_tags(REPOSITORY),
    ):
        with pytest.raises(errors.RegistryError):
            look_up()


def test_a_manifest_answered_under_another_digest_is_a_violation() -> None:
    """A registry that converts manifests (trap T3) is not believed."""
    made, _ = driver(always(200, headers={"docker-content-digest": OTHER}))
    with pytest.raises(errors.ProtocolViolation, match="answered with the digest"):
        made.has_manifest(REPOSITORY, DIGEST)
    assert driver(always(200, headers={"docker-content-digest": DIGEST}))[0].has_manifest(REPOSITORY, DIGEST)


good_media_types = [
    (OCI_MANIFEST, OCI_MANIFEST),
    (f"{OCI_INDEX}; charset=utf-8", OCI_INDEX),
    ("application/json", OCI_MANIFEST),
    ("", OCI_MANIFEST),
    ("application/vnd.example.unknown", "application/vnd.example.unknown"),
]


@pytest.mark.parametrize(("served", "media_type"), good_media_types)
def test_a_manifest_comes_with_its_exact_bytes_and_type(served: str, media_type: str) -> None:
    """The type is the served one without parameters, or the manifest's own where the served one says nothing."""
    made, _ = driver(always(200, DATA, {"content-type": served, "docker-content-digest": DIGEST}))
    for reference in ("v1", DIGEST):
        assert made.fetch_manifest(REPOSITORY, reference) == RawManifest(
            digest=DIGEST, media_type=media_type, data=DATA
        )


bad_digests = [
    ("v1", {"docker-content-digest": OTHER}),
    (OTHER, {}),
    (OTHER, {"docker-content-digest": OTHER}),
    (DIGEST, {"docker-content-digest": OTHER}),
    ("v1", {"docker-content-digest": "rubbish"}),
    ("v1", {"docker-content-digest": "blake3:" + "0" * 64}),
]


@pytest.mark.parametrize(("reference", "headers"), bad_digests)
def test_bytes_that_do_not_fit_their_digest_are_refused(reference: str, headers: Mapping[str, str]) -> None:
    """The header and the digest that was asked for are both held against the bytes."""
    with pytest.raises(errors.ProtocolViolation):
        driver(always(200, DATA, headers))[0].fetch_manifest(REPOSITORY, reference)


def test_sha512_is_checked_like_sha256() -> None:
    """A digest of another registered algorithm is computed with that algorithm."""
    digest = Digest("sha512:" + hashlib.sha512(DATA).hexdigest())
    made, _ = driver(always(200, DATA, {"docker-content-digest": digest}))
    found = made.fetch_manifest(REPOSITORY, digest)
    assert found is not None
    assert found.digest == digest


def test_a_blob_is_followed_to_its_storage_and_checked() -> None:
    """Registries keep blobs elsewhere and redirect; the bytes must fit wherever they come from."""

    def respond(request: Request) -> Response:
        if request.url.startswith(BASE):
            return answer(request, 307, location="https://storage.example.net/blob")
        return answer(request, 200, DATA)

    made, script = driver(respond)
    assert made.has_blob(REPOSITORY, DIGEST)
    assert made.fetch_blob(REPOSITORY, DIGEST, max_bytes=1000) == DATA
    assert all("Authorization" not in sent.headers for sent in script.sent)
    with pytest.raises(errors.ProtocolViolation):
        made.fetch_blob(REPOSITORY, OTHER, max_bytes=1000)
    assert script.sent[-1].max_body == 1000


def test_a_blob_that_its_storage_has_lost_is_gone() -> None:
    """Storage does not answer in a registry's words, and its 404 means that the bytes are not there."""

    def respond(request: Request) -> Response:
        if request.url.startswith(BASE):
            return answer(request, 307, location="https://storage.example.net/blob")
        return answer(request, 404, b"<Error><Code>NoSuchKey</Code></Error>", content_type="application/xml")

    made, _ = driver(respond)
    assert made.has_blob(REPOSITORY, DIGEST) is False
    with pytest.raises(errors.ProtocolViolation):
        made.fetch_blob(REPOSITORY, DIGEST, max_bytes=10)


def test_a_blob_of_a_registry_without_head_is_asked_for() -> None:
    """Where HEAD says 404 and GET does not, the blob is there."""
    assert driver(by_method(404, (200, DATA)))[0].has_blob(REPOSITORY, DIGEST)


def test_a_blob_that_is_gone_is_none() -> None:
    """The registry's own 404 says so."""
    made, _ = driver(always(404, oci("BLOB_UNKNOWN")))
    assert made.has_blob(REPOSITORY, DIGEST) is False
    assert made.fetch_blob(REPOSITORY, DIGEST, max_bytes=10) is None


bad_names = ["", "A", "a//b", "/a", "a/", "a/../b", "..", "a b", "a?x=1", "a#b", "a%2fb"]


@pytest.mark.parametrize("name", bad_names)
def test_a_name_that_is_none_is_never_put_into_a_url(name: str) -> None:
    """A repository or tag from anywhere cannot lead a request astray."""
    made, script = driver(always(200))
    for use in (
        lambda: made.list_tags(name),
        lambda: made.resolve_tag(name, "v1"),
        lambda: made.put_manifest(name, "v1", MANIFEST),
        lambda: made.probe(name),
    ):
        with pytest.raises(errors.InvalidReference):
            use()
    for use_reference in (lambda: made.resolve_tag(REPOSITORY, "../x"), lambda: made.fetch_manifest(REPOSITORY, "a/b")):
        with pytest.raises(errors.InvalidReference):
            use_reference()
    assert script.sent == []


# --- referrers --------------------------------------------------------------------------------------------------
REFERRERS = json.dumps(
    {
        "schemaVersion": 2,
        "manifests": [{"digest": OTHER, "mediaType": OCI_MANIFEST, "size": 7, "artifactType": "a/sig"}],
    }
).encode()


def test_referrers_are_read_from_every_page() -> None:
    """The referrers API pages by Link as the tag list does."""
    second = f"{BASE}/v2/team/app/referrers/{DIGEST}?page=2"

    def respond(request: Request) -> Response:
        if request.url == second:
            return answer(request, 200, REFERRERS)
        return answer(request, 200, b'{"schemaVersion":2,"manifests":[]}', link=f"<{second}>; rel=next")

    found = driver(respond)[0].list_referrers(REPOSITORY, DIGEST)
    assert found is not None
    assert [(item.digest, item.artifact_type) for item in found] == [(OTHER, "a/sig")]


def test_an_index_whose_referrers_are_null_has_none() -> None:
    """Olareg writes an empty list so; what is no index, or has no list at all, is an error and not an empty list."""
    index = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"'
    null = f'{index},"manifests":null}}'.encode()
    assert driver(lambda request: answer(request, 200, null))[0].list_referrers(REPOSITORY, DIGEST) == ()
    for body in (f"{index}}}", '{"schemaVersion":2,"manifests":null}', "null"):
        made = driver(partial(answer, status=200, body=body.encode()))[0]
        with pytest.raises(errors.ProtocolViolation):
            made.list_referrers(REPOSITORY, DIGEST)


def test_referrers_at_another_host_are_refused() -> None:
    """A foreign Link is an incomplete list, and an incomplete list of signatures is an error."""
    made, script = driver(
        always(200, b'{"schemaVersion":2,"manifests":[]}', {"link": "<https://evil.example.net/x>; rel=next"})
    )
    with pytest.raises(errors.ProtocolViolation, match="another host"):
        made.list_referrers(REPOSITORY, DIGEST)
    assert len(script.sent) == 1


def test_a_registry_without_referrers_is_none_and_not_empty() -> None:
    """None means that the fallback tags must be read."""
    assert driver(always(404, b"404 page not found"))[0].list_referrers(REPOSITORY, DIGEST) is None


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"manifests":[{"digest":"x"}]}'])
def test_an_unreadable_answer_is_never_no_referrers(body: bytes) -> None:
    """What cannot be read could be a signature of something that stays."""
    with pytest.raises(errors.ProtocolViolation):
        driver(always(200, body))[0].list_referrers(REPOSITORY, DIGEST)


# --- deleting ---------------------------------------------------------------------------------------------------
def probed(deletion: Respond, host: str = HOST) -> tuple[OciDriver, Script]:
    """Return a driver for a registry whose probe found both deletions, which then answers as ``deletion`` does."""
    state = {"probing": True}

    def respond(request: Request) -> Response | Exception:
        if state["probing"] or request.method != "DELETE":
            return answer(request, 404, oci("MANIFEST_UNKNOWN"), REGISTRYS)
        return deletion(request)

    made, script = driver(respond, host)
    assert made.probe(REPOSITORY).delete_tag.support is Support.YES
    state["probing"] = False
    script.sent.clear()
    return made, script


def test_nothing_is_deleted_before_a_probe_allows_it() -> None:
    """An ability that is only hoped for is not used."""
    made, script = driver(always(202))
    with pytest.raises(errors.Unsupported, match="not probed yet"):
        made.delete_tag(REPOSITORY, "v1")
    with pytest.raises(errors.Unsupported, match="not probed yet"):
        made.delete_manifest(REPOSITORY, DIGEST)
    assert script.sent == []


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_deletion_is_one_request_and_its_answer(status: int) -> None:
    """A tag is deleted by its name, a manifest by its digest; there is no second request."""
    made, script = probed(always(status))
    assert made.delete_tag(REPOSITORY, "v1") is True
    assert made.delete_manifest(REPOSITORY, DIGEST) is True
    assert script.lines == [f"DELETE {BASE}/v2/team/app/manifests/{reference}" for reference in ("v1", DIGEST)]


def test_deleting_what_is_gone_is_false() -> None:
    """404 in a registry's words is already absent; another 404 proves nothing."""
    made, _ = probed(always(404, oci("MANIFEST_UNKNOWN")))
    assert made.delete_tag(REPOSITORY, "v1") is False
    made, _ = probed(always(404, b"<html>"))
    with pytest.raises(errors.ProtocolViolation):
        made.delete_manifest(REPOSITORY, DIGEST)


bad_deletions = [
    (404, oci("DENIED"), errors.PermissionDenied),
    (404, oci("UNSUPPORTED"), errors.Unsupported),
    (400, oci("DIGEST_INVALID"), errors.RegistryError),
    (403, oci("DENIED"), errors.PermissionDenied),
    (405, oci("UNSUPPORTED"), errors.Unsupported),
    (405, oci("DENIED"), errors.Conflict),
    (409, b"", errors.Conflict),
    (412, b"", errors.Conflict),
    (500, b"", errors.ServerFailed),
    (503, b"", errors.ServerFailed),
]


@pytest.mark.parametrize(("status", "body", "kind"), bad_deletions)
def test_a_refused_deletion_is_an_error_and_nothing_else_is_tried(
    status: int, body: bytes, kind: type[errors.RegistryError]
) -> None:
    """No fall-back by digest, no throw-away manifest, no second try: the tag stays as it was."""
    made, script = probed(always(status, body))
    with pytest.raises(kind):
        made.delete_tag(REPOSITORY, "v1")
    assert script.lines == [f"DELETE {BASE}/v2/team/app/manifests/v1"]


def test_a_deletion_without_answer_is_sent_once() -> None:
    """The caller looks again; the driver does not guess."""
    made, script = probed(lambda _: errors.Unreachable("lost"))
    with pytest.raises(errors.Unreachable):
        made.delete_tag(REPOSITORY, "v1")
    assert len(script.sent) == 1


# --- putting back -----------------------------------------------------------------------------------------------
def test_exactly_the_bytes_are_put_with_their_type() -> None:
    """The digest of the answer is the manifest's own, or it is an error."""
    made, script = driver(always(201, headers={"docker-content-digest": DIGEST}))
    assert made.put_manifest(REPOSITORY, "v1", MANIFEST) == DIGEST
    (sent,) = script.sent
    assert (sent.method, sent.body, sent.headers["Content-Type"]) == ("PUT", DATA, OCI_MANIFEST)
    made, _ = driver(always(201, headers={"docker-content-digest": OTHER}))
    with pytest.raises(errors.ProtocolViolation, match="instead of"):
        made.put_manifest(REPOSITORY, "v1", MANIFEST)


@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"])
@pytest.mark.parametrize("status", [400, 404])
def test_what_the_registry_collected_is_not_found(status: int, code: str) -> None:
    """Restoring tells apart what cannot come back from what failed."""
    with pytest.raises(errors.NotFound):
        driver(always(status, oci(code)))[0].put_manifest(REPOSITORY, "v1", MANIFEST)


def test_damaged_bytes_are_not_sent() -> None:
    """A snapshot whose bytes changed on disk does not reach the registry."""
    made, script = driver(always(201))
    with pytest.raises(errors.ProtocolViolation, match="nothing was sent"):
        made.put_manifest(REPOSITORY, "v1", RawManifest(digest=OTHER, media_type=OCI_MANIFEST, data=DATA))
    assert script.sent == []


def test_requests_are_counted_and_connections_given_back() -> None:
    """The plan reports how many requests it took."""
    made, script = driver(always(200, b'{"tags":[]}'))
    made.list_tags(REPOSITORY)
    made.close()
    assert dict(made.counts) == {"GET": 1}
    assert script.closed
