"""kubeconfig files, merged as kubectl merges them: for each context where the cluster is and how to log in.

Rules: kubernetes.io, "Organizing Cluster Access Using kubeconfig Files". The first file that says something wins;
relative paths in a file are relative to that file. Secrets are in no repr and in no error.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import yaml

from tagsweep.model.errors import ConfigurationError

SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_Named: TypeAlias = "dict[str, tuple[Mapping[str, Any], Path]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecPlugin:
    """A program that prints credentials (client.authentication.k8s.io). ``environ`` may hold secrets."""

    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_version: str
    install_hint: str = ""
    provide_cluster: bool = False
    interactive: str = "IfAvailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to log in: what is empty is not used. Nothing of it is shown."""

    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    plugin: ExecPlugin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAccess:
    """One context: ``name`` for a person, ``server`` a URL without a slash at its end, ``ca`` PEM bytes or None."""

    name: str
    server: str
    ca: bytes | None = field(default=None, repr=False)
    check_certificate: bool = True
    server_name: str = ""
    proxy: str = field(default="", repr=False)
    login: Login = Login()
    plugin_config: Any = field(default=None, repr=False)


class Kubeconfig:
    """The contexts of one or several files."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self.current = ""
        self._contexts: _Named = {}
        self._clusters: _Named = {}
        self._users: _Named = {}
        for path in paths:
            self._add(path)

    def _add(self, path: Path) -> None:
        content = _load(path)
        current = content.get("current-context")
        if not self.current and isinstance(current, str):
            self.current = current
        for key, part, into in (
            ("contexts", "context", self._contexts),
            ("clusters", "cluster", self._clusters),
            ("users", "user", self._users),
        ):
            entries = content.get(key)
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                    body = entry.get(part)
                    into.setdefault(entry["name"], (body if isinstance(body, dict) else {}, path))

    def access(self, name: str) -> ClusterAccess:
        """Return where the cluster of this context is and how to log in, or raise ConfigurationError."""
        if name not in self._contexts:
            known = ", ".join(sorted(self._contexts)) or "none"
            raise ConfigurationError(
                f"the kubeconfig has no context {name!r}", remedy=f"name one that is there ({known}) as context:"
            )
        context, _ = self._contexts[name]
        cluster, cluster_path = self._part(self._clusters, context, "cluster", name)
        user, user_path = self._part(self._users, context, "user", name) if context.get("user") else ({}, cluster_path)
        server = _text(cluster, "server").rstrip("/")
        if not _is_address(server):
            raise ConfigurationError(
                f"context {name}: the cluster has no usable server address", remedy="write server: https://… in it"
            )
        return ClusterAccess(
            name=name,
            server=server,
            ca=_material(cluster, "certificate-authority", cluster_path, name),
            check_certificate=cluster.get("insecure-skip-tls-verify") is not True,
            server_name=_text(cluster, "tls-server-name"),
            proxy=_text(cluster, "proxy-url"),
            login=_login(user, user_path, name),
            plugin_config=_plugin_config(cluster),
        )

    def _part(self, parts: _Named, context: Mapping[str, Any], key: str, name: str) -> tuple[Mapping[str, Any], Path]:
        wanted = _text(context, key)
        if wanted not in parts:
            raise ConfigurationError(
                f"context {name}: its {key} {wanted!r} is in no kubeconfig file",
                remedy="name every file in KUBECONFIG, or write the context anew with the cluster's own tool",
            )
        return parts[wanted]


def _is_address(server: str) -> bool:
    """Tell whether it is a URL with a host, and a port that there can be if it has one."""
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"https", "http"} and bool(parts.hostname) and port != 0 and server.isprintable()


def find_files(explicit: str | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the kubeconfig files that are there: the explicit one, those of KUBECONFIG, or ~/.kube/config."""
    if explicit is not None:
        path = Path(explicit)
        if not path.is_file():
            raise ConfigurationError(f"the kubeconfig {path} is not there", remedy="check the option kubeconfig:")
        return (path,)
    listed = environ.get("KUBECONFIG", "")
    if listed:
        return tuple(path for name in listed.split(":") if name and (path := Path(name)).is_file())
    home = environ.get("HOME", "")
    default = Path(home) / ".kube" / "config"
    return (default,) if home and default.is_file() else ()


