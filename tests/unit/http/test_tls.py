"""Trust: private CAs, self-signed certificates, client certificates, and where the system keeps its own."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tagsweep.http.curl_errors import UNTRUSTED
from tagsweep.http.transport import CurlTransport
from tagsweep.http.trust import Trust, as_bytes, find_trust
from tagsweep.model.errors import ConfigurationError, Unreachable
from tagsweep.ports import Request
from tests.unit.http.helpers import Reply, serve

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")


@dataclass(frozen=True)
class Certificates:
    """PEM files: a CA, a server and a client certificate of it, and a self-signed server certificate."""

    ca: Path
    server: Path
    client: Path
    self_signed: Path


def _openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make fresh certificates with openssl; RSA 2048 is quick enough and everywhere understood."""
    folder = tmp_path_factory.mktemp("tls")
    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    _openssl(*new, "-subj", "/CN=lab CA", "-keyout", "ca.key", "-out", "ca.pem", cwd=folder)
    for name in ("server", "client"):
        (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n", encoding="ascii")
        _openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
            "-out", f"{name}.csr",
            cwd=folder,
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.crt",
            cwd=folder,
        )  # fmt: skip
        _join(folder, name)
    _openssl(
        *new, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
        "basicConstraints=critical,CA:TRUE", "-keyout", "self.key", "-out", "self.crt",
        cwd=folder,
    )  # fmt: skip
    _join(folder, "self")
    return Certificates(folder / "ca.pem", folder / "server.pem", folder / "client.pem", folder / "self.pem")


def _join(folder: Path, name: str) -> None:
    text = (folder / f"{name}.crt").read_text(encoding="ascii") + (folder / f"{name}.key").read_text(encoding="ascii")
    (folder / f"{name}.pem").write_text(text, encoding="ascii")


