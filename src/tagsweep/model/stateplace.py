"""Where the state lives when it lives in a registry: ``oci://HOST/REPOSITORY[:TAG]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from tagsweep.model.errors import ConfigurationError, InvalidReference
from tagsweep.model.reference import Reference, Repository, is_domain

SCHEME: Final = "oci://"
_DEFAULT_TAG: Final = "state"
_LONGEST_TAG: Final = 80
"""What stands behind the tag in the names of the artifacts has to fit into a tag's 128 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePlace:
    """A repository for the state, and the name that its artifacts there begin with."""

    repository: Repository
    tag: str = _DEFAULT_TAG

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the place that ``text`` names, or raise ConfigurationError."""
        remedy = "write it as oci://registry.example.com/team/tagsweep-state, with :NAME to tell several states apart"
        name = text.removeprefix(SCHEME)
        if name == text or not is_domain(name.partition("/")[0]):
            raise ConfigurationError(f"{text!r} does not say in which repository the state lives", remedy=remedy)
        try:
            reference = Reference.parse(name)
        except InvalidReference as error:
            raise ConfigurationError(f"{text!r} is no place for the state: {error}", remedy=remedy) from error
        tag = reference.tag if reference.tag is not None else _DEFAULT_TAG
        if reference.digest is not None or len(tag) > _LONGEST_TAG:
            raise ConfigurationError(
                f"{text!r}: a state has a name of at most {_LONGEST_TAG} characters and no digest", remedy=remedy
            )
        return cls(repository=reference.repository, tag=tag)

    def __str__(self) -> str:
        """Return it as it can be parsed again."""
        return f"{SCHEME}{self.repository}:{self.tag}"
