"""Paths as users write them."""

from __future__ import annotations

import os


def home_expanded(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> str:
    """Return a path as a str, with the home folder in place of a ~ that it begins with.

    Parameters
    ----------
    path : str, bytes or path
        What a user gives.

    Returns
    -------
    str
        The path; as it is where there is no such user.
    """
    return os.path.expanduser(os.fsdecode(path))
