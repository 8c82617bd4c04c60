"""GitHub's registry: versions and their pages, times, refusals, rights, limits and GitHub's own undo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tagsweep.drivers.ghcr import GhcrDriver
from tagsweep.model.capability import Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    Conflict,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RegistryError,
    TagsweepError,
    Unsupported,
)
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import TakesBack, TellsTags
from tagsweep.testing import images
from tagsweep.testing.fake import FakeRegistry
from tagsweep.testing.harness import InstantClock, Quiet
from tagsweep.testing.vendors.ghcr import EVERY_SCOPE, GHCR, GitHubPackages

REPOSITORY = "team/tools/app"
ONE, TWO = images.multi_platform("one"), images.image("two")
CREATED = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)
UPDATED = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """A fake GitHub, and drivers for it."""

    api: GitHubPackages
    registry: FakeRegistry
    clock: InstantClock
    progress: Quiet

    def connect(self, *, probed: bool = True, **options: object) -> GhcrDriver:
        """Return a new driver, and forget what its probe asked."""
        settings = RegistrySettings(host=self.registry.host, options=options)
        driver = GhcrDriver.connect(settings, clock=self.clock, progress=self.progress)
        if probed:
            driver.probe(REPOSITORY)
            self.registry.clear_log()
        return driver

    def targets(self, method: str) -> list[str]:
        """Return what was asked for by this method, of the API."""
        found = (one.target for one in self.registry.requests if one.method == method)
        return [target.removeprefix("/api/v3") for target in found if target.startswith("/api/v3")]


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    """Yield a GitHub with two tagged versions, reached as a workflow does."""
    api = GitHubPackages(owners={"team": "Organization", "jane": "User", "bob": "User"})
    with FakeRegistry(GHCR, access=api.access, apis=[api]) as registry:
        for name in ("GH_TOKEN", "GITHUB_ACTOR", "TAGSWEEP_USERNAME", "TAGSWEEP_PASSWORD", "REGISTRY_AUTH_FILE"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HOME", "DOCKER_CONFIG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
            monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp()))
        monkeypatch.setenv("GITHUB_API_URL", f"http://{registry.host}/api/v3")
        monkeypatch.setenv("GITHUB_TOKEN", api.token)
        registry.push(REPOSITORY, ONE, "v1", "latest")
        registry.push(REPOSITORY, TWO, "v2")
        yield GitHub(api=api, registry=registry, clock=InstantClock(), progress=Quiet())


# --- listing ----------------------------------------------------------------------------------------------------------
def test_a_listing_tells_digests_and_times_and_fetches_no_manifest(github: GitHub) -> None:
    """Tags come from the API with their digest and two times of true origin; untagged platforms are no tags."""
    github.api.date(REPOSITORY, ONE.top, created=CREATED, updated=UPDATED)
    driver = github.connect()
    listed = {tag.name: tag for tag in driver.list_tags(REPOSITORY)}
    assert {name: tag.digest for name, tag in listed.items()} == {"v1": ONE.top, "latest": ONE.top, "v2": TWO.top}
    assert listed["v1"].times == {TimeOrigin.PUSHED: CREATED, TimeOrigin.UPDATED: UPDATED}
    assert driver.capabilities(REPOSITORY).times == {TimeOrigin.PUSHED, TimeOrigin.UPDATED}
    assert github.registry.count("GET", "/v2/") == 0


def test_names_with_slashes_are_one_part_of_the_path(github: GitHub) -> None:
    """The package `tools/app` of an organization is asked for with its slash encoded."""
    github.connect(probed=False).list_tags(REPOSITORY)
    assert github.targets("GET") == [
        "/users/team",
        "/orgs/team/packages/container/tools%2Fapp",
        "/orgs/team/packages/container/tools%2Fapp/versions?per_page=100&state=active",
    ]


def test_packages_of_a_user_are_found_among_users(github: GitHub) -> None:
    """Whose token it is decides between GitHub's two sets of paths for users, and is asked once."""
    for owner in ("jane", "bob"):
        github.registry.push(f"{owner}/app", TWO, "v1")
    driver = github.connect(probed=False)
    for owner in ("jane", "bob") * 2:
        assert [tag.name for tag in driver.list_tags(f"{owner}/app")] == ["v1"]
    for once in ("/users/jane", "/users/bob"):
        assert github.targets("GET").count(once) == 1
    assert "/user/packages/container/app/versions?per_page=100&state=active" in github.targets("GET")
    assert "/users/bob/packages/container/app/versions" in github.targets("GET")


