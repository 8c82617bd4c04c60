"""Under which name the attempts to run a policy are noted, so that a date is run for once, wherever the file lies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tagsweep.model.schedule import Attempt
    from tagsweep.stores.ledger import Ledger
    from tagsweep.stores.state import StateDirectory


def policy_key(path: str, targets: tuple[str, ...], *, state: StateDirectory, ledger: Ledger) -> str:
    """Return the key of the policy at ``path`` in this state.

    Where the state is elsewhere, its runners check the policy out anywhere: there it is the file's name and, of those
    of that name, the one that had one of these targets when it was last run. So a policy stays the same while its
    targets change one after the other, and two policies of one name that share no target stay apart.
    """
    if state.elsewhere is None:
        return local_key(path, state.path)
    return _shared_key(path, targets, ledger.last_attempts())


def local_key(path: str, state: Path) -> str:
    """Return the key on one machine: where the file is, from the directory that holds the state if it is in there.

    So a checkout with both may be somewhere else the next time. Links are not followed: what they lead to changes with
    each deployment.
    """
    where, base = Path(os.path.normpath(Path(path).absolute())), Path(os.path.normpath(state.absolute().parent))
    return _text(str(where.relative_to(base) if where.is_relative_to(base) else where))


def new_shared_key(path: str, targets: tuple[str, ...], taken: Collection[str] = ()) -> str:
    """Return the key of a policy that no state elsewhere knows yet, which is none of ``taken``."""
    seed = " ".join(sorted(targets))
    while True:
        digest = hashlib.sha256(seed.encode(errors="backslashreplace")).hexdigest()
        key = _text(f"{Path(path).name} {digest[:12]}")
        if key not in taken:
            return key
        seed = digest


def _shared_key(path: str, targets: tuple[str, ...], last: Iterable[Attempt]) -> str:
    name = _text(Path(path).name)
    named = [one for one in last if one.policy.rpartition(" ")[0] == name]
    same = [one for one in named if set(one.targets) & set(targets)]
    if same:
        return max(same, key=lambda one: (one.began_at, one.policy)).policy
    return new_shared_key(path, targets, {one.policy for one in named})


def _text(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()  # a file's name may be no text
