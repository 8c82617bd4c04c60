"""The `gitlab` driver, row by row of what is known of GitLab, against the fake that speaks its API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tagsweep.drivers.gitlab import GitLabDriver
from tagsweep.drivers.gitlab_access import GitLabAccess
from tagsweep.http.auth import Credentials
from tagsweep.model.capability import Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    Conflict,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    Unsupported,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.ports import Request, Response
from tagsweep.testing import images
from tagsweep.testing.access import READ_ONLY, BearerAccess, OpenAccess
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.gitlab import DEVELOPER, GITLAB, MAINTAINER, OWNER, AbsentTag, GitLabApi, GitLabToken
from tests.unit.drivers.vendors import Scripted, connected, lose_the_answer_to_a_removal

PROJECT = "group/sub/project"
REPOSITORY = f"{PROJECT}/deep/image"
SECRET = "glpat-secret-of-a-maintainer"
TOKENS = {
    "maintainer": GitLabToken(secret=SECRET, level=MAINTAINER),
    "owner": GitLabToken(secret="glpat-owner", level=OWNER),
    "developer": GitLabToken(secret="glpat-developer", level=DEVELOPER),
    "reporter": GitLabToken(secret="glpat-reporter", level=20),
    "job": GitLabToken(secret="glcbt-job", level=DEVELOPER, is_job=True),
}


@dataclass
class Scene:
    """A fake GitLab and a driver of it."""

    registry: FakeRegistry
    api: GitLabApi
    driver: GitLabDriver
    progress: Quiet
    clock: InstantClock

    def connect(self, who: str, *, transport: Any = None, progress: Quiet | None = None) -> GitLabDriver:
        """Return a driver with the token of somebody else."""
        return connect(self.registry.host, who, transport=transport, progress=progress)


def connect(
    host: str,
    who: str,
    *,
    progress: Quiet | None = None,
    transport: Any = None,
    clock: InstantClock | None = None,
) -> GitLabDriver:
    """Return a driver with the token of this person or job; nobody's goes by the registry API alone."""
    token = TOKENS.get(who)
    access = GitLabAccess(why_not="no token for GitLab's API was found")
    if token is not None:
        header = {"JOB-TOKEN" if token.is_job else "PRIVATE-TOKEN": token.secret}
        access = GitLabAccess(api=f"http://{host}/api/v4", header=header)
    found = Credentials(username="token", password=SECRET, found_in="a test")
    connection = connected(host, api=transport, progress=progress, clock=clock)
    return GitLabDriver(connection, access=access, lookup=lambda _: found)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Run a fake GitLab with two images in a repository two levels below its project; its registry is open."""
    yield from set_up(None)


@pytest.fixture
def guarded() -> Iterator[Scene]:
    """Run the same with a registry that wants tokens."""
    yield from set_up(BearerAccess(username="token", password=SECRET))


def set_up(access: BearerAccess | None) -> Iterator[Scene]:
    """Yield the scene."""
    api = GitLabApi(tokens=list(TOKENS.values()), projects=["group/other", PROJECT])
    with FakeRegistry(GITLAB, access=access or OpenAccess(), apis=[api]) as registry:
        registry.push(REPOSITORY, images.multi_platform("one"), "v1", "latest")
        registry.push(REPOSITORY, images.image("two"), "sha-2")
        progress, clock = Quiet(), InstantClock()
        driver = connect(registry.host, "maintainer", progress=progress, clock=clock)
        yield Scene(registry, api, driver, progress, clock)
        driver.close()


# --- where things are ---------------------------------------------------------------------------------------------
def test_the_project_is_found_from_the_path_and_asked_for_once(scene: Scene) -> None:
    """The longest part of the path that is a project has the repository; its path goes encoded."""
    scene.driver.probe(REPOSITORY)
    scene.driver.list_tags(REPOSITORY)
    assert scene.driver.delete_tag(REPOSITORY, "sha-2") is True
    asked = [each.target for each in scene.registry.requests if "/registry/repositories?" in each.target]
    assert len(asked) == 3
    assert "/projects/group%2Fsub%2Fproject/registry/repositories?" in asked[-1]


def test_a_repository_among_many_is_found(scene: Scene) -> None:
    """Lists of repositories are followed to their end by their links."""
    for number in range(150):
        scene.registry.push(f"group/other/a{number:03}", images.image("one"), "v1")
    scene.registry.push("group/other/z", images.image("one"), "v1")
    assert scene.driver.probe("group/other/z").delete_tag.usable
    assert scene.registry.count("GET", "page=2") == 1


def test_a_link_to_another_host_is_not_followed(scene: Scene) -> None:
    """The token would go along."""

    def answer(request: Request) -> Response:
        headers = {"content-type": "application/json", "link": '<https://elsewhere.example/api>; rel="next"'}
        return Response(status=200, url=request.url, headers=headers, body=b"[]")

    with pytest.raises(ProtocolViolation, match="another host"):
        scene.connect("maintainer", transport=Scripted(answer)).probe(REPOSITORY)


def test_a_repository_that_no_project_has_is_not_found(scene: Scene) -> None:
    """Neither a project without it nor a path without a project is taken for an empty repository."""
    for path in (f"{PROJECT}/absent", "nobody/nothing"):
        with pytest.raises(NotFound):
            scene.driver.list_tags(path)
    scene.registry.push("nobody/nothing", images.image("one"), "v1")
    with pytest.raises(NotFound, match="no project is known"):
        scene.driver.list_tags("nobody/nothing")


def test_repositories_are_listed_by_group(scene: Scene) -> None:
    """A glob below a group expands to the repositories of all its projects; a user's namespace cannot be listed."""
    scene.registry.push("group/other", images.image("one"), "v1")
    assert set(scene.driver.list_namespace("group")) == {REPOSITORY, "group/other"}
    with pytest.raises(Unsupported, match="by group"):
        list(scene.driver.list_namespace("somebody"))
    assert list(scene.connect("nobody").list_namespace("group")) == ["group/other", REPOSITORY]


