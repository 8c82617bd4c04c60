"""From the policy's targets, which may be globs, to the repositories that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsweep.app.session import LAYOUT_PREFIX
from tagsweep.core.patterns import repository_matches
from tagsweep.model.errors import ConfigurationError, PermissionDenied, Refused, Unsupported
from tagsweep.model.reference import DOCKER_HUB, Digest, Reference, Repository, canonical_registry, is_domain, parse_tag
from tagsweep.ports import ListsNamespaces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tagsweep.app.session import Session

_GLOB_CHARACTERS = frozenset("*?[")


def expand_targets(targets: Iterable[str], session: Session) -> tuple[Repository, ...]:
    """Return the repositories that the targets name, sorted, each once.

    A target without glob characters needs no catalog. One that matches nothing raises ConfigurationError: a
    misspelt target that silently does nothing would be taken for a clean registry.

    The repository that holds the state is never among them: a pattern passes it over, its name is refused.
    """
    targets = tuple(targets)
    found: set[Repository] = set()
    for target in targets:
        found.update(_expand(target, session))
    own = home_of_state(session)
    if own in found:
        if any(own in _expand_name(target) for target in targets):
            raise holds_the_state(own)
        found.discard(own)
        session.progress.note(f"{own} holds the state and is passed over")
    return tuple(sorted(found))


def home_of_state(session: Session) -> Repository | None:
    """Return the repository that holds the state, None where a directory does."""
    return None if session.state.elsewhere is None else session.state.elsewhere.repository


def holds_the_state(repository: Repository) -> Refused:
    """Return the refusal to sweep the repository that the sweep itself depends on."""
    return Refused(
        f"{repository} holds the state of tagsweep, which is never swept",
        remedy="take it out of targets:; tagsweep removes by itself what of the state is no longer needed",
    )


def _expand(target: str, session: Session) -> list[Repository]:
    if not _GLOB_CHARACTERS & set(target):
        return [parse_repository(target)]
    registry, path = _split(target)
    driver = session.driver(Repository(registry, path))
    try:
        namespace, slash, _ = path.partition("/")
        if isinstance(driver, ListsNamespaces) and slash and not _GLOB_CHARACTERS & set(namespace):
            paths = list(driver.list_namespace(namespace))
        else:
            paths = list(driver.list_repositories())
    except (Unsupported, PermissionDenied) as error:
        raise type(error)(
            f"{registry} does not list its repositories for these credentials, so {target!r} is not expanded: {error}",
            remedy="name the repositories one by one under targets:",
            status=error.status,
        ) from error
    matching = [Repository(registry, name) for name in paths if repository_matches(path, name)]
    if not matching:
        raise ConfigurationError(
            f"the target {target!r} matches none of the {len(paths)} repositories that {registry} lists",
            remedy="check the spelling, and that the credentials may see the repository",
        )
    return matching


def _expand_name(target: str) -> tuple[Repository, ...]:
    """Return the repository that a target without glob characters names."""
    return () if _GLOB_CHARACTERS & set(target) else (parse_repository(target),)


def parse_repository(text: str) -> Repository:
    """Return the repository that a target or an argument names, including directories in the OCI layout."""
    if text.startswith(LAYOUT_PREFIX):
        registry, path = _split(text)
        return Repository(registry, path)
    return Repository.parse(text)


def _split(target: str) -> tuple[str, str]:
    if target.startswith(LAYOUT_PREFIX):
        registry, _, path = target.rpartition("/")
        return registry, path
    first, slash, rest = target.partition("/")
    if slash and is_domain(first):
        return canonical_registry(first), rest
    return DOCKER_HUB, target


def parse_reference(text: str) -> Reference:
    """Return the reference that an argument names, including tags of directories in the OCI layout."""
    if not text.startswith(LAYOUT_PREFIX):
        return Reference.parse(text)
    registry, path = _split(text)
    name, at, digest = path.partition("@")
    name, colon, tag = name.partition(":")
    return Reference(
        Repository(registry, name), parse_tag(tag) if colon else None, Digest.parse(digest) if at else None
    )
