"""Travis CI: the commands of its phases, which is where its builds name images, with the variables of its matrix."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.template import Value
from tagsweep.sources.syntaxes.yamlnodes import Node, Pairs, Scalar, walk

_NAME: Final = re.compile(r"(^|/)\.travis(\.[^/]*)?\.ya?ml$|(^|/)\.travis/.*\.ya?ml$", re.IGNORECASE)
_PHASES: Final = (
    *("before_install", "install", "before_script", "script", "before_cache", "after_success", "after_failure"),
    *("before_deploy", "after_deploy", "after_script"),
)
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def claims(file: File) -> bool:
    """Tell whether it is a build of Travis CI."""
    return _NAME.search(file.path) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the commands of every phase and job use."""
    lines = file.text.splitlines()
    for root in pipeline.mappings(file):
        variables = pipeline.table(_environment(root))
        for node in walk(root):
            if isinstance(node, Pairs):
                for phase in _PHASES:
                    yield from pipeline.script(node.get(phase), lines, at=phase, variables=variables)
        yield from pipeline.shaped(root, variables=variables)


def _environment(root: Pairs) -> dict[str, Value]:
    """Return what each variable is in any of the builds."""
    found: list[dict[str, Value]] = []
    for node in walk(root):
        if isinstance(node, Pairs):
            found += _values(node.get("env"))
    return pipeline.merged(found, settled=True)


def _values(env: Node | None) -> Iterator[dict[str, Value]]:
    for node in walk(env) if env is not None else ():
        if isinstance(node, Pairs):
            yield pipeline.values_in(node)
        elif isinstance(node, Scalar):
            yield _assigned(node.value)


def _assigned(text: str) -> dict[str, Value]:
    """Return the variables in ``A=1 B="two words"``."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    found = (_ASSIGNMENT.fullmatch(word) for word in words)
    return {each[1]: Value((each[2],)) for each in found if each is not None}


SYNTAX: Final = Syntax(name="Travis CI", claims=claims, extract=extract, alone=claims)
