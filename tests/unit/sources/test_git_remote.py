"""Repositories behind an address: real servers, credentials, the cache, and servers that fail."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagsweep.model.usage import UsageReport
from tests.unit.sources.gitkit import Repo, collect, found
from tests.unit.sources.gitserver import USER, daemon, hanging_server, http_server

pytestmark = pytest.mark.usefixtures("git_home")
PASSWORD = "canary-pass-word"
ONE = [("acme/api:1", "test main:a.lines:1, line")]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    (tmp_path / "srv").mkdir()
    repo = Repo.create(tmp_path / "srv" / "deploy.git")
    repo.commit({"a.lines": "image acme/old:1\n"})
    repo.commit({"a.lines": "image acme/api:1\n"})
    return repo


@pytest.fixture(params=["file", "http", "git"])
def address(request: pytest.FixtureRequest, repo: Repo) -> Iterator[str]:
    root = repo.path.parent
    match request.param:
        case "file":
            yield f"file://{root}/deploy.git"
        case "http":
            with http_server(root, repo.environment) as server:
                yield f"{server}/deploy.git"
        case _:
            with daemon(root, repo.environment) as server:
                yield f"{server}/deploy.git"


def helper(home: Path, password: str) -> None:
    """Give git a credential helper, as a user would."""
    answer = f"!f() {{ echo username={USER}; echo password={password}; }}; f"
    subprocess.run(["git", "config", "--file", home / ".gitconfig", "credential.helper", answer], check=True)


def mirrors(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.git"))


@pytest.mark.parametrize("cached", ["cached", ""])
def test_branches_and_tags_are_read_from_a_server(address: str, repo: Repo, tmp_path: Path, cached: str) -> None:
    """All branches, and tags that are named, are read over each protocol, with and without a cache, without history."""
    repo.commit({"a.lines": "image acme/api:2\n"}, on="release/1")
    repo.git("tag", "-a", "-m", "x", "v1", "main")
    cache = tmp_path / "cache"
    report = collect(tmp_path, url=address, tags=["v*"], cache=cache if cached else "")
    assert found(report) == [
        ("acme/api:1", "test main, v1:a.lines:1, line"),
        ("acme/api:2", "test release/1:a.lines:1, line"),
    ]
    assert report.coverage.complete
    assert report.unit == "files on 2 branches and 1 tag"
    assert len(mirrors(cache)) == bool(cached)
    for mirror in mirrors(cache):
        objects = subprocess.run(
            ["git", f"--git-dir={mirror}", "cat-file", "--batch-check", "--batch-all-objects"],
            check=True,
            capture_output=True,
        )
        assert objects.stdout.count(b" commit ") == 2
        assert not (mirror / "FETCH_HEAD").exists()


def test_the_cache_follows_the_repository(repo: Repo, tmp_path: Path) -> None:
    """New commits, rewritten, deleted and renamed branches are seen by the next run, also ``a`` that became ``a/b``."""
    url = f"file://{repo.path}"

    def read() -> list[str]:
        return [name for name, _ in found(collect(tmp_path, url=url, cache=tmp_path / "cache"))]

    repo.commit({"a.lines": "image acme/a:1\n"}, on="a")
    assert read() == ["acme/a:1", "acme/api:1"]
    repo.commit({"a.lines": "image acme/api:2\n"})
    assert read() == ["acme/a:1", "acme/api:2"]
    repo.git("branch", "-D", "a")
    assert read() == ["acme/api:2"]
    (mirror,) = mirrors(tmp_path / "cache")
    assert len(repo.git(f"--git-dir={mirror}", "for-each-ref").splitlines()) == 1
    repo.commit({"a.lines": "image acme/ab:1\n"}, on="a/b")
    assert read() == ["acme/ab:1", "acme/api:2"]
    repo.git("update-ref", "refs/heads/main", "main~2")
    assert read() == ["acme/ab:1", "acme/old:1"]
    repo.git("branch", "-D", "a/b")
    repo.git("update-ref", "-d", "refs/heads/main")
    assert read() == []


def test_credentials_come_from_gits_own_helpers_and_stay_secret(repo: Repo, git_home: Path, tmp_path: Path) -> None:
    """A credential helper of the user's works; the password is in no report and in no file of the cache."""
    helper(git_home, PASSWORD)
    with http_server(repo.path.parent, repo.environment, password=PASSWORD) as server:
        report = collect(tmp_path, url=f"{server}/deploy.git", cache=tmp_path / "cache")
    assert found(report) == ONE
    assert PASSWORD not in repr(report)
    for root, _, names in os.walk(tmp_path / "cache"):
        for name in names:
            assert PASSWORD.encode() not in (Path(root) / name).read_bytes()


