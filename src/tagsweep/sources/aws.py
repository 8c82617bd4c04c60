"""AwsSource: asks the services of AWS that run containers, in every region that is named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.cloud import apprunner, awsbatch, awslambda, codebuild, ecs, sagemaker
from tagsweep.sources.cloud.awsaccess import AwsAccess
from tagsweep.sources.cloud.awsapi import AwsApi
from tagsweep.sources.cloud.gathering import Gathering
from tagsweep.sources.options import Options

_READERS: Final[Mapping[str, Callable[[AwsApi, Gathering], None]]] = {
    "ecs": ecs.read,
    "lambda": awslambda.read,
    "apprunner": apprunner.read,
    "batch": awsbatch.read,
    "sagemaker": sagemaker.read,
    "codebuild": codebuild.read,
}
"""Each service by botocore's name, which is also IAM's."""
_DEFAULT: Final = ("ecs", "lambda", "apprunner", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSource:
    """What the services use in the regions, as far as these credentials see it."""

    name: str
    access: AwsAccess
    services: tuple[str, ...] = _DEFAULT

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source that the options services, regions, profile, role_arn and so on describe."""
        del context  # botocore has its own transport, pauses and proxies
        options = Options(settings)
        services = options.texts("services", _DEFAULT)
        unknown = sorted(set(services) - _READERS.keys())
        if unknown:
            raise options.error(
                "services", f"names {unknown[0]!r}, which is not read here", remedy=f"there are: {', '.join(_READERS)}"
            )
        access = AwsAccess.read(options, source=settings.name)
        options.done()
        return cls(name=settings.name, access=access, services=services)

    def collect(self, now: datetime) -> UsageReport:
        """Return what is in use; what refuses or does not answer is a gap that names the missing right."""
        found = Gathering(self.name, unit="resources")
        with found.trying():
            access = self.access.sign_in()
            for region in access.regions:
                for service in self.services:
                    with found.trying():
                        _READERS[service](access.service(service, region), found)
        return found.answer(now)
