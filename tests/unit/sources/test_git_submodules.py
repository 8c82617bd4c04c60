"""Submodules: the commit that the tree names, wherever it is; what cannot be read is a gap that names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.sources.gitkit import SUBMODULE, Content, Repo, collect, found
from tests.unit.sources.gitserver import http_server

pytestmark = pytest.mark.usefixtures("git_home")


def modules(**urls: str) -> str:
    return "".join(f'[submodule "{name}"]\n\tpath = sub/{name}\n\turl = {url}\n' for name, url in urls.items())


@pytest.fixture
def lib(tmp_path: Path) -> Repo:
    (tmp_path / "srv").mkdir()
    return Repo.create(tmp_path / "srv" / "lib.git")


@pytest.fixture
def deploy(lib: Repo) -> Repo:
    return Repo.create(lib.path.parent / "deploy.git")


def pinned(commit: str, url: str = "../lib.git", **files: Content) -> Mapping[str, Content]:
    return {".gitmodules": modules(lib=url), "sub/lib": (SUBMODULE, commit), **files}


@pytest.mark.parametrize("by", ["path", "url"])
def test_the_pinned_commit_is_read_and_not_the_newest(lib: Repo, deploy: Repo, tmp_path: Path, by: str) -> None:
    """Files of the submodule are read at the commit of each branch, with their whole path, and neighbours across."""
    old = lib.commit({"a.lines": "image acme/lib:1\nwith ../../v.env\n"})
    new = lib.commit({"a.lines": "image acme/lib:2\n"})
    lib.commit({"a.lines": "image acme/lib:3\n"})
    deploy.commit({**pinned(old), "v.env": "7", "b.lines": "with sub/lib/a.lines\ncount .\n"})
    deploy.commit(pinned(new), on="next")
    options = {"path": str(deploy.path)} if by == "path" else {"url": f"file://{deploy.path}"}
    report = collect(tmp_path, cache=tmp_path / "cache", **options)
    assert report.coverage.complete, report.coverage.gaps
    assert ("acme/lib:1", "test main:sub/lib/a.lines:1, line") in found(report)
    assert ("acme/lib:2", "test next:sub/lib/a.lines:1, line") in found(report)
    assert ("acme/with:7", "test main:sub/lib/a.lines:2") in found(report)
    assert ("acme/count:4", "test main:b.lines:2") in found(report)
    assert "acme/lib:3" not in {name for name, _ in found(report)}


def test_a_submodule_in_a_submodule(lib: Repo, deploy: Repo, tmp_path: Path) -> None:
    """Submodules are followed at any sensible depth, each address relative to its own repository's."""
    inner = Repo.create(lib.path.parent / "inner.git")
    leaf = inner.commit({"x.lines": "image acme/inner:1\n"})
    files: dict[str, Content] = {".gitmodules": modules(inner="../inner.git"), "sub/inner": (SUBMODULE, leaf)}
    commit = lib.commit(files)
    deploy.commit(pinned(commit))
    report = collect(tmp_path, url=f"file://{deploy.path}", cache=tmp_path / "cache")
    assert report.coverage.complete, report.coverage.gaps
    assert found(report) == [("acme/inner:1", "test main:sub/lib/sub/inner/x.lines:1, line")]


def test_submodules_over_http(lib: Repo, deploy: Repo, tmp_path: Path) -> None:
    """Relative addresses work on a server as well, and one copy serves all commits."""
    first, second = (lib.commit({"a.lines": f"image acme/lib:{number}\n"}) for number in (1, 2))
    deploy.commit(pinned(first))
    deploy.commit(pinned(second), on="next")
    with http_server(lib.path.parent, lib.environment) as server:
        for _ in range(2):
            report = collect(tmp_path, url=f"{server}/deploy.git", cache=tmp_path / "cache")
            assert report.coverage.complete, report.coverage.gaps
            assert [name for name, _ in found(report)] == ["acme/lib:1", "acme/lib:2"]
    assert len(list((tmp_path / "cache").glob("*.git"))) == 2


def test_the_clone_within_a_clone_is_used_and_nothing_fetched(lib: Repo, deploy: Repo, tmp_path: Path) -> None:
    """Where git keeps the submodule beside the user's repository, it is read there, even if its server is gone."""
    commit = lib.commit({"a.lines": "image acme/lib:1\n"})
    deploy.commit(pinned(commit))
    clone = tmp_path / "clone"
    arguments = ("-c", "protocol.file.allow=always", "clone", "-q", "--recurse-submodules")
    deploy.git(*arguments, str(deploy.path), str(clone))
    lib.path.rename(tmp_path / "gone")
    report = collect(tmp_path, path="clone")
    assert report.coverage.complete, report.coverage.gaps
    assert [name for name, _ in found(report)] == ["acme/lib:1"]


def test_submodules_that_cannot_be_read_are_gaps(lib: Repo, deploy: Repo, tmp_path: Path) -> None:
    """A commit or repository that is gone, a missing or malformed .gitmodules: each names the submodule and the remedy;
    everything else is read.
    """
    commit = lib.commit({"a.lines": "image acme/lib:1\n"})
    rest = {"b.lines": "image acme/b:1\n"}
    broken: list[Mapping[str, Content]] = [
        {**pinned("1" * 40), **rest},
        {**pinned(commit, "../gone.git"), **rest},
        {"sub/lib": (SUBMODULE, commit), **rest},
        {**pinned(commit), ".gitmodules": "[submodule\n", **rest},
        {**pinned(commit), ".gitmodules": modules(other="../lib.git"), **rest},
        {**pinned(commit, "ext::sh -c touch% /tmp/x"), **rest},
        {**pinned(commit, "--upload-pack=touch /tmp/x"), **rest},
        {**pinned(commit, "../../../../../../../../../../../../lib.git"), **rest},
        {**pinned(commit, "https://user:canary@127.0.0.1:1/lib.git"), **rest},
    ]
    for files in broken:
        deploy.commit(files)
        report = collect(tmp_path, url=f"file://{deploy.path}", cache=tmp_path / "cache", timeout="20s")
        assert [name for name, _ in found(report)] == ["acme/b:1"]
        (gap,) = report.coverage.gaps
        assert "sub/lib" in gap
        assert "submodules: ignore" in gap
        assert "canary" not in repr(report)


def test_a_repository_from_elsewhere_names_no_path_of_this_machine(lib: Repo, deploy: Repo, tmp_path: Path) -> None:
    """A .gitmodules that came over the network cannot make tagsweep read a local repository."""
    commit = lib.commit({"a.lines": "image acme/lib:1\n"})
    with http_server(lib.path.parent, lib.environment) as server:
        for url in (str(lib.path), f"file://{lib.path}"):
            deploy.commit(pinned(commit, url))
            report = collect(tmp_path, url=f"{server}/deploy.git")
            assert found(report) == []
            (gap,) = report.coverage.gaps
            assert "may not name" in gap


def test_ignored_and_excluded_submodules_are_not_asked_for(lib: Repo, deploy: Repo, tmp_path: Path) -> None:
    """``submodules: ignore`` counts them, ``exclude`` leaves one out; neither is a gap."""
    deploy.commit({**pinned("1" * 40), "b.lines": "image acme/b:1\n"})
    report = collect(tmp_path, path=str(deploy.path), submodules="ignore")
    assert report.coverage.complete
    assert report.unit == "files on 1 branch (1 submodules not read)"
    report = collect(tmp_path, path=str(deploy.path), exclude=["sub/lib"])
    assert report.coverage.complete
    assert [name for name, _ in found(report)] == ["acme/b:1"]
    assert lib.path.exists()
