"""The same questions put to any registry over plain HTTP, and its answers as comparable text.

An answer is what a client can act on: the status, the OCI error code, the digest header, the tags that are left. What
differs by nature (dates, upload ids, the words of a message) is not in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection

from tagsweep.model.manifest import DOCKER_LIST, DOCKER_MANIFEST, MANIFEST_TYPES, OCI_INDEX, OCI_MANIFEST
from tagsweep.model.reference import Digest
from tagsweep.testing import images
from tagsweep.testing.images import BuiltImage

EVERYTHING = ", ".join(MANIFEST_TYPES)
REPOSITORY = "team/app"
ABSENT = Digest("sha256:" + "0" * 64)
UNKNOWN = Digest("sha256:" + "1" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer, header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The OCI error code of the body, or what stands there instead of one."""
        if self.status < 400:
            return ""
        try:
            return ",".join(error["code"] for error in json.loads(self.body)["errors"])
        except (ValueError, KeyError, TypeError):
            return "no body" if not self.body else "plain text"

    def __str__(self) -> str:
        """Status, error code and digest."""
        return " ".join(filter(None, (str(self.status), self.code, self.headers.get("docker-content-digest", ""))))


class Interviewer:
    """Asks one registry, over one connection, and names the digests that it was told of.

    ``authorization`` is sent with every request; empty for a registry that is open to everybody.
    """

    def __init__(self, host: str, authorization: str = "") -> None:
        self._connection = HTTPConnection(host, timeout=20)
        self._host = host
        self._authorization = {"Authorization": authorization} if authorization else {}

    def ask(
        self, method: str, path: str, *, accept: str | None = EVERYTHING, body: bytes = b"", kind: str = ""
    ) -> Reply:
        """Send one request below ``/v2/`` and return the answer."""
        headers = {**self._authorization, **({"Accept": accept} if accept is not None else {})}
        if kind:
            headers["Content-Type"] = kind
        target = path if path.startswith("/") else f"/v2/{path}"
        self._connection.request(method, target, body=body or None, headers=headers)
        response = self._connection.getresponse()
        return Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read(),
        )

    def push(self, repository: str, image: BuiltImage, *tags: str) -> None:
        """Upload the image as a client does and point the tags at it."""
        for digest, content in image.blobs.items():
            self.upload(repository, digest, content)
        for manifest in image.manifests:
            # Under its tags alone, where it has some: what was pushed by digest as well is kept by Gitea without a tag.
            for reference in tags if tags and manifest.digest == image.top else (manifest.digest,):
                reply = self.put(repository, reference, manifest.data, manifest.media_type)
                if reply.status != 201:
                    raise RuntimeError(f"PUT {reference}: {reply} {reply.body!r}")

    def upload(self, repository: str, digest: Digest, content: bytes) -> Reply:
        """Upload one blob: POST, then PUT with everything."""
        # Without Accept, as clients do: Pulp answers 406 where the media types of manifests are wanted for an upload.
        opened = self.ask("POST", f"{repository}/blobs/uploads/", accept=None)
        place = opened.headers["location"].removeprefix(f"http://{self._host}")
        joint = "&" if "?" in place else "?"
        place = f"{place}{joint}digest={digest}"
        return self.ask("PUT", place, accept=None, body=content, kind="application/octet-stream")

    def put(self, repository: str, reference: str, data: bytes, media_type: str) -> Reply:
        """Store a manifest under a tag or digest."""
        return self.ask("PUT", f"{repository}/manifests/{reference}", accept=None, body=data, kind=media_type)

    def tags(self, repository: str, query: str = "") -> tuple[str, ...] | str:
        """Return the tags as listed, or the error as text."""
        reply = self.ask("GET", f"{repository}/tags/list{query}", accept="application/json")
        return tuple(json.loads(reply.body)["tags"] or ()) if reply.status == 200 else str(reply)

    def close(self) -> None:
        """Give back the connection."""
        self._connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitters:
    """The images that every interview begins with."""

    release: BuiltImage
    """Tagged v1, latest and sha-1: three tags on one digest."""
    docker_list: BuiltImage
    oci: BuiltImage
    docker: BuiltImage
    other: BuiltImage


SITTERS = Sitters(
    release=images.multi_platform("release"),
    docker_list=images.multi_platform("docker list", docker=True, attestations=False),
    oci=images.image("oci"),
    docker=images.image("docker", docker=True),
    other=images.multi_platform("other"),
)


def interview(host: str) -> dict[str, str]:
    """Fill ``team/app``, ask everything, and return each question with its answer, in the order asked."""
    asker = Interviewer(host)
    try:
        for image, tags in (
            (SITTERS.release, ("v1", "latest", "sha-1")),
            (SITTERS.docker_list, ("list",)),
            (SITTERS.oci, ("oci",)),
            (SITTERS.docker, ("docker",)),
            (SITTERS.other, ("other", "zz")),
        ):
            asker.push(REPOSITORY, image, *tags)
        answers: dict[str, str] = {}
        for chapter in (_listing, _reading, _blobs, _pushing, _deleting_tags, _deleting_digests, _emptying):
            chapter(asker, lambda question, answer: answers.__setitem__(question, str(answer)))
        return answers
    finally:
        asker.close()


