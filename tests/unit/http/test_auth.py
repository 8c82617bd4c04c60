"""The conversation that authorizes a request, without any socket."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tagsweep.http.auth import AuthSession, Credentials
from tagsweep.http.challenge import CATALOG, Scope
from tagsweep.http.tokens import granted_by, read_token
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied, ProtocolViolation, ServerFailed
from tagsweep.ports import Request, Response
from tests.unit.http.helpers import FakeClock, answer

USER = Credentials(username="robot", password="s3cret", found_in="config.json")
READ = Scope.repository("team/app", "pull")
DELETE = Scope.repository("team/app", "pull", "delete")
BASE = "https://registry.example.com"
REALM = "https://auth.example.com/token"
Respond = Callable[[Request], Response]


def jwt(*scopes: Scope) -> str:
    """Return an unsigned token that claims to grant ``scopes``."""
    access = [{"type": scope.kind, "name": scope.name, "actions": sorted(scope.actions)} for scope in scopes]
    claims = base64.urlsafe_b64encode(json.dumps({"access": access}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{claims}.signature"


class Registry:
    """A registry and its token server as one function; ``grant`` decides what a token allows."""

    def __init__(self, grant: Callable[[Scope], Scope], *, scope: str = "", realm: str = REALM) -> None:
        self.grant = grant
        self.scope = scope
        self.realm = realm
        self.sent: list[Request] = []
        self.token_status = 200

    def __call__(self, request: Request) -> Response:
        self.sent.append(request)
        if request.url.startswith(self.realm):
            if self.token_status != 200:
                return answer(request, self.token_status, b'{"details":"no"}')
            asked = parse_qs(urlsplit(request.url).query).get("scope", [])
            granted = [self.grant(scope) for text in asked for scope in Scope.parse_all(text)]
            return answer(request, 200, json.dumps({"token": jwt(*granted), "expires_in": 100}).encode())
        action = "delete" if request.method == "DELETE" else "pull"
        text = request.headers.get("Authorization", "").partition(" ")[2]
        granted_now = granted_by(text) or ()
        if not Scope.repository("team/app", action).missing_from(granted_now):
            return answer(request, 200, b"ok")
        wanted = self.scope or f"repository:team/app:{action}"
        challenge = f'Bearer realm="{self.realm}",service="reg",scope="{wanted}"'
        return answer(request, 401, b"", www_authenticate=challenge)

    @property
    def tokens_asked(self) -> list[Request]:
        return [request for request in self.sent if request.url.startswith(self.realm)]


def session(
    credentials: Credentials | None, *, base: str = BASE, plain: bool = False, clock: FakeClock | None = None
) -> AuthSession:
    return AuthSession(
        base_url=base,
        place="registry.example.com",
        lookup=lambda _repository: credentials,
        monotonic=(clock or FakeClock()).monotonic,
        plain=plain,
    )


def run(auth: AuthSession, respond: Respond, method: str = "GET", scope: Scope = READ, base: str = BASE) -> Response:
    exchange = auth.exchange(Request(method=method, url=f"{base}/v2/team/app/tags/list"), scope)
    try:
        step = next(exchange)
        while True:
            step = exchange.send(respond(step))
    except StopIteration as end:
        response: Response = end.value
        return response


def everything(scope: Scope) -> Scope:
    return scope


def only_pull(scope: Scope) -> Scope:
    return Scope(kind=scope.kind, name=scope.name, actions=scope.actions & {"pull"})


def test_an_open_registry_is_asked_once_and_without_authorization() -> None:
    """Where no 401 comes, no credentials are looked up and none are sent."""
    sent = []

    def respond(request: Request) -> Response:
        sent.append(request)
        return answer(request, 200)

    def lookup(_repository: str) -> Credentials | None:
        raise AssertionError("nobody asked for credentials")

    auth = AuthSession(base_url=BASE, place="r", lookup=lookup, monotonic=FakeClock().monotonic)
    assert run(auth, respond).status == 200
    assert [dict(request.headers) for request in sent] == [{}]


def test_basic_is_answered_once_and_then_sent_at_once() -> None:
    """After the first challenge, Basic credentials go with every request of that registry."""
    sent = []

    def respond(request: Request) -> Response:
        sent.append(request)
        good = request.headers.get("Authorization") == "Basic " + base64.b64encode(b"robot:s3cret").decode()
        return answer(request, 200) if good else answer(request, 401, www_authenticate='Basic realm="lab"')

    auth = session(USER)
    assert run(auth, respond).status == 200
    assert run(auth, respond).status == 200
    assert len(sent) == 3


def test_credentials_that_end_are_looked_up_anew() -> None:
    """What a cloud gives for some hours is used until its end, and then asked for again; what has no end never is."""
    clock = FakeClock()
    given: list[Credentials] = []
    sent: list[str] = []

    def lookup(_repository: str) -> Credentials | None:
        password = f"password {len(given)}"
        given.append(Credentials(username="AWS", password=password, good_until=clock.monotonic() + 100))
        return given[-1]

    def respond(request: Request) -> Response:
        sent.append(request.headers.get("Authorization", ""))
        good = sent[-1] == given[-1].basic if given else False
        return answer(request, 200) if good else answer(request, 401, www_authenticate='Basic realm="cloud"')

    auth = AuthSession(base_url=BASE, place="r", lookup=lookup, monotonic=clock.monotonic)
    assert run(auth, respond).status == run(auth, respond).status == 200
    assert len(given) == 1
    clock.sleep(100)
    assert run(auth, respond).status == 200
    assert len(given) == 2
    assert sent == ["", given[0].basic, given[0].basic, given[1].basic]


def test_rejected_credentials_are_tried_once_only() -> None:
    """A wrong password is sent once, because repeated tries lock accounts; the error names the user and the file."""
    sent = []

    def respond(request: Request) -> Response:
        sent.append(request)
        return answer(request, 401, b'{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}', www_authenticate="Basic")

    auth = session(USER)
    for _ in range(3):
        with pytest.raises(
            AuthenticationFailed, match=r"rejects the credentials of robot \(config.json\): no"
        ) as caught:
            run(auth, respond)
        assert "s3cret" not in str(caught.value)
    assert sum("Authorization" in request.headers for request in sent) == 1


def test_a_token_is_fetched_with_the_credentials_and_cached_until_it_expires() -> None:
    """One token serves all requests of one scope; after its life a new one is fetched without another 401."""
    clock, registry = FakeClock(), Registry(everything)
    auth = session(USER, clock=clock)
    assert run(auth, registry).status == 200
    assert run(auth, registry).status == 200
    assert [request.method for request in registry.sent] == ["GET"] * 4
    (asked,) = registry.tokens_asked
    assert asked.url == f"{REALM}?service=reg&scope=repository:team/app:pull"
    assert asked.headers["Authorization"] == USER.basic
    clock.sleep(99)
    assert run(auth, registry).status == 200
    assert len(registry.tokens_asked) == 2
    assert len(registry.sent) == 6


def test_an_anonymous_token_is_asked_without_credentials() -> None:
    """Without credentials the token server is still asked: public repositories work that way."""
    registry = Registry(only_pull)
    assert run(session(None), registry).status == 200
    assert "Authorization" not in registry.tokens_asked[0].headers


def test_a_token_that_lacks_delete_is_told_as_such() -> None:
    """The token server grants less without an error; the refusal names the missing right and nothing is sent again."""
    registry = Registry(only_pull)
    with pytest.raises(PermissionDenied, match="lack the delete right on team/app"):
        run(session(USER), registry, "DELETE", DELETE)
    assert [request.method for request in registry.sent] == ["DELETE", "GET"]
    with pytest.raises(PermissionDenied, match="does not grant the delete right on team/app without credentials"):
        run(session(None), registry, "DELETE", DELETE)


def test_an_opaque_token_that_is_refused_again_stops_after_one_renewal() -> None:
    """Where the token cannot be read, the second 401 ends it: no loop of renewals."""
    sent = []

    def respond(request: Request) -> Response:
        sent.append(request)
        if request.url.startswith(REALM):
            return answer(request, 200, b'{"access_token":"opaque"}')
        return answer(request, 401, www_authenticate=f'Bearer realm="{REALM}",scope="repository:team/app:delete"')

    with pytest.raises(PermissionDenied, match="lack the delete right"):
        run(session(USER), respond, "DELETE", DELETE)
    assert [request.method for request in sent] == ["DELETE", "GET", "DELETE"]


def test_a_token_that_expired_while_its_request_waited_is_renewed_again() -> None:
    """A rate limit's pause may outlive the renewed token too: that is no missing right, and it is tried once more."""
    clock = FakeClock()
    registry = Registry(everything)
    waits = [True, True]

    def respond(request: Request) -> Response:
        if not request.url.startswith(REALM) and "Authorization" in request.headers and waits:
            waits.pop()
            clock.sleep(200)
            return answer(request, 401, www_authenticate=f'Bearer realm="{REALM}",service="reg"')
        return registry(request)

    auth = session(USER, clock=clock)
    waits.pop()
    assert run(auth, respond).status == 200
    assert len(registry.tokens_asked) == 2
    waits.extend([True] * 3)
    with pytest.raises(PermissionDenied):
        run(auth, respond)


