"""What is special of Docker Hub: its listing, tokens, immutable tags, rights and limits, and what each answer means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tagsweep.drivers.dockerhub import HubDriver
from tagsweep.drivers.dockerhub_immutable import immutable_rules, locked_tags
from tagsweep.http.auth import Credentials
from tagsweep.http.transport import CurlTransport
from tagsweep.model.capability import Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    ConfigurationError,
    Conflict,
    InvalidReference,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RateLimited,
    ServerFailed,
    Unsupported,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.testing import images
from tagsweep.testing.access import BearerAccess
from tagsweep.testing.dialects import OCI
from tagsweep.testing.fake import FakeRegistry, LoggedRequest
from tagsweep.testing.faults import RateLimit, RetryForm, TimedLimit
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.dockerhub import DOCKER_HUB, HubApi, HubLogin, Right
from tests.unit.http.helpers import Script, answer

REPOSITORY = "team/app"
SECRET = "dckr_pat_keepthisout"
ADMIN = HubLogin(name="team", secret=SECRET)
ORGANIZATION = HubLogin(name="team", secret="dckr_oat_keepthisout", scope=Right.WRITE)


def driver_for(
    host: str, clock: InstantClock, login: HubLogin | None = ADMIN, *, progress: Quiet | None = None, **options: Any
) -> HubDriver:
    """Return a driver whose API is the fake's, logged in or as nobody."""
    found = None
    if login is not None:
        found = Credentials(username=login.name, password=login.secret, found_in="a test")
    return HubDriver(
        RegistrySettings(host=host, options={"api": f"http://{host}", **options}),
        transport=CurlTransport(place=host),
        api_transport=lambda place: CurlTransport(place=place),
        lookup=lambda _: found,
        clock=clock,
        progress=progress or Quiet(),
        environ={},
    )


@contextmanager
def hub(
    login: HubLogin | None = ADMIN, *, more: Mapping[str, Any] | None = None, tags: tuple[str, ...] = ("v1", "sha-1")
) -> Iterator[tuple[FakeRegistry, HubApi, HubDriver, InstantClock]]:
    """Run a fake Docker Hub with one image under some tags, and a driver for it on the same clock."""
    clock = InstantClock()
    logins = [login] if login is not None else []
    api = HubApi(logins=logins, clock=clock, **(more or {}))
    with FakeRegistry(DOCKER_HUB, apis=[api]) as registry:
        registry.push(REPOSITORY, images.multi_platform("one"), *tags)
        driver = driver_for(registry.host, clock, login)
        yield registry, api, driver, clock
        driver.close()


def sent(registry: FakeRegistry, method: str) -> list[str]:
    """Return the targets of the requests of one method."""
    return [request.target for request in registry.requests if request.method == method]


# --- listing ------------------------------------------------------------------------------------------------------
def test_times_keep_their_origins() -> None:
    """Pushed, updated and pulled are told apart; null, the zero time and nonsense are no times at all."""
    moment = datetime(2025, 8, 1, 12, 0, 0, 123456, tzinfo=UTC)
    with hub() as (_, api, driver, _):
        times = {
            TimeOrigin.PUSHED: moment,
            TimeOrigin.UPDATED: moment + timedelta(hours=1),
            TimeOrigin.PULLED: datetime(1, 1, 1, tzinfo=UTC),
        }
        api.record(REPOSITORY, "v1", times)
        listed = {tag.name: dict(tag.times) for tag in driver.list_tags(REPOSITORY)}
        assert listed == {
            "v1": {TimeOrigin.PUSHED: moment, TimeOrigin.UPDATED: moment + timedelta(hours=1)},
            "sha-1": {},
        }
        assert driver.capabilities(REPOSITORY).times == set(times)


@pytest.mark.parametrize("tells", [True, False], ids=["live", "as described"])
def test_the_digest_is_that_of_the_tag_or_none(*, tells: bool) -> None:
    """Digests of platforms are never taken for the tag's: without one at the top the tag is left to the registry."""
    image = images.multi_platform("one")
    with hub(more={"tells_digests": tells}) as (_, _, driver, _):
        digests = {tag.digest for tag in driver.list_tags(REPOSITORY)}
        assert digests == ({image.top} if tells else {None})
        assert driver.resolve_tag(REPOSITORY, "v1") == image.top


