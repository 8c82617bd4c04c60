"""Docker's old schema 1: its digest covers the signed payload, and it must not stop the rest (hazard 52)."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from tagsweep.drivers.oci_answers import raw_manifest
from tagsweep.drivers.schema1 import signed_payload
from tagsweep.model.errors import ProtocolViolation
from tagsweep.model.manifest import DOCKER_SCHEMA_1, OCI_MANIFEST, Unreadable
from tagsweep.model.reference import Digest
from tagsweep.ports import Response

_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(payload: bytes) -> bytes:
    """Return the payload with a signature in it, laid out as the old Docker did."""
    head = payload.rstrip(b"\n}").rstrip()
    tail = payload[len(head) :]
    protected = _encode(json.dumps({"formatLength": len(head), "formatTail": _encode(tail)}).encode())
    signature = json.dumps([{"header": {}, "signature": "c2ln", "protected": protected}])
    return head + b',\n   "signatures": ' + signature.encode() + b"\n}"


PAYLOAD = b'{\n   "schemaVersion": 1,\n   "name": "acme/api",\n   "fsLayers": [],\n   "history": []\n}'
DATA = signed(PAYLOAD)
DIGEST = Digest("sha256:" + hashlib.sha256(PAYLOAD).hexdigest())


def response(data: bytes, media_type: str, digest: Digest | None) -> Response:
    """Return the answer of a registry that has this manifest."""
    headers = {"content-type": media_type}
    if digest is not None:
        headers["docker-content-digest"] = digest
    return Response(status=200, url="https://registry.example/v2/acme/api/manifests/old", headers=headers, body=data)


@pytest.mark.parametrize("asked", [None, DIGEST])
@pytest.mark.parametrize("told", [None, DIGEST])
def test_the_digest_is_that_of_the_signed_payload(asked: Digest | None, told: Digest | None) -> None:
    """A signed schema 1 manifest is checked against its payload, and comes out unreadable by format, not as a fault."""
    raw = raw_manifest(response(DATA, _SIGNED, told), asked=asked, place="here", what="acme/api:old")
    assert raw.digest == DIGEST
    parsed = raw.parse()
    assert isinstance(parsed, Unreadable)
    assert "schema 1" in parsed.why
    assert parsed.media_type in DOCKER_SCHEMA_1


def test_another_payload_is_refused() -> None:
    """A signed manifest whose payload does not have the digest that was told is believed in nothing."""
    other = signed(PAYLOAD.replace(b"acme/api", b"acme/web"))
    with pytest.raises(ProtocolViolation):
        raw_manifest(response(other, _SIGNED, DIGEST), asked=None, place="here", what="acme/api:old")


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (DATA, OCI_MANIFEST),
        (b"{}", _SIGNED),
        (b"not JSON", _SIGNED),
        (b"[1]", _SIGNED),
        (DATA.replace(b'"fsLayers"', b'"layers"'), _SIGNED),
        (DATA.replace(b'"protected": "', b'"protected": "!!'), _SIGNED),
        (
            json.dumps({"fsLayers": [], "signatures": [{"protected": _encode(b'{"formatLength": -1}')}]}).encode(),
            _SIGNED,
        ),
    ],
)
def test_what_is_no_signed_schema_1_has_no_payload(data: bytes, media_type: str) -> None:
    """Every other document, and a signature that cannot be read, leaves the digest to the bytes themselves."""
    assert signed_payload(data, media_type) is None
