"""What tests of syntaxes share: files in memory, findings as short lines, and texts that went through a mangle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.sources.syntaxes.scan import scan


@dataclass(frozen=True)
class Files:
    """A tree of texts."""

    texts: Mapping[str, str] = field(default_factory=dict)

    def read(self, path: str) -> str | None:
        """Return the text at a path."""
        return self.texts.get(path)

    def paths(self, directory: str) -> Sequence[str]:
        """Return the paths in a directory."""
        return sorted(path for path in self.texts if not directory or path.startswith(f"{directory}/"))


def short(finding: Finding) -> str:
    """Return a finding as ``LINE =reference``, ``LINE ~repository|tag pattern`` or ``LINE !text``."""
    note = "" if isinstance(finding, NoReference) or not finding.note else f" ({finding.note})"
    match finding:
        case Found():
            return f"{finding.line} ={finding.reference}{note}"
        case Open():
            return f"{finding.line} ~{finding.repository or finding.repository_pattern}|{finding.tag_pattern}{note}"
        case NoReference():
            return f"{finding.line} !{finding.text}"


def found(syntax: Syntax, path: str, text: str, others: Mapping[str, str] | None = None) -> list[str]:
    """Return what the syntax, which must claim the file, finds in it, in the order of the lines."""
    file = File(path, text, Files({**(others or {}), path: text}))
    assert syntax.claims(file)
    scanned = scan(file, (syntax,))
    assert scanned.problems == ()
    return [short(finding) for finding in sorted(scanned.findings, key=lambda finding: finding.line)]


def survives(syntax: Syntax, path: str, text: str, others: Mapping[str, str] | None = None) -> None:
    """Check that the syntax reads whatever it is given, or says that it cannot parse it."""
    file = File(path, text, Files({**(others or {}), path: text}))
    syntax.claims(file)
    try:
        for finding in syntax.extract(file):
            assert finding.line >= 0
    except NotParsed as error:
        assert str(error)  # noqa: PT017 - either outcome is right, and the reason must be there


def mangled(text: str) -> st.SearchStrategy[str]:
    """Return texts made from a valid one by cutting and putting in, and any other text."""
    cut = st.tuples(
        st.integers(0, len(text)), st.integers(0, 12), st.text(alphabet="${}[]<>()'\"`|:-#@ \n\tab/.&*!", max_size=6)
    )
    return st.one_of(st.lists(cut, min_size=1, max_size=6).map(lambda cuts: _cut(text, cuts)), st.text(max_size=80))


def _cut(text: str, cuts: list[tuple[int, int, str]]) -> str:
    for at, length, inserted in cuts:
        text = text[:at] + inserted + text[at + length :]
    return text