# --- times --------------------------------------------------------------------------------------------------------
def test_created_is_not_pushed(scene: Scene) -> None:
    """T13: GitLab's time of a tag is when the image was created; no time of a push is declared or told."""
    created = datetime(2026, 2, 1, tzinfo=UTC)
    scene.api.record(REPOSITORY, "sha-2", created)
    assert scene.driver.capabilities(REPOSITORY).times == {TimeOrigin.CREATED}
    assert scene.driver.read_times(REPOSITORY, "sha-2") == {TimeOrigin.CREATED: created}
    assert all(tag.times == {} for tag in scene.driver.list_tags(REPOSITORY))


@pytest.mark.parametrize("value", [None, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "yesterday", 5, "2026-01-01"])
def test_a_time_that_is_none_is_unknown(scene: Scene, value: Any) -> None:
    """Hazard 15: absent, epoch and odd times, and those without their offset, are no time."""

    def answer(request: Request) -> Response:
        entries = [{"id": 1, "path": REPOSITORY}]
        document: Any = entries if "/tags/" not in request.url else {"name": "v1", "created_at": value}
        headers = {"content-type": "application/json"}
        return Response(status=200, url=request.url, headers=headers, body=json.dumps(document).encode())

    assert scene.connect("maintainer", transport=Scripted(answer)).read_times(REPOSITORY, "v1") == {}


def test_a_tag_that_is_gone_has_no_time(scene: Scene) -> None:
    """A tag that went between the list and its details is no error."""
    assert scene.driver.read_times(REPOSITORY, "absent") == {}


# --- protection ---------------------------------------------------------------------------------------------------
def locked(driver: GitLabDriver) -> dict[str, str]:
    """Return the tags that are protected, with the reason."""
    return {tag.name: tag.locked for tag in driver.list_tags(REPOSITORY) if tag.locked}


@pytest.mark.parametrize(
    ("pattern", "tags"),
    [
        ("^v", {"v1"}),
        ("a", {"latest", "sha-2"}),  # GitLab searches: a part is enough
        ("nothing", set()),
        ("(?<broken", {"v1", "latest", "sha-2"}),  # what cannot be read may match everything
        ("[[:digit:]]", {"v1", "latest", "sha-2"}),
        ("", {"v1", "latest", "sha-2"}),
    ],
)
def test_protected_tags_are_locked(scene: Scene, pattern: str, tags: set[str]) -> None:
    """A rule that may match keeps a tag whose deletion needs a higher role than that of the token."""
    scene.api.protect(PROJECT, pattern, least="owner")
    assert locked(scene.driver).keys() == tags
    assert locked(scene.connect("owner")) == {}


