"""What each request to a cluster is authorized with: tokens read again when they change, and exec plugins.

Protocol of the plugins: kubernetes.io, "client-go credential plugins", client.authentication.k8s.io/v1 and v1beta1.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess  # running a credential plugin is what this file is for
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tagsweep.http.redact import HIDDEN, excerpt
from tagsweep.model.errors import AuthenticationFailed, ConfigurationError
from tagsweep.sources.kube.kubeconfig import ClusterAccess, ExecPlugin

_VERSIONS: Final = frozenset({"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"})
_EARLY: Final = timedelta(seconds=60)
"""Credentials are fetched anew this long before they expire, so that they last for a page that is long to come."""
_SHORTEST_SECRET: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issued:
    token: str = field(default="", repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    expires: datetime | None = None


class Credentials:
    """The credentials of one context. What a plugin printed is kept until it expires."""

    def __init__(
        self,
        access: ClusterAccess,
        *,
        now: Callable[[], datetime],
        environ: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._access = access
        self._now = now
        self._environ = os.environ if environ is None else environ
        self._timeout = timeout
        self._issued: _Issued | None = None
        self._from_file = ""

    def headers(self) -> dict[str, str]:
        """Return the Authorization header, or nothing where a certificate or nobody speaks."""
        login = self._access.login
        token = self._plugin().token if login.plugin is not None else login.token
        if login.token_file and login.plugin is None:
            token = self._read_token(login.token_file)
        if not token.isascii() or not token.isprintable():
            raise ConfigurationError(
                f"context {self._access.name}: its token has characters that no token can have",
                remedy="write the user of the context anew, or look at what its exec plugin prints",
            )
        if token:
            return {"Authorization": f"Bearer {token}"}
        if login.username:
            pair = base64.b64encode(f"{login.username}:{login.password}".encode()).decode("ascii")
            return {"Authorization": f"Basic {pair}"}
        return {}

    def identity(self) -> tuple[bytes | None, bytes | None]:
        """Return the client's certificate and key in PEM, or None twice."""
        login = self._access.login
        if login.plugin is not None and login.certificate is None:
            issued = self._plugin()
            return issued.certificate, issued.key
        return login.certificate, login.key

    def hide(self, text: str) -> str:
        """Return ``text``, which a server wrote, without any secret of this login that it may quote."""
        login, issued = self._access.login, self._issued
        for secret in (login.token, login.password, self._from_file, issued.token if issued is not None else ""):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, HIDDEN)
        return text

    def refused(self) -> bool:
        """Forget what a plugin issued, after a 401; tell whether asking again could help."""
        had, self._issued = self._issued, None
        return had is not None or bool(self._access.login.token_file)

    def _read_token(self, path: str) -> str:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:  # the second: no UTF-8, or no path that could be
            raise ConfigurationError(
                f"context {self._access.name}: the token file {path} cannot be read", remedy="make the file readable"
            ) from error
        if not token.isascii() or not token.isprintable():
            raise ConfigurationError(f"context {self._access.name}: the token file {path} holds no token")
        self._from_file = token
        return token

    def _plugin(self) -> _Issued:
        plugin = self._access.login.plugin
        if plugin is None:
            return _Issued()
        issued = self._issued
        if issued is None or (issued.expires is not None and issued.expires - _EARLY <= self._now()):
            issued = self._issued = self._run(plugin)
        return issued

    def _run(self, plugin: ExecPlugin) -> _Issued:
        place = f"context {self._access.name}: the exec plugin {Path(plugin.command).name}"
        if plugin.api_version not in _VERSIONS:
            raise ConfigurationError(
                f"{place} speaks {plugin.api_version or 'no version'}, which nothing current does",
                remedy="write the kubeconfig anew with a current version of the plugin's tool",
            )
        if plugin.interactive == "Always":
            raise ConfigurationError(
                f"{place} wants a terminal (interactiveMode: Always), which a sweep does not have",
                remedy="log in with it by hand and use a token, or a service account",
            )
        environ = {**self._environ, **plugin.environ, "KUBERNETES_EXEC_INFO": json.dumps(self._info(plugin))}
        try:
            done = subprocess.run(  # noqa: S603 - the kubeconfig names the program, as for kubectl; no shell
                [plugin.command, *plugin.args],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environ,
                timeout=self._timeout,
                check=False,
            )
        except FileNotFoundError as error:
            hint = excerpt(plugin.install_hint) or f"install {plugin.command} where tagsweep runs"
            raise ConfigurationError(f"{place} is not installed", remedy=hint) from error
        except subprocess.TimeoutExpired:
            raise AuthenticationFailed(
                f"{place} did not end within {self._timeout:.0f} s", remedy="run it by hand and see what it waits for"
            ) from None
        except (OSError, ValueError) as error:  # the second: an argument or variable that no program can be given
            why = error.strerror if isinstance(error, OSError) else "an argument or variable is malformed"
            raise ConfigurationError(f"{place} cannot be run ({why})", remedy="look at its exec:") from None
        if done.returncode:
            said = _without(done.stderr, plugin)
            raise AuthenticationFailed(
                f"{place} failed with exit code {done.returncode}" + (f": {said}" if said else ""),
                remedy="run it by hand, or log in again with its tool",
            )
        return _parse(done.stdout, plugin, place)

    def _info(self, plugin: ExecPlugin) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": False}
        if plugin.provide_cluster:
            access = self._access
            cluster: dict[str, Any] = {"server": access.server}
            if access.server_name:
                cluster["tls-server-name"] = access.server_name
            if not access.check_certificate:
                cluster["insecure-skip-tls-verify"] = True
            if access.ca is not None:
                cluster["certificate-authority-data"] = base64.b64encode(access.ca).decode("ascii")
            if access.proxy:
                cluster["proxy-url"] = access.proxy
            if access.plugin_config is not None:
                cluster["config"] = access.plugin_config
            spec["cluster"] = cluster
        return {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}


