"""The files of a plain directory: what is read, what is left out, and what is a gap."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagsweep.model.errors import ConfigurationError
from tagsweep.model.usage import UsageReport
from tagsweep.sources.files import DirectoryTree, FilesSource
from tagsweep.testing.source_suite import source_context, source_settings
from tests.unit.sources.gitkit import LINES, NOW, found


def collect(base: Path, **options: object) -> UsageReport:
    """Read ``base``/tree with the syntax of the tests."""
    settings = source_settings("files", **({"path": "tree"} | options))
    made = FilesSource.configure(settings, context=source_context(base))
    values = {field: getattr(made, field) for field in FilesSource.__slots__}
    return FilesSource(**values | {"syntaxes": (LINES,)}).collect(NOW)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def write(root: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_every_file_is_read_and_told_with_its_path_and_line(tree: Path) -> None:
    """Files at any depth are read, hidden ones as well, and neighbours by their relative path."""
    write(tree, a_lines="image acme/a:1\n", x__y__b_lines="#\nwith ../v_env\n", _github__c_lines="count x\n")
    (tree / "x" / "v_env").write_text("7")
    report = collect(tree.parent)
    assert found(report) == [
        ("acme/a:1", "test:a.lines:1, line"),
        ("acme/count:2", "test:.github/c.lines:1"),
        ("acme/with:7", "test:x/y/b.lines:2"),
    ]
    assert report.coverage.complete
    assert report.examined == 4
    assert report.unit == f"files in {tree}"


def test_what_is_left_out_is_counted(tree: Path) -> None:
    """Links, git's own directory, pipes and sockets, binary files: none is read, all are counted."""
    write(tree, a_lines="image acme/a:1\n", _git__x_lines="image acme/git:1\n", logo_png=b"\0\1")
    (tree / "link.lines").symlink_to(tree / "a.lines")
    (tree / "loop").symlink_to(tree)
    os.mkfifo(tree / "pipe.lines")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tree / "socket.lines"))
    report = collect(tree.parent)
    assert [name for name, _ in found(report)] == ["acme/a:1"]
    assert report.unit.endswith("(1 binary, 2 links, 2 no regular files, 1 of git's own not read)")
    assert report.coverage.complete


def test_hidden_files_can_be_left_out(tree: Path) -> None:
    """``hidden: false`` leaves out what begins with a dot, and says so."""
    write(tree, a_lines="image acme/a:1\n", _b_lines="image acme/b:1\n", _c__d_lines="image acme/d:1\n")
    report = collect(tree.parent, hidden=False)
    assert [name for name, _ in found(report)] == ["acme/a:1"]
    assert "2 hidden" in report.unit


def test_include_and_exclude(tree: Path) -> None:
    """Globs choose files; an include that matches nothing is a gap."""
    write(tree, a_lines="image acme/a:1\n", x__b_lines="image acme/b:1\n", y__c_lines="image acme/c:1\n")
    assert [name for name, _ in found(collect(tree.parent, exclude=["x"]))] == ["acme/a:1", "acme/c:1"]
    assert [name for name, _ in found(collect(tree.parent, include=["x/**"]))] == ["acme/b:1"]
    assert not collect(tree.parent, include=["x", "z/**"]).coverage.complete


def test_large_files(tree: Path) -> None:
    """A file over the limit is a gap under a name that a syntax reads, and is counted otherwise."""
    big = "# filling\n" * 150_000 + "image acme/big:1\n"
    write(tree, a_lines="image acme/a:1\n", dump_sql=big)
    report = collect(tree.parent, largest_mib=1)
    assert report.coverage.complete
    assert "1 over the limit of size" in report.unit
    write(tree, big_lines=big)
    report = collect(tree.parent, largest_mib=1)
    assert [name for name, _ in found(report)] == ["acme/a:1"]
    assert "largest_mib" in report.coverage.gaps[0]
    assert found(collect(tree.parent)) == [
        ("acme/a:1", "test:a.lines:1, line"),
        ("acme/big:1", "test:big.lines:150001, line"),
        ("acme/big:1", "test:dump.sql:150001"),
    ]


