"""One line of ``tagsweep doctor``: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """How a thing that the doctor looked at is."""

    OK = "ok"
    WARN = "warn"
    """It works, or could not be found out; something cannot be done or needs a look."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorRow:
    """One thing: ``place`` (a registry, repository, file or source), ``subject`` within it, and what was found."""

    place: str
    subject: str
    health: Health
    what: str
    remedy: str = ""
