"""From a policy file to a Policy: reads the text, and checks what no type can say about its parts together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, TypedDict

from tagsweep.config import keeping, matching, targets, units
from tagsweep.config.notifying import parse_notification, parse_variable
from tagsweep.config.places import Place, did_you_mean, policy_error
from tagsweep.config.reading import read
from tagsweep.config.schedule import parse_schedule
from tagsweep.config.sources import parse_memory, parse_source
from tagsweep.config.wire import (
    EVIDENCE_REMEDY,
    ApplyWire,
    EvidenceWire,
    LimitsWire,
    PolicyWire,
    ProtectWire,
    RegistryWire,
    RuleWire,
    VerifyWire,
)
from tagsweep.config.wire_record import RecordWire
from tagsweep.config.yamltree import MAX_CHARACTERS, compose
from tagsweep.model.errors import ConfigurationError, PolicyError
from tagsweep.model.policy import (
    ApplySettings,
    Check,
    Evidence,
    Limits,
    NamingClass,
    Policy,
    Protection,
    RecordSettings,
    RegistrySettings,
    Rule,
    SourceSettings,
    Wave,
    WaveCount,
    WavePercent,
)
from tagsweep.model.stateplace import StatePlace

_WHOLE: Final = 100.0
_MOST_BYTES: Final = 4 * MAX_CHARACTERS + 1
"""No more than this is read; what is longer has too many characters, whatever they are."""


class _Times(TypedDict):
    max_age: timedelta
    remember: timedelta
    pulled_within: timedelta | None


def load_policy(path: Path) -> Policy:
    """Return the policy in the file, or raise PolicyError naming the file, and line and column where they help."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except FileNotFoundError as error:
        raise PolicyError(f"{path}: there is no such file", remedy="name a policy file with -c") from error
    except OSError as error:
        raise PolicyError(f"{path}: the file cannot be read: {error.strerror}") from error
    if len(data) == _MOST_BYTES:
        raise policy_error(str(path), 1, 1, "the file has more than 16 MiB and is no policy")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise policy_error(str(path), line, column, "the file is not UTF-8 here", remedy="save it as UTF-8") from error
    return parse_policy(text, path=str(path))


def parse_policy(text: str, *, path: str) -> Policy:
    """Return the policy in ``text``; ``path`` is what errors call the file."""
    wire, place = read(compose(text, file=path), PolicyWire, file=path)
    classes = {name: matching.naming_class(name, one, place.at("naming", name)) for name, one in wire.naming.items()}
    sources = tuple(parse_source(name, options, place.at("sources", name)) for name, options in wire.sources.items())
    return Policy(
        targets=_targets(wire.targets, place.at("targets")),
        rules=_rules(wire.rules, place.at("rules"), classes),
        evidence=_evidence(wire.evidence, place.at("evidence"), sources),
        naming=tuple(classes.values()),
        protect=tuple(_protection(one, place.at("protect", index), classes) for index, one in enumerate(wire.protect)),
        sources=sources,
        limits=_limits(wire.limits, place.at("limits")),
        apply=_apply(wire.apply, place.at("apply")),
        checks=_checks(wire.verify, place.at("verify", "checks")),
        record=_record(wire.record, place.at("record")),
        registries=_registries(wire, place.at("registries")),
        schedule=parse_schedule(wire.schedule, place.at("schedule")) if wire.schedule is not None else None,
        state=_state(wire.state, place.at("state")),
        path=path,
        fingerprint=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
    )


def _targets(texts: Sequence[str], place: Place) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for index, text in enumerate(texts):
        target = targets.parse_target(text, place.at(index))
        if target in found:
            raise place.at(index).error(f"the target {target!r} is written twice", remedy="keep one of them")
        found[target] = None
    return tuple(found)


def _rules(wires: Sequence[RuleWire], place: Place, classes: dict[str, NamingClass]) -> tuple[Rule, ...]:
    found: dict[str, Rule] = {}
    for index, wire in enumerate(wires):
        at = place.at(index)
        # Reports and changelogs name the rule within a line.
        name = " ".join(wire.name.split())
        if not name:
            raise at.at("name").error("the rule's name is empty", remedy="write what the rule is about")
        if name in found:
            raise at.at("name").error(f"two rules are called {name!r}", remedy="reports name rules: give each its own")
        found[name] = _rule(name, wire, at, classes)
    return tuple(found.values())


