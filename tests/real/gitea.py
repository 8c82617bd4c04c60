"""A real Gitea with its database in a file, and one user who may do everything."""

from __future__ import annotations

import base64
import getpass
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.servers import Server, ServerKind, await_answer, find, free_port, running

USER, PASSWORD = "suite", "only-for-tests-1"
"""The user, under whose name the suites' repositories are."""
AUTHORIZATION = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"


@contextmanager
def gitea_server() -> Iterator[Server]:
    """Run a Gitea of its own. Raises FileNotFoundError where there is none."""
    program = find(ServerKind.GITEA)
    if program is None:
        raise FileNotFoundError(ServerKind.GITEA.value)
    with tempfile.TemporaryDirectory(prefix="tagsweep-gitea-") as name:
        directory, host = Path(name), f"127.0.0.1:{free_port()}"
        config = directory / "app.ini"
        config.write_text(_configuration(directory, host, Path(program).with_name("gitea-static")), encoding="utf-8")
        # Gitea refuses to run as root, as which containers of CI do run, unless it is told in these words.
        environment = {**os.environ, "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true", "HOME": name}
        user = ("--username", USER, "--password", PASSWORD, "--email", "suite@example.org", "--admin")
        for words in (("migrate",), ("admin", "user", "create", *user, "--must-change-password=false")):
            done = subprocess.run(
                [program, "-c", str(config), *words], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise RuntimeError(f"gitea {words[0]}: {done.stdout}{done.stderr}")
        log = directory / "log"
        with running([program, "-c", str(config), "web"], log, environment) as process:
            await_answer(process, host, log)
            yield Server(kind=ServerKind.GITEA, host=host, program=program, config=config)


def _configuration(directory: Path, host: str, static: Path) -> str:
    address, _, port = host.partition(":")
    return f"""\
RUN_MODE = prod
RUN_USER = {getpass.getuser()}
WORK_PATH = {directory}
[server]
HTTP_ADDR = {address}
HTTP_PORT = {port}
ROOT_URL = http://{host}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {directory / "gitea.db"}
[security]
INSTALL_LOCK = true
SECRET_KEY = only-for-tests
PASSWORD_HASH_ALGO = pbkdf2$1$50
[log]
LEVEL = Error
MODE = console
[indexer]
ISSUE_INDEXER_TYPE = db
[cron.update_checker]
ENABLED = false
"""
