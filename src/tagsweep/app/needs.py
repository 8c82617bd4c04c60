"""What a policy makes it necessary to read, so that nothing else is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.policy import KeepEvery, KeepLabelled, KeepNewest, KeepWithin

if TYPE_CHECKING:
    from tagsweep.model.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What is to be read beside the tag list and the top manifests.

    ``children``: the manifests below the indexes (for sizes, and on the way to configs); ``created`` and ``labels``:
    the image configs; ``origins``: the origins of the times that rules name.
    """

    children: bool = False
    created: bool = False
    labels: bool = False
    annotations: bool = False
    origins: frozenset[TimeOrigin] = frozenset()

    @property
    def configs(self) -> bool:
        """Whether image configs must be read."""
        return self.created or self.labels

    @property
    def images(self) -> bool:
        """Whether the manifests below indexes must be read."""
        return self.children or self.configs or self.annotations


def needs_of(policy: Policy, *, sizes: bool) -> Needs:
    """Return what planning under ``policy`` must read; ``sizes`` asks for the space estimate as well."""
    clauses = [clause for rule in policy.rules for clause in rule.keep]
    timed = [clause for clause in clauses if isinstance(clause, KeepNewest | KeepWithin | KeepEvery)]
    labelled = [clause for clause in clauses if isinstance(clause, KeepLabelled)]
    return Needs(
        children=sizes,
        # The estimate costs a request for every manifest anyway; the configs add the picture over time.
        created=sizes or any(clause.of is TimeOrigin.CREATED for clause in timed),
        labels=any(not clause.annotation for clause in labelled),
        annotations=any(clause.annotation for clause in labelled),
        origins=frozenset(clause.of for clause in timed),
    )