def test_names_that_are_no_text_and_odd_encodings(tree: Path) -> None:
    """File names with any bytes are read and can be printed; UTF-16 and Latin-1 are read."""
    (tree / os.fsdecode(b"\xff\n\x1b.lines")).write_bytes("image acme/a:1\n".encode("utf-16"))
    (tree / "b.lines").write_bytes("# é\r\nimage acme/b:1\r\n".encode("latin-1"))
    report = collect(tree.parent)
    assert found(report) == [
        ("acme/a:1", "test:\\xff\\n\\x1b.lines:1, line"),
        ("acme/b:1", "test:b.lines:2, line"),
    ]
    repr(report).encode("utf-8")


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_path_that_is_no_directory_is_a_gap(tmp_path: Path, kind: str) -> None:
    """What cannot be listed is never an empty complete answer."""
    if kind == "file":
        (tmp_path / "tree").touch()
    report = collect(tmp_path)
    assert not report.coverage.complete
    assert "path must name" in report.coverage.gaps[0]


def test_what_may_not_be_read_is_a_gap() -> None:
    """A file and a directory without the right to read are gaps that name them; the rest is read."""
    with tempfile.TemporaryDirectory() as name, nobody(Path(name)):
        tree = Path(name) / "tree"
        tree.mkdir()
        write(tree, a_lines="image acme/a:1\n", x__b_lines="image acme/b:1\n", c_lines="image acme/c:1\n")
        (tree / "a.lines").chmod(0)
        (tree / "x").chmod(0)
        report = collect(tree.parent)
        (tree / "x").chmod(0o700)
    assert [name for name, _ in found(report)] == ["acme/c:1"]
    assert len(report.coverage.gaps) == 2
    assert "the directory" in report.coverage.gaps[0]
    assert report.coverage.gaps[1].startswith("test:a.lines cannot be read: Permission denied")


@contextlib.contextmanager
def nobody(place: Path) -> Iterator[None]:
    """Be a user without rights outside of ``place`` for a while: the administrator may read everything."""
    before = os.geteuid()
    if before == 0:
        place.chmod(0o777)
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_that_goes_away_is_a_gap(tree: Path) -> None:
    """What was listed and cannot be opened any more is told and not taken for empty."""
    neighbours = DirectoryTree(tree, 1000)
    assert "No such file" in getattr(neighbours.content("gone.lines"), "detail", "")


def test_neighbours_stay_within_the_directory_and_follow_no_link(tree: Path) -> None:
    """No path and no link leads a syntax out of the directory or to a device."""
    (tree.parent / "secret").write_text("9")
    (tree / "out").symlink_to(tree.parent)
    (tree / "file").symlink_to(tree.parent / "secret")
    write(tree, a_lines="with ../secret\nwith out/secret\nwith file\nwith /etc/passwd\nwith x//y\n")
    assert {name for name, _ in found(collect(tree.parent))} == {"acme/with:nothing"}
    neighbours = DirectoryTree(tree, 1000)
    for path in ("../secret", "out/secret", "file", "/etc/passwd", "", ".", "x//y", "a.lines/x"):
        assert neighbours.read(path) is None


def test_a_neighbour_that_is_too_large_is_a_gap(tree: Path) -> None:
    """A file that another one needs and that is not read makes the coverage partial."""
    write(tree, a_lines="with v.txt\n")
    (tree / "v.txt").write_text("x" * 1_100_000)
    (gap,) = collect(tree.parent, largest_mib=1).coverage.gaps
    assert "v.txt" in gap


@pytest.mark.parametrize("options", [{"path": None}, {"hidden": "yes"}, {"exclude": []}, {"glob": "x"}, {"path": ""}])
def test_wrong_options_are_told(options: dict[str, object]) -> None:
    """A missing, malformed or unknown option is a configuration error that names the source."""
    settings = source_settings("files", **({"path": "tree"} | options))
    with pytest.raises(ConfigurationError, match="files/test"):
        FilesSource.configure(settings, context=source_context())


def test_a_pdf_is_binary(tree: Path) -> None:
    """The packed text of a PDF has no zero byte at times, and what looks like an image in it is none."""
    (tree / "page.pdf").write_bytes(b"%PDF-1.4\nGb0 Ws3af/8:1cCb4 acme/api:1\n")
    report = FilesSource.configure(source_settings("files", path=str(tree)), context=source_context()).collect(NOW)
    assert report.usages == ()
    assert "1 binary" in report.unit
