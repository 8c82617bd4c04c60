"""The ledger as rows of text, and two ledgers as one: how the memory of several runners becomes one memory.

A table is dumped as JSON lines, sorted, without SQLite's own numbers: the same content always gives the same bytes.
Merging is commutative and idempotent, and it never makes anything look older than one of the two knew it to be.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tagsweep.model.errors import StateError

if TYPE_CHECKING:
    import sqlite3

    from tagsweep.stores.ledger import Ledger

Row = tuple[Any, ...]
Rows = dict[str, set[Row]]
"""The rows of each table; what belongs to a repository begins with its registry and path."""

_OF_REPOSITORY: Final = {
    "sightings": ("tag", "digest", "first_seen", "last_seen"),
    "earlier_sightings": ("tag", "digest", "first_seen", "last_seen"),
    "counts": ("at", "class", "origin", "tags"),
}
_PLAIN: Final = {
    "plans": ("id", "seal", "made_at", "run"),
    "runs": ("id", "started_at", "record"),
    "calibrations": ("registry", "at", "coefficients"),
    "usages": ("source", "reference", "place", "note", "first_seen", "last_seen"),
    "attempts": ("policy", "began_at", "record"),
}
_COLUMNS: Final = {name: len(columns) + 2 for name, columns in _OF_REPOSITORY.items()} | {
    name: len(columns) for name, columns in _PLAIN.items()
}
TABLES: Final = tuple(sorted(_COLUMNS))
_KEY: Final = {"counts": 5, "plans": 1, "runs": 1, "calibrations": 1, "usages": 3, "attempts": 2}
"""How many columns name a row. Sightings have a rule of their own; an earlier sighting is its own name."""
_RANK: Final = {"running": 0, "open": 0, "partial": 1, "failed": 1, "refused": 1, "restored": 3}
_ENDED: Final = 2
_OTHER: Final = "use the tagsweep that wrote it, or begin another state by another name: oci://HOST/REPOSITORY:NAME"


def read_rows(ledger: Ledger) -> Rows:
    """Return everything that the ledger holds."""
    found: Rows = {}
    for table, columns in _OF_REPOSITORY.items():
        found[table] = set(
            ledger.database.rows(
                f"SELECT registry, path, {', '.join(columns)} FROM {table}"  # noqa: S608 (names of this file)
                " JOIN repositories ON repositories.id = repository"
            )
        )
    for table, names in _PLAIN.items():
        found[table] = set(ledger.database.rows(f"SELECT {', '.join(names)} FROM {table}"))  # noqa: S608 (likewise)
    return found


def merge_into(ledger: Ledger, others: Iterable[Rows]) -> None:
    """Add what other ledgers know to this one, in one stroke; nothing is written where it knew it all."""
    with ledger.database.transaction() as connection:
        before = read_rows(ledger)
        after = before
        for other in others:
            after = merged(after, other)
        if after != before:
            _replace(connection, after)


def _replace(connection: sqlite3.Connection, rows: Rows) -> None:
    for table in (*_OF_REPOSITORY, *_PLAIN, "repositories"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 (names of this file)
    names = sorted({row[:2] for table in _OF_REPOSITORY for row in rows.get(table, ())})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    connection.executemany(
        "INSERT INTO repositories VALUES (?, ?, ?)", [(number, *name) for name, number in numbers.items()]
    )
    for table in TABLES:
        found = sorted(rows.get(table, ()), key=_order)
        if table in _OF_REPOSITORY:
            found = [(numbers[row[:2]], *row[2:]) for row in found]
        if found:
            marks = ", ".join("?" * len(found[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", found)  # noqa: S608 (likewise)


def dump(rows: Iterable[Row]) -> bytes:
    """Return the rows of one table as bytes, the same for the same rows."""
    lines = [json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in sorted(rows, key=_order)]
    return "".join(f"{line}\n" for line in lines).encode()


def load(table: str, data: bytes, *, name: str) -> set[Row]:
    """Return the rows in ``data``, or raise StateError calling it ``name``."""
    try:
        rows = {tuple(json.loads(line)) for line in data.splitlines()}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StateError(
            f"{name}: the rows of {table} cannot be read: {error}",
            remedy=_OTHER,
        ) from error
    if any(len(row) != _COLUMNS[table] for row in rows):
        raise StateError(f"{name}: the rows of {table} have another form", remedy=_OTHER)
    return rows


def merged(one: Rows, other: Rows) -> Rows:
    """Return what both ledgers know together; the order does not matter, and a second time changes nothing."""
    found = {table: _by_key(table, one.get(table, set()) | other.get(table, set())) for table in _KEY}
    current, gone = _sightings(one.get("sightings", set()), other.get("sightings", set()))
    found["sightings"] = current
    found["earlier_sightings"] = one.get("earlier_sightings", set()) | other.get("earlier_sightings", set()) | gone
    return found


def _by_key(table: str, rows: Iterable[Row]) -> set[Row]:
    width = _KEY[table]
    best: dict[Row, Row] = {}
    for row in rows:
        held = best.get(row[:width])
        best[row[:width]] = row if held is None else _CHOOSE[table](held, row)
    return set(best.values())


def _sightings(one: set[Row], other: set[Row]) -> tuple[set[Row], set[Row]]:
    """Return the sightings that hold, and those that one of the two saw to be over.

    Each look is at all tags of a repository, so a tag that only one knows was gone if the other looked later, and is
    new since then if the other looked in between.
    """
    looks = [_last_looks(side) for side in (one, other)]
    tags: dict[Row, list[Row | None]] = {}
    for index, side in enumerate((one, other)):
        for row in side:
            tags.setdefault(row[:3], [None, None])[index] = row
    current: set[Row] = set()
    gone: set[Row] = set()
    for key, (mine, theirs) in tags.items():
        if mine is not None and theirs is not None:
            newer, older = sorted((mine, theirs), key=lambda row: (row[5], row[4], row[3] or ""), reverse=True)
            same = newer[3] == older[3]
            first = max(newer[4], older[4] if same else older[5])
            current.add((*key, newer[3], first, max(newer[5], first)))
            if not same and older[3] is not None:
                gone.add(older)
            continue
        row = mine or theirs or ()
        look = looks[1] if mine is not None else looks[0]
        away = look.get(key[:2], row[4])  # when the other saw that it was not there, if it looked at all
        if row[5] >= away:
            current.add((*row[:4], max(row[4], away), row[5]))
        elif row[3] is not None:
            gone.add(row)
    return current, gone


def _last_looks(rows: Iterable[Row]) -> Mapping[Row, int]:
    found: dict[Row, int] = {}
    for row in rows:
        found[row[:2]] = max(found.get(row[:2], row[5]), row[5])
    return found


def _plan(one: Row, other: Row) -> Row:
    """Two runners that used one plan at once: both runs are known, and the plan is used."""
    low, high = sorted((one, other), key=lambda row: (row[2], row[1], row[3] is None, row[3] or ""))
    return (*low[:3], low[3] if low[3] is not None else high[3])


def _usage(one: Row, other: Row) -> Row:
    later = max(one, other, key=lambda row: (row[5], row[3]))
    return (*later[:4], min(one[4], other[4]), max(one[5], other[5]))


def _record(one: Row, other: Row) -> Row:
    return max(one, other, key=_progress)


def _progress(row: Row) -> tuple[Any, ...]:
    """Tell how far a run or an attempt has come: what ended is never open again."""
    try:
        record = json.loads(row[-1])
    except ValueError:
        return (-1, "", 0, row[-1])
    status = record.get("status", record.get("result", "open"))
    return (_RANK.get(status, _ENDED), str(record.get("ended_at") or ""), record.get("removed_tags", 0), row[-1])


def _largest(one: Row, other: Row) -> Row:
    return max(one, other)


_CHOOSE: Final = {
    "counts": _largest,
    "plans": _plan,
    "runs": _record,
    "calibrations": _largest,  # by its time, which is the second column
    "usages": _usage,
    "attempts": _record,
}


def _order(row: Sequence[Any]) -> tuple[tuple[bool, Any], ...]:
    """Sort rows although some have nothing in a column: nothing comes first."""
    return tuple((part is not None, part if part is not None else "") for part in row)
