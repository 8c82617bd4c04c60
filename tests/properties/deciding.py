"""Random repositories, policies and evidence for the laws of deciding; small, so that everything meets everything."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Kind, Manifest, Unreadable
from tagsweep.model.policy import (
    Evidence,
    Glob,
    KeepAll,
    KeepClause,
    KeepEvery,
    KeepLabelled,
    KeepNamed,
    KeepNewest,
    KeepNewestVersions,
    KeepWithin,
    Names,
    Pattern,
    Period,
    Policy,
    Protection,
    Regex,
    Rule,
    VersionPattern,
    VersionScheme,
)
from tagsweep.model.reference import Digest, Reference
from tagsweep.model.usage import Coverage, Unresolved, Usage, UsageReport
from tests.unit.core.builders import NOW, REPOSITORY, SOURCE, days_ago, digest

MANIFESTS = tuple(f"m{n}" for n in range(6))
ORDINARY = (*(f"sha-{n}" for n in range(6)), "v1.0.0", "v1.1.0", "v2.0.0-rc.1", "latest")
DERIVED = tuple(digest(name).fallback_tag() + suffix for name in MANIFESTS[:4] for suffix in ("", ".sig"))
PATTERNS: tuple[Pattern, ...] = (
    Glob("sha-*"),
    Glob("*"),
    Glob("sha-[0-2]"),
    Glob("v*"),
    Regex("sha-[024]|latest"),
    Regex("(?P<kind>sha|v).*"),
    Names(frozenset({"latest", "sha-1", DERIVED[0]})),
    VersionPattern(VersionScheme.SEMVER),
)

patterns = st.sampled_from(PATTERNS)
origins = st.sampled_from([TimeOrigin.PUSHED, TimeOrigin.CREATED])
counts = st.integers(0, 3)
clauses: st.SearchStrategy[KeepClause] = st.one_of(
    st.builds(KeepNewest, count=counts, of=origins, per=st.sampled_from([None, "kind"])),
    st.builds(KeepWithin, age=st.integers(0, 5).map(lambda days: timedelta(days=days)), of=origins),
    st.builds(KeepEvery, period=st.sampled_from(Period), count=counts, of=origins),
    st.builds(
        KeepNewestVersions,
        count=counts,
        version=st.just(VersionPattern(VersionScheme.SEMVER)),
        per=st.sampled_from([None, "major", "minor"]),
    ),
    st.builds(KeepLabelled, key=st.just("keep"), annotation=st.booleans()),
    st.builds(KeepNamed, match=patterns.map(lambda pattern: (pattern,))),
    st.just(KeepAll()),
)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Up to three rules; a keep without clauses is as likely as one with some."""
    return tuple(
        Rule(
            name=f"rule {number}",
            match=(draw(patterns),),
            keep=tuple(draw(st.lists(clauses, max_size=2))),
            exclude=tuple(draw(st.lists(patterns, max_size=1))) if draw(st.booleans()) else (),
        )
        for number in range(draw(st.integers(0, 3)))
    )


@st.composite
def policies(draw: st.DrawFn, *, waived: bool = False) -> Policy:
    """Rules, perhaps a protection, and evidence that is required or waived."""
    evidence = Evidence(waived=True) if waived or draw(st.booleans()) else Evidence(require=(SOURCE,))
    guards = draw(st.lists(patterns, max_size=1)) if draw(st.integers(0, 3)) == 0 else []
    protect = tuple(Protection(match=(pattern,), reason="guard") for pattern in guards)
    return Policy(targets=(str(REPOSITORY),), rules=draw(rules()), evidence=evidence, protect=protect)