@pytest.mark.parametrize("scopes", [EVERY_SCOPE, None], ids=["classic token", "workflow's token"])
def test_the_package_of_another_user_is_listed_without_parameters(github: GitHub, scopes: str | None) -> None:
    """GitHub describes none there: its own links lead from page to page, and deleted versions are not listed."""
    github.api.scopes = scopes
    for number in range(75):
        github.registry.push("bob/app", images.image(f"build {number}"), f"build-{number}")
    driver = github.connect()
    driver.probe("bob/app")
    assert len(driver.list_tags("bob/app")) == 75
    gone = github.registry.tags("bob/app")["build-7"]
    assert driver.delete_manifest("bob/app", gone)
    assert driver.take_back("bob/app", gone, ["build-7"]) is False
    asked = [target.partition("/versions")[2] for target in github.targets("GET") if target.count("/versions")]
    assert [query for query in asked if not query.startswith("/")][:3] == ["", "?page=2", "?page=3"]


def test_a_list_that_may_have_been_cut_is_refused(github: GitHub) -> None:
    """Where GitHub counts more than it lists and the last page is full, some versions may be missing."""
    for number in range(24):
        github.registry.push(REPOSITORY, images.image(f"build {number}"), f"build-{number}")
    assert len(github.registry.manifests(REPOSITORY)) == 30
    driver = github.connect()
    github.api.counted_more = 1
    with pytest.raises(ProtocolViolation, match="full pages"):
        driver.list_tags(REPOSITORY)


def test_pages_are_followed_to_the_end(github: GitHub) -> None:
    """Of 250 versions all are listed, a hundred a page."""
    for number in range(250):
        github.registry.push(REPOSITORY, images.image(f"build {number}"), f"build-{number}")
    github.registry.clear_log()
    assert len(github.connect(probed=False).list_tags(REPOSITORY)) == 253
    assert [target.partition("?")[2] for target in github.targets("GET") if "?" in target] == [
        "per_page=100&state=active",
        "state=active&per_page=100&page=2",
        "state=active&per_page=100&page=3",
    ]


def test_a_page_at_another_host_is_not_asked(github: GitHub) -> None:
    """A Link that leaves the API ends in an error: the token would go along."""
    for number in range(100):
        github.registry.push(REPOSITORY, images.image(f"build {number}"), f"build-{number}")
    driver = github.connect()
    github.api._base = "http://127.0.0.1:1"
    with pytest.raises(ProtocolViolation, match="another host"):
        driver.list_tags(REPOSITORY)


def test_a_version_that_slips_from_page_to_page_is_not_missed(github: GitHub) -> None:
    """When somebody deletes while the numbered pages are read, the list is refused rather than one short (T6)."""
    built = [images.image(f"build {number}") for number in range(150)]
    for number, image in enumerate(built):
        github.registry.push(REPOSITORY, image, f"build-{number}")
    driver = github.connect()

    def delete_the_newest(page: int) -> None:
        if page == 2:
            github.api.before_page = lambda _: None
            newest = max(built, key=lambda image: github.api.number(REPOSITORY, image.top))
            tag = next(tag for tag, on in github.registry.tags(REPOSITORY).items() if on == newest.top)
            github.registry.remove_tag(REPOSITORY, tag)
            github.registry.remove_manifest(REPOSITORY, newest.top)

    github.api.before_page = delete_the_newest
    with pytest.raises(ProtocolViolation, match="change while they are listed"):
        driver.list_tags(REPOSITORY)
    assert len(driver.list_tags(REPOSITORY)) == 152


def test_a_count_that_is_always_larger_is_told_and_not_believed(github: GitHub) -> None:
    """Where GitHub counts more than it lists, twice the same list is taken as complete, and a note says so."""
    github.api.counted_more = 3
    assert len(github.connect().list_tags(REPOSITORY)) == 3
    assert any("twice alike" in note for note in github.progress.notes)


