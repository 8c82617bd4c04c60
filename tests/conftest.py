"""What all tests share: real servers as fixtures, and a last word about those that were missing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.real import helm, kube, podman
from tests.real.gitea import gitea_server
from tests.real.pulp import missing_for_pulp, pulp_server
from tests.real.servers import Server, ServerKind, find, serve

pytest.register_assert_rewrite("tagsweep.testing.driver_suite", "tagsweep.testing.source_suite")


def _real(kind: ServerKind, start: Callable[[], AbstractContextManager[Server]] | None = None) -> Iterator[Server]:
    """Yield a running server, or skip with the reason; in CI fail where this machine could have it."""
    if find(kind) is None:
        reason = f"the server {kind.value!r} is not installed here; {kind.remedy}"
        if os.environ.get("CI") == "true" and kind.obtainable:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with serve(kind) if start is None else start() as server:
        yield server


@pytest.fixture(scope="session")
def docker_registry() -> Iterator[Server]:
    """Debian's distribution 2.8, one for the whole run: use a repository of your own."""
    yield from _real(ServerKind.DISTRIBUTION_2_8)


@pytest.fixture(scope="session")
def distribution_3() -> Iterator[Server]:
    """Distribution 3, one for the whole run: use a repository of your own."""
    yield from _real(ServerKind.DISTRIBUTION_3)


@pytest.fixture(scope="session")
def crane_registry() -> Iterator[Server]:
    """`crane registry serve`, one for the whole run: use a repository of your own."""
    yield from _real(ServerKind.CRANE)


@pytest.fixture(scope="session")
def olareg_registry() -> Iterator[Server]:
    """An olareg, one for the whole run: use a repository of your own."""
    yield from _real(ServerKind.OLAREG)


@pytest.fixture(scope="session")
def zot_registry() -> Iterator[Server]:
    """A zot, one for the whole run: use a repository of your own."""
    yield from _real(ServerKind.ZOT)


@pytest.fixture(scope="session")
def gitea_registry() -> Iterator[Server]:
    """A Gitea, one for the whole run: use a repository of your own."""
    yield from _real(ServerKind.GITEA, gitea_server)


@pytest.fixture(scope="session")
def pulp_registry() -> Iterator[Server]:
    """A Pulp, one for the whole run: use a repository of your own."""
    if lacking := missing_for_pulp():
        pytest.skip(lacking)
    with pulp_server() as server:
        yield server


@pytest.fixture(scope="session")
def kube_cluster() -> Iterator[kube.Cluster]:
    """A Kubernetes API server over etcd, one for the whole run: use namespaces of your own."""
    if lacking := kube.missing():
        reason = f"{', '.join(lacking)} not installed here; {kube.REMEDY}"
        if os.environ.get("CI") == "true" and kube.OBTAINABLE:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with kube.serve_cluster() as cluster:
        yield cluster


def pytest_configure() -> None:
    """Let Ctrl-C mean what it means, also where the tests were started in the background, which ignores it."""
    here = threading.current_thread() is threading.main_thread()
    if here and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which real servers were not there, so that a green run does not promise more than it held."""
    absent = [kind for kind in ServerKind if find(kind) is None]
    if absent or kube.missing() or podman.missing() or helm.missing():
        terminalreporter.section("real servers that were not tested")
        for kind in absent:
            terminalreporter.write_line(f"{kind.value}: not installed here; {kind.remedy}")
        for name in kube.missing():
            terminalreporter.write_line(f"{name}: not installed here; {kube.REMEDY}")
        if podman.missing():
            terminalreporter.write_line(f"podman: {podman.missing()}")
        if helm.missing():
            terminalreporter.write_line(helm.missing())
