"""How a request gets its Authorization: a conversation without I/O.

:meth:`AuthSession.exchange` is a generator: it yields the requests to send and is given the answers, so that every path
can be tested without a socket. Flow: with what is known already; on 401 basic or a token, once more; then an error.
Rule: distribution's token authentication specification.
"""

from __future__ import annotations

import base64
import math
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

from tagsweep.http.challenge import Challenge, Scope, parse_challenges
from tagsweep.http.failures import read_error
from tagsweep.http.hosts import is_loopback, origin
from tagsweep.http.redact import redact_url
from tagsweep.http.tokens import Token, granted_by, read_token
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied, ProtocolViolation, RegistryError, ServerFailed
from tagsweep.ports import Request, Response

Exchange: TypeAlias = Generator[Request, Response, Response]
UNAUTHORIZED: Final = 401
_OK: Final = 200
_MAX_TOKEN_ANSWER: Final = 1024 * 1024
_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429
_REJECTIONS: Final = frozenset({400, 401, 403})
"""What a token server says to wrong credentials; 400 is OAuth 2's (RFC 6749, section 5.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user's name and password, or an identity token that buys access tokens; ``found_in`` says where, in words.

    Clouds hand out credentials that end: from ``good_until`` (monotonic seconds) on they are looked up anew.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    found_in: str = ""
    good_until: float = math.inf

    @property
    def basic(self) -> str:
        """The value of an Authorization header; empty where only an identity token is known."""
        if not self.username and not self.password:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    @property
    def whose(self) -> str:
        """The user's name, fit for a message: some registries take a token as the name as well (DigitalOcean)."""
        if not self.username:
            return "the identity token" if self.identity_token else "the token"
        return "the token" if self.username in (self.password, self.identity_token) else self.username


Lookup: TypeAlias = Callable[[str], Credentials | None]
"""Finds the credentials for a repository path (empty for the registry itself); called once somebody asks for them, and
again when those that it gave have ended.
"""


