"""Which error an answer is."""

from __future__ import annotations

import json

import pytest

from tagsweep.http.failures import failure, read_error
from tagsweep.model import errors
from tagsweep.ports import Response


def body(code: str, message: str = "words", detail: object = None) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


good_kinds = [
    (401, b"", errors.AuthenticationFailed),
    (403, body("DENIED"), errors.PermissionDenied),
    (404, body("NAME_UNKNOWN"), errors.NotFound),
    (405, body("UNSUPPORTED"), errors.Unsupported),
    (405, b"", errors.Unsupported),
    (400, body("UNSUPPORTED"), errors.Unsupported),
    (405, body("DENIED"), errors.Conflict),
    (409, b"", errors.Conflict),
    (412, body("PRECONDITION"), errors.Conflict),
    (400, body("GOOGLE_MANIFEST_DANGLING_TAG"), errors.Conflict),
    (429, body("TOOMANYREQUESTS"), errors.RateLimited),
    (500, b"oops", errors.ServerFailed),
    (503, b"", errors.ServerFailed),
    (501, b"", errors.Unsupported),
    (400, body("MANIFEST_INVALID"), errors.RegistryError),
    (204, b"", errors.ProtocolViolation),
    (304, b"", errors.ProtocolViolation),
]


@pytest.mark.parametrize(("status", "content", "kind"), good_kinds)
def test_status_and_code_choose_the_error(status: int, content: bytes, kind: type[errors.RegistryError]) -> None:
    """The OCI code decides first, then the status; both are kept on the error."""
    error = failure(Response(status=status, url="https://r/v2/", body=content), place="r", doing="do it")
    assert type(error) is kind
    assert error.status == status
    assert str(error).startswith(f"r: cannot do it: {status}")


good_bodies = [
    (body("DENIED", "no", "team/app"), "DENIED", "no (team/app)", True),
    (b'{"errors":[{"code":"NOT_FOUND","message":"gone"}]}', "NOT_FOUND", "gone", True),
    (b'{"detail":"Rate limit exceeded","error":false}', "", "Rate limit exceeded", False),
    (b'{"details":"incorrect password"}', "", "incorrect password", False),
    (b'{"message":"no such thing"}', "", "no such thing", False),
    (b"404 page not found\n", "", "404 page not found", False),
    (b"<html><body>secret page</body></html>", "", "a web page", False),
    (b'{"errors":[]}', "", '{"errors":[]}', False),
    (b'{"errors":[{"message":"codeless"}]}', "", "codeless", False),
    (b"[1]", "", "[1]", False),
    (b"", "", "", False),
    (b"\xff\xfe", "", "\ufffd\ufffd", False),
]


@pytest.mark.parametrize(("content", "code", "message", "structured"), good_bodies)
def test_every_body_is_understood_somehow(content: bytes, code: str, message: str, structured: bool) -> None:  # noqa: FBT001 - a table's column
    """Registries' errors, other JSON, plain text, web pages and rubbish give short, clean words."""
    said = read_error(content)
    assert (said.code, said.message, said.structured) == (code, message, structured)


def test_a_body_cannot_flood_or_leak() -> None:
    """A long body is cut, and a token in it is hidden."""
    content = body("DENIED", "token=abcdef123456 " + "x" * 10_000)
    message = str(failure(Response(status=403, url="u", body=content), place="r", doing="read"))
    assert len(message) < 500
    assert "abcdef123456" not in message