def test_a_rule_without_a_role_makes_immutable(scene: Scene) -> None:
    """Where nobody may delete, not even an owner may."""
    scene.api.protect(PROJECT, "^v", least=None)
    assert locked(scene.connect("owner")) == {"v1": "GitLab's tag protection rule '^v' makes it immutable"}


def test_a_protection_after_the_plan_is_a_conflict(scene: Scene) -> None:
    """403 for one tag is told apart from a missing right: by the rules, or because other tags may be removed."""
    scene.driver.probe(REPOSITORY)
    developer = scene.connect("developer")
    assert developer.probe(REPOSITORY).delete_tag.usable
    scene.api.protect(PROJECT, "^v")
    with pytest.raises(Conflict, match="lets only Owner and above"):
        scene.driver.delete_tag(REPOSITORY, "v1")
    with pytest.raises(Conflict, match="protects this one"):
        developer.delete_tag(REPOSITORY, "v1")
    assert "v1" in scene.registry.tags(REPOSITORY)


def test_a_right_that_was_taken_away_is_no_protection(scene: Scene) -> None:
    """Where nothing may be removed any more, the refusal is PermissionDenied, at which a run stops."""
    developer = scene.connect("developer")
    developer.probe(REPOSITORY)
    scene.registry.fail_next(2, status=403, code="", method="DELETE")
    with pytest.raises(PermissionDenied):
        developer.delete_tag(REPOSITORY, "v1")


@pytest.mark.parametrize("who", ["maintainer", "developer"])
def test_tags_that_became_protected_do_not_stop_the_others(scene: Scene, who: str) -> None:
    """However many refusals are a tag's own, the circuit stays closed; refusals for want of a right open it."""
    names = [f"v{number}" for number in range(15)]
    scene.registry.push(REPOSITORY, images.image("many"), *names)
    driver = scene.connect(who)
    driver.probe(REPOSITORY)
    scene.api.protect(PROJECT, "^v")
    for name in names:
        with pytest.raises(Conflict):
            driver.delete_tag(REPOSITORY, name)
    assert driver.delete_tag(REPOSITORY, "sha-2") is True
    scene.registry.fail_next(100, status=403, code="", method="DELETE")
    scene.registry.clear_log()
    for _ in range(15):
        with pytest.raises(PermissionDenied):
            driver.delete_tag(REPOSITORY, "latest")
    assert scene.registry.count("DELETE") == 10


def test_the_registry_api_refuses_a_protected_tag_by_401(guarded: Scene) -> None:
    """The registry's 401 without a challenge is the tag's own, a Conflict: no credentials are asked for again."""
    driver = guarded.connect("nobody")
    driver.probe(REPOSITORY)
    guarded.api.protect(PROJECT, "^v")
    guarded.registry.clear_log()
    for _ in range(15):
        with pytest.raises(Conflict, match=r"tag is protected; .*protects this one"):
            driver.delete_tag(REPOSITORY, "v1")
    assert guarded.registry.count("GET", "/token") == 0
    assert driver.delete_tag(REPOSITORY, "sha-2") is True
    assert "v1" in guarded.registry.tags(REPOSITORY)


def test_where_tags_are_protected_the_registry_deletes_no_digest(guarded: Scene) -> None:
    """Deletion by digest is not declared then, with GitLab's own words, and the deletion of tags still is."""
    guarded.api.protect(PROJECT, "^v")
    for who in ("nobody", "developer"):
        found = guarded.connect(who).probe(REPOSITORY)
        assert found.delete_tag.usable
        assert not found.delete_manifest.usable
        assert "manifest is protected" in found.delete_manifest.why
        assert "rule protects" in found.delete_manifest.why


