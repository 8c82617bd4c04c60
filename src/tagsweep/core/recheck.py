"""What has changed since the plan was made, and which of its steps must therefore not run.

Somebody may have pushed or moved a tag. What that tag reaches now is in nobody's plan, so it must stay: no registry
refuses to delete a manifest because a newer index needs it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from tagsweep.core.graph import Graph
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.manifest import Manifest, Unreadable
from tagsweep.model.plan import DeleteManifest, RepositoryPlan
from tagsweep.model.reference import Digest

_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""A graph has no clock; an inventory made only for its graph has this time."""


def blocked(
    plan: RepositoryPlan,
    fresh_tags: Mapping[str, Digest | None],
    fresh_manifests: Mapping[Digest, Manifest | Unreadable],
) -> Mapping[str, str]:
    """Return the keys of the steps that must not run now, each with the reason in words.

    ``fresh_tags`` are the tags as they are now (None: certainly absent), those that the plan removes among them as far
    as they were looked at. ``fresh_manifests`` are the manifests of new and moved tags with the indexes below them,
    and what is known of the manifests that the plan deletes. If it is not known what a new tag reaches, no manifest
    is deleted.
    """
    changed = _changed(plan, fresh_tags)
    deletes = {step.digest: step for step in plan.steps if isinstance(step, DeleteManifest)}
    if not changed or not deletes:
        return {}
    stays = frozenset(plan.keeps.values())
    graph = Graph.of(_inventory(plan, changed, fresh_manifests))
    stopped: dict[Digest, str] = {}
    for tag, digest in sorted(changed.items()):
        reached = graph.reach((digest,))
        if any(graph.is_opaque(each) for each in reached - stays):
            why = f"{tag} is new or was moved to {digest.short}, and what that needs could not be read"
            return {step.key: why for step in deletes.values()}
        why = f"{tag} is new or was moved since the plan was made, and needs it"
        stopped.update((each, why) for each in sorted(reached & deletes.keys()) if each not in stopped)
    return {deletes[digest].key: why for digest, why in _with_followers(stopped, deletes.values()).items()}


def vanished(plan: RepositoryPlan, fresh_tags: Mapping[str, Digest | None]) -> tuple[str, ...]:
    """Return the tags that were to stay and are gone, sorted; the plan's own steps never remove them."""
    return tuple(sorted(tag for tag in plan.keeps if fresh_tags.get(tag) is None))


def _changed(plan: RepositoryPlan, fresh_tags: Mapping[str, Digest | None]) -> dict[str, Digest]:
    """Return the tags that are on another digest than the plan saw, or that it did not see at all."""
    seen = {decision.tag: decision.digest for decision in plan.decisions}
    return {tag: now for tag, now in fresh_tags.items() if now is not None and now != seen.get(tag)}


def _inventory(
    plan: RepositoryPlan, changed: Mapping[str, Digest], manifests: Mapping[Digest, Manifest | Unreadable]
) -> Inventory:
    return Inventory(
        repository=plan.repository,
        taken_at=_NO_TIME,
        tags=tuple(TagState(name=tag, digest=digest) for tag, digest in changed.items()),
        manifests=manifests,
    )


def _with_followers(stopped: Mapping[Digest, str], steps: Iterable[DeleteManifest]) -> dict[Digest, str]:
    """Add to what is stopped everything that comes after it: the children of an index that stays have to stay."""
    followers: defaultdict[Digest, list[Digest]] = defaultdict(list)
    for step in steps:
        for before in step.after:
            followers[before].append(step.digest)
    result = dict(stopped)
    todo = list(stopped)
    while todo:
        digest = todo.pop()
        for follower in sorted(followers.get(digest, ())):
            if follower not in result:
                result[follower] = f"{digest.short} stays, and this belongs to it"
                todo.append(follower)
    return result
