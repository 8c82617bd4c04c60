"""Each content is read once over all branches and paths, and an answer is used again only where it holds."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.sources.harvest import Harvest
from tagsweep.sources.pathglobs import PathGlobs
from tagsweep.sources.repository.local import LocalRepository
from tagsweep.sources.repository.objects import Objects
from tagsweep.sources.repository.revisions import Revision, Revisions
from tagsweep.sources.repository.scanning import Contents, Scanner
from tagsweep.sources.repository.trees import Entry, Store
from tagsweep.testing.harness import Quiet
from tests.unit.sources.gitkit import LINES, LINK, NOW, Content, Repo, collect, found

pytestmark = pytest.mark.usefixtures("git_home")


def test_each_content_is_read_once_whatever_branches_and_paths_have_it(tmp_path: Path) -> None:
    """Over twenty branches and copies of files, git is asked for each distinct content and directory once."""
    repo = Repo.create(tmp_path / "deploy")
    common = {f"d{number % 3}/{number}.lines": f"image acme/api:{number % 7}\n" for number in range(30)}
    for number in range(20):
        repo.commit({**common, "own.lines": f"image acme/own:{number}\n"}, on=f"branch-{number}")
    listing = repo.git("rev-list", "--objects", "--all", "--no-object-names")
    kinds = repo.git("cat-file", "--batch-check=%(objecttype)", given=listing.encode()).split()
    with ExitStack() as opened:
        local = LocalRepository.open(repo.path, timeout=60)
        objects = opened.enter_context(Objects(local.git))
        store = Store(objects, url="", local=True)
        roots = [store.root(ref.target) for ref in local.refs()[0] if ref.name != "HEAD"]
        revisions = Revisions(
            [Revision(store, root.id, (str(number),)) for number, root in enumerate(roots) if isinstance(root, Entry)],
            PathGlobs(),
            None,
        )
        revisions.walk()
        contents = Contents(limit=1_000_000)
        harvest = Harvest("git/test", (LINES,))
        Scanner(revisions=revisions, contents=contents, harvest=harvest, where="x", syntaxes=(LINES,)).run(Quiet())
        assert contents.reads == kinds.count("blob")
        assert objects.reads == len(roots) + kinds.count("tree") + kinds.count("blob")
    assert len({str(usage.reference) for usage in harvest.report(taken_at=NOW).usages}) == 27


def test_a_neighbour_that_differs_gives_another_answer(tmp_path: Path) -> None:
    """The same file beside another neighbour is read again for that branch, and only for branches that differ."""
    repo = Repo.create(tmp_path / "deploy")
    for branch, value in (("main", "1"), ("b", "1"), ("c", "2"), ("d", None)):
        files = {"x/a.lines": "with v.env\n", "other": branch}
        repo.commit(files if value is None else files | {"x/v.env": value}, on=branch)
    report = collect(tmp_path, path="deploy")
    assert found(report) == [
        ("acme/with:1", "test main, b:x/a.lines:1"),
        ("acme/with:2", "test c:x/a.lines:1"),
        ("acme/with:nothing", "test d:x/a.lines:1"),
    ]


def test_a_listing_that_differs_gives_another_answer(tmp_path: Path) -> None:
    """A file that looks at the names in a directory is read again where the names differ, not where contents do."""
    repo = Repo.create(tmp_path / "deploy")
    repo.commit({"a.lines": "count .\ncount x\n", "x/1": "1", "x/y/2": "2"})
    repo.commit({"a.lines": "count .\ncount x\n", "x/1": "changed", "x/y/2": "2"}, on="same")
    repo.commit({"a.lines": "count .\ncount x\n", "x/1": "1", "x/3": "3", "x/y/2": "2"}, on="more")
    repo.commit({"a.lines": "count .\ncount x\n", "z": "1"}, on="none")
    assert found(collect(tmp_path, path="deploy")) == [
        ("acme/count:0", "test none:a.lines:2"),
        ("acme/count:2", "test main, same:a.lines:2"),
        ("acme/count:2", "test none:a.lines:1"),
        ("acme/count:3", "test main, same:a.lines:1"),
        ("acme/count:3", "test more:a.lines:2"),
        ("acme/count:4", "test more:a.lines:1"),
    ]


def test_neighbours_cannot_be_outside_or_links_or_pointers(tmp_path: Path) -> None:
    """A neighbour is a file of the same revision; a link is none, and one in Git LFS is a gap."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 1\n"
    repo = Repo.create(tmp_path / "deploy")
    link: dict[str, Content] = {"link": (LINK, "a.lines")}
    repo.commit({"a.lines": "with ../../etc/passwd\nwith link\nwith /etc/passwd\n", **link})
    report = collect(tmp_path, path="deploy")
    assert {name for name, _ in found(report)} == {"acme/with:nothing"}
    assert report.coverage.complete
    repo.commit({"a.lines": "with v.bin\n", "v.bin": pointer})
    (gap,) = collect(tmp_path, path="deploy").coverage.gaps
    assert "v.bin" in gap


_NAMES = st.sampled_from(["a.lines", "b.lines", "x/a.lines", "x/v.env", "x/y/b.lines", "v.env", "n"])
_TEXTS = st.sampled_from(["image acme/a:1\n", "image acme/b:2\nwith v.env\n", "with ../v.env\n", "count .\n", "7", "8"])
_TREES = st.lists(st.dictionaries(_NAMES, _TEXTS, max_size=6), min_size=1, max_size=4)


@settings(max_examples=12, deadline=None)
@given(trees=_TREES)
def test_all_branches_together_give_what_each_gives_alone(
    trees: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever branches share, reading them together finds exactly what reading them one by one finds."""
    base = tmp_path_factory.mktemp("reuse")
    repo = Repo.create(base / "deploy")
    for number, files in enumerate(trees):
        repo.commit(files, on=f"b{number}")
    together = collect(base, path="deploy")
    expected = set()
    for number in range(len(trees)):
        alone = collect(base, path="deploy", refs=[f"b{number}"])
        expected |= {(name, where.partition(":")[2]) for name, where in found(alone)}
        for name, where in found(alone):
            spot = where.partition(":")[2]
            assert any(
                name == other and spot == place.partition(":")[2] and _has(place, f"b{number}")
                for other, place in found(together)
            )
    assert {(name, where.partition(":")[2]) for name, where in found(together)} == expected
    assert together.coverage.complete


def _has(place: str, branch: str) -> bool:
    refs = place.removeprefix("test ").partition(":")[0]
    return "more" in refs or branch in refs.split(", ")


def test_directories_nested_deeper_than_calls_are_compared(tmp_path: Path) -> None:
    """A syntax that looks at all paths gets its answer on every branch, however deep directories are nested."""
    repo = Repo.create(tmp_path / "deploy")
    deep = "/".join("d" for _ in range(1200))
    repo.commit({"a.lines": "count .\n", f"{deep}/x": "1"})
    repo.commit({"a.lines": "count .\n", f"{deep}/x": "1", f"{deep}/y": "2"}, on="other")
    report = collect(tmp_path, path="deploy")
    assert [reference for reference, _ in found(report)] == ["acme/count:2", "acme/count:3"]
    assert report.coverage.complete, report.coverage.gaps