def test_the_registry_api_alone_tells_a_protected_tag_from_a_missing_right(scene: Scene) -> None:
    """A 403 while other tags may be removed is the tag's own, a Conflict; ten that are not open the circuit."""
    driver = scene.connect("nobody")
    driver.probe(REPOSITORY)
    for _ in range(15):
        scene.registry.fail_next(1, status=403, code="DENIED", method="DELETE")
        with pytest.raises(Conflict, match="protects this one"):
            driver.delete_tag(REPOSITORY, "v1")
    assert driver.delete_tag(REPOSITORY, "sha-2") is True
    scene.registry.fail_next(100, status=403, code="DENIED", method="DELETE")
    scene.registry.clear_log()
    for _ in range(15):
        with pytest.raises(PermissionDenied):
            driver.delete_tag(REPOSITORY, "v1")
    assert scene.registry.count("DELETE") == 10
    assert set(scene.registry.tags(REPOSITORY)) == {"v1", "latest"}


def test_rules_that_cannot_be_read_are_told(scene: Scene) -> None:
    """A developer and a job may not read them, an old GitLab has none: nothing is locked, and a person is told."""
    scene.api.protect(PROJECT, "^v")
    for who in ("developer", "job"):
        progress = Quiet()
        driver = scene.connect(who, progress=progress)
        assert driver.probe(REPOSITORY).delete_tag.usable
        assert locked(driver) == {}
        assert any("may not read the tag protection rules" in note for note in progress.notes)


def test_protection_rules_are_read_to_the_last_page(scene: Scene) -> None:
    """A rule on a second page protects as well: an answer that was cut is not read as "not protected"."""
    rules = "/registry/protection/tag/rules"

    def answer(request: Request) -> Response:
        headers, document = {"content-type": "application/json"}, [{"id": 1, "path": REPOSITORY}]
        if rules in request.url and "page=2" not in request.url:
            headers["link"], document = f'<{request.url}&page=2>; rel="next"', []
        elif rules in request.url:
            document = [{"tag_name_pattern": "^v", "minimum_access_level_for_delete": None}]
        return Response(status=200, url=request.url, headers=headers, body=json.dumps(document).encode())

    assert set(locked(scene.connect("maintainer", transport=Scripted(answer)))) == {"v1"}


def test_a_protection_rule_that_is_not_understood_is_an_error(scene: Scene) -> None:
    """It is not left out, because what it protects would then be removed."""

    def answer(request: Request) -> Response:
        document: Any = ["^v"] if "/protection/" in request.url else [{"id": 1, "path": REPOSITORY}]
        return Response(status=200, url=request.url, body=json.dumps(document).encode())

    with pytest.raises(ProtocolViolation):
        scene.connect("maintainer", transport=Scripted(answer)).list_tags(REPOSITORY)


def test_without_the_api_no_details_are_asked_for(scene: Scene) -> None:
    """A time that is not declared is not asked for, and nothing is sent to the registry's host in its place."""
    driver = scene.connect("nobody")
    assert driver.detailed_times == frozenset()
    assert driver.read_times(REPOSITORY, "v1") == {}
    assert scene.registry.requests == ()


# --- removing -----------------------------------------------------------------------------------------------------
def test_one_tag_goes_and_its_siblings_stay(scene: Scene) -> None:
    """T9: GitLab's removal takes the tag alone; the second time it is gone already."""
    scene.driver.probe(REPOSITORY)
    assert scene.driver.delete_tag(REPOSITORY, "latest") is True
    assert scene.driver.delete_tag(REPOSITORY, "latest") is False
    assert set(scene.registry.tags(REPOSITORY)) == {"v1", "sha-2"}
    assert scene.registry.count("DELETE", "name_regex") == 0


@pytest.mark.parametrize("absent", AbsentTag)
@pytest.mark.parametrize("who", ["maintainer", "developer", "job"])
def test_what_is_absent_is_no_refusal(absent: AbsentTag, who: str) -> None:
    """Whatever a GitLab answers of a tag that is not there, the right is seen, and such a tag is gone already."""
    api = GitLabApi(tokens=list(TOKENS.values()), projects=[PROJECT], absent=absent)
    access = BearerAccess(username="token", password=SECRET)
    with FakeRegistry(GITLAB, access=access, apis=[api]) as registry:
        registry.push(REPOSITORY, images.image("one"), "v1", "latest")
        driver = connect(registry.host, who)
        assert driver.probe(REPOSITORY).delete_tag.usable
        assert driver.delete_tag(REPOSITORY, "latest") is True
        for _ in range(15):
            assert driver.delete_tag(REPOSITORY, "latest") is False
        api.protect(PROJECT, "^v", least=None)
        with pytest.raises(Conflict):
            driver.delete_tag(REPOSITORY, "v1")
        assert set(registry.tags(REPOSITORY)) == {"v1"}


