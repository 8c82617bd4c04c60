"""Options of an evidence source."""

from __future__ import annotations

from tagsweep.core.options import OptionReader
from tagsweep.model.policy import SourceSettings


class Options(OptionReader):
    """The options of the source that ``settings`` describe."""

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__(f"source {settings.name}", settings.options)
