"""How registries differ: a Dialect is a frozen set of switches, and the presets are what real ones were seen to do.

DISTRIBUTION_2_8, DISTRIBUTION_3 and CRANE are compared with the real servers, question by question, in
tests/real/test_fake_is_faithful.py. The others follow the registries' source or documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class Paging(Enum):
    """What a registry does with ``n`` and ``last`` of a tag list."""

    IGNORED = "ignored"
    """Always the whole list and no Link: distribution 2.x."""
    LINK = "link"
    """Pages, and a Link to the next one."""
    SILENT = "silent"
    """Pages without a Link: the client must go on with ``last`` by itself."""


class LastRule(Enum):
    """Where a page begins that is asked for with ``last``."""

    AFTER = "after"
    """At the first tag greater than ``last``, whether or not ``last`` exists."""
    SKIPS_ONE = "skips one"
    """One after the place where ``last`` stood: where it has vanished, the next tag is lost (distribution 3.0.0)."""
    MUST_EXIST = "must exist"
    """After ``last``; 404 where it has vanished (zot)."""
    WRAPS = "wraps"
    """At the first tag greater than ``last``; after the greatest tag the list begins again (crane)."""


class LinkForm(Enum):
    """How the Link of a page names the next one."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    FOREIGN = "foreign"
    """An absolute address on another host, which no client should follow with its credentials."""


class AcceptRule(Enum):
    """What is answered when ``Accept`` does not name the media type that is stored."""

    ANY = "any"
    """What is stored."""
    DISTRIBUTION_2 = "distribution 2"
    """OCI types: 404. Docker's, by tag: the amd64 child of a list, and conversion to schema 1 with another digest."""
    DISTRIBUTION_3 = "distribution 3"
    """OCI manifests: 404. Docker lists, by tag: the amd64 child or 400. Everything else: what is stored."""


class PutRule(Enum):
    """What a manifest is checked for when it is pushed."""

    EVERYTHING = "everything"
    """It is JSON, its digest is the one named, and everything that it names is there."""
    CHILDREN = "children"
    """Only that the children of an index are there (crane)."""


