"""What objects name, put together under the owner that a person knows: 500 pods of one Deployment are one entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tagsweep.model.usage import Unresolved, Usage
from tagsweep.sources.syntaxes.findings import Evidence, Finding, Found, NoReference, Open, Place, evidence

_MOST_OWNERS: Final = 20

_Key: TypeAlias = "tuple[_Owner, Finding]"


@dataclass(frozen=True, slots=True)
class _Owner:
    """An object by which others are known. ``uid`` leads further up where that one has an owner too."""

    namespace: str
    kind: str
    name: str
    uid: str = ""

    @property
    def words(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(slots=True)
class Tally:
    """The findings of one cluster, or of one list of it before that has come to its end."""

    examined: int = 0
    found: dict[_Key, int] = field(default_factory=dict)
    owners: dict[str, _Owner] = field(default_factory=dict)

    def add(self, thing: Mapping[str, Any], kind: str, findings: Iterable[Finding]) -> None:
        """Count what one object names, under its controlling owner where it has one."""
        self.examined += 1
        metadata = thing.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        namespace = _text(metadata, "namespace")
        owner = _controller(metadata, namespace)
        if kind != "Pod" and owner is not None and _text(metadata, "uid"):
            self.owners[metadata["uid"]] = owner
        findings = tuple(findings)
        if findings:
            own = _Owner(namespace, kind, _text(metadata, "name"), _text(metadata, "uid"))
            self.add_under(owner if owner is not None and kind == "Pod" else own, findings, pods=kind == "Pod")

    def add_named(self, namespace: str, kind: str, name: str, findings: Iterable[Finding]) -> None:
        """Count what something named, which has no owner: a Helm release."""
        self.examined += 1
        self.add_under(_Owner(namespace, kind, name), findings, pods=False)

    def add_under(self, owner: _Owner, findings: Iterable[Finding], *, pods: bool) -> None:
        """Count findings under ``owner``; pods are counted so that their number can be told."""
        for finding in findings:
            key = (owner, finding)
            self.found[key] = self.found.get(key, 0) + (1 if pods else 0)

    def merge(self, other: Tally) -> None:
        """Take over what another tally has."""
        self.examined += other.examined
        self.owners.update(other.owners)
        for key, count in other.found.items():
            self.found[key] = self.found.get(key, 0) + count

    def evidence(self, cluster: str, source: str) -> Evidence:
        """Return the entries with their places, such as ``prod/inference/Deployment gateway, container api``."""
        entries: dict[tuple[_Owner, Finding], _Notes] = {}
        for (owner, finding), pods in self.found.items():
            top = self._top(owner)
            key = (_Owner(top.namespace, top.kind, top.name), _plain(finding))
            entries.setdefault(key, _Notes()).add(finding, pods)
        usages: list[Usage] = []
        unresolved: list[Unresolved] = []
        invalid: list[str] = []
        for (owner, finding), notes in entries.items():
            part = evidence([notes.on(finding)], _place(owner, cluster, source))
            usages.extend(part.usages)
            unresolved.extend(part.unresolved)
            invalid.extend(part.invalid)
        return Evidence(usages=tuple(usages), unresolved=tuple(unresolved), invalid=tuple(invalid))

    def _top(self, owner: _Owner) -> _Owner:
        for _ in range(_MOST_OWNERS):  # nothing forbids two objects to own one another
            above = self.owners.get(owner.uid)
            if above is None:
                break
            owner = above
        return owner


@dataclass(slots=True)
class _Notes:
    """What is said of one entry: the notes of all that was put together, and how many pods there are."""

    notes: dict[str, None] = field(default_factory=dict)
    pods: int = 0

    def add(self, finding: Finding, pods: int) -> None:
        if not isinstance(finding, NoReference) and finding.note:
            self.notes[finding.note] = None
        self.pods += pods

    def on(self, finding: Finding) -> Finding:
        words = [f"{self.pods} pod{'' if self.pods == 1 else 's'}"] if self.pods else []
        note = "; ".join((*words, *self.notes))
        match finding:
            case Found():
                return Found(reference=finding.reference, at=finding.at, note=note)
            case Open():
                return Open(
                    text=finding.text,
                    repository=finding.repository,
                    repository_pattern=finding.repository_pattern,
                    tag_pattern=finding.tag_pattern,
                    at=finding.at,
                    note=note,
                )
            case NoReference():
                return finding


def _plain(finding: Finding) -> Finding:
    return finding if isinstance(finding, NoReference) else _Notes().on(finding)


def _place(owner: _Owner, cluster: str, source: str) -> Place:
    parts = [cluster, owner.namespace] if owner.namespace else [cluster]
    return Place(
        source=source,
        where="/".join([*parts, owner.words]),
        path="/".join([*parts, owner.kind, owner.name]),
    )


def _controller(metadata: Mapping[str, Any], namespace: str) -> _Owner | None:
    entries = metadata.get("ownerReferences")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("controller") is True and _text(entry, "uid"):
            return _Owner(namespace, _text(entry, "kind"), _text(entry, "name"), _text(entry, "uid"))
    return None


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""
