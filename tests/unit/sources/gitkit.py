"""Real git repositories for tests, made with the git program, and sources that read them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from tagsweep.model.usage import UsageReport
from tagsweep.sources.git import GitSource
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.testing.source_suite import source_context, source_settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILE, PROGRAM, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
Content: TypeAlias = str | bytes | tuple[str, str | bytes]
Files: TypeAlias = Mapping[str, Content] | Mapping[bytes, Content]


def isolated(home: Path) -> dict[str, str]:
    """Return the environment in which git knows no settings but those in ``home``."""
    home.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    names = {f"GIT_{who}_{what}": f"{who}@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return kept | names | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": str(home), "LC_ALL": "C"}


@dataclass(frozen=True)
class Repo:
    """A repository at ``path``; every commit is the whole tree that it is given."""

    path: Path
    environment: Mapping[str, str]

    @classmethod
    def create(cls, path: Path, *, object_format: str = "sha1", bare: bool = True) -> Repo:
        environment = isolated(path.parent / "home")
        arguments = ["init", "--quiet", "--initial-branch=main", f"--object-format={object_format}"]
        subprocess.run(["git", *arguments, *(["--bare"] if bare else []), path], check=True, env=environment)
        return cls(path, environment)

    def git(self, *arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", "-C", self.path, *arguments], input=given, capture_output=True, check=False, env=self.environment
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def commit(self, files: Files, *, on: str = "main", merge: Sequence[str] = ()) -> str:
        """Commit ``files`` on a branch, also as a merge of other branches; return the commit's id."""
        ref = on if on.startswith("refs/") else f"refs/heads/{on}"
        known = subprocess.run(
            ["git", "-C", self.path, "rev-parse", "-q", "--verify", ref],
            capture_output=True,
            check=False,
            env=self.environment,
        )
        lines = [b"commit %s" % ref.encode(), b"committer T <t@example.org> 1700000000 +0000", b"data 1\nx"]
        lines += [b"from %s" % known.stdout.strip()] if known.returncode == 0 else []
        lines += [b"merge refs/heads/%s" % branch.encode() for branch in merge]
        lines += [b"deleteall"]
        for path, content in files.items():
            mode, body = content if isinstance(content, tuple) else (FILE, content)
            name = quoted(path if isinstance(path, bytes) else path.encode())
            data = body if isinstance(body, bytes) else body.encode()
            if mode == SUBMODULE:
                lines.append(b"M 160000 %s %s" % (data, name))
            else:
                lines.append(b"M %s inline %s\ndata %d\n%s" % (mode.encode(), name, len(data), data))
        self.git("fast-import", "--quiet", "--force", given=b"\n".join(lines) + b"\n")
        return self.git("rev-parse", ref)


def quoted(path: bytes) -> bytes:
    """Return a path as fast-import reads any bytes in it."""
    return (
        b'"'
        + b"".join(b"\\%03o" % byte if byte < 33 or byte > 126 or byte in b'"\\' else bytes([byte]) for byte in path)
        + b'"'
    )


def claims_lines(file: File) -> bool:
    return file.name.endswith(".lines")


def extract_lines(file: File) -> Iterator[Finding]:
    """Read ``image NAME``; ``with FILE`` has its tag in another file, ``count DIR`` tells how many files are there."""
    for number, line in enumerate(file.text.splitlines(), start=1):
        word, _, rest = line.partition(" ")
        if word == "image":
            yield from read_image(rest, line=number, at="line")
        elif word == "with":
            yield from read_image(f"acme/with:{(file.read_beside(rest) or 'nothing').strip()}", line=number)
        elif word == "count":
            yield from read_image(f"acme/count:{len(file.tree.paths(rest.strip('.')))}", line=number)
        elif word == "broken":
            raise NotParsed("it says so, and names an image")


LINES = Syntax("lines", claims_lines, extract_lines)


def source(base: Path, *, cache: str | Path = "", name: str = "test", **options: object) -> GitSource:
    """Return a source that reads with the syntax of this file."""
    settings = source_settings("git", **options)
    made = GitSource.configure(settings, context=source_context(base, cache=cache))
    return GitSource(
        **{field: getattr(made, field) for field in GitSource.__slots__} | {"syntaxes": (LINES,), "name": f"git/{name}"}
    )


def collect(base: Path, **options: object) -> UsageReport:
    return source(base, **options).collect(NOW)  # type: ignore[arg-type]  # options are whatever a test gives


def found(report: UsageReport) -> list[tuple[str, str]]:
    """Return what a report has in use and where, sorted."""
    return sorted((str(usage.reference).removeprefix("docker.io/"), usage.where) for usage in report.usages)
