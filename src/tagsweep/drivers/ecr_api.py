"""EcrApi: the operations of Amazon ECR and ECR Public that the drivers use, as JSON over signed requests.

Facts: the service models of botocore (operations, limits, error names), and the ECR user guide for endpoints.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from tagsweep.core.options import OptionReader
from tagsweep.drivers.aws_signing import AwsSigner, SigningTransport, error_code, new_session
from tagsweep.drivers.credentials import CredentialStore
from tagsweep.drivers.oci_hosts import endpoint
from tagsweep.http.auth import Credentials
from tagsweep.http.failures import read_error
from tagsweep.http.hosts import url_is_loopback
from tagsweep.http.rest import RestClient
from tagsweep.http.transport import CurlTransport
from tagsweep.model.errors import (
    AuthenticationFailed,
    ConfigurationError,
    Conflict,
    NotFound,
    PermissionDenied,
    ProtocolViolation,
    RateLimited,
    RegistryError,
    ServerFailed,
    Unreachable,
)
from tagsweep.model.policy import RegistrySettings
from tagsweep.ports import Clock, Progress, Response, Transport

LARGEST_BATCH: Final = 100
_PAGE: Final = 1000
_MOST_PAGES: Final = 100_000
_OK, _SERVER_ERROR = 200, 500
_TRIES: Final = 4
"""How often a question is asked whose answer was lost: to ask changes nothing."""
_EARLY: Final = 600.0
"""Seconds before its end from which a registry token is not used any more."""
_HOST: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\."
    r"(?P<suffix>amazonaws\.com(?:\.cn)?|on\.aws)"
)
_NOT_ACCEPTED: Final = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "UnrecognizedClientException",
    }
)
_KINDS: Final[Mapping[str, type[RegistryError]]] = {
    "RepositoryNotFoundException": NotFound,
    "ImageNotFoundException": NotFound,
    "LifecyclePolicyNotFoundException": NotFound,
    "RegistryNotFoundException": NotFound,
    "AccessDeniedException": PermissionDenied,
    "ImageStorageClassUpdateNotSupportedException": Conflict,
    "ServerException": ServerFailed,
}
_FAILURES: Final[Mapping[str, type[RegistryError]]] = {
    "ImageReferencedByManifestList": Conflict,
    "ImageTagDoesNotMatchDigest": Conflict,
    "UpstreamAccessDenied": PermissionDenied,
    "UpstreamTooManyRequests": RateLimited,
    "UpstreamUnavailable": ServerFailed,
}
_ABSENT: Final = "ImageNotFound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What ECR and ECR Public call themselves: in signatures, which is also IAM's name, and before operations."""

    name: str
    target: str


PRIVATE: Final = Service(name="ecr", target="AmazonEC2ContainerRegistry_V20150921")
PUBLIC: Final = Service(name="ecr-public", target="SpencerFrontendService")
PUBLIC_REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where the API of a registry answers; ``account`` is the number of the registry, or empty for one's own."""

    url: str
    region: str
    account: str = ""


