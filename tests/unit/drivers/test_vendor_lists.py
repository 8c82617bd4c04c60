"""Reading vendors' lists: times, digests, and numbered pages that change while they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tagsweep.drivers.vendor_lists import as_tag, digest_in, moment, newest, objects, whole, within
from tagsweep.model.errors import ProtocolViolation

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", [None, "", "yesterday", "2026-01-01T12:00:00", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 12, {}]
)
def test_what_is_no_time_is_unknown(value: Any) -> None:
    """Zeros of programming languages, times without an offset and nonsense are no times."""
    assert moment(value) is None


def test_the_newest_time_counts() -> None:
    """Of several times the latest is taken, whatever their offsets; unreadable ones are left out."""
    assert newest("2026-01-01T11:00:00Z", "2026-01-01T14:00:00+02:00", "2026-01-01T10:00:00Z", None) == NOON
    assert newest(None, "never") is None


def test_a_digest_that_cannot_be_used_is_unknown() -> None:
    """The registry API is asked for it then."""
    assert digest_in("sha256:" + "a" * 64) == "sha256:" + "a" * 64
    assert digest_in("sha256:short") is None
    assert digest_in(7) is None


@pytest.mark.parametrize("document", [None, [], {}, {"tags": None}, {"tags": {}}, {"tags": ["v1"]}])
def test_an_answer_without_its_list_is_an_error(document: Any) -> None:
    """Nothing is read as an empty list that is none."""
    with pytest.raises(ProtocolViolation, match="no list of tags"):
        objects(document, "tags", place="registry.example", doing="list")


def test_what_is_not_there_is_none() -> None:
    """Null, a list or a text on the way to a value is no accident: there is no such value."""
    assert within({"meta": {"total": 7}}, "meta", "total") == 7
    odd: list[Any] = [None, [], "text", {}, {"meta": None}, {"meta": [7]}, {"meta": {}}]
    for document in odd:
        assert within(document, "meta", "total") is None


Reading = list[tuple[Sequence[Mapping[str, Any]], int | None]]


def read_all(pages: Reading) -> dict[str, Mapping[str, Any]]:
    """Read a list whose pages come in this order, however often it is begun again."""
    coming = iter(pages)
    return whole(lambda _: next(coming), key="name", place="registry.example", doing="list the tags")


def named(*names: str) -> list[Mapping[str, Any]]:
    """Return entries with these names."""
    return [{"name": name} for name in names]


def test_pages_are_read_until_the_total() -> None:
    """Every entry once, and no page more than needed."""
    assert list(read_all([(named("a", "b"), 3), (named("c"), 3)])) == ["a", "b", "c"]


def test_a_list_that_changed_is_read_anew() -> None:
    """A total that moved, and an entry that came twice because another went, begin the reading again."""
    moved: Reading = [(named("a", "b"), 3), (named("c"), 2), (named("b", "c"), 2)]
    assert list(read_all(moved)) == ["b", "c"]
    twice: Reading = [(named("a", "b"), 3), (named("b"), 3), (named("a", "b"), 3), (named("c"), 3)]
    assert list(read_all(twice)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "pages",
    [[(named("a"), 2), (named(), 2)] * 3, [(named("a"), None), (named(), None)] * 3],
    ids=["less than counted", "no total"],
)
def test_less_than_everything_is_an_error(pages: Reading) -> None:
    """What cannot be known to be whole is refused after three readings."""
    with pytest.raises(ProtocolViolation, match="changed each of the 3 times"):
        read_all(pages)


def test_a_server_that_gives_one_page_for_ever_is_left() -> None:
    """Hazard 43: without a total, and whatever page is asked for, the reading ends where nothing new comes."""
    asked: list[int] = []

    def read(page: int) -> tuple[Sequence[Mapping[str, Any]], int | None]:
        asked.append(page)
        return named("a"), 7

    with pytest.raises(ProtocolViolation, match="changed each of the 3 times"):
        whole(read, key="name", place="registry.example", doing="list the tags")
    assert asked == [1, 2] * 3


def test_a_name_that_is_no_tag_is_an_error() -> None:
    """It is not left out: who lists it knows something that is not understood here."""
    assert as_tag("v1", place="registry.example", doing="list") == "v1"
    with pytest.raises(ProtocolViolation, match="which is no tag"):
        as_tag("no tag", place="registry.example", doing="list")


def test_an_entry_without_its_name_is_an_error() -> None:
    """It cannot be told from another."""
    with pytest.raises(ProtocolViolation, match="no name"):
        read_all([([{}], 1)])
