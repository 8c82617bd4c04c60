"""The fake registry itself: what it stores, logs, lets go wrong and collects, asked with the plainest client."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from tagsweep.model.manifest import MANIFEST_TYPES
from tagsweep.testing import images
from tagsweep.testing.access import BasicAccess, BearerAccess
from tagsweep.testing.dialects import (
    CRANE,
    DIALECTS,
    DISTRIBUTION_2_8,
    DISTRIBUTION_3,
    DISTRIBUTION_3_0_0,
    DISTRIBUTION_3_1_0,
    OCI,
    ZOT,
    Dialect,
    LinkForm,
    Refusal,
    without_deletion,
)
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.faults import RateLimit, RetryForm, TimedLimit
from tagsweep.testing.harness import InstantClock

IMAGE = images.multi_platform("one")
OTHER = images.image("other")
ACCEPT = {"Accept": ", ".join(MANIFEST_TYPES)}
MANIFESTS = "/v2/team/app/manifests"


class Client:
    """One connection; every answer as status, headers and body."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._connection = http.client.HTTPConnection(registry.host, timeout=10)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send one request and return the answer."""
        self._connection.request(method, path, body=body, headers={**ACCEPT, **(headers or {})})
        response = self._connection.getresponse()
        return response.status, response.headers, response.read()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_dialect_serves_what_was_pushed(dialect: Dialect) -> None:
    """Tags are listed and every manifest and blob comes byte for byte."""
    with FakeRegistry(dialect) as registry, Client(registry) as client:
        registry.push("team/app", IMAGE, "v1", "latest")
        status, _, body = client.ask("GET", "/v2/team/app/tags/list")
        assert (status, sorted(json.loads(body)["tags"])) == (200, ["latest", "v1"])
        for manifest in IMAGE.manifests:
            assert client.ask("GET", f"{MANIFESTS}/{manifest.digest}")[2] == manifest.data
        for digest, content in IMAGE.blobs.items():
            assert client.ask("GET", f"/v2/team/app/blobs/{digest}")[2] == content


def test_head_has_the_headers_of_get_and_no_body() -> None:
    """HEAD tells length and digest, and the connection stays in step."""
    with FakeRegistry() as registry, Client(registry) as client:
        registry.push("team/app", IMAGE, "v1")
        status, headers, body = client.ask("HEAD", f"{MANIFESTS}/v1")
        assert (status, body) == (200, b"")
        assert headers["Content-Length"] == str(len(IMAGE.manifest.data))
        assert headers["Docker-Content-Digest"] == IMAGE.top
        assert client.ask("GET", f"{MANIFESTS}/v1")[2] == IMAGE.manifest.data