@st.composite
def inventories(draw: st.DrawFn, *, readable: bool = False) -> Inventory:
    """Up to ten tags on six manifests: images, nested indexes, referrers, and, unless ``readable``, the unknown."""
    manifests = draw(_manifests(readable=readable))
    known = st.sampled_from(MANIFESTS).map(digest)
    names = draw(st.lists(st.sampled_from(ORDINARY + DERIVED), unique=True, min_size=1, max_size=10))
    labels = st.sampled_from([{}, {"keep": frozenset({"yes"})}])
    times = st.integers(-1, 6).map(days_ago)
    unknown = st.nothing() if readable else st.none()
    tags = [
        TagState(
            name=name,
            digest=draw(known) if readable or draw(st.integers(0, 9)) else None,
            times={origin: time for origin in TimeOrigin if (time := draw(times | unknown)) is not None},
            labels=draw(labels | unknown),
        )
        for name in names
    ]
    return Inventory(repository=REPOSITORY, taken_at=NOW, tags=tuple(tags), manifests=manifests)


@st.composite
def _manifests(draw: st.DrawFn, *, readable: bool) -> dict[Digest, Manifest | Unreadable]:
    """Manifests that list only later ones, so that there is an order; each descriptor says what its target is."""
    shapes = ["image", "image", "index", "referrer"] + ([] if readable else ["unreadable", "unread"])
    shape = {name: draw(st.sampled_from(shapes)) for name in MANIFESTS}
    found: dict[Digest, Manifest | Unreadable] = {}
    for at, name in enumerate(MANIFESTS):
        later = MANIFESTS[at + 1 :]
        if shape[name] == "unreadable":
            found[digest(name)] = Unreadable(digest=digest(name), why="it is not JSON")
        elif shape[name] == "index":
            listed = draw(st.lists(st.sampled_from(later), unique=True, max_size=3)) if later else []
            found[digest(name)] = _manifest(
                name, Kind.INDEX, children=[_descriptor(each, shape[each]) for each in listed]
            )
        elif shape[name] != "unread":
            target = draw(st.sampled_from(MANIFESTS)) if shape[name] == "referrer" else None
            subject = Descriptor(digest=digest(target)) if target is not None and target != name else None
            found[digest(name)] = _manifest(name, Kind.IMAGE, subject=subject)
    return found


def _descriptor(name: str, shape: str) -> Descriptor:
    media_type = OCI_MANIFEST if shape in ("image", "referrer") else OCI_INDEX
    return Descriptor(digest=digest(name), media_type=media_type)


def _manifest(
    name: str, kind: Kind, *, children: list[Descriptor] | None = None, subject: Descriptor | None = None
) -> Manifest:
    media_type = OCI_INDEX if kind is Kind.INDEX else OCI_MANIFEST
    return Manifest(
        digest=digest(name),
        media_type=media_type,
        size=1,
        kind=kind,
        children=tuple(children or ()),
        subject=subject,
    )


usages: st.SearchStrategy[Usage] = st.builds(
    Usage,
    reference=st.one_of(
        st.sampled_from(ORDINARY + DERIVED).map(lambda name: Reference(REPOSITORY, tag=name)),
        st.sampled_from(MANIFESTS).map(lambda name: Reference(REPOSITORY, digest=digest(name))),
    ),
    source=st.just(SOURCE),
    where=st.just("pod/web"),
)
open_references: st.SearchStrategy[Unresolved] = st.builds(
    Unresolved,
    text=st.just("acme/app:${TAG}"),
    source=st.just(SOURCE),
    where=st.just("a.yml:3"),
    repository=st.sampled_from([None, REPOSITORY]),
    tag_pattern=st.sampled_from(["sha-.*", "sha-1", "v.*"]),
)


@st.composite
def reports(draw: st.DrawFn) -> tuple[UsageReport, ...]:
    """No answer or one, complete or not, fresh or not, with a few references in use."""
    if draw(st.integers(0, 4)) == 0:
        return ()
    return (
        UsageReport(
            source=SOURCE,
            taken_at=NOW - timedelta(hours=2 if draw(st.integers(0, 4)) == 0 else 0),
            usages=tuple(draw(st.lists(usages, max_size=2))),
            unresolved=tuple(draw(st.lists(open_references, max_size=1))) if draw(st.booleans()) else (),
            coverage=Coverage(gaps=("one namespace",) if draw(st.integers(0, 4)) == 0 else ()),
        ),
    )
