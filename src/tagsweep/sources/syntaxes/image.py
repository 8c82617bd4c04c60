"""Text that names an image, to findings: the one place where a template becomes a reference or a pattern."""

from __future__ import annotations

import re
from typing import Final

from tagsweep.model.errors import InvalidReference
from tagsweep.model.reference import Digest, Reference, Repository
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.sources.syntaxes.template import Hole, Reading, Variables, nothing_known, readings

_TRANSPORTS: Final = ("docker-pullable://", "docker://", "oci://", "registry://", "docker-image://", "image://")
_LONGEST: Final = 4096  # a registry takes a name of 255 and a tag of 128; the rest is room for expressions
_PLACEHOLDER_TAG: Final = re.compile(r"v?[Xx]+([._-][Xx]+)*|\.{3}|…", re.ASCII)
_TRUTHS: Final = frozenset({"true", "false"})
_BARE_DIGEST: Final = re.compile(r"sha(?:256|384|512):[0-9a-f]+", re.ASCII)


def read_image(
    text: str,
    *,
    line: int = 0,
    at: str = "",
    note: str = "",
    variables: Variables = nothing_known,
    prose: bool = False,
) -> tuple[Finding, ...]:
    """Return what ``text`` can mean where an image is to be named; nothing for an empty text.

    A default is a reference and the variable that may replace it an open one. In ``prose`` (documentation, free text)
    placeholders such as ``{version}`` and texts that cannot name an image mean nothing; elsewhere they are told.
    """
    text = text.strip().strip("\"'").strip()
    if not text:
        return ()
    if len(text) > _LONGEST:
        why = "it is longer than any name"
        return () if prose else (NoReference(text=f"{text[:60]}…", why=why, line=line, at=at),)
    for transport in _TRANSPORTS:
        text = text.removeprefix(transport)
    found: dict[Finding, None] = {}
    whole = readings(text, variables)
    for reading in whole:
        if any(isinstance(piece, Hole) for piece in reading):
            if prose and _only_for_people(reading):
                continue
            found.update(dict.fromkeys(_incomplete(text, reading, line=line, at=at, note=note)))
            continue
        written = "".join(piece for piece in reading if isinstance(piece, str))
        finding = _complete(written, line=line, at=at, note=note, prose=prose)
        # The empty reading of ``repo:${TAG:-}`` is no reference, which its open one says already.
        if finding is not None and not (isinstance(finding, NoReference) and len(whole) > 1):
            found[finding] = None
    return tuple(found)


def _complete(text: str, *, line: int, at: str, note: str, prose: bool) -> Finding | None:
    if prose and _PLACEHOLDER_TAG.fullmatch(text.rpartition(":")[2]):
        return None
    if text in _TRUTHS:
        why = "it is a truth value, and no name of an image"
        return None if prose else NoReference(text=text, why=why, line=line, at=at)
    if _BARE_DIGEST.fullmatch(text):
        why = "it is an image id, which only the machine that has the image knows"
        return None if prose else NoReference(text=text, why=why, line=line, at=at)
    try:
        reference = Reference.parse(text).with_default_tag()
    except InvalidReference as error:
        return None if prose else NoReference(text=text, why=str(error), line=line, at=at)
    return Found(reference=reference, line=line, at=at, note=note)


def _only_for_people(reading: Reading) -> bool:
    """Tell whether prose leaves so much open that it is about no image: a placeholder, or no name at all."""
    name, _ = _split(reading)
    named = any(isinstance(piece, str) and piece.strip("/:.") for piece in name)
    return not named or any(isinstance(piece, Hole) and piece.placeholder for piece in reading)


def _incomplete(text: str, reading: Reading, *, line: int, at: str, note: str) -> list[Finding]:
    """Return the open reference and, where a literal digest is pinned behind an open tag, that digest as well."""
    found: list[Finding] = [_open(text, reading, line=line, at=at, note=note)]
    name, _ = _split(reading)
    repository = _repository(name, whole=True)
    last = reading[-1]
    if repository is not None and isinstance(last, str) and "@" in last:
        try:
            digest = Digest.parse(last.rpartition("@")[2])
        except InvalidReference:
            return found
        found.append(Found(reference=Reference(repository, None, digest), line=line, at=at, note=note))
    return found


def _open(text: str, reading: Reading, *, line: int, at: str, note: str) -> Open:
    name, rest = _split(reading)
    repository = _repository(name, whole=rest is not None)
    if repository is None and rest is None and isinstance(name[-1], Hole):
        tag_pattern = ".*"  # the hole may hold the tag as well
    elif rest is None:
        tag_pattern = "latest"
    else:
        tag_pattern = _tag_pattern(rest)
    return Open(
        text=text,
        repository=repository,
        repository_pattern=".*" if repository is not None else _pattern(name),
        tag_pattern=tag_pattern,
        line=line,
        at=at,
        note=note,
    )


def _split(reading: Reading) -> tuple[Reading, Reading | None]:
    """Return the part that names the repository and the part behind its colon or ``@``, None where there is none."""
    for index, piece in enumerate(reading):
        if not isinstance(piece, str):
            continue
        for position, character in enumerate(piece):
            behind = (piece[position + 1 :], *reading[index + 1 :])
            port = character == ":" and any("/" in each for each in behind if isinstance(each, str))
            if character == "@" or (character == ":" and not port):
                return (*reading[:index], piece[:position]), (piece[position:], *reading[index + 1 :])
    return reading, None


def _repository(name: Reading, *, whole: bool) -> Repository | None:
    """Return the repository where the name is literal, or None where it is open or cannot be one."""
    if not whole or any(isinstance(piece, Hole) for piece in name):
        return None
    try:
        return Repository.parse("".join(piece for piece in name if isinstance(piece, str)))
    except InvalidReference:
        return None


def _tag_pattern(rest: Reading) -> str:
    """Return the expression for the tags that ``:…`` or ``@…`` can mean."""
    first = rest[0]
    if not isinstance(first, str) or first.startswith("@"):
        return ".*"  # the digest is open, and any tag may be on it
    tag: list[str | Hole] = []
    for piece in (first[1:], *rest[1:]):
        if isinstance(piece, str) and "@" in piece:
            tag.append(piece.partition("@")[0])
            break
        tag.append(piece)
    return _pattern(tuple(tag))


def _pattern(pieces: Reading) -> str:
    return "".join(".*" if isinstance(piece, Hole) else re.escape(piece) for piece in pieces)


def digest_in(text: str) -> Digest | None:
    """Return the manifest digest in ``repo@sha256:…`` (also in a runtime's ``imageID``), or None."""
    try:
        return Reference.parse(text.strip().removeprefix("docker-pullable://")).digest
    except InvalidReference:
        return None