def test_pages_of_a_hundred_are_read_to_the_end() -> None:
    """250 tags come in three requests after one for the settings, each tag once."""
    names = tuple(f"build-{number}" for number in range(250))
    with hub(None, tags=names) as (registry, _, driver, _):
        assert sorted(tag.name for tag in driver.list_tags(REPOSITORY)) == sorted(names)
        pages = [target for target in sent(registry, "GET") if "/tags?" in target]
        assert [target.partition("?")[2] for target in pages] == [f"page={n}&page_size=100" for n in (1, 2, 3)]
        assert len(registry.requests) == 4


def test_a_listing_that_changes_is_read_anew() -> None:
    """A removal between two pages moves tags to a page that was read already: none of them is lost."""
    names = tuple(f"build-{number}" for number in range(150))
    with hub(None, tags=names) as (registry, _, driver, _):

        def remove(request: LoggedRequest) -> None:
            if "page=2" in request.target:
                registry.on_request = None
                registry.remove_tag(REPOSITORY, "build-149")

        registry.on_request = remove
        assert sorted(tag.name for tag in driver.list_tags(REPOSITORY)) == sorted(names[:-1])


def test_a_listing_that_never_stands_still_is_no_answer() -> None:
    """Where every reading is disturbed, nothing is listed rather than less."""
    names = tuple(f"build-{number}" for number in range(150))
    with hub(None, tags=names) as (registry, _, driver, _):
        image = images.image("new")

        def push(request: LoggedRequest) -> None:
            if "page=2" in request.target:
                registry.push(REPOSITORY, image, f"new-{len(registry.tags(REPOSITORY))}")

        registry.on_request = push
        with pytest.raises(ProtocolViolation, match="changed each of the 3 times"):
            driver.list_tags(REPOSITORY)


def scripted(page: Mapping[str, Any]) -> tuple[HubDriver, Script]:
    """Return a driver whose API answers each listing with this page."""

    def respond(request: Any) -> Any:
        body = page if "/tags" in request.url else {"name": "app"}
        return answer(request, 200, json.dumps(body).encode(), content_type="application/json")

    script = Script(respond)
    driver = HubDriver(
        RegistrySettings(host="docker.io"),
        transport=script,
        api_transport=lambda _: script,
        lookup=lambda _: None,
        clock=InstantClock(),
        progress=Quiet(),
        environ={},
    )
    return driver, script


entry = {"name": "v1", "tag_last_pushed": "yesterday"}
bad_pages: dict[str, Mapping[str, Any]] = {
    "next page elsewhere": {"count": 101, "next": "https://hub.example/v2/page2", "results": [entry]},
    "next page unencrypted": {"count": 101, "next": "http://hub.docker.com/v2/page2", "results": [entry]},
    "page that leads to itself": {
        "count": 101,
        "next": "https://hub.docker.com/v2/namespaces/team/repositories/app/tags?page=1&page_size=100",
        "results": [entry],
    },
    "less than counted": {"count": 2, "next": None, "results": [entry]},
    "no count": {"next": None, "results": [entry]},
    "no results": {"count": 0, "next": None},
    "entry without a name": {"count": 1, "next": None, "results": [{}]},
    "name that is no tag": {"count": 1, "next": None, "results": [{"name": "a/b"}]},
}


@pytest.mark.parametrize("name", bad_pages)
def test_a_page_that_cannot_be_trusted_is_an_error(name: str) -> None:
    """Foreign next pages are not asked, and no list is made of what is not whole."""
    driver, script = scripted(bad_pages[name])
    with pytest.raises(ProtocolViolation):
        driver.list_tags(REPOSITORY)
    assert all(request.url.startswith("https://hub.docker.com/v2/namespaces/team/") for request in script.sent)


def test_a_time_that_cannot_be_read_is_unknown() -> None:
    """The tag is listed without it."""
    driver, _ = scripted({"count": 1, "next": None, "results": [entry]})
    (tag,) = driver.list_tags(REPOSITORY)
    assert (tag.name, dict(tag.times), tag.locked) == ("v1", {}, "")