def test_an_upload_in_pieces_is_put_together() -> None:
    """POST, chunked PATCH, PATCH and PUT together make a blob; its digest is checked."""
    content = b"first second third"
    digest = images.digest_of(content)
    with FakeRegistry() as registry, Client(registry) as client:
        place = client.ask("POST", "/v2/team/app/blobs/uploads/")[1]["Location"]
        raw = socket.create_connection(("127.0.0.1", int(registry.host.rpartition(":")[2])))
        with raw:
            raw.sendall(f"PATCH {place} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            raw.sendall(b"6\r\nfirst \r\n0\r\n\r\n")
            assert raw.recv(4096).startswith(b"HTTP/1.1 202 ")
        assert client.ask("PATCH", place, b"second ")[0] == 202
        assert client.ask("PUT", f"{place}?digest={digest}", b"third")[0] == 201
        assert registry.blobs("team/app") == {digest}
        assert client.ask("PUT", f"{place}?digest={digest}", b"third")[0] == 404


def test_a_blob_is_mounted_from_another_repository() -> None:
    """`mount` links a blob that another repository has, and opens an upload for one that it has not."""
    digest = next(iter(OTHER.blobs))
    with FakeRegistry() as registry, Client(registry) as client:
        registry.push("team/source", OTHER, "v1")
        start = "/v2/team/app/blobs/uploads/?from=team/source&mount="
        assert client.ask("POST", f"{start}{digest}")[0] == 201
        assert client.ask("POST", f"{start}{images.digest_of(b'absent')}")[0] == 202
        assert registry.blobs("team/app") == {digest}


def test_the_log_keeps_requests_without_their_secrets() -> None:
    """Method, target and status are logged in order; of Authorization only the scheme."""
    with FakeRegistry() as registry, Client(registry) as client:
        registry.push("team/app", OTHER, "v1")
        client.ask("GET", f"{MANIFESTS}/v1", headers={"Authorization": "Basic c2VjcmV0"})
        client.ask("GET", f"{MANIFESTS}/absent")
        log = registry.requests
        assert [(each.method, each.target, each.status) for each in log] == [
            ("GET", f"{MANIFESTS}/v1", 200),
            ("GET", f"{MANIFESTS}/absent", 404),
        ]
        assert "c2VjcmV0" not in repr(log)
        assert log[0].headers["authorization"].startswith("Basic")
        assert registry.count("GET", "absent") == 1
        registry.clear_log()
        assert registry.requests == ()


def test_a_hook_can_move_a_tag_between_two_requests() -> None:
    """`on_request` runs before the answer is made, so what it changes is what the client sees."""

    def move(request: LoggedRequest) -> None:
        if request.target.endswith("/v1"):
            registry.push("team/app", OTHER, "v1")

    with FakeRegistry(on_request=move) as registry, Client(registry) as client:
        registry.push("team/app", IMAGE, "v1")
        assert client.ask("HEAD", f"{MANIFESTS}/v1")[1]["Docker-Content-Digest"] == OTHER.top


def test_planned_failures_come_once_and_only_where_they_fit() -> None:
    """The next fitting requests get the error and do nothing; the one after them is answered."""
    with FakeRegistry() as registry, Client(registry) as client:
        registry.push("team/app", OTHER, "v1")
        registry.fail_next(2, status=503, method="DELETE", headers={"Retry-After": "7"})
        assert client.ask("GET", f"{MANIFESTS}/v1")[0] == 200
        assert [client.ask("DELETE", f"{MANIFESTS}/v1")[0] for _ in range(3)] == [503, 503, 202]


@pytest.mark.parametrize("performed", [True, False], ids=["performed", "not performed"])
def test_a_connection_can_be_lost(*, performed: bool) -> None:
    """The connection is closed without an answer, before or after the deletion."""
    with FakeRegistry() as registry:
        registry.push("team/app", OTHER, "v1")
        registry.drop_next(performed=performed)
        with Client(registry) as client, pytest.raises(http.client.RemoteDisconnected):
            client.ask("DELETE", f"{MANIFESTS}/v1")
        assert ("v1" in registry.tags("team/app")) is not performed


def test_a_rate_limit_comes_after_so_many_requests() -> None:
    """After the allowed requests come the rejections, then it begins anew."""
    with FakeRegistry(rate_limit=RateLimit(allowed=2, rejections=2, retry_after=9)) as registry:
        registry.push("team/app", OTHER, "v1")
        with Client(registry) as client:
            answers = [client.ask("HEAD", f"{MANIFESTS}/v1") for _ in range(6)]
        assert [status for status, _, _ in answers] == [200, 200, 429, 429, 200, 200]
        assert answers[2][1]["Retry-After"] == "9"


def test_a_rate_limit_may_be_for_one_method_and_by_the_clock() -> None:
    """Only requests of the method count; early tries are refused, and when the time is up it begins anew."""
    clock = InstantClock()
    limit = TimedLimit(allowed=1, seconds=60, clock=clock, form=RetryForm.X_RETRY_AFTER, method="DELETE")
    with FakeRegistry(rate_limit=limit) as registry, Client(registry) as client:
        registry.push("team/app", OTHER, "v1", "v2", "v3")
        assert client.ask("DELETE", f"{MANIFESTS}/v1")[0] == 202
        status, headers, _ = client.ask("DELETE", f"{MANIFESTS}/v2")
        assert (status, headers["X-Retry-After"]) == (429, str(int(clock.now().timestamp()) + 60))
        assert client.ask("HEAD", f"{MANIFESTS}/v2")[0] == 200
        clock.sleep(59)
        assert client.ask("DELETE", f"{MANIFESTS}/v2")[0] == 429
        clock.sleep(1)
        assert client.ask("DELETE", f"{MANIFESTS}/v2")[0] == 202


def test_a_mistake_in_a_hook_is_raised_and_not_taken_for_a_lost_connection() -> None:
    """The client gets an answer, and the with block ends with what the hook raised."""

    def mistaken(request: LoggedRequest) -> None:
        assert request.method != "GET", "the hook's own words"

    def use() -> None:
        with FakeRegistry(on_request=mistaken) as registry, Client(registry) as client:
            assert client.ask("GET", "/v2/")[0] == 500
            assert client.ask("HEAD", "/v2/")[0] == 200

    with pytest.raises(AssertionError, match="the hook's own words"):
        use()


def test_half_of_a_body_is_not_stored() -> None:
    """A client that dies in the middle of a push leaves nothing, though crane's registry checks no digest."""
    with FakeRegistry(CRANE) as registry:
        with socket.create_connection(("127.0.0.1", int(registry.host.rpartition(":")[2]))) as raw:
            raw.sendall(f"PUT {MANIFESTS}/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
            raw.shutdown(socket.SHUT_WR)
            assert raw.recv(100) == b""
        assert registry.tags("team/app") == {}


def test_the_end_ends_connections_with_tls_too(tmp_path: Path) -> None:
    """Connections are closed at the end of the block whether or not they are encrypted, and links say https."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1")
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with FakeRegistry(replace(OCI, page_size=1, link=LinkForm.ABSOLUTE), tls=tls) as registry:
        registry.push("team/app", OTHER, "v1", "v2")
        host, _, port = registry.host.partition(":")
        raw = trusting.wrap_socket(socket.create_connection((host, int(port)), timeout=10))
        raw.sendall(b"GET /v2/team/app/tags/list HTTP/1.1\r\nHost: x\r\n\r\n")
        assert f"Link: <https://{registry.host}/v2/".encode() in raw.recv(4096)
    with raw, contextlib.suppress(ConnectionError, ssl.SSLError):
        assert raw.recv(100) == b""


def test_a_switch_that_forgets_tags_lets_them_be_deleted() -> None:
    """Distribution 3.0.0 to 3.1.0 delete tags with deletion switched off; digests are refused."""
    with FakeRegistry(without_deletion(DISTRIBUTION_3_0_0)) as registry, Client(registry) as client:
        registry.push("team/app", OTHER, "v1", "v2")
        assert client.ask("DELETE", f"{MANIFESTS}/{OTHER.top}")[0] == 405
        assert client.ask("DELETE", f"{MANIFESTS}/v1")[0] == 202
        assert set(registry.tags("team/app")) == {"v2"}


def test_a_page_that_is_too_large_is_refused_or_cut() -> None:
    """Distribution 3.1.0 answers 400 to more than a thousand, the later ones give a thousand with a Link."""
    tags = [f"t{number:04}" for number in range(1001)]
    for dialect, status in ((DISTRIBUTION_3_1_0, 400), (DISTRIBUTION_3, 200)):
        with FakeRegistry(dialect) as registry, Client(registry) as client:
            registry.push("team/app", OTHER, *tags)
            found, headers, _ = client.ask("GET", "/v2/team/app/tags/list?n=1001")
            assert (found, "Link" in headers) == (status, status == 200)


def test_deletion_in_no_repository_is_answered_as_the_dialect_does() -> None:
    """Zot says 400 where others say 404."""
    for dialect, status in ((ZOT, 400), (DISTRIBUTION_3, 404)):
        with FakeRegistry(dialect) as registry, Client(registry) as client:
            assert client.ask("DELETE", f"{MANIFESTS}/v1")[0] == status


def test_what_was_moved_or_deleted_counts_no_more() -> None:
    """A tag that moved on does not go with its old digest; a parent or referrer that was deleted holds nothing."""
    child, proof = IMAGE.children[0], images.referrer(OTHER.manifest)
    with FakeRegistry(ZOT) as registry, Client(registry) as client:
        registry.push("team/app", IMAGE, "v1", "v2")
        registry.push("team/app", OTHER, "v2")
        registry.push("team/app", proof)
        assert client.ask("DELETE", f"{MANIFESTS}/{child.digest}")[0] == 405
        assert client.ask("DELETE", f"{MANIFESTS}/{IMAGE.top}")[0] == 202
        assert registry.tags("team/app") == {"v2": OTHER.top}
        assert client.ask("DELETE", f"{MANIFESTS}/{child.digest}")[0] == 202
        assert client.ask("DELETE", f"{MANIFESTS}/{proof.top}")[0] == 202
        assert json.loads(client.ask("GET", f"/v2/team/app/referrers/{OTHER.top}")[2])["manifests"] == []


def test_basic_access_wants_the_right_password() -> None:
    """Without credentials 401 with a challenge; without the right 403."""
    access = BasicAccess(granted=frozenset({"pull"}))
    with FakeRegistry(access=access) as registry, Client(registry) as client:
        registry.push("team/app", OTHER, "v1")
        status, headers, _ = client.ask("GET", "/v2/")
        assert (status, headers["WWW-Authenticate"]) == (401, 'Basic realm="fake registry"')
        right = {"Authorization": "Basic dXNlcjpzZWNyZXQ="}
        assert client.ask("GET", f"{MANIFESTS}/v1", headers=right)[0] == 200
        assert client.ask("DELETE", f"{MANIFESTS}/v1", headers=right)[0] == 403


def test_a_token_server_grants_less_without_a_word() -> None:
    """Asked for pull and delete, it hands out a token for pull; the DELETE is then 401 with the missing scope."""
    access = BearerAccess(granted=frozenset({"pull"}))
    with FakeRegistry(access=access) as registry, Client(registry) as client:
        registry.push("team/app", OTHER, "v1")
        challenge = client.ask("DELETE", f"{MANIFESTS}/v1")[1]["WWW-Authenticate"]
        assert 'scope="repository:team/app:delete"' in challenge
        login = {"Authorization": "Basic dXNlcjpzZWNyZXQ="}
        token = json.loads(client.ask("GET", "/token?scope=repository:team/app:pull,delete", headers=login)[2])["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.ask("GET", f"{MANIFESTS}/v1", headers=bearer)[0] == 200
        status, headers, _ = client.ask("DELETE", f"{MANIFESTS}/v1", headers=bearer)
        assert status == 401
        assert 'error="insufficient_scope"' in headers["WWW-Authenticate"]


def test_an_identity_token_is_as_good_as_a_password() -> None:
    """POST with a refresh token gives an access token; a wrong one gives 401."""
    with FakeRegistry(access=BearerAccess()) as registry, Client(registry) as client:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for secret, status in (("identity", 200), ("wrong", 401)):
            body = f"grant_type=refresh_token&refresh_token={secret}&scope=repository:a/b:pull".encode()
            assert client.ask("POST", "/token", body, form)[0] == status


def test_plain_collection_keeps_untagged_manifests() -> None:
    """Without `untagged` a manifest that nobody tags stays with its blobs; blobs of deleted ones go."""
    with FakeRegistry(DISTRIBUTION_2_8) as registry, Client(registry) as client:
        registry.push("team/app", IMAGE, "v1")
        registry.push("team/app", OTHER)
        assert registry.collect_garbage(untagged=False).blobs == frozenset()
        assert client.ask("DELETE", f"{MANIFESTS}/{OTHER.top}")[0] == 202
        gone = registry.collect_garbage(untagged=False)
        shared = IMAGE.blobs.keys() & OTHER.blobs.keys()
        assert gone.blobs == OTHER.blobs.keys() - shared
        assert gone.bytes_freed == sum(len(OTHER.blobs[digest]) for digest in gone.blobs)


def test_collection_of_untagged_manifests_spares_what_tags_reach() -> None:
    """Children of a tagged index and referrers of what is tagged stay; the rest goes."""
    proof = images.referrer(IMAGE.manifests[0])
    stray = images.referrer(OTHER.manifest)
    with FakeRegistry() as registry:
        registry.push("team/app", IMAGE, "v1")
        for each in (proof, OTHER, stray):
            registry.push("team/app", each)
        before = registry.stored_bytes()
        gone = registry.collect_garbage()
        assert gone.manifests == {OTHER.top, stray.top}
        assert registry.manifests("team/app").keys() == {each.digest for each in (*IMAGE.manifests, proof.manifest)}
        assert registry.stored_bytes() == before - gone.bytes_freed


def test_deleting_a_digest_may_leave_the_tags() -> None:
    """A tag outlives its digest on crane's registry: it keeps a tag alive whose digest was deleted."""
    with FakeRegistry(CRANE) as registry, Client(registry) as client:
        registry.push("team/app", OTHER, "v1")
        assert client.ask("DELETE", f"{MANIFESTS}/{OTHER.top}")[0] == 202
        assert client.ask("HEAD", f"{MANIFESTS}/{OTHER.top}")[0] == 404
        assert client.ask("HEAD", f"{MANIFESTS}/v1")[0] == 200


DENIED = Refusal(status=409, code="DENIED")


@pytest.mark.parametrize(
    "dialect",
    [
        replace(OCI, name="protects children", child_delete=DENIED),
        replace(OCI, name="protects what is tagged", tagged_delete=DENIED),
        replace(OCI, name="read only", read_only=DENIED),
    ],
    ids=lambda dialect: dialect.name,
)
def test_a_refusal_leaves_everything(dialect: Dialect) -> None:
    """What a dialect protects stays, and the refusal is the one that the dialect names."""
    with FakeRegistry(dialect) as registry, Client(registry) as client:
        registry.push("team/app", IMAGE, "v1")
        registry.push(
            "team/app", IMAGE.__class__(manifests=IMAGE.manifests[:1], blobs={}, top=IMAGE.manifests[0].digest), "c"
        )
        status, _, body = client.ask("DELETE", f"{MANIFESTS}/{IMAGE.manifests[0].digest}")
        assert (status, json.loads(body)["errors"][0]["code"]) == (409, "DENIED")
        assert set(registry.tags("team/app")) == {"c", "v1"}


def test_nonsense_on_the_wire_ends_only_that_connection() -> None:
    """A client that speaks no HTTP is cut off, and the next one is served."""
    with FakeRegistry() as registry, Client(registry) as client:
        with socket.create_connection(("127.0.0.1", int(registry.host.rpartition(":")[2]))) as raw:
            raw.sendall(b"hello\r\n\r\n")
            assert raw.recv(100) == b""
        assert client.ask("GET", "/v2/")[0] == 200


def test_it_serves_only_inside_its_block() -> None:
    """Outside the with block there is no address, and connections are refused."""
    registry = FakeRegistry()
    with pytest.raises(RuntimeError):
        _ = registry.host
    with registry:
        address = ("127.0.0.1", int(registry.host.rpartition(":")[2]))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
