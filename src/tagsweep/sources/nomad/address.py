"""Where Nomad answers and who asks: the options and environment variables that its own command line reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tagsweep.http.hosts import url_is_loopback
from tagsweep.model.errors import ConfigurationError
from tagsweep.sources.jsonapi import Endpoint
from tagsweep.sources.options import Options

_DEFAULT: Final = "http://127.0.0.1:4646"
_TLS: Final = {"ca": "NOMAD_CACERT", "cert": "NOMAD_CLIENT_CERT", "key": "NOMAD_CLIENT_KEY"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The endpoint, and where the token is: in ``token``, or in a file that is read when it is needed."""

    endpoint: Endpoint
    token: str = field(default="", repr=False)
    token_file: str = ""

    def read_token(self, *, place: str) -> str:
        """Return the token, or an empty text where there is none."""
        if not self.token_file:
            return self.token
        remedy = "token_file must name a readable file with the secret id of a Nomad token"
        try:
            token = Path(self.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ConfigurationError(
                f"source {place}: {self.token_file} cannot be read ({why})", remedy=remedy
            ) from error
        if not token or not token.isascii() or not token.isprintable():
            raise ConfigurationError(f"source {place}: {self.token_file} holds no token", remedy=remedy)
        return token


def read_access(options: Options, environ: Mapping[str, str], *, base: str) -> Access:
    """Return what the options address, token_file, ca, cert, key and plain_http say, with Nomad's own variables behind.

    The token itself is never an option: a policy is a file that many people read.
    """
    address = options.text("address") or environ.get("NOMAD_ADDR", "").strip() or _DEFAULT
    token_file = options.text("token_file")
    files = {}
    for name, variable in _TLS.items():
        path = options.text(name)
        files[name] = str(Path(base) / path) if path is not None else environ.get(variable, "")
    plain = options.flag("plain_http")
    if bool(files["cert"]) != bool(files["key"]):
        raise options.error("cert", "and key belong together", remedy="name both files, or neither")
    endpoint = _endpoint(options, address, files, plain=plain)
    if token_file is not None:
        return Access(endpoint=endpoint, token_file=str(Path(base) / token_file))
    return Access(endpoint=endpoint, token=environ.get("NOMAD_TOKEN", "").strip())


def _endpoint(options: Options, address: str, files: Mapping[str, str], *, plain: bool) -> Endpoint:
    wrong = options.error("address", "is no address of Nomad", remedy="write https://nomad.example:4646")
    if address.startswith("unix:///"):
        return Endpoint(url="http://localhost", unix_socket=address.removeprefix("unix://"))
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise wrong
    url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    if parts.scheme == "http" and not plain and not url_is_loopback(f"http://{parts.netloc}"):
        raise options.error(
            "address",
            "is plain http to another machine",
            remedy="use https, or write plain_http: true if nobody between can read or change what is said",
        )
    return Endpoint(url=url, ca=files["ca"], certificate=files["cert"], key=files["key"])
