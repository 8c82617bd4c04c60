"""AwsAccess: whose credentials ask AWS, in which regions, by the chain that the aws command line uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit

from tagsweep import __version__
from tagsweep.http.hosts import url_is_loopback
from tagsweep.model.errors import AuthenticationFailed, ConfigurationError
from tagsweep.sources.cloud.awsapi import LOG_IN, AwsApi, lacks_credentials
from tagsweep.sources.cloud.extras import load
from tagsweep.sources.jsonapi import text_at
from tagsweep.sources.options import Options

_TRIES: Final = 5
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccess:
    """A session of botocore and the options that shape it. ``role_arn`` is a role to take on, or empty."""

    source: str
    session: Any = field(repr=False)
    regions: tuple[str, ...]
    role_arn: str = ""
    external_id: str = field(default="", repr=False)
    endpoint_url: str = ""

    @classmethod
    def read(cls, options: Options, *, source: str) -> Self:
        """Return what the options regions, profile, role_arn, external_id and endpoint_url say.

        Raises ConfigurationError where botocore is not installed, the profile is unknown or there is no region.
        """
        regions, profile = options.texts("regions"), options.text("profile")
        role, external = options.text("role_arn", ""), options.text("external_id", "")
        endpoint = options.text("endpoint_url", "") or ""
        if endpoint and not _is_fit(endpoint):
            raise options.error(
                "endpoint_url", "is not https, or has a password in it", remedy="endpoint_url: https://…"
            )
        botocore = load("botocore.session", extra="aws", source=source)
        exceptions = load("botocore.exceptions", extra="aws", source=source)
        session = botocore.Session(profile=profile)
        try:
            default = session.get_config_variable("region")
        except exceptions.ProfileNotFound as error:
            raise options.error(
                "profile",
                "names a profile that the AWS configuration does not have",
                remedy="aws configure list-profiles shows them",
            ) from error
        except exceptions.BotoCoreError as error:
            raise ConfigurationError(
                f"source {source}: the AWS configuration files cannot be read ({type(error).__name__})",
                remedy="check ~/.aws/config and ~/.aws/credentials",
            ) from error
        if not regions and not default:
            raise ConfigurationError(
                f"source {source}: no region is named, here or in the AWS configuration",
                remedy='regions: ["eu-west-1"]',
            )
        return cls(
            source=source,
            session=session,
            regions=regions or (str(default),),
            role_arn=role or "",
            external_id=external or "",
            endpoint_url=endpoint,
        )

    def sign_in(self) -> Self:
        """Return the access with the role taken on, where one is named; raises RegistryError where AWS refuses."""
        if not self.role_arn:
            return self
        sts = self.service("sts", self.regions[0])
        external = {"ExternalId": self.external_id} if self.external_id else {}
        given = sts.call("AssumeRole", RoleArn=self.role_arn, RoleSessionName="tagsweep", **external)
        session = load("botocore.session", extra="aws", source=self.source).Session(profile=self.session.profile)
        keys = [text_at(given, "Credentials", name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        if not all(keys):
            raise AuthenticationFailed(f"{sts.place}: AssumeRole gives no credentials", remedy="check endpoint_url")
        session.set_credentials(*keys)
        return type(self)(source=self.source, session=session, regions=self.regions, endpoint_url=self.endpoint_url)

    def service(self, name: str, region: str) -> AwsApi:
        """Return the service ``name`` of ``region``; nothing is asked yet. Not for several threads at once."""
        config = load("botocore.config", extra="aws", source=self.source)
        tries = self.session.get_config_variable("max_attempts") or _TRIES
        settings = config.Config(
            # Adaptive slows itself down once it is throttled, so that other users of the account are not.
            retries={"mode": "adaptive", "total_max_attempts": tries},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=_AT_ONCE,
            user_agent_extra=f"tagsweep/{__version__}",
        )
        try:
            client = self.session.create_client(
                name, region_name=region, endpoint_url=self.endpoint_url or None, config=settings
            )
        except Exception as error:  # botocore raises ValueError here too
            if lacks_credentials(error):
                told = f"{region}: the credentials cannot be had ({type(error).__name__})"
                raise AuthenticationFailed(told, remedy=LOG_IN) from error
            raise _misconfigured(error, self.source, region) from error
        return AwsApi(client, source=self.source, region=region, prefix=name)


def _misconfigured(error: Exception, source: str, region: str) -> ConfigurationError:
    return ConfigurationError(
        f"source {source}: no client for the region {region} can be made ({type(error).__name__})",
        remedy="check regions, endpoint_url and the AWS configuration files",
    )


def _is_fit(url: str) -> bool:
    parts = urlsplit(url)
    secure = parts.scheme == "https" or (parts.scheme == "http" and url_is_loopback(url))
    return secure and bool(parts.hostname) and "@" not in parts.netloc