def test_official_images_and_names_of_other_shapes() -> None:
    """library/… is a namespace like any other; what has not two parts is told before anything is sent."""
    with hub() as (registry, _, driver, _):
        registry.push("library/alpine", images.image("alpine"), "3.22")
        assert [tag.name for tag in driver.list_tags("library/alpine")] == ["3.22"]
        before = len(registry.requests)
        for name in ("alpine", "a/b/c", "a/"):
            with pytest.raises(InvalidReference):
                driver.list_tags(name)
        assert len(registry.requests) == before


def test_a_private_repository_is_absent_for_nobody() -> None:
    """Its NotFound says that credentials may help; the account that may see it lists it."""
    private = {"private": [REPOSITORY]}
    with hub(more=private) as (registry, _, driver, clock):
        assert len(driver.list_tags(REPOSITORY)) == 2
        nobody = driver_for(registry.host, clock, None)
        with pytest.raises(NotFound) as told:
            nobody.list_tags(REPOSITORY)
        assert "private" in told.value.remedy
        nobody.close()


def test_repositories_are_listed_by_namespace() -> None:
    """A namespace lists its own; the catalog is that of the account's name, and nobody has none."""
    with hub() as (registry, _, driver, clock):
        for number in range(120):
            registry.push(f"other/r{number}", images.image("small"), "v1")
        assert len(set(driver.list_namespace("other"))) == 120
        assert list(driver.list_repositories()) == [REPOSITORY]
        nobody = driver_for(registry.host, clock, None)
        with pytest.raises(Unsupported):
            nobody.list_repositories()
        nobody.close()


# --- tokens -------------------------------------------------------------------------------------------------------
def test_a_token_is_renewed_before_it_expires() -> None:
    """Ten minutes are enough for one login; after them there is another, and no request was refused in between."""
    with hub() as (registry, _, driver, clock):
        driver.list_tags(REPOSITORY)
        driver.list_tags(REPOSITORY)
        assert registry.count("POST", "/v2/auth/token") == 1
        clock.sleep(9.5 * 60)
        driver.list_tags(REPOSITORY)
        assert registry.count("POST", "/v2/auth/token") == 2
        assert {request.status for request in registry.requests} == {200}


def test_a_token_that_is_refused_is_renewed_once() -> None:
    """A 401 in the middle costs one login and one more request."""
    with hub() as (registry, api, driver, _):
        driver.list_tags(REPOSITORY)
        api.expire_tokens()
        driver.list_tags(REPOSITORY)
        assert registry.count("POST", "/v2/auth/token") == 2
        assert [request.status for request in registry.requests].count(401) == 1


def test_an_api_without_the_token_call_is_asked_by_the_older_one() -> None:
    """Where /v2/auth/token does not exist, /v2/users/login is used, from then on at once."""
    with hub(more={"has_token_call": False}) as (registry, _, driver, clock):
        driver.list_tags(REPOSITORY)
        clock.sleep(600)
        driver.list_tags(REPOSITORY)
        assert sent(registry, "POST") == ["/v2/auth/token", "/v2/users/login", "/v2/users/login"]


@pytest.mark.parametrize("more", [{}, {"has_token_call": False}], ids=["token", "login"])
@pytest.mark.parametrize("fault", ["wrong secret", "second factor"])
def test_a_rejected_login_is_told_and_not_repeated(fault: str, more: Mapping[str, Any]) -> None:
    """The message names the account, where its secret was found and what to do, never the secret."""
    known = HubLogin(name="team", secret=SECRET, second_factor=fault == "second factor")
    with hub(known, more=more) as (registry, _, _, clock):
        used = HubLogin(name="team", secret=SECRET if known.second_factor else f"{SECRET}2")
        driver = driver_for(registry.host, clock, used)
        with pytest.raises(AuthenticationFailed):
            driver.list_tags(REPOSITORY)
        with pytest.raises(AuthenticationFailed) as told:
            driver.list_tags(REPOSITORY)
        assert registry.count("POST") <= 2
        assert "team (a test)" in str(told.value)
        assert "personal access token" in told.value.remedy
        assert SECRET not in f"{told.value!r} {told.value.remedy} {told.value.__cause__!r} {told.value.__context__!r}"
        driver.close()


