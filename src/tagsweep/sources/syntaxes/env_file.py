"""Files of variables (``.env``): images kept under names such as ``API_IMAGE``, and the values for who reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.image_keys import could_name_image, may_be_image_key
from tagsweep.sources.syntaxes.shape import looks_like_image
from tagsweep.sources.syntaxes.template import Value, Variables

_NAME: Final = re.compile(
    r"\.env(?:[._-].*)?|.*\.env(?:[._-](?:example|sample|dist|template|local|prod|production|dev|test))?|env\.(?:example|sample)"
)
_LINE: Final = re.compile(
    r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*[=:]\s*"
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>[^']*)'|(?P<plain>.*?))\s*(?:\s#.*)?"
)
_PLAIN_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable's value and its line."""

    value: str
    line: int


def claims(file: File) -> bool:
    """Tell whether the file is named as a file of variables is."""
    return _NAME.fullmatch(file.name) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file names."""
    return find(file.text)


def find(text: str, *, line: int = 1) -> Iterator[Finding]:
    """Yield the images among the variables that ``text`` sets, whose first line is ``line``."""
    values = settings(text, line=line)

    def look_up(name: str) -> Value | None:
        setting = values.get(name)
        return None if setting is None else Value((_without(name, setting.value),))

    yield from images_in(values, look_up)


def images_in(values: dict[str, Setting], variables: Variables) -> Iterator[Finding]:
    """Yield the images among variables, by their names or by the shape of the value; ``variables`` tells what is in it.

    A name without a tag is put together with the tag that is kept beside it (``API_IMAGE``, ``API_IMAGE_TAG``).
    """
    for name, setting in values.items():
        text = setting.value
        named = may_be_image_key(name)
        if not (looks_like_image(text) or (named and could_name_image(text, bare=name.upper().endswith("IMAGE")))):
            continue
        tag = _tag_beside(name, values) if named and ":" not in text.rpartition("/")[2] and "@" not in text else None
        for part in text.split() if named else (text,):
            complete = part if tag is None else f"{part}:${{{tag}}}"
            for finding in read_image(complete, line=setting.line, variables=variables):
                if not isinstance(finding, NoReference):
                    yield finding


def settings(text: str, *, line: int = 1) -> dict[str, Setting]:
    """Return the variables that a ``.env`` text sets; of several settings the last counts."""
    found: dict[str, Setting] = {}
    for number, content in enumerate(text.removeprefix("\ufeff").splitlines(), start=line):
        if content.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(content)
        if match is None:
            continue
        value = next((match[kind] for kind in ("double", "single") if match[kind] is not None), None)
        if value is None:
            value = _PLAIN_COMMENT.sub("", match["plain"]).strip()
        found[match["name"]] = Setting(value, number)
    return found


def _tag_beside(name: str, values: dict[str, Setting]) -> str | None:
    stem = re.sub(r"(?i)_?(?:name|uri|ref)$", "", name)
    shorter = re.sub(r"(?i)_?image$", "", stem)
    candidates = [f"{stem}_TAG", f"{stem}_VERSION", f"{shorter}_TAG" if shorter else "TAG"]
    return next((each for each in candidates if values.get(each) is not None and values[each].value), None)


def _without(name: str, text: str) -> str:
    """Return a value without a use of its own name, which stands for what was set outside."""
    return re.sub(rf"(\$\{{?){re.escape(name)}\b", rf"\1_{name}_before", text)


SYNTAX: Final = Syntax(name="variables", claims=claims, extract=extract)
