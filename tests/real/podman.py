"""Podman of this machine, with storage of its own and its Docker-compatible API on a socket of its own.

It is tested as root, with a runtime that works without systemd; what this machine lacks for that is told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REMEDY = "apt-get install podman runc busybox-static (scripts/test_servers.sh all does it, as root on Debian)"
OBTAINABLE = os.geteuid() == 0 and shutil.which("apt-get") is not None
"""Whether this machine could have it, so that its absence in CI is a mistake."""
# What podman takes for granted is not there on many small machines: high limits, cgroups of systemd, a bridge.
_CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def missing() -> str:
    """Return what this machine lacks for podman, or an empty text."""
    lacking = [name for name in ("podman", "runc", "busybox") if shutil.which(name) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed here; {REMEDY}"
    return "" if os.geteuid() == 0 else "podman is tested as root only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Podman:
    """Podman with its own storage. ``socket`` is where its API answers."""

    directory: Path
    socket: Path

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run one command of podman and return what it prints."""
        done = subprocess.run(
            [*self.command, *arguments],
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
            env=self.environment,
        )
        if done.returncode != 0:
            raise RuntimeError(f"podman {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode().strip()

    @property
    def command(self) -> tuple[str, ...]:
        """How podman is started with this storage."""
        places = ("--root", str(self.directory / "root"), "--runroot", str(self.directory / "run"))
        return ("podman", *places, "--storage-driver", "vfs")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it runs with: those of this process, and its own configuration."""
        return {**os.environ, "CONTAINERS_CONF": str(self.directory / "containers.conf")}

    def import_image(self, name: str, mark: str) -> None:
        """Make an image of busybox and ``mark`` under ``name``; another mark is another image."""
        tree = self.directory / f"tree-{mark}"
        (tree / "bin").mkdir(parents=True)
        shutil.copy(str(shutil.which("busybox")), tree / "bin" / "busybox")
        (tree / "bin" / "sleep").symlink_to("busybox")
        (tree / "mark").write_text(mark, encoding="utf-8")
        packed = subprocess.run(["tar", "-C", str(tree), "-cf", "-", "."], capture_output=True, check=True).stdout
        self.run("import", "-", name, stdin=packed)


@contextmanager
def podman_service(directory: Path) -> Iterator[Podman]:
    """Serve podman's API below ``directory`` (a short path: sockets have a limit), and remove all containers after."""
    (directory / "containers.conf").write_text(_CONFIGURATION, encoding="utf-8")
    podman = Podman(directory=directory, socket=directory / "api.sock")
    log = directory / "log"
    with log.open("wb") as output:
        service = subprocess.Popen(
            [*podman.command, "system", "service", "--time=0", f"unix://{podman.socket}"],
            stdout=output,
            stderr=output,
            env=podman.environment,
        )
    try:
        deadline = time.monotonic() + 30
        while not podman.socket.exists():
            if service.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"podman does not serve: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)
        yield podman
    finally:
        try:
            podman.run("rm", "--all", "--force", "--time", "0")
            podman.run("rmi", "--all", "--force")
        finally:
            service.terminate()
            service.wait(timeout=30)