def _rule(name: str, wire: RuleWire, place: Place, classes: dict[str, NamingClass]) -> Rule:
    matched = matching.match(wire.match, place.at("match"), classes)
    return Rule(
        name=name,
        match=matched,
        keep=tuple(
            keeping.keep_clause(clause, place.at("keep", index), matched=matched, classes=classes)
            for index, clause in enumerate(wire.keep)
        ),
        exclude=() if wire.exclude is None else matching.match(wire.exclude, place.at("exclude"), classes),
        repositories=_repositories(wire.repositories, place.at("repositories")),
    )


def _repositories(texts: list[str] | None, place: Place) -> tuple[str, ...]:
    if texts is None:
        return ()
    if not texts:
        raise place.error("'repositories' is empty", remedy="remove the key to mean all targets")
    return tuple(targets.parse_repository_pattern(text, place.at(index)) for index, text in enumerate(texts))


def _protection(wire: ProtectWire, place: Place, classes: dict[str, NamingClass]) -> Protection:
    if not wire.reason.strip():
        raise place.at("reason").error("the reason is empty", remedy="write why these tags must stay")
    return Protection(
        match=matching.match(wire.match, place.at("match"), classes),
        reason=" ".join(wire.reason.split()),
        repositories=_repositories(wire.repositories, place.at("repositories")),
        may_match_nothing=wire.may_match_nothing,
    )


def _evidence(wire: str | EvidenceWire, place: Place, sources: Sequence[SourceSettings]) -> Evidence:
    if isinstance(wire, str):
        return Evidence(waived=True)
    if wire.require == "none":
        return Evidence(waived=True, **_kept_in_mind(wire, place))
    if not wire.require:
        raise place.error(
            "'evidence' requires no source",
            remedy=EVIDENCE_REMEDY,
        )
    known = [source.name for source in sources]
    for index, name in enumerate(wire.require):
        if name not in known:
            raise place.at("require", index).error(
                f"'sources' has no {name!r}",
                remedy=did_you_mean(name, known) if known else f"describe it: sources: {{{name}: {{…}}}}",
            )
    return Evidence(require=tuple(dict.fromkeys(wire.require)), **_kept_in_mind(wire, place))


def _kept_in_mind(wire: EvidenceWire, place: Place) -> _Times:
    within = wire.pulled_within
    return {
        "max_age": units.parse_positive_duration(wire.max_age, place.at("max_age")),
        "remember": parse_memory(wire.remember, place.at("remember")),
        "pulled_within": None if within is None else units.parse_positive_duration(within, place.at("pulled_within")),
    }


def _limits(wire: LimitsWire, place: Place) -> Limits:
    at = place.at("max_percent")
    match wire.max_percent:
        case None:
            percent = None
        case str() as text:
            percent = units.parse_percent(text, at)
        case number:
            percent = units.check_percent(float(number), at)
    return Limits(
        max_removals=wire.max_removals,
        max_percent=percent,
        keep_at_least=wire.keep_at_least,
        accept_equal_times=wire.accept_equal_times,
        plan_valid=units.parse_positive_duration(wire.plan_valid, place.at("plan_valid")),
    )


def _apply(wire: ApplyWire, place: Place) -> ApplySettings:
    return ApplySettings(waves=_waves(wire.waves, place.at("waves")), concurrency=wire.concurrency)


def _waves(entries: Sequence[int | str], place: Place) -> tuple[Wave, ...]:
    waves: list[Wave] = []
    for index, entry in enumerate(entries):
        at = place.at(index)
        wave: Wave = WaveCount(entry) if isinstance(entry, int) else WavePercent(units.parse_percent(entry, at))
        size = wave.tags if isinstance(wave, WaveCount) else wave.percent
        if size <= 0:
            raise at.error("a wave ends after at least one tag", remedy='write 1, "10%" or the like')
        before = [_size(one) for one in waves if type(one) is type(wave)]
        if before and size <= before[-1]:
            raise at.error(
                "waves grow, and this one ends where an earlier one did", remedy="write them in growing order"
            )
        waves.append(wave)
    if not waves or waves[-1] != WavePercent(_WHOLE):
        raise place.error("the last wave is not everything", remedy='end the list with "100%"')
    return tuple(waves)