def _context(certificate: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _status(transport: CurlTransport, url: str) -> int:
    try:
        return transport.send(Request(method="GET", url=url)).status
    finally:
        transport.close()


@needs_openssl
def test_a_private_ca_is_trusted_where_the_policy_names_it(certificates: Certificates) -> None:
    """`ca:` makes a registry with a private CA reachable."""
    with serve(lambda _: Reply(), tls=_context(certificates.server)) as server:
        assert _status(CurlTransport(place="r", ca=str(certificates.ca)), server.url) == 200


@needs_openssl
def test_a_self_signed_certificate_works_as_its_own_ca(certificates: Certificates) -> None:
    """Private registries commonly have one certificate that is server and CA at once (CA:TRUE)."""
    with serve(lambda _: Reply(), tls=_context(certificates.self_signed)) as server:
        assert _status(CurlTransport(place="r", ca=str(certificates.self_signed)), server.url) == 200


@needs_openssl
def test_an_unknown_ca_is_refused_with_the_remedy(certificates: Certificates) -> None:
    """Without `ca:` the error names the key of the policy that helps, and it is marked as not worth a retry."""
    with (
        serve(lambda _: Reply(), tls=_context(certificates.server)) as server,
        pytest.raises(Unreachable, match="certificate is not trusted") as caught,
    ):
        _status(CurlTransport(place="registry.lan"), server.url)
    assert "registries: registry.lan: ca:" in caught.value.remedy
    assert caught.value.code == UNTRUSTED


@needs_openssl
def test_another_name_in_the_certificate_is_refused(certificates: Certificates) -> None:
    """A good chain for another host is no trust in this one."""
    with serve(lambda _: Reply(), tls=_context(certificates.self_signed)) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(Unreachable, match="not trusted"):
            _status(CurlTransport(place="r", ca=str(certificates.self_signed)), url)


@needs_openssl
def test_a_client_certificate_is_shown(certificates: Certificates) -> None:
    """With it the server answers, without it the connection fails as one sentence."""
    ca, client = str(certificates.ca), str(certificates.client)
    with serve(lambda _: Reply(), tls=_context(certificates.server, certificates.ca)) as server:
        assert _status(CurlTransport(place="r", ca=ca, client_certificate=client), server.url) == 200
        with pytest.raises(Unreachable):
            _status(CurlTransport(place="r", ca=ca), server.url)


@needs_openssl
def test_ssl_cert_file_is_obeyed(certificates: Certificates) -> None:
    """SSL_CERT_FILE replaces the system's certificates."""
    environ = {"SSL_CERT_FILE": str(certificates.ca)}
    with serve(lambda _: Reply(), tls=_context(certificates.server)) as server:
        assert _status(CurlTransport(place="r", environ=environ), server.url) == 200


def test_https_to_a_server_without_tls_says_so() -> None:
    """The remedy is the word plain_http."""
    with serve(lambda _: Reply()) as server, pytest.raises(Unreachable) as caught:
        _status(CurlTransport(place="registry.lan"), server.url.replace("http:", "https:"))
    assert "registries: registry.lan: plain_http: true" in caught.value.remedy


good_systems = [
    ("etc/ssl/certs/ca-certificates.crt", "bundle"),  # Debian, Alpine
    ("etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "bundle"),  # RHEL
    ("etc/pki/tls/certs/ca-bundle.crt", "bundle"),
    ("etc/ssl/ca-bundle.pem", "bundle"),  # SUSE
    ("etc/ssl/cert.pem", "bundle"),  # Alpine without the package, macOS
    ("etc/ssl/certs/0a1b2c3d.0", "directory"),
]


@pytest.mark.parametrize(("file", "kind"), good_systems)
def test_the_systems_certificates_are_found(tmp_path: Path, file: str, kind: str) -> None:
    """Each distribution's place is known."""
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("x", encoding="ascii")
    found = find_trust({}, ca=None, place="r", root=str(tmp_path))
    expected = Trust(bundle=str(path)) if kind == "bundle" else Trust(directory=str(path.parent))
    assert found == expected


def test_a_system_without_certificates_trusts_nobody(tmp_path: Path) -> None:
    """Nothing found is nothing trusted; the check is never switched off."""
    assert find_trust({}, ca=None, place="r", root=str(tmp_path)) == Trust()


def test_ssl_cert_dir_is_obeyed() -> None:
    """SSL_CERT_DIR names hashed certificates."""
    assert find_trust({"SSL_CERT_DIR": "/x"}, ca=None, place="r") == Trust(directory="/x")


def test_a_wrong_ssl_cert_file_is_an_error() -> None:
    """It is not silently replaced by something else."""
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        find_trust({"SSL_CERT_FILE": "/no/such"}, ca=None, place="r")


def test_a_ca_file_without_certificates_is_an_error(tmp_path: Path) -> None:
    """A key or a DER file is told as such before any connection."""
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("-----BEGIN PRIVATE KEY-----", encoding="ascii")
    with pytest.raises(ConfigurationError, match="holds no PEM certificate"):
        find_trust({}, ca=str(wrong), place="r")


def test_a_private_ca_is_added_to_the_systems(tmp_path: Path) -> None:
    """The registry's token server or storage may be behind a public CA, so both are trusted."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"system")
    assert as_bytes(Trust(bundle=str(bundle), extra=b"own")) == b"own\nsystem"
    assert as_bytes(Trust(bundle=str(bundle))) is None


@needs_openssl
def test_only_the_given_ca_is_trusted_where_it_takes_the_systems_place(certificates: Certificates) -> None:
    """PEM bytes of a CA are enough to reach its servers, and those of another one are not."""
    with serve(lambda _: Reply(), tls=_context(certificates.server)) as server:
        assert _status(CurlTransport(place="r", only_ca=certificates.ca.read_bytes()), server.url) == 200
        with pytest.raises(Unreachable, match="not trusted"):
            _status(CurlTransport(place="r", only_ca=certificates.self_signed.read_bytes()), server.url)


@needs_openssl
def test_a_client_certificate_in_memory_is_shown(certificates: Certificates) -> None:
    """Certificate and key as bytes, in one text or in two, are as good as files."""
    both = certificates.client.read_bytes()
    certificate, mark, key = both.partition(b"-----BEGIN PRIVATE KEY-----")
    ca = certificates.ca.read_bytes()
    with serve(lambda _: Reply(), tls=_context(certificates.server, certificates.ca)) as server:
        assert _status(CurlTransport(place="r", only_ca=ca, certificate=both), server.url) == 200
        transport = CurlTransport(place="r", only_ca=ca, certificate=certificate, key=mark + key)
        assert _status(transport, server.url) == 200


@needs_openssl
def test_a_certificate_is_left_unchecked_only_where_that_is_said(certificates: Certificates) -> None:
    """Without the check an unknown CA and another name both pass."""
    with serve(lambda _: Reply(), tls=_context(certificates.self_signed)) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert _status(CurlTransport(place="r", check_certificate=False), url) == 200


@needs_openssl
def test_a_certificate_for_another_name_is_reached_by_that_name(certificates: Certificates) -> None:
    """With connect_to the certificate's name is checked, and the connection goes to the address."""
    with serve(lambda _: Reply(), tls=_context(certificates.self_signed)) as server:
        port = server.url.rpartition(":")[2]
        transport = CurlTransport(
            place="r", only_ca=certificates.self_signed.read_bytes(), connect_to=f"localhost:{port}:127.0.0.1:{port}"
        )
        with pytest.raises(Unreachable, match="not trusted"):
            _status(transport, f"https://localhost:{port}/")
        transport = CurlTransport(place="r", ca=str(certificates.ca), connect_to=f"kube.invalid:1:127.0.0.1:{port}")
        with pytest.raises(Unreachable, match="not trusted"):
            _status(transport, "https://kube.invalid:1/")
    with serve(lambda _: Reply(), tls=_context(certificates.server)) as server:
        port = server.url.rpartition(":")[2]
        target = f"localhost:1:127.0.0.1:{port}"
        transport = CurlTransport(place="r", only_ca=certificates.ca.read_bytes(), connect_to=target)
        assert _status(transport, "https://localhost:1/") == 200


def test_a_proxy_of_its_own_is_used_for_every_host() -> None:
    """A proxy that is given explicitly is asked even for this machine; an empty one takes the environment's away."""
    with serve(lambda _: Reply(status=203)) as proxy, serve(lambda _: Reply()) as server:
        assert _status(CurlTransport(place="r", proxy=proxy.url), server.url) == 203
        assert _status(CurlTransport(place="r", proxy=proxy.url), "http://registry.invalid/") == 203
        assert _status(CurlTransport(place="r", proxy=""), server.url) == 200
