"""RegistryClient: what is sent where, and what is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tagsweep.http.auth import Credentials
from tagsweep.http.challenge import Scope
from tagsweep.http.client import RegistryClient
from tagsweep.http.hosts import is_loopback, origin, url_is_loopback
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied, ProtocolViolation
from tagsweep.ports import Request, Response
from tests.unit.http.helpers import FakeClock, Notes, Script, answer

BASE = "https://registry.example.com"
READ = Scope.repository("a", "pull")
USER = Credentials(username="u", password="p", found_in="here")


def client(
    respond: Callable[[Request], Response | Exception], *, base: str = BASE, plain: bool = False
) -> tuple[RegistryClient, Script]:
    script = Script(respond)
    made = RegistryClient(
        transport=script,
        base_url=base,
        place="registry.example.com",
        lookup=lambda _: USER,
        clock=FakeClock(),
        progress=Notes(),
        plain=plain,
    )
    return made, script


def with_basic(respond: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def both(request: Request) -> Response:
        if request.url.startswith(BASE) and "Authorization" not in request.headers:
            return answer(request, 401, www_authenticate="Basic")
        return respond(request)

    return both


def test_authorization_never_follows_to_another_host() -> None:
    """A blob's redirect to storage is followed, and the storage sees no Authorization."""

    def respond(request: Request) -> Response:
        if request.url.startswith(BASE):
            return answer(request, 307, location="https://storage.example.net/x?sig=1")
        return answer(request, 200, b"bytes")

    made, script = client(with_basic(respond))
    assert made.send("GET", "/v2/a/blobs/x", scope=READ, headers={"Accept": "*/*"}).body == b"bytes"
    assert script.lines[-1] == "GET https://storage.example.net/x?sig=1"
    assert dict(script.sent[-1].headers) == {"Accept": "*/*"}
    assert all("Authorization" not in sent.headers for sent in script.sent if "storage" in sent.url)


def test_a_redirect_at_home_keeps_its_authorization() -> None:
    """The same scheme, host and port is still the registry."""

    def respond(request: Request) -> Response:
        return answer(request, 200) if request.url.endswith("/new") else answer(request, 301, location="/new")

    made, script = client(with_basic(respond))
    assert made.send("HEAD", "/old", scope=READ, headers={}).status == 200
    assert script.lines[-1] == f"HEAD {BASE}/new"
    assert "Authorization" in script.sent[-1].headers


bad_redirects = [
    ("GET", "http://registry.example.com/v2/"),
    ("GET", "http://127.0.0.1:8080/"),
    ("HEAD", "http://localhost/"),
    ("GET", "ftp://registry.example.com/"),
    ("GET", ""),
    ("DELETE", "https://registry.example.com/elsewhere"),
    ("PUT", "https://registry.example.com/elsewhere"),
]


@pytest.mark.parametrize(("method", "location"), bad_redirects)
def test_a_redirect_that_is_not_safe_is_refused(method: str, location: str) -> None:
    """Down to plain http, to what listens here, to other protocols, and of anything that changes something: never."""
    made, script = client(lambda request: answer(request, 302, location=location))
    with pytest.raises(ProtocolViolation, match="redirected"):
        made.send(method, "/v2/a", scope=READ, headers={})
    assert len(script.sent) == 1


def test_a_plain_registry_may_redirect_to_plain_storage() -> None:
    """Where the user allowed plain http in words, its storage may be plain too."""

    def respond(request: Request) -> Response:
        return answer(request, 200) if "storage" in request.url else answer(request, 307, location="http://storage/x")

    made, _ = client(respond, base="http://registry.lan", plain=True)
    assert made.send("GET", "/v2/a", scope=READ, headers={}).status == 200


def test_a_registry_on_this_machine_may_redirect_to_this_machine() -> None:
    """With TLS on loopback, plain storage beside it never leaves the machine."""

    def respond(request: Request) -> Response:
        return answer(request, 200) if ":9000" in request.url else answer(request, 307, location="http://[::1]:9000/x")

    made, _ = client(respond, base="https://localhost:5000")
    assert made.send("GET", "/v2/a", scope=READ, headers={}).status == 200


