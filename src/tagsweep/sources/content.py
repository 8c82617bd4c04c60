"""The bytes of a file as what can be read of it: its text, or the reason why there is none."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

HEAD: Final = 64 * 1024
"""How much of a file that is too large is looked at, to tell what kind of file it is."""

_LFS: Final = b"version https://git-lfs.github.com/spec/"
_LFS_LARGEST: Final = 1024
_SNIFFED: Final = 8000
_PDF: Final = b"%PDF-"  # its text is packed into letters, some of which look like an image
_OVERHEAD: Final = 200
# The longer mark first: UTF-32's begins with UTF-16's.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Why(Enum):
    """Why a file has no text here. The value is how a sentence about several of them says it."""

    BINARY = "binary"
    LARGE = "over the limit of size"
    LFS = "in Git LFS"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Text:
    """What a file says, with a line feed at the ends of lines whatever they had."""

    text: str


@dataclass(frozen=True, slots=True)
class Left:
    """A file whose text is not read. ``head`` is the beginning of one that is too large, ``detail`` the error."""

    why: Why
    head: str = ""
    detail: str = ""


Content: TypeAlias = Text | Left


def cost_of(key: str, content: Content) -> int:
    """Return about how much memory it takes to hold ``content`` under ``key``."""
    return _OVERHEAD + len(key) + len(content.text if isinstance(content, Text) else content.head)


def content_of(data: bytes, *, size: int, limit: int) -> Content:
    """Return the text in ``data``, the first bytes of a file of ``size`` bytes: all of them up to ``limit``.

    UTF-8, and UTF-16 and UTF-32 with their mark; what is not valid UTF-8 is Latin-1, in which nothing is invalid.
    """
    if size > limit:
        head = decode(data[:HEAD])
        return Left(Why.BINARY) if head is None else Left(Why.LARGE, head=head)
    if size < _LFS_LARGEST and data.startswith(_LFS):
        return Left(Why.LFS)
    text = decode(data)
    return Left(Why.BINARY) if text is None else Text(text)


def decode(data: bytes) -> str | None:
    """Return ``data`` as text with a line feed at the ends of lines, or None where it is binary."""
    text: str | None = None
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            break
    if text is None:
        if b"\0" in data[:_SNIFFED] or data.startswith(_PDF):  # the first is what git, too, takes for binary
            return None
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
