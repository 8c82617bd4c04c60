"""How a run ended, in the shapes that chat services, webhooks, mail and the summaries of CI jobs take."""

from __future__ import annotations

from typing import Any, Final

from tagsweep.report import markdown
from tagsweep.report.attempt import AttemptReport, event, facts, title
from tagsweep.report.markdown_text import escape
from tagsweep.report.words import clean

VERSION: Final = 1
_MOST_CHARACTERS: Final = 2900
"""Slack refuses a section of more than 3,000 characters; no other service needs more."""
_MOST_SUMMARY: Final = 900_000
"""GitHub takes a mebibyte for the summary of a step."""


def webhook(report: AttemptReport) -> dict[str, Any]:
    """Return our own document, for programs."""
    attempt, totals = report.attempt, report.totals
    space = None if totals is None else totals.space
    return {
        "schema": "tagsweep/notification",
        "version": VERSION,
        "event": event(attempt.result).value,
        "result": attempt.result.value,
        "title": title(report),
        "facts": list(facts(report)),
        "policy": attempt.policy,
        "run": attempt.run_id,
        "plan": attempt.plan_id,
        "due": None if attempt.due is None else attempt.due.isoformat(),
        "next_due": None if report.next_date is None else report.next_date.isoformat(),
        "removed_tags": report.removed,
        "unknown_tags": report.unknown,
        "kept_tags": None if totals is None else totals.stayed,
        "undecided_tags": None if totals is None else totals.undecided,
        "reclaimable_bytes": None if space is None else space.reclaimable,
        "seconds": report.took.total_seconds(),
        "exit_code": report.exit_code,
        "link": report.link or None,
    }


def slack(report: AttemptReport) -> dict[str, Any]:
    """Return what Slack's incoming webhooks take: the title also alone, for the preview on a phone."""
    head = _heading(report)
    body = _slack_text("\n".join(facts(report)))[:_MOST_CHARACTERS]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{_slack_text(head)}*\n{body}"}}
    ]
    if report.link:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{_slack_text(report.link)}|Open>"}})
    return {"text": _slack_text(head), "blocks": blocks}


def teams(report: AttemptReport) -> dict[str, Any]:
    """Return what the webhooks of Teams' workflows take: an adaptive card."""
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": _card_text(_heading(report)), "weight": "Bolder", "wrap": True},
            *({"type": "TextBlock", "text": _card_text(line), "wrap": True} for line in facts(report)),
        ],
    }
    if report.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": report.link}]
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def plain(report: AttemptReport) -> tuple[str, str]:
    """Return subject and body of a mail."""
    lines = [clean(line) for line in facts(report)]
    if report.link:
        lines += ["", clean(report.link)]
    return _heading(report), "\n".join([*lines, ""])


def summary(report: AttemptReport) -> str:
    """Return Markdown for the summary of a CI job: how it ended, and the plan or the record of the sweep."""
    head = "\n".join([f"## {escape(_heading(report))}", "", *(f"- {escape(line)}" for line in facts(report)), ""])
    if report.sweep is not None:
        body = markdown.sweep(report.sweep)
    elif report.plan is not None:
        body = markdown.plan(report.plan)
    else:
        return head
    if len(body.encode()) > _MOST_SUMMARY:
        body = "The whole record is too long for this page; it is among the files of the run.\n"
    return f"{head}\n{body}"


def _heading(report: AttemptReport) -> str:
    return clean(f"tagsweep: {title(report)}")


def _slack_text(text: str) -> str:
    """Return text in which Slack finds no mention, link or entity."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _card_text(text: str) -> str:
    """Return text in which an adaptive card finds no Markdown."""
    return "".join(f"\\{character}" if character in "\\`*_[]()#~" else character for character in clean(text))
