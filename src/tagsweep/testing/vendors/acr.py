"""Azure Container Registry over a fake registry: its tokens, its own API with locks, and its refusals.

    acr = AcrFake()
    with FakeRegistry(ACR, apis=[acr]) as registry:
        ...  # AcrDriver with the credentials acr.username and acr.password

By the registry's SDK (azure-containerregistry): paths, parameters, fields, pages, the exchange of tokens. By its
documentation: locks, and the rights by which a token reads metadata, pulls, pushes and deletes. Wrong requests are
refused: unknown parameters, another version of the API, tokens without the right.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, quote, unquote

from tagsweep.model.reference import Digest
from tagsweep.testing.answers import as_json, error
from tagsweep.testing.dialects import Dialect, Refusal
from tagsweep.testing.routes import (
    BlobAt,
    Catalog,
    ManifestAt,
    Nowhere,
    Referrers,
    Root,
    TagsList,
    Token,
    Upload,
    parse_target,
)
from tagsweep.testing.storage import Storage, StoredRepository
from tagsweep.testing.wire import Answer, WireRequest

ACR: Final = Dialect(
    name="Azure Container Registry",
    tag_delete=Refusal(status=405, code="UNSUPPORTED", message="The operation is unsupported."),
)
EVERYTHING: Final = frozenset({"pull", "push", "delete", "metadata_read", "metadata_write"})
_VERSIONS: Final = ("2021-07-01", "2019-08-15-preview")
_PATH: Final = re.compile(r"/acr/v1/(?P<name>.+?)(?:/_(?P<kind>tags|manifests)(?:/(?P<reference>[^/]+))?)?")
_ACTIONS: Final = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}
_METADATA: Final = {"GET": "metadata_read", "PATCH": "metadata_write", "DELETE": "delete"}
_FIRST_PUSH: Final = datetime(2025, 1, 1, tzinfo=UTC)
_LIFE: Final = 3 * 3600
_MOST: Final = 1000


@dataclass(slots=True)
class Lock:
    """The changeable attributes of a tag or a manifest."""

    delete_enabled: bool = True
    write_enabled: bool = True

    def attributes(self) -> dict[str, bool]:
        """Return them as the API writes them."""
        return {
            "deleteEnabled": self.delete_enabled,
            "writeEnabled": self.write_enabled,
            "readEnabled": True,
            "listEnabled": True,
        }

    @property
    def holds(self) -> bool:
        """Whether it keeps the thing from being deleted."""
        return not (self.delete_enabled and self.write_enabled)


class AcrFake:
    """Implements :class:`tagsweep.testing.fake.VendorApi`.

    ``granted`` are the rights of whoever has ``password``, or an Azure token ``entra``, on every repository. ``page``
    bounds the entries of every page.
    """

    def __init__(
        self,
        *,
        username: str = "sweeper",
        password: str = "acr-token-password",  # noqa: S107 - of a fake
        entra: str = "azure-token",
        granted: frozenset[str] = EVERYTHING,
        page: int | None = None,
    ) -> None:
        self.username, self.password, self.entra = username, password, entra
        self.granted = granted
        self.exchanges = 0
        self._page = page
        self._numbers = itertools.count(1)
        self._refresh: set[str] = set()
        self._tokens: dict[str, dict[str, frozenset[str]]] = {}
        self._locks: dict[tuple[str, str], Lock] = {}
        self._updated: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()
        self._storage = Storage()
        self._base = ""

    # --- the back door --------------------------------------------------------------------------------------------
    def attach(self, storage: Storage, *, base: str) -> None:
        """Take the registry's storage and its URL."""
        self._storage, self._base = storage, base

    def lock(self, repository: str, reference: str, lock: Lock) -> None:
        """Lock a tag, a manifest, or with an empty reference the repository."""
        self._locks[repository, reference] = lock

    def record(self, repository: str, tag: str, updated: datetime) -> None:
        """Set when a tag was last pushed."""
        self._updated[repository, tag] = updated

    def forget_tokens(self) -> None:
        """Make every token that was handed out worthless, those that buy others too."""
        with self._lock:
            self._tokens.clear()
            self._refresh.clear()

    # --- answering ------------------------------------------------------------------------------------------------
    def answer(self, request: WireRequest) -> Answer | None:
        """Return the answer, or None where the registry API gives it."""
        path, _, text = request.target.partition("?")
        if path == "/oauth2/exchange":
            return self._exchange(request)
        if path == "/oauth2/token":
            return self._token(request, text)
        found = _PATH.fullmatch(path)
        if found is not None:
            name = unquote(found["name"])
            action = _METADATA.get(request.method, "metadata_write")
            refused = self._refuse(request, name, action)
            return refused or self._own(request, name, found, dict(parse_qsl(text, keep_blank_values=True)))
        return self._registry(request)

    # --- tokens ---------------------------------------------------------------------------------------------------
    def _exchange(self, request: WireRequest) -> Answer:
        form = _form(request)
        host = self._base.partition("://")[2]
        if request.method != "POST" or form.get("grant_type") != "access_token" or form.get("service") != host:
            return error(400, "UNSUPPORTED", "grant_type and service are needed")
        if form.get("access_token") != self.entra:
            return error(401, "UNAUTHORIZED", "authentication required")
        with self._lock:
            self.exchanges += 1
            token = self._jwt({"grant_type": "refresh_token"})
            self._refresh.add(token)
        return as_json({"refresh_token": token})

    def _token(self, request: WireRequest, text: str) -> Answer:
        form = _form(request) if request.method == "POST" else _last(parse_qs(text))
        if form.get("service") != self._base.partition("://")[2]:
            return error(400, "UNSUPPORTED", "service is needed")
        granted: frozenset[str] = frozenset()
        if request.method == "POST" and form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") not in self._refresh:
                return error(401, "UNAUTHORIZED", "authentication required")
            granted = self.granted
        elif "authorization" in request.headers:
            given = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            if request.headers["authorization"] != f"Basic {given}":
                return error(401, "UNAUTHORIZED", "authentication required")
            granted = self.granted
        allowed: dict[str, frozenset[str]] = {}
        for scope in " ".join(parse_qs(request.body.decode() or text).get("scope", [])).split():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            asked = EVERYTHING if actions == "*" else frozenset(actions.split(","))
            # Azure gives what is granted of what is asked for, as every token server does.
            allowed[name] = allowed.get(name, frozenset()) | (granted & asked if kind == "repository" else granted)
        access = [{"type": "repository", "name": n, "actions": sorted(a)} for n, a in allowed.items() if n != "catalog"]
        with self._lock:
            token = self._jwt({"access": access})
            self._tokens[token] = allowed
        return as_json({"access_token": token})

    def _jwt(self, claims: Mapping[str, Any]) -> str:
        number = next(self._numbers)
        parts = ({"alg": "none"}, {**claims, "jti": number, "iat": 1_700_000_000, "exp": 1_700_000_000 + _LIFE})
        head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
        return f"{head}.{body}.unsigned"

    def _refuse(self, request: WireRequest, name: str, action: str) -> Answer | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        allowed = self._tokens.get(token) if scheme == "Bearer" else None
        if allowed is not None and (not name or action in allowed.get(name, frozenset())):
            return None
        host = self._base.partition("://")[2]
        challenge = f'Bearer realm="{self._base}/oauth2/token",service="{host}"'
        if name:
            kind = "registry" if name == "catalog" else "repository"
            challenge += f',scope="{kind}:{name}:{"*" if kind == "registry" else action}"'
        if allowed is not None:
            challenge += ',error="insufficient_scope"'
        return error(401, "UNAUTHORIZED", "authentication required", headers={"WWW-Authenticate": challenge})

    # --- the registry API -----------------------------------------------------------------------------------------
    def _registry(self, request: WireRequest) -> Answer | None:
        route, _ = parse_target(request.target)
        match route:
            case Root():
                return self._refuse(request, "", "")
            case Catalog():
                return self._refuse(request, "catalog", "pull")
            case TagsList() | BlobAt() | Upload() | Referrers() | ManifestAt():
                refused = self._refuse(request, route.repository, _ACTIONS.get(request.method, "push"))
                if refused is None and isinstance(route, ManifestAt) and request.method == "DELETE":
                    return self._held(route.repository, route.reference)
                return refused
            case Token() | Nowhere():
                return None

    def _held(self, repository: str, reference: str) -> Answer | None:
        """Return the refusal to delete what a lock holds: a manifest with one of its tags, too."""
        with self._storage.lock:
            stored = self._storage.known(repository)
            tags = stored.tags_on(Digest(reference)) if stored is not None and ":" in reference else []
            if any(self._locks.get((repository, each), Lock()).holds for each in (reference, "", *tags)):
                return error(405, "DENIED", "The operation is disallowed on this registry, repository or image.")
        return None

    # --- its own API ----------------------------------------------------------------------------------------------
    def _own(self, request: WireRequest, name: str, found: re.Match[str], query: dict[str, str]) -> Answer:
        with self._storage.lock:
            stored = self._storage.known(name)
            known = {"api-version", "n", "last", "orderby", "digest"}
            # The SDK's lists name no version, and its other calls do.
            if query.get("api-version", _VERSIONS[0]) not in _VERSIONS or query.keys() - known:
                return error(400, "UNSUPPORTED", "the parameters are not those of this version of the API")
            if stored is None:
                return error(404, "NAME_UNKNOWN", "repository name not known to registry")
            kind, reference = found["kind"], unquote(found["reference"] or "")
            if kind is None:
                host = self._base.partition("://")[2]
                attributes = self._locks.get((name, ""), Lock()).attributes()
                return as_json({"registry": host, "imageName": name, "changeableAttributes": attributes})
            if reference:
                return self._one(request, name, stored, kind, reference)
            if request.method != "GET":
                return error(405, "UNSUPPORTED", "The operation is unsupported.")
            entries = self._tags(name, stored) if kind == "tags" else self._manifests(name, stored)
            if "digest" in query:
                entries = [entry for entry in entries if entry["digest"] == query["digest"]]
            return self._paged(name, kind, entries, query)

    def _one(self, request: WireRequest, name: str, stored: StoredRepository, kind: str, reference: str) -> Answer:
        entries = self._tags(name, stored) if kind == "tags" else self._manifests(name, stored)
        key = "name" if kind == "tags" else "digest"
        entry = next((each for each in entries if each[key] == reference), None)
        if entry is None:
            code = "TAG_UNKNOWN" if kind == "tags" else "MANIFEST_UNKNOWN"
            return error(404, code, f"the specified {kind[:-1]} does not exist")
        if request.method == "PATCH":
            given = json.loads(request.body)
            lock = Lock(given.get("deleteEnabled", True), given.get("writeEnabled", True))
            self._locks[name, reference] = lock
            entry["changeableAttributes"] = lock.attributes()
        elif request.method == "DELETE" and kind == "tags":
            if any(self._locks.get((name, each), Lock()).holds for each in (reference, "")):
                return error(405, "DENIED", "The operation is disallowed on this registry, repository or image.")
            del stored.tags[reference]
            return Answer(status=202)
        elif request.method != "GET":
            return error(405, "UNSUPPORTED", "The operation is unsupported.")
        host = self._base.partition("://")[2]
        return as_json({"registry": host, "imageName": name, kind[:-1]: entry})

    def _tags(self, name: str, stored: StoredRepository) -> list[dict[str, Any]]:
        return [
            {
                "name": tag,
                "digest": manifest.digest,
                "createdTime": _text(_FIRST_PUSH),
                "lastUpdateTime": _text(self._updated.get((name, tag), _FIRST_PUSH)),
                "signed": False,
                "changeableAttributes": self._locks.get((name, tag), Lock()).attributes(),
            }
            for tag, manifest in sorted(stored.tags.items())
        ]

    def _manifests(self, name: str, stored: StoredRepository) -> list[dict[str, Any]]:
        listed = []
        for digest, manifest in sorted(stored.manifests.items()):
            tags = sorted(stored.tags_on(digest))
            listed.append(
                {
                    "digest": digest,
                    "imageSize": len(manifest.data),
                    "createdTime": _text(_FIRST_PUSH),
                    "lastUpdateTime": _text(_FIRST_PUSH + timedelta(minutes=1)),
                    "architecture": "amd64",
                    "os": "linux",
                    "mediaType": manifest.media_type,
                    **({"tags": tags} if tags else {}),
                    "changeableAttributes": self._locks.get((name, digest), Lock()).attributes(),
                }
            )
        return listed

    def _paged(self, name: str, kind: str, entries: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        key = "name" if kind == "tags" else "digest"
        text = query.get("n", "100")
        if not text.isdigit() or not 0 < int(text) <= _MOST:
            return error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
        size = min(int(text), self._page or int(text))
        rest = [entry for entry in entries if entry[key] > query.get("last", "")]
        page, headers = rest[:size], {}
        if len(rest) > size:
            last = quote(str(page[-1][key]), safe="")
            target = f"/acr/v1/{quote(name)}/_{kind}?last={last}&n={text}&orderby="
            headers["Link"] = f'<{target}>; rel="next"'
        host = self._base.partition("://")[2]
        return as_json({"registry": host, "imageName": name, kind: page or None}, headers=headers)


def _form(request: WireRequest) -> dict[str, str]:
    return _last(parse_qs(request.body.decode()))


def _last(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: entries[-1] for name, entries in values.items()}


def _text(moment: datetime) -> str:
    """Return a time as Azure writes it, to a ten-millionth of a second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "7Z"
