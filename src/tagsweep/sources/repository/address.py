"""The address of a git repository: which ones are accepted, how a relative one is read, how one is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from tagsweep.http.redact import redact_url

_SCHEMES: Final = frozenset({"https", "http", "ssh", "git", "git+ssh", "ssh+git", "file"})
_SCP: Final = re.compile(
    r"(?:[A-Za-z0-9_][\w.+-]*@)?(?P<host>[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.]+\]):(?!//)[^\s:-]\S*", re.ASCII
)
_TOKEN: Final = re.compile(
    r"(?:gh[a-z]_|github_pat_|gl[a-z]{2,6}-|xox|x-(?:oauth|access|token)).*|[A-Za-z0-9_-]{30,}", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Address:
    """An address that git may be given. ``text`` holds no password."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address, or raise ValueError with what is wrong with it; the text is not in the message."""
        if text.startswith("-") or any(character <= " " or character == "\x7f" for character in text):
            raise ValueError("is not the address of a repository")
        if "://" not in text:
            if _SCP.fullmatch(text) is None:
                raise ValueError("is not the address of a repository")
            return cls(text)
        try:
            parts = urlsplit(text)
            host, password, user = parts.hostname, parts.password, parts.username
        except ValueError:
            raise ValueError("is not the address of a repository") from None
        # Not TRANSPORT::ADDRESS, which names a program of git's.
        if parts.scheme.lower() not in _SCHEMES or not text.lower().startswith(f"{parts.scheme.lower()}://"):
            raise ValueError("is not an https, ssh, git or file address")
        if password is not None or (user and _TOKEN.fullmatch(user)):
            raise ValueError("has a password or token in it")
        if parts.scheme.lower() == "file":
            if not parts.path:
                raise ValueError("has no path")
        elif not host or host.startswith("-"):
            raise ValueError("has no host")
        return cls(text)

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return self.text.lower().startswith("file://")

    @property
    def short(self) -> str:
        """The last part of the path without ``.git``."""
        return _last(self.text)

    def __str__(self) -> str:
        """Return it as a person may see it."""
        return redact_url(self.text) if "://" in self.text else self.text


def _last(text: str) -> str:
    return re.split(r"[/:]", text.rstrip("/").removesuffix(".git").rstrip("/"))[-1] or text


def is_relative(url: str) -> bool:
    """Tell whether ``.gitmodules`` means ``url`` relative to its own repository's address."""
    return url.startswith(("./", "../"))


def resolve(url: str, base: str) -> str:
    """Return the address that ``url`` of a ``.gitmodules`` means, where ``base`` is its own repository's: as git does.

    ``base`` is an address or an absolute path. Raises ValueError where it leads out of ``base``.
    """
    if not is_relative(url):
        return url
    base = base.rstrip("/")
    separator = "/"
    while True:
        if url.startswith("./"):
            url = url[2:]
        elif url.startswith("../"):
            url = url[3:]
            above, slash, _ = base.rpartition("/")
            if not slash:
                above, colon, _ = base.rpartition(":")
                if not colon:
                    raise ValueError("leads out of the repository's address")
                separator = ":"
            base = above
            if base.endswith(("/", ":/")):
                raise ValueError("leads out of the repository's address")
        else:
            return f"{base}{separator}{url.rstrip('/')}"
