"""HubApi: what is asked of Docker Hub's own API, with the account that fits each repository.

Facts: docs.docker.com, "Docker Hub API reference": pages of at most 100, a token of ten minutes, ``X-Retry-After`` as a
unix time, immutable tags. The removal of a tag, ``DELETE /v2/repositories/…/tags/…/``, is not in it: Docker's own
hub-tool and its web pages use it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from tagsweep.drivers.dockerhub_immutable import Verify, immutable_rules, locked_tags
from tagsweep.drivers.dockerhub_login import HubLogin
from tagsweep.drivers.dockerhub_tags import read_page, read_tag
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.http.auth import Credentials, Lookup
from tagsweep.http.hosts import url_is_loopback
from tagsweep.http.rest import RestClient, as_nobody
from tagsweep.http.retry import RetryPolicy
from tagsweep.model.errors import ConfigurationError, InvalidReference, NotFound, ProtocolViolation
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import DOCKER_HUB
from tagsweep.ports import Clock, ListedTag, Progress, Response, Transport

API: Final = "https://hub.docker.com"
_PAGE: Final = 100
_LISTINGS: Final = 3
"""How often a listing is read that changes while it is read."""
_OK, _FORBIDDEN, _NOT_FOUND = 200, 403, 404


class HubApi:
    """Asks the API at ``address``. Safe to use from many threads at once."""

    def __init__(
        self,
        address: str,
        *,
        transport: Transport,
        lookup: Lookup,
        clock: Clock,
        progress: Progress,
        concurrency: int,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.place = urlsplit(address).netloc
        self._address = address
        self._transport = transport
        self._lookup = lookup
        self._clock = clock
        self._progress = progress
        self._concurrency = concurrency
        self._policy = policy
        self._nobody = self._client(None)
        self._clients: dict[Credentials, RestClient] = {}
        self._found: dict[str, Credentials | None] = {}
        self._looking = threading.Lock()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent so far, by method."""
        with self._looking:
            clients = (self._nobody, *self._clients.values())
        total: Counter[str] = Counter()
        for client in clients:
            total.update(client.counts)
        return total

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    # --- accounts -------------------------------------------------------------------------------------------------
    def credentials(self, repository: str) -> Credentials | None:
        """Return the credentials that are used for a repository, or None where it is asked as nobody."""
        with self._looking:  # a credential helper may ask the person: once, not once a thread
            if repository not in self._found:
                self._found[repository] = self._lookup(repository)
            return self._found[repository]

    def _rest(self, repository: str) -> RestClient:
        """Return the client of the account that is used for the repository; limits are an account's own."""
        credentials = self.credentials(repository)
        if credentials is None:
            return self._nobody
        with self._looking:
            if credentials not in self._clients:
                self._clients[credentials] = self._client(credentials)
            return self._clients[credentials]

    def _client(self, credentials: Credentials | None) -> RestClient:
        authorize = HubLogin(credentials, client=self._nobody, clock=self._clock) if credentials is not None else None
        return RestClient(
            transport=self._transport,
            base_url=self._address,
            place=self.place,
            clock=self._clock,
            progress=self._progress,
            authorize=authorize or as_nobody,
            concurrency=self._concurrency,
            policy=self._policy,
        )

    # --- reading --------------------------------------------------------------------------------------------------
    def describe(self, repository: str) -> dict[str, Any]:
        """Return the API's description of a repository; NotFound where these credentials cannot see it."""
        client, doing = self._rest(repository), f"read the settings of {repository}"
        response = client.send("GET", _path(repository), about=repository)
        if response.status == _NOT_FOUND:
            raise NotFound(
                f"{self.place}: there is no repository {repository}, or it is private",
                remedy="check the name; private repositories need credentials that may see them",
                status=_NOT_FOUND,
            )
        document = client.read(response, doing=doing)
        if not isinstance(document, dict):
            raise ProtocolViolation(f"{self.place}: cannot {doing}: the answer is not a JSON object")
        return document

    def repositories(self, namespace: str) -> Iterator[str]:
        """Yield the repositories of one namespace that these credentials may see."""
        doing = f"list the repositories of {namespace}"
        path = f"/v2/namespaces/{namespace}/repositories"
        for name in self._entries(self._rest(namespace), path, doing=doing, about=namespace):
            yield f"{namespace}/{name}"

    def tags(self, repository: str) -> tuple[ListedTag, ...]:
        """Return every tag with its times, its digest where the API tells it, and why it is immutable, if it is."""
        doing = f"list the tags of {repository}"
        rules = immutable_rules(self.describe(repository))
        path = f"{_path(repository)}/tags"
        entries = self._entries(self._rest(repository), path, doing=doing, about=repository)
        locked = locked_tags(rules, entries, verify=self._verifier(repository))
        listed = (read_tag(entry, place=self.place, doing=doing) for entry in entries.values())
        return tuple(replace(tag, locked=locked.get(tag.name, "")) for tag in listed)

    def locked(self, repository: str, tag: str) -> str:
        """Return why a tag is immutable now, in words; empty where it is not.

        Asked after a 403 to its removal: one that is the tag's own says nothing of the other tags.
        """
        rules = immutable_rules(self.describe(repository))
        why = locked_tags(rules, (tag,), verify=self._verifier(repository)).get(tag, "")
        if why:
            self._rest(repository).excuse("DELETE", repository)
        return why

    def knows_absent(self, repository: str, tag: str) -> bool:
        """Tell whether the API answers that there is no such tag."""
        return (
            self._rest(repository).send("HEAD", f"{_path(repository)}/tags/{tag}", about=repository).status
            == _NOT_FOUND
        )

    def _entries(self, client: RestClient, path: str, *, doing: str, about: str) -> dict[str, dict[str, Any]]:
        """Return all entries of a listing by their names. Pages are numbered, so that whatever is pushed or removed
        meanwhile moves the rest to other pages: the counts tell, and the listing is then read anew.
        """
        for _ in range(_LISTINGS):
            counts: set[int] = set()
            entries: dict[str, dict[str, Any]] = {}
            documents = client.pages(
                path,
                doing=doing,
                query={"page": 1, "page_size": _PAGE},
                about=about,
                following=lambda _, document: read_page(document, place=self.place, doing=doing).following,
            )
            for document in documents:
                page = read_page(document, place=self.place, doing=doing)
                counts.add(page.count)
                entries.update(page.entries)
            if counts == {len(entries)}:
                return entries
        raise ProtocolViolation(
            f"{self.place}: cannot {doing}: it changed each of the {_LISTINGS} times that it was read, or lists less "
            "than it counts",
            remedy="run it again when nobody pushes; nothing is planned from an incomplete listing",
        )

    def _verifier(self, repository: str) -> Verify:
        refused = False

        def verify(rule: str) -> frozenset[str] | None:
            nonlocal refused
            if refused or self.credentials(repository) is None:
                return None
            client, path = self._rest(repository), f"{_path(repository)}/immutabletags/verify"
            response = client.send("POST", path, body={"regex": rule}, about=repository)
            if response.status != _OK:
                # It is for administrators: whoever may not ask takes the tag for immutable, and asks no more.
                refused = response.status == _FORBIDDEN
                if refused:
                    client.excuse("POST", repository)
                return None
            document = client.read(response, doing=f"verify {rule!r}")
            names = document.get("tags") if isinstance(document, dict) else None
            return frozenset(map(str, names)) if isinstance(names, list) else None

        return verify

    # --- removing -------------------------------------------------------------------------------------------------
    def remove(self, repository: str, tag: str) -> Response:
        """Ask to remove one tag and return the answer, whatever it is."""
        namespace, name = _halves(repository)
        path = f"/v2/repositories/{namespace}/{name}/tags/{tag}/"
        return self._rest(repository).send("DELETE", path, about=repository)