Note = Callable[[str, object], None]


def _names(reply: Reply) -> str:
    return f"{reply.status} {reply.code} {json.loads(reply.body)['tags'] if reply.status == 200 else ''}"


def _listing(asker: Interviewer, note: Note) -> None:
    everything = asker.tags(REPOSITORY)
    note("tags, in any order", sorted(everything))
    note("the list is sorted", list(everything) == sorted(everything))
    for query in ("?n=3", "?n=3&last=latest", "?n=100&last=zz", "?n=2&last=m", "?n=0", "?last=oci"):
        reply = asker.ask("GET", f"{REPOSITORY}/tags/list{query}")
        names = json.loads(reply.body)["tags"] if reply.status == 200 else None
        note(f"tags{query}", f"{reply.status} {reply.code} {sorted(names) if names is not None else names}")
        note(f"tags{query} link", reply.headers.get("link"))
    note("tags of no repository", asker.tags("no/such"))
    reply = asker.ask("GET", "/v2/_catalog?n=100")
    note("catalog", f"{reply.status} {reply.code} {json.loads(reply.body) if reply.status == 200 else ''}")


def _reading(asker: Interviewer, note: Note) -> None:
    accepts = {
        "all": EVERYTHING,
        "none": None,
        "any": "*/*",
        "docker manifest": DOCKER_MANIFEST,
        "oci manifest": OCI_MANIFEST,
        "both lists": f"{OCI_INDEX}, {DOCKER_LIST}",
    }
    for name, accept in accepts.items():
        for tag, image in (
            ("v1", SITTERS.release),
            ("list", SITTERS.docker_list),
            ("oci", SITTERS.oci),
            ("docker", SITTERS.docker),
        ):
            for method in ("GET", "HEAD"):
                by_tag = asker.ask(method, f"{REPOSITORY}/manifests/{tag}", accept=accept)
                by_digest = asker.ask(method, f"{REPOSITORY}/manifests/{image.top}", accept=accept)
                note(f"{method} {tag} accepting {name}", _digest_kind(by_tag, image))
                note(f"{method} {tag} by digest accepting {name}", _digest_kind(by_digest, image))
    for reference in ("nosuch", ABSENT, "sha256:12"):
        for method in ("GET", "HEAD"):
            reply = asker.ask(method, f"{REPOSITORY}/manifests/{reference}")
            note(f"{method} {reference}", f"{reply.status} {reply.code}")
    note("GET a tag of no repository", asker.ask("GET", "no/such/manifests/v1"))
    reply = asker.ask("GET", f"{REPOSITORY}/referrers/{SITTERS.release.top}")
    note("referrers", f"{reply.status} {reply.code} {reply.body.decode() if reply.status == 200 else ''}")
    note("GET /v2/", f"{asker.ask('GET', '/v2/').status}")


def _digest_kind(reply: Reply, image: BuiltImage) -> str:
    told = reply.headers.get("docker-content-digest")
    if told is None:
        kind = "no digest"
    elif told == image.top:
        kind = "the digest"
    else:
        kind = "a child's digest" if told in {child.digest for child in image.children} else "another digest"
    media_type = reply.headers.get("content-type", "") if reply.status == 200 else ""
    return f"{reply.status} {reply.code} {kind} {media_type}".strip()


def _blobs(asker: Interviewer, note: Note) -> None:
    config = next(iter(SITTERS.oci.blobs))
    for method in ("GET", "HEAD"):
        reply = asker.ask(method, f"{REPOSITORY}/blobs/{config}", accept=None)
        note(f"{method} blob", f"{reply} {reply.headers.get('content-length')}")
        reply = asker.ask(method, f"{REPOSITORY}/blobs/{ABSENT}", accept=None)
        note(f"{method} absent blob", f"{reply.status} {reply.code}")
    wrong = asker.upload(REPOSITORY, ABSENT, b"other bytes")
    note("PUT blob with a wrong digest", f"{wrong.status} {wrong.code}")


def _pushing(asker: Interviewer, note: Note) -> None:
    fresh = images.image("never uploaded", layers=[images.layer("never uploaded")]).manifest
    reply = asker.put(REPOSITORY, "fresh", fresh.data, fresh.media_type)
    note("PUT manifest without its blobs", f"{reply.status} {reply.code}")
    orphan = images.index([images.image("never pushed child")]).manifest
    reply = asker.put(REPOSITORY, "orphan", orphan.data, orphan.media_type)
    note("PUT index without its child", f"{reply.status} {reply.code}")
    top = SITTERS.oci.manifest
    note("PUT existing manifest to a new tag", asker.put(REPOSITORY, "again", top.data, top.media_type))
    reply = asker.put(REPOSITORY, ABSENT, top.data, top.media_type)
    note("PUT manifest under a wrong digest", f"{reply.status} {reply.code}")
    reply = asker.put(REPOSITORY, "broken", b"{", top.media_type)
    note("PUT manifest that is no JSON", f"{reply.status} {reply.code}")


