"""The policy file's own shape: one msgspec Struct a mapping. Reading and the JSON Schema both come from here.

``Meta(extra=…)`` carries what the reader tells a person: ``expected`` (what belongs here) and ``remedy`` (what to
write when it is missing or of the wrong kind). ``description`` is what an editor shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct, field

from tagsweep.config.units import DURATION_PATTERN
from tagsweep.config.wire_record import RecordWire, ScheduleWire

OneOrMore: TypeAlias = str | list[str]
Duration: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"pattern": DURATION_PATTERN}, extra={"expected": "a duration such as 30d or 12h"})
]
Origin: TypeAlias = Literal["pushed", "updated", "first-seen", "created", "pulled"]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
AtLeastOne: TypeAlias = Annotated[int, Meta(ge=1)]

_OF: Final = Meta(
    description="The clock that the clause trusts: pushed and updated come from the registry, first-seen from "
    "tagsweep's own ledger, created from the image config (anyone can forge it), pulled from the registry."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A mapping that has exactly one of these keys, each with a shape of its own."""

    what: str
    shapes: Mapping[str, type[Struct]]


# --- patterns -----------------------------------------------------------------------------------------------------
class NamingWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """A class of tags: everything that any one of these patterns matches in full."""

    calver: Annotated[
        OneOrMore | None,
        Meta(description="calver.org formats such as YYYY.0M.MICRO, compared as numbers."),
    ] = None
    semver: Annotated[bool | None, Meta(description="Versions as semver.org 2.0.0 defines them.")] = None
    pep440: Annotated[bool | None, Meta(description="Versions as Python packages write them (PEP 440).")] = None
    prefix: Annotated[str | None, Meta(description="What stands before the version in the tag, such as v.")] = None
    regex: Annotated[OneOrMore | None, Meta(description="Python regular expressions; the whole tag must match.")] = None
    glob: Annotated[OneOrMore | None, Meta(description="Shell patterns over the whole tag: *, ? and […].")] = None
    names: Annotated[OneOrMore | None, Meta(description="Exactly these tags.")] = None
    immutable: Annotated[bool, Meta(description="Tags of this class are never moved to another digest.")] = False


class MatchWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which tags: exactly one of these keys."""

    class_: Annotated[OneOrMore | None, Meta(description="Tags of these naming classes.")] = field(
        default=None, name="class"
    )
    glob: Annotated[OneOrMore | None, Meta(description="Shell patterns over the whole tag: *, ? and […].")] = None
    regex: Annotated[OneOrMore | None, Meta(description="Python regular expressions; the whole tag must match.")] = None
    names: Annotated[OneOrMore | None, Meta(description="Exactly these tags.")] = None


# --- keep clauses -------------------------------------------------------------------------------------------------
class NewestWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep the newest tags by a clock."""

    newest: Annotated[Count, Meta(description="How many of the newest tags stay; equal times stay together.")]
    of: Annotated[Origin, _OF] = "pushed"
    per: Annotated[
        str | None,
        Meta(description="A named group of the rule's regular expression: so many for each value of that group."),
    ] = None


class WithinWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep tags that are not older than this."""

    within: Annotated[Duration, Meta(description="The age up to which tags stay, such as 30d.")]
    of: Annotated[Origin, _OF] = "pushed"


class EveryWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep the newest tag of each of the last calendar periods that have one (UTC, weeks begin on Monday)."""

    every: Annotated[
        Literal["day", "week", "month", "quarter", "year"], Meta(description="The calendar period of which one stays.")
    ]
    for_: Annotated[
        AtLeastOne,
        Meta(
            description="For how many of these periods one stays.",
            extra={"remedy": "write for how many periods one stays, such as for: 12"},
        ),
    ] = field(name="for")
    of: Annotated[Origin, _OF] = "pushed"


class NewestVersionsWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep the highest versions. Exactly one of semver, calver, pep440 and class says how tags are read."""

    newest_versions: Annotated[Count, Meta(description="How many of the highest versions stay.")]
    semver: Annotated[bool | None, Meta(description="Read tags as semver.org 2.0.0.")] = None
    calver: Annotated[OneOrMore | None, Meta(description="Read tags by these calver.org formats.")] = None
    pep440: Annotated[bool | None, Meta(description="Read tags as PEP 440.")] = None
    class_: Annotated[str | None, Meta(description="Read tags as this naming class does.")] = field(
        default=None, name="class"
    )
    prefix: Annotated[str | None, Meta(description="What stands before the version in the tag, such as v.")] = None
    per: Annotated[
        Literal["major", "minor"] | None, Meta(description="So many for each major or minor line, instead of in all.")
    ] = None


class LabelWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep tags whose image config has this label."""

    label: Annotated[str, Meta(description="The label's key.")]
    value: Annotated[str | None, Meta(description="The value it must have; without it any value keeps.")] = None


class AnnotationWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep tags whose manifest has this annotation."""

    annotation: Annotated[str, Meta(description="The annotation's key.")]
    value: Annotated[str | None, Meta(description="The value it must have; without it any value keeps.")] = None


class KeepNamesWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep exactly these tags."""

    names: Annotated[OneOrMore, Meta(description="Tags that stay.")]


class KeepGlobWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep what a shell pattern matches."""

    glob: Annotated[OneOrMore, Meta(description="Shell patterns over the whole tag; what one matches stays.")]


class KeepRegexWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep what a regular expression matches."""

    regex: Annotated[OneOrMore, Meta(description="Regular expressions over the whole tag; what one matches stays.")]


class KeepAllWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Keep everything that the rule matches."""

    all: Annotated[bool, Meta(description="true: everything that the rule matches stays.")]


KEEP_CLAUSES: Final = Choice(
    "keep clause",
    {
        "newest": NewestWire,
        "within": WithinWire,
        "every": EveryWire,
        "newest_versions": NewestVersionsWire,
        "label": LabelWire,
        "annotation": AnnotationWire,
        "names": KeepNamesWire,
        "glob": KeepGlobWire,
        "regex": KeepRegexWire,
        "all": KeepAllWire,
    },
)
KeepClauseWire: TypeAlias = (
    NewestWire
    | WithinWire
    | EveryWire
    | NewestVersionsWire
    | LabelWire
    | AnnotationWire
    | KeepNamesWire
    | KeepGlobWire
    | KeepRegexWire
    | KeepAllWire
)
KeepEntry: TypeAlias = Annotated[
    Any, Meta(extra={"choice": KEEP_CLAUSES, "words": ("all",), "expected": "a keep clause such as {newest: 20}"})
]


# --- the parts of a policy ----------------------------------------------------------------------------------------
class RuleWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Tags that it matches may go, unless one of its keep clauses says that they stay."""

    name: Annotated[str, Meta(description="What reports call the rule.", extra={"remedy": "write name: ci builds"})]
    match: Annotated[
        MatchWire,
        Meta(
            description="The tags that this rule may remove.",
            extra={"remedy": "write one of class, glob, regex and names, such as match: {glob: 'sha-?*'}"},
        ),
    ]
    keep: Annotated[
        list[KeepEntry],
        Meta(
            description="What stays of the matched tags: each clause keeps, none removes. [] keeps nothing.",
            extra={"remedy": "write keep: [] to keep nothing that the rule matches"},
        ),
    ]
    exclude: Annotated[MatchWire | None, Meta(description="Tags that the rule leaves alone.")] = None
    repositories: Annotated[
        list[str] | None,
        Meta(
            description="Patterns of full repository names (* within a component, ** across); without it all targets."
        ),
    ] = None


class ProtectWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Tags that stay whatever any rule says."""

    match: Annotated[
        MatchWire, Meta(description="The tags that stay.", extra={"remedy": "write match: {names: [latest]}"})
    ]
    reason: Annotated[str, Meta(description="Why, for whoever reads the plan.", extra={"remedy": "write why"})]
    repositories: Annotated[list[str] | None, Meta(description="Patterns of full repository names.")] = None
    may_match_nothing: Annotated[
        bool, Meta(description="Go on although it matches no tag; otherwise planning refuses.")
    ] = False


class EvidenceWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """The sources that must answer completely before anything may be removed."""

    require: Annotated[
        Literal["none"] | list[str] | None,
        Meta(
            description="Names of sources, each of which must answer completely and freshly; or none.",
            extra={"expected": "none or a list of names of sources"},
        ),
    ] = None
    max_age: Annotated[Duration, Meta(description="How old an answer may be.")] = "1h"
    remember: Annotated[
        Duration, Meta(description="For how long what a source no longer reports counts as in use.")
    ] = "0d"
    pulled_within: Annotated[
        Duration | None, Meta(description="Keep what the registry says was pulled so lately, where it says so.")
    ] = None


class LimitsWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Guards that refuse the whole plan."""

    max_removals: Annotated[Count | None, Meta(description="Most tags that one plan may remove.")] = None
    max_percent: Annotated[
        float | str | None,
        Meta(
            description="Most of a repository's tags that may go, in percent: 90 or 90%.",
            extra={"expected": 'a percentage such as 90 or "90%"'},
        ),
    ] = None
    keep_at_least: Annotated[Count, Meta(description="Fewest tags that must be left in a repository.")] = 1
    accept_equal_times: Annotated[bool, Meta(description="Go on although many tags share one time.")] = False
    plan_valid: Annotated[Duration, Meta(description="How long a plan may be applied after it was made.")] = "24h"


class ApplyWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """How a plan is carried out."""

    waves: Annotated[
        list[
            Annotated[
                int | str,
                Meta(
                    extra={"expected": 'a number of tags or a percentage such as "10%"'},
                ),
            ]
        ],
        Meta(description="Where to stop and look: numbers of tags or percentages, growing, the last one 100%."),
    ] = field(default_factory=lambda: [1, "10%", "100%"])
    concurrency: Annotated[AtLeastOne, Meta(description="How many deletions run at once.")] = 8


class CheckWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """A program that must end with 0 for the verification to pass."""

    command: Annotated[
        list[str],
        Meta(
            description="The program and its arguments, each an entry; no shell is involved.",
            extra={"remedy": 'write the words as a list, such as command: ["./smoke.sh", "--quick"]'},
        ),
    ]
    timeout: Annotated[Duration, Meta(description="How long it may take.")] = "10m"


class VerifyWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """What verification does beyond asking the registry."""

    checks: Annotated[list[CheckWire], Meta(description="Programs that must succeed.")] = field(default_factory=list)


class RegistryWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """How one registry is reached."""

    driver: Annotated[str | None, Meta(description="The driver's name, where the default does not do.")] = None
    plain_http: Annotated[bool, Meta(description="Use http without TLS (loopback does so by itself).")] = False
    ca: Annotated[str | None, Meta(description="A PEM file with the authority that signed its certificate.")] = None
    client_certificate: Annotated[str | None, Meta(description="A PEM file that proves who we are.")] = None
    client_key: Annotated[str | None, Meta(description="The private key of client_certificate.")] = None
    concurrency: Annotated[AtLeastOne, Meta(description="How many requests run at once.")] = 16
    aliases: Annotated[list[str], Meta(description="Other names of it: mirrors, and caches with their path.")] = field(
        default_factory=list
    )
    untag_by_moving: Annotated[
        bool,
        Meta(description="Remove one tag of many by moving it to a throw-away manifest, where there is no other way."),
    ] = False
    options: Annotated[dict[str, Any], Meta(description="Options of the driver.")] = field(default_factory=dict)


EVIDENCE_REMEDY: Final = "write `evidence: none` if no environment needs to be asked, or {require: [names of sources]}"


class PolicyWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """A tagsweep policy."""

    version: Annotated[
        Literal[1], Meta(description="The version of this file's format.", extra={"remedy": "write version: 1"})
    ]
    targets: Annotated[
        list[str],
        Meta(
            description="Repositories to look at: HOST/PATH, with * and ** in the path.",
            min_length=1,
            extra={"remedy": 'write which repositories, such as targets: ["docker.io/acme/*"]'},
        ),
    ]
    rules: Annotated[
        list[RuleWire],
        Meta(
            description="What may go; a tag that no rule matches stays, so [] removes nothing. Order does not matter.",
            extra={"remedy": "write rules with name, match and keep, or rules: [] for a policy that only names tags"},
        ),
    ]
    evidence: Annotated[
        Literal["none"] | EvidenceWire,
        Meta(
            description="The sources that must say what is in use, or none.",
            extra={
                "expected": "none or {require: [names of sources]}",
                "remedy": EVIDENCE_REMEDY,
            },
        ),
    ]
    naming: Annotated[
        dict[str, NamingWire], Meta(description="Classes of tags; a tag belongs to the first that matches it.")
    ] = field(default_factory=dict)
    protect: Annotated[list[ProtectWire], Meta(description="Tags that stay whatever any rule says.")] = field(
        default_factory=list
    )
    sources: Annotated[
        dict[str, Annotated[dict[str, Any] | None, Meta(extra={"empty": True})]],
        Meta(
            description="Where to look for what is in use: KIND/NAME with the options of that kind, and for every kind "
            "remember (a duration) and unresolved (protect, ignore, or a list of {path, read})."
        ),
    ] = field(default_factory=dict)
    limits: Annotated[LimitsWire, Meta(description="Guards that refuse the whole plan.")] = field(
        default_factory=LimitsWire
    )
    apply: Annotated[ApplyWire, Meta(description="How a plan is carried out.")] = field(default_factory=ApplyWire)
    verify: Annotated[VerifyWire, Meta(description="What must be true after a sweep.")] = field(
        default_factory=VerifyWire
    )
    record: Annotated[RecordWire, Meta(description="Where sweeps are written down.")] = field(
        default_factory=RecordWire
    )
    registries: Annotated[
        dict[str, Annotated[RegistryWire | None, Meta(extra={"empty": True})]],
        Meta(description="How registries are reached, by host."),
    ] = field(default_factory=dict)
    schedule: Annotated[
        str | ScheduleWire | None,
        Meta(
            description="How often: daily, weekly, monthly, quarterly, yearly, or five fields of cron; UTC, unless "
            "{every: …, time_zone: …} says otherwise.",
            extra={"expected": "a word such as quarterly, or {every: quarterly, time_zone: Europe/Berlin}"},
        ),
    ] = None
    state: Annotated[
        str | None,
        Meta(
            description="Keep the state in a registry: oci://HOST/REPOSITORY, with :NAME to tell several states apart.",
            extra={
                "expected": "oci://HOST/REPOSITORY[:NAME]",
                "remedy": "a directory is named with --state DIR or TAGSWEEP_STATE",
            },
        ),
    ] = None
