"""A token server whose tokens distribution believes: the standard's answers, signed with a key made for the test."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tagsweep.testing.vendors.asking import basic_of, json_answer
from tagsweep.testing.wire import Answer, WireRequest, WireServer

ISSUER = "tagsweep tests"
SERVICE = "registry of the tests"
USERNAME, PASSWORD = "sweeper", "secret-of-the-server"
_LIFE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenServer:
    """Where it answers, the certificate that proves its tokens, and a way to a token of one's own."""

    realm: str
    certificate: Path
    signer: _Signer

    def token(self, *scopes: str) -> str:
        """Return a token that grants all of the scopes."""
        return self.signer.token(scopes, everything=True)


class _Signer:
    """Makes tokens."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .sign(self._key, hashes.SHA256())
        )

    def token(self, scopes: Sequence[str], *, everything: bool) -> str:
        """Return a token; of each scope everything is granted or reading alone."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            granted = [action for action in actions.split(",") if everything or action == "pull"]
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": USERNAME if everything else "",
            "aud": SERVICE,
            "iat": now,
            "nbf": now - 5,
            "exp": now + _LIFE,
            "jti": uuid.uuid4().hex,
            "access": access,
        }
        der = self.certificate.public_bytes(Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        signed = f"{_part(header)}.{_part(claims)}"
        return f"{signed}.{_text(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@contextmanager
def token_server(directory: Path) -> Iterator[TokenServer]:
    """Run a token server for one user; anonymous users may read. The certificate is written into ``directory``."""
    signer = _Signer()

    def answer(request: WireRequest) -> Answer:
        login = basic_of(request)
        if login not in (None, (USERNAME, PASSWORD)):
            return json_answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong user or password"}]})
        scopes = " ".join(parse_qs(request.target.partition("?")[2]).get("scope", [])).split()
        token = signer.token(scopes, everything=login is not None)
        return json_answer(200, {"token": token, "expires_in": _LIFE})

    certificate = directory / "token.crt"
    certificate.write_bytes(signer.certificate.public_bytes(Encoding.PEM))
    server = WireServer(answer)
    try:
        yield TokenServer(realm=f"http://{server.host}/token", certificate=certificate, signer=signer)
    finally:
        server.close()


def _part(document: dict[str, Any]) -> str:
    return _text(json.dumps(document).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
