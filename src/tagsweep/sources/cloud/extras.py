"""Loading a cloud's own package, which is installed only by those who name that cloud."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from tagsweep.model.errors import ConfigurationError


def load(module: str, *, extra: str, source: str) -> Any:
    """Return the module, or raise ConfigurationError that says how ``extra`` is installed.

    Imported by name, so that nobody who does not use this cloud needs its package or waits for it.
    """
    # Without a handler Python writes a package's warnings on the terminal; what matters of them is in our errors.
    logging.getLogger(module.partition(".")[0]).addHandler(logging.NullHandler())
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"source {source}: the Python package with {module} is not installed, or not whole",
            remedy=f"pip install 'tagsweep[{extra}]'",
        ) from error