@pytest.mark.parametrize("given", ["", "wrong-canary"])
def test_refused_credentials_are_a_gap_with_the_remedy(repo: Repo, git_home: Path, tmp_path: Path, given: str) -> None:
    """Without credentials or with wrong ones nobody is asked on a terminal: it is a gap that says what to do."""
    if given:
        helper(git_home, given)
    with http_server(repo.path.parent, repo.environment, password=PASSWORD) as server:
        report = collect(tmp_path, url=f"{server}/deploy.git", cache=tmp_path / "cache")
    gap = only_gap(report)
    assert "credential helper" in gap
    assert "127.0.0.1" in gap
    assert "canary" not in gap


def only_gap(report: UsageReport) -> str:
    assert not report.usages
    (gap,) = report.coverage.gaps
    return gap


def test_a_password_in_the_users_own_settings_stays_secret(repo: Repo, git_home: Path, tmp_path: Path) -> None:
    """Git may be told to put a password into an address (insteadOf); it is not in the gap when that fails."""
    with http_server(repo.path.parent, repo.environment, password="another") as server:
        secret = server.replace("//", f"//{USER}:{PASSWORD}@")
        key = f"url.{secret}/.insteadOf"
        subprocess.run(["git", "config", "--file", git_home / ".gitconfig", key, f"{server}/"], check=True)
        assert PASSWORD not in only_gap(collect(tmp_path, url=f"{server}/deploy.git"))
        assert PASSWORD not in only_gap(collect(tmp_path, url=f"{server}/absent.git"))
    assert PASSWORD not in only_gap(collect(tmp_path, url=f"{server}/deploy.git"))


def test_an_absent_repository_or_server_is_a_gap_with_the_remedy(repo: Repo, tmp_path: Path) -> None:
    """What is not there, or does not answer, is told with its address."""
    with http_server(repo.path.parent, repo.environment) as server:
        assert "look at the address" in only_gap(collect(tmp_path, url=f"{server}/absent.git"))
    assert "network" in only_gap(collect(tmp_path, url=f"{server}/deploy.git"))
    assert "look at the address" in only_gap(collect(tmp_path, url=f"file://{tmp_path}/absent"))


def test_a_hanging_server_ends_with_the_timeout(tmp_path: Path) -> None:
    """A server that never answers costs the timeout; git and its helpers are gone afterwards."""
    with hanging_server() as server:
        gap = only_gap(collect(tmp_path, url=f"{server}/deploy.git", timeout="1s"))
        assert "no end within 1 s" in gap
        assert "raise timeout" in gap
        for _ in range(100):  # what was killed takes a moment to be gone
            if not running(server):
                break
            time.sleep(0.05)
        assert not running(server)


