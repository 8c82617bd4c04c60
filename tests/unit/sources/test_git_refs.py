"""Which branches and tags of a repository are read, and how a place in several of them is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagsweep.sources.repository.refs import Ref, Selection
from tests.unit.sources.gitkit import Repo, collect, found

pytestmark = pytest.mark.usefixtures("git_home")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.create(tmp_path / "deploy")


def test_every_branch_is_read_and_a_file_on_several_is_told_once(repo: Repo, tmp_path: Path) -> None:
    """The same file on several branches is one usage that names them; another content is another usage."""
    for branch in ("main", "release/1", "release/2", "feature/a/b"):
        repo.commit({"a.lines": "image acme/api:1\n"}, on=branch)
    repo.commit({"a.lines": "image acme/api:2\n"}, on="hotfix")
    report = collect(tmp_path, path="deploy")
    assert found(report) == [
        ("acme/api:1", "test main, feature/a/b and 2 more:a.lines:1, line"),
        ("acme/api:2", "test hotfix:a.lines:1, line"),
    ]
    assert report.coverage.complete
    assert (report.examined, report.unit) == (2, "files on 5 branches")


def test_named_branches_and_globs(repo: Repo, tmp_path: Path) -> None:
    """Names and globs choose branches, also with slashes; the others are not read."""
    for number, branch in enumerate(("main", "release/1", "release/2/fix", "dev")):
        repo.commit({"a.lines": f"image acme/api:{number}\n"}, on=branch)
    report = collect(tmp_path, path="deploy", refs=["main", "release/*"])
    assert [name for name, _ in found(report)] == ["acme/api:0", "acme/api:1", "acme/api:2"]
    assert report.unit == "files on 3 branches"


def test_a_name_that_matches_nothing_is_a_gap(repo: Repo, tmp_path: Path) -> None:
    """A misspelt branch, glob or tag makes the coverage partial and is named, also in an empty repository."""
    repo.commit({"a.lines": "image acme/api:1\n"})
    for options in ({"refs": ["main", "relaese/*"]}, {"tags": ["relaese/*"]}, {"refs": "relaese/*"}):
        report = collect(tmp_path, path="deploy", **options)
        assert len(report.coverage.gaps) == 1
        assert "'relaese/*'" in report.coverage.gaps[0]
    empty = Repo.create(tmp_path / "empty")
    assert not collect(tmp_path, path=str(empty.path), refs=["main"]).coverage.complete


def test_tags_are_read_when_they_are_named(repo: Repo, tmp_path: Path) -> None:
    """Lightweight, annotated and twice annotated tags are read by their globs, and by no branch glob."""
    repo.commit({"a.lines": "image acme/api:1\n"})
    repo.git("tag", "v1")
    repo.commit({"a.lines": "image acme/api:2\n"})
    repo.git("tag", "-a", "-m", "x", "v2")
    repo.git("tag", "-a", "-m", "x", "v2-again", "v2")
    repo.commit({"a.lines": "image acme/api:3\n"})
    report = collect(tmp_path, path="deploy", refs=["*"], tags=["v*"])
    assert found(report) == [
        ("acme/api:1", "test v1:a.lines:1, line"),
        ("acme/api:2", "test v2, v2-again:a.lines:1, line"),
        ("acme/api:3", "test main:a.lines:1, line"),
    ]
    assert report.unit == "files on 1 branch and 3 tags"
    assert [name for name, _ in found(collect(tmp_path, path="deploy"))] == ["acme/api:3"]


def test_tags_on_trees_and_on_files(repo: Repo, tmp_path: Path) -> None:
    """A tag on a tree is read; one on a single file is a gap, since it is no revision."""
    repo.commit({"a.lines": "image acme/api:1\n"})
    repo.git("tag", "tree", repo.git("rev-parse", "main^{tree}"))
    repo.git("tag", "-a", "-m", "x", "tree-again", "tree")
    repo.git("tag", "file", repo.git("rev-parse", "main:a.lines"))
    report = collect(tmp_path, path="deploy", tags=["tree*"])
    assert found(report) == [("acme/api:1", "test main, tree, tree-again:a.lines:1, line")]
    assert report.coverage.complete
    (gap,) = collect(tmp_path, path="deploy", tags=["file"]).coverage.gaps
    assert "file" in gap
    assert "leave it out" in gap


def test_merges(repo: Repo, tmp_path: Path) -> None:
    """A merge commit is read as the tree that it is."""
    repo.commit({"a.lines": "image acme/a:1\n"})
    repo.commit({"b.lines": "image acme/b:1\n"}, on="side")
    repo.commit({"a.lines": "image acme/a:1\n", "b.lines": "image acme/b:2\n"}, merge=["side"])
    report = collect(tmp_path, path="deploy", refs="main")
    assert [name for name, _ in found(report)] == ["acme/a:1", "acme/b:2"]


def test_a_detached_head_is_read_where_no_branch_is_there(tmp_path: Path) -> None:
    """A checkout of one commit, as CI systems make it, is read; HEAD stands for it, and may be named."""
    repo = Repo.create(tmp_path / "deploy", bare=False)
    commit = repo.commit({"a.lines": "image acme/api:1\n"})
    repo.git("checkout", "--quiet", commit)
    repo.git("branch", "-D", "main")
    for options in ({}, {"refs": "HEAD"}):
        report = collect(tmp_path, path="deploy", **options)
        assert found(report) == [("acme/api:1", "test HEAD:a.lines:1, line")]
        assert report.coverage.complete


def test_what_a_clone_knows_of_its_remote_is_read(repo: Repo, tmp_path: Path) -> None:
    """Remote-tracking branches count, under their own name and under that of the branch."""
    repo.commit({"a.lines": "image acme/api:1\n"})
    repo.commit({"a.lines": "image acme/api:2\n"}, on="release/1")
    repo.git("clone", "--quiet", str(repo.path), str(tmp_path / "clone"))
    expected = [
        ("acme/api:1", "test main, origin/main:a.lines:1, line"),
        ("acme/api:2", "test origin/release/1:a.lines:1, line"),
    ]
    assert found(collect(tmp_path, path="clone")) == expected
    assert found(collect(tmp_path, path="clone", refs=["release/*"])) == expected[1:]
    assert found(collect(tmp_path, path="clone", refs=["origin/release/1"])) == expected[1:]


def test_an_empty_repository_is_complete_and_empty(tmp_path: Path) -> None:
    """A repository without any commit has nothing in use, and that is certain."""
    Repo.create(tmp_path / "deploy")
    report = collect(tmp_path, path="deploy")
    assert report.coverage.complete
    assert (report.examined, report.unit) == (0, "files on 0 branches")


def test_an_unborn_head_hides_no_branch(repo: Repo, tmp_path: Path) -> None:
    """Where HEAD names a branch that is not there, the others are read all the same."""
    repo.commit({"a.lines": "image acme/api:1\n"}, on="other")
    assert found(collect(tmp_path, path="deploy")) == [("acme/api:1", "test other:a.lines:1, line")]


def test_packed_refs_and_names_that_differ_in_case(repo: Repo, tmp_path: Path) -> None:
    """Packed refs are refs, and ``Main`` is another branch than ``main``."""
    repo.commit({"a.lines": "image acme/api:1\n", "A.lines": "image acme/api:2\n"})
    repo.commit({"a.lines": "image acme/api:3\n"}, on="Main")
    repo.git("pack-refs", "--all")
    report = collect(tmp_path, path="deploy")
    assert [name for name, _ in found(report)] == ["acme/api:1", "acme/api:2", "acme/api:3"]


def test_refs_of_any_kind_by_their_whole_name(repo: Repo, tmp_path: Path) -> None:
    """What is neither branch nor tag is read where the policy names it in full."""
    repo.commit({"a.lines": "image acme/api:1\n"})
    repo.commit({"a.lines": "image acme/api:2\n"}, on="refs/pull/7/head")
    assert [name for name, _ in found(collect(tmp_path, path="deploy"))] == ["acme/api:1"]
    report = collect(tmp_path, path="deploy", refs=["refs/pull/*/head"])
    assert found(report) == [("acme/api:2", "test refs/pull/7/head:a.lines:1, line")]


@pytest.mark.parametrize("make", ["zeros", "garbage", "gone"])
def test_a_broken_ref_is_a_gap_and_the_others_are_read(repo: Repo, tmp_path: Path, make: str) -> None:
    """A ref that is on nothing makes the coverage partial and is named; the good ones are read."""
    repo.commit({"a.lines": "image acme/api:1\n"})
    content = {"zeros": "0" * 40, "garbage": "garbage", "gone": "1" * 40}[make]
    (repo.path / "refs" / "heads" / "bad").write_text(f"{content}\n")
    report = collect(tmp_path, path="deploy")
    assert found(report) == [("acme/api:1", "test main:a.lines:1, line")]
    assert any("bad" in gap for gap in report.coverage.gaps)


def test_head_is_not_read_twice() -> None:
    """HEAD on a branch adds nothing, HEAD on no branch is one more revision."""
    main, head = Ref("refs/heads/main", "1"), Ref("HEAD", "1")
    assert Selection().choose((main, head)).refs == (main,)
    away = Ref("HEAD", "2")
    assert set(Selection().choose((main, away)).refs) == {main, away}


@pytest.mark.parametrize("name", ["main\u2028x", "main\x85x", "main\u00a0x"])
def test_a_branch_whose_name_has_a_separator_of_lines_is_read(repo: Repo, tmp_path: Path, name: str) -> None:
    """Only a line feed ends a line of git's: such a branch hides neither itself nor another one."""
    repo.commit({"a.lines": "image acme/api:1\n"})
    repo.commit({"a.lines": "image acme/api:2\n"}, on=name)
    for options in ({"path": "deploy"}, {"url": f"file://{repo.path}"}):
        report = collect(tmp_path, **options)
        assert [reference for reference, _ in found(report)] == ["acme/api:1", "acme/api:2"]
        assert report.coverage.complete


def test_a_commit_that_is_none_is_a_gap(repo: Repo, tmp_path: Path) -> None:
    """A commit object without a tree, as only a tool or an attacker makes it, is told and ends in no traceback."""
    repo.commit({"a.lines": "image acme/api:1\n"})
    broken = repo.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", given=b"nothing of a commit")
    (repo.path / "refs" / "heads" / "odd").write_text(f"{broken}\n")
    report = collect(tmp_path, path="deploy")
    assert [reference for reference, _ in found(report)] == ["acme/api:1"]
    assert any("odd" in gap for gap in report.coverage.gaps)
