"""Kubernetes: every image that the objects of one or several clusters name, by tag and by the digests that run.

Options, rights and what is read: docs/sources/kubernetes.md. What to read is in ``kube``, what it means in
``syntaxes.podspec``; here is only which clusters are asked, and how their answers become one report.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from tagsweep.http.hosts import url_is_loopback
from tagsweep.model.errors import ConfigurationError, TagsweepError
from tagsweep.model.policy import SourceSettings
from tagsweep.model.usage import Coverage, Unresolved, Usage, UsageReport
from tagsweep.ports import SourceContext
from tagsweep.sources.kube.client import KubeClient
from tagsweep.sources.kube.cluster import ClusterReader, ClusterReport, Wishes
from tagsweep.sources.kube.credentials import Credentials
from tagsweep.sources.kube.kubeconfig import SERVICE_ACCOUNT, ClusterAccess, Kubeconfig, find_files, in_cluster
from tagsweep.sources.options import Options

_TIMEOUT: Final = timedelta(seconds=60)


@dataclass(slots=True, kw_only=True)
class KubernetesSource:
    """One or several contexts of a kubeconfig, or the cluster that tagsweep runs in."""

    name: str
    context: SourceContext = field(repr=False)
    contexts: tuple[str, ...] = ()
    kubeconfig: str | None = None
    wishes: Wishes = field(default_factory=Wishes)
    timeout: float = 60.0
    plain_http: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    mounted: str = SERVICE_ACCOUNT
    _logins: dict[str, tuple[ClusterAccess, Credentials]] = field(default_factory=dict, repr=False)

    @classmethod
    def configure(cls, settings: SourceSettings, *, context: SourceContext) -> Self:
        """Return the source; without options it reads the current context, or in a pod the cluster around it."""
        options = Options(settings)
        one, several = options.text("context"), options.texts("contexts")
        if one is not None and several:
            raise options.error("contexts", "is given beside context", remedy="write only one of them")
        kubeconfig = options.text("kubeconfig")
        if kubeconfig is not None:
            kubeconfig = str(Path(context.base) / Path(kubeconfig).expanduser())
        wishes = Wishes(
            namespaces=tuple(dict.fromkeys(options.texts("namespaces"))),
            skip=options.texts("skip"),
            nodes=options.flag("node_images"),
            page_size=options.number("page_size", 500, least=1, most=5000),
        )
        timeout = options.duration("timeout", _TIMEOUT).total_seconds()
        plain_http = options.flag("plain_http")
        options.done()
        return cls(
            name=settings.name,
            context=context,
            contexts=tuple(dict.fromkeys(several or ((one,) if one is not None else ()))),
            kubeconfig=kubeconfig,
            wishes=wishes,
            timeout=timeout,
            plain_http=plain_http,
        )

    def collect(self, now: datetime) -> UsageReport:
        """Return what all clusters have in use; a cluster that cannot be read is a gap, and the others still count."""
        usages: list[Usage] = []
        unresolved: list[Unresolved] = []
        invalid: list[str] = []
        gaps: list[str] = []
        examined = 0
        config, names = self._find()
        for name in names:
            try:
                report = self._read(self._access(config, name))
            except TagsweepError as error:
                text = str(error) if name in str(error) else f"{name}: {error}"
                gaps.append(f"{text}; {error.remedy}" if error.remedy else text)
                continue
            usages.extend(report.evidence.usages)
            unresolved.extend(report.evidence.unresolved)
            invalid.extend(report.evidence.invalid)
            gaps.extend(report.gaps)
            examined += report.examined
        return UsageReport(
            source=self.name,
            taken_at=now,
            usages=tuple(usages),
            unresolved=tuple(unresolved),
            invalid=tuple(invalid),
            coverage=Coverage(gaps=tuple(gaps)),
            examined=examined,
            unit="objects",
        )

    def _find(self) -> tuple[Kubeconfig | None, tuple[str, ...]]:
        """Return the kubeconfig and the contexts to read; no kubeconfig where this is a pod that has none."""
        files = find_files(self.kubeconfig, self.environ)
        if files:
            config = Kubeconfig(files)
            names = self.contexts or ((config.current,) if config.current else ())
            if not names:
                raise ConfigurationError(
                    f"source {self.name}: the kubeconfig has no current context", remedy="name one as context:"
                )
            return config, names
        own = self.name.rpartition("/")[2]
        if not self.contexts and in_cluster(self.environ, own, self.mounted) is not None:
            return None, (own,)
        raise ConfigurationError(
            f"source {self.name}: there is no kubeconfig",
            remedy="name it as kubeconfig: or in KUBECONFIG; in a pod leave context out and mount a service account",
        )

    def _access(self, config: Kubeconfig | None, name: str) -> ClusterAccess:
        access = config.access(name) if config is not None else in_cluster(self.environ, name, self.mounted)
        if access is None:
            raise ConfigurationError(f"{name}: the service account is no longer mounted")
        if access.server.startswith("http://") and not (self.plain_http or url_is_loopback(access.server)):
            raise ConfigurationError(
                f"context {name}: its server is reached without encryption",
                remedy="write https:// in the kubeconfig, or plain_http: true at the source",
            )
        if not access.check_certificate:
            self.context.progress.note(
                f"{self.name}: the certificate of {name} is not checked (insecure-skip-tls-verify in the kubeconfig)"
            )
        return access

    def _read(self, access: ClusterAccess) -> ClusterReport:
        clock, progress = self.context.clock, self.context.progress
        client = KubeClient(access, self._login(access), clock=clock, progress=progress, timeout=self.timeout)
        try:
            return ClusterReader(client, self.wishes, source=self.name, progress=progress).read()
        finally:
            client.close()

    def _login(self, access: ClusterAccess) -> Credentials:
        """Return the credentials of this context: the ones from before while the kubeconfig says the same."""
        known = self._logins.get(access.name)
        if known is None or known[0] != access:
            known = (access, Credentials(access, now=self.context.clock.now, environ=self.environ))
            self._logins[access.name] = known
        return known[1]