def test_a_tag_on_two_listed_versions_is_left_to_the_registry(github: GitHub) -> None:
    """A late list that shows a tag where it was and where it is gives it no digest, so that it is looked up (44)."""
    driver = github.connect()
    driver.list_tags(REPOSITORY)
    github.api.lingers = True
    assert driver.delete_manifest(REPOSITORY, TWO.top)
    github.registry.push(REPOSITORY, images.image("three"), "v2")
    listed = {tag.name: tag for tag in driver.list_tags(REPOSITORY)}
    assert listed["v2"].digest is None
    assert listed["v2"].times == {}
    assert listed["v1"].digest == ONE.top


@pytest.mark.parametrize("repository", ["team/absent", "nobody/app"])
def test_what_github_does_not_show_is_not_found(github: GitHub, repository: str) -> None:
    """An unknown package or owner is NotFound, with the word that a missing right looks the same."""
    with pytest.raises(NotFound) as caught:
        github.connect(probed=False).list_tags(repository)
    assert "read:packages" in caught.value.remedy


def test_packages_are_listed_by_owner(github: GitHub) -> None:
    """Globs need the option `owners`; without it the error says so."""
    github.registry.push("jane/app", TWO, "v1")
    driver = github.connect(owners=["team", "jane"])
    assert list(driver.list_repositories()) == [REPOSITORY, "jane/app"]
    with pytest.raises(Unsupported) as caught:
        list(github.connect().list_repositories())
    assert "owners" in caught.value.remedy


def test_an_unknown_option_is_an_error(github: GitHub) -> None:
    """A misspelt option is refused with the nearest known one."""
    with pytest.raises(TagsweepError, match="unknown option") as caught:
        github.connect(ownrs=["team"])
    assert "owners" in caught.value.remedy


# --- deleting ---------------------------------------------------------------------------------------------------------
def test_a_deletion_is_one_request_once_the_list_was_read(github: GitHub) -> None:
    """The number of a version is known from the list, so that nothing is asked before its deletion."""
    driver = github.connect()
    driver.list_tags(REPOSITORY)
    number = github.api.number(REPOSITORY, ONE.top)
    github.registry.clear_log()
    assert driver.delete_manifest(REPOSITORY, ONE.top) is True
    assert github.targets("DELETE") == [f"/orgs/team/packages/container/tools%2Fapp/versions/{number}"]
    assert len(github.registry.requests) == 1
    assert github.registry.tags(REPOSITORY) == {"v2": TWO.top}


def test_one_tag_alone_is_refused_before_anything_is_sent(github: GitHub) -> None:
    """GitHub deletes versions; a single tag needs the named option, and the error says which (T10)."""
    driver = github.connect()
    with pytest.raises(Unsupported, match="untag_by_moving"):
        driver.delete_tag(REPOSITORY, "v1")
    assert github.registry.requests == ()


def test_the_last_tagged_version_and_popular_ones_are_conflicts(github: GitHub) -> None:
    """What GitHub refuses to everybody is a Conflict with its remedy, so that the rest goes on (hazard 45)."""
    driver = github.connect()
    github.api.downloads[ONE.top] = 5_001
    with pytest.raises(Conflict) as caught:
        driver.delete_manifest(REPOSITORY, ONE.top)
    assert "only its support" in caught.value.remedy
    github.api.downloads.clear()
    assert driver.delete_manifest(REPOSITORY, ONE.top)
    with pytest.raises(Conflict) as caught:
        driver.delete_manifest(REPOSITORY, TWO.top)
    assert "last tagged" in caught.value.remedy
    assert github.registry.tags(REPOSITORY) == {"v2": TWO.top}


def test_a_listed_version_that_is_gone_is_gone(github: GitHub) -> None:
    """GitHub's late lists show versions that answer 404 to their deletion: that is no error (hazard 44)."""
    driver = github.connect()
    driver.list_tags(REPOSITORY)
    other = github.connect()
    assert other.delete_manifest(REPOSITORY, TWO.top)
    assert driver.delete_manifest(REPOSITORY, TWO.top) is False


