"""Every kind of repository on this machine: bare, linked, shallow, partial, borrowing, broken; none is changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.sources.gitkit import Repo, collect, found, source

pytestmark = pytest.mark.usefixtures("git_home")
ONE = [("acme/api:1", "test main:a.lines:1, line")]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    repo = Repo.create(tmp_path / "deploy")
    repo.commit({"a.lines": "image acme/old:1\n"})
    repo.commit({"a.lines": "image acme/api:1\n"})
    return repo


def state(path: Path) -> list[tuple[str, int, int]]:
    """Return every file below ``path`` with its size and time of change."""
    found = [(Path(root) / name).lstat() for root, _, names in os.walk(path) for name in sorted(names)]
    places = [str(Path(root) / name) for root, _, names in os.walk(path) for name in sorted(names)]
    return sorted((place, each.st_size, each.st_mtime_ns) for place, each in zip(places, found, strict=True))


def test_a_repository_with_a_working_tree_is_read_as_committed_and_not_changed(tmp_path: Path) -> None:
    """What is committed counts and not what lies in the working tree, and nothing is written anywhere in it."""
    repo = Repo.create(tmp_path / "deploy", bare=False)
    repo.commit({"a.lines": "image acme/api:1\n"})
    repo.git("checkout", "--quiet", "--force", "main")
    (repo.path / "a.lines").write_text("image acme/changed:1\n")
    before = state(repo.path)
    for path in ("deploy", "deploy/.git"):
        assert found(collect(tmp_path, path=path)) == ONE
    assert state(repo.path) == before


def test_a_linked_working_tree(tmp_path: Path) -> None:
    """A linked working tree leads to its repository, with all branches."""
    repo = Repo.create(tmp_path / "deploy", bare=False)
    repo.commit({"a.lines": "image acme/api:1\n"})
    repo.git("worktree", "add", "--quiet", "--force", str(tmp_path / "linked"), "main")
    report = collect(tmp_path, path="linked")
    assert found(report) == ONE
    assert report.coverage.complete


def test_a_shallow_clone(repo: Repo, tmp_path: Path) -> None:
    """A shallow clone has what is needed: no history is read."""
    repo.git("clone", "--quiet", "--bare", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    report = collect(tmp_path, path="shallow")
    assert found(report) == ONE
    assert report.coverage.complete


def test_a_partial_clone_is_read_as_far_as_it_goes_and_nothing_is_fetched(repo: Repo, tmp_path: Path) -> None:
    """What a partial clone lacks is a gap with a remedy; it is not fetched behind the user's back."""
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    repo.git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{repo.path}", str(clone))
    before = state(clone)
    report = collect(tmp_path, path="partial")
    assert found(report) == []
    (gap,) = report.coverage.gaps
    assert "a.lines" in gap
    assert "partial clone" in gap
    assert state(clone) == before


def test_alternates(repo: Repo, tmp_path: Path) -> None:
    """Objects that are borrowed from another repository are read."""
    repo.git("clone", "--quiet", "--bare", "--shared", str(repo.path), str(tmp_path / "borrower"))
    report = collect(tmp_path, path="borrower")
    assert found(report) == ONE
    assert report.coverage.complete


def test_sha256_repositories(tmp_path: Path) -> None:
    """A repository with SHA-256 names is read as any other."""
    repo = Repo.create(tmp_path / "deploy", object_format="sha256")
    repo.commit({"deep/er/a.lines": "image acme/api:1\n"})
    report = collect(tmp_path, path="deploy")
    assert found(report) == [("acme/api:1", "test main:deep/er/a.lines:1, line")]
    assert report.coverage.complete


def test_replaced_objects_are_read_as_committed(repo: Repo, tmp_path: Path) -> None:
    """What somebody put in the place of a commit on this machine is not what others deploy."""
    old = repo.git("rev-parse", "main^")
    repo.git("replace", "main", old)
    assert found(collect(tmp_path, path="deploy")) == ONE


