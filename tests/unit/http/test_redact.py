"""Secrets never get into messages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsweep.http.redact import excerpt, redact_url

SECRET = "s3cr3tValue0123456789"

bad_urls = [
    f"https://user:{SECRET}@registry.example.com/v2/",
    f"https://{SECRET}@registry.example.com/v2/",
    f"https://storage.example.com/x?X-Amz-Signature={SECRET}&n=5",
    f"https://storage.example.com/x?sig={SECRET}",
    f"https://storage.example.com/x?token={SECRET}",
    f"https://storage.example.com/x#access_token={SECRET}",
    f"https://[broken?token={SECRET}",
]


@pytest.mark.parametrize("url", bad_urls)
def test_a_url_loses_its_secrets(url: str) -> None:
    """User, password, fragment and the value of every parameter that is not known to be harmless are hidden."""
    assert SECRET not in redact_url(url)
    assert SECRET not in excerpt(f"cannot reach {url}: timed out")


def test_a_url_keeps_what_helps() -> None:
    """Host, port, path and paging parameters stay readable."""
    url = "https://registry.example.com:5000/v2/a/tags/list?n=100&last=v1"
    assert redact_url(url) == url


bad_texts = [
    f"Authorization: Bearer {SECRET}",
    f"authorization: basic {SECRET}==",
    f'{{"token":"{SECRET}"}}',
    f'{{"access_token" : "{SECRET}"}}',
    f"password={SECRET}&user=a",
    f"client-secret: {SECRET}",
    f"the token eyJhbGciOiJub25l.{SECRET}.sig was refused",
    f"see https://bob:{SECRET}@proxy.example.com:3128/",
]


@pytest.mark.parametrize("text", bad_texts)
def test_a_text_loses_its_secrets(text: str) -> None:
    """Headers, JSON, forms, JWTs and URLs inside of a server's words are cleaned."""
    assert SECRET not in excerpt(text)
    assert SECRET not in excerpt(text.encode())


@given(st.text(max_size=400))
@settings(max_examples=100, deadline=None)
def test_an_excerpt_is_one_bounded_printable_line(text: str) -> None:
    """Whatever a server sends, a terminal is safe from it."""
    shown = excerpt(text, limit=50)
    assert len(shown) <= 50
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)


@given(st.text("abcdefABCDEF0123456789+/", min_size=12, max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_bearer_token_survives(token: str) -> None:
    """A token after its scheme is hidden whatever its letters."""
    assert token not in excerpt(f"sent Bearer {token} to it")
