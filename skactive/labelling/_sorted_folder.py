"""Labels as a folder per class, which torchvision's ImageFolder and many others read."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError
from skactive.labelling._events import ANSWERS
from skactive.labelling._exchange import Decision
from skactive.labelling._files import File, digest, inside, walk
from skactive.labelling._names import class_names

# What names of folders and files may have; all else is written as %XX, and read back from it.
_PLAIN = " !#$&'()+,;=@[]^`{}~"
# What Windows takes for a device, whatever the folder.
_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)[1-9¹²³]", re.IGNORECASE)


def folder_name(name: str, capitals: bool = True) -> str:
    """Return the name of a class, or the path of an image, as the name of one folder or file.

    Without `capitals` these are written as %XX too.
    """

    def written(letter: str, plain: str) -> str:
        good = letter.isalnum() and (capitals or letter == letter.lower())
        return letter if good or letter in plain else _coded(letter)

    found = "".join(written(letter, f"{_PLAIN}-_") for letter in name[:-1])
    found += written(name[-1], "-_)]}")  # Windows drops a space or a dot there
    return _coded(found[0]) + found[1:] if _DEVICE.fullmatch(found) else found


def folder_names(names: Iterable[str]) -> dict[str, str]:
    """Return the name of the folder of each class, different also where capitals do not count."""
    same = Counter(name.lower() for name in set(names))
    return {name: folder_name(name, capitals=same[name.lower()] == 1) for name in names}


def _coded(letter: str) -> str:
    if letter.isascii():  # letters too, which `quote` leaves
        return f"%{ord(letter):02X}"
    return quote(letter, safe="")


def write(database: Database, folder: Path, path: Path) -> int:
    """Link the labelled images, or copy them where that cannot be done, into a folder per class."""
    if path.exists() and any(path.iterdir()):
        raise FileExistsError(f"{path} is not empty; export into a new folder.")
    names = class_names(database)
    folders = folder_names(names.values())
    rows = database.read(
        f"SELECT i.path, a.class FROM ({ANSWERS}) a JOIN image i ON i.id = a.image"
        " WHERE i.state != 'missing'"
    )
    path.mkdir(parents=True, exist_ok=True)
    for file, class_ in rows:
        source = inside(folder, file)
        if source is None or not source.is_file():
            continue
        stem, dot, suffix = file.rpartition(".")
        target = path / folders[names[class_]] / f"{folder_name(stem)}{dot}{suffix}"
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy2(source, target)
    return sum(1 for _ in path.glob("*/*"))


def read(database: Database, folder: Path, path: Path) -> list[Decision]:
    """Read the class of each image from the folder that it is in.

    They are known by their path in the session's folder, which `write` puts into the name, else
    by their content.
    """
    found, here = [], {known for (known,) in database.read("SELECT path FROM image")}
    for file in walk(path, linked=True):
        if not isinstance(file, File):
            continue
        class_, slash, rest = file.path.partition("/")
        if not slash:
            continue
        name = unquote(rest)
        content = digest(path / file.path)
        known = name if name in here else file.path
        if known == file.path and file.path not in here:
            known = rest
        found.append(Decision(known, "label", unquote(class_), digest=content))
    if not found:
        raise RefusedError("It has no images in folders that are named like classes.")
    return found
