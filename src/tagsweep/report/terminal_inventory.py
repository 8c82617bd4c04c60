"""The page of ``tagsweep inventory``: what a repository holds, by naming class, and what could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tagsweep.core.cleanliness import Cleanliness, Since
from tagsweep.model.inventory import Inventory, TagState, TimeOrigin
from tagsweep.model.manifest import Kind, Manifest, Unreadable
from tagsweep.model.plan import Space
from tagsweep.report.canvas import PLAIN, Align, Column, Page, Piece, Screen, Span, Style
from tagsweep.report.clauses import origin_words
from tagsweep.report.groups import NO_CLASS
from tagsweep.report.units import count, day, moment, plural, size
from tagsweep.report.words import listed, sampled, short_tags

_MOST_PROBLEMS = 10
ORIGINS = (TimeOrigin.PUSHED, TimeOrigin.UPDATED, TimeOrigin.CREATED, TimeOrigin.FIRST_SEEN)
"""Which time is shown where several are known: what the registry says before what a builder or our ledger says."""


def inventory(
    inventory: Inventory,
    classes: Mapping[str, str],
    *,
    cleanliness: Cleanliness | None = None,
    space: Space | None = None,
    every_tag: bool = False,
    screen: Screen = PLAIN,
) -> str:
    """Return what is in one repository. ``classes`` gives each tag's naming class; a tag that is missing has none.

    ``cleanliness`` adds what breaks the naming policy and what changed since the last look; ``every_tag`` a line for
    each tag.
    """
    page = Page(screen)
    page.line(Span(str(inventory.repository), Style.TITLE), f"   at {moment(inventory.taken_at)}")
    page.paragraph("   ".join(_facts(inventory, space)), indent=2)
    page.gap()
    since = cleanliness.since if cleanliness is not None else None
    if inventory.tags:
        origin = shown_origin(inventory.tags)
        changed = since if since is not None and (since.new or since.gone) else None
        page.table(_columns(origin, changes=changed is not None), _class_rows(inventory.tags, classes, origin, changed))
        if origin is not None:
            page.paragraph(f"times: {origin_words(origin)}", style=Style.DIM, indent=2)
    if cleanliness is not None:
        _cleanliness(page, cleanliness, named=any(classes.values()))
    _sharing(page, inventory)
    _problems(page, inventory)
    if every_tag and inventory.tags:
        page.gap()
        page.table(_tag_columns(), _tag_rows(inventory, classes))
    return page.text()


def shown_origin(tags: Iterable[TagState]) -> TimeOrigin | None:
    """Return the origin whose times are shown for these tags: the first of ORIGINS that any of them has."""
    known = {origin for tag in tags for origin in tag.times}
    return next((origin for origin in ORIGINS if origin in known), None)


def _facts(inventory: Inventory, space: Space | None) -> Iterable[str]:
    read = [manifest for manifest in inventory.manifests.values() if isinstance(manifest, Manifest)]
    yield plural(len(inventory.tags), "tag")
    yield plural(len(inventory.digests), "digest")
    if read:
        indexes = sum(manifest.kind is Kind.INDEX for manifest in read)
        yield f"{plural(len(read), 'manifest')} read, {plural(indexes, 'index')} among them"
    if space is not None:
        yield ("" if space.complete else "at least ") + size(space.before)


def _columns(origin: TimeOrigin | None, *, changes: bool) -> Sequence[Column]:
    times = () if origin is None else (Column(heading="oldest"), Column(heading="newest"))
    return (
        Column(heading="class", most=16),
        Column(heading="tags", align=Align.RIGHT),
        *((Column(heading="change", align=Align.RIGHT),) if changes else ()),
        Column(heading="digests", align=Align.RIGHT),
        *times,
        Column(heading="for example", wraps=True),
    )


def _class_rows(
    tags: Iterable[TagState], classes: Mapping[str, str], origin: TimeOrigin | None, since: Since | None
) -> Iterable[Sequence[Piece]]:
    members: dict[str, list[TagState]] = {}
    for tag in tags:
        members.setdefault(classes.get(tag.name) or NO_CLASS, []).append(tag)
    then = {name or NO_CLASS: number for name, number in since.classes.items()} if since is not None else {}
    for name in then:
        members.setdefault(name, [])
    for name, found in sorted(members.items(), key=lambda item: (item[0] == NO_CLASS, -len(item[1]), item[0])):
        digests = {tag.digest for tag in found if tag.digest is not None}
        times = sorted(tag.times[origin] for tag in found if origin in tag.times) if origin is not None else []
        span = () if origin is None else (_day(times[:1]), _day(times[-1:]))
        names = [tag.name for tag in found]
        change = () if since is None else (_signed(len(found) - then.get(name, 0)),)
        example = sampled(names, most=2) if names else "none is left"
        yield (Span(name, Style.TITLE), count(len(found)), *change, count(len(digests)), *span, example)


def _signed(number: int) -> str:
    return "=" if number == 0 else f"{'+' if number > 0 else '-'}{count(abs(number))}"


def _cleanliness(page: Page, clean: Cleanliness, *, named: bool) -> None:
    since = clean.since
    if since is not None:
        changed = f"{count(since.new)} new, {count(since.gone)} gone, {count(since.moved)} moved"
        page.paragraph(f"since {moment(since.at)}: {changed}", style=Style.DIM, indent=2)
    if not named:  # no class is known, so none is missing
        return
    page.gap()
    if not clean.unnamed and not clean.moved:
        page.line(
            Span("clean", Style.GOOD), "  every tag is of a class, and no tag of an immutable class moved", indent=2
        )
    if clean.unnamed:
        then = f" ({count(since.classes.get('', 0))} then)" if since is not None else ""
        words = f"{plural(len(clean.unnamed), 'tag')} of no class{then}: {sampled(clean.unnamed, most=2)}"
        page.hanging((Span("naming", Style.WARN), "  "), words, indent=2)
    if clean.moved:
        words = f"{plural(len(clean.moved), 'tag')} of an immutable class moved: {sampled(clean.moved, most=2)}"
        page.hanging((Span("moved", Style.BAD), "   "), words, indent=2)


def _day(times: Sequence[datetime]) -> str:
    return day(times[0]) if times else "unknown"


def _sharing(page: Page, inventory: Inventory) -> None:
    on_digest = Counter(tag.digest for tag in inventory.tags if tag.digest is not None)
    shared = [digest for digest, tags in on_digest.items() if tags > 1]
    if not shared:
        return
    tags = sum(on_digest[digest] for digest in shared)
    words = f"{plural(len(shared), 'digest')} {'has' if len(shared) == 1 else 'have'} more than one tag ({count(tags)}"
    page.paragraph(f"{words} tags in all): deleting one of them by digest would take the others.", indent=2)


def _problems(page: Page, inventory: Inventory) -> None:
    unread = [m for m in inventory.manifests.values() if isinstance(m, Unreadable)]
    unresolved = [tag for tag in inventory.tags if tag.digest is None]
    lines = [f"tag {tag.name} did not resolve: {tag.problem or 'no reason given'}" for tag in unresolved]
    lines += [f"manifest {manifest.digest.short} is not understood: {manifest.why}" for manifest in unread]
    if inventory.missing:
        names = [digest.short for digest in sorted(inventory.missing)]
        lines.append(f"the registry lacks {plural(len(names), 'digest')} that others refer to: {listed(names)}")
    if lines:
        page.gap()
        page.line(Span(plural(len(lines), "problem"), Style.WARN), "; what cannot be read stays", indent=2)
    for line in lines[:_MOST_PROBLEMS]:
        page.hanging(("    ",), line)
    if len(lines) > _MOST_PROBLEMS:
        page.line(f"and {count(len(lines) - _MOST_PROBLEMS)} more (--json lists all)", indent=4)


def _tag_columns() -> Sequence[Column]:
    return (
        Column(heading="tag", most=34),
        Column(heading="class", most=12),
        Column(heading="digest", most=19),
        Column(heading="time", most=10),
        Column(wraps=True),
    )


def _tag_rows(inventory: Inventory, classes: Mapping[str, str]) -> Iterable[Sequence[Piece]]:
    short = short_tags([tag.name for tag in inventory.tags], width=34)
    for name, tag in zip(short, inventory.tags, strict=True):
        origin = next((origin for origin in ORIGINS if origin in tag.times), None)
        yield (
            name,
            classes.get(tag.name) or "-",
            tag.digest.short if tag.digest is not None else Span("unresolved", Style.WARN),
            day(tag.times[origin]) if origin is not None else "-",
            Span(tag.problem, Style.WARN),
        )