def _size(wave: Wave) -> float:
    return wave.tags if isinstance(wave, WaveCount) else wave.percent


def _checks(wire: VerifyWire, place: Place) -> tuple[Check, ...]:
    checks: list[Check] = []
    for index, one in enumerate(wire.checks):
        at = place.at(index)
        if not one.command or not one.command[0].strip():
            raise at.at("command").error("the command is empty", remedy='write the program, such as ["./smoke.sh"]')
        timeout = units.parse_positive_duration(one.timeout, at.at("timeout"))
        checks.append(Check(command=tuple(one.command), timeout=timeout))
    return tuple(checks)


_NOT_MARKDOWN: Final = (".rst", ".adoc", ".asciidoc", ".org", ".textile", ".html", ".xml", ".json", ".yaml", ".yml")


def _record(wire: RecordWire, place: Place) -> RecordSettings:
    changelog = _path(wire.changelog, place.at("changelog"))
    if changelog is not None and changelog.lower().endswith(_NOT_MARKDOWN):
        raise place.at("changelog").error(
            f"{changelog} is not Markdown, and an entry is", remedy="name a Markdown file, such as SWEEPS.md"
        )
    return RecordSettings(
        changelog=changelog,
        reports=_path(wire.reports, place.at("reports")),
        metrics=_path(wire.metrics, place.at("metrics")),
        metrics_url_env=None
        if wire.metrics_url_env is None
        else parse_variable(wire.metrics_url_env, place.at("metrics_url_env")),
        notify=tuple(parse_notification(one, place.at("notify", index)) for index, one in enumerate(wire.notify)),
    )


def _state(text: str | None, place: Place) -> str:
    if text is None:
        return ""
    try:
        return str(StatePlace.parse(text))
    except ConfigurationError as error:
        raise place.error(str(error), remedy=error.remedy) from error


def _path(text: str | None, place: Place) -> str | None:
    if text is not None and not text.strip():
        raise place.error(f"{place.name} is empty", remedy="write a path, or remove the key")
    return text


def _text(text: str | None, place: Place) -> str | None:
    if text is not None and not text.strip():
        raise place.error(f"{place.name} is empty", remedy="write its name, or remove the key")
    return text


def _registries(wire: PolicyWire, place: Place) -> tuple[RegistrySettings, ...]:
    found: dict[str, RegistrySettings] = {}
    names: dict[str, str] = {}
    for written, one in wire.registries.items():
        at = place.at(written)
        settings = _registry(targets.parse_host(written, at), one or RegistryWire(), at)
        for name in (settings.host, *settings.aliases):
            if name in names:
                raise at.error(f"{name!r} already names the registry {names[name]!r}", remedy="one host, one entry")
            names[name] = settings.host
        found[settings.host] = settings
    return tuple(found.values())


def _registry(host: str, wire: RegistryWire, place: Place) -> RegistrySettings:
    if wire.plain_http and (wire.ca or wire.client_certificate):
        raise place.at("plain_http").error("plain http has no certificates", remedy="remove plain_http, or the files")
    if (wire.client_key is None) != (wire.client_certificate is None):
        raise place.error(
            "a client certificate and its key go together", remedy="write client_certificate and client_key"
        )
    return RegistrySettings(
        host=host,
        driver=_text(wire.driver, place.at("driver")),
        plain_http=wire.plain_http,
        ca=_path(wire.ca, place.at("ca")),
        client_certificate=_path(wire.client_certificate, place.at("client_certificate")),
        client_key=_path(wire.client_key, place.at("client_key")),
        concurrency=wire.concurrency,
        untag_by_moving=wire.untag_by_moving,
        options=wire.options,
        aliases=tuple(targets.parse_alias(text, place.at("aliases", index)) for index, text in enumerate(wire.aliases)),
    )
