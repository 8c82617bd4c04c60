"""The reasons about one tag while they are being collected, and the verdict that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tagsweep.core.derived import Ambiguous, Derived
from tagsweep.model.decision import (
    Decision,
    KeepReason,
    NoRuleMatches,
    NotKept,
    Reason,
    SubjectRemoved,
    UndecidedReason,
    Verdict,
)
from tagsweep.model.inventory import TagState
from tagsweep.model.reference import Digest


@dataclass(slots=True, kw_only=True)
class Draft:
    """One tag with every reason found so far. Mutable, and never leaves the function that decides.

    ``rules`` are the names of the rules that match it; ``removed_with`` is the subject with which a derived tag goes.
    """

    tag: TagState
    derived: Derived | Ambiguous | None
    rules: list[str] = field(default_factory=list)
    keep: list[KeepReason] = field(default_factory=list)
    undecided: list[UndecidedReason] = field(default_factory=list)
    removed_with: Digest | None = None

    @property
    def removable(self) -> bool:
        """Whether anything at all could remove it: a rule that matches it, or the removal of its subject."""
        return bool(self.rules) or self.derived is not None

    @property
    def verdict(self) -> Verdict:
        """What the reasons so far amount to: keep before undecided before remove, and keep where nothing removes."""
        if self.keep or not self.removable:
            return Verdict.KEEP
        return Verdict.UNDECIDED if self.undecided else Verdict.REMOVE

    def decide(self, naming_class: str) -> Decision:
        """Return the finished decision. A tag that stays has no reason for removal among its reasons."""
        verdict = self.verdict
        reasons: tuple[Reason, ...]
        if verdict is Verdict.REMOVE:
            reasons = tuple(NotKept(rule=rule) for rule in sorted(self.rules))
            if self.removed_with is not None:
                reasons += (SubjectRemoved(subject=self.removed_with),)
        else:
            reasons = (*self.keep, *self.undecided) if self.removable else (*self.keep, NoRuleMatches())
        return Decision(
            tag=self.tag.name,
            digest=self.tag.digest,
            verdict=verdict,
            reasons=tuple(dict.fromkeys(reasons)),
            naming_class=naming_class,
        )
