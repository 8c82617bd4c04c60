"""What stands at the beginning of a line, found by looking for what it is: the beginnings of all lines take longer."""

from __future__ import annotations

import re
from typing import Final

_FURTHEST: Final = 200


def begins_line(expression: re.Pattern[str], text: str, *, margin: re.Pattern[str]) -> bool:
    """Tell whether ``expression`` is found with nothing but ``margin`` (less than 200 characters) before it."""
    for found in expression.finditer(text):
        at = found.start()
        line = text.rfind("\n", max(0, at - _FURTHEST), at) + 1
        if (line > 0 or at <= _FURTHEST) and margin.fullmatch(text, line, at) is not None:
            return True
    return False
