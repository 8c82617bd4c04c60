"""Jenkins pipelines: Docker agents, ``docker.image(…)``, pod templates in YAML, and the commands of ``sh``.

Groovy is not parsed: its texts and comments are, and what stands before a text tells what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tagsweep.sources.syntaxes import pipeline, shell
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.shape import looks_like_image
from tagsweep.sources.syntaxes.template import Value, Variables

_TOKEN: Final = re.compile(
    r"'''(?P<raw>(?:\\.|[^\\])*?)'''|\"\"\"(?P<block>(?:\\.|[^\\])*?)\"\"\""
    r"|'(?P<single>(?:\\.|[^'\\\n])*)'|\"(?P<double>(?:\\.|[^\"\\\n])*)\""
    r"|(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))",
    re.DOTALL,
)
_BEFORE: Final = 160
_CALL: Final = 16
_IMAGE: Final = re.compile(
    r"\bimage\s*(?::|\(|=)?\s*$|\bdocker\.image\s*\(\s*$|\bdocker\s*$|\bcontainerImage\s*[:=]\s*$"
)
_BUILD: Final = re.compile(r"\bdocker\.build\s*\(\s*$")
_SCRIPT: Final = re.compile(r"\b(?:sh|bat|powershell|pwsh)\s*\(?\s*(?:\w+\s*:\s*\w+\s*,\s*)*(?:script\s*:\s*)?$")
_LATER_SCRIPT: Final = re.compile(r"\b(?:sh|bat|powershell|pwsh)\s*\([^()]*\bscript\s*:\s*$")
_YAML: Final = re.compile(r"\b(?:yaml|yamlMergeStrategy)\s*[:(=]?\s*$")
_ASSIGNED: Final = re.compile(r"(?:^|[\s;({,])(?:def\s+|String\s+)?(?:env\.)?([A-Za-z_]\w*)\s*=\s*$")
_REGISTRY: Final = re.compile(r"\bwithRegistry\s*\(\s*$")
_DEFAULT: Final = re.compile(r"\bname\s*:\s*(['\"])(\w+)\1[^()]{0,400}?\bdefaultValue\s*:\s*(['\"])(.*?)\3", re.DOTALL)
_CHOICES: Final = re.compile(r"\bname\s*:\s*(['\"])(\w+)\1\s*,\s*choices\s*:\s*\[([^\]]*)\]", re.DOTALL)
_ITEM: Final = re.compile(r"(['\"])(.*?)\1")
_IMAGE_LINE: Final = re.compile(r"^\s*(?:-\s+)?[\"']?image[\"']?\s*:\s*(.+?)\s*$")
_ESCAPE: Final = re.compile(r"\\([\\'\"$])")


@dataclass(frozen=True, slots=True)
class _Text:
    value: str
    line: int
    before: str


def claims(file: File) -> bool:
    """Tell whether it is a Jenkinsfile, or Groovy of a library that uses Docker or pods."""
    if "jenkinsfile" in file.name:
        return True
    return file.name.endswith((".groovy", ".jenkins")) and re.search(r"docker|image|podTemplate", file.text) is not None


def extract(file: File) -> Iterator[Finding]:
    """Yield what agents, steps and scripts use."""
    texts = tuple(_texts(file.text))
    variables = _variables(texts, file.text)
    hosts = [each.value.partition("://")[2].strip("/") for each in texts if _REGISTRY.search(each.before)]
    for text in texts:
        if _IMAGE.search(text.before) or _BUILD.search(text.before):
            note = "built by the pipeline" if _BUILD.search(text.before) else ""
            elsewhere = hosts if "docker." in text.before[-_CALL:] else []
            for name in (text.value, *(f"{host}/{text.value}" for host in elsewhere if host)):
                yield from read_image(name, line=text.line, note=note, variables=variables)
        elif _SCRIPT.search(text.before) or _LATER_SCRIPT.search(text.before):
            yield from shell.find(text.value, line=text.line, variables=variables)
        elif looks_like_image(text.value):
            yield from read_image(text.value, line=text.line, variables=variables, prose=True)
        elif _YAML.search(text.before) or "containers:" in text.value:
            yield from _pods(text, variables)


def _texts(text: str) -> Iterator[_Text]:
    """Yield the texts of the program with the code before each, comments left out."""
    code = ""
    last = 0
    line = 1
    for token in _TOKEN.finditer(text):
        code = (code + text[last : token.start()])[-_BEFORE:]
        line += text.count("\n", last, token.start())
        last = token.end()
        if token["comment"] is None:
            value = next(each for each in token.group("raw", "block", "single", "double") if each is not None)
            yield _Text(_ESCAPE.sub(r"\1", value), line, code)
            code = (code + "''")[-_BEFORE:]
        line += text.count("\n", token.start(), token.end())


def _variables(texts: tuple[_Text, ...], program: str) -> Variables:
    """Return what is assigned in the program, and the parameters' defaults, which may be given anew."""
    assigned = ((found[1], text.value) for text in texts if (found := _ASSIGNED.search(text.before)) is not None)
    values = pipeline.merged(({name: Value((value,))} for name, value in assigned), settled=True)
    defaults = [{found[2]: Value((found[4],))} for found in _DEFAULT.finditer(program)]
    choices = [
        {found[2]: Value(tuple(item[2] for item in _ITEM.finditer(found[3])))} for found in _CHOICES.finditer(program)
    ]
    parameters = pipeline.merged(defaults, settled=False) | pipeline.merged(choices, settled=True)
    return pipeline.chain(
        pipeline.table(values, prefixes=("env.", "")), pipeline.table(parameters, prefixes=("params.", "env.", ""))
    )


def _pods(text: _Text, variables: Variables) -> Iterator[Finding]:
    """Yield the images of a pod template; line by line, because Groovy may fill in more than YAML allows."""
    for offset, line in enumerate(text.value.splitlines()):
        found = _IMAGE_LINE.match(line)
        if found is not None:
            image = found[1].partition(" #")[0].strip()
            yield from read_image(image, line=text.line + offset, at="pod template", variables=variables)


SYNTAX: Final = Syntax(name="Jenkins pipeline", claims=claims, extract=extract)
