"""Where an engine answers: ``unix://`` and ``tcp://`` addresses as the Docker CLI reads them, with their TLS files."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tagsweep.http.hosts import url_is_loopback
from tagsweep.model.errors import ConfigurationError, PermissionDenied, Unreachable
from tagsweep.sources.jsonapi import Endpoint
from tagsweep.sources.options import Options

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_PLAIN_PORT, _TLS_PORT = 2375, 2376
_FILES: Final = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
_FORWARD: Final = (
    "forward the socket, ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, "
    "and write host: unix:///tmp/docker.sock"
)


def read_endpoint(options: Options, environ: Mapping[str, str], *, base: str) -> Endpoint:
    """Return the engine's endpoint from the options host, ca, cert, key and plain_http, or from DOCKER_HOST.

    Raises ConfigurationError for what cannot be used; the address itself is not shown, it may hold a password.
    """
    written = options.text("host")
    files = {name: options.text(name) for name in _FILES}
    plain = options.flag("plain_http")
    host = written or environ.get("DOCKER_HOST", "").strip() or DEFAULT_HOST
    scheme, separator, rest = host.partition("://")
    if separator and scheme == "unix" and rest.startswith("/"):
        return Endpoint(url="http://localhost", unix_socket=rest)
    if scheme == "ssh":
        raise options.error("host", "is an ssh address, which is not supported", remedy=_FORWARD)
    if not separator or scheme != "tcp":
        raise options.error(
            "host", "is no address of an engine", remedy="write unix:///path/of/the.sock or tcp://host:2376"
        )
    given = {name: str(Path(base) / path) for name, path in files.items() if path is not None}
    # As the Docker CLI has it: DOCKER_CERT_PATH only says where the files are that DOCKER_TLS_VERIFY asks for.
    asked = written is None and bool(environ.get("DOCKER_TLS_VERIFY"))
    if not given and asked:
        directory = environ.get("DOCKER_CERT_PATH") or str(Path(environ.get("HOME", "/")) / ".docker")
        given = {name: str(Path(directory) / file) for name, file in _FILES.items()}
    if ("cert" in given) != ("key" in given):
        raise options.error("cert", "and key belong together", remedy="name both files, or neither")
    return _over_tcp(options, rest, given, plain=plain)


def _over_tcp(options: Options, rest: str, given: Mapping[str, str], *, plain: bool) -> Endpoint:
    wrong = options.error("host", "is no address of an engine", remedy="write tcp://host:2376")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise wrong
    name = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/")
    if given:
        return Endpoint(
            url=f"https://{name}:{port or _TLS_PORT}{path}",
            ca=given.get("ca", ""),
            certificate=given.get("cert", ""),
            key=given.get("key", ""),
        )
    url = f"http://{name}:{port or _PLAIN_PORT}"
    if not plain and not url_is_loopback(url):
        raise options.error(
            "host",
            "is on another machine, and no TLS files are named",
            remedy="name ca, cert and key, or write plain_http: true if nobody between can change the answers",
        )
    return Endpoint(url=url + path)


def check_socket(path: str, *, place: str) -> None:
    """Raise an error that says what is wrong with the unix socket, where something is: libcurl does not tell."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(10.0)
        try:
            probe.connect(path)
        except PermissionError as error:
            raise PermissionDenied(
                f"{place}: this user may not use the socket {path}",
                remedy="run tagsweep as root or as a member of the socket's group (docker), or name another socket",
            ) from error
        except OSError as error:
            if error.errno is None and not isinstance(error, TimeoutError):
                raise ConfigurationError(
                    f"source {place}: {path} is too long for the path of a socket", remedy="write a shorter host"
                ) from error
            what = {errno.ENOENT: "there is no socket", errno.ECONNREFUSED: "nothing answers at the socket"}
            raise Unreachable(
                f"{place}: {what.get(error.errno or 0, 'no connection to the socket')} {path}",
                remedy="start the engine (podman: systemctl start podman.socket), or name its socket as host",
            ) from error
