"""The documents of ``--json``: one function for each command, each with ``schema`` and ``version``.

A program may rely on the names here; a field is added freely, and ``version`` grows when one changes or goes.
Times are ISO 8601 in UTC, durations seconds, sizes bytes. Reasons are
``{"code", "text", "remedy", "facts"}``: act on the code and its facts, never on the text.
The plan *file* has its own format, which ``stores.planfile`` owns; the plan document here is for reading only.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from tagsweep.core.cleanliness import Cleanliness
from tagsweep.model.decision import Decision, KeptByClause, Reason
from tagsweep.model.errors import TagsweepError
from tagsweep.model.explanation import Explanation
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.manifest import Manifest, Unreadable
from tagsweep.model.plan import DeleteManifest, GuardRefusal, Plan, RepositoryPlan, SourceAnswer, Space, Step, Untag
from tagsweep.model.policy import Evidence
from tagsweep.model.reference import Reference, Repository
from tagsweep.model.run import Outcome, RestoreOutcome, RunRecord, SweepReport, VerifyReport
from tagsweep.report.clauses import clause_code, clause_words
from tagsweep.report.doctor import DoctorRow
from tagsweep.report.evidence import open_words
from tagsweep.report.reasons import code, remedy, sentence
from tagsweep.report.results import RepositoryResult, results_of
from tagsweep.report.totals import space_of, verdicts
from tagsweep.report.usage import UsageView, Used
from tagsweep.report.watch import Round

VERSION: Final = 1

Document = dict[str, Any]


def dump(document: Document) -> str:
    """Return the document as indented JSON with a newline at its end.

    ASCII only, because it is also printed: no terminal acts on it and every encoding of standard output has it.
    """
    return json.dumps(document, indent=2) + "\n"


def dump_line(document: Document) -> str:
    """Return the document as one line of ASCII JSON, for commands that print one after the other."""
    return json.dumps(document) + "\n"


def inventory(inventories: Iterable[tuple[Inventory, Mapping[str, str], Cleanliness]]) -> Document:
    """Return the repositories with all their tags; each mapping gives the tags' naming classes."""
    return _document("inventory", repositories=[_inventory(*found) for found in inventories])


def plan(plan: Plan, *, path: str = "") -> Document:
    """Return a plan with every decision and step; ``path`` is the plan file, where one was written."""
    return _document(
        "plan",
        path=path,
        id=plan.id,
        now=_plain(plan.now),
        valid_until=_plain(plan.valid_until),
        policy={"path": plan.policy_path, "fingerprint": plan.policy_fingerprint},
        removals=plan.removals,
        evidence={
            "waived": plan.asked.waived,
            "require": list(plan.asked.require),
            "answers": [_answer(answer, plan.asked) for answer in plan.evidence],
            "remedy": open_words(plan),
        },
        rules=_plain(plan.rules),
        space=_space(space_of(repository.space for repository in plan.repositories)),
        repositories=[_repository_plan(repository) for repository in plan.repositories],
    )


def refused(refusals: Sequence[GuardRefusal]) -> Document:
    """Return the guards that refuse a plan."""
    return _document("refusal", refusals=_plain(refusals))


def error(error: TagsweepError) -> Document:
    """Return an error with the exit code that the process ends with."""
    return _document(
        "error", error=type(error).__name__, message=str(error), remedy=error.remedy, exit_code=error.exit_code
    )


def explain(explanation: Explanation) -> Document:
    """Return one tag, the verdict about it and what stands around it."""
    return _document(
        "explanation",
        reference=str(explanation.reference),
        now=_plain(explanation.now),
        tag=_tag(explanation.tag, explanation.decision.naming_class),
        decision=_decision(explanation.decision, times=explanation.times),
        times=_plain(explanation.times),
        manifest=_manifest(explanation.manifest),
        siblings=list(explanation.siblings),
        parents=[{"digest": digest, "tags": list(tags)} for digest, tags in explanation.parents],
        referrers=_plain(explanation.referrers),
        rules=_plain(explanation.rules),
        steps=[_step(step) for step in explanation.steps],
    )


def applied(run: RunRecord, outcomes: Iterable[Outcome]) -> Document:
    """Return how a run ended, with the outcome of each step."""
    return _document("run", run=_plain(run), outcomes=_plain(tuple(outcomes)))


def verified(report: VerifyReport) -> Document:
    """Return what verification found."""
    return _document("verification", ok=report.ok, **_plain(report))


def restored(outcomes: Sequence[RestoreOutcome]) -> Document:
    """Return what was put back and what was not."""
    return _document("restore", outcomes=_plain(outcomes))


def history(runs: Sequence[RunRecord]) -> Document:
    """Return the runs in the order given."""
    return _document("history", runs=_plain(runs))


def doctor(rows: Sequence[DoctorRow]) -> Document:
    """Return what the doctor found."""
    return _document("doctor", findings=_plain(rows))


def usage(view: UsageView) -> Document:
    """Return everything in use that was found, every open reference, and who was asked."""
    missing = [{"source": reason.source, "why": reason.why, "remedy": remedy(reason)} for reason in view.missing]
    return _document(
        "usage",
        now=_plain(view.now),
        targets=_plain(view.targets),
        references=[_used(used) for used in view.used],
        unresolved=[{**_plain(each.entry), "read": each.standing.value} for each in view.opened],
        waived=view.asked.waived,
        sources=[_answer(answer, view.asked) for answer in view.answers],
        missing=missing,
        checked=view.checked,
        unchecked=list(view.unchecked),
    )