def test_what_a_challenge_wants_is_asked_for_as_well() -> None:
    """A registry with actions of its own (Azure's metadata_read) gets a token with them, also when it is renewed."""
    clock = FakeClock()
    registry = Registry(everything, scope="repository:team/app:metadata_read")
    auth = session(USER, clock=clock)
    run(auth, registry)
    clock.sleep(1000)
    run(auth, registry)
    assert all("scope=repository:team/app:pull,metadata_read" in request.url for request in registry.tokens_asked)


def test_an_identity_token_is_exchanged_by_post() -> None:
    """An identity token goes into the body of a POST, never into a URL."""
    sent = []

    def respond(request: Request) -> Response:
        sent.append(request)
        if request.url.startswith(REALM):
            return answer(request, 200, b'{"access_token":"abc"}')
        good = request.headers.get("Authorization") == "Bearer abc"
        return answer(request, 200) if good else answer(request, 401, www_authenticate=f'Bearer realm="{REALM}"')

    assert run(session(Credentials(identity_token="id+token", found_in="helper")), respond).status == 200
    assert sent[1].method == "POST"
    assert sent[1].url == REALM
    assert parse_qs((sent[1].body or b"").decode())["refresh_token"] == ["id+token"]


bad_realms = ["http://auth.example.com/token", "ftp://auth.example.com/token", "/token", "http://10.0.0.1/token"]


