"""What a person decided: naming classes, rules with keep clauses, evidence, limits, and how to apply and record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, TypeAlias

from tagsweep.model.inventory import TimeOrigin
from tagsweep.model.schedule import Schedule


class VersionScheme(Enum):
    """How versions are read and compared."""

    SEMVER = "semver"
    """semver.org 2.0.0, with an optional leading v."""
    CALVER = "calver"
    """calver.org tokens, compared as numbers: zero-padded and plain months are the same month."""
    PEP440 = "pep440"
    """Python's version specifiers."""


# --- patterns: which tags -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Glob:
    """Shell pattern over the whole tag: ``*``, ``?`` and ``[…]``."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Regex:
    """Python regular expression that must match the whole tag."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Names:
    """Exactly these tags."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class VersionPattern:
    """Tags that are versions of ``scheme``; ``formats`` are calver.org token strings such as ``YYYY.0M.MICRO``.

    ``prefix`` is what stands before the version in the tag, for example ``v``.
    """

    scheme: VersionScheme
    formats: tuple[str, ...] = ()
    prefix: str = ""


Pattern: TypeAlias = Glob | Regex | Names | VersionPattern


@dataclass(frozen=True, slots=True)
class InClass:
    """Tags of one naming class of the policy."""

    name: str


Match: TypeAlias = tuple[Pattern | InClass, ...]
"""Any of these. An empty tuple matches nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamingClass:
    """A name for a kind of tag. A tag belongs to the first class, in the policy's order, that one pattern matches."""

    name: str
    patterns: tuple[Pattern, ...]
    immutable: bool = False


# --- keep clauses: what stays of the tags that a rule matches -----------------------------------------------------
class Period(Enum):
    """A calendar bucket, in UTC; weeks begin on Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepNewest:
    """Keep the ``count`` newest by the clock ``of``; equal times are kept together.

    ``per`` names a group of the rule's regular expression: the count then holds for each value of that group.
    """

    count: int
    of: TimeOrigin = TimeOrigin.PUSHED
    per: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepWithin:
    """Keep what is not older than ``age`` by the clock ``of``; times in the future count as young."""

    age: timedelta
    of: TimeOrigin = TimeOrigin.PUSHED


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepEvery:
    """Keep the newest tag of each of the last ``count`` periods that have one, by the clock ``of``."""

    period: Period
    count: int
    of: TimeOrigin = TimeOrigin.PUSHED


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepNewestVersions:
    """Keep the ``count`` highest versions; ``per`` is None, ``major`` or ``minor`` (then for each of those lines)."""

    count: int
    version: VersionPattern
    per: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepLabelled:
    """Keep tags whose image has this config label or annotation; ``value`` None means any value."""

    key: str
    value: str | None = None
    annotation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepNamed:
    """Keep tags that one of these patterns matches."""

    match: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAll:
    """Keep everything that the rule matches."""


KeepClause: TypeAlias = KeepNewest | KeepWithin | KeepEvery | KeepNewestVersions | KeepLabelled | KeepNamed | KeepAll


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Tags that ``match`` and do not match ``exclude`` may go, unless a clause of ``keep`` says that they stay.

    ``repositories`` are globs over full repository names (``*`` within a path component, ``**`` across); empty means
    all targets.
    """

    name: str
    match: Match
    keep: tuple[KeepClause, ...]
    exclude: Match = ()
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """Tags that stay whatever any rule says, with the reason a person gave. It must match something, or planning
    refuses, unless ``may_match_nothing``: a guard that guards nothing is a misspelt guard.
    """

    match: Match
    reason: str
    repositories: tuple[str, ...] = ()
    may_match_nothing: bool = False