def test_a_404_that_hides_a_missing_right_is_told_apart(github: GitHub) -> None:
    """A version that GitHub shows and denies having when it should delete it is PermissionDenied, not gone."""
    driver = github.connect()
    driver.list_tags(REPOSITORY)
    github.api.hides_refusals, github.api.scopes = True, "read:packages"
    with pytest.raises(PermissionDenied):
        driver.delete_manifest(REPOSITORY, ONE.top)
    assert ONE.top in github.registry.manifests(REPOSITORY)


def test_a_version_that_is_listed_late_is_waited_for(github: GitHub) -> None:
    """What the registry has and GitHub does not list yet is looked for again, and then is a Conflict, never gone."""
    driver = github.connect()
    driver.list_tags(REPOSITORY)
    github.api.late_by = 2
    late = images.image("late")
    github.registry.push(REPOSITORY, late, "late")
    assert driver.delete_manifest(REPOSITORY, late.top) is True
    github.api.late_by = 100
    later = images.image("later")
    github.registry.push(REPOSITORY, later, "later")
    with pytest.raises(Conflict, match="lists no version"):
        driver.delete_manifest(REPOSITORY, later.top)
    assert github.registry.tags(REPOSITORY)["later"] == later.top


def test_the_tags_of_a_version_are_told_as_they_are_now(github: GitHub) -> None:
    """The tags on a digest come from its version, also after they changed; None where there is no such version."""
    driver = github.connect()
    driver.list_tags(REPOSITORY)
    assert isinstance(driver, TellsTags)
    assert driver.tags_on(REPOSITORY, ONE.top) == frozenset({"v1", "latest"})
    github.registry.remove_tag(REPOSITORY, "latest")
    assert driver.tags_on(REPOSITORY, ONE.top) == frozenset({"v1"})
    assert driver.tags_on(REPOSITORY, Digest("sha256:" + "0" * 64)) is None


# --- rights -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("scopes", "permissions", "support", "why"),
    [
        ("read:packages, delete:packages", frozenset(), Support.YES, "404"),
        ("write:packages, delete:packages", frozenset(), Support.YES, "404"),
        ("read:packages", frozenset(), Support.NO, "lacks the scope delete:packages"),
        (None, frozenset({"read", "write"}), Support.YES, "404"),
        (None, frozenset({"read"}), Support.NO, "packages: write"),
    ],
)
def test_rights_are_told_before_a_plan(
    github: GitHub, scopes: str | None, permissions: frozenset[str], support: Support, why: str
) -> None:
    """Scopes of a classic token, or the answer to the deletion of a version that nobody has, tell whether it works."""
    github.api.scopes, github.api.permissions = scopes, permissions
    before = github.registry.tags(REPOSITORY)
    found = github.connect(probed=False).probe(REPOSITORY)
    assert found.delete_manifest.support is support
    assert why in found.delete_manifest.why
    assert found.delete_tag.support is Support.NO
    assert found.undo
    assert found.reclaim
    assert github.registry.tags(REPOSITORY) == before


