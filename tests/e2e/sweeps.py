"""What the TensorZero sweeps through vendors' dialects share. What each registry makes of them, its own test says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Protocol

import pytest

from tagsweep.model.reference import Digest
from tagsweep.testing.tensorzero import TagList
from tests.e2e.kit import GATEWAY, RULES, SHA, Place, Result, gateway, policy, removed, shared_with_release, size

NEWEST_BY_PUSH: Final = (
    "rules:\n  - name: ci builds\n    match: {class: ci-build}\n    keep: [{newest: 20, of: pushed}]\n"
)


class Swept(Protocol):
    """What a sweep looks at behind tagsweep's back: a fake, or a real server that is asked over plain HTTP."""

    def tags(self, repository: str) -> Mapping[str, Digest]:
        """Return the tags with their digests."""
        ...

    def manifests(self, repository: str) -> Collection[Digest]:
        """Return the digests of the manifests that are there."""
        ...

    def clear_log(self) -> None:
        """Forget the requests so far."""
        ...


class Sweep:
    """One sweep of the gateway: what was there before, what goes, and what has to stay."""

    def __init__(self, place: Place, registry: Swept, text: str, *, repository: str = GATEWAY) -> None:
        self.place = place
        self.registry = registry
        self.repository = repository
        self.tags = registry.tags(repository)
        self.manifests = registry.manifests(repository)
        self.builds = {tag for tag in self.tags if SHA.fullmatch(tag)}
        self.shared = shared_with_release(self.tags)
        self.going = self.builds
        place.write(text)

    @property
    def left(self) -> dict[str, Digest]:
        """What is there after the sweep."""
        return {tag: digest for tag, digest in self.tags.items() if tag not in self.going}

    def plan(self, going: Collection[str] | None = None) -> Result:
        """Make the plan: all builds go, which are 107 with 35 on a release's digest, or exactly ``going``."""
        planned = self.place.make_plan("--json")
        if going is None:
            assert (len(self.builds), len(self.shared)) == (size().builds, size().shared)
        else:
            self.going = set(going)
        assert removed(planned) == self.going
        return planned

    def apply(self) -> None:
        """Apply the plan: what was to go is gone, everything else is where it was, and verify agrees."""
        self.registry.clear_log()
        self.place.apply()
        assert self.registry.tags(self.repository) == self.left
        self.place.run("verify")

    def restore(self) -> Result:
        """Restore the run: every tag is back on its digest."""
        self.registry.clear_log()
        restored = self.place.run("restore", self.place.last_run()["id"], "--yes", "--json")
        assert self.registry.tags(self.repository) == self.tags
        return restored


def vendor_policy(host: str, driver: str, *, target: str = GATEWAY, options: str = "", rules: str = RULES) -> str:
    """Return the policy of the sweep, with the driver named because the fake is not at the vendor's host."""
    more = f", options: {options}" if options else ""
    return policy(f"{host}/{target}", rules=rules, more=f'registries: {{"{host}": {{driver: {driver}{more}}}}}\n')


def newest(most: int) -> TagList:
    """Return at most so many tags of the gateway, those that were pushed last."""
    return TagList(repository=GATEWAY, records=gateway().records[-most:] if most else ())


def log_in(monkeypatch: pytest.MonkeyPatch, name: str, password: str) -> None:
    """Give the user these credentials for whatever registry is asked."""
    monkeypatch.setenv("TAGSWEEP_USERNAME", name)
    monkeypatch.setenv("TAGSWEEP_PASSWORD", password)


def assert_newest_by_push_stay(place: Place, text: str) -> None:
    """Plan with the rule NEWEST_BY_PUSH: all that goes was pushed before all that stays, on the first run."""
    place.write(text)
    gone = removed(place.make_plan("--json"))
    pushed = {record.tag: record.pushed_at for record in gateway().records if SHA.fullmatch(record.tag)}
    assert gone
    assert len(gone) <= len(pushed) - 20
    assert max(pushed[tag] for tag in gone) < min(pushed[tag] for tag in pushed.keys() - gone)


def doctor(place: Place, text: str) -> str:
    """Return what doctor tells of the policy's registry, in one line."""
    place.write(text)
    return " ".join(place.run("doctor", "-c", str(place.policy)).text.split())
