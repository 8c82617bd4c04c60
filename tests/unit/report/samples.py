"""Sample values for the renderers, shaped like TensorZero's core repository: 226 tags on 190 digests.

118 releases, ``latest`` on the newest of them, and 107 builds by commit, of which 35 share a release's digest.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tagsweep.model.capability import Capabilities, Capability, Support
from tagsweep.model.decision import (
    Decision,
    EvidenceMissing,
    InUse,
    KeptByClause,
    ManifestUnknown,
    NoRuleMatches,
    NotKept,
    SharesDigest,
    TimeUnknown,
    UnresolvedReference,
    Verdict,
)
from tagsweep.model.explanation import Explanation, RuleOutcome
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Kind, Manifest, Platform, Unreadable
from tagsweep.model.plan import DeleteManifest, Plan, RepositoryPlan, Role, RuleCount, SourceAnswer, Space
from tagsweep.model.policy import Evidence, KeepNewest
from tagsweep.model.reference import Digest, Reference, Repository
from tagsweep.model.run import (
    CountPoint,
    Finding,
    Outcome,
    OutcomeKind,
    RestoreKind,
    RestoreOutcome,
    RunRecord,
    RunStatus,
    SweepReport,
    VerifyReport,
)
from tagsweep.report.doctor import DoctorRow, Health

NOW = datetime(2026, 11, 24, 9, 12, tzinfo=UTC)
GATEWAY = Repository.parse("docker.io/tensorzero/gateway")
UI = Repository.parse("docker.io/tensorzero/ui")
RUN = "20261124-091304-7f3a2c"
RULE = "ci builds"

RELEASES = tuple(f"{2024 + n // 59}.{1 + n % 59 // 5}.{n % 59 % 5}" for n in range(118))


def digest(text: str) -> Digest:
    """Return the digest of a text, so that samples are the same in every run."""
    return Digest.parse(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")


def sha_tag(number: int) -> str:
    """Return the tag that CI gave to the n-th commit."""
    return f"sha-{hashlib.sha256(f'commit {number}'.encode()).hexdigest()[:40]}"


LONE = tuple(sha_tag(n) for n in range(72))
SHARING = tuple(sha_tag(n) for n in range(72, 107))
SHARED_WITH = dict(zip(SHARING, RELEASES[60:95], strict=True))
DIGESTS = (
    {tag: digest(tag) for tag in (*RELEASES, *LONE)}
    | {tag: digest(release) for tag, release in SHARED_WITH.items()}
    | {"latest": digest(RELEASES[-1])}
)

DISTRIBUTION_2 = Capabilities(
    delete_tag=Capability(support=Support.NO, why="distribution 2.x answers 405 to DELETE by tag"),
    delete_manifest=Capability(support=Support.YES, why="probed"),
    delete_cost_grows_with_tags=True,
    reclaim="Stop pushes, run “registry garbage-collect CONFIG” (without -m), and start it again.",
)


def kept(tag: str, *reasons: object, naming_class: str, verdict: Verdict = Verdict.KEEP) -> Decision:
    """Return a decision about a tag of the sample."""
    return Decision(
        tag=tag,
        digest=DIGESTS.get(tag),
        verdict=verdict,
        reasons=tuple(reasons),  # type: ignore[arg-type]  # the caller gives reasons
        naming_class=naming_class,
    )


def decisions() -> tuple[Decision, ...]:
    """Return 226 decisions: 72 removed, 34 kept for sharing a digest, one in use, 119 that no rule matches."""
    releases = [kept(tag, NoRuleMatches(), naming_class="release") for tag in RELEASES]
    latest = kept("latest", NoRuleMatches(), naming_class="floating")
    lone = [kept(tag, NotKept(rule=RULE), naming_class="ci-build", verdict=Verdict.REMOVE) for tag in LONE]
    sharing = [
        kept(tag, SharesDigest(digest=DIGESTS[tag], with_tags=(SHARED_WITH[tag],)), naming_class="ci-build")
        for tag in SHARING[1:]
    ]
    used = InUse(
        source="kubernetes/prod",
        where="prod/inference/deploy gateway, container api",
        via="digest",
        reference=f"tensorzero/gateway@{DIGESTS[SHARING[0]].short}",
    )
    shares = SharesDigest(digest=DIGESTS[SHARING[0]], with_tags=(SHARED_WITH[SHARING[0]],))
    return (*releases, latest, *lone, kept(SHARING[0], used, shares, naming_class="ci-build"), *sharing)


def steps(tags: tuple[str, ...] = LONE) -> tuple[DeleteManifest, ...]:
    """Return one root and four children for each tag, roots first."""
    roots = tuple(
        DeleteManifest(digest=DIGESTS[tag], role=Role.ROOT, tags=(tag,), media_type=OCI_INDEX, size=1609)
        for tag in tags
    )
    children = tuple(
        DeleteManifest(
            digest=digest(f"{tag} {part}"), role=Role.CHILD, after=(DIGESTS[tag],), depth=1, media_type=OCI_MANIFEST
        )
        for tag in tags
        for part in ("amd64", "arm64", "amd64 attestation", "arm64 attestation")
    )
    return (*roots, *children)


def gateway() -> RepositoryPlan:
    """Return the plan for the gateway on a registry that deletes by digest only."""
    found = decisions()
    return RepositoryPlan(
        repository=GATEWAY,
        driver="oci",
        capabilities=DISTRIBUTION_2,
        taken_at=NOW,
        decisions=found,
        steps=steps(),
        keeps={d.tag: d.digest for d in found if d.verdict is Verdict.KEEP and d.digest is not None},
        space=Space(before=41_200_000_000, reclaimable=12_900_000_000),
        forecast=timedelta(seconds=45),
    )


def answers() -> tuple[SourceAnswer, ...]:
    """Return what two sources said, one of them with a reference that is not complete."""
    return (
        SourceAnswer(
            source="kubernetes/prod", taken_at=NOW - timedelta(seconds=41), examined=312, unit="references", relevant=3
        ),
        SourceAnswer(
            source="git/deploy",
            taken_at=NOW,
            examined=1204,
            unit="files on 3 branches",
            relevant=2,
            unresolved=("deploy/compose.yml:14  tensorzero/gateway:${TAG}",),
        ),
    )


def plan() -> Plan:
    """Return the plan of the story."""
    return Plan(
        id="7f3a2c51",
        now=NOW,
        valid_until=NOW + timedelta(hours=24),
        tool="tagsweep 0.1.0",
        policy_path="tagsweep.yaml",
        policy_fingerprint=digest("policy").hex,
        repositories=(gateway(),),
        evidence=answers(),
        asked=Evidence(require=("kubernetes/prod", "git/deploy")),
        rules=(RuleCount(rule=RULE, repository=str(GATEWAY), matched=107, kept=0, samples=LONE[:3]),),
    )


def hard_plan() -> Plan:
    """Return a plan with undecided tags, a gap in the evidence, a rule that matched nothing, and no sizes."""
    why = "the token expired after page 3"
    undecided = (
        *(kept(tag, TimeUnknown(rule=RULE, origin=TimeOrigin.PUSHED), naming_class="ci-build") for tag in LONE[:5]),
        kept(LONE[5], EvidenceMissing(source="kubernetes/prod", why=why), naming_class="ci-build"),
        kept(
            LONE[6],
            UnresolvedReference(
                source="git/deploy",
                where="deploy main:compose.yml:14, service ui",
                text="tensorzero/ui:${TAG}",
                path="compose.yml",
            ),
            naming_class="ci-build",
        ),
        kept("weird", ManifestUnknown(why="it lists both manifests and layers"), naming_class=""),
    )
    found = (
        *(replace(decision, verdict=Verdict.UNDECIDED) for decision in undecided),
        kept(LONE[7], KeptByClause(rule=RULE, clause=KeepNewest(count=1), detail="1 of 1"), naming_class="ci-build"),
        kept(
            LONE[9],
            InUse(
                source="git/deploy",
                where="deploy main:charts/ui/values.yaml:7",
                via="pattern",
                reference="tensorzero/ui:sha-{{ .Values.sha }}",
            ),
            naming_class="ci-build",
        ),
        kept(
            LONE[10],
            InUse(
                source="kubernetes/prod",
                where="prod/web/deploy ui, ReplicaSet ui-6f9, container ui",
                via="tag",
                reference=f"tensorzero/ui:{LONE[10]}",
                note="rollback target",
                last_seen=NOW - timedelta(days=7),
            ),
            naming_class="ci-build",
        ),
        kept("2025.1.0", NoRuleMatches(), naming_class="release"),
        kept(LONE[8], NotKept(rule=RULE), naming_class="ci-build", verdict=Verdict.REMOVE),
    )
    ui = replace(
        gateway(),
        repository=UI,
        decisions=found,
        steps=steps(LONE[8:9]),
        space=None,
        forecast=None,
        notes=("The referrers API did not answer, so the fallback tags were read.",),
    )
    gap = SourceAnswer(
        source="kubernetes/prod",
        taken_at=NOW - timedelta(minutes=7),
        examined=90,
        unit="pods",
        relevant=4,
        remembered=1,
        gaps=(why,),
        dangling=("prod/web/deploy ui, container ui  docker.io/tensorzero/ui:2024.13.9",),
    )
    read = replace(
        answers()[1],
        unresolved=("deploy main:compose.yml:14, service ui  tensorzero/ui:${TAG}",),
        protecting=("deploy main:charts/ui/values.yaml:7  tensorzero/ui:sha-{{ .Values.sha }}",),
        ignored=tuple(f"deploy main:tests/case-{n}.yml:3  tensorzero/ui:${{TAG}}" for n in range(6)),
        invalid=("deploy main:docker/Dockerfile:1  'Base Image': repository names are lower case",),
    )
    return replace(
        plan(),
        repositories=(ui,),
        evidence=(gap, read),
        asked=Evidence(require=("kubernetes/prod",), remember=timedelta(days=90)),
        rules=(
            RuleCount(rule=RULE, repository=str(UI), matched=9, kept=1, samples=LONE[:3]),
            RuleCount(rule="protect: pinned by the benchmark", repository=str(UI), matched=0, kept=0),
        ),
    )


def run(status: RunStatus = RunStatus.DONE, removed: int = 72) -> RunRecord:
    """Return the history's line about the sweep."""
    return RunRecord(
        id=RUN,
        plan_id="7f3a2c51",
        status=status,
        started_at=NOW + timedelta(minutes=1),
        ended_at=NOW + timedelta(minutes=1, seconds=47),
        repositories=(str(GATEWAY),),
        planned_tags=72,
        removed_tags=removed,
        counts={"done": 360},
    )