# --- evidence, limits, execution ----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Which sources must answer completely. ``waived`` is the policy's ``evidence: none``, said in words.

    ``remember`` is for how long something that a source no longer reports counts as in use, where the source has no
    time of its own. ``pulled_within`` keeps what the registry says was pulled so lately, where it says so at all.
    """

    require: tuple[str, ...] = ()
    max_age: timedelta = timedelta(hours=1)
    waived: bool = False
    remember: timedelta = timedelta(0)
    pulled_within: timedelta | None = None


class UnresolvedReading(Enum):
    """How the policy wants references with open parts read."""

    PROTECT = "protect"
    """Every tag that fits stays, as in use."""
    IGNORE = "ignore"
    """They are shown and not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedRule:
    """How open references of one source are read. ``paths`` are globs over their places; empty means all."""

    read: UnresolvedReading
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """One evidence source: ``kind`` selects the plugin, ``options`` are its own keys, checked by the plugin.

    ``remember`` None means what the policy's evidence says.
    """

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unresolved: tuple[UnresolvedRule, ...] = ()
    remember: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Guards that refuse a whole plan. None means no such limit; zero is a value."""

    max_removals: int | None = None
    """Most tags removed by one plan."""
    max_percent: float | None = None
    """Most of a repository's tags removed, in percent."""
    keep_at_least: int = 1
    """Fewest tags that must be left in every repository that the plan touches."""
    accept_equal_times: bool = False
    """Go on although many tags share one time, as after a migration that reset them."""
    plan_valid: timedelta = timedelta(hours=24)
    """How long after its making a plan may be applied."""


@dataclass(frozen=True, slots=True)
class WaveCount:
    """A wave that ends when this many tags in all are done."""

    tags: int


@dataclass(frozen=True, slots=True)
class WavePercent:
    """A wave that ends when this share of the tags in all is done."""

    percent: float


Wave: TypeAlias = WaveCount | WavePercent


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplySettings:
    """How a plan is carried out."""

    waves: tuple[Wave, ...] = (WaveCount(1), WavePercent(10.0), WavePercent(100.0))
    concurrency: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A program that must exit with 0 for the verification to pass."""

    command: tuple[str, ...]
    timeout: timedelta = timedelta(minutes=10)


class NotificationKind(Enum):
    """How people are told."""

    WEBHOOK = "webhook"
    """A JSON document of ours, posted."""
    SLACK = "slack"
    TEAMS = "teams"
    EMAIL = "email"
    APPRISE = "apprise"
    """Whatever the library of that name can reach."""


class NotificationEvent(Enum):
    """When people are told."""

    SWEPT = "swept"
    NOTHING = "nothing"
    PLANNED = "planned"
    BEGUN = "begun"
    """The schedule was not known before, and begins."""
    FAILED = "failed"
    """Anything that did not go as it should: an error, a refusal, a partial run, damage."""


class MailSecurity(Enum):
    """How the connection to a mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """How mail is sent. Names of environment variables stand for what is secret."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: int | None = None
    """None: the usual one for the security."""
    security: MailSecurity = MailSecurity.STARTTLS
    username_env: str | None = None
    password_env: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Whom to tell how an unattended run ended, and when. ``mail`` is for EMAIL, ``url_env`` for all others."""

    kind: NotificationKind
    when: tuple[NotificationEvent, ...]
    url_env: str = ""
    """The environment variable that holds the address, which is a secret for most services."""
    mail: MailSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """Where a sweep is written down; None means nowhere. ``metrics`` and ``notify`` are for unattended runs."""

    changelog: str | None = None
    reports: str | None = None
    metrics: str | None = None
    metrics_url_env: str | None = None
    """The environment variable that holds the address of a Pushgateway."""
    notify: tuple[Notification, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """How one registry host is reached, where the defaults do not do."""

    host: str
    driver: str | None = None
    plain_http: bool = False
    ca: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    concurrency: int = 16
    aliases: tuple[str, ...] = ()
    untag_by_moving: bool = False
    """Remove one tag of many where the registry cannot: by moving it to a throw-away manifest and deleting that."""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """The driver's own options, checked by the driver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A whole policy file as values. ``fingerprint`` is the sha256 of its bytes, ``path`` where it was read."""

    targets: tuple[str, ...]
    rules: tuple[Rule, ...]
    evidence: Evidence
    naming: tuple[NamingClass, ...] = ()
    protect: tuple[Protection, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    limits: Limits = Limits()
    apply: ApplySettings = ApplySettings()
    checks: tuple[Check, ...] = ()
    record: RecordSettings = RecordSettings()
    registries: tuple[RegistrySettings, ...] = ()
    schedule: Schedule | None = None
    state: str = ""
    """Where the state lives, if the policy says so: ``oci://HOST/REPOSITORY:NAME``."""
    path: str = ""
    fingerprint: str = ""
