"""Templates of a Helm chart: the lines that name an image, with the chart's values filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tagsweep.sources.syntaxes.findings import Finding, Found, NoReference, Open
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Pairs, Scalar

_IMAGE: Final = re.compile(r"^\s*(?:-\s+)?[\"']?[A-Za-z_]*[iI]mage[\"']?\s*:\s*(?P<text>.+?)\s*$")
_BLOCK: Final = re.compile(r"[|>][+-]?\d?")
_ASSIGNED: Final = re.compile(r"\{\{-?\s*\$(\w+)\s*:?=([^\n]{0,400}?)-?\}\}")
_BRANCHES: Final = re.compile(
    r"\{\{-?\s*(?:if|with)\b.*?\}\}(?P<then>.*?)(?:\{\{-?\s*else\s*-?\}\}(?P<otherwise>.*?))?\{\{-?\s*end\s*-?\}\}"
)
_CONTROL: Final = re.compile(r"\{\{-?\s*(?:if|else|end|with|range|define|template|block)\b")
_ONLY_TEMPLATE: Final = re.compile(r"\{\{-?\s*(?:toYaml|include|template|tpl|with|if|range|end|else)\b.*\}\}")
_WORD: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|`[^`]*`|\((?:[^()]|\([^()]*\))*\)|[^\s()]+")
_VERB: Final = re.compile(r"%[svd]")
_PATH: Final = re.compile(r"(?:\$\w*)?\.Values((?:\.[A-Za-z_][\w-]*)+)")
_RELATIVE: Final = re.compile(r"\.[A-Za-z]|\$\w*\.|^\s*\.\s*$")
_CHART: Final = re.compile(r"(?:\$\w*)?\.Chart\.(\w+)")
_PASSING: Final = frozenset(
    {"quote", "squote", "toString", "trim", "lower", "trimSuffix", "trimPrefix", "required", "tpl"}
)
_DEEPEST: Final = 6


def image_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield what stands behind ``image:`` on each line, both sides of an ``if`` on it, and the line below a block."""
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        found = _IMAGE.match(line)
        if found is None or line.lstrip().startswith("#"):
            continue
        written = found["text"]
        if _BLOCK.fullmatch(written):
            written = lines[number].strip() if number < len(lines) else ""
            number += 1  # noqa: PLW2901 - the image is named one line below its key
        for each in _sides(_without_comment(written)):
            yield number, each


def _without_comment(text: str) -> str:
    return text if "}} #" not in text and not re.search(r"[\w\"'] +#", text) else re.split(r"\s+#", text)[0]


def _sides(text: str) -> tuple[str, ...]:
    """Return the text with each side of an ``if`` that stands within it; a harder one is left open as a whole."""
    sides = [text]
    for _ in range(4):
        wider = []
        for side in sides:
            found = _BRANCHES.search(side)
            if found is None:
                wider.append(side)
                continue
            inside = (found["then"], found["otherwise"] or "")
            wider += [side[: found.start()] + inner + side[found.end() :] for inner in inside]
        sides = wider
    first = [_CONTROL.search(side) for side in sides]
    return tuple(
        dict.fromkeys(
            side if control is None else side[: control.start()] + "{{ what an action decides }}"
            for side, control in zip(sides, first, strict=True)
        )
    )


def of_template(
    text: str, *, values: Pairs, versions: tuple[str, ...], chart: Pairs, covered: frozenset[object], has_splits: bool
) -> Iterator[Finding]:
    """Yield what the image lines name that the values do not already say.

    ``covered`` are the references found in the values; with ``has_splits`` an open line whose open part comes from a
    helper or from a mapping of the values is one of them.
    """
    variables = _Expressions(values, versions, chart, _assigned(text)).variables()
    for line, written in image_lines(text):
        if _ONLY_TEMPLATE.fullmatch(written.strip("\"'")) and has_splits:
            continue
        for finding in read_image(written, line=line, variables=variables):
            match finding:
                case Found() if finding.reference in covered and "{{" in written:
                    continue
                case Open() if has_splits and _from_helper(written):
                    continue
                case NoReference() if "{{" in written:
                    continue
                case _:
                    yield finding