def outcomes() -> tuple[Outcome, ...]:
    """Return the outcomes of a run in which everything went as planned."""
    at = NOW + timedelta(minutes=1)
    return tuple(Outcome(repository=GATEWAY, step=step.key, kind=OutcomeKind.DONE, at=at) for step in steps())


def broken_outcomes() -> tuple[Outcome, ...]:
    """Return outcomes with a failure, what hangs on it, a moved tag, and one step that was not tried."""
    every = list(outcomes())
    every[0] = replace(every[0], kind=OutcomeKind.FAILED, why="docker.io answered 500 to DELETE, four times")
    every[1] = replace(every[1], kind=OutcomeKind.SKIPPED, why="the tag was on another digest: somebody pushed it")
    for n in range(72, 80):
        every[n] = replace(every[n], kind=OutcomeKind.SKIPPED, why="what it depends on stayed")
    return tuple(every[:-1])


def verification() -> VerifyReport:
    """Return a verification that found nothing wrong."""
    return VerifyReport(run_id=RUN, at=NOW + timedelta(minutes=3), tags=154, manifests=590, blobs=1204)


def damage() -> VerifyReport:
    """Return a verification that found one of everything."""
    return replace(
        verification(),
        damage=(
            Finding(
                repository=GATEWAY,
                subject="2025.8.1",
                what="its linux/arm64 manifest answers 404",
                remedy=f"tagsweep restore {RUN} --yes puts the manifest back",
            ),
        ),
        leftovers=(
            Finding(repository=GATEWAY, subject=LONE[0], what="the tag still resolves", remedy="apply the plan again"),
        ),
        moved=(
            Finding(repository=GATEWAY, subject="latest", what="it is on a newer digest, pushed meanwhile", remedy=""),
        ),
    )


