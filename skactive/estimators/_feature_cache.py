"""Features that were computed once, in a folder: each is found by what it was computed from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skactive._file_locks import locked
from skactive._whole_files import write_whole
from skactive.estimators._file_table import FileTable
from skactive.estimators._row_file import RowFile


class FeatureCache:
    """Features of one network, with its layer and preprocessing, by the keys of the images.

    Parameters
    ----------
    root : Path
        The folder, which all networks share: each has a folder of its own in it, and files are
        known to all.
    network : bytes
        What tells network, layer and preprocessing apart.
    about : dict
        What a person wants to know of them; stored with the features.
    """

    def __init__(self, root: Path, network: bytes, about: dict[str, Any]) -> None:
        self.folder = root / network.hex()[:32]
        self.files = FileTable(root)
        self._about = about
        self._rows: RowFile | None = None

    def refresh(self) -> FeatureCache:
        """Read what others have written since."""
        self.files.refresh()
        info = self.folder / "about.json"
        if not info.exists():
            self._rows = None
        elif self._rows is None:
            shape = (int(json.loads(info.read_text(encoding="utf-8"))["n_features"]),)
            self._rows = RowFile(self.folder, shape, "<f4")
        if self._rows is not None:
            self._rows.refresh()
        return self

    def __contains__(self, key: object) -> bool:
        return self._rows is not None and key in self._rows

    def append(self, keys: Sequence[bytes], features: np.ndarray) -> None:
        """Add features, (n, D), of images with these keys."""
        self._opened(features.shape[1]).append(keys, features)

    def take(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the features of images with these keys, (n, D), float32."""
        assert self._rows is not None
        return self._rows.take(keys)

    def _opened(self, n_features: int) -> RowFile:
        info = self.folder / "about.json"
        if self._rows is None or not info.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with locked(self.folder / "lock"):
                about = {"n_features": n_features, **self._about}
                write_whole(info, json.dumps(about, indent=2) + "\n")
            self._rows = RowFile(self.folder, (n_features,), "<f4")
        return self._rows
