"""Signing requests for AWS: botocore finds the credentials and makes the signature, our own transport sends.

So a pause that AWS asks for shows in the progress, proxies and certificates are those of every other registry, and a
request that is sent again after a long pause gets a new signature: one is good for 15 minutes.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tagsweep.drivers.cloud_sdk import load
from tagsweep.model.errors import AuthenticationFailed, ConfigurationError, TagsweepError
from tagsweep.ports import Request, Response, Transport

_BAD_REQUEST, _TOO_MANY = 400, 429
_THROTTLED: Final = frozenset({"ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "Throttling"})
_LOG_IN: Final = "give credentials as for the aws command (aws sts get-caller-identity tells whose they are)"


@dataclass(slots=True, kw_only=True)
class AwsSigner:
    """Signs for one service in one region, with the credentials of the chain that the aws command uses.

    ``service`` is what the signature calls it. Nothing is looked for before the first signature.
    """

    session: Any = field(repr=False)
    service: str
    region: str
    host: str
    _credentials: Any = field(default=None, repr=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def sign(self, request: Request) -> Request:
        """Return the request with its signature; raises AuthenticationFailed where there are no credentials."""
        signing = load("botocore.auth", extra="aws", host=self.host)
        unsigned = load("botocore.awsrequest", extra="aws", host=self.host).AWSRequest(
            method=request.method, url=request.url, data=request.body, headers=dict(request.headers)
        )
        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials = self.session.get_credentials()
                frozen = self._credentials.get_frozen_credentials() if self._credentials is not None else None
            except TagsweepError:
                raise
            except Exception as error:  # botocore's classes for it are many; its words may hold what a server said
                raise self._none(type(error).__name__) from error
        if frozen is None or not frozen.access_key:
            raise self._none("none were found")
        signing.SigV4Auth(frozen, self.service, self.region).add_auth(unsigned)
        return replace(request, headers=dict(unsigned.headers.items()))

    def _none(self, why: str) -> AuthenticationFailed:
        return AuthenticationFailed(f"{self.host}: the AWS credentials cannot be had ({why})", remedy=_LOG_IN)


class SigningTransport:
    """A transport whose every request is signed, and whose throttling looks like everybody's: 429.

    AWS throttles with 400 and a code in the body.
    """

    def __init__(self, inner: Transport, signer: AwsSigner) -> None:
        self._inner = inner
        self._signer = signer

    def send(self, request: Request) -> Response:
        """Sign, send and return the answer."""
        response = self._inner.send(self._signer.sign(request))
        if response.status == _BAD_REQUEST and error_code(response) in _THROTTLED:
            return replace(response, status=_TOO_MANY)
        return response

    def close(self) -> None:
        """Give back the connections."""
        self._inner.close()


def error_code(response: Response) -> str:
    """Return AWS's code for an error, such as ``ImageNotFoundException``; empty where the answer has none."""
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        document = None
    told = document.get("__type") if isinstance(document, dict) else None
    text = told if isinstance(told, str) else response.headers.get("x-amzn-errortype", "")
    # The forms in use: name, prefix#name, name:address.
    return text.rpartition("#")[2].partition(":")[0]


def new_session(profile: str | None, *, host: str) -> Any:
    """Return a session of botocore, or raise ConfigurationError where the profile or the files are not usable."""
    botocore = load("botocore.session", extra="aws", host=host)
    exceptions = load("botocore.exceptions", extra="aws", host=host)
    session = botocore.Session(profile=profile)
    try:
        session.get_config_variable("region")
    except exceptions.ProfileNotFound as error:
        raise ConfigurationError(
            f"registries: {host}: there is no such profile in the AWS configuration",
            remedy="aws configure list-profiles shows them",
        ) from error
    except exceptions.BotoCoreError as error:
        raise ConfigurationError(
            f"registries: {host}: the AWS configuration files cannot be read ({type(error).__name__})",
            remedy="check ~/.aws/config and ~/.aws/credentials",
        ) from error
    return session