def test_a_fine_grained_token_is_told(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub Packages takes classic tokens only, which the probe says without trying."""
    github.api.token = "github_pat_abc"
    github.api.scopes = None
    monkeypatch.setenv("GITHUB_TOKEN", github.api.token)
    driver = github.connect(probed=False)
    github.registry._gate._access = github.api.access
    found = driver.probe(REPOSITORY)
    assert "fine-grained" in found.delete_manifest.why
    assert github.targets("DELETE") == []


@pytest.mark.parametrize("token", ["", "wrong-and-secret"])
def test_credentials_that_github_does_not_know_are_told_without_the_secret(
    github: GitHub, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """No token, or a wrong one, is AuthenticationFailed with how to log in; the token is nowhere in it."""
    monkeypatch.setenv("GITHUB_TOKEN", token)
    with pytest.raises(AuthenticationFailed) as caught:
        github.connect(probed=False).list_tags(REPOSITORY)
    assert "GITHUB_TOKEN" in caught.value.remedy
    assert not token or token not in f"{caught.value!r} {caught.value.remedy}"


# --- limits -----------------------------------------------------------------------------------------------------------
def test_a_secondary_limit_without_a_pause_is_given_a_minute(github: GitHub) -> None:
    """GitHub asks for at least a minute where a secondary limit says so only in words."""
    driver = github.connect()
    github.api.secondary_limits = 2
    assert len(driver.list_tags(REPOSITORY)) == 3
    assert github.clock.slept >= 120


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_primary_limit_is_waited_for_until_its_reset(github: GitHub, method: str) -> None:
    """403 with nothing left is a limit, not a missing right: it is obeyed and the request sent again."""
    driver = github.connect()
    driver.list_tags(REPOSITORY)
    reset = int(github.clock.now().timestamp()) + 1800
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    github.registry.fail_next(status=403, code="LIMIT", method=method, path_contains="/api/v3/", headers=headers)
    assert len(driver.list_tags(REPOSITORY)) == 3
    assert driver.delete_manifest(REPOSITORY, TWO.top)
    assert github.clock.slept >= 1800


def test_a_deletion_whose_answer_is_lost_is_not_sent_again(github: GitHub) -> None:
    """After a lost connection nothing is sent twice; the next look tells that it was done."""
    driver = github.connect()
    driver.list_tags(REPOSITORY)
    github.registry.drop_next(method="DELETE", performed=True)
    with pytest.raises(RegistryError):
        driver.delete_manifest(REPOSITORY, TWO.top)
    assert len(github.targets("DELETE")) == 1
    assert driver.delete_manifest(REPOSITORY, TWO.top) is False


# --- GitHub's own undo ------------------------------------------------------------------------------------------------
def test_a_deleted_version_comes_back_with_its_tags(github: GitHub) -> None:
    """Within 30 days GitHub restores the version itself, and nothing is pushed."""
    driver = github.connect()
    assert isinstance(driver, TakesBack)
    before = github.registry.tags(REPOSITORY)
    assert driver.delete_manifest(REPOSITORY, ONE.top)
    assert driver.take_back(REPOSITORY, ONE.top, ["v1", "latest"]) is True
    assert github.registry.tags(REPOSITORY) == before
    assert github.registry.count("PUT") == 0


@pytest.mark.parametrize("wanted", [["v1"], []], ids=["one of two tags", "no tag"])
def test_nothing_comes_back_that_was_not_asked_for(github: GitHub, wanted: list[str]) -> None:
    """A version whose tags were not all asked for is left to the saved bytes."""
    driver = github.connect()
    assert driver.delete_manifest(REPOSITORY, ONE.top)
    assert driver.take_back(REPOSITORY, ONE.top, wanted) is False
    assert github.registry.tags(REPOSITORY) == {"v2": TWO.top}


def test_a_tag_that_is_in_use_again_is_not_taken_from_its_new_image(github: GitHub) -> None:
    """Where a tag was pushed anew since, GitHub's undo is not asked: it could take the tag along."""
    driver = github.connect()
    assert driver.delete_manifest(REPOSITORY, ONE.top)
    github.registry.push(REPOSITORY, TWO, "latest")
    assert driver.take_back(REPOSITORY, ONE.top, ["v1", "latest"]) is False
    assert github.registry.tags(REPOSITORY) == {"v2": TWO.top, "latest": TWO.top}


def test_what_github_no_longer_has_is_left_to_the_saved_bytes(github: GitHub) -> None:
    """A version that is not among the deleted ones is not restored, and that is no error."""
    driver = github.connect()
    assert driver.take_back(REPOSITORY, Digest("sha256:" + "1" * 64), []) is False


def test_of_a_digest_that_was_deleted_twice_the_last_deletion_is_undone(github: GitHub) -> None:
    """After deletion, another push and another deletion, the version with the tags of the last time comes back."""
    driver = github.connect()
    assert driver.delete_manifest(REPOSITORY, ONE.top)
    github.registry.push(REPOSITORY, ONE, "again")
    assert driver.delete_manifest(REPOSITORY, ONE.top)
    assert driver.take_back(REPOSITORY, ONE.top, ["again"]) is True
    assert github.registry.tags(REPOSITORY) == {"v2": TWO.top, "again": ONE.top}