class NoReferrers(Enum):
    """How a registry says that it has no referrers API."""

    PLAIN_TEXT = "plain text"
    METHOD_UNKNOWN = "method unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error answer: HTTP status and OCI error code."""

    status: int
    code: str
    message: str = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The switches. Every default is the plain behaviour of the OCI distribution specification 1.1.

    ``page_size`` is the page of a request without ``n`` (None: everything), ``largest_page`` what ``n`` is cut to.
    ``short_pages`` gives one tag fewer than asked for, with a Link; ``repeats_across_pages`` begins a page with the
    last tag of the one before; ``link_on_last_page`` sends a Link even there, to an empty page.
    """

    name: str
    paging: Paging = Paging.LINK
    last: LastRule = LastRule.AFTER
    link: LinkForm = LinkForm.RELATIVE
    page_size: int | None = None
    largest_page: int | None = None
    large_page: Refusal | None = None
    """How an ``n`` above ``largest_page`` is refused; None: it is cut."""
    odd_page: Refusal | None = None
    """How an ``n`` that is no number is refused; None: it is as if it were not there."""
    catalog_page: int | None = None
    """The page of a catalog without ``n``; None: everything."""
    largest_catalog_page: int | None = None
    """A larger ``n`` of a catalog is 400 PAGINATION_NUMBER_INVALID."""
    short_pages: bool = False
    repeats_across_pages: bool = False
    link_on_last_page: bool = False
    sorted_tags: bool = True
    null_when_empty: bool = False
    """``"tags": null`` where every tag is gone."""
    tags_need_json: bool = False
    """406 for a tag list unless Accept admits JSON (pulp)."""
    accept: AcceptRule = AcceptRule.ANY
    digest_header: bool = True
    referrers: NoReferrers | None = None
    """None: the referrers API works."""
    malformed_digest: Refusal = Refusal(status=400, code="DIGEST_INVALID")
    tag_delete: Refusal | None = None
    """None: one tag can be deleted. Otherwise how it is refused."""
    digest_delete: Refusal | None = None
    digest_delete_takes_tags: bool = True
    """False: tags stay and still resolve when their digest is deleted (crane)."""
    digest_delete_takes_children: bool = False
    """Deleting an index takes everything that it lists along, whoever else lists it (seen on Docker Hub)."""
    child_delete: Refusal | None = None
    """How deleting a manifest that an index lists is refused, where it is."""
    unknown_repository_delete: Refusal | None = None
    """The answer to a deletion in a repository that does not exist, where it differs from the one to a read."""
    switch_covers_tags: bool = True
    """False: tags are deleted even where the operator switched deletion off (distribution 3.0.0 to 3.1.0)."""
    tagged_delete: Refusal | None = None
    """How deleting a manifest that still has a tag is refused, where it is."""
    put: PutRule = PutRule.EVERYTHING
    read_only: Refusal | None = None
    """How everything that writes is refused, where it is."""
    unknown_repository: Refusal | None = None
    """The answer to manifests of a repository that does not exist, where it differs from an unknown manifest."""
    blobs_elsewhere: bool = False
    """A blob GET is answered with a 307 to another host."""

    @property
    def checks_blobs(self) -> bool:
        """Whether a manifest is refused when blobs that it names are missing."""
        return self.put is PutRule.EVERYTHING


BAD_PAGE: Final = Refusal(status=400, code="PAGINATION_NUMBER_INVALID", message="invalid number of results requested")
_SWITCHED_OFF: Final = Refusal(status=405, code="UNSUPPORTED", message="The operation is unsupported.")

OCI: Final = Dialect(name="OCI distribution specification 1.1")

DISTRIBUTION_2_8: Final = Dialect(
    name="distribution 2.8",
    paging=Paging.IGNORED,
    catalog_page=100,
    largest_catalog_page=1000,
    sorted_tags=False,
    null_when_empty=True,
    accept=AcceptRule.DISTRIBUTION_2,
    referrers=NoReferrers.PLAIN_TEXT,
    malformed_digest=Refusal(status=500, code="UNKNOWN"),
    tag_delete=Refusal(status=400, code="DIGEST_INVALID", message="provided digest did not match uploaded content"),
)

DISTRIBUTION_3: Final = Dialect(
    name="distribution 3",
    largest_page=1000,
    odd_page=BAD_PAGE,
    catalog_page=100,
    largest_catalog_page=1000,
    accept=AcceptRule.DISTRIBUTION_3,
    referrers=NoReferrers.PLAIN_TEXT,
)

DISTRIBUTION_3_1_0: Final = replace(
    DISTRIBUTION_3, name="distribution 3.1.0", large_page=BAD_PAGE, switch_covers_tags=False
)

DISTRIBUTION_3_0_0: Final = replace(
    DISTRIBUTION_3,
    name="distribution 3.0.0",
    largest_page=None,
    last=LastRule.SKIPS_ONE,
    switch_covers_tags=False,
)

CRANE: Final = Dialect(
    name="crane registry serve",
    paging=Paging.SILENT,
    last=LastRule.WRAPS,
    null_when_empty=True,
    referrers=NoReferrers.METHOD_UNKNOWN,
    malformed_digest=Refusal(status=404, code="MANIFEST_UNKNOWN"),
    digest_delete_takes_tags=False,
    put=PutRule.CHILDREN,
    unknown_repository=Refusal(status=404, code="NAME_UNKNOWN"),
)

ZOT: Final = Dialect(
    name="zot",
    last=LastRule.MUST_EXIST,
    child_delete=Refusal(status=405, code="DENIED", message="manifest is referenced by an index"),
    unknown_repository_delete=Refusal(status=400, code="NAME_UNKNOWN"),
)

DIALECTS: Final = (OCI, DISTRIBUTION_2_8, DISTRIBUTION_3, DISTRIBUTION_3_1_0, DISTRIBUTION_3_0_0, CRANE, ZOT)


def without_deletion(dialect: Dialect) -> Dialect:
    """Return ``dialect`` as its operator leaves it with deletion switched off: 405 UNSUPPORTED for what obeys it."""
    tag_delete = _SWITCHED_OFF if dialect.switch_covers_tags else dialect.tag_delete
    return replace(dialect, name=f"{dialect.name}, deletion off", tag_delete=tag_delete, digest_delete=_SWITCHED_OFF)
