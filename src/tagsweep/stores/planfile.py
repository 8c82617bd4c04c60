"""The plan file: the only place that knows how a Plan is written, sealed and read.

A JSON document for people and for diffs: a fixed order of keys; a decision, a step, a kept tag has a line. ``seal`` is
the sha256 of the rest in canonical form, so that reformatting does no harm and any change of content is noticed. A key
that stands twice is a change: people would read the one and tagsweep the other. Anyone can seal a changed plan again;
the ledger of the machine that made it therefore has the seal too. It finds it by the plan's id: a plan that was sealed
again under another id looks like one that was made elsewhere, and is taken. Only who may write the file prevents that.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any, Final, NoReturn

import msgspec

from tagsweep.model import decision, plan, policy
from tagsweep.model.errors import ConfigurationError, InvalidReference, Malformed, PlanError
from tagsweep.model.plan import Plan
from tagsweep.stores.codec import Codec

FORMAT: Final = "tagsweep-plan"
VERSION: Final = 1

_CODES: Final[dict[type, str]] = {
    decision.NoRuleMatches: "no-rule-matches",
    decision.KeptByClause: "kept-by-clause",
    decision.Protected: "protected",
    decision.InUse: "in-use",
    decision.SharesDigest: "shares-digest",
    decision.ReachedBy: "reached-by",
    decision.FollowsSubject: "follows-subject",
    decision.CannotDelete: "cannot-delete",
    decision.TimeUnknown: "time-unknown",
    decision.VersionUnreadable: "version-unreadable",
    decision.LabelsUnknown: "labels-unknown",
    decision.ManifestUnknown: "manifest-unknown",
    decision.UnresolvedReference: "unresolved-reference",
    decision.EvidenceMissing: "evidence-missing",
    decision.SubjectUnknown: "subject-unknown",
    decision.NotKept: "not-kept",
    decision.SubjectRemoved: "subject-removed",
    policy.Glob: "glob",
    policy.Regex: "regex",
    policy.Names: "names",
    policy.VersionPattern: "version",
    policy.InClass: "class",
    policy.KeepNewest: "newest",
    policy.KeepWithin: "within",
    policy.KeepEvery: "every",
    policy.KeepNewestVersions: "newest-versions",
    policy.KeepLabelled: "labelled",
    policy.KeepNamed: "named",
    policy.KeepAll: "all",
    policy.WaveCount: "count",
    policy.WavePercent: "percent",
    plan.Untag: "untag",
    plan.DeleteManifest: "delete-manifest",
}
_CODEC: Final = Codec(_CODES)
_ONE_LINE: Final = 400
_MAKE_ANEW: Final = "make a new plan with tagsweep plan"


def dump_plan(value: Plan) -> bytes:
    """Return the plan as the bytes of a plan file, sealed.

    Raises ConfigurationError if a setting has characters that no file can hold (half a surrogate pair).
    """
    body = _CODEC.encode(Plan, value)
    try:
        document = {"format": FORMAT, "version": VERSION, "seal": _seal(body), "plan": body}
        return _laid_out(document).encode() + b"\n"
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"a setting of the policy has a character that cannot be written: {error.object[error.start]!r}",
            remedy="look for escapes between \\ud800 and \\udfff in the options of the sources",
        ) from error


def load_plan(data: bytes, *, name: str) -> Plan:
    """Return the plan in ``data``; ``name`` is what errors call the file.

    Raises PlanError if it is no plan file, of another format, incomplete, or was changed after it was made.
    """
    body, _ = _opened(data, name)
    try:
        return _CODEC.decode(Plan, body)
    except (Malformed, InvalidReference) as error:
        raise PlanError(f"{name} is not a plan that this tagsweep can read: {error}", remedy=_MAKE_ANEW) from error


def seal_of(data: bytes, *, name: str = "the plan") -> str:
    """Return the seal of a plan file whose content still fits it. Raises PlanError as load_plan does."""
    return _opened(data, name)[1]


def _opened(data: bytes, name: str) -> tuple[Any, str]:
    try:
        document = json.loads(data, object_pairs_hook=_once_each, parse_constant=_no_number)
    except Malformed as error:
        raise _changed(f"{name} was changed after it was made: {error}") from error
    except (ValueError, RecursionError) as error:
        raise PlanError(f"{name} is not a plan file, or is cut off: {error}", remedy=_MAKE_ANEW) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PlanError(f"{name} is JSON, but not a plan of tagsweep", remedy="tagsweep plan -o FILE writes one")
    if document.get("version") != VERSION or type(document["version"]) is not int:
        raise PlanError(
            f"{name} has version {document.get('version')!r} of the plan format, and this tagsweep reads {VERSION}",
            remedy="apply a plan with the tagsweep that made it, or make a new one",
        )
    body, seal = document.get("plan"), document.get("seal")
    if set(document) != {"format", "version", "seal", "plan"} or seal != _seal_or_none(body):
        raise _changed(f"{name} was changed after it was made")
    return body, str(seal)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise Malformed(f"{twice[:80]!r} stands twice in the same place")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _changed(message: str) -> PlanError:
    return PlanError(message, remedy=f"change the policy, and {_MAKE_ANEW}")


def _seal_or_none(body: Any) -> str | None:
    """Return the seal, or None for what was never written by us because it cannot be."""
    try:
        return _seal(body)
    except (UnicodeEncodeError, RecursionError):
        return None


def _seal(body: Any) -> str:
    canonical = msgspec.json.encode({"format": FORMAT, "version": VERSION, "plan": body}, order="sorted")
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def _laid_out(value: Any, indent: str = "") -> str:
    """Return JSON in which whatever fits into a line has one, but for the outermost levels."""
    compact = msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    inner = f"{indent} "
    if not isinstance(value, dict | list) or not value or (len(compact) <= _ONE_LINE and len(indent) > 1):
        return compact
    if isinstance(value, dict):
        members = [f"{msgspec.json.encode(key).decode()}: {_laid_out(entry, inner)}" for key, entry in value.items()]
        opening, closing = "{", "}"
    else:
        members = [_laid_out(entry, inner) for entry in value]
        opening, closing = "[", "]"
    return f"{opening}\n{inner}" + f",\n{inner}".join(members) + f"\n{indent}{closing}"
