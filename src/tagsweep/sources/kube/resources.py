"""What a cluster has to list: discovery of its resources, each once, and those that hold no images left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from tagsweep.model.errors import ProtocolViolation, RegistryError
from tagsweep.sources.kube.client import KubeClient

# Groups of Kubernetes itself that hold no image, and those that only count or answer.
_GROUPS_WITHOUT_IMAGES: Final = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "custom.metrics.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "external.metrics.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "metrics.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
_CORE_WITH_IMAGES: Final = frozenset({"pods", "podtemplates", "replicationcontrollers"})
_OLD_GROUPS: Final = frozenset({"extensions"})
"""Groups whose resources moved to others long ago and are the same objects there."""

HELM_STORAGE: Final = ("secrets", "configmaps")
NODES: Final = "nodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of the API. ``group`` is empty for the core."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def name(self) -> str:
        """The name that kubectl and the option ``skip`` know it by: ``pods``, ``rollouts.argoproj.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "") -> str:
        """Return the path of its list, of all namespaces or of one."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{base}/namespaces/{quote(namespace, safe='')}/{self.plural}" if namespace else f"{base}/{self.plural}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The resources to read, and what could not be found out."""

    resources: tuple[Resource, ...]
    gaps: tuple[str, ...]


def discover(client: KubeClient, *, skip: Iterable[str] = ()) -> Discovery:
    """Return every resource that can hold images and be listed, in the version that its group prefers.

    Raises RegistryError where the cluster does not tell its groups at all; one group that does not answer is a gap.
    """
    skipped = frozenset(skip)
    found: dict[tuple[str, str], Resource] = {}
    gaps: list[str] = []
    for entry in _resources_of(client, "", "v1"):
        if entry.plural in _CORE_WITH_IMAGES or entry.plural in HELM_STORAGE or entry.plural == NODES:
            found[entry.group, entry.plural] = entry
    if ("", "pods") not in found and "pods" not in skipped:
        # Every cluster has pods. What announces none is a proxy, or shows less than there is.
        gaps.append(f"{client.place}: /api/v1 announces no pods: look at what answers there, or write skip: [pods]")
    for group in _objects(client, "/apis", "groups"):
        name = group["name"]
        if name in _GROUPS_WITHOUT_IMAGES or f"*.{name}" in skipped:
            continue
        versions = _versions(group)
        if not versions:
            gaps.append(f"{client.place}: the group {name} has no version: run it again, or write skip: ['*.{name}']")
        for version in versions:
            try:
                entries = _resources_of(client, name, version)
            except RegistryError as error:
                gaps.append(f"{error}; give its service back to the cluster, or write skip: ['*.{name}']")
                continue
            for entry in entries:
                found.setdefault((entry.group, entry.plural), entry)
    kept = tuple(entry for entry in found.values() if entry.name not in skipped)
    newer = {entry.plural for entry in kept if entry.group not in _OLD_GROUPS}
    return Discovery(
        resources=tuple(each for each in kept if each.group not in _OLD_GROUPS or each.plural not in newer),
        gaps=tuple(gaps),
    )


def _versions(group: Mapping[str, Any]) -> list[str]:
    """Return the versions of a group, the preferred one first."""
    preferred = group.get("preferredVersion")
    listed = group.get("versions")
    entries = [preferred, *(listed if isinstance(listed, list) else ())]
    names = [entry.get("version") for entry in entries if isinstance(entry, dict)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _resources_of(client: KubeClient, group: str, version: str) -> list[Resource]:
    """Return the resources of one group and version that can be listed, or raise RegistryError."""
    found = []
    for entry in _objects(client, f"/apis/{group}/{version}" if group else f"/api/{version}", "resources"):
        if "/" in entry["name"]:
            continue
        verbs = entry.get("verbs")
        if isinstance(verbs, list) and "list" in verbs:
            kind = entry.get("kind")
            found.append(
                Resource(
                    group=group,
                    version=version,
                    plural=entry["name"],
                    kind=kind if isinstance(kind, str) else entry["name"],
                    namespaced=entry.get("namespaced") is True,
                )
            )
    return found


def _objects(client: KubeClient, path: str, key: str) -> list[dict[str, Any]]:
    """Return the named objects in the list ``key`` of an answer. Anything else is no empty list but an error."""
    answer = client.get(path)
    listed = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(listed, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in listed
    ):
        raise ProtocolViolation(
            f"{client.place}: {path} answers without a list of {key}, as Kubernetes has it",
            remedy="look at what answers there",
        )
    return listed
