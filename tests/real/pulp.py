"""A real Pulp with its container plugin: a PostgreSQL of its own, the API, what serves blobs, and its workers.

Nothing of it outlives the block, and nothing listens but on this machine; the database on a socket in its directory.
"""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.real.servers import Server, ServerKind, await_answer, find, free_port, running

USER, PASSWORD = "admin", "only-for-tests-1"
AUTHORIZATION = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
_WORKERS = 2
_PATIENCE = 120
"""Seconds until the API answers: it imports Django in several processes, with what is left of this machine."""
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
"""Nobody needs the database after a crash of this machine."""


def missing_for_pulp() -> str:
    """Return what a Pulp lacks here, with the remedy; empty where it can run."""
    if find(ServerKind.PULP) is None:
        return f"the server {ServerKind.PULP.value!r} is not installed here; {ServerKind.PULP.remedy}"
    if _postgres("initdb") is None:
        return f"PostgreSQL, which Pulp needs, is not installed here; {ServerKind.PULP.remedy}"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL does not run as root, and there is no setpriv to become somebody else; install util-linux"
    return ""


@contextmanager
def pulp_server() -> Iterator[Server]:
    """Run a Pulp of its own. Raises FileNotFoundError where there is none."""
    program = find(ServerKind.PULP)
    if program is None or missing_for_pulp():
        raise FileNotFoundError(ServerKind.PULP.value)
    programs = Path(program).resolve().parent
    memory = Path("/dev/shm")  # noqa: S108 - a RAM disk keeps the database's and thousands of tiny files off the disk
    with (
        tempfile.TemporaryDirectory(prefix="tagsweep-pulp-", dir=memory if memory.is_dir() else None) as name,
        ExitStack() as stack,
    ):
        directory = Path(name)
        directory.chmod(0o755)  # the database's user looks for its own directory in it
        host, content = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        stack.enter_context(_database(directory / "db"))
        settings = directory / "settings.py"
        settings.write_text(_settings(directory, content), encoding="utf-8")
        environment = {**os.environ, "PULP_SETTINGS": str(settings), "HOME": name}
        environment["DJANGO_SETTINGS_MODULE"] = "pulpcore.app.settings"
        _do([program, "migrate", "--no-input"], environment)
        _do([program, "reset-admin-password", "--password", PASSWORD], environment)
        for number in range(_WORKERS):
            command = [str(programs / "pulpcore-worker")]
            stack.enter_context(running(command, directory / f"worker-{number}.log", environment))
        for server, at, workers in (("content", content, "1"), ("api", host, "3")):
            log = directory / f"{server}.log"
            command = [str(programs / f"pulpcore-{server}"), "--bind", at, "--workers", workers]
            await_answer(stack.enter_context(running(command, log, environment)), at, log, seconds=_PATIENCE)
        yield Server(kind=ServerKind.PULP, host=host, program=program, root=directory / "media", config=settings)


def _postgres(program: str) -> str | None:
    """Return the path of one of PostgreSQL's programs. Debian keeps them off the PATH, by version."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return str(places[-1]) if places else shutil.which(program)


@contextmanager
def _database(directory: Path) -> Iterator[None]:
    """Run a PostgreSQL with the empty database ``pulp``, of the user ``pulp``, on a socket in ``directory``."""
    directory.mkdir(mode=0o700)
    prefix: list[str] = []
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        os.chown(directory, user.pw_uid, user.pw_gid)
        prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    initdb, postgres, psql = (str(_postgres(name)) for name in ("initdb", "postgres", "psql"))
    data, socket = str(directory / "data"), str(directory)
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    _do([*prefix, initdb, "-D", data, "-U", "pulp", "-A", "trust", "-E", "UTF8", "--no-sync"], environment)
    words = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={socket}"]
    for setting in _FAST:
        words += ["-c", setting]
    with running([*prefix, postgres, "-D", data, *words], directory / "log", environment):
        ready = [str(_postgres("pg_isready")), "-h", socket, "-t", "30"]
        for _ in range(100):
            if subprocess.run(ready, check=False, capture_output=True).returncode == 0:
                break
            _do(["sleep", "0.1"], environment)
        _do([psql, "-h", socket, "-U", "pulp", "-d", "postgres", "-c", "CREATE DATABASE pulp"], environment)
        yield


def _do(command: list[str], environment: Mapping[str, str]) -> None:
    """Run a command to its end; RuntimeError with what it said where it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])}: {(done.stdout + done.stderr)[-2000:]}")


def _settings(directory: Path, content: str) -> str:
    for name in ("media", "work", "uploads"):
        (directory / name).mkdir()
    key = directory / "database-fields.key"
    key.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "pulp", "USER": "pulp", "HOST": f"{directory}/db"}
    # Every request brings a password, and Django's own hash of it takes a quarter of a second on purpose.
    return f"""\
SECRET_KEY = "only-for-tests"
CONTENT_ORIGIN = "http://{content}"
DATABASES = {{"default": {database}}}
DB_ENCRYPTION_KEY = "{key}"
DEPLOY_ROOT = "{directory}"
MEDIA_ROOT = "{directory}/media"
WORKING_DIRECTORY = "{directory}/work"
FILE_UPLOAD_TEMP_DIR = "{directory}/uploads"
STATIC_ROOT = "{directory}/static"
TOKEN_AUTH_DISABLED = True
CACHE_ENABLED = False
ANALYTICS = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
