"""What the architecture tests look at: the files of this checkout, parsed once."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tagsweep"


@cache
def files() -> tuple[Path, ...]:
    """Return every file that git tracks or would track, so that a forgotten `git add` hides nothing."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return tuple(path for name in sorted(filter(None, listed.split("\0"))) if (path := ROOT / name).is_file())


def under(*parts: str, suffix: str = ".py") -> tuple[Path, ...]:
    """Return the files with this suffix below a directory of the checkout; it must hold some."""
    top = ROOT.joinpath(*parts)
    found = tuple(path for path in files() if path.suffix == suffix and path.is_relative_to(top))
    assert found, f"nothing to look at in {top}"
    return found


@cache
def tree(path: Path) -> ast.Module:
    """Parse a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def text(path: Path) -> str:
    """Read a text file."""
    return path.read_text(encoding="utf-8")


def shown(path: Path) -> str:
    """Return the path as a person names it in this checkout."""
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module that a file imports, also inside functions; no import here is relative."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(path)}:{node.lineno} imports relatively"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def module_name(path: Path) -> str:
    """Return the dotted module name of a file of the package."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
