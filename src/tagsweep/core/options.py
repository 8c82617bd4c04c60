"""Options of a plugin: read by name and type, each error naming the plugin's place, the option and the remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from tagsweep.model.errors import ConfigurationError

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION: Final = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)


class OptionReader:
    """The options at one ``place`` (``source git/deploy``). Reading takes an option; :meth:`done` refuses the rest."""

    def __init__(self, place: str, options: Mapping[str, Any]) -> None:
        self._place = place
        self._left = dict(options)
        self._known: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str | None:
        """Return a text that is not empty, or the default."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, str) and value.strip():
            return value.strip()
        raise self.error(key, "is not a text", remedy=f"write it as text, such as {key}: name")

    def required(self, key: str, *, example: str) -> str:
        """Return a text that must be there."""
        value = self.text(key)
        if value is None:
            raise ConfigurationError(f"{self._place}: the option {key} is missing", remedy=f"{key}: {example}")
        return value

    def texts(self, key: str, default: Iterable[str] = ()) -> tuple[str, ...]:
        """Return one text or a list of texts as a tuple."""
        value = self._take(key)
        if value is None:
            return tuple(default)
        entries = value if isinstance(value, list | tuple) else [value]
        if entries and all(isinstance(entry, str) and entry.strip() for entry in entries):
            return tuple(entry.strip() for entry in entries)
        raise self.error(key, "is not a list of texts", remedy=f'write it as a list, such as {key}: ["a", "b"]')

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        raise self.error(key, "is neither true nor false", remedy=f"write {key}: true")

    def number(self, key: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
        """Return a whole number within these bounds."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise self.error(key, f"is not a whole number from {least} to {most}", remedy=f"write {key}: {default}")

    def duration(self, key: str, default: timedelta) -> timedelta:
        """Return a duration such as ``30s``, ``5m``, ``2h`` or ``1d``."""
        value = self._take(key)
        if value is None:
            return default
        found = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if found is None or not int(found[1]):
            raise self.error(key, "is not a duration", remedy=f"write a number with its unit: {key}: 30s, 5m or 2h")
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])

    def choice(self, key: str, choices: Iterable[str], default: str) -> str:
        """Return one of these words."""
        words = list(choices)
        value = self._take(key)
        if value is None:
            return default
        if value in words:
            return str(value)
        raise self.error(key, f"is not one of {', '.join(words)}", remedy=f"write {key}: {default}")

    def done(self) -> None:
        """Raise ConfigurationError if an option was given that nothing read."""
        if not self._left:
            return
        unknown = min(self._left)
        near = difflib.get_close_matches(unknown, self._known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(self._known)) or 'none'}"
        raise ConfigurationError(f"{self._place}: unknown option {unknown!r}", remedy=hint)

    def error(self, key: str, what: str, *, remedy: str) -> ConfigurationError:
        """Return the error of the option ``key``, for the caller to raise. Its value is not in it: it may be secret."""
        return ConfigurationError(f"{self._place}: the option {key} {what}", remedy=remedy)

    def _take(self, key: str) -> Any:
        self._known.add(key)
        return self._left.pop(key, None)
