"""From a family to patterns that match all of its members in full, and no tag of another family.

Candidates are tried from the one that a person would write to the one that merely lists the names, and each is checked
against all tags that are there. What is meant for tags to come is the reader's to judge, so simple ones come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tagsweep.core.families.escaping import escaped
from tagsweep.core.families.settling import generalised
from tagsweep.core.families.shapes import Shape
from tagsweep.core.families.wording import general_word, words_of
from tagsweep.core.patterns import matches
from tagsweep.model.policy import Names, Pattern, Regex, VersionPattern, VersionScheme

Candidate = tuple[Pattern, ...]
_MOST_WORDS: Final = 40
_MOST_EXCEPTIONS: Final = 40
_PYTHON_ONLY: Final = re.compile(r"\.?(?:a|b|rc|dev)[0-9]+")
_YEAR: Final = re.compile(r"20[0-9]{2}")
_FORMATS_AT_ONCE: Final = 3
_MONTHS: Final = 12
_SHORT_YEARS: Final = range(10, 40)


def choose(candidates: Iterable[Candidate], members: Sequence[str], others: Sequence[str]) -> Candidate:
    """Return the first candidate that fits, with exceptions where it takes a few others too; else the names."""
    near: list[tuple[Regex, list[str]]] = []
    for candidate in candidates:
        if not all(any(matches(pattern, tag) for pattern in candidate) for tag in members):
            continue
        wrong = [tag for tag in others if any(matches(pattern, tag) for pattern in candidate)]
        if not wrong:
            return candidate
        if len(candidate) == 1 and isinstance(candidate[0], Regex):
            near.append((candidate[0], wrong))
    for pattern, wrong in near:
        if len(wrong) <= min(_MOST_EXCEPTIONS, len(members)):
            listed = "|".join(escaped(tag) for tag in sorted(wrong))
            return (Regex(rf"(?!(?:{listed})\Z)(?:{pattern.pattern})"),)
    return (Names(frozenset(members)),)


def without_cores(pattern: str, lead: str, cores: Iterable[str]) -> str:
    """Return ``pattern`` restricted to versions that are none of ``cores``; ``lead`` is what stands before them."""
    listed = "|".join(escaped(core) for core in sorted(cores))
    return rf"(?!{lead}(?:{listed})(?![0-9.]))(?:{pattern})" if listed else pattern


def only_cores(pattern: str, lead: str, cores: Iterable[str]) -> str:
    """Return ``pattern`` restricted to versions that are one of ``cores``."""
    return rf"(?={lead}(?:{'|'.join(escaped(core) for core in sorted(cores))})(?![0-9.]))(?:{pattern})"


# --- the parts of an expression -----------------------------------------------------------------------------------
def endings(suffixes: Iterable[str]) -> tuple[str, ...]:
    """Return expressions for what stands behind the middle of a tag, the narrowest first."""
    given = frozenset(suffixes)
    filled = given - {""}
    if not filled:
        return ("",)
    words = {general_word(word) for suffix in filled for word in words_of(suffix)}
    signs = "".join(sorted({suffix[0] for suffix in filled} | set(re.findall(r"[-_]", "".join(filled))), reverse=True))
    sign = escaped(signs) if len(signs) == 1 else f"[{signs}]"
    repeat = "*" if "" in given else "+"
    found = []
    if len(words) <= _MOST_WORDS:
        listed = alternatives(sorted(words, key=lambda word: (-len(word), word)))
        once = all(len(words_of(suffix)) == 1 for suffix in filled)
        found.append(f"(?:{sign}{listed})" + (("?" if "" in given else "") if once else repeat))
    found.append(f"(?:{sign}[A-Za-z0-9][A-Za-z0-9._-]*){'?' if '' in given else ''}")
    return tuple(found)


def hex_digits(lengths: Iterable[int]) -> str:
    """Return the expression for hashes of these lengths."""
    known = sorted(set(lengths))
    if len(known) == 1:
        return f"[0-9a-f]{{{known[0]}}}"
    if known[-1] - known[0] == len(known) - 1:
        return f"[0-9a-f]{{{known[0]},{known[-1]}}}"
    return f"(?:{'|'.join(f'[0-9a-f]{{{length}}}' for length in known)})"


def alternatives(texts: Sequence[str]) -> str:
    """Return the expression for any of these expressions."""
    return texts[0] if len(texts) == 1 else f"(?:{'|'.join(texts)})"


def leads(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Return expressions for what stands before the middle of a tag, the narrowest first."""
    general = sorted({generalised(prefix) for prefix in prefixes})
    if len(general) == 1:
        return (general[0],)
    narrow = f"(?:{'|'.join(general)})"
    if len(general) <= _MOST_WORDS:
        return (narrow, r"[A-Za-z0-9][A-Za-z0-9._-]*[-_.]")
    return (r"[A-Za-z0-9][A-Za-z0-9._-]*[-_.]",)


# --- candidates ---------------------------------------------------------------------------------------------------
def of_middles(shapes: Sequence[Shape], middle: str) -> Iterator[Candidate]:
    """Yield candidates for tags with one kind of middle: hashes, dates, numbers."""
    for lead in leads(shape.prefix for shape in shapes):
        for ending in endings(shape.suffix for shape in shapes):
            yield (Regex(f"{lead}{middle}{ending}"),)


