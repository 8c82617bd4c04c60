"""Looking at repositories with new eyes: their families of tags, a policy for them, and what it would remove today.

Only tag lists and digests are read: one HEAD for each tag that the listing gives no digest of, and no manifest. The
preview therefore takes every manifest for a single image; the plan looks deeper and can only keep more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tagsweep.app.targets import expand_targets
from tagsweep.config import parse_policy
from tagsweep.core.decide import decide, recount
from tagsweep.core.families import TagFacts, find_families
from tagsweep.core.guards import refusals
from tagsweep.core.planning import plan_repository
from tagsweep.model.errors import AuthenticationFailed, PermissionDenied, RateLimited, RegistryError, Unreachable
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.manifest import OCI_MANIFEST, Kind, Manifest
from tagsweep.ports import ReadsTimes
from tagsweep.report.policy_text import PolicyDraft, policy_text
from tagsweep.report.proposal import Proposal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tagsweep.app.session import Session
    from tagsweep.core.families import Family
    from tagsweep.model.plan import GuardRefusal, RepositoryPlan, RuleCount
    from tagsweep.model.policy import Policy
    from tagsweep.model.reference import Digest, Repository
    from tagsweep.ports import ListedTag

_STOPS_EVERYTHING: Final = (Unreachable, AuthenticationFailed, PermissionDenied, RateLimited)
_CLOCKS: Final = (TimeOrigin.PUSHED, TimeOrigin.UPDATED)
_SHOWN: Final = (*_CLOCKS, TimeOrigin.CREATED, TimeOrigin.FIRST_SEEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was found. ``clock`` is the best one that every repository has: the registry's, else when we saw a tag."""

    inventories: tuple[Inventory, ...]
    families: tuple[Family, ...]
    clock: TimeOrigin
    at: datetime
    requests: Mapping[str, int]


def look(targets: Sequence[str], *, session: Session) -> Looked:
    """Return the families of all tags of the repositories that the targets name. The ledger learns what was seen."""
    now = session.clock.now()
    found = [_inventory(repository, session, now) for repository in expand_targets(targets, session)]
    moves = {one.repository: session.ledger.earlier_digests(one.repository) for one in found}
    return Looked(
        inventories=tuple(found),
        families=find_families(_facts(found, moves)),
        clock=_best_clock(found, session),
        at=now,
        requests=session.requests(),
    )


def propose(looked: Looked, draft: PolicyDraft, *, path: str, session: Session) -> Proposal:
    """Return the policy that ``draft`` makes, and what it would remove now if no evidence had to be asked."""
    text = policy_text(draft)
    policy = parse_policy(policy_text(replace(draft, evidence_waived=True)), path=path)
    parts, refused = _preview(policy, looked, session)
    after = session.requests()
    requests = {method: looked.requests.get(method, 0) + after.get(method, 0) for method in {*looked.requests, *after}}
    return Proposal(
        text=text,
        families=draft.families,
        clock=looked.clock,
        at=looked.at,
        chosen=draft.evidence_waived,
        preview=parts,
        refusals=refused,
        requests=requests,
    )


def _preview(
    policy: Policy, looked: Looked, session: Session
) -> tuple[tuple[RepositoryPlan, ...], tuple[GuardRefusal, ...]]:
    parts = []
    rules: list[RuleCount] = []
    for inventory in looked.inventories:
        driver = session.driver(inventory.repository)
        capabilities = driver.probe(inventory.repository.path)
        decided = decide(inventory, policy, (), now=looked.at, aliases=session.aliases())
        part = plan_repository(
            inventory, decided.decisions, used=decided.used, capabilities=capabilities, driver=driver.name
        )
        rules += recount(decided, part.decisions)
        parts.append(part)
    return tuple(parts), refusals(parts, policy, rules, looked.inventories)


# --- looking ------------------------------------------------------------------------------------------------------
def _inventory(repository: Repository, session: Session, now: datetime) -> Inventory:
    driver = session.driver(repository)
    session.progress.begin(f"{repository}: listing tags", None)
    listed = driver.list_tags(repository.path)
    digests: dict[str, Digest | None] = {tag.name: tag.digest for tag in listed}
    problems: dict[str, str] = {}

    def resolve(name: str) -> Digest | RegistryError | None:
        try:
            return driver.resolve_tag(repository.path, name)
        except _STOPS_EVERYTHING:
            raise
        except RegistryError as error:
            return error

    unknown = [name for name, digest in digests.items() if digest is None]
    for name, answer in session.work(repository, "asking for digests", unknown, resolve):
        if isinstance(answer, RegistryError):
            problems[name] = str(answer)
        elif answer is None:
            problems[name] = "the registry lists this tag but answers that it does not exist"
        else:
            digests[name] = answer
    session.ledger.observe(repository, digests, now)
    seen = session.ledger.first_seen(repository)
    tags = tuple(_state(tag, digests[tag.name], problems.get(tag.name, ""), seen) for tag in listed)
    manifests = {tag.digest: _as_image(tag.digest) for tag in tags if tag.digest is not None}
    return Inventory(repository=repository, taken_at=now, tags=tags, manifests=manifests)


def _state(
    tag: ListedTag, digest: Digest | None, problem: str, seen: Mapping[str, tuple[Digest, datetime]]
) -> TagState:
    times = dict(tag.times)
    known = seen.get(tag.name)
    if known is not None and known[0] == digest:
        times[TimeOrigin.FIRST_SEEN] = known[1]
    return TagState(name=tag.name, digest=digest, times=times, problem=problem, locked=tag.locked)


def _as_image(digest: Digest) -> Manifest:
    return Manifest(digest=digest, media_type=OCI_MANIFEST, size=0, kind=Kind.IMAGE)


def _best_clock(found: Sequence[Inventory], session: Session) -> TimeOrigin:
    """Return the first clock that every repository has, be it by a request for each tag when the plan is made."""
    for origin in _CLOCKS:
        if found and all(_tells(one, origin, session) for one in found):
            return origin
    return TimeOrigin.FIRST_SEEN


def _tells(one: Inventory, origin: TimeOrigin, session: Session) -> bool:
    driver = session.driver(one.repository)
    if isinstance(driver, ReadsTimes) and origin in driver.detailed_times:
        return True
    tags = [tag for tag in one.tags if tag.digest is not None]
    return bool(tags) and all(origin in tag.times for tag in tags)


def _facts(
    found: Sequence[Inventory], moves: Mapping[Repository, Mapping[str, frozenset[Digest]]]
) -> tuple[TagFacts, ...]:
    """Return one entry for each name. What two repositories have under one name is one habit."""
    states: dict[str, list[tuple[Repository, TagState]]] = {}
    for one in found:
        for tag in one.tags:
            states.setdefault(tag.name, []).append((one.repository, tag))
    return tuple(_fact(name, tags, moves) for name, tags in states.items())


def _fact(
    name: str,
    tags: Sequence[tuple[Repository, TagState]],
    moves: Mapping[Repository, Mapping[str, frozenset[Digest]]],
) -> TagFacts:
    times = [moment for _, tag in tags if (moment := _shown_time(tag)) is not None]
    return TagFacts(
        name=name,
        digests=frozenset(tag.digest for _, tag in tags if tag.digest is not None),
        past=frozenset(digest for repository, _ in tags for digest in moves[repository].get(name, ())),
        oldest=min(times, default=None),
        newest=max(times, default=None),
    )


def _shown_time(tag: TagState) -> datetime | None:
    return next((tag.times[origin] for origin in _SHOWN if origin in tag.times), None)
