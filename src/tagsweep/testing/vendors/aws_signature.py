"""Amazon's signature of requests, version 4, computed anew from its description, so that a wrong one is refused."""

from __future__ import annotations

import hashlib
import hmac

from tagsweep.testing.wire import WireRequest

_SCHEME = "AWS4-HMAC-SHA256"


def wrong_signature(request: WireRequest, *, key: str, secret: str, region: str, service: str) -> str:
    """Return the code of AWS's refusal of a request that this key did not sign for this service; empty where it did."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme != _SCHEME:
        return "MissingAuthenticationTokenException"
    told = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    owner, _, scope = told.get("Credential", "").partition("/")
    if owner != key:
        return "UnrecognizedClientException"
    stamp = request.headers.get("x-amz-date", "")
    names = told.get("SignedHeaders", "").split(";")
    if scope != f"{stamp[:8]}/{region}/{service}/aws4_request" or not {"host", "x-amz-target"} <= set(names):
        return "InvalidSignatureException"
    signed = _signature(request, names=names, stamp=stamp, scope=scope, secret=secret)
    return "" if hmac.compare_digest(signed, told.get("Signature", "")) else "InvalidSignatureException"


def _signature(request: WireRequest, *, names: list[str], stamp: str, scope: str, secret: str) -> str:
    path, _, query = request.target.partition("?")
    canonical = "\n".join(
        (
            request.method,
            path,
            query,
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    text = "\n".join((_SCHEME, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    derived = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        derived = hmac.new(derived, part.encode(), hashlib.sha256).digest()
    return derived.hex()
