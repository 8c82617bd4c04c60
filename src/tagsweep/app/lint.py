"""Collecting the tags to lint: from arguments, build metadata, Bake and Compose files, and registries."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tagsweep.app.targets import expand_targets, parse_reference
from tagsweep.core.lint import Candidate
from tagsweep.model.errors import ConfigurationError, NotParsed, TagsweepError
from tagsweep.sources.files import DirectoryTree
from tagsweep.sources.syntaxes import bake, compose
from tagsweep.sources.syntaxes.files import File
from tagsweep.sources.syntaxes.findings import Found, NoReference, Open

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tagsweep.app.session import Session
    from tagsweep.sources.syntaxes.findings import Finding

_BUILT = "built here"
_MOST = 4 * 1024 * 1024


def from_argument(text: str) -> Iterator[Candidate]:
    """Yield the tag that an argument is, or that a reference ends in."""
    yield Candidate(tag=tag_of(text))


def from_texts(texts: Iterable[str], *, where: str) -> Iterator[Candidate]:
    """Yield a candidate for each line: a tag, or a reference that ends in one. Empty lines and # lines are left out."""
    for number, text in enumerate(texts, start=1):
        line = text.strip()
        if line and not line.startswith("#"):
            yield Candidate(tag=tag_of(line), where=where, line=number)


def tag_of(text: str) -> str:
    """Return the tag of a reference; a text without a colon is the tag itself."""
    if "@" in text or (":" in text and "/" not in text.rpartition(":")[2]):
        try:
            found = parse_reference(text)
        except TagsweepError:
            return text.rpartition(":")[2]
        if found.tag is None:
            raise ConfigurationError(f"{text!r} has no tag that could be checked", remedy="name a tag, or image:tag")
        return found.tag
    return text


def from_metadata(path: Path) -> Iterator[Candidate]:
    """Yield the tags that docker/metadata-action made: its JSON output, its Bake file, or its list of references."""
    text = _read(path)
    try:
        document = json.loads(text)
    except ValueError:
        yield from from_texts(re.split(r"[\n,]", text), where=str(path))
        return
    found = list(_references(document))
    if not found:
        raise ConfigurationError(
            f"{path}: there are no tags in it",
            remedy="give the json, tags or bake-file output of docker/metadata-action",
        )
    for reference in found:
        yield Candidate(tag=tag_of(reference), where=str(path))


def _references(document: object) -> Iterator[str]:
    """Yield the texts under every key ``tags``, wherever it is."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "tags" and isinstance(value, list):
                yield from (text for text in value if isinstance(text, str))
            else:
                yield from _references(value)


def from_bake(path: Path) -> Iterator[Candidate]:
    """Yield the tags that the targets of a Bake file are given."""
    file = _file(path)
    if not file.name.endswith((".hcl", ".json")):
        raise ConfigurationError(
            f"{path}: a Bake file ends in .hcl or .json", remedy="give a Compose file with --compose"
        )
    yield from _built(path, lambda: bake.extract(file))


def from_compose(path: Path) -> Iterator[Candidate]:
    """Yield the tags of the images that a Compose file builds; what it only runs is named by others."""
    file = _file(path)
    yield from _built(path, lambda: compose.extract(file))


def from_file(path: Path) -> Iterator[Candidate]:
    """Yield the tags of a Bake file, if its name ends as theirs do, else of a Compose file."""
    return from_bake(path) if path.name.lower().endswith((".hcl", ".json")) else from_compose(path)


def from_registry(targets: Iterable[str], *, session: Session) -> Iterator[Candidate]:
    """Yield every tag of these repositories, with what the ledger knows of its moves."""
    for repository in expand_targets(targets, session):
        earlier = session.ledger.earlier_digests(repository)
        last = session.ledger.last_digests(repository)
        for tag in session.driver(repository).list_tags(repository.path):
            now = tag.digest if tag.digest is not None else last.get(tag.name)
            before = earlier.get(tag.name, frozenset()) | ({last[tag.name]} if tag.name in last else set())
            yield Candidate(tag=tag.name, where=str(repository), moved=now is not None and bool(before - {now}))


# --- files --------------------------------------------------------------------------------------------------------
def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
        if len(data) > _MOST:
            raise ConfigurationError(f"{path} is larger than 4 MiB", remedy="give a smaller file")
        return data.decode()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", remedy="check the name") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8", remedy="save it as UTF-8") from error


def _file(path: Path) -> File:
    return File(path.name, _read(path), DirectoryTree(path.resolve().parent, _MOST))


def _built(path: Path, extract: Callable[[], Iterable[Finding]]) -> Iterator[Candidate]:
    try:
        found = [finding for finding in extract() if getattr(finding, "note", _BUILT) == _BUILT]
    except NotParsed as error:
        raise ConfigurationError(f"{path}: {error}", remedy="correct the file") from error
    for finding in found:
        candidate = _candidate(finding, path)
        if candidate is not None:
            yield candidate


def _candidate(finding: Finding, path: Path) -> Candidate | None:
    match finding:
        case Found():
            tag = finding.reference.tag
            return Candidate(tag=tag, where=str(path), line=finding.line) if tag is not None else None
        case NoReference():
            return Candidate(tag=tag_of(finding.text), where=str(path), line=finding.line)
        case Open():
            return None
