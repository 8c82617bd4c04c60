"""Answers in GitHub's form: its errors and its times."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from tagsweep.testing.wire import Answer

_DOCUMENTATION: Final = "https://docs.github.com/rest/packages/packages"


def timestamp(moment: datetime) -> str:
    """Return a moment in UTC as GitHub writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def github_error(status: int, message: str) -> Answer:
    """Return an error with GitHub's body."""
    body = {"message": message, "documentation_url": _DOCUMENTATION, "status": str(status)}
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(status=status, headers=headers, body=json.dumps(body).encode())
