"""Charts and the helm program, without it: the options, what is unpacked, and what is left to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.sources.charts.rendering import is_installable
from tagsweep.sources.charts.unpack import local_charts, unpack
from tagsweep.sources.files import DirectoryTree, FilesSource
from tagsweep.sources.git import GitSource
from tagsweep.testing.source_suite import NOW, source_context, source_settings


class Tree:
    """Files in memory, as a revision of a repository that somebody else wrote."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def read(self, path: str) -> str | None:
        data = self.files.get(path)
        return None if data is None else data.decode("utf-8", "replace")

    def paths(self, directory: str) -> Sequence[str]:
        return sorted(path for path in self.files if not directory or path.startswith(f"{directory}/"))

    def data(self, path: str, most: int) -> bytes | None:
        data = self.files.get(path)
        return None if data is None or len(data) > most else data


def written(place: Path) -> dict[str, bytes]:
    """Return the files below ``place``."""
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def test_a_chart_is_unpacked_byte_for_byte(tmp_path: Path) -> None:
    """Binary files stay what they are; schemas of values, which can name addresses, and files beside are left out."""
    files = {"web/Chart.yaml": b"name: web\r\n", "web/charts/a.tgz": b"\0\xff", "web/values.schema.json": b"{}"}
    unpack(Tree(files | {"other": b"x"}), "web", tmp_path / "chart")
    assert written(tmp_path / "chart") == {"Chart.yaml": b"name: web\r\n", "charts/a.tgz": b"\0\xff"}


@pytest.mark.parametrize("name", ["web/../../evil", "web/templates/../../../evil", "web/./evil", "web//evil"])
def test_no_name_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    """A tree made by hand can hold names such as ..: nothing is written for them, and the chart is refused."""
    with pytest.raises(TagsweepError, match="leads elsewhere"):
        unpack(Tree({"web/Chart.yaml": b"name: web\n", name: b"x"}), "web", tmp_path / "inner" / "chart")
    assert not list(tmp_path.rglob("evil"))


def test_names_that_a_file_system_takes_for_one_are_refused(tmp_path: Path) -> None:
    """A file where another one needs a directory refuses the chart with the reason, instead of an exception."""
    with pytest.raises(TagsweepError, match="cannot be copied"):
        unpack(Tree({"web/a": b"x", "web/a/b": b"y"}), "web", tmp_path / "chart")


def test_a_chart_too_large_is_refused(tmp_path: Path) -> None:
    """More bytes or files than a chart has are not written to the disk."""
    tree = Tree({"web/a": b"123456", "web/b": b"12345"})
    unpack(tree, "web", tmp_path / "just", most_bytes=11, most_files=2)
    with pytest.raises(TagsweepError, match="larger than a chart is"):
        unpack(tree, "web", tmp_path / "bytes", most_bytes=10)
    with pytest.raises(TagsweepError, match="larger than a chart is"):
        unpack(tree, "web", tmp_path / "files", most_files=1)


def test_local_dependencies_that_go_round_come_to_an_end(tmp_path: Path) -> None:
    """Charts that need each other are copied a few levels deep, and one that leads out of the tree is not followed."""
    needs = "name: {0}\ndependencies: [{{name: {1}, repository: 'file://../{1}'}}, {{name: x, repository: 'file://../..'}}]\n"
    files = {"a/Chart.yaml": needs.format("a", "b").encode(), "b/Chart.yaml": needs.format("b", "a").encode()}
    tree = Tree(files)
    assert list(local_charts("a", tree))[:2] == ["b", "a"]
    unpack(tree, "a", tmp_path / "chart")
    assert {"Chart.yaml", "charts/b/Chart.yaml", "charts/b/charts/a/Chart.yaml"} <= set(written(tmp_path / "chart"))


def test_libraries_and_charts_within_others_are_not_rendered_alone() -> None:
    """A library cannot be installed, and a chart in another's charts/ is rendered with that one."""
    files = {"web/Chart.yaml": b"name: web\n", "web/charts/db/Chart.yaml": b"name: db\n"}
    tree = Tree(files | {"charts/own/Chart.yaml": b"name: own\n", "lib/Chart.yaml": b"type: library\n"})
    assert is_installable("web", tree)
    assert is_installable("charts/own", tree)
    assert not is_installable("web/charts/db", tree)
    assert not is_installable("lib", tree)


def test_the_bytes_of_a_file_are_not_reached_over_a_link(tmp_path: Path) -> None:
    """A file is handed to helm only if it and the directories above it are no links, and within the size."""
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "root" / "up").symlink_to(tmp_path)
    (tmp_path / "root" / "file").write_bytes(b"12345")
    tree = DirectoryTree(tmp_path / "root", 100)
    assert tree.data("file", 5) == b"12345"
    assert tree.data("file", 4) is None
    assert tree.data("link", 100) is None
    assert tree.data("up/secret", 100) is None


@pytest.mark.parametrize("source", [FilesSource, GitSource])
def test_the_option_takes_three_words(source: type[FilesSource | GitSource], tmp_path: Path) -> None:
    """Anything but auto, require and off is refused with these words."""
    kind = "git" if source is GitSource else "files"
    settings = source_settings(kind, path=".", helm="yes")
    with pytest.raises(ConfigurationError, match="helm is not one of auto, require, off"):
        source.configure(settings, context=source_context(tmp_path))


def test_without_a_helm_nothing_changes_unless_it_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a PATH without helm, or with one named relatively, charts are only read; with require that is a gap."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "Chart.yaml").write_text("name: web\nversion: 1.0.0\n")
    program = tmp_path / "tree" / "helm"
    program.write_text("#!/bin/sh\ntouch ran\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path / "tree")
    monkeypatch.setenv("PATH", ".")
    reports = {
        word: FilesSource.configure(
            source_settings("files", path="tree", helm=word), context=source_context(tmp_path)
        ).collect(NOW)
        for word in ("auto", "off", "require")
    }
    assert reports["auto"] == reports["off"]
    assert reports["require"].coverage.gaps == (
        (
            "there is no helm program on the PATH; no chart is rendered: correct that, "
            "or write helm: auto to have charts only read"
        ),
    )
    assert not (tmp_path / "tree" / "ran").exists()