@pytest.mark.parametrize("what", ["main:a.lines", "main^{tree}", "main:d", "main"])
@pytest.mark.parametrize("how", ["missing", "garbage", "truncated"])
def test_broken_objects_are_gaps_and_the_rest_is_read(tmp_path: Path, what: str, how: str) -> None:
    """A missing or corrupt file, directory or commit is a gap that names it, and everything else is read."""
    repo = Repo.create(tmp_path / "deploy")
    repo.commit({"a.lines": "image acme/api:1\n", "b.lines": "image acme/b:1\n", "d/c.lines": "image acme/c:1\n"})
    repo.commit({"z.lines": "image acme/z:1\n"}, on="other")
    unpack(repo)
    identifier = repo.git("rev-parse", what)
    path = repo.path / "objects" / identifier[:2] / identifier[2:]
    data = path.read_bytes()
    path.chmod(0o644)
    path.unlink()
    if how != "missing":
        path.write_bytes(b"garbage" * 9 if how == "garbage" else data[: len(data) // 2])
    report = collect(tmp_path, path="deploy")
    names = {name for name, _ in found(report)}
    expected = {"main:a.lines": {"acme/b:1", "acme/c:1"}, "main:d": {"acme/api:1", "acme/b:1"}}.get(what, set())
    assert names == expected | {"acme/z:1"}
    (gap,) = report.coverage.gaps
    named = {"main:a.lines": "a.lines", "main:d": "directory d", "main^{tree}": "root directory", "main": "main"}
    assert named[what] in gap


def test_versions_of_a_file_that_are_missing_are_one_gap(repo: Repo, tmp_path: Path) -> None:
    """A file that is missing in several versions is told once, with their number."""
    repo.commit({"a.lines": "image acme/api:2\n"}, on="next")
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    (gap,) = collect(tmp_path, path="partial").coverage.gaps
    assert gap.endswith("(and 1 other versions of it)")


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator can give files away")
def test_a_repository_of_another_user_is_read_because_the_policy_names_it(repo: Repo, tmp_path: Path) -> None:
    """Git refuses repositories of other owners because it would run what they say; here nothing is run."""
    for root, _, names in os.walk(repo.path):
        for path in (root, *(os.path.join(root, name) for name in names)):  # noqa: PTH118 - os.walk gives texts
            os.chown(path, 65534, 65534)
    report = collect(tmp_path, path=repo.path.name)
    assert report.coverage.complete, report.coverage.gaps
    assert found(report) == ONE


def unpack(repo: Repo) -> None:
    """Turn the packs of a repository into loose objects."""
    for pack in list((repo.path / "objects" / "pack").glob("*.pack")):
        moved = repo.path / pack.name
        pack.rename(moved)
        for rest in (repo.path / "objects" / "pack").glob(f"{pack.stem}.*"):
            rest.unlink()
        repo.git("unpack-objects", "-q", given=moved.read_bytes())
        moved.unlink()


def test_very_many_broken_objects_end_soon(tmp_path: Path) -> None:
    """Where hundreds of objects are corrupt, git is not started for each of them, and the gaps say so."""
    repo = Repo.create(tmp_path / "deploy")
    repo.commit({f"{number}.lines": f"image acme/api:{number}\n" for number in range(150)})
    unpack(repo)
    for number in range(150):
        identifier = repo.git("rev-parse", f"main:{number}.lines")
        path = repo.path / "objects" / identifier[:2] / identifier[2:]
        path.chmod(0o644)
        path.write_bytes(b"garbage")
    report = collect(tmp_path, path="deploy")
    assert not report.usages
    assert len(report.coverage.gaps) == 51


@pytest.mark.parametrize("kind", ["absent", "file", "directory", "inside"])
def test_what_is_no_repository_is_a_gap_with_the_remedy(tmp_path: Path, kind: str) -> None:
    """A path that is no repository is told as such, even inside of one: that one was not meant."""
    around = Repo.create(tmp_path / "around", bare=False)
    around.commit({"a.lines": "image acme/api:1\n"})
    path = {"absent": tmp_path / "x", "file": tmp_path / "f", "directory": tmp_path / "d", "inside": around.path / "in"}
    (tmp_path / "f").touch()
    (tmp_path / "d").mkdir()
    (around.path / "in").mkdir()
    report = collect(tmp_path, path=str(path[kind]))
    assert not report.usages
    (gap,) = report.coverage.gaps
    assert "path must name" in gap


def test_git_that_is_not_installed_is_a_gap_with_the_remedy(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the git program nothing is read, and the remedy is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (gap,) = collect(tmp_path, path=repo.path.name).coverage.gaps
    assert "install git" in gap


def test_the_environment_of_the_caller_does_not_lead_git_astray(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a hook or a rebase, variables name another repository and index: they are not followed."""
    other = Repo.create(tmp_path / "other")
    other.commit({"a.lines": "image acme/other:1\n"})
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(other.path))
    monkeypatch.setenv("GIT_TRACE", "1")
    assert found(collect(tmp_path, path=repo.path.name)) == ONE


def test_settings_of_a_repository_run_nothing(tmp_path: Path) -> None:
    """A hook, a file system monitor, a filter or a diff program that a repository names is not run."""
    repo = Repo.create(tmp_path / "deploy", bare=False)
    repo.commit({".gitattributes": "* filter=evil diff=evil\n", "a.lines": "image acme/api:1\n"})
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    evil.chmod(0o755)
    keys = ("core.fsmonitor", "filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv", "core.sshCommand")
    for key in (*keys, "core.pager", "core.editor"):
        repo.git("config", key, str(evil))
    for hook in ("post-checkout", "reference-transaction", "fsmonitor-watchman"):
        (repo.path / ".git" / "hooks").mkdir(exist_ok=True)
        (repo.path / ".git" / "hooks" / hook).symlink_to(evil)
    assert found(collect(tmp_path, path="deploy")) == ONE
    assert not (tmp_path / "ran").exists()


def test_a_source_without_a_name_of_its_own_is_called_after_the_repository(repo: Repo, tmp_path: Path) -> None:
    """Places begin with the policy's short name of the source."""
    made = source(tmp_path, path=repo.path.name, name="fleet")
    assert made.collect(made.context.clock.now()).usages[0].where == "fleet main:a.lines:1, line"
