"""Looking only: what is in the repositories, with the class of each tag. Nothing is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tagsweep.app.discover import discover
from tagsweep.app.needs import Needs
from tagsweep.app.targets import expand_targets
from tagsweep.core.classify import Classifier
from tagsweep.core.cleanliness import cleanliness
from tagsweep.core.storage import space
from tagsweep.core.timeline import count_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tagsweep.app.session import Session
    from tagsweep.core.cleanliness import Cleanliness
    from tagsweep.model.inventory import Inventory
    from tagsweep.model.plan import Space
    from tagsweep.model.policy import NamingClass


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One repository as it is, the class of each tag, its space where that was asked for, and how clean it is."""

    inventory: Inventory
    classes: Mapping[str, str]
    space: Space | None
    cleanliness: Cleanliness


def view(
    targets: Sequence[str], naming: tuple[NamingClass, ...], *, needs: Needs, session: Session
) -> tuple[View, ...]:
    """Return what is in the repositories that the targets name."""
    now = session.clock.now()
    classifier = Classifier(naming)
    views = []
    for repository in expand_targets(targets, session):
        last = session.ledger.last_look(repository)
        inventory = discover(repository, needs=needs, session=session, now=now)
        classes = {tag.name: classifier.class_of(tag.name) for tag in inventory.tags}
        if naming:  # without classes there is nothing that the picture of the classes over time could use
            session.ledger.record_counts(count_points(repository, classes, at=now))
        used = space(inventory.manifests, kept=inventory.manifests.keys(), removed=()) if needs.children else None
        clean = cleanliness(inventory, naming, earlier=session.ledger.earlier_digests(repository), last=last)
        views.append(View(inventory=inventory, classes=classes, space=used, cleanliness=clean))
    return tuple(views)
