"""A git repository: every file of the wanted branches and tags is read, without a checkout.

A ``path`` is read as it is, and nothing is written to it. A ``url`` is fetched, without history, into the cache.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from tagsweep.model.errors import TagsweepError
from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import Coverage, UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.charts.rendering import Wish, render
from tagsweep.sources.files import LARGEST_MIB
from tagsweep.sources.harvest import Harvest
from tagsweep.sources.options import Options
from tagsweep.sources.pathglobs import EVERYTHING, PathGlobs
from tagsweep.sources.repository.address import Address
from tagsweep.sources.repository.charts import charts_in
from tagsweep.sources.repository.local import LocalRepository
from tagsweep.sources.repository.mirror import Mirror, tidy, workplace
from tagsweep.sources.repository.objects import Objects, Unreadable
from tagsweep.sources.repository.program import Git
from tagsweep.sources.repository.refs import EVERY_BRANCH, Choice, Ref, Selection
from tagsweep.sources.repository.revisions import Revision, Revisions
from tagsweep.sources.repository.scanning import Contents, Scanner
from tagsweep.sources.repository.submodules import Submodules
from tagsweep.sources.repository.trees import Store
from tagsweep.sources.syntaxes.files import Syntax

_TIMEOUT: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """One repository, at an ``address`` or at a ``path``."""

    name: str
    context: SourceContext
    address: Address | None = None
    path: Path | None = None
    selection: Selection = EVERY_BRANCH
    globs: PathGlobs = EVERYTHING
    follow: bool = True
    timeout: float = _TIMEOUT.total_seconds()
    limit: int = LARGEST_MIB * 1024 * 1024
    helm: Wish = Wish.OFF
    syntaxes: tuple[Syntax, ...] | None = None

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source; ``path`` is relative to the policy."""
        options = Options(settings)
        url, path = options.text("url"), options.text("path")
        if (url is None) == (path is None):
            what = "is missing, and path as well" if url is None else "stands beside path"
            raise options.error("url", what, remedy="name one of them, such as url: https://github.com/acme/deploy")
        source = cls(
            name=settings.name,
            context=context,
            address=None if url is None else _address(url, options),
            path=None if path is None else Path(context.base) / path,
            selection=Selection(branches=_names("refs", options), tags=_names("tags", options)),
            globs=PathGlobs.read(options),
            follow=options.choice("submodules", ("follow", "ignore"), "follow") == "follow",
            timeout=options.duration("timeout", _TIMEOUT).total_seconds(),
            limit=options.number("largest_mib", LARGEST_MIB, least=1, most=1024) * 1024 * 1024,
            helm=Wish.read(options),
        )
        options.done()
        return source

    def collect(self, now: datetime) -> UsageReport:
        """Return what the files of the wanted refs name; what cannot be read is a gap with its remedy."""
        try:
            with contextlib.ExitStack() as opened:
                harvest, choice = self._local(opened) if self.address is None else self._remote(self.address, opened)
        except TagsweepError as error:
            gap = f"{error}; {error.remedy}" if error.remedy else str(error)
            return UsageReport(source=self.name, taken_at=now, coverage=Coverage(gaps=(gap,)), unit="files")
        return harvest.report(taken_at=now, within=f"on {_count(choice)}")

    def _local(self, opened: contextlib.ExitStack) -> tuple[Harvest, Choice]:
        assert self.path is not None  # noqa: S101 - configure sees to one of the two
        found = LocalRepository.open(self.path, timeout=self.timeout)
        refs, broken = found.refs()
        choice = self.selection.choose(refs, default=found.default())
        store = Store(
            opened.enter_context(Objects(found.git)),
            url=found.origin(),
            local=True,
            modules=str(found.common / "modules"),
        )
        place = opened.enter_context(self._workplace()) if self.follow else None
        harvest = self._read(store, choice.refs, place, opened)
        for name in broken:
            harvest.gap(f"the ref {name} of {self.path} is broken; run git fsck, and delete it or fetch it again")
        self._tell_idle(harvest, choice, str(self.path))
        return harvest, choice

    def _remote(self, address: Address, opened: contextlib.ExitStack) -> tuple[Harvest, Choice]:
        place = opened.enter_context(self._workplace())
        mirror = Mirror(timeout=self.timeout, place=place, address=address)
        whole = [glob for glob in self.selection.branches if glob.startswith("refs/")]
        refs, default = mirror.advertised(whole)
        choice = self.selection.choose(refs, default=default)
        harvest = Harvest(self.name, self.syntaxes)
        if choice.refs:
            harvest = self._fetched(mirror, choice.refs, place)
        else:
            tidy(place, set())
        self._tell_idle(harvest, choice, str(address))
        return harvest, choice

    def _fetched(self, mirror: Mirror, refs: tuple[Ref, ...], place: Path) -> Harvest:
        """Read the refs from the copy; one that proves broken and was not made just now is made anew, once."""
        mirror.prepare(refs[0].target)
        used = not mirror.fresh
        while True:
            try:
                current = mirror.update(refs)
                with contextlib.ExitStack() as opened:
                    objects = opened.enter_context(Objects(mirror.git))
                    store = Store(objects, url=mirror.address.text, local=mirror.address.local)
                    harvest = self._read(store, current, place, opened, keep=mirror.path.name)
            except TagsweepError:
                if not used:
                    raise
            else:
                if not (used and harvest.broken):
                    return harvest
            used = False
            mirror.discard()
            mirror.prepare(refs[0].target)

    def _read(
        self, store: Store, refs: Iterable[Ref], place: Path | None, opened: contextlib.ExitStack, *, keep: str = ""
    ) -> Harvest:
        harvest = Harvest(self.name, self.syntaxes)
        git = Git(timeout=self.timeout)
        submodules = None if place is None or not self.follow else Submodules(git=git, place=place, opened=opened)
        revisions = Revisions(_revisions(store, refs, harvest), self.globs, submodules)
        revisions.walk()
        harvest.broken |= revisions.broken
        harvest.omit("links", len(revisions.links))
        harvest.omit("submodules", len(revisions.ignored))
        for gap in revisions.gaps:
            harvest.gap(gap)
        for glob in self.globs.idle(tuple(path for path, _ in revisions.files)):
            harvest.gap(f"no file is matched by include {glob!r}; correct it or take it out")
        self.context.progress.begin(f"reading the files of {self.name}", len(revisions.files))
        contents = Contents(limit=self.limit)
        Scanner(
            revisions=revisions,
            contents=contents,
            harvest=harvest,
            where=self._short(),
            syntaxes=self.syntaxes,
        ).run(self.context.progress)
        if self.helm is not Wish.OFF:
            charts = charts_in(revisions, contents, self._short())
            render(charts, harvest, self.helm, takes=self.globs.takes, name=self.name, progress=self.context.progress)
        if place is not None:
            tidy(place, {keep} | (set() if submodules is None else submodules.used))
        return harvest

    def _workplace(self) -> contextlib.AbstractContextManager[Path]:
        context = self.context
        return workplace(context.cache, clock=context.clock, progress=context.progress, patience=self.timeout)

    def _short(self) -> str:
        _, slash, short = self.name.partition("/")
        if slash:
            return short
        return self.address.short if self.address is not None else self.path.resolve().name if self.path else self.name

    def _tell_idle(self, harvest: Harvest, choice: Choice, place: str) -> None:
        """Say which names matched nothing: whoever wrote them expected evidence there."""
        for kind, globs in (("branch", choice.idle_branches), ("tag", choice.idle_tags)):
            for glob in globs:
                harvest.gap(f"no {kind} of {place} is called {glob!r}; correct the name, or take it out")
        if not choice.refs and not choice.idle_branches and not choice.idle_tags:
            self.context.progress.note(f"{self.name}: {place} has no branch yet, so nothing was read")


