"""The page of ``tagsweep explain``: one tag, the verdict about it, and everything that stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from tagsweep.model.decision import UnresolvedReference, Verdict
from tagsweep.model.explanation import Explanation, RuleOutcome
from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.manifest import Kind, Manifest, Unreadable
from tagsweep.model.plan import DeleteManifest, Step, Untag
from tagsweep.report.canvas import PLAIN, Page, Screen, Span, Style
from tagsweep.report.clauses import origin_words
from tagsweep.report.reasons import remedy, sentence
from tagsweep.report.terminal_plan import LOOKS
from tagsweep.report.units import age, count, moment, plural, size
from tagsweep.report.words import listed, sampled

_LABEL = 12
_MOST_REASONS = 20
_MOST_NEIGHBOURS = 10


def explain(explanation: Explanation, *, screen: Screen = PLAIN) -> str:
    """Return what would happen to one tag and why, with what it is made of and what depends on it."""
    page = Page(screen)
    page.line(Span(str(explanation.reference), Style.TITLE))
    if explanation.tag.digest is not None:
        page.line(Span(explanation.tag.digest, Style.DIM), indent=2)
    _verdict(page, explanation)
    _about(page, explanation)
    _neighbours(page, explanation)
    _rules(page, explanation.rules)
    _steps(page, explanation)
    return page.text()


def _verdict(page: Page, explanation: Explanation) -> None:
    decision = explanation.decision
    page.gap()
    words = {
        Verdict.KEEP: "keep: it stays",
        Verdict.UNDECIDED: "undecided: it stays",
        Verdict.REMOVE: "remove: it would go",
    }
    page.line(Span(words[decision.verdict], LOOKS[decision.verdict]), indent=2)
    told: set[str] = set()
    for reason in decision.reasons[:_MOST_REASONS]:
        page.hanging(("    - ",), sentence(reason))
        # One example is enough for the many open references that a source may have.
        kind = reason.source if isinstance(reason, UnresolvedReference) else ""
        if (what := remedy(reason, times=explanation.times)) and (not kind or kind not in told):
            page.hanging(("      ",), f"→ {what}", style=Style.DIM)
            told.add(kind)
    if (more := len(decision.reasons) - _MOST_REASONS) > 0:
        page.line(f"and {plural(more, 'more reason')} (--json lists all)", indent=4)


def _labelled(page: Page, label: str, text: str, *, style: Style = Style.PLAIN) -> None:
    page.hanging(("  ", Span(label.ljust(_LABEL), Style.DIM)), text, style=style)


def _about(page: Page, explanation: Explanation) -> None:
    page.gap()
    tag = explanation.tag
    _labelled(page, "class", explanation.decision.naming_class or "none of the policy's naming classes")
    if tag.digest is None:
        _labelled(page, "digest", f"not resolved: {tag.problem or 'no reason given'}", style=Style.WARN)
    _labelled(page, "manifest", _manifest_words(explanation.manifest))
    label = "times"
    for origin, instant in sorted(tag.times.items(), key=lambda item: item[1]):
        _labelled(page, label, f"{moment(instant)}, {age(instant, explanation.now)}: {origin_words(origin)}")
        label = ""
    if not tag.times:
        _labelled(page, label, "none known")
    if explanation.times is not None:
        known = [origin_words(origin) for origin in TimeOrigin if origin in explanation.times]
        _labelled(page, "known here", listed(known, most=len(known)) or "no times of any tag")


def _manifest_words(manifest: Manifest | Unreadable | None) -> str:
    match manifest:
        case None:
            return "not read"
        case Unreadable(why=why):
            return f"not understood: {why}"
        case Manifest(kind=Kind.INDEX, children=children):
            platforms = [str(child.platform) for child in children if child.platform and not child.is_attestation]
            attestations = sum(child.is_attestation for child in children)
            parts = [f"index of {plural(len(children), 'manifest')}"]
            parts += [listed(platforms, most=6)] if platforms else []
            parts += [plural(attestations, "attestation")] if attestations else []
            return "; ".join(parts)
        case Manifest(layers=layers, config=config):
            sizes = [layer.size for layer in layers] + ([config.size] if config is not None else [])
            known = sum(part for part in sizes if part is not None)
            return f"image of {plural(len(layers), 'layer')}, {size(known)} compressed"
        case _:
            assert_never(manifest)


def _neighbours(page: Page, explanation: Explanation) -> None:
    if explanation.siblings:
        _labelled(page, "same digest", sampled(explanation.siblings, most=5))
    _several(
        page,
        "inside",
        [
            f"{digest.short}, tagged {sampled(tags)}" if tags else f"{digest.short}, untagged"
            for digest, tags in explanation.parents
        ],
    )
    _several(
        page,
        "referrer",
        [
            f"{referrer.digest.short} {referrer.artifact_type or referrer.media_type}".rstrip()
            for referrer in explanation.referrers
        ],
    )


def _several(page: Page, label: str, lines: Sequence[str]) -> None:
    for line in lines[:_MOST_NEIGHBOURS]:
        _labelled(page, label, line)
    if (more := len(lines) - _MOST_NEIGHBOURS) > 0:
        _labelled(page, label, f"and {count(more)} more (--json lists all)")


def _rules(page: Page, rules: tuple[RuleOutcome, ...]) -> None:
    label = "rules"
    for rule in rules:
        style = Style.PLAIN if rule.matched else Style.DIM
        words = rule.says or ("matches it" if rule.matched else "does not match it")
        _labelled(page, label, f"{rule.rule}: {words}", style=style)
        label = ""


def _steps(page: Page, explanation: Explanation) -> None:
    page.gap()
    if not explanation.steps:
        page.paragraph("A plan made now would do nothing about it.", indent=2)
        return
    page.line("A plan made now would", indent=2)
    for step in explanation.steps:
        page.hanging(("    - ",), step_sentence(step))


def step_sentence(step: Step) -> str:
    """Return what one step does: ``remove the tag sha-12c9d60…``, ``delete sha256:9f86d081884c with its tags …``."""
    match step:
        case Untag(tag=tag, expects=expects):
            return f"remove the tag {tag} and nothing else (it is on {expects.short})"
        case DeleteManifest(digest=digest, role=role, tags=tags):
            with_tags = f" with {'its tag' if len(tags) == 1 else 'its tags'} {sampled(tags)}" if tags else ""
            return f"delete {digest.short}{with_tags} ({role.value})"
        case _:
            assert_never(step)
