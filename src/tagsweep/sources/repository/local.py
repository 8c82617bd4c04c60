"""A repository of the user's on this machine: bare, with a working tree, or a linked one. Nothing is written to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tagsweep.model.errors import TagsweepError
from tagsweep.sources.pathglobs import shown
from tagsweep.sources.repository.program import Git, lines_of, said
from tagsweep.sources.repository.refs import HEAD, Ref

_BROKEN: Final = re.compile(
    r"^warning: ignoring (?:broken ref|dangling symref|ref with broken name) (.+)$", re.MULTILINE
)
_REMEDY: Final = (
    "path must name a directory that has .git, or a bare repository; the source kind files reads plain directories"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRepository:
    """An opened repository. ``common`` is the git directory that all its working trees share."""

    path: Path
    git: Git
    common: Path

    @classmethod
    def open(cls, path: Path, *, timeout: float) -> Self:
        """Return the repository that is exactly at ``path`` and not around it, or raise TagsweepError."""
        if not path.is_dir():
            raise TagsweepError(f"{path} does not exist or is not a directory", remedy=_REMEDY)
        root = path.resolve()
        # A bare repository is its own git directory; elsewhere it is .git, or the file .git says where it is.
        candidate = root / ".git" if (root / ".git").exists() else root
        git = Git(timeout=timeout, directory=str(candidate), local=True)
        code, out, err = git.ask("rev-parse", "--absolute-git-dir", "--git-common-dir", what=f"open {path}")
        lines = out.decode("utf-8", "surrogateescape").splitlines()
        if code != 0 or len(lines) != 2:  # noqa: PLR2004 - one line for each question
            raise TagsweepError(f"{path} is not a git repository that can be read: {said(err)}", remedy=_REMEDY)
        directory = Path(lines[0])
        common = (Path.cwd() / lines[1]).resolve()
        return cls(path=path, git=Git(timeout=timeout, directory=str(directory), local=True), common=common)

    def default(self) -> str:
        """Return the branch that HEAD names, or nothing where it is detached."""
        code, out, _ = self.git.ask("symbolic-ref", "--quiet", HEAD, what=f"read HEAD of {self.path}")
        return out.decode("utf-8", "surrogateescape").strip() if code == 0 else ""

    def refs(self) -> tuple[tuple[Ref, ...], tuple[str, ...]]:
        """Return all refs, with HEAD if it is on a commit, and the names of those that are broken."""
        what = f"list the branches of {self.path}"
        code, out, err = self.git.ask("for-each-ref", "--format=%(objectname) %(refname)", what=what)
        if code != 0:
            raise TagsweepError(f"git cannot {what}: {said(err)}", remedy="run git fsck there")
        refs = []
        for line in lines_of(out):
            target, _, name = line.partition(" ")
            refs.append(Ref(name, target))
        code, out, _ = self.git.ask("rev-parse", "--quiet", "--verify", HEAD, what=what)
        if code == 0:
            refs.append(Ref(HEAD, out.decode("ascii", "replace").strip()))
        broken = tuple(shown(name) for name in _BROKEN.findall(err.decode("utf-8", "backslashreplace")))
        return tuple(refs), broken

    def origin(self) -> str:
        """Return the address that submodules' relative ones begin from: the remote's, or the repository's own path."""
        code, out, _ = self.git.ask("config", "--get", "remote.origin.url", what=f"read the settings of {self.path}")
        url = out.decode("utf-8", "replace").strip()
        return url if code == 0 and url else str(self.path.resolve())
