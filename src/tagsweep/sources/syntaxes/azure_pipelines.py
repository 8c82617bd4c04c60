"""Azure Pipelines: container jobs and resources, service containers, tasks that take images, and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes import pipeline
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, walk

_PATH: Final = re.compile(
    r"(^|/)(\.?azure-?pipelines?[^/]*|\.vsts-ci|\.azure-pipelines/.*|\.azuredevops/.*|\.?azure-pipelines/.*)\.ya?ml$",
    re.IGNORECASE,
)
_TASK: Final = re.compile(r"^[ \t]*(?:-[ \t]*task:\s*[\"']?[\w.-]+@\d|vmImage:)", re.MULTILINE)
_SCRIPTS: Final = ("script", "bash", "pwsh", "powershell")
_IMAGE_INPUTS: Final = frozenset(
    {"containers", "imagename", "imagenames", "image", "imagetodeploy", "containerimage", "acrimagename", "baseimage"}
)
_SET: Final = re.compile(r"##vso\[task\.setvariable\s+variable=([\w.]+)", re.IGNORECASE)


def claims(file: File) -> bool:
    """Tell whether it is named as a pipeline, or has tasks or agent images as only these have."""
    if not file.name.endswith(pipeline.YAML_NAMES):
        return False
    if _PATH.search(file.path) is not None:
        return True
    return ("task:" in file.text or "vmImage:" in file.text) and _TASK.search(file.text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what the jobs and tasks use. A parameter's default may be given another value."""
    lines = file.text.splitlines()
    changed = set(_SET.findall(file.text))
    for root in pipeline.mappings(file):
        resources = root.items("resources", "containers")
        named = {alias.value for each in resources if isinstance(each, Pairs) and (alias := each.text("container"))}
        known = pipeline.chain(_variables(root, changed), _parameters(root))
        for resource in resources:
            if isinstance(resource, Pairs):
                yield from _resource(resource, known)
        for node in walk(root):
            if isinstance(node, Pairs) and node not in resources:
                yield from _node(node, lines, named, known)
        yield from pipeline.shaped(root, variables=known)


def _variables(root: Pairs, changed: set[str]) -> Variables:
    """Return the variables of the whole file, by each of the ways to write them; a script may set them anew."""
    found: list[dict[str, Value]] = []
    for node in walk(root):
        if not isinstance(node, Pairs):
            continue
        written = node.get("variables")
        if isinstance(written, Pairs):
            found.append(pipeline.values_in(written))
        for each in written.entries if isinstance(written, Items) else ():
            name, value = (each.text("name"), each.text("value")) if isinstance(each, Pairs) else (None, None)
            if name is not None and value is not None:
                found.append({name.value: Value((value.value,))})
    values = {
        name: Value(value.texts, settled=name not in changed)
        for name, value in pipeline.merged(found, settled=True).items()
    }
    indexed = {f"'{name}'": value for name, value in values.items()}
    by_name = {name.upper().replace(".", "_"): value for name, value in values.items()}
    bracketed = pipeline.table({f"[{name}]": value for name, value in indexed.items()}, prefixes=("variables",))
    return pipeline.chain(pipeline.table(values, prefixes=("variables.", "")), bracketed, pipeline.table(by_name))


def _parameters(root: Pairs) -> Variables:
    found: dict[str, Value] = {}
    listed = root.get("parameters")
    if isinstance(listed, Pairs):
        found = pipeline.values_in(listed, settled=False)
    for each in listed.entries if isinstance(listed, Items) else ():
        name = each.text("name") if isinstance(each, Pairs) else None
        if name is None or not isinstance(each, Pairs):
            continue
        options = tuple(option.value for option in pipeline.scalars(each.get("values")))
        default = each.text("default")
        texts = options or (() if default is None else (default.value,))
        if texts:
            found[name.value] = Value(texts, settled=bool(options))
    return pipeline.table(found, prefixes=("parameters.",))


def _resource(resource: Pairs, variables: Variables) -> Iterator[Finding]:
    """Yield the image of ``resources: containers``, which for a registry in Azure is written in parts."""
    alias = resource.text("container")
    at = "container resource" if alias is None else f"container resource {alias.value}"
    yield from pipeline.image(resource.get("image"), at=at, variables=variables)
    registry, repository = resource.text("registry"), resource.text("repository")
    if resource.get("image") is None and registry is not None and repository is not None:
        host = registry.value if "." in registry.value or "$" in registry.value else f"{registry.value}.azurecr.io"
        tags = [text.value for text in pipeline.scalars(resource.get("trigger", "tags"))] or ["$(tag)"]
        for tag in tags:
            text = f"{host}/{repository.value}:{tag}"
            yield from read_image(text, line=repository.line, at=at, variables=variables)


def _node(node: Pairs, lines: list[str], named: set[str], variables: Variables) -> Iterator[Finding]:
    title = node.text("job") or node.text("deployment") or node.text("displayName") or node.text("task")
    at = "" if title is None else title.value
    container = node.get("container")
    if not (isinstance(container, Scalar) and container.value in named):
        yield from pipeline.image(
            container, at=f"{at}, container".removeprefix(", "), variables=variables, keys=("image",)
        )
    if any(key in node.entries for key in ("job", "deployment", "steps", "pool")):
        for name, service in node.pairs("services").entries.items():
            if not (isinstance(service, Scalar) and service.value in named):
                spot = f"{at}, service {name}".removeprefix(", ")
                yield from pipeline.image(service, at=spot, variables=variables, keys=("image",))
    for key in _SCRIPTS:
        if isinstance(node.get(key), Scalar):
            yield from pipeline.script(node.get(key), lines, at=at, variables=variables)
    task = node.text("task")
    if task is not None:
        yield from _task(task.value, node.pairs("inputs"), lines, at=at, variables=variables)


def _task(task: str, inputs: Pairs, lines: list[str], *, at: str, variables: Variables) -> Iterator[Finding]:
    given = {name.lower(): node for name, node in inputs.entries.items()}
    for key in ("script", "inlinescript"):
        yield from pipeline.script(given.get(key), lines, at=at, variables=variables)
    publishes = task.lower().startswith("docker@")
    for key, node in given.items():
        if key in _IMAGE_INPUTS and isinstance(node, Scalar):
            note = "published by the pipeline" if publishes else ""
            for line, text in pipeline.words(node, lines):
                yield from read_image(text, line=line, at=at, note=note, variables=variables)
    repository = given.get("repository")
    if publishes and isinstance(repository, Scalar) and not repository.is_null:
        yield from _built(repository, given, lines, at=at, variables=variables)


def _built(
    repository: Scalar, given: dict[str, Node], lines: list[str], *, at: str, variables: Variables
) -> Iterator[Finding]:
    """Yield what Docker@2 pushes: a repository of the registry that a service connection names, with some tags."""
    connection = given.get("containerregistry")
    host = "$(the registry of the connection)/" if isinstance(connection, Scalar) else ""
    tags = given.get("tags")
    listed = list(pipeline.words(tags, lines)) if isinstance(tags, Scalar) else []
    for line, tag in listed or [(repository.line, "$(Build.BuildId)")]:
        text = f"{host}{repository.value}:{tag}"
        yield from read_image(text, line=line, at=at, note="published by the pipeline", variables=variables)


SYNTAX: Final = Syntax(name="Azure Pipelines", claims=claims, extract=extract)