@pytest.mark.parametrize(
    "url", ["https://evil.example.net/v2/", "http://registry.example.com/", f"{BASE}:444/", "x://"]
)
def test_a_url_of_another_origin_is_not_asked(url: str) -> None:
    """What a registry calls the next page cannot draw Authorization to another host."""
    made, script = client(with_basic(lambda request: answer(request, 200)))
    with pytest.raises(ProtocolViolation, match="at another host"):
        made.send("GET", url, scope=READ, headers={})
    assert script.sent == []
    assert made.send("GET", f"{BASE}/v2/", scope=READ, headers={}).status == 200


def test_redirects_end() -> None:
    """A circle of redirects is an error after a few hops."""
    made, script = client(lambda request: answer(request, 302, location="/again"))
    with pytest.raises(ProtocolViolation, match="more than 5 redirects"):
        made.send("GET", "/v2/a", scope=READ, headers={})
    assert len(script.sent) == 6


def test_every_request_on_the_wire_is_counted() -> None:
    """Challenges, retries and redirects are requests as well; the counts are a copy."""
    statuses = iter([503, 200])
    made, script = client(with_basic(lambda request: answer(request, next(statuses))))
    made.send("GET", "/v2/a", scope=READ, headers={})
    before = made.counts
    assert before == {"GET": 3}
    assert len(script.sent) == 3
    with pytest.raises(TypeError):
        before["GET"] = 0  # type: ignore[index] # the point of the test


def test_the_circuit_breaks_after_many_refusals() -> None:
    """After ten refusals in a row of one kind of request nothing more is sent."""
    made, script = client(lambda request: answer(request, 403))
    for _ in range(10):
        assert made.send("DELETE", "/v2/a/manifests/x", scope=READ, headers={}).status == 403
    with pytest.raises(PermissionDenied, match="10 times in a row"):
        made.send("DELETE", "/v2/a/manifests/x", scope=READ, headers={})
    assert len(script.sent) == 10


def test_rejected_credentials_break_the_circuit_too() -> None:
    """401s count like 403s, and the credentials themselves are tried only once."""
    made, script = client(lambda request: answer(request, 401, www_authenticate="Basic"))
    for _ in range(10):
        with pytest.raises(AuthenticationFailed):
            made.send("GET", "/v2/a", scope=READ, headers={})
    with pytest.raises(PermissionDenied, match="in a row"):
        made.send("GET", "/v2/a", scope=READ, headers={})
    assert sum("Authorization" in sent.headers for sent in script.sent) == 1


def test_closing_closes_the_transport() -> None:
    """The connections are given back."""
    made, script = client(lambda request: answer(request, 200))
    made.close()
    assert script.closed


good_loopbacks = ["localhost", "localhost:5000", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:5000", "a.localhost"]
bad_loopbacks = [
    "",
    "localhost.example.com",
    "10.0.0.1",
    "192.168.1.1:5000",
    "127.0.0.1.example.com",
    "[::2]",
    "0.0.0.1",
    "[x",
    "notlocalhost",
]


def test_loopback_is_told_by_the_text_alone() -> None:
    """Only what can never leave the machine counts; private networks do not."""
    assert all(map(is_loopback, good_loopbacks))
    assert not any(map(is_loopback, bad_loopbacks))
    assert url_is_loopback("http://user@127.0.0.1:80")
    assert not url_is_loopback("http://127.0.0.1@evil.example.com")


def test_origins_compare_with_their_ports_filled_in() -> None:
    """The default port and the case of the host make no difference; a broken URL equals nothing."""
    assert origin("https://A.example.com/x") == origin("HTTPS://a.example.com:443/y")
    assert origin("http://a.example.com") != origin("https://a.example.com")
    assert origin("https://a.example.com:99999/") == ("", "", None)
