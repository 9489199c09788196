"""Which image of the catalogue a path means that somebody typed, or that came from elsewhere."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from skactive.labelling._database import Database


class Finder:
    """Finds images by path, by name in another form of Unicode, and by content."""

    def __init__(self, database: Database, folder: Path | None = None) -> None:
        self.folder = folder
        rows = database.read("SELECT path, id, digest FROM image")
        self.ids = {path: i for path, i, _ in rows}
        self._contents = {i: digest for _, i, digest in rows}
        self._forms = _unique([(_form(path), i) for path, i, _ in rows])
        self._by_content = _unique([(digest, i) for _, i, digest in rows if digest])

    def find(self, path: str, digest: str | None = None) -> int | None:
        """Return an image, or None; one that has other content than `digest` is another image."""
        image = self._named(path)
        if image is None or (digest and self._contents[image] not in {None, "", digest}):
            return self._by_content.get(digest or "")
        return image

    def _named(self, path: str) -> int | None:
        for name in (path, *self._relative(path)):
            found = self.ids.get(name, self._forms.get(_form(name)))
            if found is not None:
                return found
        return None

    def _relative(self, path: str) -> list[str]:
        """Return paths in the folder, of one that is absolute, has ./, or the folder's own name."""
        plain = os.path.normpath(path).replace("\\", "/")
        if self.folder is None:
            return [plain]
        if os.path.isabs(path):
            return inner_paths(self.folder, Path(path))
        return [plain, plain.removeprefix(f"{self.folder.name}/")]


def inner_paths(folder: Path, path: Path) -> list[str]:
    """Return what a path may be called in the folder: as it is written, and behind links."""
    plain = Path(os.path.abspath(path))  # does not follow links
    places = (plain, plain.parent.resolve() / plain.name, plain.resolve())
    found = [p.relative_to(folder).as_posix() for p in places if folder in p.parents]
    return list(dict.fromkeys(found))


def _form(path: str) -> str:
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def _unique(pairs: list[tuple[str, int]]) -> dict[str, int]:
    """Return the image of each key that only one image has."""
    found: dict[str, int | None] = {}
    for key, i in pairs:
        found[key] = None if key in found else i
    return {key: i for key, i in found.items() if i is not None}
