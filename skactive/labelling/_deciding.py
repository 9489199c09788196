"""What a person decides about images, one by one."""

from __future__ import annotations

import time
from os import PathLike
from pathlib import Path
from typing import Any

from skactive._paths import home_expanded
from skactive.labelling._arguments import OWNER, check_whole
from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError, invalid
from skactive.labelling._events import Event, last_event, record
from skactive.labelling._finding import Finder, inner_paths
from skactive.labelling._names import class_id, merge_class, rename_class
from skactive.labelling._order import lease
from skactive.labelling._results import last_round

# Why a labeller is asked for an image now; of one with decisions, why it was at first.
_ASKED = """
SELECT * FROM (SELECT via FROM event WHERE image = ?1 ORDER BY id LIMIT 1) UNION ALL
SELECT q.via FROM queue q JOIN lease e ON e.image = q.image
WHERE q.image = ?1 AND e.until > ?2 AND e.labeller = ?3
"""


class Deciding:
    """The part of a session that asks for images and takes decisions."""

    database: Database
    folder: Path
    _labeller: int
    _tab: str
    _fitted: Any

    def run_round(self, n_instances: int | None = None) -> Any:
        """Choose the next images; see `LabelSession`."""
        raise NotImplementedError

    def next(self, n: int = 1) -> list[Path]:
        """Return the images to label next, in order; again the same ones until they are decided.

        No other session and no tab of a browser is asked for them meanwhile.

        Parameters
        ----------
        n : int, default=1
            How many.

        Returns
        -------
        list of Path
            The files; fewer than n where no more are left.
        """
        n = check_whole("n", n, 1)
        if not self._begun():
            self.run_round()
        found = lease(self.database, self._labeller, self._tab, n)
        return [self.folder / asked.path for asked in found]

    def _begun(self) -> bool:
        """Return whether anything was asked for or answered."""
        sql = "SELECT EXISTS (SELECT 1 FROM round) + EXISTS (SELECT 1 FROM event)"
        return self.database.count(sql) > 0

    def label(self, path: str | PathLike[str], name: str) -> None:
        """Give an image a class; it is on disk when this returns.

        Parameters
        ----------
        path : str or os.PathLike
            The file, relative to the folder or to the working directory.
        name : str
            The class; a new name makes a new class.
        """
        self._decide(path, "label", self._named("name", name, class_id))

    def skip(self, path: str | PathLike[str]) -> None:
        """Leave an image out.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        """
        self._decide(path, "skip")

    def unsure(self, path: str | PathLike[str]) -> None:
        """Say that the class of an image cannot be told.

        Parameters
        ----------
        path : str or os.PathLike
            The file.
        """
        self._decide(path, "unsure")

    def undo(self) -> Path | None:
        """Take back the last decision of this labeller, also one of an earlier session.

        Returns
        -------
        Path or None
            The file, which is asked for again; None where there is nothing to take back.
        """
        last = last_event(self.database, self._labeller)
        if last is None:
            return None
        undone, image = last
        event = Event(image, "undo", undoes=undone, via=self._via(image))
        record(self.database, self._labeller, [event])
        path = self.database.value("SELECT path FROM image WHERE id = ?", image)
        return self.folder / str(path)

    def merge_class(self, name: str, into: str) -> None:
        """Have the labels of a class count as those of another, from now on and in all rounds.

        Parameters
        ----------
        name : str
            The class that there will be no more, such as one with a typing error.
        into : str
            The class that takes it in.
        """
        try:
            merge_class(self.database, name, into)
        except RefusedError as error:
            raise invalid("name", OWNER, "a class other than into", name, str(error)) from error
        self._fitted = None

    def rename_class(self, name: str, to: str) -> None:
        """Give a class another name.

        Parameters
        ----------
        name : str
            The class.
        to : str
            Its new name, which no other class has.
        """
        try:
            rename_class(self.database, name, to)
        except RefusedError as error:
            raise invalid("name", OWNER, "a class to rename", name, str(error)) from error
        self._fitted = None

    def _decide(self, path: Any, kind: str, class_: int | None = None) -> None:
        image = self._image(path)
        event = Event(image, kind, class_, via=self._via(image), round=last_round(self.database))
        record(self.database, self._labeller, [event])

    def _image(self, path: Any) -> int:
        """Return the id of a file."""
        must = f"an image file of {self.folder}"
        if not isinstance(path, (str, PathLike)):
            raise invalid("path", OWNER, must, path)
        places = (self.folder / path, Path(home_expanded(path)))
        found = [self._known(place) for place in places]
        images = {image for image in found if image is not None}
        if len(images) > 1:
            remedy = "There is one from the folder and one from the working directory."
            raise invalid("path", OWNER, f"a single {must[3:]}", str(path), remedy)
        if not images:
            remedy = "Open the session anew if the file has come since."
            raise invalid("path", OWNER, must, str(path), remedy)
        return images.pop()

    def _known(self, place: Path) -> int | None:
        """Return the id of the file at a place, or None."""
        names = inner_paths(self.folder, place)
        for name in names:
            image = self.database.value("SELECT id FROM image WHERE path = ?", name)
            if isinstance(image, int):
                return image
        if all(name.isascii() for name in names):
            return None
        finder = Finder(self.database)
        return next((i for i in map(finder.find, names) if i is not None), None)

    def _via(self, image: int) -> str:
        """Return how an image came to be asked for; "import" if it was not."""
        share = self.database.value("SELECT share FROM image WHERE id = ?", image)
        if share == "test":
            return "test"
        asked = self.database.value(_ASKED, image, time.time(), self._labeller)
        return "import" if asked is None else str(asked)

    def _named(self, parameter: str, name: Any, find: Any) -> int:
        try:
            found: int = find(self.database, name)
        except RefusedError as error:
            raise invalid(parameter, OWNER, "a name", name, str(error)) from error
        return found
