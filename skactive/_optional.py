"""Packages that only some features need: imported when used, with one message if missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def import_optional(module: str, extra: str, what: str) -> Any:
    """Import a module, or say which extra of skactive brings it.

    Parameters
    ----------
    module : str
        The module.
    extra : str
        The extra in pyproject.toml that installs it.
    what : str
        What needs it; the message begins with this.

    Returns
    -------
    module
        The module.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{what} needs {module}, which is not installed. "
            f"Install it with: pip install 'skactive[{extra}]'"
        ) from error