def counts() -> tuple[CountPoint, ...]:
    """Return a year of tags by class, the last two points before and after the sweep."""
    known = (
        (NOW - timedelta(days=365), 60, 20, "from push times"),
        (NOW - timedelta(days=270), 74, 41, "from push times"),
        (NOW - timedelta(days=180), 92, 68, "from push times"),
        (NOW - timedelta(days=90), 106, 90, "from push times"),
        (NOW, 118, 107, "counted"),
        (NOW + timedelta(minutes=2), 118, 35, "counted"),
    )
    return tuple(
        CountPoint(at=at, repository=GATEWAY, naming_class=name, tags=tags, origin=origin)
        for at, releases, builds, origin in known
        for name, tags in (("release", releases), ("floating", 1), ("ci-build", builds))
    )


def report() -> SweepReport:
    """Return the record of a sweep that went well."""
    return SweepReport(
        run=run(),
        plan=plan(),
        outcomes=outcomes(),
        verification=verification(),
        space={GATEWAY: Space(before=41_200_000_000, reclaimable=12_900_000_000)},
        counts=counts(),
    )


def broken_report() -> SweepReport:
    """Return the record of a sweep in which steps failed and verification found damage; nothing was measured."""
    plain = replace(gateway(), space=None, notes=("Two tags were pushed while the plan was made.",))
    return SweepReport(
        run=run(RunStatus.DAMAGED, removed=70),
        plan=replace(plan(), repositories=(plain,)),
        outcomes=broken_outcomes(),
        verification=damage(),
        counts=counts()[:3],
    )


