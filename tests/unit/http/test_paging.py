"""Following a listing to its end."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.http.paging import listing, next_link
from tagsweep.model.errors import ProtocolViolation
from tagsweep.ports import Response

HERE = "https://registry.example.com/v2/a/tags/list"

good_links = [
    ("", None),
    ('</v2/a/tags/list?last=b&n=2>; rel="next"', "https://registry.example.com/v2/a/tags/list?last=b&n=2"),
    ("<list?last=b>; rel=next", "https://registry.example.com/v2/a/tags/list?last=b"),
    ("<?last=b>;rel=next", "https://registry.example.com/v2/a/tags/list?last=b"),
    ('<https://registry.example.com:443/x>; rel="next"', "https://registry.example.com:443/x"),
    ('</first>; rel="first", </more>; title="a"; rel="next"', "https://registry.example.com/more"),
    ('</more>; rel="last next"', "https://registry.example.com/more"),
    ('</prev>; rel="prev"', None),
    ("</no-rel>", None),
    ("rubbish; rel=next", None),
    ("<unclosed; rel=next", None),
]


def page(tags: list[str], link: str = "", url: str = HERE) -> Response:
    headers = {"link": link} if link else {}
    return Response(status=200, url=url, headers=headers, body=json.dumps(tags).encode())


def read(response: Response) -> tuple[str, ...]:
    return tuple(json.loads(response.body))


@pytest.mark.parametrize(("link", "url"), good_links)
def test_the_next_page_is_found(link: str, url: str | None) -> None:
    """Relative and absolute links, several links and several relations are read; anything else is no next page."""
    assert next_link(page([], link), place="r") == url


bad_links = [
    "<https://evil.example.com/v2/>; rel=next",
    "<http://registry.example.com/v2/a/tags/list?last=b>; rel=next",
    "<https://registry.example.com:8443/v2/>; rel=next",
    "<//evil.example.com/v2/>; rel=next",
]


@pytest.mark.parametrize("link", bad_links)
def test_a_page_at_another_origin_is_refused(link: str) -> None:
    """Another host, port or scheme would get the Authorization header, so the listing ends in an error."""
    with pytest.raises(ProtocolViolation, match="another host"):
        next_link(page([], link), place="r")


def walk(pages: dict[str, Response], start: str = HERE) -> tuple[list[str], list[str]]:
    asked: list[str] = []

    def fetch(url: str) -> Response:
        asked.append(url)
        return pages[url]

    return list(listing(fetch, start, read, place="r")), asked


def test_without_a_link_one_request_suffices() -> None:
    """Distribution 2.x sends everything at once, in the order of its directory, and no Link."""
    assert walk({HERE: page(["c", "a", "b"])}) == (["c", "a", "b"], [HERE])


def test_duplicate_tags_collapse() -> None:
    """A tag that comes twice, on one page or on two, is one tag."""
    second = HERE + "?last=b"
    pages = {HERE: page(["a", "b", "a"], f"<{second}>; rel=next"), second: page(["b", "c"], url=second)}
    assert walk(pages)[0] == ["a", "b", "c"]


@given(st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=30), st.data())
@settings(max_examples=80, deadline=None)
def test_any_split_into_pages_gives_the_same_list(tags: list[str], data: st.DataObject) -> None:
    """However a registry cuts its list, empty pages included, every tag is seen once and in order."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(tags)), max_size=6)))
    parts = [tags[a:b] for a, b in zip([0, *cuts], [*cuts, len(tags)], strict=True)]
    urls = [HERE, *(f"{HERE}?page={number}" for number in range(1, len(parts)))]
    pages = {}
    for number, (url, part) in enumerate(zip(urls, parts, strict=True)):
        link = f"<{urls[number + 1]}>; rel=next" if number + 1 < len(urls) else ""
        pages[url] = page(part, link, url)
    found, asked = walk(pages)
    assert found == tags
    assert asked == urls


def test_a_link_on_the_last_empty_page_ends_the_list() -> None:
    """Pulp links on from its last page: to itself or back to the start, and nothing new comes."""
    second = HERE + "?last=b"
    for back in (second, HERE + "?last="):
        pages = {
            HERE: page(["a", "b"], f"<{second}>; rel=next"),
            second: page([], f"<{back}>; rel=next", second),
            HERE + "?last=": page(["a", "b"], f"<{second}>; rel=next", HERE + "?last="),
        }
        assert walk(pages)[0] == ["a", "b"]


def test_a_listing_in_a_circle_is_an_error() -> None:
    """A page that repeats, or a link to where it came from, means that the end was never seen."""
    second = HERE + "?last=a"
    same = {HERE: page(["a"], f"<{second}>; rel=next"), second: page(["a"], f"<{second}&x=1>; rel=next", second)}
    back = {HERE: page(["a"], f"<{second}>; rel=next"), second: page(["b"], f"<{HERE}>; rel=next", second)}
    for pages in (same, back):
        with pytest.raises(ProtocolViolation, match="repeats itself"):
            walk(pages)


def test_a_failing_page_fails_the_listing() -> None:
    """An incomplete list is never returned as if it were whole."""
    second = HERE + "?last=a"

    def failing(pages: dict[str, Response]) -> Callable[[str], Response]:
        def fetch(url: str) -> Response:
            if url not in pages:
                raise ProtocolViolation("the page does not come")
            return pages[url]

        return fetch

    with pytest.raises(ProtocolViolation, match="does not come"):
        list(listing(failing({HERE: page(["a"], f"<{second}>; rel=next")}), HERE, read, place="r"))
