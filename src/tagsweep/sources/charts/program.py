"""The helm program, run to fill in the templates of one chart: no network, no cluster, no plugin, and an end in time.

Templates of Helm are no programs: they can read the chart and its values, and nothing else. What could reach further is
taken away all the same: names are not looked up without ``--enable-dns``, ``lookup`` answers nothing without a cluster,
and schemas of values, which may name others by their address, are not looked at.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tagsweep.http.redact import excerpt
from tagsweep.sources.process import Ending, run_program

RENDER_SECONDS: Final = 30.0
_HELP_SECONDS: Final = 30.0
_MOST: Final = 64 * 1024 * 1024
_USE: Final = b"helm template [NAME] [CHART]"  # helm 2 had another one
_NO_SCHEMAS: Final = "--skip-schema-validation"
# Charts ask for a least version. Without a cluster helm claims the one that it was built for, and a helm that was built
# by `go install` claims 1.20, which many charts refuse.
_KUBERNETES: Final = "1.34.0"
_NOWHERE: Final = "http://127.0.0.1:9"  # the port for discarding; whatever still asked for the network asks there


@dataclass(frozen=True, slots=True)
class Failure:
    """A chart that was not rendered, and why. ``slow`` tells that the time was up."""

    why: str
    slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    """The program at ``path``. ``seconds`` is what one chart may take."""

    path: str
    skips_schemas: bool
    seconds: float = RENDER_SECONDS

    @classmethod
    def find(cls, home: Path, *, seconds: float = RENDER_SECONDS) -> Self | Failure:
        """Return the helm on the PATH, or why there is none that can be used. ``home`` is an empty directory."""
        path = shutil.which("helm")
        if path is None or not Path(path).is_absolute():  # a relative one may be a file of what is being read
            return Failure("there is no helm program on the PATH")
        try:
            asked = run_program(
                [path, "template", "--help"],
                directory=str(home),
                seconds=_HELP_SECONDS,
                most=_MOST,
                environment=_environment(home),
            )
        except OSError as error:
            return Failure(f"{path} cannot be run: {error.strerror}")
        if asked.ending is not Ending.EXITED or asked.code != 0 or _USE not in asked.output:
            return Failure(f"{path} is no Helm of version 3 or later")
        return cls(path=path, skips_schemas=_NO_SCHEMAS.encode() in asked.output, seconds=seconds)

    def render(self, chart: Path, values: str, *, home: Path) -> str | Failure:
        """Return the manifests of the chart in that directory, with its file ``values``, if named, over its own."""
        command = [self.path, "template", "release", str(chart), "--kube-version", _KUBERNETES]
        command += [_NO_SCHEMAS] if self.skips_schemas else []
        try:
            if values:
                # Under a name of our own: helm takes a comma for the end of a name, and what follows may be an address.
                command += ["--values", shutil.copyfile(chart / values, str(home / "over.yaml"))]
            result = run_program(
                command, directory=str(home), seconds=self.seconds, most=_MOST, environment=_environment(home)
            )
        except OSError as error:
            return Failure(f"helm cannot be run on it: {error.strerror}")
        if result.ending is Ending.TIMED_OUT:
            return Failure(f"no end within {self.seconds:g} s", slow=True)
        if result.ending is Ending.TOO_LARGE:
            return Failure(f"it renders to more than {_MOST:,} bytes")
        if result.code != 0:
            return Failure(_said(result.errors, chart) or f"exit code {result.code}")
        return result.output.decode("utf-8", "replace")


def _environment(home: Path) -> dict[str, str]:
    """Return an environment in which nothing of the user's is found: no settings, plugins, credentials or cluster."""
    place = str(home)
    return {
        "PATH": os.defpath,
        "LC_ALL": "C",
        "HOME": place,
        "TMPDIR": place,
        "HELM_CACHE_HOME": place,
        "HELM_CONFIG_HOME": place,
        "HELM_DATA_HOME": place,
        "HELM_PLUGINS": str(home / "plugins"),
        "HELM_NO_PLUGINS": "1",
        "KUBECONFIG": os.devnull,
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "GOMAXPROCS": "2",
    }


def _said(errors: bytes, chart: Path) -> str:
    """Return the line on which helm says what is wrong, without the place of our copy."""
    text = errors.decode("utf-8", "replace").replace(f"{chart}/", "").replace(str(chart), "the chart")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wrong = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return excerpt(" ".join((wrong or lines)[:1]), limit=300)
