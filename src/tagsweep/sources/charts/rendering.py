"""What charts name when helm has filled them in: more than reading them shows, and never less.

The pure reading of values and templates stays as it is. A chart that cannot be rendered is told.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from posixpath import basename, dirname, join
from typing import Final

from tagsweep.model.errors import TagsweepError
from tagsweep.ports import Progress
from tagsweep.sources.charts.program import RENDER_SECONDS, Failure, Helm
from tagsweep.sources.charts.unpack import Tracked, unpack
from tagsweep.sources.harvest import Harvest
from tagsweep.sources.options import Options
from tagsweep.sources.pathglobs import shown
from tagsweep.sources.syntaxes.files import File, Tree
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.helm import is_values
from tagsweep.sources.syntaxes.helm_chart import Chart, chart_of
from tagsweep.sources.syntaxes.helm_release import manifest_images
from tagsweep.sources.syntaxes.scan import Scan

DESCRIPTION: Final = "Chart.yaml"
_OWN: Final = "values.yaml"
_MOST_VALUES: Final = 30
_MOST_SLOW: Final = 3


class Wish(Enum):
    """What the policy says about helm: use it if it is there, use it or the answer is incomplete, or do not."""

    AUTO = "auto"
    REQUIRE = "require"
    OFF = "off"

    @classmethod
    def read(cls, options: Options) -> Wish:
        """Return what the option ``helm`` says."""
        return cls(options.choice("helm", (wish.value for wish in cls), cls.AUTO.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartAt:
    """A chart to render: its directory in ``tree``, and where that is for a person."""

    directory: str
    tree: Tracked
    where: str


def is_installable(directory: str, tree: Tree) -> bool:
    """Tell whether the chart is one to install: neither within another chart, which renders it, nor a library."""
    above, name = dirname(directory), basename(directory)
    if name and basename(above) == "charts" and tree.read(join(dirname(above), DESCRIPTION)) is not None:
        return False
    kind = Chart(directory, tree).description.text("type")
    return kind is None or kind.value != "library"


def render(
    charts: Sequence[ChartAt],
    harvest: Harvest,
    wish: Wish,
    *,
    takes: Callable[[str], bool],
    name: str,
    progress: Progress,
    seconds: float = RENDER_SECONDS,
) -> None:
    """Render the charts of the source ``name`` and take what they name into ``harvest``. ``takes`` tells which values
    files are looked at, and ``seconds`` is what one rendering may take.

    Without a helm that can be used nothing happens, unless it is required: then that is a gap.
    """
    if wish is Wish.OFF or not charts:
        return
    with contextlib.ExitStack() as opened:
        try:
            place, helm = _helm(opened, seconds)
        except OSError as error:
            place, helm = Path(), Failure(f"there is no place for temporary files: {error.strerror}")
        if isinstance(helm, Helm):
            progress.begin(f"rendering the charts of {name}", len(charts))
            _Rendering(helm, harvest, wish, place, takes).all(charts, progress)
        elif wish is Wish.REQUIRE:
            harvest.gap(f"{helm.why}; no chart is rendered: correct that, or write helm: auto to have charts only read")


def _helm(opened: contextlib.ExitStack, seconds: float) -> tuple[Path, Helm | Failure]:
    """Return a directory of our own, which is there while ``opened`` is, and the program."""
    temporary = tempfile.TemporaryDirectory(prefix="tagsweep-helm-", ignore_cleanup_errors=True)
    place = Path(opened.enter_context(temporary))
    return place, Helm.find(place, seconds=seconds)


@dataclass(slots=True)
class _Rendering:
    helm: Helm
    harvest: Harvest
    wish: Wish
    place: Path
    takes: Callable[[str], bool]
    slow: int = field(default=0)
    rendered: int = field(default=0)

    def all(self, charts: Sequence[ChartAt], progress: Progress) -> None:
        for number, chart in enumerate(charts):
            if self.slow >= _MOST_SLOW:
                left = len(charts) - number
                self._tell(chart, "", f"not tried for this and {left - 1:,} more: too many did not come to an end")
                break
            target = self.place / f"chart-{number}"
            self._chart(chart, target)
            shutil.rmtree(target, ignore_errors=True)
            progress.advance()
        if self.rendered:
            self.harvest.also(f"{self.rendered:,} {'chart' if self.rendered == 1 else 'charts'} rendered by helm")

    def _chart(self, chart: ChartAt, target: Path) -> None:
        try:
            unpack(chart.tree, chart.directory, target)
        except TagsweepError as error:
            self._tell(chart, "", str(error))
            return
        seen: set[Finding] = set()
        succeeded = False
        for values in self._values(chart):
            text = self.helm.render(target, values, home=self.place)
            if isinstance(text, Failure):
                self.slow += text.slow
                self._tell(chart, values, text.why)
                if text.slow:
                    break
                continue
            succeeded = True
            self._take(chart, values, text, seen)
        self.rendered += succeeded

    def _values(self, chart: ChartAt) -> Iterator[str]:
        """Yield nothing for the chart's own values, then each other values file of it, relative to the chart."""
        yield ""
        prefix = f"{chart.directory}/" if chart.directory else ""
        others = []
        for path in chart.tree.paths(chart.directory):
            relative = path.removeprefix(prefix)
            if relative in {_OWN, "values.yml"} or "templates" in relative.split("/") or not self.takes(path):
                continue
            file = File(path, "", chart.tree)
            owner = chart_of(file) if is_values(file) else None
            if owner is not None and owner.directory == chart.directory:
                others.append(relative)
        yield from others[:_MOST_VALUES]
        if len(others) > _MOST_VALUES:
            self._tell(
                chart, others[_MOST_VALUES], f"not tried with this and those after it: {len(others):,} are too many"
            )

    def _take(self, chart: ChartAt, values: str, text: str, seen: set[Finding]) -> None:
        """Take in what the manifests name, each thing of an object once: with the first values that show it."""
        problems: list[str] = []
        findings = []
        for finding in manifest_images(text, "", problems):
            if finding not in seen:
                seen.add(finding)
                at = f"rendered with {shown(values) or _OWN}" + (f", {finding.at}" if finding.at else "")
                findings.append(replace(finding, at=at))
        self.harvest.add(Scan(findings=tuple(findings)), where=chart.where, path=chart.directory or ".")
        for problem in problems:
            self._tell(chart, values, problem)

    def _tell(self, chart: ChartAt, values: str, why: str) -> None:
        command = f"helm template --values {shown(values)}" if values else "helm template"
        path = chart.directory or "."
        if self.wish is Wish.REQUIRE:
            self.harvest.gap(
                f"{chart.where}:{path} cannot be rendered ({command}): {why}; correct the chart, exclude it, or write "
                "helm: auto to have it only read where it cannot be rendered"
            )
            return
        told = NoReference(text=command, why=f"{why}; the chart was only read")
        self.harvest.add(Scan(findings=(told,)), where=chart.where, path=path)
