"""The form of message of every wrong argument, without importing scikit-learn beforehand."""

from __future__ import annotations

from typing import Any


class RefusedError(ValueError):
    """An event that cannot be written: it contradicts what is known."""


def invalid(parameter: str, owner: str, must: str, got: Any, remedy: str = "") -> ValueError:
    """Build the error for a wrong argument, in skactive's form."""
    # Here, since it brings scikit-learn, and the server should stay small.
    from skactive._validation import invalid

    return invalid(parameter, owner, must, got, remedy)
