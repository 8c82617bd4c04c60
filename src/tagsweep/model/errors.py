"""Every error that tagsweep raises lives here, in one tree; each leaf of the first level is one exit code.

TagsweepError
├── RegistryError (1)          the registry did not do what was asked
│   ├── Unreachable            no connection, no name, no trust in its certificate
│   ├── AuthenticationFailed   401 after the credentials were tried
│   ├── PermissionDenied       403, or a token that grants less than was asked for
│   ├── NotFound               404 where the thing was needed
│   ├── Unsupported            the registry has no such operation, or it is switched off
│   ├── Conflict               409, 412: the thing is in use, locked or immutable
│   ├── RateLimited            429 after waiting as told
│   ├── ServerFailed           5xx after retries
│   └── ProtocolViolation      an answer that the specification does not allow, a digest that does not fit its bytes
├── ConfigurationError (2)     policy, arguments, credentials files
│   ├── InvalidReference       text that is no registry, repository, tag, digest or reference
│   └── PolicyError            with file, line and column
├── StepsFailed (3)            some steps failed; the journal says which
├── Refused (4)                a guard or missing evidence stopped the plan
├── PlanError (5)              stale, tampered, used or of another format
├── StateError (6)             journal, ledger or snapshots cannot be written or read
│   ├── Busy                   another tagsweep is at work on the same thing now
│   └── Malformed              what is on disk is not in the form it was written in; its store says which file
└── DamageFound (7)            verification found something kept that no longer works

NotParsed is apart: it never reaches a person, because whoever catches it reads the text in another way.

Programs act on the class and its ``exit_code``, never on the words. Every message names the place and the remedy.
"""

from __future__ import annotations

from typing import ClassVar


class TagsweepError(Exception):
    """Anything that tagsweep can tell a person in one sentence.

    ``str(error)`` is the sentence; ``remedy`` says what to do about it, or is empty when nothing helps.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class RegistryError(TagsweepError):
    """The registry did not do what was asked. ``status`` is the HTTP status, or None where there was no answer."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "", status: int | None = None, code: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.status = status
        self.code = code
        """The OCI error code of the body, such as MANIFEST_UNKNOWN, or empty."""


class Unreachable(RegistryError):
    """No answer: name resolution, connection, TLS or a time-out."""


class AuthenticationFailed(RegistryError):
    """The registry does not accept the credentials, or wants some and none were found."""


class PermissionDenied(RegistryError):
    """The credentials are good, but do not allow this."""


class NotFound(RegistryError):
    """Something that was needed does not exist."""


class Unsupported(RegistryError):
    """The registry has no such operation, or its operator switched it off."""


class Conflict(RegistryError):
    """The registry refuses because the thing is referenced, locked or immutable."""


class RateLimited(RegistryError):
    """Still 429 after waiting as long as the registry told."""


class ServerFailed(RegistryError):
    """5xx, and retries did not help."""


class ProtocolViolation(RegistryError):
    """The answer breaks the specification, so nothing may be concluded from it."""


class ConfigurationError(TagsweepError):
    """Something that the user wrote cannot be used."""

    exit_code = 2


class InvalidReference(ConfigurationError):
    """Text that is not a registry, repository, tag, digest or reference."""


class PolicyError(ConfigurationError):
    """An error in a policy file; the message begins with ``file:line:column``."""


class StepsFailed(TagsweepError):
    """Some steps of a run failed or were skipped for a reason that needs a look."""

    exit_code = 3


class Refused(TagsweepError):
    """A guard or missing evidence refuses the whole plan; nothing was changed."""

    exit_code = 4


class PlanError(TagsweepError):
    """The plan cannot be applied: stale, tampered with, used before, or of another format."""

    exit_code = 5


class StateError(TagsweepError):
    """What must be on disk cannot be written or read."""

    exit_code = 6


class Busy(StateError):
    """Another tagsweep that lives is at work on the same thing: it has to be waited for, and nothing is broken."""


class Malformed(StateError):
    """Data that is no value of the wanted type. Each store turns it into the error that names its file."""


class DamageFound(TagsweepError):
    """Something that was to stay no longer works."""

    exit_code = 7


class NotParsed(Exception):
    """A text is not in the form of the syntax that claimed it; ``str`` says why in a few words."""