@pytest.mark.parametrize("realm", bad_realms)
def test_credentials_never_go_to_a_token_server_unencrypted(realm: str) -> None:
    """A realm by plain http (or no URL at all) gets nothing."""
    registry = Registry(everything, realm=realm)
    with pytest.raises((AuthenticationFailed, ProtocolViolation)):
        run(session(USER), registry)
    assert registry.tokens_asked == []


good_realms = [
    ("http://127.0.0.1:5001/token", BASE, False),
    ("http://localhost/token", BASE, False),
    ("http://registry.lan:5001/token", "http://registry.lan:5000", True),
]


@pytest.mark.parametrize(("realm", "base", "plain"), good_realms)
def test_a_token_server_on_loopback_or_on_the_plain_host_is_allowed(realm: str, base: str, plain: bool) -> None:  # noqa: FBT001 - a table's column
    """Loopback does not leave the machine; plain http for a host in words covers its token server too."""
    registry = Registry(everything, realm=realm)
    assert run(session(USER, base=base, plain=plain), registry, base=base).status == 200
    assert "Authorization" in registry.tokens_asked[0].headers


def test_a_broken_token_server_is_not_taken_for_wrong_credentials() -> None:
    """5xx from the token server is its failure; 401 from it rejects the credentials, once for all."""
    registry = Registry(everything)
    auth = session(USER)
    registry.token_status = 503
    with pytest.raises(ServerFailed, match="token server"):
        run(auth, registry)
    registry.token_status = 401
    for _ in range(2):
        with pytest.raises(AuthenticationFailed, match="rejects"):
            run(auth, registry)
    assert len(registry.tokens_asked) == 2


@pytest.mark.parametrize("status", [204, 302, 404, 418])
def test_what_is_no_token_server_does_not_reject_credentials(status: int) -> None:
    """A redirect to a sign-in page or a wrong address says nothing about the credentials, which stay good."""
    registry = Registry(everything)
    auth = session(USER)
    registry.token_status = status
    with pytest.raises(ProtocolViolation, match=rf"answers {status}, as a token server does not"):
        run(auth, registry)
    registry.token_status = 200
    assert run(auth, registry).status == 200