def _after(asker: Interviewer, *references: str) -> str:
    left = asker.tags(REPOSITORY)
    answers = [asker.ask("GET", f"{REPOSITORY}/manifests/{reference}").status for reference in references]
    return f"{sorted(left) if isinstance(left, tuple) else left} {answers}"


def _delete(asker: Interviewer, reference: str, *, repository: str = REPOSITORY) -> str:
    reply = asker.ask("DELETE", f"{repository}/manifests/{reference}")
    return f"{reply.status} {reply.code}"


def _deleting_tags(asker: Interviewer, note: Note) -> None:
    for question, tag in (("a tag", "again"), ("the same tag", "again"), ("an unknown tag", "nosuch")):
        note(f"DELETE {question}", f"{_delete(asker, tag)} {_after(asker)}")
    note("DELETE one of three tags", f"{_delete(asker, 'sha-1')} {_after(asker, 'v1', 'latest', 'sha-1')}")
    note("its digest", asker.ask("GET", f"{REPOSITORY}/manifests/{SITTERS.release.top}"))
    note("DELETE a tag of no repository", _delete(asker, "v1", repository="no/such"))


def _deleting_digests(asker: Interviewer, note: Note) -> None:
    top, child = SITTERS.release.top, SITTERS.other.children[0].digest
    for question, digest in (("an unknown digest", UNKNOWN), ("a digest", top), ("the same digest", top)):
        note(f"DELETE {question}", f"{_delete(asker, digest)} {_after(asker, 'v1', 'latest', digest)}")
    children = [each.digest for each in SITTERS.release.children]
    note("its children", [asker.ask("HEAD", f"{REPOSITORY}/manifests/{each}").status for each in children])
    note("DELETE child of a tagged index", f"{_delete(asker, child)} {_after(asker, 'other', child)}")
    again = SITTERS.release.manifest
    note("PUT the deleted index again", asker.put(REPOSITORY, "v1", again.data, again.media_type))
    note("tags after it", _after(asker, "v1", "latest", top))
    note("DELETE a digest of no repository", _delete(asker, UNKNOWN, repository="no/such"))
    note("DELETE a malformed digest", _delete(asker, "sha256:12"))


def _emptying(asker: Interviewer, note: Note) -> None:
    for image in (SITTERS.release, SITTERS.docker_list, SITTERS.oci, SITTERS.docker, SITTERS.other):
        asker.ask("DELETE", f"{REPOSITORY}/manifests/{image.top}")
    for tag in asker.tags(REPOSITORY):
        asker.ask("DELETE", f"{REPOSITORY}/manifests/{tag}")
    reply = asker.ask("GET", f"{REPOSITORY}/tags/list")
    note("tags of an emptied repository", f"{reply.status} {reply.code} {reply.body.decode().strip()}")


def interview_about_pages(host: str) -> dict[str, str]:
    """Ask distribution for pages that are odd, large, or not asked for, and what a refused push leaves."""
    asker = Interviewer(host)
    answers: dict[str, str] = {}
    try:
        for number in range(102):
            asker.push(f"many/r{number:03}", SITTERS.oci, "v1")
        for query in ("?n=-1", "?n=x", "?n=1.5", "?n=", "?n=5000"):
            reply = asker.ask("GET", f"many/r000/tags/list{query}")
            answers[f"tags{query}"] = f"{reply.status} {reply.code} {reply.headers.get('link')}"
        for query in ("", "?n=-1", "?n=x", "?n=0", "?n=100", "?n=1000", "?n=5000"):
            reply = asker.ask("GET", f"/v2/_catalog{query}")
            names = json.loads(reply.body)["repositories"] if reply.status == 200 else ()
            answers[f"catalog{query}"] = f"{reply.status} {reply.code} {len(names)} {reply.headers.get('link')}"
        lost = images.image("never uploaded", layers=[images.layer("never uploaded")]).manifest
        answers["a push is refused"] = str(asker.put("new/refused", "v1", lost.data, lost.media_type).status)
        answers["tags after it"] = str(asker.tags("new/refused"))
        asker.upload("new/blobs", images.digest_of(b"blob"), b"blob")
        answers["tags where only blobs are"] = str(asker.tags("new/blobs"))
        answers["DELETE where only blobs are"] = _delete(asker, UNKNOWN, repository="new/blobs")
        return answers
    finally:
        asker.close()


def interview_about_deletion(host: str) -> dict[str, str]:
    """Ask a registry whose deletion is switched off what it answers to it."""
    asker = Interviewer(host)
    try:
        asker.push(REPOSITORY, SITTERS.oci, "oci")
        return {
            "DELETE a digest": f"{_delete(asker, SITTERS.oci.top)} {_after(asker)}",
            "DELETE an unknown digest": _delete(asker, UNKNOWN),
            "DELETE a tag": f"{_delete(asker, 'oci')} {_after(asker)}",
            "DELETE an unknown tag": _delete(asker, "nosuch"),
        }
    finally:
        asker.close()