def api_address(given: str | None, settings: RegistrySettings) -> str:
    """Return where the API answers; https, unless it is on this machine or the policy allows plain http in words."""
    place = endpoint(settings)
    where = f"registries: {settings.host}"
    if given is None and place.host != DOCKER_HUB:
        raise ConfigurationError(
            f"{where}: the driver dockerhub does not know where the API of this host answers",
            remedy="it is for docker.io; for another host name the option api: https://…",
        )
    url = (given or API).rstrip("/")
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.username is not None or parts.scheme not in ("http", "https"):
        raise ConfigurationError(f"{where}: the address of Docker Hub's API is not usable", remedy=f"api: {API}")
    if parts.scheme == "http" and not url_is_loopback(url) and not settings.plain_http:
        raise ConfigurationError(f"{where}: {parts.netloc} would get credentials unencrypted", remedy=f"api: {API}")
    return url


def _path(repository: str) -> str:
    namespace, name = _halves(repository)
    return f"/v2/namespaces/{namespace}/repositories/{name}"


def _halves(repository: str) -> tuple[str, str]:
    namespace, _, name = repository.partition("/")
    if not name or "/" in name:
        raise InvalidReference(
            f"{repository!r} is no repository of Docker Hub", remedy="they have two parts: namespace/name"
        )
    return namespace, name
