"""Hosts by their real names: a proxy that ends TLS for them and passes each request on to a fake on this machine."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True, slots=True)
class Behind:
    """What is behind a name: the address of a fake, and the path below which it serves what the name serves."""

    address: str
    prefix: str = ""


@contextmanager
def named_hosts(folder: Path, behind: Mapping[str, Behind]) -> Iterator[dict[str, str]]:
    """Serve the names, and yield the environment in which a program reaches them by their real addresses.

    Certificates are made in ``folder`` by the openssl program. A name that is not in ``behind`` is refused with 502.
    """
    ca, chain = _certificates(folder, tuple(behind))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)

    class Handler(_Handler):
        hosts = behind
        tls = context

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        proxy = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "no_proxy": "", "SSL_CERT_FILE": str(ca)}
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hosts: Mapping[str, Behind]
    tls: ssl.SSLContext
    name: str = ""

    def do_CONNECT(self) -> None:
        """Begin TLS for a name that is served."""
        name = self.path.rpartition(":")[0]
        if name not in self.hosts:
            self.send_error(502, f"{name} is not served here")
            return
        self.send_response(200)
        self.end_headers()
        self.name = name
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def _pass_on(self) -> None:
        behind = self.hosts[self.name]
        size = int(self.headers.get("Content-Length") or 0)
        upstream = http.client.HTTPConnection(behind.address, timeout=60)
        try:
            upstream.putrequest(self.command, behind.prefix + self.path, skip_host=True, skip_accept_encoding=True)
            upstream.putheader("Host", behind.address)
            for key, value in self.headers.items():
                if key.lower() not in _HOP_BY_HOP:
                    upstream.putheader(key, value)
            if size or self.command in {"POST", "PUT", "PATCH"}:
                upstream.putheader("Content-Length", str(size))
            upstream.endheaders(self.rfile.read(size) if size else None)
            answer = upstream.getresponse()
            body = answer.read()
            headers = answer.getheaders()
        finally:
            upstream.close()
        here, there = f"https://{self.name}", f"http://{behind.address}{behind.prefix}"
        fake = f"http://{behind.address}"
        self.send_response(answer.status)
        length = dict(headers).get("Content-Length") if self.command == "HEAD" else None
        text = body.replace(there.encode(), here.encode())
        for key, value in headers:
            if key.lower() not in _HOP_BY_HOP and key.lower() not in {"date", "server"}:
                self.send_header(key, value.replace(there, here).replace(fake, here))
        self.send_header("Content-Length", length if length is not None else str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def finish(self) -> None:
        """Also close what TLS was laid over; the socket below it is closed by the server."""
        super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the names that it looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing on standard error."""


def _certificates(folder: Path, names: tuple[str, ...]) -> tuple[Path, Path]:
    """Return a CA's certificate, and a certificate of it with its key for all names."""
    folder.mkdir(parents=True, exist_ok=True)
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    _openssl(folder, *new, "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem")
    alternatives = ",".join(f"DNS:{name}" for name in names)
    _openssl(
        folder, *new, "-subj", "/CN=served here", "-addext", f"subjectAltName={alternatives}",
        "-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-keyout", "served.key", "-out", "served.crt",
    )  # fmt: skip
    chain = folder / "served.pem"
    chain.write_bytes((folder / "served.crt").read_bytes() + (folder / "served.key").read_bytes())
    return folder / "ca.pem", chain


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