class EcrApi:
    """Asks the API of one registry. Safe to use from many threads at once; nothing is sent before the first call."""

    def __init__(
        self, service: Service, where: Where, *, place: str, signed: Transport, clock: Clock, progress: Progress
    ) -> None:
        self.place = place
        self._service = service
        self._account = {"registryId": where.account} if where.account else {}
        self._clock = clock
        self._rest = RestClient(transport=signed, base_url=where.url, place=place, clock=clock, progress=progress)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requests were sent, by method: all are POST, whatever they ask."""
        return self._rest.counts

    def ask(self, operation: str, *, doing: str, registry: bool = True, **given: Any) -> dict[str, Any]:
        """Return the answer to an operation that changes nothing; a lost answer is asked for again."""
        for attempt in range(1, _TRIES):
            try:
                return self.change(operation, doing=doing, registry=registry, **given)
            except (Unreachable, ServerFailed):
                self._clock.sleep(2.0**attempt / 2)
        return self.change(operation, doing=doing, registry=registry, **given)

    def change(self, operation: str, *, doing: str, registry: bool = True, **given: Any) -> dict[str, Any]:
        """Return the answer to an operation, which is sent once. ``registry`` names the registry in the request."""
        response = self._rest.send(
            "POST",
            "/",
            body={**(self._account if registry else {}), **given},
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"{self._service.target}.{operation}",
            },
            about=str(given.get("repositoryName", "")),
        )
        if response.status != _OK:
            raise self._refused(response, operation, doing)
        document = self._rest.read(response, doing=doing)
        if not isinstance(document, dict):
            raise ProtocolViolation(f"{self.place}: cannot {doing}: the answer to {operation} is no object")
        return document

    def every(self, operation: str, key: str, *, doing: str, **given: Any) -> Iterator[dict[str, Any]]:
        """Yield what the list ``key`` has on all pages; a page without it is an error and not an empty one."""
        following: dict[str, Any] = {}
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            page = self.ask(operation, doing=doing, maxResults=_PAGE, **given, **following)
            listed = page.get(key)
            if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
                raise ProtocolViolation(f"{self.place}: cannot {doing}: the answer to {operation} has no {key}")
            yield from listed
            token = page.get("nextToken")
            if not token:
                return
            if not isinstance(token, str) or token in seen:
                break
            seen.add(token)
            following = {"nextToken": token}
        raise ProtocolViolation(f"{self.place}: cannot {doing}: the pages turn in a circle, so the end was not seen")

    def delete(
        self, repository: str, images: Sequence[Mapping[str, str]], *, doing: str
    ) -> list[bool | RegistryError | None]:
        """Delete these images, at most a hundred, each named by its tag or digest; in their order, what became of each.

        None stands for one that the answer does not mention.
        """
        answer = self.change("BatchDeleteImage", doing=doing, repositoryName=repository, imageIds=list(images))
        failures = [entry for entry in answer.get("failures") or () if isinstance(entry, dict)]
        done = [entry for entry in answer.get("imageIds") or () if isinstance(entry, dict)]
        ended: list[bool | RegistryError | None] = []
        for image in images:
            failure = next((entry for entry in failures if _is(entry.get("imageId"), image)), None)
            if failure is not None:
                ended.append(self._failure(failure, doing))
            else:
                ended.append(True if any(_is(entry, image) for entry in done) else None)
        return ended

    def delete_one(self, repository: str, image: Mapping[str, str], *, doing: str) -> bool:
        """Delete one image; False if it, or its whole repository, was absent."""
        try:
            (ended,) = self.delete(repository, [image], doing=doing)
        except NotFound:
            return False
        if ended is None:
            raise ProtocolViolation(f"{self.place}: cannot {doing}: the answer does not say what became of it")
        if isinstance(ended, RegistryError):
            raise ended
        return ended

    def token(self, *, found_in: str) -> tuple[Credentials, datetime]:
        """Return what ``GetAuthorizationToken`` gives for the registry API, and when that ends."""
        doing = "get a token for the registry"
        answer = self.ask("GetAuthorizationToken", doing=doing, registry=False)
        data: Any = answer.get("authorizationData")
        entry: Any = data[0] if isinstance(data, list) and data else data
        try:
            text = base64.b64decode(str(entry["authorizationToken"]), validate=True).decode("ascii")
            ends = moment(entry["expiresAt"])
        except (KeyError, TypeError, ValueError, binascii.Error):
            text, ends = "", None
        username, colon, password = text.partition(":")
        if not colon or ends is None:
            raise ProtocolViolation(f"{self.place}: cannot {doing}: the answer holds no token with its end")
        return Credentials(username=username, password=password, found_in=found_in), ends

    def close(self) -> None:
        """Give back the connections."""
        self._rest.close()

    def _failure(self, failure: Mapping[str, Any], doing: str) -> bool | RegistryError:
        code, why = str(failure.get("failureCode") or ""), str(failure.get("failureReason") or "")
        if code == _ABSENT:
            return False
        kind = _FAILURES.get(code, RegistryError)
        return kind(f"{self.place}: cannot {doing}: {code} {why[:200]}".rstrip(), code=code)

    def _refused(self, response: Response, operation: str, doing: str) -> RegistryError:
        code = error_code(response)[:64]
        said = read_error(response.body).message
        words = f"{self.place}: cannot {doing}: {code or response.status}" + (f" {said}" if said else "")
        if code in _NOT_ACCEPTED:
            remedy = "check the AWS credentials and the clock of this machine (aws sts get-caller-identity)"
            return AuthenticationFailed(words, remedy=remedy, status=response.status, code=code)
        kind = _KINDS.get(code, ServerFailed if response.status >= _SERVER_ERROR else RegistryError)
        remedy = f"allow {self._service.name}:{operation} to these credentials" if kind is PermissionDenied else ""
        return kind(words, remedy=remedy, status=response.status, code=code)


class EcrTokens:
    """Finds the credentials of the registry API: tagsweep's own variables, else a token that the API gives for 12 h."""

    def __init__(self, host: str, api: EcrApi, clock: Clock) -> None:
        self._store = CredentialStore(host)
        self._api = api
        self._clock = clock
        self._lock = threading.Lock()
        self._given: Credentials | None = None

    def find(self, repository: str) -> Credentials | None:
        """Return credentials that are good now; the same for every repository."""
        del repository
        own = self._store.from_environment()
        if own is not None:
            return own
        with self._lock:
            if self._given is None or self._given.good_until <= self._clock.monotonic():
                given, ends = self._api.token(found_in="GetAuthorizationToken")
                left = max(0.0, (ends - self._clock.now()).total_seconds() - _EARLY)
                self._given = Credentials(
                    username=given.username,
                    password=given.password,
                    found_in=given.found_in,
                    good_until=self._clock.monotonic() + left,
                )
            return self._given