def test_an_identity_token_is_not_sent() -> None:
    """What only buys registry tokens is told as such, before any request."""
    with hub() as (registry, _, _, clock):
        driver = HubDriver(
            RegistrySettings(host=registry.host, options={"api": f"http://{registry.host}"}),
            transport=CurlTransport(place=registry.host),
            api_transport=lambda place: CurlTransport(place=place),
            lookup=lambda _: Credentials(identity_token="identity", found_in="a test"),
            clock=clock,
            progress=Quiet(),
            environ={},
        )
        with pytest.raises(AuthenticationFailed, match="identity token"):
            driver.list_tags(REPOSITORY)
        assert registry.requests == ()
        driver.close()


def test_both_apis_take_the_same_login() -> None:
    """The registry API gets the credentials by its own token server, the Hub API by a token of its own."""
    clock = InstantClock()
    access = BearerAccess(username=ADMIN.name, password=ADMIN.secret, anonymous=frozenset())
    with FakeRegistry(DOCKER_HUB, access=access, apis=[HubApi(logins=[ADMIN], clock=clock)]) as registry:
        image = images.image("one")
        registry.push(REPOSITORY, image, "v1")
        driver = driver_for(registry.host, clock)
        assert driver.resolve_tag(REPOSITORY, "v1") == image.top
        assert driver.probe(REPOSITORY).delete_tag.usable
        assert driver.delete_tag(REPOSITORY, "v1")
        assert driver.put_manifest(REPOSITORY, "v1", image.manifest) == image.top
        driver.close()


# --- rights -------------------------------------------------------------------------------------------------------
rights: dict[str, tuple[HubLogin | None, str]] = {
    "nobody": (None, "no credentials"),
    "organization": (ORGANIZATION, "organization access token"),
    "scope": (HubLogin(name="team", secret=SECRET, scope=Right.WRITE), "with a personal access token"),
    "member": (HubLogin(name="team", secret="password", right=Right.WRITE), "does not administer"),
}


@pytest.mark.parametrize("name", rights)
def test_who_cannot_remove_tags_is_told_by_the_probe(name: str) -> None:
    """The ability is No with the reason and the remedy, without a secret; what is sent removes nothing."""
    login, words = rights[name]
    with hub(login) as (registry, _, driver, _):
        found = driver.probe(REPOSITORY).delete_tag
        assert found.support is Support.NO
        assert words in found.why
        assert "Read, Write & Delete" in found.why
        assert "keepthisout" not in found.why
        assert len(sent(registry, "DELETE")) == (1 if name == "scope" else 0)
        assert len(registry.tags(REPOSITORY)) == 2
        with pytest.raises(Unsupported):
            driver.delete_tag(REPOSITORY, "v1")


def test_a_probe_tries_to_remove_what_is_absent_only() -> None:
    """An administrator is known by a 404 to the removal of a random tag that was seen to be absent."""
    with hub() as (registry, _, driver, _):
        found = driver.probe(REPOSITORY)
        assert found.delete_tag.usable
        (target,) = sent(registry, "DELETE")
        assert target.startswith(f"/v2/repositories/{REPOSITORY}/tags/tagsweep-probe-")
        assert any(f"/tags/{target.split('/')[-2]}" in each for each in sent(registry, "HEAD"))
        assert not found.delete_manifest.usable
        assert "delete_manifests: true" in found.delete_manifest.why
        assert found.reads_count_as_pulls
        assert "Image Management" in found.reclaim
        assert found.undo == ""


def test_a_rule_that_covers_every_tag_is_why_nothing_can_be_removed() -> None:
    """The probe's 403 is then told as immutability, not as a missing right."""
    with hub() as (_, api, driver, _):
        api.make_immutable(REPOSITORY, ".*")
        assert "immutable" in driver.probe(REPOSITORY).delete_tag.why


@pytest.mark.parametrize(("status", "support"), [(500, Support.UNKNOWN), (404, Support.YES), (405, Support.UNKNOWN)])
def test_an_answer_that_is_not_understood_is_unknown(status: int, support: Support) -> None:
    """Only the API's own 404 to the try means that it may be done."""
    with hub() as (registry, _, driver, _):
        registry.fail_next(status=status, method="DELETE")
        assert driver.probe(REPOSITORY).delete_tag.support is support


