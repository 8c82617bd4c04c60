"""The metrics of an unattended run in Prometheus' text format, for the node exporter or a Pushgateway.

Format: prometheus.io/docs/instrumenting/exposition_formats. Times are seconds since 1970, as Prometheus wants them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from tagsweep.model.decision import Verdict
from tagsweep.model.schedule import AttemptResult
from tagsweep.report.attempt import AttemptReport
from tagsweep.report.results import results_of
from tagsweep.report.totals import verdicts

TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"

_Sample: TypeAlias = tuple[dict[str, str], float | int]
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def metrics(report: AttemptReport) -> str:
    """Return the whole file. A number that is not known is left out, never 0."""
    return "".join(f"{line}\n" for line in _lines(report))


def push_path(report: AttemptReport) -> str:
    """Return the path below a Pushgateway that the metrics replace: one group for each policy.

    A label whose value has slashes is written in base64 there (github.com/prometheus/pushgateway, its README).
    """
    policy = base64.urlsafe_b64encode(report.attempt.policy.encode()).decode().rstrip("=")
    return f"/metrics/job/tagsweep/policy@base64/{policy}"


def _lines(report: AttemptReport) -> Iterator[str]:
    attempt = report.attempt
    own = {"policy": attempt.policy}
    results = [
        ({**own, "result": result.value}, int(attempt.result is result))
        for result in AttemptResult
        if result is not AttemptResult.OPEN
    ]
    yield from _family("last_run_result", "How the last run ended: 1 for its result.", results)
    yield from _family("last_run_exit_code", "Exit code of the last run.", [(own, report.exit_code)])
    yield from _instant("last_run_timestamp_seconds", "When the last run ended.", own, attempt.ended_at)
    yield from _family("last_run_duration_seconds", "How long it took.", [(own, report.took.total_seconds())])
    yield from _instant(
        "last_success_timestamp_seconds", "When a run last ended as it should.", own, report.last_success
    )
    yield from _instant("last_run_due_timestamp_seconds", "The date that the last run was for.", own, attempt.due)
    yield from _instant("next_due_timestamp_seconds", "The next date.", own, report.next_date)
    yield from _repositories(report, own)


def _repositories(report: AttemptReport, own: dict[str, str]) -> Iterator[str]:
    removed: list[_Sample] = []
    kept: list[_Sample] = []
    undecided: list[_Sample] = []
    reclaimable: list[_Sample] = []
    if report.sweep is not None:
        for result in results_of(report.sweep):
            labels = {**own, "repository": str(result.plan.repository)}
            counts = verdicts(result.stayed)
            removed.append((labels, len(result.removed)))
            kept.append((labels, len(result.left) + counts.get(Verdict.KEEP, 0)))
            undecided.append((labels, counts.get(Verdict.UNDECIDED, 0)))
            if result.space is not None:
                reclaimable.append((labels, result.space.reclaimable))
    elif report.plan is not None:
        for part in report.plan.repositories:
            labels = {**own, "repository": str(part.repository)}
            counts = verdicts(part.decisions)
            removed.append((labels, 0))
            kept.append((labels, len(part.decisions) - counts.get(Verdict.UNDECIDED, 0)))
            undecided.append((labels, counts.get(Verdict.UNDECIDED, 0)))
    yield from _family("removed_tags", "Tags that the last run removed.", removed)
    yield from _family("kept_tags", "Tags that the last run left there.", kept)
    yield from _family("undecided_tags", "Tags that stayed because something about them is unknown.", undecided)
    yield from _family("reclaimable_bytes", "What the registry's own collection can free after it.", reclaimable)


def _instant(name: str, text: str, labels: dict[str, str], at: datetime | None) -> Iterator[str]:
    yield from _family(name, text, [] if at is None else [(labels, at.timestamp())])


def _family(name: str, text: str, samples: Sequence[_Sample]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP tagsweep_{name} {text}"
    yield f"# TYPE tagsweep_{name} gauge"
    for labels, value in samples:
        inner = ",".join(f'{key}="{label.translate(_ESCAPES)}"' for key, label in labels.items())
        yield f"tagsweep_{name}{{{inner}}} {value:.15g}"
