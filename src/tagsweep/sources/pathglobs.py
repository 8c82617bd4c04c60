"""Which files of a tree are looked at: the options ``include`` and ``exclude``, globs over relative paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from tagsweep.core.patterns import repository_matches
from tagsweep.sources.options import Options

_ESCAPES: Final = (
    {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
    | {code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0xD800, 0xE000))}
    | {0xDC00 + byte: f"\\x{byte:02x}" for byte in range(0x80, 0x100)}  # how Python keeps a byte that is not UTF-8
    | {9: "\\t", 10: "\\n", 13: "\\r"}
)


def shown(path: str) -> str:
    """Return ``path`` on one line and fit for any output: control characters and broken bytes written as escapes."""
    return path if path.isprintable() else path.translate(_ESCAPES)


@dataclass(frozen=True, slots=True)
class PathGlobs:
    """Globs as in the policy: ``*`` stays within a directory, ``**`` crosses them; one without a slash is about names
    in any directory; one that matches a directory is about everything below it.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def read(cls, options: Options) -> Self:
        """Return what the options ``include`` and ``exclude`` say, or raise ConfigurationError."""
        globs = {key: options.texts(key) for key in ("include", "exclude")}
        for key, texts in globs.items():
            for text in texts:
                if text.startswith(("/", "./", "../")):
                    raise options.error(
                        key, "has a glob that does not begin with a name", remedy="write it relative to the root"
                    )
                try:
                    repository_matches(text, "")
                except ValueError as error:
                    raise options.error(key, "has a glob that is none", remedy="write it with *, ** and ?") from error
        return cls(include=globs["include"], exclude=globs["exclude"])

    def takes(self, path: str) -> bool:
        """Tell whether the file at ``path`` is looked at."""
        if self.include and not any(_about(glob, path) for glob in self.include):
            return False
        return not any(_about(glob, path) for glob in self.exclude)

    def skips_below(self, directory: str) -> bool:
        """Tell whether nothing below ``directory`` is looked at because it is excluded itself."""
        return any(_about(glob, directory) for glob in self.exclude)

    def idle(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Return the globs of ``include`` that are about none of ``paths``: they are probably misspelt."""
        return tuple(glob for glob in self.include if not any(_about(glob, path) for path in paths))


EVERYTHING: Final = PathGlobs()
"""No globs: all files."""


def _about(glob: str, path: str) -> bool:
    name = shown(path)
    if "/" not in glob:
        return any(repository_matches(glob, part) for part in name.split("/"))
    glob = glob.rstrip("/")
    if "/" not in glob:
        return name.startswith(f"{glob}/") or any(repository_matches(glob, part) for part in name.split("/")[:-1])
    if repository_matches(glob, name):
        return True
    return any(repository_matches(glob, name[:at]) for at, character in enumerate(name) if character == "/")
