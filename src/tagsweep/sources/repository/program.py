"""Running the git program: no shell, no prompt, no hook, nothing of the caller's repository, and an end in time."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tagsweep.http.redact import excerpt
from tagsweep.model.errors import TagsweepError

_USERINFO: Final = re.compile(r"\b([a-z][a-z0-9+.-]*://)[^/\s@'\"]*@", re.IGNORECASE)
# What would point git at another repository or let it write to places of the user's. GIT_CONFIG_COUNT and its like
# stay: CI systems hand credentials over in them.
_DROPPED: Final = re.compile(
    r"GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE|PREFIX"
    r"|CEILING_DIRECTORIES|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE|DEFAULT_HASH|TRACE.*|TR2.*|CURL_VERBOSE|REDIRECT_.*)"
)
_FIXED: Final = {
    "LC_ALL": "C",
    "LANGUAGE": "",
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",  # what the commit says, not what somebody locally put in its place
}
_OPTIONS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "credential.interactive=false",
    "advice.detachedHead=false",
    "init.templateDir=",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """The git program with the settings of one use. ``timeout`` is in seconds, for each time that it is run.

    ``directory`` is the git directory to work in, or None; ``local`` says that it is the user's own repository, and so
    nothing is fetched into it.
    """

    timeout: float
    directory: str | None = None
    local: bool = False

    def run(self, *arguments: str, given: bytes = b"", what: str) -> bytes:
        """Return the output, or raise TagsweepError: what was done, what git said, and the remedy.

        ``what`` is the end of the sentence ``git cannot …``.
        """
        code, out, err = self.ask(*arguments, given=given, what=what)
        if code != 0:
            raise failed(what, err)
        return out

    def ask(self, *arguments: str, given: bytes = b"", what: str) -> tuple[int, bytes, bytes]:
        """Return exit code, output and error output. Raises TagsweepError if git is missing or takes too long."""
        with self.started(*arguments) as process:
            try:
                out, err = process.communicate(given, timeout=self.timeout)
            except subprocess.TimeoutExpired:
                raise self.too_slow(what) from None
            return process.returncode, out, err

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run git with pipes, in a process group of its own, which is gone when the block ends."""
        try:
            process = subprocess.Popen(  # noqa: S603 - a fixed program and no shell; names beginning with - are refused
                self.command(*arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.environment(os.environ),
                start_new_session=True,
            )
        except OSError as error:
            raise TagsweepError(
                f"the git program cannot be run: {error.strerror}", remedy="install git, and see that it is on the PATH"
            ) from error
        with process:
            try:
                yield process
            finally:
                kill(process)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line."""
        options = [word for setting in _OPTIONS for word in ("-c", setting)]
        if self.directory is not None:
            # Named like this, it is read whoever owns it: the user's policy means it, and nothing in it is run.
            options.append(f"--git-dir={self.directory}")
        return [shutil.which("git") or "git", *options, *arguments]

    def environment(self, around: Mapping[str, str]) -> dict[str, str]:
        """Return the environment: the user's, for the credentials, without what leads git elsewhere."""
        environment = {key: value for key, value in around.items() if _DROPPED.fullmatch(key) is None} | _FIXED
        if self.local:
            # A partial clone would fetch what it lacks. Old versions do not know the first.
            environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
        return environment

    def too_slow(self, what: str) -> TagsweepError:
        """Return the error of a git that did not end in time."""
        return TagsweepError(
            f"git cannot {what}: no end within {self.timeout:g} s", remedy="look at the server, or raise timeout"
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it started (a transport helper, ssh), whatever they are waiting for.

    What has ended by itself is left alone: a credential daemon that it started is meant to go on.
    """
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def failed(what: str, errors: bytes) -> TagsweepError:
    """Return the error for what git said on its error output, without secrets, and with the remedy."""
    text = errors.decode("utf-8", "replace")
    told = said(errors)
    return TagsweepError(f"git cannot {what}" + (f": {told}" if told else ""), remedy=_remedy(text.lower()))


def lines_of(output: bytes) -> list[str]:
    """Return the lines of what git printed. Only a line feed ends one: names of refs can have other separators."""
    return output.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n") if output else []


def said(errors: bytes) -> str:
    """Return what git said that matters most, on one line and without secrets."""
    text = _USERINFO.sub(r"\1", errors.decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    worst = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines
    return excerpt(" ".join(worst[:3]), limit=300)


_REMEDIES: Final[Sequence[tuple[tuple[str, ...], str]]] = (
    (
        ("dubious ownership",),
        "allow the directory with git config --global --add safe.directory, or run as its owner",
    ),
    (("host key verification",), "add the server's key to ~/.ssh/known_hosts"),
    (
        (
            "authentication failed",
            "could not read username",
            "could not read password",
            "terminal prompts disabled",
            "permission denied",
            "access denied",
            "returned error: 401",
            "returned error: 403",
            "not authorized",
        ),
        "give git its credentials: a credential helper, GIT_ASKPASS or an SSH agent, and the right to read",
    ),
    (("certificate", "ssl"), "name the authority's certificates in git's http.sslCAInfo"),
    (
        (
            "could not resolve",
            "could not connect",
            "failed to connect",
            "connection refused",
            "unable to connect",
            "unable to look up",
            "timed out",
            "no route to host",
        ),
        "look at the name and the network; git uses http.proxy and https_proxy",
    ),
    (("transport", "protocol"), "use an https or ssh address"),
    (
        ("not found", "does not exist", "not a git repository", "does not appear to be", "not exported"),
        "look at the address, and at the right to read: many servers hide what may not be read",
    ),
    (("no space left", "read-only file system"), "make room for the cache, or name another place with --state"),
)


def _remedy(text: str) -> str:
    for words, remedy in _REMEDIES:
        if any(word in text for word in words):
            return remedy
    return "try the same with git itself; what it needs is in its own configuration"