def _from_helper(text: str) -> bool:
    """Tell whether an open part of ``text`` comes from a helper, or from a mapping that a block went into."""
    actions = re.findall(r"\{\{-?(.*?)-?\}\}", text)
    return any(
        re.search(r"\b(include|template|tpl)\b", action) or (not _PATH.search(action) and _RELATIVE.search(action))
        for action in actions
    )


def _assigned(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, expression in _ASSIGNED.findall(text):
        found[f"${name}"] = (*found.get(f"${name}", ()), expression)
    return found


class _Expressions:
    """What the expressions of a template come out as, with the chart's own values."""

    def __init__(
        self, values: Pairs, versions: tuple[str, ...], chart: Pairs, assigned: dict[str, tuple[str, ...]]
    ) -> None:
        self._values = values
        self._versions = versions
        self._chart = chart
        self._assigned = assigned

    def variables(self) -> Variables:
        """Return them as variables, the expression being the name."""

        def look_up(expression: str) -> Value | None:
            texts = self._texts(expression, _DEEPEST)
            return Value(texts) if texts else None

        return look_up

    def _texts(self, expression: str, depth: int) -> tuple[str, ...]:
        """Return the texts that an expression can be; none where that is not known."""
        expression = expression.strip()
        if depth == 0 or not expression:
            return ()
        piped = _split_pipes(expression)
        texts = self._call(piped[0], depth)
        for stage in piped[1:]:
            name, *arguments = _WORD.findall(stage) or [""]
            if name in {"default", "coalesce"} and arguments:
                texts = _filled(texts) or self._texts(arguments[0], depth - 1)
            elif name == "required" or name in _PASSING:
                continue
            else:
                return ()
        return texts

    def _call(self, expression: str, depth: int) -> tuple[str, ...]:
        words = _WORD.findall(expression)
        if not words:
            return ()
        name, *arguments = words
        if not arguments:
            return self._word(name, depth)
        if name in {"default", "coalesce"}:
            order = reversed(arguments) if name == "default" else arguments
            return next((found for each in order if (found := _filled(self._texts(each, depth - 1)))), ())
        if name == "printf":
            return self._printed(arguments, depth)
        if name == "ternary":
            return tuple(text for each in arguments[:2] for text in self._texts(each, depth - 1))
        passed = arguments[0] if name == "tpl" else arguments[-1]
        return self._texts(passed, depth - 1) if name in _PASSING else ()

    def _printed(self, arguments: list[str], depth: int) -> tuple[str, ...]:
        layouts = self._texts(arguments[0], depth - 1)
        for argument in arguments[1:]:
            values = self._texts(argument, depth - 1) or (f"{{{{ {argument} }}}}",)
            filled = (value.replace("\\", r"\\") for value in values)
            layouts = tuple(_VERB.sub(value, each, count=1) for value in filled for each in layouts)
        return layouts

    def _word(self, word: str, depth: int) -> tuple[str, ...]:
        if word[0] == "(" and word[-1] == ")":
            return self._texts(word[1:-1], depth - 1)
        if word in self._assigned:
            return tuple(text for each in self._assigned[word] for text in self._texts(each, depth - 1))
        return self._constant(word)

    def _constant(self, word: str) -> tuple[str, ...]:
        """Return a literal, a field of the chart's description or a value."""
        if len(word) > 1 and word[0] == word[-1] and word[0] in '"`':
            return (word[1:-1],)
        chart = _CHART.fullmatch(word)
        if chart is not None and chart[1] == "AppVersion":
            return self._versions[:1]
        if chart is not None:
            text = self._chart.text(chart[1].lower())
            return () if text is None else (text.value,)
        path = _PATH.fullmatch(word)
        node = self._values.get(*path[1].strip(".").split(".")) if path is not None else None
        return (("" if node.is_null else node.value),) if isinstance(node, Scalar) else ()


def _filled(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _split_pipes(text: str) -> list[str]:
    """Return the stages between pipes that stand outside of quotes and brackets."""
    stages = [""]
    depth = 0
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in '"`':
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and depth == 0:
            stages.append("")
            continue
        stages[-1] += character
    return stages