def watched(round_: Round) -> Document:
    """Return one round of watching."""
    return _document("watch", **_plain(round_))


def sweep(report: SweepReport) -> Document:
    """Return the whole record of a sweep: run, plan, what happened, verification, space and counts over time."""
    results = results_of(report)
    return _document(
        "sweep",
        run=_plain(report.run),
        space=_space(space_of(result.space for result in results)),
        repositories=[_result(result) for result in results],
        verification=None
        if report.verification is None
        else {"ok": report.verification.ok} | _plain(report.verification),
        counts=_plain(report.counts),
        outcomes=_plain(report.outcomes),
        plan=plan(report.plan),
    )


# --- parts --------------------------------------------------------------------------------------------------------
def _document(schema: str, **fields: Any) -> Document:
    return {"schema": f"tagsweep/{schema}", "version": VERSION, **fields}


def _plain(value: Any) -> Any:  # noqa: PLR0911  # one return for each kind of value
    """Return a value of the model as JSON has it; dataclasses become objects of their fields."""
    match value:
        case Repository() | Reference():
            return str(value)
        case Enum():
            return value.value
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case frozenset():
            return sorted(_plain(part) for part in value)
        case Mapping():
            return {str(_plain(key)): _plain(part) for key, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return value


def _reason(reason: Reason, times: frozenset[TimeOrigin] | None) -> Document:
    facts = _plain(reason)
    if isinstance(reason, KeptByClause):
        facts["clause"] = {"code": clause_code(reason.clause), "text": clause_words(reason.clause), **facts["clause"]}
    return {"code": code(reason), "text": sentence(reason), "remedy": remedy(reason, times=times), "facts": facts}


def _decision(decision: Decision, *, times: frozenset[TimeOrigin] | None = None) -> Document:
    return {
        "tag": decision.tag,
        "digest": decision.digest,
        "class": decision.naming_class,
        "verdict": decision.verdict.value,
        "reasons": [_reason(reason, times) for reason in decision.reasons],
    }


def _used(used: Used) -> Document:
    reference = used.reference
    return {
        "reference": str(reference),
        "repository": str(reference.repository),
        "tag": reference.tag,
        "digest": reference.digest,
        "exists": used.exists,
        "places": [
            {"source": one.source, "where": one.where, "note": one.note, "last_seen": _plain(one.last_seen)}
            for one in used.places
        ],
    }


def _answer(answer: SourceAnswer, asked: Evidence) -> Document:
    return {**_plain(answer), "complete": not answer.gaps, "required": answer.source in asked.require}


def _space(space: Space | None) -> Document | None:
    return None if space is None else {**_plain(space), "after": space.after}


def _step(step: Step) -> Document:
    match step:
        case Untag():
            return {"step": "untag", "key": step.key, **_plain(step)}
        case DeleteManifest():
            return {"step": "delete-manifest", "key": step.key, **_plain(step)}


def _repository_plan(repository: RepositoryPlan) -> Document:
    found = verdicts(repository.decisions)
    return {
        "repository": str(repository.repository),
        "driver": repository.driver,
        "capabilities": _plain(repository.capabilities),
        "taken_at": _plain(repository.taken_at),
        "tags": {"all": len(repository.decisions), **{verdict.value: number for verdict, number in found.items()}},
        "space": _space(repository.space),
        "forecast": _plain(repository.forecast),
        "notes": list(repository.notes),
        "decisions": [_decision(decision, times=repository.capabilities.times) for decision in repository.decisions],
        "steps": [_step(step) for step in repository.steps],
    }


def _tag(tag: TagState, naming_class: str) -> Document:
    return {
        "name": tag.name,
        "class": naming_class,
        "digest": tag.digest,
        "times": _plain(tag.times),
        "labels": _plain(tag.labels),
        "problem": tag.problem,
        "absent": tag.absent,
    }


def _manifest(manifest: Manifest | Unreadable | None) -> Document | None:
    match manifest:
        case None:
            return None
        case Manifest():
            return {"readable": True, **_plain(manifest)}
        case Unreadable():
            return {"readable": False, **_plain(manifest)}


def _inventory(inventory: Inventory, classes: Mapping[str, str], clean: Cleanliness) -> Document:
    return {
        "repository": str(inventory.repository),
        "taken_at": _plain(inventory.taken_at),
        "tags": [_tag(tag, classes.get(tag.name, "")) for tag in inventory.tags],
        "manifests_read": len(inventory.manifests),
        "unreadable": [_plain(m) for m in inventory.manifests.values() if isinstance(m, Unreadable)],
        "missing": _plain(inventory.missing),
        "unnamed": list(clean.unnamed),
        "immutable_moved": list(clean.moved),
        "since": _plain(clean.since),
    }


def _result(result: RepositoryResult) -> Document:
    return {
        "repository": str(result.plan.repository),
        "removed": [decision.tag for decision in result.removed],
        "not_removed": [decision.tag for decision in result.left],
        "kept": len(result.stayed),
        "manifests_deleted": result.manifests,
        "space": _space(result.space),
        "troubles": _plain(result.troubles),
    }