def connect_api(
    service: Service,
    settings: RegistrySettings,
    options: OptionReader,
    *,
    clock: Clock,
    progress: Progress,
) -> EcrApi:
    """Return the API of the registry that the settings describe. Reads the options profile, region, registry_id and
    endpoint_url; raises ConfigurationError where one is wrong or botocore is not installed.
    """
    host = endpoint(settings).host
    profile = options.text("profile")
    where = _where(service, settings, options, host)
    session = new_session(profile, host=host)
    signer = AwsSigner(session=session, service=service.name, region=where.region, host=host)
    transport = CurlTransport(place=urlsplit(where.url).netloc, ca=settings.ca)
    return EcrApi(
        service,
        where,
        place=host,
        signed=SigningTransport(transport, signer),
        clock=clock,
        progress=progress,
    )


def _where(service: Service, settings: RegistrySettings, options: OptionReader, host: str) -> Where:
    region, account = options.text("region"), options.text("registry_id", "") or ""
    variable = f"AWS_ENDPOINT_URL_{service.name.upper().replace('-', '_')}"
    given = options.text("endpoint_url") or os.environ.get(variable) or os.environ.get("AWS_ENDPOINT_URL")
    url = (given or "").rstrip("/")
    known = endpoint_of(service, host)
    if known is None and not (url and (region or service is PUBLIC)):
        raise ConfigurationError(
            f"registries: {settings.host}: the driver {service.name} does not know which API belongs to this host",
            remedy=f"for another host than Amazon's name it: options: {{region: eu-west-1, endpoint_url: {'https://…'}}}",
        )
    if url and not _is_fit(url, settings):
        raise options.error("endpoint_url", "is not https, or has a password in it", remedy="endpoint_url: https://…")
    return Where(
        url=url or (known.url if known is not None else ""),
        region=region or (known.region if known is not None else PUBLIC_REGION),
        account=account or (known.account if known is not None else ""),
    )


def endpoint_of(service: Service, host: str) -> Where | None:
    """Return where Amazon's API for a registry host is, or None where the host is not Amazon's."""
    if service is PUBLIC:
        url = f"https://api.ecr-public.{PUBLIC_REGION}.amazonaws.com"
        return Where(url=url, region=PUBLIC_REGION) if host == "public.ecr.aws" else None
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    region, fips = found["region"], found["fips"] or ""
    if found["suffix"] == "on.aws":
        name = f"ecr{fips}.{region}.api.aws"
    else:
        name = f"{'ecr-fips' if fips else 'api.ecr'}.{region}.{found['suffix']}"
    return Where(url=f"https://{name}", region=region, account=found["account"])


def moment(value: object) -> datetime | None:
    """Return a time as this API writes it, in seconds since 1970; None for one that is absent or not to be read."""
    try:
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) and value > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def _is(told: object, image: Mapping[str, str]) -> bool:
    return isinstance(told, dict) and all(told.get(key) == value for key, value in image.items())


def _is_fit(url: str, settings: RegistrySettings) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and (url_is_loopback(url) or settings.plain_http))
    return secure and bool(parts.hostname) and "@" not in parts.netloc and not parts.query and not parts.fragment
