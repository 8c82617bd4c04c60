"""What single kinds of Kubernetes objects mean for their images: rollback targets, schedules, no images at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tagsweep.sources.syntaxes.kubernetes_fields import as_text
from tagsweep.sources.syntaxes.template import Value, Variables, nothing_known

_WITHOUT_IMAGES: Final = frozenset(
    {
        ("apiextensions.k8s.io", "CustomResourceDefinition"),  # schemas that speak of images
        ("image.toolkit.fluxcd.io", "ImageRepository"),  # a repository whose tags are listed, none is used
    }
)
# With the key first, which is found far faster than the beginnings of all lines.
_DEFINITION: Final = (
    re.compile(r"kind(?<![^\n]kind):\s*[\"']?CustomResourceDefinition\b"),
    re.compile(r"apiVersion(?<![^\n]apiVersion):\s*[\"']?apiextensions\.k8s\.io/"),
)
_SCALED: Final = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout"})
_SCHEDULED: Final = frozenset({"CronJob", "CronWorkflow", "ScheduledWorkflow", "AdvancedCronJob"})
_RUNS: Final = frozenset({"TaskRun", "PipelineRun", "Workflow", "CronWorkflow"})
_WITH_PARAMETERS: Final = ("argoproj.io/", "tekton.dev/")


def is_object(value: object) -> bool:
    """Tell whether a value is a Kubernetes object: it says its version and kind."""
    return isinstance(value, dict) and isinstance(value.get("apiVersion"), str) and isinstance(value.get("kind"), str)


def without_schemas(text: str) -> str:
    """Return a text of many documents with empty lines in place of each that defines a resource.

    They are the largest documents that there are, and name no image: parsing them takes most of the time otherwise.
    """
    if "CustomResourceDefinition" not in text:
        return text
    kept = [
        "\n" * part.count("\n") if all(each.search(part) is not None for each in _DEFINITION) else part
        for part in text.split("\n---")
    ]
    return "\n---".join(kept)


def has_no_images(thing: Mapping[str, Any]) -> bool:
    """Tell whether objects of this kind only look as if they named images."""
    return (as_text(thing.get("apiVersion")).partition("/")[0], thing.get("kind")) in _WITHOUT_IMAGES


def name_of(thing: Mapping[str, Any]) -> str:
    """Return kind and name, such as ``Deployment gateway``."""
    metadata = _mapping(thing.get("metadata"))
    name = as_text(metadata.get("name")) or as_text(metadata.get("generateName"))
    return f"{as_text(thing.get('kind'))} {name}".strip()


def note_of(thing: Mapping[str, Any]) -> str:
    """Return how the images of this object are in use where that is not plainly now, or the empty text."""
    kind = as_text(thing.get("kind"))
    spec, status, metadata = (_mapping(thing.get(part)) for part in ("spec", "status", "metadata"))
    if kind == "ControllerRevision":
        return f"rollback target: revision {as_text(thing.get('revision')) or '?'}"
    if kind in _SCALED and as_text(spec.get("replicas")) == "0":
        owned = kind == "ReplicaSet" and bool(metadata.get("ownerReferences"))
        return f"rollback target: {name_of(thing)} has 0 replicas" if owned else "scaled to zero"
    if kind in _SCHEDULED:
        return _schedule(spec, status)
    finished = (
        status.get("completionTime") if kind == "Job" else as_text(status.get("phase")) in {"Succeeded", "Failed"}
    )
    if finished and kind in {"Job", "Pod"}:
        return "finished"
    return "the newest that the image policy selects" if kind == "ImagePolicy" else ""


def _schedule(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    schedule = as_text(spec.get("schedule"))
    schedules = spec.get("schedules")
    if not schedule and isinstance(schedules, list):
        schedule = ", ".join(as_text(each) for each in schedules)
    last = as_text(status.get("lastScheduleTime")) or as_text(status.get("lastScheduledTime"))
    words = ["suspended"] if spec.get("suspend") is True or as_text(spec.get("suspend")) == "true" else []
    words.append(f"schedule {schedule}" if schedule else "scheduled")
    if last:
        words.append(f"last {last}")
    elif status:
        words.append("has not run yet")
    return ", ".join(words)


def variables_of(thing: Mapping[str, Any]) -> Variables:
    """Return the parameters of Argo Workflows and Tekton: ``{{inputs.parameters.x}}`` and ``$(params.x)``.

    Every value that the object gives a parameter of that name counts, wherever; in what runs they are settled, in a
    template whoever starts it may give another.
    """
    if not as_text(thing.get("apiVersion")).startswith(_WITH_PARAMETERS):
        return nothing_known
    given: dict[str, dict[str, None]] = {}
    for name, text in _parameters(thing):
        given.setdefault(name, {})[text] = None
    settled = thing.get("kind") in _RUNS

    def look_up(variable: str) -> Value | None:
        scope, _, name = variable.replace('["', ".").replace('"]', "").rpartition(".")
        if not scope.endswith(("params", "parameters")) or name not in given:
            return None
        return Value(tuple(given[name]), settled)

    return look_up


def _parameters(value: object) -> Iterator[tuple[str, str]]:
    stack = [value]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(current)
        elif isinstance(current, dict):
            for key, entries in current.items():
                if key in {"params", "parameters"} and isinstance(entries, list):
                    yield from _pairs(entries)
                stack.append(entries)


def _pairs(entries: list[Any]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            for key in ("value", "default"):
                if as_text(entry.get(key)):
                    yield entry["name"], as_text(entry[key])
            choices = entry.get("enum")
            for each in choices if isinstance(choices, list) else ():
                yield entry["name"], as_text(each)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
