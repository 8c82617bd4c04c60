"""Writing a sweep down: the changelog that the policy names, and the report in each format.

That the record can be written is proved before the first deletion, so that nothing is removed without a trace.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tagsweep.model.errors import StateError
from tagsweep.model.run import RestoreKind
from tagsweep.stores import durable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tagsweep.app.session import Session
    from tagsweep.model.plan import Plan
    from tagsweep.model.run import RestoreOutcome, RunRecord, SweepReport


def changelog_path(plan: Plan) -> Path | None:
    """Return where the plan's changelog is: relative to the policy file, or None if it names none."""
    return _beside_policy(plan, plan.record.changelog)


def reports_path(plan: Plan) -> Path | None:
    """Return the directory that the policy names for reports, or None."""
    return _beside_policy(plan, plan.record.reports)


def _beside_policy(plan: Plan, name: str | None) -> Path | None:
    return None if name is None else beside(plan.policy_path, name)


def beside(policy_path: str, name: str) -> Path:
    """Return the path ``name`` of a policy, which begins at its directory."""
    base = Path(policy_path).parent
    # A plan that was made on another machine: its policy's directory is not here, the working directory is.
    return (base if base.is_dir() else Path()) / name


def check_record(plan: Plan) -> None:
    """Raise StateError if the record of this plan could not be written; leaves nothing behind."""
    changelog = changelog_path(plan)
    if changelog is not None:
        target = _target(changelog)  # a link is written through: where it leads to is what has to be writable
        _check_writable(target.parent, changelog)
        if target.exists():
            _read(target)
    reports = reports_path(plan)
    if reports is not None:
        _check_writable(reports, reports)


def _target(path: Path) -> Path:
    with durable.mapped(path, "written"):
        return durable.target_of(path)


def _check_writable(directory: Path, what: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".tagsweep-"):
            pass
    except OSError as error:
        raise StateError(
            f"{what} cannot be written: {error.strerror or error}",
            remedy="make it writable or name another place under record: in the policy; nothing was deleted",
        ) from error


def _read(path: Path) -> str:
    try:
        # newline="" keeps CRLF as it is
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(
            f"{path} cannot be read as UTF-8 text: {error}", remedy="name another file under record: changelog:"
        ) from error


def write_record(report: SweepReport, *, session: Session) -> tuple[Path, ...]:
    """Write the changelog entry and all reports, and return where; the same run writes the same entry once."""
    from tagsweep.report import html, json_report, markdown, removed_csv  # noqa: PLC0415 (only a sweep needs them)

    texts = {
        "report.md": markdown.sweep(report),
        "report.html": html.sweep(report),
        "report.json": json_report.dump(json_report.sweep(report)),
        "removed.csv": removed_csv.removed(report),
    }
    written = []
    run = report.run.id
    own = session.state.run_directory(run).path
    named = reports_path(report.plan)
    for name, text in texts.items():
        if session.state.elsewhere is None:  # a working copy goes when the command ends
            written.append(own / name)
        durable.write_file(own / name, text.encode(), mode=0o644)
        if named is not None:
            written.append(named / f"{run}-{name}")
            durable.write_file(named / f"{run}-{name}", text.encode(), mode=0o644)
    path = changelog_path(report.plan)
    if path is not None:
        _write_changelog(path, report, due=session.ledger.due_of_plan(report.plan.id))
        written.append(path)
    return tuple(written)


def _write_changelog(path: Path, report: SweepReport, *, due: datetime | None = None) -> None:
    from tagsweep.report import changelog  # noqa: PLC0415 (only a sweep needs it)

    write_entry(path, changelog.entry(report, due=due), run_id=report.run.id)


def record_restore(run: RunRecord, plan: Plan, outcomes: Sequence[RestoreOutcome], *, session: Session) -> None:
    """Write into the plan's changelog, if it names one, that a run was taken back, and what of it could not be.

    A restore that found all as it was leaves no entry. Raises StateError; what was put back stays so.
    """
    from tagsweep.report import changelog  # noqa: PLC0415 (only a restore needs it)

    path = changelog_path(plan)
    if path is None or all(one.kind is RestoreKind.PRESENT for one in outcomes):
        return
    now = session.clock.now()
    entry_id = f"{run.id}-restored-{now:%Y%m%dT%H%M%SZ}"
    write_entry(path, changelog.restore_entry(outcomes, run_id=run.id, entry_id=entry_id, at=now), run_id=entry_id)


def write_entry(path: Path, entry: str, *, run_id: str) -> None:
    """Put an entry into a changelog, once for each ``run_id``; raises StateError."""
    from tagsweep.report.changelog_file import insert  # noqa: PLC0415 (only a sweep needs it)

    target = _target(path)
    with _alone(target.parent):
        existing = _read(target) if target.exists() else ""
        text = insert(existing, entry, run_id=run_id)
        if text != existing:
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
            durable.write_file(target, text.encode(), mode=mode)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory: two runs that write into one changelog do it one after the other."""
    with durable.mapped(directory, "locked"):
        descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: better without one than no record
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
