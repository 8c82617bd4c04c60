"""Real registry servers, started for a test on a free port of this machine and stopped after it.

Looked up in `$TAGSWEEP_TEST_SERVERS`, in `.test-servers/bin` of the checkout (what `make test-servers` builds), and on
the PATH. A server that is not there is skipped with its reason, except in CI where the machine could have it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from http.client import HTTPConnection, HTTPException
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


class ServerKind(Enum):
    """A program that serves a registry, by the name under which it is looked up."""

    DISTRIBUTION_2_8 = "docker-registry"
    DISTRIBUTION_3 = "registry"
    CRANE = "crane"
    OLAREG = "olareg"
    ZOT = "zot"
    GITEA = "gitea"
    PULP = "pulpcore-manager"

    @property
    def remedy(self) -> str:
        """How this machine gets it."""
        match self:
            case ServerKind.DISTRIBUTION_2_8:
                return "apt-get install docker-registry"
            case ServerKind.DISTRIBUTION_3 | ServerKind.CRANE | ServerKind.OLAREG:
                return "make test-servers (needs go)"
            case ServerKind.ZOT:
                return "make test-servers-all (needs go)"
            case ServerKind.GITEA:
                return "scripts/test_servers.sh gitea (needs go and a C compiler, and takes many minutes)"
            case ServerKind.PULP:
                return "scripts/test_servers.sh pulp (from PyPI, with Debian's postgresql)"

    @property
    def obtainable(self) -> bool:
        """Whether this machine could have it, so that its absence in CI is a mistake."""
        match self:
            case ServerKind.DISTRIBUTION_2_8:
                return shutil.which("apt-get") is not None
            case ServerKind.DISTRIBUTION_3 | ServerKind.CRANE | ServerKind.OLAREG | ServerKind.ZOT:
                return shutil.which("go") is not None
            case ServerKind.GITEA | ServerKind.PULP:
                return False  # building the one, and the suite on the other, takes longer than a run in CI may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running registry. ``root`` is its storage directory (None where it has none); ``config`` its configuration."""

    kind: ServerKind
    host: str
    program: str
    root: Path | None = None
    config: Path | None = None


def find(kind: ServerKind) -> str | None:
    """Return the path of the program, or None."""
    places = [CHECKOUT / ".test-servers" / "bin"]
    if chosen := os.environ.get("TAGSWEEP_TEST_SERVERS"):
        places.insert(0, Path(chosen))
    for place in places:
        if os.access(place / kind.value, os.X_OK):
            return str(place / kind.value)
    return shutil.which(kind.value)


@contextmanager
def serve(kind: ServerKind, *, delete: bool = True, auth: str = "") -> Iterator[Server]:
    """Run the server on a free port with storage of its own.

    ``delete`` is the switch of distribution, ``auth`` what its configuration says under that word, as JSON.
    """
    program = find(kind)
    if program is None:
        raise FileNotFoundError(kind.value)
    memory = Path("/dev/shm")  # noqa: S108 - a RAM disk keeps thousands of tiny files off the disk
    with tempfile.TemporaryDirectory(prefix="tagsweep-", dir=memory if memory.is_dir() else None) as name:
        directory, host = Path(name), f"127.0.0.1:{free_port()}"
        if kind is ServerKind.CRANE:
            server = Server(kind=kind, host=host, program=program)
            command = [program, "registry", "serve", "--address", host]
        elif kind is ServerKind.OLAREG:
            server = Server(kind=kind, host=host, program=program, root=directory)
            address, _, port = host.partition(":")
            words = ("--addr", address, "--port", port, "--dir", name, "--gc-frequency", "-1s", "--api-delete")
            command = [program, "serve", *words]
        elif kind is ServerKind.ZOT:
            config = _configure_zot(directory, host)
            server = Server(kind=kind, host=host, program=program, root=directory / "data", config=config)
            command = [program, "serve", str(config)]
        else:
            config = _configure(directory, host, delete=delete, auth=auth)
            server = Server(kind=kind, host=host, program=program, root=directory / "data", config=config)
            command = [program, "serve", str(config)]
        log = directory / "log"
        with running(command, log) as process:
            await_answer(process, server.host, log)
            yield server


@contextmanager
def running(
    command: list[str], log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; what it says goes to the file ``log``. ``environ`` is ours by default."""
    # GOGC=800: these short-lived servers spend a third of their time collecting garbage otherwise.
    environment = {**(os.environ if environ is None else environ), "GOGC": "800", "OTEL_TRACES_EXPORTER": "none"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_answer(process: subprocess.Popen[bytes], host: str, log: Path, *, seconds: float = 20) -> None:
    """Return when the server answers. Raises RuntimeError with what it said if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection(host, timeout=2)
        try:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        except (OSError, HTTPException):
            time.sleep(0.02)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError(f"{process.args!r} does not answer on {host}: {log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configure_zot(directory: Path, host: str) -> Path:
    address, _, port = host.partition(":")
    path = directory / "config.json"
    storage = {"rootDirectory": str(directory / "data"), "gc": False, "dedupe": False}
    http = {"address": address, "port": port}
    path.write_text(
        json.dumps({"distSpecVersion": "1.0.1-dev", "storage": storage, "http": http, "log": {"level": "error"}}),
        encoding="utf-8",
    )
    return path


def _configure(directory: Path, host: str, *, delete: bool, auth: str) -> Path:
    (directory / "data").mkdir()
    path = directory / "config.yml"
    path.write_text(
        f"""\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {directory / "data"}}}
  delete: {{enabled: {str(delete).lower()}}}
  cache: {{blobdescriptor: inmemory}}
http: {{addr: "{host}", secret: only-for-tests}}
"""
        + (f"auth: {auth}\n" if auth else ""),
        encoding="utf-8",
    )
    return path
