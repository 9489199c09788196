"""The arguments of a session, checked."""

from __future__ import annotations

import getpass
import numbers
from os import PathLike
from pathlib import Path
from typing import Any

from skactive._paths import home_expanded
from skactive.labelling._errors import invalid

OWNER = "LabelSession"


def checked_folder(folder: Any) -> Path:
    """Return a folder as it is, or raise."""
    if not isinstance(folder, (str, PathLike)) or not Path(home_expanded(folder)).is_dir():
        raise invalid("folder", OWNER, "a folder of image files", folder)
    return Path(home_expanded(folder)).resolve()


def check_whole(name: str, value: Any, low: int = 0) -> int:
    """Return a whole number, NumPy's too, as an int, or raise."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise invalid(name, OWNER, f"an int of at least {low}", value)
    return int(value)


def check_learning(strategy: Any, estimator: Any) -> None:
    """Raise unless these can choose and learn."""
    if strategy is not None and not isinstance(strategy, str) and not hasattr(strategy, "select"):
        raise invalid("strategy", OWNER, "a name, a strategy such as Margin(), or None", strategy)
    if estimator is not None and not all(
        hasattr(estimator, name) for name in ("fit", "predict_proba", "get_params")
    ):
        must = "a scikit-learn classifier with predict_proba, or None"
        raise invalid("estimator", OWNER, must, estimator)


def listed(classes: Any) -> list[Any]:
    """Return names as a list."""
    if isinstance(classes, str):
        remedy = "Put a single name into a list."
        raise invalid("classes", OWNER, "several names", classes, remedy)
    return [] if classes is None else list(classes)


def user() -> str:
    """Return the name of the user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in some containers
        return "somebody"