def test_a_tag_that_does_not_seem_absent_is_not_tried() -> None:
    """Where a look at the random tag is answered by anything but 404, no removal is asked for."""
    with hub() as (registry, _, driver, _):
        registry.fail_next(status=403, method="HEAD")
        assert driver.probe(REPOSITORY).delete_tag.support is Support.UNKNOWN
        assert sent(registry, "DELETE") == []


@pytest.mark.parametrize(("told", "support"), [({"admin": True}, Support.YES), (None, Support.UNKNOWN)])
def test_done_to_a_tag_that_is_absent_proves_nothing_alone(told: Mapping[str, bool] | None, support: Support) -> None:
    """An API that says done to everything is believed of an account that it calls an administrator, and of no other."""

    def respond(request: Any) -> Any:
        if request.method == "GET":
            body: Any = {"name": "app", "permissions": told} if "/repositories/" in request.url else {"errors": []}
            status = 200 if "/repositories/" in request.url else 404
            return answer(request, status, json.dumps(body).encode())
        token = b'{"access_token": "token"}'
        statuses = {"POST": (200, token), "HEAD": (404, b""), "DELETE": (204, b"")}
        return answer(request, *statuses[request.method])

    script = Script(respond)
    driver = HubDriver(
        RegistrySettings(host="docker.io"),
        transport=script,
        api_transport=lambda _: script,
        lookup=lambda _: Credentials(username="team", password=SECRET, found_in="a test"),
        clock=InstantClock(),
        progress=Quiet(),
        environ={},
    )
    assert driver.probe(REPOSITORY).delete_tag.support is support


def test_referrers_that_answered_once_must_answer() -> None:
    """Once the probe found the API, a 404 is an error: it must not read as "nothing refers to it"."""
    clock = InstantClock()
    with FakeRegistry(OCI, apis=[HubApi(logins=[ADMIN], clock=clock)]) as registry:
        image = images.image("one")
        registry.push(REPOSITORY, image, "v1")
        driver = driver_for(registry.host, clock)
        assert driver.probe(REPOSITORY).referrers.usable
        registry.fail_next(status=404, path_contains="/referrers/")
        with pytest.raises(ProtocolViolation):
            driver.list_referrers(REPOSITORY, image.top)
        assert driver.list_referrers(REPOSITORY, image.top) == ()
        driver.close()


def test_by_digest_only_where_the_policy_says_so() -> None:
    """With delete_manifests the registry API is probed too, and the doubt is told once."""
    with hub() as (registry, _, _, clock):
        notes = Quiet()
        driver = driver_for(registry.host, clock, progress=notes, delete_manifests=True)
        found = driver.probe(REPOSITORY)
        assert found.delete_manifest.usable
        assert "verify" in found.delete_manifest.why
        assert len(notes.notes) == 1
        with pytest.raises(PermissionDenied):  # as documented: what is tagged stays
            driver.delete_manifest(REPOSITORY, images.multi_platform("one").top)
        driver.close()


# --- removing -----------------------------------------------------------------------------------------------------
def test_a_404_for_a_tag_that_is_there_is_no_absence() -> None:
    """Where the registry still has the tag, the 404 hides a missing right."""
    with hub() as (registry, _, driver, _):
        driver.probe(REPOSITORY)
        registry.fail_next(status=404, method="DELETE")
        with pytest.raises(PermissionDenied):
            driver.delete_tag(REPOSITORY, "v1")
        registry.remove_tag(REPOSITORY, "v1")
        assert driver.delete_tag(REPOSITORY, "v1") is False


def test_a_403_is_immutability_or_a_right() -> None:
    """The settings are read again: a rule made since the plan is a conflict, everything else a missing right."""
    with hub() as (registry, api, driver, _):
        driver.probe(REPOSITORY)
        registry.fail_next(status=403, method="DELETE")
        with pytest.raises(PermissionDenied):
            driver.delete_tag(REPOSITORY, "v1")
        api.make_immutable(REPOSITORY, "v.*")
        with pytest.raises(Conflict, match="by the rule 'v"):
            driver.delete_tag(REPOSITORY, "v1")
        assert set(registry.tags(REPOSITORY)) == {"v1", "sha-1"}


