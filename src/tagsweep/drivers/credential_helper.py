"""Asking a Docker credential helper: the program docker-credential-NAME, the host on its input, JSON on its output.

Rule: github.com/docker/docker-credential-helpers, the ``get`` command.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tagsweep.http.auth import Credentials
from tagsweep.http.redact import excerpt
from tagsweep.model.errors import ConfigurationError

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_SECONDS: Final = 30.0
_NOT_FOUND: Final = "credentials not found"
_TOKEN_USER: Final = "<token>"  # noqa: S105 - the helpers' mark for an identity token, not a secret


def ask_helper(name: str, server: str, *, path: Path, environ: Mapping[str, str]) -> Credentials | None:
    """Return what the helper knows of ``server``, or None where it has nothing.

    ``path`` is the file that names the helper. Raises ConfigurationError where the helper is missing or fails.
    """
    program = f"docker-credential-{name}"
    executable = shutil.which(program, path=environ.get("PATH")) if _NAME.fullmatch(name) else None
    if executable is None:
        raise ConfigurationError(
            f"{path} names the credential helper {program!r}, which is not on the PATH",
            remedy=f"install it, or take it out of {path}",
        )
    try:
        done = subprocess.run(  # noqa: S603 - the user's own configuration names this program; no shell is involved
            [executable, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env=dict(environ),
        )
    except subprocess.TimeoutExpired:
        raise _broken(program, path, f"does not answer within {_SECONDS:.0f} seconds") from None
    except OSError as error:
        raise _broken(program, path, f"cannot be run ({error.strerror})") from error
    if done.returncode != 0:
        if _NOT_FOUND in done.stdout.decode("utf-8", "replace").lower():
            return None
        said = excerpt(done.stderr or done.stdout, limit=160)
        raise _broken(program, path, f"fails with exit code {done.returncode}" + (f" ({said})" if said else ""))
    return _read_answer(done.stdout, program, path)


def _read_answer(output: bytes, program: str, path: Path) -> Credentials | None:
    try:
        answer: Any = json.loads(output)
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError):
        raise _broken(program, path, "answers something else than JSON with Username and Secret") from None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise _broken(program, path, "answers something else than JSON with Username and Secret")
    if not secret:
        return None
    if username == _TOKEN_USER:
        return Credentials(identity_token=secret, found_in=program)
    return Credentials(username=username, password=secret, found_in=program)


def _broken(program: str, path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"the credential helper {program} {what}", remedy=f"repair it, log in again, or take it out of {path}"
    )
