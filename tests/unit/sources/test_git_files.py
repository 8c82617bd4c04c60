"""Every kind of file that a repository can hold: what is read, what is left out, and what is a gap."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sources.gitkit import LINK, PROGRAM, Repo, collect, found

pytestmark = pytest.mark.usefixtures("git_home")
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.create(tmp_path / "deploy")


def test_executable_files_are_read_and_links_are_not(repo: Repo, tmp_path: Path) -> None:
    """An executable file is a file; a link is counted and not followed, wherever it leads."""
    repo.commit(
        {"run.lines": (PROGRAM, "image acme/run:1\n"), "a.lines": (LINK, "run.lines"), "b.lines": (LINK, "/etc/passwd")}
    )
    report = collect(tmp_path, path="deploy")
    assert [name for name, _ in found(report)] == ["acme/run:1"]
    assert report.unit == "file on 1 branch (2 links not read)"
    assert report.coverage.complete


def test_names_of_every_kind_are_read_and_told_on_one_line(repo: Repo, tmp_path: Path) -> None:
    """Line feeds, quotes, escapes, bytes that are no UTF-8, very long names: each file is read and can be printed."""
    names = [b"line\nfeed.lines", b"quo\"te's.lines", b"\x1b[31m.lines", b"\xff\xfe.lines", "Ünïcode 名.lines".encode()]
    names += [b"d" * 250 + b"/" + b"e" * 240 + b".lines", b"-n.lines", b"\\xff.lines", b"spaces  in it.lines"]
    repo.commit({name: f"image acme/api:{number}\n" for number, name in enumerate(names)})
    report = collect(tmp_path, path="deploy")
    assert sorted(name for name, _ in found(report)) == [f"acme/api:{number}" for number in range(len(names))]
    assert all(where.isprintable() for _, where in found(report))
    repr(report).encode("utf-8")
    assert "test main:line\\nfeed.lines:1, line" in {where for _, where in found(report)}
    assert report.coverage.complete


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_encodings(repo: Repo, tmp_path: Path, encoding: str) -> None:
    """UTF-8 with and without mark, UTF-16 and UTF-32 with their mark, and Latin-1 are read."""
    mark = "\ufeff" if encoding in {"utf-16-le", "utf-16-be"} else ""
    repo.commit({"a.lines": f"{mark}# Grüße\r\nimage acme/api:1\r\n".encode(encoding)})
    report = collect(tmp_path, path="deploy")
    assert found(report) == [("acme/api:1", "test main:a.lines:2, line")]
    assert report.coverage.complete


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(repo: Repo, tmp_path: Path, end: str) -> None:
    """Lines have the same numbers whichever way they end."""
    repo.commit({"a.lines": f"#{end}#{end}image acme/api:1{end}"})
    assert found(collect(tmp_path, path="deploy")) == [("acme/api:1", "test main:a.lines:3, line")]


def test_binary_files_are_left_out_unless_their_name_is_one_to_be_read(repo: Repo, tmp_path: Path) -> None:
    """A picture is counted; bytes of no text under a name that a syntax reads are a gap with its remedy."""
    repo.commit({"logo.png": b"\x89PNG\0\0", "ok.lines": b"image acme/api:1\n"})
    report = collect(tmp_path, path="deploy")
    assert report.coverage.complete
    assert report.unit == "files on 1 branch (1 binary not read)"
    repo.commit({"bad.lines": b"image acme\0\n"})
    (gap,) = collect(tmp_path, path="deploy").coverage.gaps
    assert gap.startswith("test main:bad.lines cannot be read")
    assert "exclude" in gap


def test_lfs_pointers(repo: Repo, tmp_path: Path) -> None:
    """A pointer instead of a film is left out; one instead of a file that a syntax reads is a gap with its remedy."""
    repo.commit({"film.mp4": POINTER, "ok.lines": "image acme/api:1\n"})
    report = collect(tmp_path, path="deploy")
    assert report.coverage.complete
    assert report.unit == "files on 1 branch (1 in Git LFS not read)"
    repo.commit({"deploy.lines": POINTER})
    (gap,) = collect(tmp_path, path="deploy").coverage.gaps
    assert "deploy.lines" in gap
    assert "LFS" in gap


def test_files_of_ten_megabytes(repo: Repo, tmp_path: Path) -> None:
    """A file over the limit is left out, and is a gap under a name that a syntax reads; the policy can raise it."""
    big = "# filling\n" * 1_000_000 + "image acme/big:1\n"
    repo.commit({"dump.sql": big, "a.lines": "image acme/api:1\n"})
    report = collect(tmp_path, path="deploy")
    assert report.coverage.complete
    assert report.unit == "files on 1 branch (1 over the limit of size not read)"
    repo.commit({"big.lines": big, "zz.lines": "image acme/after:1\n"})
    report = collect(tmp_path, path="deploy")
    assert [name for name, _ in found(report)] == ["acme/after:1"]
    (gap,) = report.coverage.gaps
    assert "largest_mib" in gap
    report = collect(tmp_path, path="deploy", largest_mib=16)
    assert found(report)[1] == ("acme/big:1", "test main:big.lines:1000001, line")
    assert report.coverage.complete


def test_include_and_exclude(repo: Repo, tmp_path: Path) -> None:
    """Globs choose files: by name anywhere, by path, a directory with all below it; exclude wins."""
    names = ["a.lines", "docs/b.lines", "docs/deep/c.lines", "prod/d.lines", "prod/old/e.lines"]
    repo.commit({name: f"image acme/{name.split('/')[-1][0]}:1\n" for name in names})

    def read(**options: object) -> str:
        report = collect(tmp_path, path="deploy", **options)
        assert report.coverage.complete
        return "".join(name[5] for name, _ in found(report))

    assert read(exclude=["docs"]) == "ade"
    assert read(exclude=["docs/"]) == "ade"
    assert read(exclude=["docs/*.lines"]) == "acde"
    assert read(exclude=["**/c.lines", "prod/old"]) == "abd"
    assert read(include=["prod/**"]) == "de"
    assert read(include=["prod", "a.lines"], exclude=["e.lines"]) == "ad"
    gaps = collect(tmp_path, path="deploy", include=["prod", "produ/**"]).coverage.gaps
    assert len(gaps) == 1
    assert "produ/**" in gaps[0]


def test_what_a_syntax_cannot_read_is_a_gap_and_read_as_plain_text(repo: Repo, tmp_path: Path) -> None:
    """A file that is claimed and malformed is a gap; what has the full shape of a reference is found all the same.
    One that says nothing about images is neither.
    """
    repo.commit({"a.lines": "broken image: registry.example/acme/api:1.2\n", "b.lines": "broken\n"})
    report = collect(tmp_path, path="deploy")
    assert found(report) == [("registry.example/acme/api:1.2", "test main:a.lines:1")]
    (gap,) = report.coverage.gaps
    assert gap.startswith("test main:a.lines cannot be read as lines: it says so")


def test_files_that_no_syntax_claims_are_read_as_plain_text(repo: Repo, tmp_path: Path) -> None:
    """A reference in any text is found."""
    repo.commit({"notes": "we run registry.example/acme/api:1.2 there\n"})
    assert found(collect(tmp_path, path="deploy")) == [("registry.example/acme/api:1.2", "test main:notes:1")]


def test_many_gaps_are_cut_with_their_number(repo: Repo, tmp_path: Path) -> None:
    """Hundreds of unreadable files do not flood the report, and their number is told."""
    repo.commit({f"{number:03}.lines": b"image\0" + bytes([65 + number % 26]) for number in range(120)})
    gaps = collect(tmp_path, path="deploy").coverage.gaps
    assert len(gaps) == 51
    assert gaps[-1].startswith("70 more")
