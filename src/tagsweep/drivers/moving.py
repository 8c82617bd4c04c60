"""MovingDriver: one tag of many removed where a registry deletes by digest only, by moving the tag away first.

The tag is put on a throw-away manifest that nothing else has, and that manifest is deleted by its digest, which takes
the tag along. Whatever does not go as it should puts the tag back where it was. Used only where the policy says so:
``registries: {HOST: {untag_by_moving: true}}``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NoReturn, TypeVar

from tagsweep.drivers import oci_probe, throwaway
from tagsweep.drivers.passed_through import PassedThrough, with_abilities_of
from tagsweep.drivers.turns import Turns
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import (
    AuthenticationFailed,
    Conflict,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RegistryError,
    ServerFailed,
    Unreachable,
    Unsupported,
)
from tagsweep.model.manifest import Descriptor, Manifest, RawManifest
from tagsweep.model.reference import Digest, parse_tag
from tagsweep.ports import Clock, RegistryDriver, TellsTags

T = TypeVar("T")
Known = Callable[[Digest], RawManifest | None]
"""Returns a manifest's bytes where they are at hand, so that the registry counts no pull."""

_LOOKS: Final = 5
"""How often is looked for something that a registry may tell late; the pauses double from one second."""
_BAD_REQUEST: Final = 400
BY_MOVING: Final = (
    "by moving the tag to a throw-away manifest and deleting that (untag_by_moving); the first tag shows whether the "
    "registry plays along, and a tag is put back where it does not"
)


def untag_by_moving(driver: RegistryDriver, *, clock: Clock, known: Known = lambda _: None) -> MovingDriver:
    """Return ``driver`` with single tags removed by moving them, where it cannot remove them in any better way."""
    moving: MovingDriver = with_abilities_of(driver, MovingDriver)(driver, clock=clock, known=known)
    return moving


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """One tag on its way: from ``original`` to ``away``."""

    repository: str
    tag: str
    original: RawManifest
    away: RawManifest

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


