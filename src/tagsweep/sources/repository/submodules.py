"""Submodules: the commit that a tree names, from the clone that git keeps of it or from where .gitmodules says."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from tagsweep.model.errors import TagsweepError
from tagsweep.sources.repository.address import Address, resolve
from tagsweep.sources.repository.mirror import Mirror
from tagsweep.sources.repository.objects import Objects, Unreadable
from tagsweep.sources.repository.program import Git
from tagsweep.sources.repository.trees import Store

_PREFIX: Final = "submodule."


class Submodules:
    """Opens submodules. Each repository and each commit is fetched once; ``place`` is a directory of our own."""

    def __init__(self, *, git: Git, place: Path, opened: contextlib.ExitStack) -> None:
        self._git = git
        self._place = place
        self._opened = opened
        self._stores: dict[str, Store] = {}
        self._answers: dict[tuple[str, str], tuple[Store, str] | Unreadable] = {}
        self._listed: dict[str, dict[str, tuple[str, str]] | Unreadable] = {}
        self.used: set[str] = set()

    @property
    def reads(self) -> int:
        """How many objects were read from all of them."""
        return sum(store.objects.reads for store in self._stores.values())

    def open(self, store: Store, listed_in: str, path: str, commit: str) -> tuple[Store, str] | Unreadable:
        """Return where the submodule at ``path`` of ``store`` is, with its root tree, or why it cannot be read.

        ``listed_in`` is the id of the ``.gitmodules`` that is in force, or empty.
        """
        listed = self._modules(store, listed_in)
        if isinstance(listed, Unreadable):
            return listed
        if path not in listed:
            return Unreadable("no .gitmodules says where it is")
        name, url = listed[path]
        kept = self._kept(store, name, url, commit)
        if kept is not None:
            return kept
        try:
            address = _address(url, store)
        except ValueError as error:
            return Unreadable(f"its address in .gitmodules {error}")
        key = (address.text, commit)
        if key not in self._answers:
            try:
                self._answers[key] = self._fetch(address, commit)
            except TagsweepError as error:
                self._answers[key] = Unreadable(f"{error}; {error.remedy}")
        return self._answers[key]

    def _modules(self, store: Store, listed_in: str) -> dict[str, tuple[str, str]] | Unreadable:
        """Return name and address of each submodule by its path."""
        if not listed_in:
            return {}
        if listed_in not in self._listed:
            what = "read .gitmodules"
            code, out, _ = store.objects.git.ask("config", "--blob", listed_in, "--null", "--list", what=what)
            self._listed[listed_in] = Unreadable(".gitmodules is malformed") if code != 0 else _parse(out)
        return self._listed[listed_in]

    def _kept(self, store: Store, name: str, url: str, commit: str) -> tuple[Store, str] | None:
        """Return the clone that git keeps within the user's own repository, if it has the commit."""
        if not store.modules or name.startswith("/") or ".." in name.split("/"):
            return None
        directory = Path(store.modules) / name
        if not (directory / "HEAD").is_file():
            return None
        key = str(directory)
        if key not in self._stores:
            with contextlib.suppress(ValueError):
                url = _address(url, store).text
            git = Git(timeout=self._git.timeout, directory=key, local=True)
            self._stores[key] = Store(
                self._opened.enter_context(Objects(git)), url=url, local=store.local, modules=str(directory / "modules")
            )
        root = self._stores[key].root(commit)
        return None if isinstance(root, Unreadable) else (self._stores[key], root.id)

    def _fetch(self, address: Address, commit: str) -> tuple[Store, str] | Unreadable:
        mirror = Mirror(timeout=self._git.timeout, place=self._place, address=address)
        self.used.add(mirror.path.name)
        mirror.prepare(commit)
        if address.text not in self._stores:
            objects = self._opened.enter_context(Objects(mirror.git))
            self._stores[address.text] = Store(objects, url=address.text, local=address.local)
        store = self._stores[address.text]
        root = store.root(commit)
        if isinstance(root, Unreadable):
            mirror.fetch_commit(commit)
            store.objects.close()  # a new program sees the new pack
            root = store.root(commit)
        return root if isinstance(root, Unreadable) else (store, root.id)


def _parse(listing: bytes) -> dict[str, tuple[str, str]]:
    paths: dict[str, str] = {}
    urls: dict[str, str] = {}
    for entry in listing.decode("utf-8", "backslashreplace").split("\0"):
        key, _, value = entry.partition("\n")
        name, _, what = key.removeprefix(_PREFIX).rpartition(".")
        if key.startswith(_PREFIX) and what in {"path", "url"}:
            (paths if what == "path" else urls)[name] = value
    return {path.strip("/"): (name, urls[name]) for name, path in paths.items() if name in urls}


def _address(url: str, store: Store) -> Address:
    """Return the address that ``url`` means there, or raise ValueError with what is wrong with it."""
    text = resolve(url, store.url)
    if text.startswith("/"):
        text = f"file://{text}"
    address = Address.parse(text)
    if address.local and not store.local:
        raise ValueError("is a path, which a repository from elsewhere may not name")
    return address