def in_cluster(environ: Mapping[str, str], name: str, root: str = SERVICE_ACCOUNT) -> ClusterAccess | None:
    """Return the access of the service account that is mounted into this pod, or None outside of a cluster."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    token, ca = Path(root) / "token", Path(root) / "ca.crt"
    if not host or not token.is_file():
        return None
    if ":" in host:
        host = f"[{host}]"
    return ClusterAccess(
        name=name,
        server=f"https://{host}:{port}",
        ca=_file(ca, name, "the service account's CA") if ca.is_file() else None,
        login=Login(token_file=str(token)),
    )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the kubeconfig {path} cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark is not None else ""
        # The parser's own words would quote the file, which holds secrets.
        raise ConfigurationError(
            f"the kubeconfig {path} is not YAML{line}", remedy="look at it with kubectl config view"
        ) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"the kubeconfig {path} is no mapping", remedy="look at it with kubectl config view")
    return content


def _login(user: Mapping[str, Any], path: Path, name: str) -> Login:
    if user.get("auth-provider") is not None and user.get("exec") is None:
        raise ConfigurationError(
            f"context {name}: its user logs in by an auth-provider, which Kubernetes has removed",
            remedy="write the user anew with the cloud's own tool, which sets up an exec plugin",
        )
    token_file = _text(user, "tokenFile")
    return Login(
        certificate=_material(user, "client-certificate", path, name),
        key=_material(user, "client-key", path, name),
        token=_text(user, "token"),
        token_file=str(path.parent / token_file) if token_file else "",
        username=_text(user, "username"),
        password=_text(user, "password"),
        plugin=_plugin(user["exec"], path, name) if isinstance(user.get("exec"), dict) else None,
    )


def _plugin(settings: Mapping[str, Any], path: Path, name: str) -> ExecPlugin:
    command = _text(settings, "command")
    if not command:
        raise ConfigurationError(f"context {name}: its exec plugin has no command", remedy="write command: in it")
    if "/" in command:
        command = str(path.parent / command)
    entries = settings.get("env")
    args = settings.get("args")
    return ExecPlugin(
        command=command,
        args=tuple(str(each) for each in args) if isinstance(args, list) else (),
        environ={
            str(entry.get("name", "")): str(entry.get("value", ""))
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and entry.get("name")
        },
        api_version=_text(settings, "apiVersion"),
        install_hint=_text(settings, "installHint"),
        provide_cluster=settings.get("provideClusterInfo") is True,
        interactive=_text(settings, "interactiveMode") or "IfAvailable",
    )


def _plugin_config(cluster: Mapping[str, Any]) -> Any:
    extensions = cluster.get("extensions")
    for entry in extensions if isinstance(extensions, list) else ():
        if isinstance(entry, dict) and entry.get("name") == "client.authentication.k8s.io/exec":
            return entry.get("extension")
    return None


def _material(settings: Mapping[str, Any], key: str, path: Path, name: str) -> bytes | None:
    """Return the bytes under ``key-data``, or of the file under ``key``; the data wins, as in kubectl."""
    data = _text(settings, f"{key}-data")
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            # The cause would carry the data, which may be a private key.
            raise ConfigurationError(
                f"context {name}: {key}-data is not base64", remedy="write the kubeconfig anew"
            ) from None
    file = _text(settings, key)
    return _file(path.parent / file, name, key) if file else None


def _file(path: Path, name: str, what: str) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # the second: a text that can be no path
        why = error.strerror if isinstance(error, OSError) else "it is no path"
        raise ConfigurationError(
            f"context {name}: {what}: {path} cannot be read ({why})", remedy="make the file readable"
        ) from error


def _text(settings: Mapping[str, Any], key: str) -> str:
    value = settings.get(key)
    return value.strip() if isinstance(value, str) else ""
