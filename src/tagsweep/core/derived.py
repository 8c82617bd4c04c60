"""Tags whose name is made from a digest: referrers fallback tags and cosign's signatures, attestations and SBOMs.

They belong to their subject and live exactly as long as it does. A user's ``sha*`` would match them, so no pattern of
a user's is ever asked about them. What looks like one and cannot be read with certainty is kept and reported.

Rules: OCI distribution specification, "Referrers Tag Schema" (hex cut to 64 digits); cosign's signature
specification (``sha256-<hex>.sig``, ``.att``, ``.sbom``, optionally with a prefix).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tagsweep.model.reference import Digest

DIGEST_DERIVED: Final = "digest-derived"
"""The reserved naming class of these tags."""

_HEX_DIGITS: Final = {"sha256": 64, "sha384": 96, "sha512": 128, "blake3": 64}
_CUT: Final = 64
_SUFFIXES: Final = frozenset({"", ".sig", ".att", ".sbom"})
_LOOKS_LIKE: Final = re.compile(r"(?P<algorithm>sha256|sha384|sha512|blake3)-(?P<hex>[0-9A-Fa-f]+)")
_LONG: Final = 32
"""From this many hex digits on, nobody wrote them by hand: fewer with other text behind are an ordinary name."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A tag of ``subject``; ``suffix`` is empty for a referrers fallback tag, or ``.sig``, ``.att``, ``.sbom``."""

    subject: Digest
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A tag that looks derived from a digest, but ``why`` says what cannot be known from the name alone.

    ``subject_prefix`` is the beginning of the subject's digest where that much is certain, otherwise empty.
    """

    why: str
    subject_prefix: str = ""


def derived_from(tag: str) -> Derived | Ambiguous | None:
    """Return what ``tag`` is derived from, Ambiguous where it looks so and is not certain, None for ordinary tags."""
    if "sha" not in tag and "blake3-" not in tag:
        return None  # the common case, at the price of a substring search
    found = max(_LOOKS_LIKE.finditer(tag), key=lambda each: len(each["hex"]), default=None)
    if found is None:
        return None
    before, digits, after = tag[: found.start()], found["hex"], tag[found.end() :]
    if len(digits) < _LONG and (after not in _SUFFIXES or (before and not after)):
        return None
    doubt = _doubt(before, digits, after)
    return Ambiguous(doubt) if doubt else _by_length(found["algorithm"], digits, after)


def _doubt(before: str, digits: str, after: str) -> str:
    if after not in _SUFFIXES:
        return f"{after!r} after the digest is no known suffix"
    if digits != digits.lower():
        return "its hex digits are not lower case"
    if before and not after:
        return f"{before!r} before the digest is known from cosign only together with a suffix"
    return ""


def _by_length(algorithm: str, digits: str, suffix: str) -> Derived | Ambiguous:
    wanted = _HEX_DIGITS[algorithm]
    if len(digits) == wanted:
        return Derived(Digest.parse(f"{algorithm}:{digits}"), suffix)
    if len(digits) == _CUT < wanted:
        why = f"the tag holds {_CUT} of the {wanted} hex digits of its subject"
        return Ambiguous(why, subject_prefix=f"{algorithm}:{digits}")
    return Ambiguous(f"{algorithm} has {wanted} hex digits, this tag has {len(digits)}")


def resolve_cut(ambiguous: Ambiguous, digests: Iterable[Digest]) -> Digest | None:
    """Return the one digest of ``digests`` that a cut tag can mean, or None if there is none or more than one."""
    if not ambiguous.subject_prefix:
        return None
    found = {digest for digest in digests if digest.startswith(ambiguous.subject_prefix)}
    return found.pop() if len(found) == 1 else None
