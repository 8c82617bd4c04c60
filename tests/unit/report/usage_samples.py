"""Sample values of what is in use, for the pages of ``usage`` and the lines of ``watch``."""

from __future__ import annotations

from datetime import timedelta

from tagsweep.core.open_references import Standing
from tagsweep.model.decision import EvidenceMissing
from tagsweep.model.reference import Reference
from tagsweep.model.usage import Unresolved, Usage
from tagsweep.report.usage import OpenReference, UsageView, Used
from tagsweep.report.watch import Round, Told
from tests.unit.report import samples


def usage_view() -> UsageView:
    """Return what is in use in the gateway and the ui: now, only remembered, broken, by digest, in many places."""
    pods = tuple(
        Usage(
            reference=Reference(samples.GATEWAY, "2026.4.1"),
            source="kubernetes/prod",
            where=f"prod/inference/pod gateway-{n}, container api",
        )
        for n in range(12)
    )
    old = Usage(
        reference=Reference(samples.GATEWAY, None, samples.digest("old")),
        source="kubernetes/prod",
        where="prod/inference/deploy gateway, ReplicaSet gateway-6f9, container api",
        note="rollback target",
        last_seen=samples.NOW - timedelta(days=7),
    )
    broken = Usage(
        reference=Reference(samples.UI, "2024.13.9"), source="git/deploy", where="deploy main:ui.yml:3, service ui"
    )
    opened = Unresolved(
        text="tensorzero/ui:${TAG}",
        source="git/deploy",
        where="deploy main:compose.yml:14, service ui",
        repository=samples.UI,
        path="compose.yml",
    )
    gap, read = samples.hard_plan().evidence
    return UsageView(
        now=samples.NOW,
        targets=("docker.io/tensorzero/*",),
        used=(
            Used(reference=pods[0].reference, places=pods, exists=True),
            Used(reference=old.reference, places=(old,), exists=True),
            Used(reference=broken.reference, places=(broken,), exists=False),
        ),
        opened=(OpenReference(entry=opened, standing=Standing.UNDECIDED),),
        answers=(gap, read),
        asked=samples.hard_plan().asked,
        sources=(),
        missing=(EvidenceMissing(source="kubernetes/prod", why="it did not see everything: the token expired"),),
        checked=True,
        unchecked=("ghcr.io/acme/api was not checked: 403",),
    )


def watch_round() -> Round:
    """Return the second round of a watch, with something of everything."""
    return Round(
        number=2,
        at=samples.NOW,
        took=timedelta(seconds=2.4),
        told=(
            Told(
                source="kubernetes/prod",
                places=410,
                new=tuple(f"docker.io/tensorzero/gateway:2026.4.{n} (prod/inference/deploy g{n})" for n in range(4)),
                gone=(f"docker.io/tensorzero/gateway@{samples.digest('old')} (prod/inference/deploy gateway)",),
            ),
            Told(source="git/deploy", places=3, unresolved=1, gaps=("branch release/1: the server answered 503",)),
            Told(source="list/hold", error="the ledger cannot be written: no space left on device"),
        ),
    )
