"""When a policy is to be run: the fields of cron in a time zone, and what became of the attempts to run it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The dates on which a policy is due. ``cron`` has five fields, ``written`` is what the policy says."""

    cron: str
    written: str
    time_zone: str = "UTC"
    """A name of the IANA time zone database."""

    def __str__(self) -> str:
        """Return it as a person says it: ``quarterly (0 4 1 1,4,7,10 *, Europe/Berlin)``."""
        cron = self.cron if self.cron == self.written else f"{self.written} ({self.cron})"
        return f"{cron}, {self.time_zone}"


class AttemptResult(Enum):
    """How an attempt to run a policy unattended ended."""

    OPEN = "open"
    """It runs now, or its process died."""
    BEGUN = "begun"
    """The first call of a schedule that nothing was known of: its dates count from now on. Nothing was looked at."""
    SWEPT = "swept"
    NOTHING = "nothing"
    """The plan removes nothing."""
    PLANNED = "planned"
    """The plan was written for people to approve."""
    REFUSED = "refused"
    """A guard or missing evidence stopped the plan: its date stays due."""
    PARTIAL = "partial"
    DAMAGED = "damaged"
    FAILED = "failed"
    """An error ended it: its date stays due."""

    @property
    def uses_date(self) -> bool:
        """Whether the date that it was made for is no longer due."""
        return self not in (AttemptResult.OPEN, AttemptResult.REFUSED, AttemptResult.FAILED)

    @property
    def good(self) -> bool:
        """Whether everything went as it should."""
        return self.success or self is AttemptResult.BEGUN

    @property
    def success(self) -> bool:
        """Whether it came to its purpose. That a schedule begins is none: without a state each call says so."""
        return self in (AttemptResult.SWEPT, AttemptResult.NOTHING, AttemptResult.PLANNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One unattended run of a policy: for which date (None: none was due), with which plan and run, and its end."""

    policy: str
    due: datetime | None
    began_at: datetime
    ended_at: datetime | None = None
    result: AttemptResult = AttemptResult.OPEN
    plan_id: str | None = None
    run_id: str | None = None
    why: str = ""
    untold: bool = False
    """Whether somebody should have been told of this end, and no message could be sent."""
    clock: datetime | None = None
    """What the clock showed when it began, where an earlier attempt began after that: the clock was set back."""
    schedule: str = ""
    """The schedule that the policy had then: cron's fields and the time zone; empty where it had none."""
    targets: tuple[str, ...] = ()
    """The targets that the policy had then."""

    @property
    def asked_at(self) -> datetime:
        """When it began, as the clock showed it then."""
        return self.began_at if self.clock is None else self.clock
