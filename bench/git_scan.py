"""How fast a repository of 20,000 files and 50 branches is read, beside git grep and beside reading branch by branch.

    python bench/git_scan.py [FILES [BRANCHES]]

The repository is made with git fast-import: Compose files, Kubernetes manifests, Dockerfiles, scripts, sources and
documentation; each branch changes one file in a hundred. All ways run in the same process over the same repository.
``git grep`` over each branch is what a script would do: it finds lines and understands none, in compiled code.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tagsweep.sources.git import GitSource
from tagsweep.sources.harvest import Harvest
from tagsweep.sources.pathglobs import PathGlobs
from tagsweep.sources.repository.local import LocalRepository
from tagsweep.sources.repository.objects import Objects
from tagsweep.sources.repository.revisions import Revision, Revisions
from tagsweep.sources.repository.scanning import Contents, Scanner
from tagsweep.sources.repository.trees import Entry, Store
from tagsweep.sources.syntaxes.scan import all_syntaxes
from tagsweep.testing.harness import Quiet
from tagsweep.testing.source_suite import source_context, source_settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALONE = 3
WORDS = (
    "the",
    "service",
    "reads",
    "its",
    "configuration",
    "and",
    "answers",
    "requests",
    "until",
    "it",
    "is",
    "stopped",
)


def body(number: int, salt: int) -> tuple[str, str]:
    """Return path and text of a file: three in ten are of a kind that names images."""
    name = f"team-{number % 40}/part-{number % 400}"
    filling = f"{number}\n" + "\n".join(
        " ".join(WORDS[(number + line + at) % len(WORDS)] for at in range(9)) for line in range(40)
    )
    image = f"registry.example/team-{number % 40}/app-{number % 997}:v{salt}"
    match number % 10:
        case 0:
            text = f"services:\n  api:\n    image: {image}\n    environment:\n      A: b{number}\n"
            return f"{name}/{number}/compose.yaml", text
        case 1:
            text = (
                f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a{number}}}\nspec:\n  template:\n    spec:\n"
                f"      containers:\n      - name: api\n        image: {image}\n"
            )
            return f"{name}/{number}.yaml", text
        case 2:
            return f"{name}/{number}/Dockerfile", f"FROM {image} AS build\nRUN make all-{number}\nFROM debian:12\n"
        case 3:
            return f"{name}/{number}.md", f"# Part {number}\n\n{filling}\n{salt}\n"
        case 4:
            return f"{name}/{number}.sh", f"#!/bin/sh\n# {salt} {number}\nset -eu\n" + 'echo "$1"\n' * 30
        case _:
            code = "\n".join(f"def f{line}(x: int) -> int:\n    return x + {line + salt}" for line in range(40))
            return f"{name}/{number}.py", f'"""{filling}"""\n{code}\n'


def stream(files: int, branches: int) -> Iterator[bytes]:
    """Yield what fast-import reads: a common beginning, and a commit on each branch that changes one in a hundred."""
    for branch in range(branches):
        mark = b"" if branch else b"mark :1\n"
        yield b"commit refs/heads/branch-%d\n%scommitter B <b@example.org> 1700000000 +0000\ndata 1\nx\n" % (
            branch,
            mark,
        )
        if branch:
            yield b"from :1\n"
        for number in range(files):
            if branch and (number * 7 + branch) % 100:
                continue
            path, text = body(number, branch)
            data = text.encode()
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def build(path: Path, files: int, branches: int) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=branch-0", path], check=True)
    with subprocess.Popen(["git", "-C", path, "fast-import", "--quiet"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for chunk in stream(files, branches):
            process.stdin.write(chunk)
        process.stdin.close()
    subprocess.run(["git", "-C", path, "repack", "-adq"], check=True)


def distinct(path: Path) -> int:
    """Return how many different contents the branches have together, by git's own count."""
    listing = subprocess.run(
        ["git", "-C", path, "rev-list", "--objects", "--no-object-names", "--branches"], check=True, capture_output=True
    ).stdout
    kinds = subprocess.run(
        ["git", "-C", path, "cat-file", "--batch-check=%(objecttype)"], input=listing, check=True, capture_output=True
    )
    return kinds.stdout.split().count(b"blob")


def counted(path: Path) -> tuple[int, int, int, float, float]:
    """Return files, contents read and references, and the seconds for finding the files and for all."""
    begin = time.perf_counter()
    with ExitStack() as opened:
        local = LocalRepository.open(path, timeout=600)
        store = Store(opened.enter_context(Objects(local.git)), url="", local=True)
        refs = [ref for ref in local.refs()[0] if ref.name != "HEAD"]
        roots = [(ref.label, store.root(ref.target)) for ref in refs]
        found = [Revision(store, root.id, (name,)) for name, root in roots if isinstance(root, Entry)]
        revisions = Revisions(found, PathGlobs(), None)
        revisions.walk()
        walked = time.perf_counter() - begin
        contents, harvest = Contents(limit=8 * 1024 * 1024), Harvest("git/bench")
        Scanner(revisions=revisions, contents=contents, harvest=harvest, where="bench").run(Quiet())
        usages = len(harvest.report(taken_at=NOW).usages)
    return harvest.files, contents.reads, usages, walked, time.perf_counter() - begin


def grep(path: Path, branches: int) -> float:
    begin = time.perf_counter()
    for branch in range(branches):
        subprocess.run(
            ["git", "-C", path, "grep", "-I", "-n", "-E", "image|FROM|docker|:v[0-9]", f"branch-{branch}"],
            check=False,
            stdout=subprocess.DEVNULL,
        )
    return time.perf_counter() - begin


def alone(path: Path, branches: int) -> float:
    """Return the seconds for reading so many branches one after the other, with nothing shared between them."""
    begin = time.perf_counter()
    for branch in range(branches):
        settings = source_settings("git", path=str(path), refs=[f"branch-{branch}"])
        report = GitSource.configure(settings, context=source_context()).collect(NOW)
        assert report.coverage.complete, report.coverage.gaps
    return time.perf_counter() - begin


def main() -> None:
    files, branches = (int(text) for text in (sys.argv[1:] + ["20000", "50"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bench.git"
        build(path, files, branches)
        expected = distinct(path)
        names = len(all_syntaxes())
        read, reads, usages, walked, seconds = counted(path)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{files:,} files on {branches} branches; {names} syntaxes; {os.cpu_count()} processors")
        print(f"  paths and contents    {read:>12,}")
        print(f"  distinct contents     {expected:>12,}   by git")
        print(f"  contents read         {reads:>12,}   {reads / expected:.3f} of them")
        print(f"  references            {usages:>12,}")
        print(f"  finding the files     {walked:>12.1f} s")
        print(f"  all                   {seconds:>12.1f} s   {read / seconds:,.0f} distinct files a second")
        print(f"  most memory           {peak:>12.0f} MiB")
        one_by_one = alone(path, min(ALONE, branches)) / min(ALONE, branches) * branches
        print(f"  branch by branch      {one_by_one:>12.1f} s   {one_by_one / seconds:.1f} times as long", end="")
        print(f" ({ALONE} branches measured, times {branches / ALONE:.1f})")
        grepped = grep(path, branches)
        print(f"  git grep each branch  {grepped:>12.1f} s   {grepped / seconds:.1f} times as long")
        assert reads == expected


if __name__ == "__main__":
    main()
