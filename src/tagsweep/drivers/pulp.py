"""PulpDriver: Pulp with its container plugin. The registry API lists and deletes by digest, Pulp's own API untags.

Facts, from the source of pulp-container 2.30 and seen on it: whatever changes a repository is a task of Pulp's workers,
and the answer 202 only says that it waits for them. DELETE of a digest then takes its tags, and of an index what
nothing else lists or tags, with the layers; but a manifest that an index lists stays, in spite of the 202. So nothing
is told as done before it is seen to be done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from tagsweep.core.options import OptionReader
from tagsweep.drivers import oci_probe
from tagsweep.drivers.connection import Connection, api_address
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.over_oci import OverOci
from tagsweep.drivers.vendor_access import authorized, basic
from tagsweep.drivers.vendor_lists import objects, within
from tagsweep.http.failures import failure
from tagsweep.model.capability import NOT_PROBED, Capabilities, Capability, Support
from tagsweep.model.errors import AuthenticationFailed, Conflict, PermissionDenied, ProtocolViolation, ServerFailed
from tagsweep.model.policy import RegistrySettings
from tagsweep.model.reference import Digest
from tagsweep.ports import Clock, Progress

_ACCEPTED, _BAD_REQUEST, _FORBIDDEN, _NOT_FOUND = 202, 400, 403, 404
_UNFINISHED: Final = frozenset({"waiting", "running", "canceling"})
_PATIENCE: Final = 120.0
"""Seconds that a task may wait for a worker and run: a deployment has few, and they synchronize repositories too."""
_LONGEST_PAUSE: Final = 2.0
_RECLAIM: Final = (
    "Pulp keeps every older version of a repository, and with it what was removed, until the repository's "
    "retain_repo_versions lets go of it; then its orphan cleanup (`pulp orphan cleanup`) frees the space."
)
_NO_WAY_BACK: Final = (
    "layers that nothing else in the repository uses leave it as well, so that the image has to be pushed again, or an "
    "older version of the repository be served by Pulp's own means"
)


class PulpDriver(OverOci):
    """Implements :class:`tagsweep.ports.RegistryDriver` for Pulp. Made by :meth:`connect`.

    Option: ``api``, where Pulp's API answers if not at ``/pulp/api/v3`` of the registry's host.
    """

    name = "pulp"

    def __init__(self, connection: Connection, *, api: str) -> None:
        where = connection.where
        lookup = CredentialStore(where.host).find
        self._rest = connection.rest(api, authorize=authorized(lookup, basic))
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(api))
        self._clock = connection.clock
        self._untags: dict[str, str] = {}
        """Where the tags of a repository are removed, as the probe found it."""
        super().__init__(place=where.host, oci=connection.oci(lookup), beside=self._rest)

    @classmethod
    def connect(cls, settings: RegistrySettings, *, clock: Clock, progress: Progress) -> PulpDriver:
        """Return a driver for the registry that ``settings`` describe; nothing is sent yet."""
        connection = Connection.to(settings, clock=clock, progress=progress)
        options = OptionReader(f"registries: {settings.host}", settings.options)
        given = options.text("api") or f"{connection.where.base_url}/pulp/api/v3"
        options.done()
        return cls(connection, api=api_address(given, settings, example="https://pulp.example.com/pulp/api/v3"))

    # --- abilities ------------------------------------------------------------------------------------------------
    def declared(self) -> Capabilities:
        """Return what is known without asking: no times are told, and an index takes its platforms along."""
        return Capabilities(
            delete_tag=NOT_PROBED,
            delete_manifest=NOT_PROBED,
            referrers=NOT_PROBED,
            reads_count_as_pulls=self._oci.capabilities("").reads_count_as_pulls,
            delete_takes_children=True,
            reclaim=_RECLAIM,
        )

    def find_out(self, repository: str) -> Capabilities:
        """Ask both APIs for the removal of what is absent."""
        found = self._oci.probe(repository)
        manifest = found.delete_manifest
        if manifest.usable:
            manifest = replace(manifest, why=f"{manifest.why}; {_NO_WAY_BACK}")
        return replace(
            self.declared(),
            delete_tag=self._probe_untagging(repository),
            delete_manifest=manifest,
            referrers=found.referrers,
        )

    def _probe_untagging(self, repository: str) -> Capability:
        doing = f"find out who may remove tags of {repository}"
        try:
            at = self._find(repository, doing=doing)
            if at is None:
                why = "Pulp's API shows no repository behind this path to these credentials"
                return Capability(support=Support.NO, why=why)
            tag = oci_probe.random_tag()
            response = self._rest.send("POST", f"{self._origin}{at}untag/", body={"tag": tag}, about=repository)
        except (AuthenticationFailed, PermissionDenied) as error:
            return Capability(support=Support.NO, why=str(error))
        if response.status == _FORBIDDEN:
            return Capability(support=Support.NO, why="the credentials lack the right to untag in Pulp's API")
        if response.status == _BAD_REQUEST and tag.encode() in response.body:
            self._untags[repository] = f"{self._origin}{at}untag/"
            return Capability(support=Support.YES, why="Pulp's API answers a try to untag what is absent with 400")
        problem = failure(response, place=self._place, doing=doing)
        return Capability(support=Support.UNKNOWN, why=str(problem))

    def _find(self, repository: str, *, doing: str) -> str | None:
        """Return the path of the repository that a distribution serves as ``repository``; None where none is shown."""
        document = self._rest.find(
            "/distributions/container/container/", query={"base_path": repository}, doing=doing, about=repository
        )
        served = objects(document, "results", place=self._place, doing=doing) if document is not None else ()
        found = [str(entry["repository"]) for entry in served if _serves(entry, repository)]
        return found[0] if len(found) == 1 else None

    # --- changes --------------------------------------------------------------------------------------------------
    def _remove(self, repository: str, tag: str, doing: str) -> bool:
        """Let Pulp untag, and return when its task is done."""
        response = self._rest.send("POST", self._untags[repository], body={"tag": tag}, about=repository)
        if response.status == _BAD_REQUEST and self._oci.resolve_tag(repository, tag) is None:
            return False
        if response.status == _NOT_FOUND:
            return not self._is_gone(repository, tag, failure(response, place=self._place, doing=doing))
        if response.status != _ACCEPTED:
            raise failure(response, place=self._place, doing=doing)
        task = within(self._rest.read(response, doing=doing, expect=(_ACCEPTED,)), "task")
        if not isinstance(task, str) or not task.startswith("/"):
            raise ProtocolViolation(f"{self._place}: cannot {doing}: the answer names no task of Pulp's")
        self._finish(task, doing=doing)
        return True

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Delete the manifest with every tag on it, and return when it is gone; False if it was absent.

        Raises Conflict where it does not go: something in the repository still lists it, or no worker came to it.
        """
        if not super().delete_manifest(repository, digest):
            return False
        if not self._comes_true(lambda: not self._oci.has_manifest(repository, digest)):
            raise Conflict(
                f"{self._place}: the deletion of {repository}@{digest.short} was accepted, but it is still there",
                remedy="an index that stays lists it, or Pulp's workers are busy: look at Pulp's tasks",
            )
        return True

    def _finish(self, task: str, *, doing: str) -> None:
        """Return when the task is completed; ServerFailed where it failed, or waits longer than we do."""
        state: Any = None

        def completed() -> bool:
            nonlocal state
            document = self._rest.ask("GET", f"{self._origin}{task}", doing=f"{doing}: look at its task")
            state = within(document, "state")
            if state != "completed" and state not in _UNFINISHED:
                why = within(document, "error", "description") or "Pulp does not say why"
                raise ServerFailed(f"{self._place}: cannot {doing}: its task is {state} ({why})")
            return bool(state == "completed")

        if not self._comes_true(completed):
            raise ServerFailed(
                f"{self._place}: cannot {doing}: its task is still {state}",
                remedy="Pulp's workers are busy or stopped; what waits there may still be done later",
            )

    def _comes_true(self, done: Callable[[], bool]) -> bool:
        """Ask again and again until it is done; False where it is not in the time that Pulp's workers are given."""
        end, pause = self._clock.monotonic() + _PATIENCE, 0.1
        while not done():
            if self._clock.monotonic() >= end:
                return False
            self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return True


def _serves(entry: Any, repository: str) -> bool:
    """Tell that a distribution serves the newest version of a repository at this very path."""
    return within(entry, "base_path") == repository and bool(within(entry, "repository"))
