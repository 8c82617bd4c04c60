"""What restores have put back of a run: written into its journal by ``undo``, read by ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tagsweep.model.run import RestoreKind
from tagsweep.stores.journal import Journal, read_journal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tagsweep.app.session import Session
    from tagsweep.model.run import RestoreOutcome

_NOTE: Final = "restored "


def note_restored(journal: Journal, outcomes: Iterable[RestoreOutcome]) -> None:
    """Note every tag that is on its old digest again, also where it was there already: somebody wanted it back."""
    for outcome in outcomes:
        if outcome.tag and outcome.kind in (RestoreKind.RESTORED, RestoreKind.PRESENT):
            journal.note(f"{_NOTE}{outcome.repository}:{outcome.tag}")
    journal.flush()


def restored_tags(run_id: str, *, session: Session) -> frozenset[str]:
    """Return what restores of this run have put back, each as ``REPOSITORY:TAG``."""
    notes = read_journal(session.state.run_directory(run_id).journal).notes
    return frozenset(note.removeprefix(_NOTE) for note in notes if note.startswith(_NOTE))
