"""Deliberate mistakes in drivers, each with the test of the shipped DriverSuite that has to notice.

Most were made by somebody's tool once. A mutant that the suite lets pass is a hole in it. The snippets are exact: when
code changes, the test that applies them says which one has to be written anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """In ``file`` (below ``src/tagsweep``), ``original`` occurs once and becomes ``replacement``."""

    file: str
    original: str
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverMutant:
    """A mistake, the kind of registry (``mutant_registries``) where it shows, and the test that notices."""

    name: str
    registry: str
    test: str
    edits: tuple[Edit, ...]


def _mutant(name: str, registry: str, test: str, *edits: tuple[str, str, str]) -> DriverMutant:
    made = tuple(Edit(file=file, original=original, replacement=replacement) for file, original, replacement in edits)
    return DriverMutant(name=name, registry=registry, test=f"test_{test}", edits=made)


_OCI: Final = "drivers/oci.py"
_ANSWERS: Final = "drivers/oci_answers.py"
_PAGING: Final = "http/paging.py"
_LENGTHS: Final = "lists_of_every_length_are_complete"
_ONCE: Final = "every_tag_is_listed_once"
_REFUSED: Final = "a_refused_deletion_is_an_error"
_LOOK_UP: Final = "a_failed_look_up_is_not_absence"
_SHORTER: Final = "an_error_in_a_listing_is_no_shorter_list"
_ALONE: Final = "deleting_a_tag_takes_that_tag_alone"
_AGREE: Final = "tag_and_digest_agree"
_ANY_KEY: Final = (_ANSWERS, "        names = document[key]", "        names = document.get(key)")
_STATUSES: Final = "    if response.status in statuses:"

_LISTING: Final = (
    _mutant(
        "drops-what-comes-after-the-second-page",
        "small pages",
        _ONCE,
        (
            _PAGING,
            "        after_empty = not entries\n",
            "        if len(visited) > 1:\n            return\n        after_empty = not entries\n",
        ),
    ),
    _mutant(
        "reads-one-page",
        "small pages",
        _LENGTHS,
        (
            _PAGING,
            "    if target is None:\n        return None\n    url",
            "    if target:\n        return None\n    url",
        ),
    ),
    _mutant(
        "follows-a-link-to-another-host",
        "small pages",
        "a_link_to_another_host_is_not_followed",
        (_PAGING, "    if origin(url) != origin(response.url):", "    if not url:"),
        ("http/client.py", "        if url is path and not self.is_home(url):", "        if not url:"),
    ),
    _mutant(
        "403-is-an-empty-list",
        "oci",
        _SHORTER,
        _ANY_KEY,
        (_ANSWERS, _STATUSES, _STATUSES[:-1] + " or response.status == 403:"),
    ),
    _mutant(
        "500-is-an-empty-list",
        "oci",
        _SHORTER,
        _ANY_KEY,
        (_ANSWERS, _STATUSES, _STATUSES[:-1] + " or response.status == 500:"),
    ),
    _mutant(
        "404-is-an-empty-list",
        "oci",
        "a_repository_that_vanished_is_not_found",
        _ANY_KEY,
        (_ANSWERS, _STATUSES, _STATUSES[:-1] + " or response.status == 404:"),
    ),
    _mutant(
        "swallows-an-error-in-the-middle",
        "small pages",
        _SHORTER,
        (
            _PAGING,
            "        response = fetch(url)",
            (
                "        try:\n            response = fetch(url)\n        except Exception:\n            if seen:\n"
                "                return\n            raise"
            ),
        ),
    ),
    _mutant(
        "lists-tags-twice",
        "repeating pages",
        _ONCE,
        (
            _PAGING,
            "        fresh = [entry for entry in dict.fromkeys(entries) if entry not in seen]",
            "        fresh = list(entries)",
        ),
    ),
    _mutant(
        "asks-for-pages-of-one",
        "oci",
        "listing_looks_at_no_manifest",
        (_OCI, '{_path(repository)}/tags/list"', '{_path(repository)}/tags/list?n=1"'),
    ),
    _mutant(
        "looks-at-every-manifest",
        "oci",
        "listing_looks_at_no_manifest",
        (
            _OCI,
            "tuple(ListedTag(name=name) for name in self.tag_names(repository))",
            "tuple(ListedTag(name=n) for n in self.tag_names(repository) if self.fetch_manifest(repository, n))",
        ),
    ),
    _mutant(
        "tells-an-image's-age-as-its-push",
        "gitlab",
        "times_are_those_that_are_declared",
        ("drivers/gitlab.py", "{TimeOrigin.CREATED: created}", "{TimeOrigin.PUSHED: created}"),
    ),
    _mutant(
        "tells-times-that-it-does-not-declare",
        "gitea",
        "times_are_those_that_are_declared",
        ("drivers/gitea.py", "times=frozenset({TimeOrigin.PUSHED}),", "times=frozenset(),"),
    ),
    _mutant(
        "drops-tags-that-share-a-digest",
        "ecr",
        _ONCE,
        (
            "drivers/ecr.py",
            'for tag in image.get("imageTags") or ():',
            'for tag in (image.get("imageTags") or ())[:1]:',
        ),
    ),
    _mutant(
        "ecr-reads-one-page",
        "ecr",
        _LENGTHS,
        ("drivers/ecr_api.py", '            token = page.get("nextToken")', "            token = None"),
    ),
    _mutant(
        "dockerhub-does-not-go-on",
        "dockerhub",
        _LENGTHS,
        ("drivers/dockerhub_tags.py", "following=following or None)", "following=None)"),
    ),
    _mutant(
        "gitea-ends-at-the-tenth-refusal",
        "gitea without packages",
        _LENGTHS,
        ("drivers/gitea.py", "except (AuthenticationFailed, PermissionDenied):", "except AuthenticationFailed:"),
    ),
)
_LOOKING: Final = (
    _mutant(
        "a-proxy's-404-is-absence",
        "oci",
        _LOOK_UP,
        (_ANSWERS, "    if said.structured and _NEGOTIATION not in", "    if True or _NEGOTIATION not in"),
    ),
    _mutant(
        "403-is-absence",
        "oci",
        _LOOK_UP,
        (_ANSWERS, "    if response.status != NOT_FOUND:", "    if response.status not in (NOT_FOUND, 403):"),
    ),
    _mutant(
        "accepts-docker's-manifests-only",
        "distribution 2.8",
        _AGREE,
        (
            _OCI,
            '{"Accept": ", ".join(MANIFEST_TYPES)}',
            '{"Accept": "application/vnd.docker.distribution.manifest.v2+json"}',
        ),
    ),
    _mutant(
        "trusts-the-bytes",
        "oci",
        "a_manifest_with_other_bytes_than_its_digest_is_refused",
        (_ANSWERS, "    if actual != digest:", "    if not actual:"),
    ),
    _mutant(
        "takes-a-moved-tag-for-unmoved",
        "oci",
        "a_tag_is_looked_up_anew_each_time",
        (
            _OCI,
            "        return self._resolve(repository, parse_tag(tag))",
            (
                '        known = self.__dict__.setdefault("_known", {})\n'
                "        return known.setdefault((repository, tag), self._resolve(repository, parse_tag(tag)))"
            ),
        ),
    ),
    _mutant(
        "no-referrers-API-is-no-referrers",
        "distribution 2.8",
        "referrers_are_told_or_not_known",
        (
            _OCI,
            "            return None\n        pages = {url: first}",
            "            return ()\n        pages = {url: first}",
        ),
    ),
    _mutant(
        "tells-one-tag-of-a-digest",
        "ghcr",
        "the_tags_of_a_digest_are_told",
        ("drivers/ghcr.py", "return frozenset(version.tags) if", "return frozenset(version.tags[:1]) if"),
    ),
    _mutant(
        "harbor-reads-locked-as-free",
        "harbor",
        "locked_tags_are_told",
        ("drivers/harbor_api.py", 'locked="immutable" if tag.get("immutable") else ""', 'locked=""'),
    ),
    _mutant(
        "acr-reads-locked-as-free",
        "acr",
        "locked_tags_are_told",
        ("drivers/acr.py", 'locked = _lock_of(entry, "the tag") or locks.why(digest)', 'locked = ""'),
    ),
    _mutant(
        "dockerhub-reads-locked-as-free",
        "dockerhub",
        "locked_tags_are_told",
        ("drivers/dockerhub_api.py", 'locked=locked.get(tag.name, "")', 'locked=""'),
    ),
    _mutant(
        "quay-reads-locked-as-free",
        "quay",
        "locked_tags_are_told",
        ("drivers/quay_api.py", '"it is immutable on Quay" if entry.get("immutable") is True else ""', '""'),
    ),
    _mutant(
        "gitlab-reads-protected-as-free",
        "gitlab",
        "locked_tags_are_told",
        ("drivers/gitlab.py", "locked=protection.locked(name)", 'locked=""'),
    ),
)
_CHANGING: Final = (
    _mutant(
        "deletes-the-digest-for-a-tag",
        "distribution 3",
        _ALONE,
        (
            _OCI,
            "        return self._deleted(repository, tag)",
            "        return self._deleted(repository, self.resolve_tag(repository, tag) or tag)",
        ),
    ),
    _mutant(
        "harbor-deletes-the-artifact-of-a-tag",
        "harbor",
        _ALONE,
        (
            "drivers/harbor_api.py",
            "/artifacts/{quote(artifact, safe='')}/tags/{quote(tag, safe='')}\"",
            "/artifacts/{quote(artifact, safe='')}\"",
        ),
    ),
    _mutant(
        "acr-deletes-the-manifest-of-a-tag",
        "acr",
        _ALONE,
        (
            "drivers/acr.py",
            "        response = self._untag(repository, tag)\n        if",
            (
                "        on = self._oci.resolve_tag(repository, tag)\n"
                "        response = self._oci._delete(repository, on or tag)\n        if"
            ),
        ),
    ),
    _mutant(
        "deletes-where-the-tag-is-now",
        "distribution 3",
        "the_planned_digest_goes_and_not_where_its_tag_went",
        (
            _OCI,
            "        return self._resolve(repository, parse_tag(tag))",
            (
                "        found = self._resolve(repository, parse_tag(tag))\n"
                '        self.__dict__.setdefault("_on", {})[found] = tag\n        return found'
            ),
        ),
        (
            _OCI,
            "        return self._deleted(repository, digest)",
            (
                '        tag = self.__dict__.get("_on", {}).get(digest)\n'
                "        return self._deleted(repository, (self._resolve(repository, tag) if tag else None) or digest)"
            ),
        ),
    ),
    _mutant(
        "already-gone-for-403",
        "distribution 3",
        _REFUSED,
        (
            _OCI,
            "        response = self._delete(repository, reference)\n",
            (
                "        response = self._delete(repository, reference)\n        if response.status == 403:\n"
                "            return False\n"
            ),
        ),
    ),
    _mutant(
        "done-for-any-answer",
        "distribution 3",
        _REFUSED,
        (_OCI, "        expect(response, _OK, _ACCEPTED, _NO_CONTENT, place=self._place, doing=doing)\n", ""),
    ),
    _mutant(
        "dockerhub-takes-a-hidden-404-for-gone",
        "dockerhub",
        _REFUSED,
        (
            "drivers/dockerhub.py",
            "            if self._oci.resolve_tag(repository, tag) is None:",
            "            if response:",
        ),
    ),
    _mutant(
        "ghcr-takes-a-hidden-404-for-gone",
        "ghcr",
        _REFUSED,
        ("drivers/ghcr.py", "        if self._versions.find(repository, number) is None:", "        if response:"),
    ),
    *(
        _mutant(
            f"{name}-takes-a-proxy's-404-for-gone",
            name,
            _REFUSED,
            ("drivers/over_oci.py", "        if self._oci.resolve_tag(repository, tag) is None:", "        if error:"),
        )
        for name in ("artifactory", "scaleway", "gitlab", "quay")
    ),
    _mutant(
        "retries-a-deletion-blindly",
        "distribution 3",
        "a_deletion_without_an_answer_is_sent_once",
        (
            "http/retry.py",
            'SAFE_METHODS: Final = frozenset({"GET", "HEAD"})',
            'SAFE_METHODS: Final = frozenset({"GET", "HEAD", "DELETE"})',
        ),
    ),
    _mutant(
        "deletes-again-after-a-500",
        "distribution 3",
        "a_deletion_without_an_answer_is_sent_once",
        (
            _OCI,
            "        response = self._delete(repository, reference)\n",
            (
                "        response = self._delete(repository, reference)\n        if response.status == 500:\n"
                "            response = self._delete(repository, reference)\n"
            ),
        ),
    ),
    _mutant(
        "a-second-deletion-raises",
        "distribution 3",
        "deleting_an_absent_tag_is_false",
        (
            _OCI,
            "            return False\n        expect(response, _OK, _ACCEPTED",
            '            raise NotFound(f"{reference} is not there")\n        expect(response, _OK, _ACCEPTED',
        ),
    ),
    _mutant(
        "tries-what-was-not-probed",
        "distribution 3",
        "what_is_not_known_to_work_is_not_tried",
        (_OCI, "        if not capability.usable:", "        if capability.support is Support.NO:"),
    ),
    _mutant(
        "probes-with-what-is-there",
        "distribution 3",
        "probing_changes_nothing",
        (
            _OCI,
            "        digest, tag = oci_probe.random_digest(), oci_probe.random_tag()",
            '        digest, tag = self.resolve_tag(repository, "v1"), oci_probe.random_tag()',
        ),
    ),
    _mutant(
        "forgets-what-a-manifest-lacks",
        "distribution 3",
        "a_manifest_whose_blobs_are_gone_is_not_found",
        (_OCI, "            if error.code in _LACKS_SOMETHING:", "            if not error.code:"),
    ),
    _mutant(
        "reports-a-partial-failure-as-done",
        "ecr",
        "many_tags_go_at_once_and_each_is_told",
        ("drivers/ecr_base.py", "return {tag: end for tag, end in zip(", "return {tag: True for tag, end in zip("),
    ),
    _mutant(
        "takes-what-is-not-mentioned-for-done",
        "ecr",
        "what_a_batch_does_not_tell_is_not_done",
        ("drivers/ecr_api.py", "for entry in done) else None)", "for entry in done) else True)"),
    ),
    _mutant(
        "deletes-a-batch-by-digest",
        "ecr",
        "many_tags_go_at_once_and_each_is_told",
        (
            "drivers/ecr_base.py",
            '[{"imageTag": tag} for tag in names]',
            '[{"imageDigest": tags[tag]} for tag in names]',
        ),
    ),
    _mutant(
        "claims-to-have-taken-back",
        "quay",
        "taking_back_is_told_only_where_it_is_done",
        ("drivers/quay.py", "        for tag in absent:", "        for tag in absent[:0]:"),
    ),
    _mutant(
        "claims-to-have-restored-an-archive",
        "ecr archive",
        "what_never_was_is_not_taken_back",
        (
            "drivers/ecr.py",
            "        except NotFound:\n            return False\n        image: dict",
            "        except NotFound:\n            return True\n        image: dict",
        ),
    ),
)
_MANNERS: Final = (
    _mutant(
        "ignores-retry-after",
        "oci",
        "a_pause_is_kept_as_it_was_told",
        (
            "http/retry.py",
            "        if seconds is not None:\n            return seconds\n    for",
            "        if seconds is None:\n            continue\n    for",
        ),
    ),
    _mutant(
        "ignores-docker-hub's-header",
        "oci",
        "a_pause_is_kept_as_it_was_told",
        ("http/retry.py", 'for name in ("retry-after", "x-retry-after"):', 'for name in ("retry-after",):'),
    ),
    _mutant(
        "gives-up-a-limited-deletion",
        "distribution 3",
        "a_limited_deletion_waits_and_is_done",
        ("http/retry.py", "    return response.status == _TOO_MANY", "    return False"),
    ),
    _mutant(
        "sends-authorization-across-hosts",
        "basic",
        "a_redirect_to_another_host_takes_nothing_along",
        (
            "http/client.py",
            "self._converse(hop, scope) if self.is_home(target) else self._retrier.send(hop)",
            "self._converse(hop, scope)",
        ),
    ),
    _mutant(
        "shows-what-a-server-repeats",
        "basic",
        "errors_show_no_credentials",
        ("http/redact.py", '    text = _AUTHORIZATION.sub(rf"\\1 {HIDDEN}", text)\n', ""),
    ),
    _mutant(
        "shows-a-token-that-is-the-user's-name",
        "digitalocean",
        _SHORTER,
        (
            "http/auth.py",
            'return "the token" if self.username in (self.password, self.identity_token) else self.username',
            "return self.username",
        ),
    ),
)
MUTANTS: Final = (*_LISTING, *_LOOKING, *_CHANGING, *_MANNERS)
