"""The shape of an image reference where nothing else says that a text is one: what has it, and what only seems so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_HOLES: Final = re.compile(
    r"\$\{\{.*?\}\}|\{\{.*?\}\}|\$\{[^{}]*\}|\$\([^()]*\)|\$\$?[A-Za-z_][A-Za-z0-9_]*|\$[0-9]|%[A-Za-z_][A-Za-z0-9_]*%",
    re.DOTALL,
)
_HOLE: Final = "\x00"
_NESTED_AT_MOST: Final = 8
_LONGEST: Final = 2000
_WHOLE: Final = re.compile(
    r"(?P<name>(?:[A-Za-z0-9\x00][A-Za-z0-9.\x00-]*(?::[0-9]+)?/)?[a-z0-9\x00][a-z0-9._\x00-]*(?:/[a-z0-9\x00][a-z0-9._\x00-]*)*)"
    r"(?P<rest>(?::(?P<tag>[A-Za-z0-9_\x00][A-Za-z0-9_.\x00-]*))?@sha(?:256|512):[0-9a-f\x00]+"
    r"|:(?P<only>[A-Za-z0-9_\x00][A-Za-z0-9_.\x00-]*))",
    re.ASCII,
)
# Within a line of free text. Not behind what makes it a URL, a path or an option's name; a name without a tag is too
# common a word to be meant as an image.
_INSIDE: Final = re.compile(
    r"""(?<![A-Za-z0-9_./@:%$~+\\-])
    (?P<name>(?:[A-Za-z0-9][A-Za-z0-9.-]{0,200}(?::[0-9]{1,5})?/)?[a-z0-9][a-z0-9._-]{0,200}(?:/[a-z0-9][a-z0-9._-]{0,200}){0,12})
    (?P<rest>(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha(?:256|512):[0-9a-f]{64,128}|:[A-Za-z0-9_$][^\s"'`,;|<>()\[\]\\]{0,127})""",
    re.VERBOSE | re.ASCII,
)
_SOURCE_FILE: Final = re.compile(
    r"\.(?:[chm]|cc|cpp|hpp|cs|css|scss|go|gradle|groovy|hcl|html?|ini|ipynb|java|jsx?|json5?|jsonnet|kts?|less|lock|lua|"
    r"mdx?|mjs|php|pl|properties|proto|ps1|py|pyi|rb|rs|rst|scala|sh|sql|svelte|swift|tfvars|tf|toml|tsx?|txt|vue|xml|ya?ml|yy?)$"
)
_MEDIA_TYPES: Final = ("application", "audio", "font", "image", "message", "multipart", "text", "video")
_NO_REGISTRIES: Final = frozenset(
    {"github.com", "gitlab.com", "bitbucket.org", "golang.org", "www.github.com", "gopkg.in"}
)
_GROUP: Final = ("(?", "\\d", "\\w", "\\S", "[0-9", "[a-z", "[^")
"""What goes on behind it where a text is a regular expression."""
_MOUNT_MODES: Final = frozenset({"ro", "rw", "z", "cached", "delegated", "consistent", "rshared", "rslave", "nocopy"})


def looks_like_image(text: str, *, open_name: bool = False) -> bool:
    """Tell whether the whole text can only be meant as an image: a path and a tag, or a digest behind a name.

    Variables may stand in it; in the name only with ``open_name``.
    """
    if not 0 < len(text) <= _LONGEST or (":" not in text and "@" not in text):
        return False
    for _ in range(_NESTED_AT_MOST):
        text, replaced = _HOLES.subn(_HOLE, text)
        if not replaced:
            break
    found = _WHOLE.fullmatch(text)
    if found is None or (_HOLE in found["name"] and not open_name):
        return False
    return meant(found["name"], found["rest"])


def shapes_in(line: str) -> Iterator[str]:
    """Yield what has the shape of an image within a line of free text, without the full stop behind it."""
    if ":" not in line:
        return
    for found in _INSIDE.finditer(line):
        sliced = line[found.start() - 1 : found.start()] == "[" and line[found.end() : found.end() + 1] == "]"
        expression = found[0].endswith((".*", ".+", ".*$", ".+$")) or line.startswith(_GROUP, found.end())
        if not sliced and not expression and meant(found["name"], found["rest"]):
            yield found[0].rstrip(".:!?*_=&")


def meant(name: str, rest: str) -> bool:
    """Tell whether a name and what is behind it are no file with a line, mount, media type, date or ratio."""
    if "@sha" in rest:
        return True
    first, slash, _ = name.partition("/")
    tag = rest[1:]
    if not slash or first in _NO_REGISTRIES or first in _MEDIA_TYPES or tag in _MOUNT_MODES:
        return False
    if _SOURCE_FILE.search(name) is not None:
        return False
    return any(character.isalpha() or character == _HOLE for character in name.rpartition("/")[2] + first)
