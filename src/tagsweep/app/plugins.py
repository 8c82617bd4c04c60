"""Finding drivers and usage sources by name: the built-in ones directly, third-party ones by entry points.

Nothing is imported before it is named; the entry points are read only when a name is not built in.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from tagsweep.model.errors import ConfigurationError

if TYPE_CHECKING:
    from tagsweep.ports import DriverFactory, SourceFactory

_DRIVERS: Final = {
    "acr": "tagsweep.drivers.acr:AcrDriver",
    "artifactory": "tagsweep.drivers.artifactory:ArtifactoryDriver",
    "digitalocean": "tagsweep.drivers.digitalocean:DigitalOceanDriver",
    "dockerhub": "tagsweep.drivers.dockerhub:HubDriver",
    "ecr": "tagsweep.drivers.ecr:EcrDriver",
    "ecr-public": "tagsweep.drivers.ecr_public:EcrPublicDriver",
    "gar": "tagsweep.drivers.gar:GarDriver",
    "ghcr": "tagsweep.drivers.ghcr:GhcrDriver",
    "gitea": "tagsweep.drivers.gitea:GiteaDriver",
    "gitlab": "tagsweep.drivers.gitlab:GitLabDriver",
    "harbor": "tagsweep.drivers.harbor:HarborDriver",
    "nexus": "tagsweep.drivers.nexus:NexusDriver",
    "oci": "tagsweep.drivers.oci:OciDriver",
    "ocilayout": "tagsweep.drivers.ocilayout:OciLayoutDriver",
    "pulp": "tagsweep.drivers.pulp:PulpDriver",
    "quay": "tagsweep.drivers.quay:QuayDriver",
    "scaleway": "tagsweep.drivers.scaleway:ScalewayDriver",
    "zot": "tagsweep.drivers.zot:ZotDriver",
}
_SOURCES: Final = {
    "aws": "tagsweep.sources.aws:AwsSource",
    "azure": "tagsweep.sources.azure:AzureSource",
    "command": "tagsweep.sources.command:CommandSource",
    "docker": "tagsweep.sources.docker.source:DockerSource",
    "files": "tagsweep.sources.files:FilesSource",
    "gcp": "tagsweep.sources.gcp:GcpSource",
    "git": "tagsweep.sources.git:GitSource",
    "kubernetes": "tagsweep.sources.kubernetes:KubernetesSource",
    "list": "tagsweep.sources.list:ListSource",
    "nomad": "tagsweep.sources.nomad.source:NomadSource",
}


def has_driver(name: str) -> bool:
    """Tell whether there is a built-in driver called ``name``."""
    return name in _DRIVERS


def driver_factory(name: str) -> DriverFactory:
    """Return the driver class called ``name``, or raise ConfigurationError with the nearest known name."""
    return cast("DriverFactory", _find(name, _DRIVERS, group="tagsweep.drivers", noun="registry driver"))


def source_factory(kind: str) -> SourceFactory:
    """Return the usage source class of this kind, or raise ConfigurationError with the nearest known kind."""
    return cast("SourceFactory", _find(kind, _SOURCES, group="tagsweep.sources", noun="evidence source"))


def _find(name: str, built_in: dict[str, str], *, group: str, noun: str) -> Any:
    target = built_in.get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)
    from importlib.metadata import entry_points  # noqa: PLC0415 (31 ms that only third-party plugins need)

    found = {point.name: point for point in entry_points(group=group)}
    if name in found:
        return found[name].load()
    known = sorted({*built_in, *found})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    raise ConfigurationError(f"there is no {noun} called {name!r}", remedy=hint)