def of_marked(tags: Sequence[str], mark: re.Pattern[str]) -> Iterator[Candidate]:
    """Yield the candidate for tags that all have a mark of one build in them: without it nothing matches.

    ``mark`` has the groups hex, moment, number and long, of which one is in each tag.
    """
    found = [match for tag in tags if (match := mark.search(tag)) is not None]
    lengths = hex_digits({len(match["hex"]) for match in found if match["hex"]} or {0})
    forms: set[str] = set()
    for match in found:
        group = match.lastgroup or ""
        inside = {"hex": lengths, "moment": re.sub(r"[0-9]+", _digits, match[group]), "number": "[0-9]+"}
        before, after = match.string[: match.start(group)], match.string[match.end(group) :]
        forms.add(generalised(before) + inside.get(group, "[0-9]{7,}") + _general(after))
    if len(forms) <= _MOST_WORDS:
        yield (Regex(alternatives(sorted(forms))),)


def _general(ending: str) -> str:
    parts = re.split(r"([-_])", ending)
    return "".join(part if part in ("", "-", "_") else general_word(part) for part in parts)


def _digits(match: re.Match[str]) -> str:
    return f"[0-9]{{{len(match[0])}}}"


def of_versions(shapes: Sequence[Shape]) -> Iterator[Candidate]:
    """Yield candidates for version tags of one prefix: a scheme of the policy's where one fits, else expressions."""
    prefix = shapes[0].prefix
    plain = not any(shape.suffix or shape.early for shape in shapes)
    if plain and (formats := calver_formats([shape.core for shape in shapes])):
        yield (VersionPattern(VersionScheme.CALVER, formats, prefix + _common_v(shapes)),)
    if plain or any(shape.early for shape in shapes):
        yield (VersionPattern(VersionScheme.SEMVER, (), prefix),)
    if any(".post" in shape.core or _PYTHON_ONLY.fullmatch(shape.early) for shape in shapes):
        yield (VersionPattern(VersionScheme.PEP440, (), prefix),)
    yield from ((Regex(text),) for text in version_expressions(shapes))


def version_expressions(shapes: Sequence[Shape]) -> Iterator[str]:
    """Yield expressions for version tags of one prefix, the narrowest first."""
    lead = version_lead(shapes)
    longest = max(len(number) for shape in shapes for number in re.findall(r"[0-9]+", shape.core))
    for number in ("[0-9]+", f"[0-9]{{1,{longest}}}"):
        for ending in endings(shape.suffix for shape in shapes):
            yield f"{lead}{_numbers(shapes, number)}{ending}"
            if any(shape.early for shape in shapes) and not all(shape.early for shape in shapes):
                marked = _numbers([shape for shape in shapes if shape.early], number)
                plain = _numbers([shape for shape in shapes if not shape.early], number)
                yield f"{lead}(?:{marked}|{plain}){ending}"


def version_lead(shapes: Sequence[Shape]) -> str:
    """Return the expression for what stands before the numbers: the prefix and a v, if any has one."""
    letters = {shape.v for shape in shapes}
    v = "" if letters == {""} else f"[{''.join(sorted(letters))}]" if len(letters - {""}) > 1 else "".join(letters)
    return escaped(shapes[0].prefix) + (f"{v}?" if v and "" in letters else v)


def calver_formats(cores: Sequence[str]) -> tuple[str, ...]:
    """Return calver.org formats for these versions, or nothing if they are not all calendar versions."""
    formats: dict[str, None] = {}
    days = any(re.fullmatch(r"20[0-9]{2}\.[0-9]{1,2}\.0[0-9]", core) for core in cores)
    padded = any(re.match(r"[0-9]+\.0[1-9]", core) for core in cores)
    plain = any(re.match(r"20[0-9]{2}\.[1-9](?:\.|\Z)", core) for core in cores)
    for core in cores:
        numbers = core.split(".")
        if not all(number.isdigit() for number in numbers) or not 1 < len(numbers) <= _FORMATS_AT_ONCE:
            return ()
        if not 1 <= int(numbers[1]) <= _MONTHS:
            return ()
        if _YEAR.fullmatch(numbers[0]):
            year = "YYYY"
        elif padded and int(numbers[0]) in _SHORT_YEARS:
            year = "YY"
        else:
            return ()
        month = _month(numbers[1], padded=padded, plain=plain)
        last = ("0D" if days else "MICRO",) if len(numbers) == _FORMATS_AT_ONCE else ()
        formats[".".join((year, month, *last))] = None
    return tuple(sorted(formats))


def _month(text: str, *, padded: bool, plain: bool) -> str:
    if text.startswith("0"):
        return "0M"
    return "0M" if padded and not plain and len(text) > 1 else "MM"


def _common_v(shapes: Sequence[Shape]) -> str:
    letters = {shape.v for shape in shapes}
    return letters.pop() if len(letters) == 1 else ""


def _numbers(shapes: Sequence[Shape], number: str) -> str:
    return _cores(shapes, number) + _early(shapes)


def _cores(shapes: Sequence[Shape], number: str) -> str:
    forms = {re.sub(r"[0-9]+", "0", shape.core) for shape in shapes}
    if all(re.fullmatch(r"0(?:\.0){0,3}", form) for form in forms):
        counts = sorted(form.count(".") for form in forms)
        low, high = counts[0], counts[-1]
        times = {(0, 1): "?", (1, 1): ""}.get((low, high), f"{{{low}}}" if low == high else f"{{{low},{high}}}")
        more = rf"\.{number}" if not times else rf"(?:\.{number}){times}"
        return number + (more if high else "")
    ordered = sorted(forms, key=lambda form: (-len(form), form))
    return alternatives([escaped(form).replace("0", number) for form in ordered])


def _early(shapes: Sequence[Shape]) -> str:
    marks = {re.sub(r"[0-9]+", "0", shape.early) for shape in shapes}
    filled = sorted((mark for mark in marks if mark), key=lambda mark: (-len(mark), mark))
    if not filled:
        return ""
    text = "|".join(escaped(mark).replace("0", "[0-9]+") for mark in filled)
    return f"(?:{text})" + ("?" if "" in marks else "")
