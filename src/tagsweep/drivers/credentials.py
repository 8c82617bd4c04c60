"""Where credentials for a registry are found: environment, podman's and Docker's files, credential helpers.

Order: TAGSWEEP_<HOST>_USERNAME and _PASSWORD, TAGSWEEP_USERNAME and TAGSWEEP_PASSWORD, the file that REGISTRY_AUTH_FILE
names, Docker's config.json, podman's default files. ``<HOST>`` is the registry's name in upper case with every other
character than letters and digits as an underscore: ``TAGSWEEP_REGISTRY_EXAMPLE_COM_5000_USERNAME``.
Rules: docker/cli config file and docker-credential-helpers; containers-auth.json(5).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tagsweep.drivers.credential_helper import ask_helper
from tagsweep.http.auth import Credentials
from tagsweep.model.errors import ConfigurationError
from tagsweep.model.reference import DOCKER_HUB

DOCKER_HUB_KEY: Final = "https://index.docker.io/v1/"
_DOCKER_HUB_KEYS: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_NOT_NAME: Final = re.compile(r"[^A-Z0-9]")


class CredentialStore:
    """Finds the credentials for one registry host. Reads and runs nothing before :meth:`find` is called.

    ``environ`` and ``home`` are those of the process where they are not given.
    """

    def __init__(self, host: str, *, environ: Mapping[str, str] | None = None, home: Path | None = None) -> None:
        self._host = host
        self._environ = os.environ if environ is None else environ
        self._home = home

    def find(self, repository: str) -> Credentials | None:
        """Return the credentials for a repository path ("" for the registry itself), or None where there are none.

        Raises ConfigurationError, naming the file, where a file or helper that should give them is broken.
        """
        found = self.from_environment()
        if found is not None:
            return found
        for path in self._files():
            document = _read(path)
            found = self._from_file(document, path, repository) if document is not None else None
            if found is not None:
                return found
        return None

    def from_environment(self) -> Credentials | None:
        """Return what tagsweep's own variables name, which win over all that a vendor's driver knows, or None."""
        host = _NOT_NAME.sub("_", self._host.upper())
        for prefix in (f"TAGSWEEP_{host}_", "TAGSWEEP_"):
            username, password = self._environ.get(f"{prefix}USERNAME"), self._environ.get(f"{prefix}PASSWORD")
            if username and password:
                return Credentials(username=username, password=password, found_in=f"environment, {prefix}USERNAME")
            if username or password:
                given, lacking = ("USERNAME", "PASSWORD") if username else ("PASSWORD", "USERNAME")
                raise ConfigurationError(
                    f"{prefix}{given} is set in the environment, but {prefix}{lacking} is not",
                    remedy="set both or neither",
                )
        return None

    def _files(self) -> Iterator[Path]:
        named = self._environ.get("REGISTRY_AUTH_FILE")
        if named:
            path = Path(named)
            if not path.is_file():
                raise ConfigurationError(
                    f"REGISTRY_AUTH_FILE names {path}, which is not a file",
                    remedy="correct or unset REGISTRY_AUTH_FILE",
                )
            yield path
        docker = self._environ.get("DOCKER_CONFIG")
        home = self._home_directory()
        if docker or home is not None:
            yield (Path(docker) if docker else Path(home or "") / ".docker") / "config.json"
        runtime = self._environ.get("XDG_RUNTIME_DIR")
        if runtime:
            yield Path(runtime) / "containers" / "auth.json"
        if home is not None:
            config = self._environ.get("XDG_CONFIG_HOME")
            yield (Path(config) if config else home / ".config") / "containers" / "auth.json"

    def _home_directory(self) -> Path | None:
        if self._home is not None:
            return self._home
        home = self._environ.get("HOME")
        if home:
            return Path(home)
        try:
            return Path.home()
        except RuntimeError:
            return None  # no such user: containers often run with a bare user id

    def _from_file(self, document: Mapping[str, Any], path: Path, repository: str) -> Credentials | None:
        helpers = _mapping(document, "credHelpers", path)
        helper = _matching(helpers, self._host, "")
        if helper is None and document.get("credsStore"):
            helper = ("", document["credsStore"])
        if helper is not None:
            server = DOCKER_HUB_KEY if self._host == DOCKER_HUB else self._host
            found = ask_helper(str(helper[1]), server, path=path, environ=self._environ)
            if found is not None:
                return found
        entry = _matching(_mapping(document, "auths", path), self._host, repository)
        return _from_entry(entry[1], entry[0], path) if entry is not None else None


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the credentials file {path} cannot be read ({error.__class__.__name__})",
            remedy="make it readable, or point DOCKER_CONFIG or REGISTRY_AUTH_FILE elsewhere",
        ) from error
    try:
        document = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        # The parser's own message is left out: it may quote a secret.
        raise ConfigurationError(f"the credentials file {path} is not JSON{place}", remedy=_repair(path)) from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"the credentials file {path} is not a JSON object", remedy=_repair(path))
    return document


def _repair(path: Path) -> str:
    return f"repair {path}, or move it away and log in again"


def _mapping(document: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigurationError(f"{key} in the credentials file {path} is not an object", remedy=_repair(path))
    return value


def _matching(entries: Mapping[str, Any], host: str, repository: str) -> tuple[str, Any] | None:
    """Return the entry with the longest key that names ``host`` or a namespace of it that holds ``repository``."""
    best: tuple[int, str] | None = None
    for key in entries:
        length = _match_length(key, host, repository)
        if length is not None and (best is None or length > best[0]):
            best = (length, key)
    return (best[1], entries[best[1]]) if best is not None else None


def _match_length(key: str, host: str, repository: str) -> int | None:
    name = key.partition("://")[2] if "://" in key else key
    name = name.rstrip("/")
    key_host, _, path = name.partition("/")
    if key_host in _DOCKER_HUB_KEYS:
        key_host = DOCKER_HUB
    if key_host.lower() != host.lower():
        return None
    if path in ("", "v1", "v2"):  # Docker's old keys end in the version of the API
        return 0
    return len(path) if repository == path or repository.startswith(f"{path}/") else None


def _from_entry(entry: Any, key: str, path: Path) -> Credentials | None:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"the entry {key} in {path} is not an object", remedy=_repair(path))
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credentials(identity_token=token, found_in=str(path))
    auth = entry.get("auth")
    if not auth:
        username, password = entry.get("username"), entry.get("password")
        if isinstance(username, str) and isinstance(password, str) and username:
            return Credentials(username=username, password=password, found_in=str(path))
        return None
    try:
        text = base64.b64decode(str(auth), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        text = ""
    username, colon, password = text.partition(":")
    if not colon or not username:
        raise ConfigurationError(
            f"the entry {key} in {path} has an auth value that is not base64 of user:password", remedy=_repair(path)
        )
    return Credentials(username=username, password=password.rstrip("\0"), found_in=str(path))