def test_tags_that_became_immutable_do_not_stop_the_others() -> None:
    """However many refusals are a tag's own, the circuit stays closed; refusals for want of a right open it."""
    names = tuple(f"v{number}" for number in range(15))
    with hub(tags=(*names, "sha-1", "sha-2")) as (registry, api, driver, _):
        driver.probe(REPOSITORY)
        api.make_immutable(REPOSITORY, "v.*")
        for name in names:
            with pytest.raises(Conflict, match="immutable"):
                driver.delete_tag(REPOSITORY, name)
        assert driver.delete_tag(REPOSITORY, "sha-1")
        api.make_immutable(REPOSITORY)
        registry.fail_next(100, status=403, method="DELETE")
        registry.clear_log()
        for _ in range(15):
            with pytest.raises(PermissionDenied):
                driver.delete_tag(REPOSITORY, "sha-2")
        assert len(sent(registry, "DELETE")) == 10


def test_a_removal_whose_fate_is_unknown_is_not_repeated() -> None:
    """A 502 to the DELETE is the caller's to look into: one request was sent."""
    with hub() as (registry, _, driver, _):
        driver.probe(REPOSITORY)
        registry.clear_log()
        registry.fail_next(3, status=502, method="DELETE")
        with pytest.raises(ServerFailed):
            driver.delete_tag(REPOSITORY, "v1")
        assert len(sent(registry, "DELETE")) == 1


def test_the_moment_in_x_retry_after_is_waited_for() -> None:
    """A 429 that nothing foretold is waited out as X-Retry-After, a unix time, says."""
    clock = InstantClock()
    limit = TimedLimit(allowed=5, seconds=60, clock=clock, form=RetryForm.X_RETRY_AFTER, method="DELETE")
    names = tuple(f"sha-{number}" for number in range(12))
    with FakeRegistry(DOCKER_HUB, apis=[HubApi(logins=[ADMIN], clock=clock, limit=limit)]) as registry:
        registry.push(REPOSITORY, images.image("one"), *names)
        driver = driver_for(registry.host, clock)
        driver.probe(REPOSITORY)
        assert all(driver.delete_tag(REPOSITORY, name) for name in names)
        assert registry.tags(REPOSITORY) == {}
        assert 120 <= clock.slept < 180
        driver.close()


def test_a_limit_that_asks_for_hours_is_told_with_its_moment() -> None:
    """What cannot be waited for ends with the time to come back."""
    clock = InstantClock()
    later = int(clock.now().timestamp()) + 6 * 3600
    limit = RateLimit(allowed=0, rejections=10, retry_after=later, form=RetryForm.X_RETRY_AFTER)
    with hub(more={"limit": limit}) as (_, _, driver, _), pytest.raises(RateLimited) as told:
        driver.probe(REPOSITORY)
    assert "06:00 UTC" in told.value.remedy


# --- immutable tags -----------------------------------------------------------------------------------------------
TAGS = ("v1", "dev-2", "sha-3", "latest")
locks: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "none": ((), set()),
    "one": (("v.*",), {"v1"}),
    "several": (("v.*", "latest"), {"v1", "latest"}),
    "not of Python": (("sha-[[:digit:]]+",), {"sha-3"}),
    "every tag": ((".*",), set(TAGS)),
}


@pytest.mark.parametrize("name", locks)
def test_tags_under_an_immutable_rule_are_locked(name: str) -> None:
    """A rule in full is certain; in doubt the registry is asked, so that dev-2 is not held for v.*."""
    rules, locked = locks[name]
    with hub(tags=TAGS) as (_, api, driver, _):
        api.make_immutable(REPOSITORY, *rules)
        listed = driver.list_tags(REPOSITORY)
        assert {tag.name for tag in listed if tag.locked} == locked
        assert all("immutable on Docker Hub, by the rule" in tag.locked for tag in listed if tag.locked)


def test_rules_that_match_in_part_are_believed() -> None:
    """Where the registry says that a rule matches a part of a tag, the tag is locked."""
    with hub(tags=TAGS, more={"rules_match_parts": True}) as (_, api, driver, _):
        api.make_immutable(REPOSITORY, "v")
        assert {tag.name for tag in driver.list_tags(REPOSITORY) if tag.locked} == {"v1", "dev-2"}