def running(word: str) -> list[str]:
    """Return the command lines of this machine's programs that have ``word`` in them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return [line for line in found if word in line]


def test_an_empty_repository_is_complete(tmp_path: Path) -> None:
    """A repository without any branch is a complete and empty answer; a branch that was named is a gap."""
    empty = Repo.create(tmp_path / "empty.git")
    report = collect(tmp_path, url=f"file://{empty.path}", cache=tmp_path / "cache")
    assert report.coverage.complete
    assert report.unit == "files on 0 branches"
    assert "'main'" in only_gap(collect(tmp_path, url=f"file://{empty.path}", refs=["main"]))


def test_a_plain_web_server(repo: Repo, tmp_path: Path) -> None:
    """A server that knows no git protocol gives no shallow copies: the whole history is fetched."""
    repo.git("update-server-info")
    with http_server(repo.path.parent, repo.environment, dumb=True) as server:
        report = collect(tmp_path, url=f"{server}/deploy.git", cache=tmp_path / "cache")
    assert report.coverage.complete, report.coverage.gaps
    assert found(report) == ONE


def test_sha256_and_back(repo: Repo, tmp_path: Path) -> None:
    """The cache is made anew when the repository turned to another kind of names."""
    url = f"file://{repo.path}"
    assert found(collect(tmp_path, url=url, cache=tmp_path / "cache")) == ONE
    shutil.rmtree(repo.path)
    Repo.create(repo.path, object_format="sha256").commit({"a.lines": "image acme/api:256\n"})
    assert [name for name, _ in found(collect(tmp_path, url=url, cache=tmp_path / "cache"))] == ["acme/api:256"]


@pytest.mark.parametrize(
    "damage", ["no head", "no objects", "garbage", "config", "a file", "one object", "one directory"]
)
def test_a_broken_cache_is_made_anew(repo: Repo, tmp_path: Path, damage: str) -> None:
    """Whatever happened to the cache, the answer is complete."""
    cache, url = tmp_path / "cache", f"file://{repo.path}"
    assert found(collect(tmp_path, url=url, cache=cache)) == ONE
    (mirror,) = mirrors(cache)
    match damage:
        case "no head":
            (mirror / "HEAD").unlink()
        case "no objects":
            shutil.rmtree(mirror / "objects")
        case "garbage":
            for pack in (mirror / "objects" / "pack").iterdir():
                pack.chmod(0o644)
                pack.write_bytes(b"garbage")
            for loose in (mirror / "objects").glob("??/*"):
                loose.chmod(0o644)
                loose.write_bytes(b"garbage")
        case "config":
            (mirror / "config").write_text("[core\n")
        case "a file":
            shutil.rmtree(mirror)
            mirror.write_text("x")
        case _:
            identifier = repo.git("rev-parse", "main:a.lines" if damage == "one object" else "main^{tree}")
            loose = mirror / "objects" / identifier[:2] / identifier[2:]
            assert loose.exists()
            loose.unlink()
    report = collect(tmp_path, url=url, cache=cache)
    assert report.coverage.complete, report.coverage.gaps
    assert found(report) == ONE
    assert found(collect(tmp_path, url=url, cache=cache)) == ONE


def test_a_broken_repository_behind_an_address_is_a_gap(repo: Repo, tmp_path: Path) -> None:
    """Where the server itself lacks what it should have, the copy is not made for ever: it is a gap."""
    url, cache = f"file://{repo.path}", tmp_path / "cache"
    assert found(collect(tmp_path, url=url, cache=cache)) == ONE
    repo.commit({"a.lines": "image acme/next:1\n"})
    identifier = repo.git("rev-parse", "main:a.lines")
    (repo.path / "objects" / identifier[:2] / identifier[2:]).unlink()
    assert "fetch from" in only_gap(collect(tmp_path, url=url, cache=cache))


def test_another_address_leaves_nothing_of_the_old_one(repo: Repo, tmp_path: Path) -> None:
    """After a change of the policy's address the copy of the old one is removed."""
    cache = tmp_path / "cache"
    collect(tmp_path, url=f"file://{repo.path}", cache=cache)
    shutil.copytree(repo.path, tmp_path / "srv" / "moved.git")
    assert found(collect(tmp_path, url=f"file://{tmp_path}/srv/moved.git", cache=cache)) == ONE
    assert len(mirrors(cache)) == 1


def test_two_runs_do_not_use_the_cache_together(repo: Repo, tmp_path: Path) -> None:
    """The second run waits, and gives up with a clear gap after the timeout."""
    cache, url = tmp_path / "cache", f"file://{repo.path}"
    cache.mkdir()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        gap = only_gap(collect(tmp_path, url=url, cache=cache, timeout="10s"))
    assert "another run" in gap
    assert found(collect(tmp_path, url=url, cache=cache)) == ONE


def test_a_cache_that_cannot_be_written_is_a_gap(repo: Repo, tmp_path: Path) -> None:
    """A file in the place of the cache is told with the remedy."""
    (tmp_path / "file").touch()
    assert "--state" in only_gap(collect(tmp_path, url=f"file://{repo.path}", cache=tmp_path / "file"))
    assert "--state" in only_gap(collect(tmp_path, url=f"file://{repo.path}", cache=tmp_path / "file" / "below"))
