"""The shared tests of every evidence source, for the two that read files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tagsweep.ports import UsageSource
from tagsweep.sources.files import FilesSource
from tagsweep.sources.git import GitSource
from tagsweep.testing.source_suite import SECRET, SourceSuite, source_context, source_settings
from tests.unit.sources.gitkit import Repo
from tests.unit.sources.gitserver import USER, http_server


def spread(texts: Sequence[str]) -> dict[str, str]:
    """Return the texts in files of different kinds and depths."""
    kinds = ("notes.txt", "deep/er/deploy.sh", "ci.cfg")
    return {f"{number}/{kinds[number % 3]}": f"# deployed\nrun {text}\n" for number, text in enumerate(texts)}


class Directory:
    """A plain directory."""

    resolves = True

    def __init__(self, base: Path) -> None:
        self.base = base

    def plant(self, texts: Sequence[str]) -> None:
        (self.base / "tree").mkdir(exist_ok=True)
        for path, text in spread(texts).items():
            (self.base / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.base / "tree" / path).write_text(text)
        (self.base / "tree" / "readme").write_text("nothing in use here\n")

    def break_it(self) -> None:
        shutil.rmtree(self.base / "tree")

    def source(self) -> UsageSource:
        return FilesSource.configure(source_settings("files", path="tree"), context=source_context(self.base))


class Server:
    """A repository on a server that wants the secret as its password; half of the files are on another branch."""

    resolves = True

    def __init__(self, base: Path, repo: Repo, address: str) -> None:
        self.base = base
        self.repo = repo
        self.address = address

    def plant(self, texts: Sequence[str]) -> None:
        files = spread(texts)
        half = len(files) // 2
        self.repo.commit(dict(list(files.items())[half:]) | {"readme": "nothing in use here\n"})
        self.repo.commit(dict(list(files.items())[:half]) | {"readme": "nothing in use here\n"}, on="release/1")

    def break_it(self) -> None:
        shutil.rmtree(self.repo.path / "objects")

    def source(self) -> UsageSource:
        context = source_context(self.base, cache=self.base / "cache")
        return GitSource.configure(source_settings("git", url=self.address), context=context)


class TestFiles(SourceSuite):
    """The source ``files``."""

    @pytest.fixture
    def environment(self, tmp_path: Path) -> Directory:
        return Directory(tmp_path)


class TestGit(SourceSuite):
    """The source ``git`` over HTTP."""

    @pytest.fixture
    def environment(self, tmp_path: Path, git_home: Path) -> Iterator[Server]:
        answer = f"!f() {{ echo username={USER}; echo password={SECRET}; }}; f"
        subprocess.run(["git", "config", "--file", git_home / ".gitconfig", "credential.helper", answer], check=True)
        (tmp_path / "srv").mkdir()
        repo = Repo.create(tmp_path / "srv" / "deploy.git")
        with http_server(tmp_path / "srv", repo.environment, password=SECRET) as address:
            yield Server(tmp_path, repo, f"{address}/deploy.git")
