"""Where the files of a data set are looked for, and how they are downloaded."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from skactive._paths import home_expanded
from skactive._validation import Phrase, invalid
from skactive.exceptions import DatasetError


def cache_folder() -> Path:
    """Return the folder for downloads: SKACTIVE_DATA where set, else ~/.cache/skactive."""
    return Path(home_expanded(os.environ.get("SKACTIVE_DATA") or "~/.cache/skactive"))


def check_source(owner: str, path: Any, download: Any) -> Path | None:
    """Check the pair `path`, `download` of a loader, and return the path."""
    if not isinstance(download, bool):
        raise invalid("download", owner, Phrase("{True} or {False}"), download)
    if path is None:
        return None
    if not isinstance(path, (str, os.PathLike)):
        raise invalid("path", owner, Phrase("a str, a path object or {None}"), path)
    if download:
        raise invalid(
            "download",
            owner,
            Phrase("{False} where {path} is given"),
            download,
            Phrase(
                "{Leave path=None} to download into the cache folder; the environment variable "
                "SKACTIVE_DATA says where that is."
            ),
        )
    return Path(home_expanded(path))


def locate(
    title: str,
    places: Sequence[Path],
    missing: Callable[[Path], list[str]],
    remedy: str,
    fetch: Callable[[], None] | None = None,
) -> Path:
    """Return the first place that lacks no file; where none does, call `fetch` and look again.

    Parameters
    ----------
    title : str
        The name of the data set, for the message.
    places : sequence of Path
        The places, best first.
    missing : callable
        Takes a place; returns the names of the files that it lacks.
    remedy : str
        What to do where files are missing; a sentence.
    fetch : callable or None, default=None
        Downloads the files into one of the places.

    Returns
    -------
    Path
        The place.

    Raises
    ------
    DatasetError
        If no place has every file.
    """
    for attempt in (None, fetch) if fetch is not None else (None,):
        if attempt is not None:
            attempt()
        for place in places:
            if not missing(place):
                return place
    looked = "; ".join(f"{place} ({_shortcoming(place, missing(place))})" for place in places)
    raise DatasetError(f"{title}: files are missing. Looked in {looked}.", remedy)


def remedy_for(files: str, path: Path | None) -> Phrase:
    """Say what to do where the folder `path`, or else the cache, lacks files."""
    if path is None:
        return Phrase("{Pass path=} with the {files}, or {pass download=True}.", files=files)
    return Phrase("{Pass path=} with the {files}.", files=files)


def _shortcoming(place: Path, names: list[str]) -> str:
    if not place.exists():
        return "does not exist"
    if not place.is_dir():
        return "is not a folder"
    return f"has no {', '.join(names)}"


def fetch(title: str, dataset: str, root: Path, parts: Sequence[dict[str, str]] = ({},)) -> None:
    """Download a data set with torchvision's class named `dataset`, part by part."""
    import torchvision.datasets

    downloader = getattr(torchvision.datasets, dataset)
    try:
        for part in parts:
            downloader(root, download=True, **part)
    # The three that torchvision lets through: no network or disk, a wrong checksum, a cut line.
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise DatasetError(
            f"{title}: the download into {root} failed: {error}.",
            Phrase(
                "Check the network and the disk, or fetch the files by other means and "
                "{pass path=}."
            ),
        ) from error


def damaged(file: object, what: str) -> DatasetError:
    """Build the error for a file whose content is wrong."""
    return DatasetError(
        f"{file} is damaged: {what}.",
        Phrase(
            "Delete it and fetch it again ({download=True}), or {pass path=} with an intact copy."
        ),
    )