def _address(url: str, options: Options) -> Address:
    try:
        return Address.parse(url)
    except ValueError as error:
        remedy = (
            "take it out, and give it to git by a credential helper, GIT_ASKPASS or an SSH agent"
            if "password" in str(error)
            else "write one such as https://github.com/acme/deploy or git@github.com:acme/deploy.git; "
            "a directory of this machine is named by path"
        )
        raise options.error("url", str(error), remedy=remedy) from None


def _names(key: str, options: Options) -> tuple[str, ...]:
    names = options.texts(key)
    if any(name.startswith("-") or not name.isprintable() for name in names):
        raise options.error(key, "has a name that git could not have", remedy=f'write {key}: ["main", "release/*"]')
    return names


def _revisions(store: Store, refs: Iterable[Ref], harvest: Harvest) -> list[Revision]:
    """Return each root tree once, with the refs that are on it; what is on none is a gap."""
    names: dict[str, list[str]] = {}
    for ref in refs:
        root = store.root(ref.target)
        if isinstance(root, Unreadable):
            harvest.broken = True
            harvest.gap(f"{ref.label} cannot be read: its commit is {root.why}; run git fsck, fetch or clone it again")
        elif not root.is_directory:
            harvest.gap(f"the tag {ref.label} is on a single file and not on a revision; leave it out of tags")
        else:
            names.setdefault(root.id, []).append(ref.label)
    return [Revision(store, root, tuple(labels)) for root, labels in names.items()]


def _count(choice: Choice) -> str:
    tags = sum(ref.is_tag for ref in choice.refs)
    branches = len(choice.refs) - tags
    counted = [f"{branches:,} {'branch' if branches == 1 else 'branches'}"] if branches or not tags else []
    if tags:
        counted.append(f"{tags:,} {'tag' if tags == 1 else 'tags'}")
    return " and ".join(counted)