class AuthSession:
    """Everything learnt about the authorization of one registry; shared by all threads.

    ``base_url`` is the registry's own origin, ``place`` its name in messages, ``plain`` whether the user allowed plain
    http for it. ``monotonic`` tells seconds for the expiry of tokens.
    """

    def __init__(
        self, *, base_url: str, place: str, lookup: Lookup, monotonic: Callable[[], float], plain: bool = False
    ) -> None:
        self._base_url = base_url
        self._place = place
        self._lookup = lookup
        self._monotonic = monotonic
        self._plain = plain
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str, str], Token] = {}
        self._asked: dict[str, tuple[Scope, ...]] = {}
        self._looking = threading.Lock()
        self._found: dict[str, Credentials | None] = {}
        self._bearer: Challenge | None = None
        self._basic = False
        self._rejected: dict[Credentials, AuthenticationFailed] = {}

    def exchange(self, request: Request, scope: Scope) -> Exchange:
        """Yield what must be sent to get ``request`` answered, and return the answer, which is never a 401.

        Raises AuthenticationFailed or PermissionDenied after one renewed try, ProtocolViolation for a token server
        that answers nonsense. Credentials that were rejected once are not tried again: repeated tries lock accounts.
        """
        attached = yield from self._attach(scope)
        response = yield _authorized(request, attached)
        if response.status != UNAUTHORIZED:
            return response
        authorization = yield from self._answer(response, scope, refused=attached)
        response = yield _authorized(request, authorization)
        if response.status == UNAUTHORIZED and self._outlived(authorization):
            authorization = yield from self._answer(response, scope, refused=authorization)
            response = yield _authorized(request, authorization)
        if response.status != UNAUTHORIZED:
            return response
        raise self._still_refused(response, scope)

    def _attach(self, scope: Scope) -> Generator[Request, Response, str]:
        bearer = self._bearer
        if bearer is not None:
            return (yield from self._token(bearer, scope, (), refused=""))
        if self._basic:
            credentials = self._credentials(scope)
            return credentials.basic if credentials is not None else ""
        return ""

    def _answer(self, response: Response, scope: Scope, *, refused: str) -> Generator[Request, Response, str]:
        challenges = parse_challenges(response.headers.get("www-authenticate", ""))
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                wanted = Scope.parse_all(challenge.parameters.get("scope", ""))
                authorization = yield from self._token(challenge, scope, wanted, refused=refused)
                self._bearer, self._basic = challenge, False
                return authorization
        if any(challenge.scheme == "basic" for challenge in challenges):
            return self._answer_basic(response, scope, refused=refused)
        if not challenges and refused.startswith("Bearer "):
            raise self._refused_for_good(response, scope)
        raise AuthenticationFailed(
            f"{self._place} wants authentication by no way that tagsweep knows (Basic and Bearer)",
            remedy="check that the host is a registry's, and not a sign-in page before it",
            status=UNAUTHORIZED,
        )

    def _answer_basic(self, response: Response, scope: Scope, *, refused: str) -> str:
        credentials = self._credentials(scope)
        if credentials is None or not credentials.basic:
            raise self._no_credentials(response)
        if credentials.basic == refused:
            raise self._reject(credentials, response)
        self._basic = True
        return credentials.basic

    # One thread at a time asks for tokens: the others would only ask for the same ones.
    def _token(
        self, challenge: Challenge, scope: Scope, wanted: tuple[Scope, ...], *, refused: str
    ) -> Generator[Request, Response, str]:
        realm, service = challenge.parameters["realm"], challenge.parameters.get("service", "")
        key = (realm, service, str(scope))
        token = self._tokens.get(key)
        if token is not None and self._fresh(token, refused):
            return f"Bearer {token.text}"
        with self._lock:
            token = self._tokens.get(key)
            if token is not None and self._fresh(token, refused):
                return f"Bearer {token.text}"
            scopes = scope.joined(wanted + self._asked.get(str(scope), ()))
            credentials = self._credentials(scope)
            response = yield self._token_request(realm, service, scopes, credentials)
            token = self._read(response, credentials)
            self._check_grant(token, wanted, credentials)
            self._asked[str(scope)] = scopes
            self._tokens[key] = token
            return f"Bearer {token.text}"

    def _fresh(self, token: Token, refused: str) -> bool:
        return token.expires_at > self._monotonic() and f"Bearer {token.text}" != refused

    def _outlived(self, authorization: str) -> bool:
        """Tell whether the token expired while its request waited: a rate limit's pause may be longer than its life."""
        known = tuple(self._tokens.values())
        now = self._monotonic()
        return any(f"Bearer {token.text}" == authorization and token.expires_at <= now for token in known)

    def _token_request(
        self, realm: str, service: str, scopes: Iterable[Scope], credentials: Credentials | None
    ) -> Request:
        scheme, host, _ = origin(realm)
        if scheme not in ("http", "https") or not host:
            raise ProtocolViolation(f"{self._place} names {redact_url(realm)!r} as its token server, which is no URL")
        if credentials is not None and not self._may_know_secrets(realm):
            raise AuthenticationFailed(
                f"{self._place} names {redact_url(realm)} as its token server, "
                "and credentials do not go there unencrypted",
                remedy="ask the registry's operator for a token server with https",
                status=UNAUTHORIZED,
            )
        if credentials is not None and credentials.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": service,
                "client_id": "tagsweep",
                "scope": " ".join(map(str, scopes)),
                "refresh_token": credentials.identity_token,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
            body = urlencode(form).encode()
            return Request(method="POST", url=realm, headers=headers, body=body, max_body=_MAX_TOKEN_ANSWER)
        query = urlencode([("service", service)] if service else [], quote_via=quote)
        asked = "&".join(f"scope={quote(str(scope), safe=':/,*')}" for scope in scopes)
        joiner = "&" if urlsplit(realm).query else "?"
        headers = {"Accept": "application/json"}
        if credentials is not None and credentials.basic:
            headers["Authorization"] = credentials.basic
        url = f"{realm}{joiner}{'&'.join(part for part in (query, asked) if part)}"
        return Request(method="GET", url=url, headers=headers, max_body=_MAX_TOKEN_ANSWER)

    def _may_know_secrets(self, realm: str) -> bool:
        scheme, host, _ = origin(realm)
        if scheme == "https" or is_loopback(f"[{host}]" if ":" in host else host):
            return True
        return self._plain and host == origin(self._base_url)[1]

    def _read(self, response: Response, credentials: Credentials | None) -> Token:
        if response.status == _OK:
            return read_token(response.body, now=self._monotonic(), place=self._place)
        if response.status >= _SERVER_ERROR or response.status == _TOO_MANY:
            raise ServerFailed(
                f"{self._place}: the token server {redact_url(response.url).partition('?')[0]} "
                f"answers {response.status}",
                status=response.status,
            )
        if response.status not in _REJECTIONS:
            raise ProtocolViolation(
                f"{self._place}: what it names as its token server, {redact_url(response.url).partition('?')[0]}, "
                f"answers {response.status}, as a token server does not",
                remedy="check that the host is a registry's, and not a sign-in page before it",
                status=response.status,
            )
        if credentials is not None:
            raise self._reject(credentials, response)
        raise self._no_credentials(response)

    def _check_grant(self, token: Token, wanted: tuple[Scope, ...], credentials: Credentials | None) -> None:
        granted = granted_by(token.text)
        for scope in wanted if granted is not None else ():
            missing = scope.missing_from(granted or ())
            if missing:
                raise self._lacking(sorted(missing), scope, credentials)

    def _lacking(self, actions: list[str], scope: Scope, credentials: Credentials | None) -> RegistryError:
        repository = scope.kind == "repository"
        right = f"{' and '.join(actions)} right on {scope.name}" if repository else "right to list all repositories"
        if credentials is None:
            return PermissionDenied(
                f"{self._place} does not grant the {right} without credentials",
                remedy=_login(self._place),
                status=UNAUTHORIZED,
            )
        return PermissionDenied(
            f"{self._place}: the credentials ({credentials.found_in}) lack the {right}",
            remedy="use credentials that have it" if repository else "name the repositories in targets",
            status=UNAUTHORIZED,
        )

    # GitLab's registry answers so to the deletion of a protected tag: the token is good, this is not for it.
    def _refused_for_good(self, response: Response, scope: Scope) -> PermissionDenied:
        said = read_error(response.body)
        credentials = self._credentials(scope)
        whose = f" with the credentials ({credentials.found_in})" if credentials is not None else ""
        return PermissionDenied(
            f"{self._place} refuses this{whose}, and asks for no others"
            + (f": {said.message}" if said.message else ""),
            remedy="look what the registry protects, or use credentials that have the right",
            status=UNAUTHORIZED,
            code=said.code,
        )

    def _still_refused(self, response: Response, scope: Scope) -> RegistryError:
        credentials = self._credentials(scope)
        wanted: tuple[Scope, ...] = ()
        challenges = parse_challenges(response.headers.get("www-authenticate", ""))
        for challenge in challenges:
            if challenge.scheme == "bearer":
                wanted = Scope.parse_all(challenge.parameters.get("scope", ""))
        if self._bearer is not None and not challenges:
            return self._refused_for_good(response, scope)
        if self._bearer is not None:
            named = next((item for item in wanted if item.name == scope.name), scope)
            return self._lacking(sorted(named.actions), scope, credentials)
        return self._reject(credentials, response) if credentials is not None else self._no_credentials(response)

    def _reject(self, credentials: Credentials, response: Response) -> AuthenticationFailed:
        said = read_error(response.body).message
        error = AuthenticationFailed(
            f"{self._place} rejects the credentials of {credentials.whose} "
            f"({credentials.found_in})" + (f": {said}" if said else ""),
            remedy=_login(self._place),
            status=response.status,
        )
        self._rejected[credentials] = error
        return error

    def _no_credentials(self, response: Response) -> AuthenticationFailed:
        return AuthenticationFailed(
            f"{self._place} wants credentials and none were found", remedy=_login(self._place), status=response.status
        )

    def _credentials(self, scope: Scope) -> Credentials | None:
        name = scope.name if scope.kind == "repository" else ""
        with self._looking:  # a credential helper may ask the person: once, not once a thread
            credentials = self._found.get(name)
            if name not in self._found or (credentials and credentials.good_until <= self._monotonic()):
                credentials = self._found[name] = self._lookup(name)
        if credentials is not None and credentials in self._rejected:
            known = self._rejected[credentials]
            raise AuthenticationFailed(str(known), remedy=known.remedy, status=known.status)
        return credentials


def _login(place: str) -> str:
    return f"log in with docker login {place}, or set TAGSWEEP_USERNAME and TAGSWEEP_PASSWORD"


def _authorized(request: Request, authorization: str) -> Request:
    if not authorization:
        return request
    return Request(
        method=request.method,
        url=request.url,
        headers={**request.headers, "Authorization": authorization},
        body=request.body,
        max_body=request.max_body,
    )
