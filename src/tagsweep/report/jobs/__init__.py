"""The jobs that ``tagsweep schedule`` writes: what each of them needs to know, and how a template is filled."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from tagsweep.model.schedule import Schedule

_BLANK: Final = re.compile(r"@([A-Z_]+)@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a job runs and when. ``policy`` is the path of the policy where the job runs, ``text`` its content."""

    policy: str
    text: str
    schedule: Schedule
    utc_cron: str
    """Fields that wake at the dates of the schedule, or soon after, on a clock that shows UTC."""
    package: str
    """What pip installs."""
    image: str
    program: str
    """The path of tagsweep where systemd and cron find it."""
    changelog: str = ""
    """The path of the policy's changelog in the repository, empty if there is none in it."""
    secrets: tuple[str, ...] = ()
    """The environment variables that the policy's notifications need."""
    in_cluster: bool = False
    """Whether the policy asks the Kubernetes cluster that the job runs in."""


def fill(template: str, **values: str) -> str:
    """Return the template with each ``@NAME@`` replaced; a name that has no value is a KeyError.

    Where ``@NAME@`` stands alone in a line, the value's lines are all indented as it is, and an empty value removes it.
    """
    lines: list[str] = []
    for line in template.splitlines():
        alone = _BLANK.fullmatch(line.strip())
        if alone is not None:
            indent = line[: len(line) - len(line.lstrip())]
            lines += [f"{indent}{one}".rstrip() for one in values[alone[1]].splitlines()]
        else:
            lines.append(_BLANK.sub(lambda found: values[found[1]], line))
    return "\n".join([*lines, ""])


def quoted(text: str) -> str:
    """Return text as YAML's double-quoted scalar."""
    return json.dumps(text, ensure_ascii=False)
