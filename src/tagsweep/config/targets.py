"""Patterns of repositories: what a policy's ``targets`` and ``repositories`` may say, normalised as Docker does.

The host is literal; ``*``, ``?`` and ``[…]`` are for the path, ``*`` within one component and ``**`` across.
"""

from __future__ import annotations

import re
from typing import Final

from tagsweep.config.places import Place
from tagsweep.model.errors import InvalidReference, PolicyError
from tagsweep.model.reference import Repository, canonical_registry, is_domain

LAYOUT_PREFIX: Final = "oci-layout:"
"""Begins the registry name of a directory in the OCI image layout."""

_GLOB: Final = re.compile(r"[*?\[]")
_COMPONENT: Final = re.compile(r"[a-z0-9._\-*?\[\]!^]+", re.ASCII)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_EXAMPLE: Final = "write HOST/PATH, such as docker.io/acme/* or 127.0.0.1:5000/acme/api"


def parse_target(text: str, place: Place) -> str:
    """Return the target in full, such as ``docker.io/acme/*``; Docker's short forms are completed."""
    if text.startswith(LAYOUT_PREFIX):
        return _layout(text, place)
    _reject_nonsense(text, place)
    if "/" not in text and is_domain(text.partition(":")[0]):
        raise place.error(
            f"{text!r} is a registry, and repositories belong here", remedy=f"write {text}/** for all of them"
        )
    if not _GLOB.search(text):
        return _literal(text, place)
    host, path = _split(text, place)
    _check_path(text, path, place)
    return f"{host}/{path}"


def parse_repository_pattern(text: str, place: Place) -> str:
    """Return a rule's repository pattern in full; one that begins with a wildcard is left as it is."""
    first, slash, _ = text.partition("/")
    if text.startswith(LAYOUT_PREFIX) or (slash and not _GLOB.search(first)):
        return parse_target(text, place)
    _reject_nonsense(text, place)
    if not slash and text != "**":
        raise place.error(
            f"{text!r} is not a full repository name",
            remedy=f"write docker.io/acme/{text}, or **/{text} for any registry",
        )
    _check_path(text, text, place)
    return text


def parse_host(text: str, place: Place) -> str:
    """Return the canonical name of a registry host."""
    if text.startswith(LAYOUT_PREFIX):
        return _layout(text, place)
    if "://" in text:
        rest = _without_scheme(text)
        raise place.error(f"{rest!r} is written as a URL", remedy=f"write the host alone: {rest.partition('/')[0]}")
    if _HOST.fullmatch(text) is None:
        raise place.error(f"{text!r} is not a registry host", remedy="write a name or address with an optional port")
    if not is_domain(text):
        raise place.error(
            f"{text!r} would be read as a part of Docker Hub", remedy=f"write its port or its full name: {text}:5000"
        )
    return canonical_registry(text)


def _reject_nonsense(text: str, place: Place) -> None:
    if not text or text != text.strip() or " " in text:
        raise place.error(f"{text!r} is not a repository", remedy=_EXAMPLE)
    if "://" in text:
        rest = _without_scheme(text)
        raise place.error(f"{rest!r} is written as a URL", remedy=f"leave the scheme out: {rest}")


def _without_scheme(text: str) -> str:
    # Userinfo would be a secret, and must not be repeated.
    return text.partition("://")[2].rpartition("@")[2]


def _literal(text: str, place: Place) -> str:
    try:
        return str(Repository.parse(text))
    except InvalidReference as error:
        raise _not_a_repository(text, str(error), place) from error


def _not_a_repository(text: str, why: str, place: Place) -> PolicyError:
    if "names a tag or digest" in why:
        return place.error(
            f"{text!r} names a tag or digest, and repositories belong here",
            remedy="leave the tag out; which tags are meant is said in match",
        )
    return place.error(why, remedy=_EXAMPLE)


def _split(text: str, place: Place) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if _GLOB.search(first):
        raise place.error(f"{text!r} does not say which registry", remedy=f"the host is written out: docker.io/{text}")
    if not slash:
        raise place.error(f"{text!r} is not a repository", remedy=_EXAMPLE)
    if is_domain(first):
        return parse_host(first, place), rest
    return "docker.io", text


def _check_path(text: str, path: str, place: Place) -> None:
    parts = path.split("/")
    if any(not part for part in parts):
        raise place.error(
            f"{text!r} has an empty component", remedy="there is one / between two names, none at the end"
        )
    last = re.sub(r"\[[^\]]*\]", "x", parts[-1])
    if ":" in last or "@" in last:
        raise place.error(
            f"{text!r} names a tag or digest, and repositories belong here",
            remedy="leave the tag out; which tags are meant is said in match",
        )
    for part in parts if path is not text else parts[1:]:
        if part != part.lower():
            raise place.error(f"{text!r}: repository names are lower case", remedy=f"write {text.lower()!r}")
        if _COMPONENT.fullmatch(part) is None or ("[" in part and "]" not in part):
            raise place.error(f"{text!r}: {part!r} matches no repository name", remedy=_EXAMPLE)


def _layout(text: str, place: Place) -> str:
    directory = text.removeprefix(LAYOUT_PREFIX)
    if not directory.startswith("/"):
        raise place.error(
            f"{text!r} names no directory that begins with /", remedy=f"write {LAYOUT_PREFIX}/absolute/directory"
        )
    return text