class MovingDriver(PassedThrough):
    """Wraps any driver. What the registry can do by itself it goes on doing; everything else is passed through."""

    def __init__(self, inner: RegistryDriver, *, clock: Clock, known: Known) -> None:
        self.name = inner.name
        self._inner = inner
        self._clock = clock
        self._known = known
        self._probed: dict[str, Capabilities] = {}
        self._probing = threading.Lock()
        self._turns = Turns()
        self._interrupted: dict[tuple[str, str], _Move] = {}

    @property
    def _through(self) -> RegistryDriver:
        return self._inner

    # --- abilities ------------------------------------------------------------------------------------------------
    def capabilities(self, repository: str) -> Capabilities:
        """Return what was probed; before that single tags are not known to be removable."""
        known = self._probed.get(repository)
        if known is not None:
            return known
        inner = self._inner.capabilities(repository)
        if inner.delete_tag.usable:
            return inner
        return replace(inner, delete_tag=NOT_PROBED)

    def probe(self, repository: str) -> Capabilities:
        """Find out whether a tag can be moved away: manifests must be deletable, and pushing must be allowed."""
        able = self._inner.probe(repository)
        if able.delete_tag.usable:
            return able
        with self._probing:
            if repository not in self._probed:
                self._probed[repository] = self._with_moving(repository, able)
            return self._probed[repository]

    def _with_moving(self, repository: str, able: Capabilities) -> Capabilities:
        if not able.delete_manifest.usable:
            why = f"untag_by_moving needs manifests that can be deleted: {able.delete_manifest.why}"
            return replace(able, delete_tag=Capability(support=Support.NO, why=why))
        push = self._probe_push(repository)
        return replace(able, delete_tag=push, untag_moves=push.usable)

    def _probe_push(self, repository: str) -> Capability:
        """Push what every registry must refuse, under a digest that it does not have: how it is refused tells all."""
        try:
            self._inner.put_manifest(repository, oci_probe.random_digest(), throwaway.unacceptable())
        except (PermissionDenied, AuthenticationFailed) as error:
            why = f"untag_by_moving pushes a manifest, which these credentials may not: {error}"
            return Capability(support=Support.NO, why=why)
        except RegistryError as error:
            if isinstance(error, NotFound) or error.status == _BAD_REQUEST:
                return Capability(support=Support.YES, why=BY_MOVING)
            why = f"it could not be found out whether pushing is allowed, which untag_by_moving needs: {error}"
            return Capability(support=Support.UNKNOWN, why=why)
        return Capability(
            support=Support.UNKNOWN, why="the registry took a manifest that it should refuse; untag_by_moving is off"
        )

    # --- removing one tag -----------------------------------------------------------------------------------------
    def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove the tag and nothing else; False if it was absent.

        Raises Unsupported before anything is sent where that was not probed as possible, and RegistryError where it
        did not work: the tag is then where it was, unless the error says otherwise.
        """
        parse_tag(tag)
        able = self.capabilities(repository)
        if able.delete_tag.usable and not able.untag_moves:
            return self._inner.delete_tag(repository, tag)
        if not able.delete_tag.usable:
            raise Unsupported(
                f"cannot remove the tag {tag} alone in {repository}: {able.delete_tag.why}",
                remedy="tagsweep doctor shows what this registry can do",
            )
        # Alone: distribution 2.x reads all tags when it deletes a manifest, and fails half-way where one is just now
        # being written. And a crash leaves one tag in between at most.
        with self._turns.alone():
            return self._move_and_delete(repository, tag)

    def _move_and_delete(self, repository: str, tag: str) -> bool:
        now = self._inner.resolve_tag(repository, tag)
        if now is None:
            return False
        move = self._interrupted.pop((repository, tag), None)
        if move is None or move.away.digest != now:
            move = self._prepare(repository, tag, now)
            with self._putting_back(move):
                self._inner.put_manifest(repository, tag, move.away)
                self._check_moved(move)
        with self._putting_back(move):
            self._delete_away(move)
        return True

    def _prepare(self, repository: str, tag: str, digest: Digest) -> _Move:
        """Read what is needed to move the tag and to put it back; raises while nothing was changed yet."""
        original = self._fetch(repository, digest)
        config = self._config_below(repository, original) if original is not None else None
        if original is None or config is None:
            what = "its manifest cannot be fetched" if original is None else "its manifest has no config to borrow"
            raise Unsupported(
                f"{repository}:{tag} is not moved away: {what}, so that it could not be put back",
                remedy="the tag stays; remove it together with all other tags of its digest, or not at all",
            )
        if not self._inner.has_manifest(repository, digest):
            raise NotFound(f"{repository}:{tag} is not moved away: {digest.short} does not answer by digest")
        return _Move(
            repository=repository, tag=tag, original=original, away=throwaway.build(repository, tag, digest, config)
        )

    def _check_moved(self, move: _Move) -> None:
        now = self._look(
            lambda: self._inner.resolve_tag(move.repository, move.tag), lambda now: now == move.away.digest
        )
        if now != move.away.digest:
            raise Conflict(f"{move} was pushed on a throw-away manifest and is not there: somebody else is at work")

    def _delete_away(self, move: _Move) -> None:
        """Delete the throw-away manifest, which has to have this one tag, and see that nothing else is gone."""
        self._check_alone(move)
        if not self._inner.delete_manifest(move.repository, move.away.digest):
            raise Conflict(f"{move}: the registry does not know the throw-away manifest that the tag is on")
        self._check_gone(move)

    def _check_alone(self, move: _Move) -> None:
        """Raise unless the tag is the only one on its throw-away manifest, as far as the registry tells (trap T10)."""
        if not isinstance(self._inner, TellsTags):
            return
        inner, wanted = self._inner, frozenset({move.tag})
        tags = self._look(lambda: inner.tags_on(move.repository, move.away.digest), lambda tags: tags == wanted)
        if tags != wanted:
            what = "which the registry does not list" if tags is None else f"which has the tags {sorted(tags)}"
            raise Conflict(f"{move} is on the throw-away manifest {move.away.digest.short}, {what}")

    def _check_gone(self, move: _Move) -> None:
        repository, tag = move.repository, move.tag
        now = self._look(lambda: self._inner.resolve_tag(repository, tag), lambda now: now != move.away.digest)
        if now == move.away.digest:
            raise Unsupported(f"{move}: the registry deleted the throw-away manifest and kept the tag on it")
        if not self._inner.has_manifest(repository, move.original.digest):
            raise ProtocolViolation(f"{move}: {move.original.digest.short} no longer answers after its tag was removed")
        if now is not None:
            raise Conflict(f"{move} was pushed again on {now.short} while it was removed, and was left there")

    # --- putting back ---------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _putting_back(self, move: _Move) -> Iterator[None]:
        """Put the tag back on its digest if anything goes wrong, and raise what went wrong."""
        try:
            yield
        except RegistryError as error:
            self._put_back(move, error)

    def _put_back(self, move: _Move, cause: RegistryError) -> NoReturn:
        repository, tag, original = move.repository, move.tag, move.original
        try:
            now = self._inner.resolve_tag(repository, tag)
            there = self._inner.has_manifest(repository, original.digest)
            # A deletion that failed inside the registry may leave a tag that is listed and answers nothing.
            half_gone = now is None and isinstance(cause, ServerFailed)
            if now == original.digest or (there and now != move.away.digest and not half_gone):
                raise cause  # it never left, it is gone, or somebody else has moved it since
            if now is not None and now != move.away.digest:
                # The digest is gone and the tag is somebody else's by now: the one comes back, the other is left.
                self._inner.put_manifest(repository, original.digest, original)
                raise cause
            self._inner.put_manifest(repository, tag, original)
            now = self._inner.resolve_tag(repository, tag)
        except RegistryError as error:
            if error is cause:
                raise
            now = None
            also = f" ({error})"
            # Whoever tries again looks first, finds the leftover and carries on; a refusal is not tried again.
            kind = type(error) if isinstance(error, Unreachable | ServerFailed) else Conflict
        else:
            also, kind = "", Conflict
        if now != original.digest:
            raise kind(
                f"{move} may be left on the throw-away manifest {move.away.digest.short}: {cause}, "
                f"and it could not be put back on {original.digest}{also}",
                remedy="apply the same plan again, which carries on from here, or push the tag again",
                status=cause.status,
            ) from cause
        told = f"{cause}; {tag} was put back on {original.digest.short}"
        raise type(cause)(told, remedy=cause.remedy, status=cause.status, code=cause.code) from cause

    # --- after an interruption ------------------------------------------------------------------------------------
    def leftover(self, repository: str, tag: str, *, found: Digest, expected: Digest) -> bool:
        """Tell whether ``found`` is the throw-away manifest for exactly this tag of exactly this digest.

        It is made anew from the digest and compared: nobody can make a manifest that is only taken for one.
        """
        if not self.capabilities(repository).untag_moves:
            return False
        original = self._fetch(repository, expected)
        config = self._config_below(repository, original) if original is not None else None
        if original is None or config is None:
            return False
        away = throwaway.build(repository, tag, expected, config)
        if away.digest != found:
            return False
        self._interrupted[repository, tag] = _Move(repository=repository, tag=tag, original=original, away=away)
        return True

    # --- inside ---------------------------------------------------------------------------------------------------
    def _fetch(self, repository: str, digest: Digest) -> RawManifest | None:
        return self._known(digest) or self._inner.fetch_manifest(repository, digest)

    def _config_below(self, repository: str, raw: RawManifest) -> Descriptor | None:
        """Return the config of an image, or of the first image below an index."""
        pending, seen = [raw], {raw.digest}
        while pending:
            manifest = pending.pop().parse()
            if not isinstance(manifest, Manifest):
                continue
            if manifest.config is not None:
                return manifest.config
            for child in reversed(manifest.children):
                if child.digest not in seen:
                    seen.add(child.digest)
                    below = self._fetch(repository, child.digest)
                    pending.extend([below] if below is not None else [])
        return None

    def _look(self, ask: Callable[[], T], good: Callable[[T], bool]) -> T:
        """Ask a few times, because lists and caches of large registries are late; return the last answer."""
        answer = ask()
        for look in range(_LOOKS - 1):
            if good(answer):
                break
            self._clock.sleep(2.0**look)
            answer = ask()
        return answer

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the manifest with every tag on it."""
        with self._turns.together():
            return self._inner.delete_manifest(repository, digest)
