"""The shape of what the policy file says about records, notifications and the schedule; see ``wire``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field


class NotifyWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Whom to tell how an unattended run ended. Secrets are in environment variables, of which this has the names."""

    kind: Annotated[
        Literal["webhook", "slack", "teams", "email", "apprise"],
        Meta(description="How it is sent.", extra={"remedy": "write kind: slack"}),
    ]
    when: Annotated[  # not "on", which YAML 1.1 reads as true
        list[Literal["swept", "nothing", "planned", "begun", "failed"]],
        Meta(
            description="At which ends: swept, nothing (there was nothing to remove), planned (a plan waits for "
            "approval), begun (the schedule was not known before), failed (refused, partial or damaged too).",
            min_length=1,
        ),
    ] = field(default_factory=lambda: ["swept", "planned", "begun", "failed"])
    url_env: Annotated[str | None, Meta(description="The environment variable that holds the address.")] = None
    host: Annotated[str | None, Meta(description="The mail server.")] = None
    port: Annotated[Annotated[int, Meta(ge=1, le=65535)] | None, Meta(description="Its port.")] = None
    security: Annotated[
        Literal["starttls", "tls", "none"], Meta(description="How the connection to the mail server is protected.")
    ] = "starttls"
    from_: Annotated[str | None, Meta(description="The sender's mail address.")] = field(default=None, name="from")
    to: Annotated[str | list[str] | None, Meta(description="The mail addresses of those who are told.")] = None
    username_env: Annotated[str | None, Meta(description="The environment variable with the mail user.")] = None
    password_env: Annotated[str | None, Meta(description="The environment variable with the mail password.")] = None


class RecordWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where sweeps are written down; relative paths begin at the policy file."""

    changelog: Annotated[str | None, Meta(description="The changelog that gets an entry for each sweep.")] = None
    reports: Annotated[str | None, Meta(description="The directory that gets the reports of each sweep.")] = None
    metrics: Annotated[
        str | None, Meta(description="The file that gets Prometheus metrics of each unattended run (*.prom).")
    ] = None
    metrics_url_env: Annotated[
        str | None, Meta(description="The environment variable with the address of a Prometheus Pushgateway.")
    ] = None
    notify: Annotated[list[NotifyWire], Meta(description="Whom to tell how an unattended run ended.")] = field(
        default_factory=list
    )


class ScheduleWire(Struct, kw_only=True, forbid_unknown_fields=True):
    """The dates on which the policy is due, on the clock of a time zone."""

    every: Annotated[
        str,
        Meta(
            description="daily, weekly, monthly, quarterly, yearly, or five fields of cron.",
            extra={"remedy": "write every: quarterly"},
        ),
    ]
    at: Annotated[str | None, Meta(description="The time of the day for a word, such as 04:00.")] = None
    time_zone: Annotated[str, Meta(description="A name of the IANA database, such as Europe/Berlin.")] = "UTC"
