"""The client of vendors' JSON APIs: what it sends, what it follows, what it never takes for an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tagsweep.http.breaker import THRESHOLD
from tagsweep.http.rest import Authorize, RestClient, as_nobody
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied, ProtocolViolation, Unreachable
from tagsweep.ports import Request, Response
from tests.unit.http.helpers import FakeClock, Notes, Script, answer

BASE = "https://api.example/v1"


def client(
    respond: Callable[[Request], Response | Exception], *, authorize: Authorize = as_nobody
) -> tuple[RestClient, Script]:
    """Return a client of a scripted API."""
    script = Script(respond)
    rest = RestClient(
        transport=script,
        base_url=BASE,
        place="registry.example",
        clock=FakeClock(),
        progress=Notes(),
        authorize=authorize,
    )
    return rest, script


def test_an_empty_answer_is_not_an_absent_thing() -> None:
    """Only a 404 says that there is nothing; a 200 without a body says nothing at all."""
    rest, _ = client(lambda request: answer(request, 404 if "absent" in request.url else 200))
    assert rest.find("/absent", doing="look") is None
    with pytest.raises(ProtocolViolation, match="the answer is empty"):
        rest.find("/there", doing="look")


@pytest.mark.parametrize("body", [b"<html>", b"{", b"[" * 100_000])
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    """Whatever a proxy answers with 200 is not read as anything."""
    rest, _ = client(lambda request: answer(request, 200, body))
    with pytest.raises(ProtocolViolation, match="not JSON"):
        rest.ask("GET", "/list", doing="list")


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_redirect_is_not_followed(method: str) -> None:
    """Authorization would go along; nothing is sent a second time."""
    rest, script = client(lambda request: answer(request, 302, location="https://elsewhere.example/"))
    with pytest.raises(ProtocolViolation, match="redirected"):
        rest.send(method, "/thing")
    assert len(script.sent) == 1


@pytest.mark.parametrize("following", ["https://elsewhere.example/v1/list", "http://api.example/v1/list"])
def test_a_page_of_another_origin_is_not_asked_for(following: str) -> None:
    """A Link and a page's own address are held to the same: another host or plain http ends the listing."""
    rest, script = client(lambda request: answer(request, 200, b"[]", link=f'<{following}>; rel="next"'))
    with pytest.raises(ProtocolViolation, match="another host"):
        list(rest.pages("/list", doing="list"))
    with pytest.raises(ProtocolViolation, match="another host"):
        list(rest.pages("/list", doing="list", following=lambda _, __: following))
    assert script.lines == [f"GET {BASE}/list"] * 2


def test_pages_that_turn_in_a_circle_end_in_an_error() -> None:
    """Hazard 43: what was read already is not read again, and the end was not seen."""
    rest, script = client(lambda request: answer(request, 200, b"[]", link=f'<{BASE}/list?page=1>; rel="next"'))
    with pytest.raises(ProtocolViolation, match="circle"):
        list(rest.pages("/list", doing="list"))
    assert len(script.sent) == 2


@pytest.mark.parametrize("method", ["DELETE", "POST"])
@pytest.mark.parametrize("lost", [True, False], ids=["lost answer", "502"])
def test_what_changes_something_is_never_repeated_blindly(method: str, *, lost: bool) -> None:
    """After a lost answer or a 502 it may have been done: whoever asked looks first."""
    rest, script = client(lambda request: Unreachable("gone") if lost else answer(request, 502))
    if lost:
        with pytest.raises(Unreachable):
            rest.send(method, "/thing")
    else:
        assert rest.send(method, "/thing").status == 502
    assert len(script.sent) == 1


def test_a_token_that_ended_is_renewed_once() -> None:
    """A 401 asks for other headers; the same again, or none, is AuthenticationFailed without the token."""
    tokens = iter(["old-secret", "new-secret"])
    held = {"Authorization": next(tokens)}

    def authorize(refused: Mapping[str, str] | None) -> Mapping[str, str]:
        if refused is not None:
            held["Authorization"] = next(tokens, held["Authorization"])
        return dict(held)

    def respond(request: Request) -> Response:
        return answer(request, 200 if request.headers["Authorization"] == "new-secret" else 401, b"{}")

    rest, script = client(respond, authorize=authorize)
    assert rest.ask("GET", "/thing", doing="look") == {}
    assert len(script.sent) == 2
    held["Authorization"] = "worn-secret"
    with pytest.raises(AuthenticationFailed) as caught:
        rest.ask("GET", "/thing", doing="look")
    assert "secret" not in f"{caught.value!r} {caught.value.remedy}"
    assert len(script.sent) == 3


def test_refusals_of_one_thing_say_nothing_of_another() -> None:
    """The breaker counts by what a request is about, and its words name that."""
    rest, script = client(lambda request: answer(request, 403))
    for _ in range(THRESHOLD):
        with pytest.raises(PermissionDenied, match="403"):
            rest.ask("GET", "/one", doing="look", about="acme/one")
        with pytest.raises(PermissionDenied, match="403"):
            rest.find("/whole", doing="look")
    sent = len(script.sent)
    with pytest.raises(PermissionDenied, match="refused GET on acme/one"):
        rest.ask("GET", "/one", doing="look", about="acme/one")
    with pytest.raises(PermissionDenied, match=r"refused GET on registry\.example"):
        rest.find("/whole", doing="look")
    assert len(script.sent) == sent
    with pytest.raises(PermissionDenied, match="403"):
        rest.ask("GET", "/two", doing="look", about="acme/two")


@pytest.mark.parametrize(
    ("body", "sent", "kind"),
    [
        ({"a": 1}, b'{"a": 1}', "application/json"),
        (b"items.find()", b"items.find()", "application/json"),
        (None, None, None),
    ],
)
def test_a_body_is_json_unless_it_is_bytes(body: Any, sent: bytes | None, kind: str | None) -> None:
    """Without a body there is no type of one."""
    rest, script = client(lambda request: answer(request, 200, json.dumps([]).encode()))
    rest.ask("POST", "/thing", doing="ask", body=body)
    (request,) = script.sent
    assert request.body == sent
    assert request.headers.get("Content-Type") == kind
