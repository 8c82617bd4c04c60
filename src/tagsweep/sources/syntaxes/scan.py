"""Reading one file by every syntax that claims it, and as plain text where none does or one cannot parse it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Final

from tagsweep.sources.syntaxes import plain_text
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open

# A file that a syntax cannot parse and that has none of these words has nothing that only the syntax could tell: a name
# without a tag, or one in parts. The full form is found as plain text.
_ABOUT_IMAGES: Final = re.compile(r"image|contain|docker|podman|repositor|registry|\bfrom\b|newtag", re.IGNORECASE)
_MODULES: Final[tuple[str, ...]] = (
    "act",
    "ansible",
    "azure_pipelines",
    "bazel",
    "bake",
    "bitbucket",
    "buildkite",
    "circleci",
    "cloudbuild",
    "codebuild",
    "compose",
    "concourse",
    "devcontainer",
    "dockerfile",
    "drone",
    "earthfile",
    "env_file",
    "generic_yaml",
    "github_actions",
    "gitlab_ci",
    "helm",
    "helm_values",
    "jenkinsfile",
    "ko",
    "kubernetes",
    "kustomize",
    "makefile",
    "markdown",
    "nomad_job",
    "quadlet",
    "shell",
    "skaffold",
    "terraform",
    "tilt",
    "travis",
)
"""The modules of this package that have a ``SYNTAX``, in no particular order: every one that claims a file reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a file says. ``problems`` are the syntaxes that claimed and could not read it, each with the reason; the
    file was then read as plain text too. There is none where the file says nothing about images.
    """

    findings: tuple[Finding, ...]
    problems: tuple[str, ...] = ()


@cache
def all_syntaxes() -> tuple[Syntax, ...]:
    """Return every syntax that there is. Imported when the first file is read, not before."""
    return tuple(import_module(f"{__package__}.{name}").SYNTAX for name in _MODULES)


def scan(file: File, syntaxes: Sequence[Syntax] | None = None) -> Scan:
    """Return what ``file`` names, each thing once. Never raises, whatever is in the file."""
    findings: list[Finding] = []
    problems: list[str] = []
    read = failed = False
    for syntax in _readers(file, all_syntaxes() if syntaxes is None else syntaxes):
        try:
            if not syntax.claims(file):
                continue
            for finding in syntax.extract(file):
                findings.append(finding)  # noqa: PERF402 - what was found before a fault stays found
        except NotParsed as error:
            failed = True
            if speaks_of_images(file.text):
                problems.append(f"{syntax.name}: {error}")
        except Exception as error:  # noqa: BLE001 - a fault of ours must not hide what the file says, nor stop the rest
            failed = True
            problems.append(f"{syntax.name}: {type(error).__name__}, a fault of tagsweep: please report it")
        else:
            read = True
    if failed or not read:
        findings.extend(plain_text.extract(file))
    return Scan(findings=_once(findings), problems=tuple(problems))


def speaks_of_images(text: str) -> bool:
    """Tell whether a text that cannot be parsed may name images in a way that only its syntax could tell."""
    return _ABOUT_IMAGES.search(text) is not None


def _readers(file: File, syntaxes: Sequence[Syntax]) -> Sequence[Syntax]:
    """Return those that are to read ``file``: the ones that know it better than any other, else all."""
    try:
        return tuple(syntax for syntax in syntaxes if syntax.alone(file) and syntax.claims(file)) or syntaxes
    except Exception:  # noqa: BLE001 - a fault of ours: all read it, and the one with the fault is told
        return syntaxes


def claimed(file: File, syntaxes: Sequence[Syntax] | None = None) -> bool:
    """Tell whether a syntax would read ``file`` by what is known of it: its path, and its text or the beginning."""
    for syntax in all_syntaxes() if syntaxes is None else syntaxes:
        try:
            if syntax.claims(file):
                return True
        except Exception:  # noqa: BLE001 - a fault of ours: rather too often than too seldom
            return True
    return False


def _once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return each finding once: two syntaxes that see the same thing on the same line say it together."""
    kept: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        kept.setdefault(_key(finding), finding)
    return tuple(kept.values())


def _key(finding: Finding) -> tuple[object, ...]:
    match finding:
        case Found():
            return ("found", finding.reference, finding.line)
        case Open():
            name = finding.repository or finding.repository_pattern
            return ("open", name, finding.tag_pattern, finding.line)
        case NoReference():
            return ("none", finding.text, finding.line)
