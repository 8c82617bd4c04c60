"""GitHub Actions (also Gitea's and Forgejo's): workflows and actions.

Job containers, services, ``uses: docker://…``, what well-known actions are given, and the commands of ``run`` with the
variables of their workflow, job and step. What a workflow publishes is told with a note, because publishing is no use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.github_expressions import expressions
from tagsweep.sources.syntaxes.github_steps import given, step_outputs
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, walk

_WORKFLOW: Final = re.compile(r"(^|/)\.(github|gitea|forgejo)/workflows/[^/]+\.ya?ml$", re.IGNORECASE)
_ACTION: Final = frozenset({"action.yml", "action.yaml"})
_STARTER: Final = re.compile(r"^(on|'on'|\"on\"):", re.MULTILINE)


def claims(file: File) -> bool:
    """Tell whether it is a workflow, an action, or a template of a workflow kept elsewhere."""
    if not file.name.endswith(pipeline.YAML_NAMES):
        return False
    if _WORKFLOW.search(file.path) or file.name in _ACTION:
        return True
    return "runs-on:" in file.text and _STARTER.search(file.text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the jobs and actions in the file use."""
    lines = file.text.splitlines()
    for root in pipeline.mappings(file):
        workflow = _inputs(root), _env(root)
        jobs = root.pairs("jobs")
        scopes = {
            name: _Job(name, job, *workflow, needs=jobs) for name, job in jobs.entries.items() if isinstance(job, Pairs)
        }
        for scope in scopes.values():
            yield from _job(scope, lines)
        context = next(iter(scopes.values()), _Job("", Pairs(), *workflow, needs=jobs)).contexts()({})
        # ``1.2@sha256:…`` alone is the version of an image that another input names.
        versions = (
            value
            for node in walk(root)
            if isinstance(node, Pairs)
            for key, value in node.entries.items()
            if key.lower().endswith(("version", "tag")) and isinstance(value, Scalar) and "/" not in value.value
        )
        yield from pipeline.shaped(root, variables=expressions(context), but=frozenset(map(id, versions)))
        if root.get("runs") is not None:
            yield from _action(_Job("", root.pairs("runs"), *workflow, needs=Pairs()), lines)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A job, or the ``runs`` of an action, with what its expressions can mean."""

    name: str
    node: Pairs
    inputs: dict[str, Value]
    env: dict[str, Value]
    needs: Pairs

    def contexts(self) -> Callable[[dict[str, Value]], Variables]:
        """Return what tells, from the variables of a step, what is known in it."""
        steps = tuple(each for each in self.node.items("steps") if isinstance(each, Pairs))
        written = pipeline.merged(
            (pipeline.assignments(_run(step), sink) for step in steps for sink in ("GITHUB_ENV", ".env")), settled=True
        )
        outputs = step_outputs(steps)
        of_job = {**self.env, **_env(self.node)}
        values = {name: value for name, value in written.items() if name not in of_job}
        values.update({name: _also(value, written.get(name)) for name, value in of_job.items()})

        def look_up(env: dict[str, Value], path: str) -> Value | None:
            context, _, rest = path.partition(".")
            known = {
                "env": lambda: env.get(rest) or values.get(rest),
                "inputs": lambda: self.inputs.get(rest),
                "github": lambda: self.inputs.get(rest.removeprefix("event.inputs.")),
                "matrix": lambda: _in_matrix(self.node.pairs("strategy", "matrix"), rest.split(".")),
                "steps": lambda: outputs.get(rest),
                "needs": lambda: self._of_needed(rest),
            }
            return known[context]() if rest and context in known else env.get(path) or values.get(path)

        return lambda env: partial(look_up, env)

    def _of_needed(self, path: str) -> Value | None:
        """Return what ``needs.JOB.outputs.NAME`` is where that job echoes it, as text of the job that has it."""
        name, _, output = path.partition(".outputs.")
        job = self.needs.pairs(name)
        text = job.text("outputs", output)
        found = _STEP_OUTPUT.fullmatch(text.value.strip()) if text is not None else None
        steps = tuple(each for each in job.items("steps") if isinstance(each, Pairs))
        return step_outputs(steps).get(found[1]) if found is not None else None


_STEP_OUTPUT: Final = re.compile(r"\$\{\{\s*steps\.([\w-]+\.outputs\.[\w-]+)\s*\}\}")


def _also(value: Value, other: Value | None) -> Value:
    return pipeline.together(value, other) or value


def _run(step: Pairs) -> str:
    text = step.text("run")
    return "" if text is None else text.value


def _env(pairs: Pairs) -> dict[str, Value]:
    return pipeline.values_in(pairs.pairs("env"))


def _inputs(root: Pairs) -> dict[str, Value]:
    """Return the defaults and options of inputs. Whoever starts it may give another value, except for an option."""
    found: list[dict[str, Value]] = []
    events = root.pairs("on")
    for inputs in (root.pairs("inputs"), *(events.pairs(event, "inputs") for event in events.entries)):
        values = {}
        for name in inputs.entries:
            default = inputs.text(name, "default")
            options = tuple(option.value for option in inputs.items(name, "options") if isinstance(option, Scalar))
            # An input that one event gives freely is open, though another has options for it.
            values[name] = Value(options or (() if default is None else (default.value,)), settled=bool(options))
        found.append(values)
    names = {name for each in found for name in each}
    return {name: value for name in names if (value := pipeline.together(*(each.get(name) for each in found)))}


def _in_matrix(matrix: Pairs, keys: list[str]) -> Value | None:
    """Return every value that ``matrix.a.b`` takes, from the lists and from ``include``."""
    rows: list[Node] = [matrix.get(keys[0]) or Items((), 0)]
    rows += [each.get(keys[0]) or Items((), 0) for each in matrix.items("include") if isinstance(each, Pairs)]
    texts: list[str] = []
    settled = isinstance(matrix.get(keys[0]), Items | None) and isinstance(matrix.get("include"), Items | None)
    for row in rows:
        for entry in row.entries if isinstance(row, Items) else (row,):
            value = entry.get(*keys[1:]) if isinstance(entry, Pairs) else entry
            if isinstance(value, Scalar):
                texts.append("" if value.is_null else value.value)
    return Value(tuple(dict.fromkeys(texts)), settled) if texts else None


def _job(job: _Job, lines: list[str]) -> Iterator[Finding]:
    variables = expressions(job.contexts()({}))
    at = f"job {job.name}"
    container = job.node.get("container")
    yield from pipeline.image(container, at=f"{at}, container", variables=variables, keys=("image",))
    services = job.node.pairs("services")
    for name, service in services.entries.items():
        spot = f"{at}, service {name}"
        yield from pipeline.image(service, at=spot, variables=variables, keys=("image",))
    yield from _steps(job, lines, at)
    yield from given("", job.node.pairs("with"), lines, at=at, variables=variables)


def _action(action: _Job, lines: list[str]) -> Iterator[Finding]:
    text = action.node.text("image")
    if text is not None and text.value.startswith("docker://"):
        yield from pipeline.image(text, at="action", variables=expressions(action.contexts()({})))
    yield from _steps(action, lines, "action")


def _steps(job: _Job, lines: list[str], at: str) -> Iterator[Finding]:
    contexts = job.contexts()
    for number, step in enumerate(job.node.items("steps"), start=1):
        if not isinstance(step, Pairs):
            continue
        title = step.text("name") or step.text("id")
        spot = f"{at}, step {number if title is None else title.value}".removeprefix(", ")
        variables = expressions(contexts(_env(step)))
        uses = step.text("uses")
        if uses is not None and uses.value.startswith("docker://"):
            yield from pipeline.image(uses, at=spot, variables=variables)
        yield from pipeline.script(step.get("run"), lines, at=spot, variables=variables)
        yield from given(uses.value if uses else "", step.pairs("with"), lines, at=spot, variables=variables)


SYNTAX: Final = Syntax(
    name="GitHub Actions", claims=claims, extract=extract, alone=lambda file: _WORKFLOW.search(file.path) is not None
)
