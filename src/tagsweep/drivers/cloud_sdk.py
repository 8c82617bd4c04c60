"""Loading a cloud's own Python package, which only those have installed who use that cloud's registry."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from tagsweep.model.errors import ConfigurationError


def load(module: str, *, extra: str, host: str) -> Any:
    """Return the module, or raise ConfigurationError that says how to install it.

    Imported by name, so that nobody else needs the package or waits for it.
    """
    found = load_if_there(module)
    if found is None:
        raise ConfigurationError(
            f"{host} needs a Python package for its credentials ({module}), which is not installed, or not whole",
            remedy=f"pip install 'tagsweep[{extra}]'",
        )
    return found


def load_if_there(module: str) -> Any:
    """Return the module, or None where it cannot be imported."""
    # Without a handler Python writes a package's warnings on the terminal; what matters of them is in our errors.
    logger = logging.getLogger(module.partition(".")[0])
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    try:
        return import_module(module)
    except ImportError:
        return None