@pytest.mark.parametrize("login", [None, ORGANIZATION], ids=["nobody", "no administrator"])
def test_whoever_may_not_ask_takes_the_tag_for_immutable(login: HubLogin | None) -> None:
    """In doubt the tag stays, and the reason says that it is a doubt."""
    with hub(login, tags=TAGS) as (_, api, driver, _):
        api.make_immutable(REPOSITORY, "v.*")
        locked = {tag.name: tag.locked for tag in driver.list_tags(REPOSITORY) if tag.locked}
        assert set(locked) == {"v1", "dev-2"}
        assert "may hold it" in locked["dev-2"]


def test_many_rules_that_may_not_be_verified_are_no_failure() -> None:
    """Whoever may not verify rules is refused once and not asked on; the listing is complete, with every doubt."""
    with hub(ORGANIZATION, tags=TAGS) as (registry, api, driver, _):
        api.make_immutable(REPOSITORY, *(f"e{'v' * one}?-2" for one in range(1, 15)), "a")
        for _ in range(12):
            assert {tag.name for tag in driver.list_tags(REPOSITORY) if tag.locked} == {"dev-2", "sha-3", "latest"}
        assert registry.count("POST", "/verify") == 12


settings: dict[str, tuple[Mapping[str, Any], bool]] = {
    "switched off": ({"immutable_tags_settings": {"enabled": False, "rules": ["v.*"]}}, False),
    "without rules": ({"immutable_tags_settings": {"enabled": True, "rules": []}}, True),
    "rules of another form": ({"immutable_tags_settings": {"enabled": True, "rules": "v.*"}}, True),
    "older form": ({"immutable_tags": True, "immutable_tags_rules": ["v.*"]}, True),
    "older form, off": ({"immutable_tags": False, "immutable_tags_rules": ""}, False),
    "older form, a text": ({"immutable_tags": True, "immutable_tags_rules": "x.*,y.*"}, True),
}


@pytest.mark.parametrize("name", settings)
def test_settings_that_cannot_be_read_lock_every_tag(name: str) -> None:
    """Immutability without rules that can be read holds for all tags; switched off it holds for none."""
    described, locked = settings[name]
    found = locked_tags(immutable_rules(described), ["v1"], verify=lambda _: None)
    assert ("v1" in found) is locked


# --- settings -----------------------------------------------------------------------------------------------------
bad_settings: dict[str, RegistrySettings] = {
    "no API known": RegistrySettings(host="registry.example"),
    "unencrypted": RegistrySettings(host="docker.io", options={"api": "http://hub.example"}),
    "no URL": RegistrySettings(host="docker.io", options={"api": "hub.docker.com"}),
    "with a password": RegistrySettings(host="docker.io", options={"api": "https://me:keepthisout@hub.example"}),
    "unknown option": RegistrySettings(host="docker.io", options={"delete_manifest": True}),
    "no flag": RegistrySettings(host="docker.io", options={"delete_manifests": "yes"}),
}


@pytest.mark.parametrize("name", bad_settings)
def test_settings_that_cannot_be_used_are_told_at_once(name: str) -> None:
    """The message names the registry and the remedy, and nothing that was given as a secret."""
    with pytest.raises(ConfigurationError) as told:
        HubDriver.connect(bad_settings[name], clock=InstantClock(), progress=Quiet())
    assert bad_settings[name].host in str(told.value)
    assert told.value.remedy
    assert "keepthisout" not in f"{told.value} {told.value.remedy}"


def test_the_environment_may_name_the_api() -> None:
    """DOCKER_HUB_API_URL, as Docker's own tools read it, stands in for the option."""
    script = Script(lambda request: answer(request, 404, b'{"message":"object not found"}'))
    driver = HubDriver(
        RegistrySettings(host="docker.io"),
        transport=script,
        api_transport=lambda _: script,
        lookup=lambda _: None,
        clock=InstantClock(),
        progress=Quiet(),
        environ={"DOCKER_HUB_API_URL": "https://hub.example/"},
    )
    with pytest.raises(NotFound):
        driver.list_tags(REPOSITORY)
    assert script.lines == ["GET https://hub.example/v2/namespaces/team/repositories/app"]
    driver.close()
    assert script.closed
