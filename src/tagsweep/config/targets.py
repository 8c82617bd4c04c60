"""Patterns of repositories: what a policy's ``targets`` and ``repositories`` may say, normalised as Docker does.

The host is literal; ``*``, ``?`` and ``[…]`` are for the path, ``*`` within one component and ``**`` across.
"""

from __future__ import annotations

import re
from typing import Final

from tagsweep.config.places import Place
from tagsweep.core.patterns import repository_matches
from tagsweep.model.errors import InvalidReference, PolicyError
from tagsweep.model.reference import Repository, canonical_registry, is_domain

LAYOUT_PREFIX: Final = "oci-layout:"
"""Begins the registry name of a directory in the OCI image layout."""

_GLOB: Final = re.compile(r"[*?\[]")
_COMPONENT: Final = re.compile(r"[a-z0-9._\-*?\[\]!^]+", re.ASCII)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_HIGHEST_PORT: Final = 65_535
_LONGEST_PORT: Final = 5
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
    _check_path(text, path.split("/"), place)
    _check_compiles(path, place)
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
    # The first part stands for hosts as well as for components.
    _check_path(text, text.split("/")[1:] if slash else [], place)
    _check_compiles(text, place)
    return text


def parse_host(text: str, place: Place) -> str:
    """Return the canonical name of a registry host."""
    if text.startswith(LAYOUT_PREFIX):
        return _layout(text, place)
    if "://" in text:
        rest = _without_scheme(text)
        raise place.error(f"{rest!r} is written as a URL", remedy=f"write the host alone: {rest.partition('/')[0]}")
    if _HOST.fullmatch(text) is None:
        raise place.error(
            f"{_shown(text)!r} is not a registry host", remedy="write a name or address with an optional port"
        )
    if not is_domain(text):
        raise place.error(
            f"{text!r} would be read as a part of Docker Hub", remedy=f"write its port or its full name: {text}:5000"
        )
    _check_port(text, place)
    return canonical_registry(text)


def parse_alias(text: str, place: Place) -> str:
    """Return another name of a registry: a host, or a host with the path under which a cache serves that registry."""
    host, slash, path = text.partition("/")
    if not slash or text.startswith(LAYOUT_PREFIX) or "://" in text:
        return parse_host(text, place)
    _check_path(text, path.split("/"), place)
    if set(path) & set("*?["):
        raise place.error(f"{text!r} has a wildcard", remedy="write the path of the cache in full")
    return f"{parse_host(host, place)}/{path}"


def _check_port(host: str, place: Place) -> None:
    port = host.rpartition(":")[2]
    if port.isdecimal() and host != port and (len(port) > _LONGEST_PORT or not 0 < int(port) <= _HIGHEST_PORT):
        raise place.error(f"{host!r}: there is no such port", remedy=f"write a port from 1 to {_HIGHEST_PORT}")


def _reject_nonsense(text: str, place: Place) -> None:
    if "://" in text:
        rest = _without_scheme(text)
        raise place.error(f"{rest!r} is written as a URL", remedy=f"leave the scheme out: {rest}")
    if "@" in text.partition("/")[0] and "/" in text:
        rest = text.partition("@")[2]
        raise place.error(
            f"a user stands before {rest!r}", remedy=f"leave it out: {rest}; credentials have no place in a policy"
        )
    if not text or text != text.strip() or " " in text:
        raise place.error(f"{text!r} is not a repository", remedy=_EXAMPLE)


def _shown(text: str) -> str:
    # The same for what has no scheme.
    return text.rpartition("@")[2]


def _without_scheme(text: str) -> str:
    # Userinfo would be a secret, and must not be repeated.
    return text.partition("://")[2].rpartition("@")[2]


def _literal(text: str, place: Place) -> str:
    try:
        found = Repository.parse(text)
    except InvalidReference as error:
        raise _not_a_repository(text, str(error), place) from error
    _check_port(found.registry, place)
    return str(found)


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


def _check_compiles(glob: str, place: Place) -> None:
    try:
        repository_matches(glob, "")
    except ValueError as error:
        raise place.error(str(error), remedy="[abc] stands for one of these characters, [a-z] for a range") from error


def _check_path(text: str, parts: list[str], place: Place) -> None:
    if any(not part for part in text.split("/")):
        raise place.error(
            f"{text!r} has an empty component", remedy="there is one / between two names, none at the end"
        )
    last = re.sub(r"\[[^\]]*\]", "x", text.rpartition("/")[2])
    if ":" in last or "@" in last:
        raise place.error(
            f"{text!r} names a tag or digest, and repositories belong here",
            remedy="leave the tag out; which tags are meant is said in match",
        )
    for part in parts:
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
    if {"", ".", ".."} & set(directory.split("/")[1:]):
        raise place.error(
            f"{text!r} has an empty component, . or ..", remedy=f"write {LAYOUT_PREFIX}/absolute/directory, in full"
        )
    return text