def inventory() -> tuple[Inventory, dict[str, str]]:
    """Return the repository as found, with each tag's naming class."""
    manifests: dict[Digest, Manifest | Unreadable] = {
        found: Manifest(digest=found, media_type=OCI_INDEX, size=1609, kind=Kind.INDEX) for found in DIGESTS.values()
    }
    odd = digest("odd")
    manifests[odd] = Unreadable(digest=odd, why="it has Docker's old schema 1")
    names = [*RELEASES, "latest", *LONE, *SHARING]
    tags = [
        TagState(name=name, digest=DIGESTS[name], times={TimeOrigin.PUSHED: NOW - timedelta(days=len(names) - n)})
        for n, name in enumerate(names)
    ]
    tags += [
        TagState(name="odd", digest=odd),
        TagState(name="broken", digest=None, problem="the registry answered 500, four times"),
    ]
    classes = dict.fromkeys(RELEASES, "release") | {"latest": "floating"} | dict.fromkeys(LONE + SHARING, "ci-build")
    found = Inventory(repository=GATEWAY, taken_at=NOW, tags=tuple(tags), manifests=manifests)
    return replace(found, missing=frozenset({digest("missing")})), classes


def explanation() -> Explanation:
    """Return what stands around a tag that is in use and shares a release's digest."""
    tag = SHARING[0]
    decision = next(decision for decision in decisions() if decision.tag == tag)
    children = tuple(
        Descriptor(
            digest=digest(f"{tag} {architecture}"),
            media_type=OCI_MANIFEST,
            platform=Platform("linux", architecture),
            annotations=notes,
        )
        for architecture, notes in (
            ("amd64", {}),
            ("arm64", {}),
            ("unknown", {"vnd.docker.reference.type": "attestation-manifest"}),
            ("unknown", {"vnd.docker.reference.type": "attestation-manifest"}),
        )
    )
    return Explanation(
        reference=Reference.parse(f"{GATEWAY}:{tag}"),
        now=NOW,
        tag=TagState(
            name=tag,
            digest=DIGESTS[tag],
            times={
                TimeOrigin.FIRST_SEEN: NOW - timedelta(days=10),
                TimeOrigin.CREATED: datetime(1970, 1, 1, tzinfo=UTC),
            },
        ),
        decision=decision,
        manifest=Manifest(digest=DIGESTS[tag], media_type=OCI_INDEX, size=1609, kind=Kind.INDEX, children=children),
        siblings=(SHARED_WITH[tag],),
        parents=((digest("outer"), ("nightly",)),),
        referrers=(Descriptor(digest=digest("sbom"), artifact_type="application/spdx+json"),),
        rules=(RuleOutcome(rule=RULE, matched=True, says="matches it; no keep clause keeps it"),),
    )


def restore_outcomes() -> tuple[RestoreOutcome, ...]:
    """Return one restore outcome of each kind, and two that went well."""
    return (
        *(
            RestoreOutcome(repository=GATEWAY, tag=tag, digest=DIGESTS[tag], kind=RestoreKind.RESTORED)
            for tag in LONE[:2]
        ),
        RestoreOutcome(repository=GATEWAY, tag="", digest=digest("child"), kind=RestoreKind.RESTORED),
        RestoreOutcome(repository=GATEWAY, tag=LONE[2], digest=DIGESTS[LONE[2]], kind=RestoreKind.PRESENT),
        RestoreOutcome(
            repository=GATEWAY,
            tag=LONE[3],
            digest=DIGESTS[LONE[3]],
            kind=RestoreKind.MOVED,
            why="somebody pushed it again",
        ),
        RestoreOutcome(
            repository=GATEWAY,
            tag=LONE[4],
            digest=DIGESTS[LONE[4]],
            kind=RestoreKind.COLLECTED,
            why="the registry no longer has 3 of its layers",
        ),
        RestoreOutcome(
            repository=GATEWAY, tag="", digest=digest("x"), kind=RestoreKind.FAILED, why="403: no push right"
        ),
    )


def doctor_rows() -> tuple[DoctorRow, ...]:
    """Return findings of each health about two places."""
    return (
        DoctorRow(
            place="docker.io", subject="credentials", health=Health.OK, what="a token from ~/.docker/config.json"
        ),
        DoctorRow(
            place="docker.io",
            subject="delete a tag",
            health=Health.WARN,
            what="distribution 2.x answers 405 to DELETE by tag",
            remedy="tags that share a digest with a tag that stays will stay",
        ),
        DoctorRow(
            place="state",
            subject="writable",
            health=Health.FAIL,
            what="/var/lib/tagsweep is on a read-only file system",
            remedy="give another directory with --state",
        ),
    )
