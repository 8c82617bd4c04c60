"""Any program that prints references: the way out for whatever no other source can ask."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Self

from tagsweep.http.redact import HIDDEN, excerpt
from tagsweep.model.errors import ProtocolViolation
from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import Coverage, UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.held_lines import read_lines
from tagsweep.sources.jsonapi import text_at
from tagsweep.sources.options import Options
from tagsweep.sources.process import Ending, Result, run_program
from tagsweep.sources.syntaxes.findings import Evidence, Finding, NoReference, Place, evidence
from tagsweep.sources.syntaxes.image import read_image

MOST_OUTPUT: Final = 32 * 1024 * 1024
_SECRET_NAMES: Final = ("TOKEN", "SECRET", "PASSW", "KEY", "CREDENTIAL", "AUTH")
_SHORTEST_SECRET: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that a program says, and where it says that the image is in use: empty where it does not."""

    finding: Finding
    where: str = ""


def read_output(text: str, *, json_form: bool, today: date) -> Iterator[Said]:
    """Yield what the output of a program names. Raises ProtocolViolation for what is no JSON and should be."""
    if not json_form:
        for finding in read_lines(text, today=today):
            yield Said(finding=finding)
        return
    for number, entry in _entries(text):
        if isinstance(entry, str):
            entry = {"reference": entry}  # noqa: PLW2901 - the short form of the same
        written = text_at(entry, "reference") or text_at(entry, "text")
        findings = read_image(written, note=text_at(entry, "note"))
        if not findings:
            why = 'it has no text under "reference" (or "text", for one that is not complete)'
            findings = (NoReference(text=excerpt(json.dumps(entry), limit=80), why=why),)
        for finding in findings:
            yield Said(finding=finding, where=text_at(entry, "where") or f"entry {number}")


def _entries(text: str) -> Iterator[tuple[int, Any]]:
    """Yield the entries of one JSON array, or of one document a line, with their numbers from 1."""
    if not text.strip():
        raise ProtocolViolation("it printed nothing; a program that found nothing prints []")
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, list):
        yield from enumerate(whole, start=1)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ProtocolViolation(f"line {number} of its output is not JSON") from error
            if not isinstance(entry, dict | str):
                raise ProtocolViolation(f"line {number} of its output is neither an object nor a text")
            yield number, entry


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSource:
    """A program, started without a shell in the policy's directory, whose output names what is in use."""

    name: str
    command: tuple[str, ...]
    directory: str
    json_form: bool = False
    timeout: timedelta = timedelta(minutes=2)

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source that the options command, format and timeout describe."""
        options = Options(settings)
        command = options.texts("command")
        if not command:
            options.required("command", example='["./images-in-use.sh", "prod"]')
        json_form = options.choice("format", ("lines", "json"), "lines") == "json"
        timeout = options.duration("timeout", timedelta(minutes=2))
        options.done()
        return cls(
            name=settings.name, command=command, directory=context.base or ".", json_form=json_form, timeout=timeout
        )

    def collect(self, now: datetime) -> UsageReport:
        """Return what the program prints; whatever else than a good end and good output is a gap."""
        program = self.command[0]
        try:
            result = run_program(
                self.command, directory=self.directory, seconds=self.timeout.total_seconds(), most=MOST_OUTPUT
            )
        except OSError as error:
            return self._report(now, Evidence(), (f"{program} cannot be run: {error.strerror or error}",), 0)
        gaps = list(_problems(program, result, self.timeout))
        try:
            text = result.output.decode("utf-8-sig")
        except UnicodeDecodeError:
            gaps.append(f"the output of {program} is not UTF-8 text")
            text = result.output.decode("utf-8", "ignore")
        said: list[Said] = []
        try:
            # What was printed before a failure is in use all the same, and is kept beside the gap.
            said.extend(read_output(text, json_form=self.json_form, today=now.date()))
        except ProtocolViolation as error:
            gaps.append(f"{program}: {error}")
        for each in said:
            if isinstance(each.finding, NoReference):
                line = f" line {each.finding.line}" if each.finding.line else ""
                gaps.append(
                    f"{program}:{line or f' {each.where}'}: {each.finding.text!r} is no reference: {each.finding.why}"
                )
        return self._report(now, self._evidence(said), tuple(gaps), len(said))

    def _evidence(self, said: list[Said]) -> Evidence:
        parts = [
            evidence((each.finding,), self._place(each)) for each in said if not isinstance(each.finding, NoReference)
        ]
        return Evidence(
            usages=tuple(usage for part in parts for usage in part.usages),
            unresolved=tuple(entry for part in parts for entry in part.unresolved),
        )

    def _place(self, said: Said) -> Place:
        where = said.where or self.command[0]
        return Place(source=self.name, where=where, path=where)

    def _report(self, now: datetime, found: Evidence, gaps: tuple[str, ...], examined: int) -> UsageReport:
        return UsageReport(
            source=self.name,
            taken_at=now,
            usages=tuple(dict.fromkeys(found.usages)),
            unresolved=tuple(dict.fromkeys(found.unresolved)),
            coverage=Coverage(gaps=tuple(dict.fromkeys(gaps))),
            examined=examined,
        )


def _problems(program: str, result: Result, timeout: timedelta) -> Iterator[str]:
    """Yield a sentence where the program did not end well."""
    match result.ending:
        case Ending.TIMED_OUT:
            yield (
                f"{program} did not end within {timeout.total_seconds():.0f} s and was killed: "
                "give it more time with timeout, or make it faster"
            )
        case Ending.TOO_LARGE:
            yield f"{program} printed more than {MOST_OUTPUT // 1024 // 1024} MiB and was killed"
        case Ending.EXITED if result.code != 0:
            how = f"exit status {result.code}" if result.code > 0 else f"signal {-result.code}"
            last = _last_line(result.errors, os.environ)
            yield f"{program} failed with {how}" + (f": {last}" if last else "")


def _last_line(errors: bytes, environ: Mapping[str, str]) -> str:
    """Return the last line that says something, without the values of variables whose names sound like secrets."""
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return ""
    last = lines[-1]
    for name, value in environ.items():
        if len(value) >= _SHORTEST_SECRET and any(word in name.upper() for word in _SECRET_NAMES):
            last = last.replace(value, HIDDEN)
    return excerpt(last, limit=200)
