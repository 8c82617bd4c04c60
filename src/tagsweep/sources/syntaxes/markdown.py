"""Documentation (Markdown, MDX, reStructuredText, AsciiDoc): code by its language, commands and names in the text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tagsweep.sources.syntaxes import plain_text, scan, shell
from tagsweep.sources.syntaxes.files import File, Syntax
from tagsweep.sources.syntaxes.findings import Finding, NoReference, Open
from tagsweep.sources.syntaxes.image import read_image

_ENDINGS: Final = (
    ".md",
    ".mdx",
    ".markdown",
    ".mkd",
    ".rst",
    ".adoc",
    ".asciidoc",
    ".qmd",
    ".rmd",
    ".md.tmpl",
    ".md.in",
)
_FENCE: Final = re.compile(r"(?P<indent>[ \t>*-]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)")
_DELIMITED: Final = re.compile(r"(?P<mark>-{4,}|\.{4,})[ \t]*")
_SOURCE: Final = re.compile(
    r"\[(?:source)?[%,\s]*(?:options=[^,]*,)?\s*(?P<info>[A-Za-z]+)?[^\]]*\]|\.\.\s+(?:code(?:-block)?|sourcecode)::\s*(?P<rst>\S*)"
)
_FILE_NAME: Final = re.compile(
    r"(?:title|filename|file|name)\s*=\s*[\"']?([^\"'\s}]+)|(?:^|\s)([\w./-]*\.(?:ya?ml|json|sh|tf|hcl|env))(?:\s|$)"
)
_LANGUAGE: Final = re.compile(r"\{?\.?([A-Za-z0-9_+#-]+)")
_PROMPT: Final = re.compile(r"^(\s*)(?:\([\w.-]+\)\s*)?(?:[\w.@~:/-]{0,40}[$%#>\u276f]|PS [^>]*>|\$)\s+(?=\S)")
_HASH_PROMPT: Final = re.compile(r"^\s*# +(?=(?:sudo |docker |podman |kubectl |helm )\S)")
_CODE: Final = re.compile(r"(?<!`)(`{1,2})(?!`)(?P<code>[^`\n]+)\1(?!`)|<code>(?P<html>[^<\n]+)</code>")
_YAML_LINE: Final = re.compile(r"(?m)^\s*(?:-\s+)?[\"']?(?:[A-Za-z]*[iI]mages?|repository|FROM)[\"']?\s*:")
_YAML_BEGIN: Final = re.compile(r"(?:\s*(?:#[^\n]*)?\n)*(?:-\s+)?[A-Za-z_][\w.-]*:[ \t]*(?:\n|[^\s:])")
_FROM_LINE: Final = re.compile(r"(?m)\A(?:\s*#[^\n]*\n|\s*ARG [^\n]*\n|\s*\n)*\s*FROM\s+\S")
_FROM: Final = re.compile(r"(?m)^\s*FROM\s+[^\s+]+(?:\s+[Aa][Ss]\s+\S+)?\s*$")
_INSTRUCTION: Final = re.compile(r"(?m)^\s*(?:RUN|COPY|WORKDIR|ENTRYPOINT|CMD|ENV|EXPOSE|SAVE)\s+\S")
_TARGET: Final = re.compile(r"(?m)^(?:VERSION\s+\S+|[a-z][\w.-]*:\s*$)")
_LANGUAGES: Final = {
    **dict.fromkeys(("yaml", "yml", "docker-compose", "compose", "helm"), "snippet.yaml"),
    **dict.fromkeys(("json", "jsonc", "json5"), "snippet.json"),
    **dict.fromkeys(("hcl", "terraform", "tf", "tofu"), "snippet.tf"),
    **dict.fromkeys(("dockerfile", "docker", "containerfile"), "Dockerfile"),
    **dict.fromkeys(("env", "dotenv", "properties"), ".env"),
    **dict.fromkeys(("earthfile", "earthly"), "Earthfile"),
    **dict.fromkeys(("make", "makefile"), "Makefile"),
    **dict.fromkeys(("systemd", "quadlet"), "snippet.container"),
    **dict.fromkeys(("groovy", "jenkinsfile", "jenkins"), "Jenkinsfile"),
    **dict.fromkeys(("nomad",), "snippet.nomad"),
}
_SHELLS: Final = frozenset(
    [
        "sh",
        "bash",
        "shell",
        "zsh",
        "console",
        "shell-session",
        "shellsession",
        "sh-session",
        "terminal",
        "cmd",
        "bat",
        "powershell",
        "ps1",
        "pwsh",
        "fish",
        "ksh",
        "commandline",
        "command-line",
        "cli",
        "text-session",
    ]
)


def claims(file: File) -> bool:
    """Tell whether the file is documentation, by its name."""
    return file.name.endswith(_ENDINGS) or (file.name.startswith("readme") and "." not in file.name)


def extract(file: File) -> Iterator[Finding]:
    """Yield what the text names. It is for people: placeholders and what cannot be an image mean nothing."""
    for block in _blocks(file.text):
        for finding in _read(block):
            if _meant(finding):
                yield finding


@dataclass(frozen=True, slots=True)
class _Block:
    """Code (``info`` is its language and what else is told of it) or, where ``info`` is None, text."""

    text: str
    line: int
    info: str | None


def _blocks(text: str) -> Iterator[_Block]:
    lines = text.splitlines()
    at = 0
    info = ""
    while at < len(lines):
        fence = _FENCE.fullmatch(lines[at])
        delimited = _DELIMITED.fullmatch(lines[at]) if fence is None and info else None
        if fence is not None or delimited is not None:
            if fence is not None:
                info = fence["info"].strip()
            end = _end(lines, at + 1, fence["mark"] if fence is not None else lines[at].strip())
            yield _Block(_body(lines[at + 1 : end], quoted=fence is not None and ">" in fence["indent"]), at + 2, info)
            at, info = end + 1, ""
            continue
        if _indented(lines[at]):
            end = at
            while end < len(lines) and (_indented(lines[end]) or not lines[end].strip()):
                if _FENCE.fullmatch(lines[end]) is not None:
                    break
                end += 1
            if end > at:
                yield _Block(_body(lines[at:end], quoted=False), at + 1, info)
                at, info = end, ""
                continue
        source = _SOURCE.match(lines[at].strip())
        if source is not None:
            info = source["info"] or source["rst"] or "text"
        elif lines[at].strip() and not lines[at].startswith(("   ", ".", ":")):
            info = ""
        yield _Block(lines[at], at + 1, None)
        at += 1


def _indented(line: str) -> bool:
    return line.startswith(("    ", "\t", "   ")) and bool(line.strip()) and _FENCE.fullmatch(line) is None


def _end(lines: list[str], at: int, mark: str) -> int:
    """Return the index of the line that closes a block, or the number of lines."""
    for index in range(at, len(lines)):
        content = lines[index].strip().lstrip("> \t")
        if content.startswith(mark) and not content.strip(mark[0]):
            return index
    return len(lines)


def _body(lines: list[str], *, quoted: bool) -> str:
    if quoted:
        lines = [re.sub(r"^\s*>\s?", "", line) for line in lines]
    return textwrap.dedent("\n".join(lines).expandtabs(4))


def _read(block: _Block) -> Iterator[Finding]:
    if block.info is None:
        yield from _prose(block.text, block.line)
        return
    name = _name(block)
    if name is None:
        for number, content in enumerate(block.text.split("\n"), start=block.line):
            yield from _prose(content, number)
    elif name == "":
        yield from shell.find(_without_prompts(block.text), line=block.line, prose=True)
    else:
        for finding in scan.scan(File(name, block.text)).findings:
            yield replace(finding, line=finding.line + block.line - 1)


def _name(block: _Block) -> str | None:
    """Return the name that a file with this code would have: empty for commands, None for text."""
    info, text = block.info or "", block.text
    titled = _FILE_NAME.search(info)
    path = (titled[1] or titled[2] or "").strip("/") if titled is not None else ""
    language = _LANGUAGE.match(info)
    word = language[1].lower() if language is not None else ""
    if word in _SHELLS:
        mistaken = _YAML_LINE.search(text) is not None and _YAML_BEGIN.match(text) is not None
        image = "Dockerfile" if _FROM_LINE.search(text) is not None else ""
        return _yaml_name(text) if mistaken else image
    if path and re.search(r"\.(?:ya?ml|json|tf|hcl|env)$|(?i:dockerfile|makefile)$", path):
        return path
    if word in _LANGUAGES:
        return _yaml_name(text) if word in {"yaml", "yml"} else _LANGUAGES[word]
    return _guessed(text, word)


def _guessed(text: str, word: str) -> str | None:
    """Return the name for code without a language that says it, or None where it is only text."""
    if _FROM_LINE.search(text) or (_FROM.search(text) and _INSTRUCTION.search(text)):
        return "Earthfile" if _TARGET.search(text) else "Dockerfile"
    if shell.mentions_tool(text) and not _YAML_LINE.search(text):
        return ""
    return _yaml_name(text) if _YAML_LINE.search(text) and word in {"", "text", "txt", "plaintext", "none"} else None


def _yaml_name(text: str) -> str:
    """Return the path under which YAML like this is kept, where that is what tells its format."""
    if re.search(r"(?m)^jobs:", text) and re.search(r"(?m)^\s+(?:runs-on|steps|uses):", text):
        return ".github/workflows/snippet.yaml"
    if re.search(r"(?m)^kind:\s*(?:Kustomization|Component)\b", text):
        return "kustomization.yaml"
    return "snippet.yaml"


def _without_prompts(text: str) -> str:
    return "\n".join(_HASH_PROMPT.sub("", _PROMPT.sub(r"\1", line)) for line in text.split("\n"))


def _prose(text: str, line: int) -> Iterator[Finding]:
    """Yield what a line of text names: names in full, and the commands in its code."""
    yield from plain_text.find(text, line=line)
    for code in _CODE.finditer(text):
        inside = (code["code"] or code["html"] or "").strip()
        if shell.mentions_tool(inside):
            yield from shell.find(_without_prompts(inside), line=line, prose=True)


def _meant(finding: Finding) -> bool:
    """Tell whether a finding means something where it is only told to people."""
    if isinstance(finding, NoReference):
        return False
    if isinstance(finding, Open):
        return any(isinstance(each, Open) for each in read_image(finding.text, prose=True))
    return bool(read_image(str(finding.reference), prose=True))


SYNTAX: Final = Syntax(name="documentation", claims=claims, extract=extract)
