"""The doctor: what a registry and the credentials allow, found out without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from tagsweep.app.targets import expand_targets
from tagsweep.model.capability import Capability, Support
from tagsweep.model.errors import TagsweepError
from tagsweep.report.doctor import DoctorRow, Health

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tagsweep.app.session import Session
    from tagsweep.model.capability import Capabilities
    from tagsweep.model.reference import Repository


def examine(targets: Sequence[str], *, session: Session) -> tuple[DoctorRow, ...]:
    """Return what was found for the state directory and for every repository that the targets name."""
    rows = [DoctorRow(place="this machine", subject="state", health=Health.OK, what=str(session.state.path))]
    for target in targets:
        try:
            repositories = expand_targets((target,), session)
        except TagsweepError as error:
            rows.append(_failed(target, "reaching it", error))
            continue
        for repository in repositories:
            rows.extend(_examine(repository, session))
    return tuple(rows)


def _failed(place: str, subject: str, error: TagsweepError) -> DoctorRow:
    return DoctorRow(place=place, subject=subject, health=Health.FAIL, what=str(error), remedy=error.remedy)


def _examine(repository: Repository, session: Session) -> Iterator[DoctorRow]:
    place = str(repository)
    driver = session.driver(repository)
    try:
        tags = driver.list_tags(repository.path)
    except TagsweepError as error:
        yield _failed(place, "listing tags", error)
        return
    yield DoctorRow(place=place, subject="listing tags", health=Health.OK, what=f"{len(tags):,} tags")
    try:
        if tags:
            driver.resolve_tag(repository.path, tags[0].name)
            yield DoctorRow(place=place, subject="reading", health=Health.OK, what="a tag resolves to its digest")
        able = driver.probe(repository.path)
    except TagsweepError as error:
        yield _failed(place, "probing", error)
        return
    yield from _abilities(place, able)


def _abilities(place: str, able: Capabilities) -> Iterator[DoctorRow]:
    yield _ability(place, "removing one tag", able.delete_tag)
    yield _ability(place, "deleting manifests", able.delete_manifest)
    if not able.delete_tag.usable and able.delete_manifest.usable:
        yield DoctorRow(
            place=place,
            subject="what that means",
            health=Health.WARN,
            what="a tag that shares its digest with a tag that stays cannot be removed here, and stays",
        )
    yield _ability(place, "referrers API", able.referrers)
    origins = ", ".join(sorted(origin.value for origin in able.times))
    yield DoctorRow(
        place=place,
        subject="times of tags",
        health=Health.OK if origins else Health.WARN,
        what=origins or "the registry reports none; rules can use of: first-seen or of: created",
    )
    if able.reclaim:
        yield DoctorRow(place=place, subject="getting space back", health=Health.OK, what=able.reclaim)
    undo = able.undo or "tagsweep restore, until the registry has collected the blobs"
    yield DoctorRow(place=place, subject="undo", health=Health.OK, what=undo)


def _ability(place: str, subject: str, capability: Capability) -> DoctorRow:
    match capability.support:
        case Support.YES:
            health, what = Health.OK, "yes"
        case Support.NO:
            health, what = Health.WARN, "no"
        case Support.UNKNOWN:
            health, what = Health.WARN, "could not be found out, so it is not used"
        case _:
            assert_never(capability.support)
    return DoctorRow(
        place=place, subject=subject, health=health, what=f"{what}: {capability.why}" if capability.why else what
    )
