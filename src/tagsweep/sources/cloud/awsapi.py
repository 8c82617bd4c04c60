"""AwsApi: one service of AWS in one region, asked through botocore; its errors name the right that is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tagsweep.http.redact import excerpt
from tagsweep.model.errors import (
    AuthenticationFailed,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    ServerFailed,
    TagsweepError,
    Unreachable,
)
from tagsweep.sources.cloud.extras import load

_MOST_PAGES: Final = 100_000
_SERVER_ERROR: Final = 500
_FORBIDDEN: Final = 403
_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "NotAuthorized",
        "UnauthorizedException",
        "UnauthorizedOperation",
    }
)
_NOT_ACCEPTED: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_ABSENT: Final = frozenset({"ResourceNotFoundException", "ClusterNotFoundException", "ServiceNotFoundException"})
_NO_CREDENTIALS: Final = frozenset(
    {
        "CredentialRetrievalError",
        "InvalidConfigError",
        "LoginRefreshRequired",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "SSOError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
_NO_ANSWER: Final = frozenset(
    {
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "ConnectionError",
        "EndpointConnectionError",
        "HTTPClientError",
        "ProxyConnectionError",
        "ReadTimeoutError",
        "SSLError",
    }
)
LOG_IN: Final = "give credentials as for the aws command (aws sts get-caller-identity tells whose they are)"


class AwsApi:
    """The operations of one client. ``prefix`` is what IAM calls the service; safe for several threads at once."""

    def __init__(self, client: Any, *, source: str, region: str, prefix: str) -> None:
        self.region = region
        self.place = f"{region} {prefix}"
        self._client = client
        self._source = source
        self._prefix = prefix
        self._botocore = load("botocore", extra="aws", source=source)

    def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Return the answer of an operation such as ``DescribeTasks``, or raise RegistryError."""
        try:
            answer: Mapping[str, Any] = getattr(self._client, self._botocore.xform_name(operation))(**arguments)
        except Exception as error:
            raise self.translated(error, operation) from error
        return answer

    def many(self, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        """Yield what the list ``key`` has in all pages of an operation.

        A page without that list is an error, not an empty one: botocore reads any text as an answer without fields.
        """
        for page in self._pages(operation, arguments):
            listed = page.get(key)
            if not isinstance(listed, list):
                raise ProtocolViolation(
                    f"{self.place}: the answer to {operation} has no {key}, so it is not one of AWS",
                    remedy="check endpoint_url and the proxy",
                )
            yield from listed

    def _pages(self, operation: str, arguments: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        name = self._botocore.xform_name(operation)
        if self._client.can_paginate(name):
            try:
                yield from self._client.get_paginator(name).paginate(**arguments)
            except Exception as error:
                raise self.translated(error, operation) from error
            return
        following: dict[str, Any] = {}
        for _ in range(_MOST_PAGES):
            page = self.call(operation, **arguments, **following)
            yield page
            token = {key: page[key] for key in ("nextToken", "NextToken") if page.get(key)}
            if not token:
                return
            if token == following:
                break
            following = token
        raise ProtocolViolation(f"{self.place}: {operation} repeats itself, so it may be incomplete")

    def translated(self, error: Exception, operation: str) -> TagsweepError:
        """Return an error of botocore as one of tagsweep's. Of its words only those are shown that cannot be secret."""
        if isinstance(error, TagsweepError):
            return error
        exceptions = load("botocore.exceptions", extra="aws", source=self._source)
        doing = f"{self.place}: {operation}"
        if isinstance(error, exceptions.ClientError):
            return self._refused(error, operation, doing)
        if lacks_credentials(error):
            return AuthenticationFailed(f"{doing} has no credentials ({type(error).__name__})", remedy=LOG_IN)
        if _kinds(error) & _NO_ANSWER:
            return Unreachable(
                f"{doing} has no answer ({type(error).__name__})",
                remedy="check the network, the proxy and whether AWS offers this service in this region; if it does "
                "not, leave it out of services or regions",
            )
        return ProtocolViolation(f"{doing} is answered in a form that cannot be read ({type(error).__name__})")

    def _refused(self, error: Any, operation: str, doing: str) -> RegistryError:
        said = error.response.get("Error") or {}
        code = excerpt(str(said.get("Code") or "no code"), limit=64)
        status = (error.response.get("ResponseMetadata") or {}).get("HTTPStatusCode")
        if code in _NOT_ACCEPTED:
            return AuthenticationFailed(
                f"{doing} does not accept the credentials ({code})", remedy=LOG_IN, status=status, code=code
            )
        if code in _DENIED or status == _FORBIDDEN:
            return PermissionDenied(
                f"{doing} is refused ({code})",
                remedy=f"allow {self._prefix}:{operation} to these credentials; docs/sources/aws.md has the policy",
                status=status,
                code=code,
            )
        if "Throttl" in code or code in ("TooManyRequestsException", "RequestLimitExceeded", "SlowDown"):
            return RateLimited(
                f"{doing} is refused for too many requests ({code})",
                remedy="run it again later, or let it try more often: AWS_MAX_ATTEMPTS=20",
                status=status,
                code=code,
            )
        if code in _ABSENT:
            return NotFound(f"{doing}: it does not exist ({code})", status=status, code=code)
        written = str(said.get("Message") or "")
        words = "" if written.startswith("<") else excerpt(written, limit=200)  # a web page tells nothing here
        kind = ServerFailed if isinstance(status, int) and status >= _SERVER_ERROR else RegistryError
        return kind(f"{doing} fails: {code} {words}".rstrip(), remedy="run it again later", status=status, code=code)


def lacks_credentials(error: Exception) -> bool:
    """Tell whether botocore found no credentials, or could not fetch those that are configured."""
    return bool(_kinds(error) & _NO_CREDENTIALS)


def _kinds(error: Exception) -> set[str]:
    # By name: botocore's exceptions are not the same in all the versions that may be installed.
    return {kind.__name__ for kind in type(error).__mro__}
