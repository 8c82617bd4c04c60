"""Which tags of a repository a rule or protection matches, and what the rule's keep clauses say about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tagsweep.core.classify import Classifier
from tagsweep.core.keeps import Context, Says, apply_clause
from tagsweep.core.patterns import repository_matches
from tagsweep.model.decision import KeptByClause, LabelsUnknown, TimeUnknown, VersionUnreadable
from tagsweep.model.explanation import RuleOutcome
from tagsweep.model.inventory import Inventory, TagState
from tagsweep.model.policy import Policy, Protection, Rule
from tagsweep.model.reference import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEvaluation:
    """A rule on one repository: what it ``matched``, in inventory order, and what its clauses say, by tag."""

    rule: Rule
    matched: tuple[str, ...]
    says: Mapping[str, tuple[Says, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionEvaluation:
    """A protection on one repository and what it ``matched``, in inventory order."""

    protection: Protection
    matched: tuple[str, ...]


def applies(repositories: tuple[str, ...], repository: Repository) -> bool:
    """Tell whether globs over full repository names mean this one; no globs mean every repository."""
    return not repositories or any(repository_matches(glob, str(repository)) for glob in repositories)


def protection_label(protection: Protection) -> str:
    """Return the name under which a protection is counted (``RuleCount.rule``); it never equals a rule's by chance."""
    return f"protect: {protection.reason}"


def evaluate_rule(rule: Rule, inventory: Inventory, classifier: Classifier, *, now: datetime) -> RuleEvaluation | None:
    """Return what the rule says about the repository, or None where it does not apply to it.

    Each clause sees all tags that the rule matches; no clause and no other rule takes any away before it looks.
    """
    if not applies(rule.repositories, inventory.repository):
        return None
    candidates = [tag for tag in inventory.tags if _rule_matches(rule, tag, classifier)]
    context = Context(rule=rule.name, patterns=classifier.patterns(rule.match), now=now, inventory=inventory)
    says: defaultdict[str, list[Says]] = defaultdict(list)
    for clause in rule.keep:
        for name, said in apply_clause(clause, candidates, context).items():
            says[name].append(said)
    return RuleEvaluation(
        rule=rule,
        matched=tuple(tag.name for tag in candidates),
        says={name: tuple(dict.fromkeys(each)) for name, each in says.items()},
    )


def evaluate_protection(
    protection: Protection, inventory: Inventory, classifier: Classifier
) -> ProtectionEvaluation | None:
    """Return the tags that the protection matches, or None where it does not apply to the repository."""
    if not applies(protection.repositories, inventory.repository):
        return None
    matched = tuple(tag.name for tag in inventory.tags if classifier.matches(protection.match, tag.name))
    return ProtectionEvaluation(protection=protection, matched=matched)


def explain_rules(inventory: Inventory, policy: Policy, tag: str, now: datetime) -> tuple[RuleOutcome, ...]:
    """Return, for every rule of the policy in its order, whether it matches ``tag`` and what its clauses say."""
    classifier = Classifier(policy.naming)
    return tuple(_explain(rule, inventory, classifier, tag, now) for rule in policy.rules)


def _explain(rule: Rule, inventory: Inventory, classifier: Classifier, tag: str, now: datetime) -> RuleOutcome:
    evaluation = evaluate_rule(rule, inventory, classifier, now=now)
    if evaluation is None:
        return RuleOutcome(rule=rule.name, matched=False, says="it is not for this repository")
    if tag not in evaluation.matched:
        excluded = classifier.matches(rule.match, tag)
        return RuleOutcome(rule=rule.name, matched=False, says="its exclude matches" if excluded else "")
    said = evaluation.says.get(tag, ())
    words = "; ".join(_words(each) for each in said) if said else "no clause keeps it"
    return RuleOutcome(rule=rule.name, matched=True, says=words)


def _words(said: Says) -> str:
    match said:
        case KeptByClause():
            return f"keeps it: {said.detail}" if said.detail else "keeps it"
        case TimeUnknown():
            return f"its {said.origin.value} time is not known"
        case VersionUnreadable():
            return f"it is no {said.scheme} version"
        case LabelsUnknown():
            return f"whether it has {said.key} is not known"


def _rule_matches(rule: Rule, tag: TagState, classifier: Classifier) -> bool:
    return classifier.matches(rule.match, tag.name) and not classifier.matches(rule.exclude, tag.name)