def _parse(output: bytes, plugin: ExecPlugin, place: str) -> _Issued:
    """Return what the plugin printed. No error quotes it: it holds the token."""
    remedy = "run it by hand and look at what it prints"
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        raise AuthenticationFailed(f"{place} printed no JSON", remedy=remedy) from None
    status = answer.get("status") if isinstance(answer, dict) else None
    if not isinstance(status, dict) or answer.get("kind") != "ExecCredential":
        raise AuthenticationFailed(f"{place} printed no ExecCredential with a status", remedy=remedy)
    if answer.get("apiVersion") != plugin.api_version:
        raise AuthenticationFailed(f"{place} answered in another version than {plugin.api_version}", remedy=remedy)
    token, certificate, key = (
        value if isinstance(value, str) else ""
        for value in (status.get(name) for name in ("token", "clientCertificateData", "clientKeyData"))
    )
    if not token and not (certificate and key):
        raise AuthenticationFailed(f"{place} printed neither a token nor a certificate with its key", remedy=remedy)
    return _Issued(
        token=token.strip(),
        certificate=certificate.encode("utf-8", "replace") or None,
        key=key.encode("utf-8", "replace") or None,
        expires=_moment(status.get("expirationTimestamp"), place),
    )


def _moment(text: object, place: str) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise AuthenticationFailed(f"{place} printed an expirationTimestamp that is no time") from None
    if moment.tzinfo is None:
        raise AuthenticationFailed(f"{place} printed an expirationTimestamp without a time zone")
    return moment


def _without(stderr: bytes, plugin: ExecPlugin) -> str:
    """Return the plugin's last words without secrets, its own environment and arguments among them."""
    text = stderr.decode("utf-8", "replace").strip()
    for secret in (*plugin.environ.values(), *plugin.args):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return excerpt(text[-400:], limit=200)