def test_many_threads_look_for_credentials_once() -> None:
    """A credential helper may ask a person: it is run once, however many threads need what it knows."""
    barrier, second = threading.Barrier(8), threading.Event()
    looked: list[str] = []

    def look_up(repository: str) -> Credentials:
        looked.append(repository)
        second.wait(timeout=0.1)  # time for a second look-up to begin, if one were let in
        return USER

    auth = AuthSession(base_url=BASE, place="r", lookup=look_up, monotonic=FakeClock().monotonic)

    def respond(request: Request) -> Response:
        if "Authorization" in request.headers:
            return answer(request, 200)
        barrier.wait(timeout=10)
        return answer(request, 401, www_authenticate="Basic")

    threads = [threading.Thread(target=run, args=(auth, respond)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looked == ["team/app"]


def test_an_unknown_scheme_is_refused_in_words() -> None:
    """A sign-in page or Kerberos is not answered."""
    with pytest.raises(AuthenticationFailed, match="no way that tagsweep knows"):
        run(session(USER), lambda request: answer(request, 401, www_authenticate="Negotiate"))


@pytest.mark.parametrize("known", [False, True], ids=["the first request", "a later one"])
def test_a_401_without_a_challenge_refuses_the_request_and_not_its_token(known: bool) -> None:  # noqa: FBT001 - a table's column
    """GitLab's registry refuses protected tags so: what it says is told, and the credentials stay good."""
    registry = Registry(everything)
    auth = session(USER)
    if known:
        run(auth, registry, "DELETE", DELETE)

    def respond(request: Request) -> Response:
        found = registry(request)
        said = json.dumps({"errors": [{"code": "X", "message": "tag is protected"}]}).encode()
        return answer(request, 401, said) if found.body == b"ok" else found

    with pytest.raises(PermissionDenied, match=r"refuses this .*config\.json.*: tag is protected") as refused:
        run(auth, respond, "DELETE", DELETE)
    assert (refused.value.status, refused.value.code) == (401, "X")
    assert len(registry.tokens_asked) == 1
    assert run(auth, registry, "DELETE", DELETE).status == 200


def test_the_lock_on_tokens_is_given_back_when_sending_fails() -> None:
    """A conversation that is broken off while a token is fetched does not stop the next one."""
    registry = Registry(everything)
    auth = session(USER)
    broken = auth.exchange(Request(method="GET", url=f"{BASE}/v2/"), READ)
    step = next(broken)
    assert broken.send(registry(step)).url.startswith(REALM)
    broken.close()
    assert run(auth, registry).status == 200


def test_many_threads_share_one_token() -> None:
    """Eight threads that meet the same challenge at once ask for one token."""
    registry = Registry(everything)
    auth = session(USER)
    barrier = threading.Barrier(8)
    statuses = []

    def work() -> None:
        barrier.wait()
        statuses.append(run(auth, registry).status)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert len(registry.tokens_asked) == 1


def test_secrets_are_not_in_the_text_of_credentials() -> None:
    """Printing credentials or a token shows no secret."""
    credentials = Credentials(username="robot", password="s3cret", identity_token="id-secret")
    token = read_token(b'{"token":"tok-secret"}', now=0.0, place="r")
    assert "secret" not in repr(credentials)
    assert "tok-secret" not in repr(token)


bad_token_answers = [
    b"",
    b"[]",
    b"{}",
    b'{"token":7}',
    b'{"token":"a b"}',
    b'{"token":"a\\r\\nX: y"}',
    b'{"token":"\\u00e9"}',
    b"<html>",
]


@pytest.mark.parametrize("body", bad_token_answers)
def test_an_answer_without_a_usable_token_is_a_violation(body: bytes) -> None:
    """Only a token that fits into one header line is accepted."""
    with pytest.raises(ProtocolViolation):
        read_token(body, now=0.0, place="r")


good_lives = [
    (b'{"token":"t"}', 54.0),
    (b'{"token":"t","expires_in":100}', 90.0),
    (b'{"token":"t","expires_in":-5}', 54.0),
    (b'{"token":"t","expires_in":true}', 54.0),
    (b'{"token":"t","expires_in":1e300}', 77760.0),
]


@pytest.mark.parametrize(("body", "until"), good_lives)
def test_a_token_lives_as_long_as_told_within_reason(body: bytes, until: float) -> None:
    """The default is 60 seconds; a tenth is left as margin; nonsense and excess are bounded."""
    assert read_token(body, now=0.0, place="r").expires_at == pytest.approx(until)


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.e30.c", f"x.{base64.urlsafe_b64encode(b'[1]').decode()}.z"])
def test_tokens_that_cannot_be_read_say_nothing(token: str) -> None:
    """An opaque token is no proof of a missing right."""
    assert granted_by(token) is None


def test_a_catalog_that_is_shut_is_told_in_words() -> None:
    """Whoever may not list all repositories is told to name them."""
    registry = Registry(only_pull, scope="registry:catalog:*")
    with pytest.raises(PermissionDenied, match="lack the right to list all repositories") as caught:
        run(session(USER), registry, "DELETE", CATALOG)
    assert caught.value.remedy == "name the repositories in targets"


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(username="t0p-s3cret", password="t0p-s3cret", found_in="environment"),
        Credentials(username="t0p-s3cret", identity_token="t0p-s3cret", found_in="environment"),
        Credentials(password="t0p-s3cret", found_in="environment"),
    ],
    ids=["as name and password", "as name and identity token", "without a name"],
)
def test_a_token_that_is_the_name_as_well_is_not_shown(credentials: Credentials) -> None:
    """Where a registry takes a token as the user's name, neither the message nor the repr shows it."""
    assert "t0p" not in credentials.whose
    assert "t0p" not in repr(credentials)
    assert USER.whose == "robot"
