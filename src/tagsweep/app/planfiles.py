"""Plan files: written so that the file is whole or absent, and registered, so that a changed one is recognised."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagsweep.model.errors import ConfigurationError, PlanError, StateError
from tagsweep.stores import durable
from tagsweep.stores.planfile import dump_plan, load_plan, seal_of

if TYPE_CHECKING:
    from tagsweep.app.session import Session
    from tagsweep.model.plan import Plan


def write_plan(plan: Plan, path: Path, *, session: Session) -> None:
    """Write ``plan`` to ``path`` and remember its seal in the ledger."""
    data = dump_plan(plan)
    write_text(path, data.decode())
    session.ledger.register_plan(plan.id, seal_of(data), plan.now)


def read_plan(path: Path) -> tuple[Plan, bytes, str]:
    """Return the plan in ``path``, the file's bytes and its seal; raises PlanError for anything that is no plan."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such plan", remedy="tagsweep plan -o makes one") from error
    except OSError as error:
        raise PlanError(f"{path} cannot be read: {error.strerror or error}") from error
    return load_plan(data, name=str(path)), data, seal_of(data)


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named, whole or not at all; raises ConfigurationError, because the name was given."""
    try:
        durable.write_file(path, text.encode(), mode=0o644)
    except StateError as error:
        raise ConfigurationError(str(error), remedy=error.remedy) from error
