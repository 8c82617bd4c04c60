"""GitLab CI: images and services of jobs, and the commands of their scripts.

A pipeline can be started with other values for any variable, so each value of a variable is one reading and the open
reference another; only the values of ``parallel: matrix`` are all that there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar

_ROOT: Final = ".gitlab-ci.yml"
_NAME: Final = re.compile(
    r"(^|/)(\.?gitlab-ci[^/]*\.ya?ml|[^/]*\.gitlab-ci\.ya?ml|\.gitlab(-ci)?/.*\.ya?ml)$", re.IGNORECASE
)
_SCRIPTS: Final = ("before_script", "script", "after_script")
_INPUT: Final = re.compile(r"\$\[\[\s*(inputs\.[\w.-]+)[^\]]*\]\]")
_DEEPEST: Final = 20
_SHORTEST_PATH: Final = 2


def claims(file: File) -> bool:
    """Tell whether it is named as a GitLab pipeline, or the pipeline in the root of the tree includes it."""
    if not file.name.endswith(pipeline.YAML_NAMES):
        return False
    if _NAME.search(file.path):
        return True
    root = file.tree.read(_ROOT) if file.path != _ROOT else None
    return root is not None and file.path in root


def extract(file: File) -> Iterator[Finding]:
    """Yield what the jobs of the file use, with the variables of the file and of the pipeline that includes it."""
    lines = file.text.splitlines()
    shared = _variables_of_root(file)
    header: dict[str, Value] = {}
    for document in pipeline.mappings(file):
        root = pipeline.rewritten(document, _INPUT)
        header.update(pipeline.values_in(root.pairs("spec", "inputs"), settled=False))
        known: dict[str, dict[str, Value]] = {}
        jobs = {name: job for name, job in root.entries.items() if isinstance(job, Pairs)}
        anywhere = pipeline.merged((_variables(job) for job in jobs.values()), settled=False)
        outer = pipeline.chain(
            pipeline.table({**shared, **_variables(root)}),
            pipeline.table(anywhere),
            pipeline.table(header, prefixes=("inputs.",)),
        )
        yield from _job(root, root, lines, at="", variables=outer)
        for name, job in jobs.items():
            if name in {"variables", "include", "spec", "workflow", "stages", "cache"}:
                continue
            own = pipeline.chain(_matrix(job), pipeline.table(_inherited(name, root, known)), outer)
            at = name if name == "default" else f"job {name}"
            yield from _job(job, root, lines, at=at, variables=own)
        yield from pipeline.shaped(root, variables=outer)


def _variables_of_root(file: File) -> dict[str, Value]:
    if file.path == _ROOT:
        return {}
    text = file.tree.read(_ROOT)
    if text is None:
        return {}
    try:
        return pipeline.merged((_variables(root) for root in pipeline.mappings(File(_ROOT, text))), settled=False)
    except NotParsed:
        return {}  # the file itself tells that it cannot be read


def _variables(pairs: Pairs) -> dict[str, Value]:
    found = pipeline.values_in(pairs.pairs("variables"), settled=False)
    for name in found:
        options = tuple(
            option.value for option in pairs.items("variables", name, "options") if isinstance(option, Scalar)
        )
        if options:
            found[name] = Value(tuple(dict.fromkeys((*found[name].texts, *options))), settled=False)
    return found


def _inherited(name: str, root: Pairs, known: dict[str, dict[str, Value]], depth: int = _DEEPEST) -> dict[str, Value]:
    """Return the variables of a job over those of the jobs that it extends. ``known`` is what was worked out before."""
    if depth == 0:
        return {}  # deeper than GitLab itself goes
    if name not in known:
        known[name] = {}  # what extends itself ends here
        job = root.pairs(name)
        found: dict[str, Value] = {}
        for base in pipeline.scalars(job.get("extends")):
            found.update(_inherited(base.value, root, known, depth - 1))
        known[name] = {**found, **_variables(job)}
    return known[name]


def _matrix(job: Pairs) -> Variables:
    """Return the variables of ``parallel: matrix``: all values of all its rows."""
    rows = [
        {name: Value(tuple(text.value for text in pipeline.scalars(node))) for name, node in row.entries.items()}
        for row in job.items("parallel", "matrix")
        if isinstance(row, Pairs)
    ]
    return pipeline.table(pipeline.merged(rows, settled=True))


def _job(job: Pairs, root: Pairs, lines: list[str], *, at: str, variables: Variables) -> Iterator[Finding]:
    yield from _image(job.get("image"), root, f"{at}, image".removeprefix(", "), variables)
    services = job.get("services")
    whole = _referred(services, root)
    for entry in whole.entries if isinstance(whole, Items) else ():
        yield from _image(entry, root, f"{at}, service".removeprefix(", "), variables)
    for key in _SCRIPTS:
        yield from pipeline.script(job.get(key), lines, at=at, variables=variables)
    yield from pipeline.script(job.get("hooks"), lines, at=at, variables=variables)
    if isinstance(job.get("run"), Items):  # CI/CD steps
        for step in job.items("run"):
            if isinstance(step, Pairs):
                yield from pipeline.script(step.get("script"), lines, at=at, variables=variables)


def _image(written: Node | None, root: Pairs, at: str, variables: Variables) -> Iterator[Finding]:
    node = _referred(written, root)
    for each in node.entries if isinstance(node, Items) else (node,):
        yield from pipeline.image(each, at=at, variables=variables, keys=("name",))


def _referred(node: Node | None, root: Pairs) -> Node | None:
    """Return what ``!reference [.job, image]`` leads to; nothing where it leads to another file, which tells it."""
    if not isinstance(node, Items) or len(node.entries) < _SHORTEST_PATH:
        return node
    keys = tuple(each.value for each in node.entries if isinstance(each, Scalar))
    if len(keys) == len(node.entries):
        target = root.get(*keys)
        if target is not None or keys[0].startswith("."):
            return target
    return node


SYNTAX: Final = Syntax(
    name="GitLab CI", claims=claims, extract=extract, alone=lambda file: _NAME.search(file.path) is not None
)