def test_a_reporter_and_a_job_of_no_right_are_told_where_absence_is_forbidden() -> None:
    """A 403 for a tag that is not there is a right only for the role that has it; a job's right is the registry's."""
    api = GitLabApi(tokens=list(TOKENS.values()), projects=[PROJECT], absent=AbsentTag.FORBIDDEN)
    access = BearerAccess(username="token", password=SECRET, granted=READ_ONLY)
    with FakeRegistry(GITLAB, access=access, apis=[api]) as registry:
        registry.push(REPOSITORY, images.image("one"), "v1")
        for who in ("reporter", "job"):
            able = connect(registry.host, who).probe(REPOSITORY)
            assert not able.delete_tag.usable
            assert "Developer or above" in able.delete_tag.why


def test_a_404_for_a_tag_that_is_there_is_an_error(scene: Scene) -> None:
    """GitLab says 404 of what one may not see as well, so the registry itself is asked."""
    scene.driver.probe(REPOSITORY)
    scene.registry.fail_next(1, status=404, code="", method="DELETE")
    with pytest.raises(Conflict, match="though the registry has it"):
        scene.driver.delete_tag(REPOSITORY, "v1")


def test_a_deletion_whose_answer_was_lost_is_not_sent_again(scene: Scene) -> None:
    """Whoever asked looks first what is there; nothing is deleted twice blindly."""
    lose_the_answer_to_a_removal(scene.registry, scene.driver, REPOSITORY, "sha-2")


def test_gitlabs_rate_limit_headers_are_obeyed(scene: Scene) -> None:
    """RateLimit-Reset is a unix time: a 429 is waited for until then, and the tag goes."""
    scene.driver.probe(REPOSITORY)
    reset = int(scene.clock.now().timestamp()) + 40
    headers = {"RateLimit-Limit": "60", "RateLimit-Remaining": "0", "RateLimit-Reset": str(reset)}
    scene.registry.fail_next(1, status=429, code="", method="DELETE", headers=headers)
    slept = scene.clock.slept
    assert scene.driver.delete_tag(REPOSITORY, "sha-2") is True
    assert 39 <= scene.clock.slept - slept <= 41


def test_without_a_token_the_registry_api_removes(scene: Scene) -> None:
    """By the registry API alone one tag goes as well; what is lacking is told, and GitLab's API is not asked."""
    progress = Quiet()
    driver = scene.connect("nobody", progress=progress)
    assert driver.probe(REPOSITORY).delete_tag.usable
    assert driver.delete_tag(REPOSITORY, "latest") is True
    assert driver.capabilities(REPOSITORY).times == driver.detailed_times == frozenset()
    assert any("by the registry API alone" in note for note in progress.notes)
    assert all("/api/v4" not in each.target for each in scene.registry.requests)


# --- rights -------------------------------------------------------------------------------------------------------
def test_a_reporter_is_told_before_the_plan(scene: Scene) -> None:
    """Without the right nothing is removed, and the role is named."""
    able = scene.connect("reporter").probe(REPOSITORY)
    assert able.delete_tag.support is Support.NO
    assert "Developer or above" in able.delete_tag.why


def test_a_wrong_token_is_an_error_without_the_token(scene: Scene) -> None:
    """It is AuthenticationFailed, and is in no message; a job's token in another header is wrong as well."""
    for header in ({"PRIVATE-TOKEN": "glpat-wrong"}, {"PRIVATE-TOKEN": TOKENS["job"].secret}):
        host = scene.registry.host
        access = GitLabAccess(api=f"http://{host}/api/v4", header=header)
        driver = GitLabDriver(connected(host), access=access, lookup=lambda _: None)
        with pytest.raises(AuthenticationFailed) as caught:
            driver.list_tags(REPOSITORY)
        (secret,) = header.values()
        assert secret not in f"{caught.value} {caught.value.remedy} {access!r}"
