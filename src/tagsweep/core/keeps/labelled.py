"""The keep clause ``labelled``: tags whose image has a config label, or whose manifest has an annotation."""

from __future__ import annotations

from collections.abc import Sequence

from tagsweep.core.keeps.context import Context, Says, Verdicts
from tagsweep.model.decision import KeptByClause, LabelsUnknown
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.manifest import Manifest
from tagsweep.model.policy import KeepLabelled
from tagsweep.model.reference import Digest


def keep_labelled(clause: KeepLabelled, candidates: Sequence[TagState], context: Context) -> Verdicts:
    """Keep each tag that has the label (or annotation) with the value, or with any value where none is given.

    Labels and annotations are different places and are never mixed. What was not read could have it: undecided.
    """
    verdicts: dict[str, Says] = {}
    for tag in candidates:
        values, complete = (
            _annotation(tag, clause.key, context.inventory) if clause.annotation else _label(tag, clause.key)
        )
        found = sorted(value for value in values if clause.value is None or value == clause.value)
        if found:
            detail = f"{clause.key}={found[0]}"
            verdicts[tag.name] = KeptByClause(rule=context.rule, clause=clause, detail=detail)
        elif not complete:
            verdicts[tag.name] = LabelsUnknown(rule=context.rule, key=clause.key)
    return verdicts


def _label(tag: TagState, key: str) -> tuple[frozenset[str], bool]:
    if tag.labels is None:
        return frozenset(), False
    return tag.labels.get(key, frozenset()), True


def _annotation(tag: TagState, key: str, inventory: Inventory) -> tuple[frozenset[str], bool]:
    """Return the annotation's values on the manifest, on its platforms and on their descriptors, and whether all of
    them were read. BuildKit's attestations are no platform and are not asked.
    """
    if tag.digest is None:
        return frozenset(), False
    values: set[str] = set()
    complete = True
    seen: set[Digest] = set()
    todo = [tag.digest]
    while todo:
        digest = todo.pop()
        if digest in seen:
            continue
        seen.add(digest)
        manifest = inventory.manifests.get(digest)
        if not isinstance(manifest, Manifest):
            complete = False
            continue
        platforms = [child for child in manifest.children if not child.is_attestation]
        places = (manifest.annotations, *(child.annotations for child in platforms))
        values.update(place[key] for place in places if key in place)
        todo.extend(child.digest for child in platforms)
    return frozenset(values), complete
