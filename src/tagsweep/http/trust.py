"""Which certificates are trusted: where the system keeps them, and how a registry's own CA is added.

The libcurl inside pycurl's wheels was built on another distribution and would look where that one keeps them, so the
place is found here and always given explicitly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tagsweep.model.errors import ConfigurationError

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL, Fedora
    "/etc/pki/tls/certs/ca-bundle.crt",  # older RHEL, CentOS
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS, BSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD
)
_DIRECTORIES: Final = ("/etc/ssl/certs", "/etc/pki/tls/certs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What to trust: ``bundle`` is a PEM file, ``directory`` hashed certificates, ``extra`` PEM bytes added to them."""

    bundle: str | None = None
    directory: str | None = None
    extra: bytes | None = None


def find_trust(environ: Mapping[str, str], *, ca: str | None, place: str, root: str = "") -> Trust:
    """Return the system's certificates, with the registry's own file ``ca`` added where the policy names one.

    SSL_CERT_FILE and SSL_CERT_DIR win over the places that the distributions use. ``root`` is put before those places,
    for tests. Raises ConfigurationError where something named is not there or holds no certificate.
    """
    extra = _read_ca(ca, place) if ca is not None else None
    named_file, named_directory = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if named_file:
        if not Path(named_file).is_file():
            raise ConfigurationError(
                f"SSL_CERT_FILE names {named_file}, which is not a file",
                remedy="point SSL_CERT_FILE to a PEM file of trusted certificates, or unset it",
            )
        return Trust(bundle=named_file, extra=extra)
    if named_directory:
        return Trust(directory=named_directory, extra=extra)
    return _system_trust(root, extra)


def _system_trust(root: str, extra: bytes | None) -> Trust:
    for candidate in _BUNDLES:
        if Path(root + candidate).is_file():
            return Trust(bundle=root + candidate, extra=extra)
    if not root:
        import ssl  # noqa: PLC0415 - costs 10 ms, and only systems that keep certificates elsewhere need it

        paths = ssl.get_default_verify_paths()
        if paths.cafile or paths.capath:
            return Trust(bundle=paths.cafile or None, directory=paths.capath or None, extra=extra)
    for candidate in _DIRECTORIES:
        if Path(root + candidate).is_dir():
            return Trust(directory=root + candidate, extra=extra)
    return Trust(extra=extra)


def _read_ca(path: str, place: str) -> bytes:
    remedy = (
        f"registries: {place}: ca: must name a readable PEM file with the CA that signed the registry's certificate"
    )
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"the CA file {path} cannot be read ({error.strerror})", remedy=remedy) from error
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise ConfigurationError(f"the CA file {path} holds no PEM certificate", remedy=remedy)
    return data


def as_bytes(trust: Trust) -> bytes | None:
    """Return bundle and extra together, as libcurl wants them in memory, or None where there is nothing extra.

    A registry with a private CA may have its token server or its storage behind a public one, so both are trusted.
    """
    if trust.extra is None:
        return None
    parts = [trust.extra]
    if trust.bundle is not None:
        try:
            parts.append(Path(trust.bundle).read_bytes())
        except OSError as error:
            raise ConfigurationError(
                f"the system's certificates {trust.bundle} cannot be read ({error.strerror})",
                remedy="make the file readable, or name another one in SSL_CERT_FILE",
            ) from error
    return b"\n".join(parts)
