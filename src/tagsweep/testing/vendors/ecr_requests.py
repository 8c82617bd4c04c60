"""Requests to the fakes of Amazon ECR and ECR Public: what is checked of each, its pages, and how one is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tagsweep.testing.vendors.aws_signature import wrong_signature
from tagsweep.testing.wire import Answer, WireRequest

LARGEST_BATCH: Final = 100
_LARGEST_PAGE, _PAGE = 1000, 100
_CONTENT_TYPE: Final = "application/x-amz-json-1.1"
_PARAMETERS: Final = {
    "BatchDeleteImage": {"registryId", "repositoryName", "imageIds"},
    "DescribeImageTags": {"registryId", "repositoryName", "nextToken", "maxResults"},
    "DescribeImages": {"registryId", "repositoryName", "imageIds", "nextToken", "maxResults", "filter"},
    "DescribeRegistries": {"nextToken", "maxResults"},
    "DescribeRepositories": {"registryId", "repositoryNames", "nextToken", "maxResults"},
    "GetAuthorizationToken": {"registryIds"},
    "GetLifecyclePolicy": {"registryId", "repositoryName"},
    "UpdateImageStorageClass": {"registryId", "repositoryName", "imageId", "targetStorageClass"},
}
_ONLY_PRIVATE: Final = {"GetLifecyclePolicy", "UpdateImageStorageClass"}
_ONLY_PUBLIC: Final = {"DescribeImageTags", "DescribeRegistries"}
_PUBLIC_HAS_NOT: Final = {"DescribeImages": {"filter"}, "GetAuthorizationToken": {"registryIds"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """The credentials that sign requests; ``denied`` are operations that they have no right to."""

    id: str = "AKIAFAKEFAKEFAKEFAKE"
    secret: str = field(default="fake/secret/of/nobody", repr=False)
    denied: frozenset[str] = frozenset()


class AwsRefused(Exception):
    """An error on its way out of the middle of an operation."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status

    def answer(self, *, long_names: bool) -> Answer:
        """Return it as an answer. Long and short names of errors are both in use."""
        told = f"com.amazonaws.ecr#{self.code}" if long_names else self.code
        return as_amazon(self.status, {"__type": told, "message": self.message})


def opened(request: WireRequest, *, public: bool, key: AccessKey, region: str) -> tuple[str, dict[str, Any]]:
    """Return the operation of a request and its parameters, or raise AwsRefused for what the service does not know."""
    prefix, _, operation = request.headers.get("x-amz-target", "").partition(".")
    wanted = "SpencerFrontendService" if public else "AmazonEC2ContainerRegistry_V20150921"
    known = _PARAMETERS.keys() - (_ONLY_PRIVATE if public else _ONLY_PUBLIC)
    if request.method != "POST" or prefix != wanted or operation not in known:
        raise AwsRefused("UnknownOperationException", "")
    if request.headers.get("content-type") != _CONTENT_TYPE:
        raise AwsRefused("SerializationException", f"the content type is not {_CONTENT_TYPE}")
    service = "ecr-public" if public else "ecr"
    if wrong := wrong_signature(request, key=key.id, secret=key.secret, region=region, service=service):
        raise AwsRefused(wrong, "The request signature we calculated does not match.", 403)
    given: dict[str, Any] = json.loads(request.body)
    unknown = given.keys() - (_PARAMETERS[operation] - (_PUBLIC_HAS_NOT.get(operation, set()) if public else set()))
    if unknown:
        raise AwsRefused("InvalidParameterException", f"Invalid parameter: {', '.join(sorted(unknown))}")
    return operation, given


def paged(given: Mapping[str, Any], key: str, entries: list[dict[str, Any]], *, most: int | None) -> dict[str, Any]:
    """Return the page of ``entries`` that was asked for, at most ``most`` of them."""
    size = given.get("maxResults", _PAGE)
    if not isinstance(size, int) or not 1 <= size <= _LARGEST_PAGE:
        raise AwsRefused("InvalidParameterException", "Invalid parameter at 'maxResults': between 1 and 1000")
    size = min(size, most or size)
    try:
        start = int(base64.b64decode(given.get("nextToken", "MA==")).decode())
    except ValueError:
        raise AwsRefused("InvalidParameterException", "Invalid parameter at 'nextToken'") from None
    token = base64.b64encode(str(start + size).encode()).decode()
    return {key: entries[start : start + size], **({"nextToken": token} if start + size < len(entries) else {})}


def as_amazon(status: int, document: object) -> Answer:
    """Return a document as Amazon sends it."""
    return Answer(status=status, headers={"Content-Type": _CONTENT_TYPE}, body=json.dumps(document).encode())
