"""A repository of a real server that holds a tag list, for the sweeps that are otherwise of fakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tagsweep.model.reference import Digest
from tagsweep.testing.tensorzero import TagList
from tests.real.interview import Interviewer
from tests.real.servers import Server


class Filled:
    """The images of a tag list in the ``repository`` of a server, looked at over plain HTTP."""

    def __init__(self, server: Server, repository: str, tags: TagList, *, authorization: str = "") -> None:
        self.host = server.host
        self._asker = Interviewer(server.host, authorization)
        self._pushed: set[Digest] = set()
        for built in replace(tags, repository=repository).images():
            self._asker.push(repository, built.image, *built.tags)
            self._pushed.update(manifest.digest for manifest in built.image.manifests)

    def tags(self, repository: str) -> Mapping[str, Digest]:
        """Return what a client sees that asks for each tag."""
        names = self._asker.tags(repository)
        assert isinstance(names, tuple), names
        replies = {name: self._asker.ask("HEAD", f"{repository}/manifests/{name}") for name in names}
        return {name: Digest.parse(reply.headers["docker-content-digest"]) for name, reply in replies.items()}

    def manifests(self, repository: str) -> set[Digest]:
        """Return the digests of what was pushed and answers still."""
        return {
            each for each in self._pushed if self._asker.ask("HEAD", f"{repository}/manifests/{each}").status == 200
        }

    def clear_log(self) -> None:
        """A real server has none."""

    def close(self) -> None:
        """Give back the connection."""
        self._asker.close()
