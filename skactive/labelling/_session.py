"""LabelSession: a folder of images, the labels that people give them, and what learns from both."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skactive._paths import home_expanded
from skactive.labelling._arguments import (
    check_learning,
    check_whole,
    checked_folder,
    listed,
    user,
)
from skactive.labelling._catalogue import fingerprint, scan
from skactive.labelling._database import Database
from skactive.labelling._learning import Learning
from skactive.labelling._names import class_id, labeller_id
from skactive.labelling._order import release
from skactive.labelling._settings import find_strategy, load_settings

if TYPE_CHECKING:
    from skactive.labelling._exchange import Imported
    from skactive.labelling._serve import Server


class LabelSession(Learning):
    """Label a folder of images, in the order that a strategy asks for, and keep every label.

    Everything is kept in `.skactive` in the folder: each label is on disk when the call that gives
    it returns. A session that is opened again, on another day or in another process, goes on where
    the last one stopped; files that were renamed or moved meanwhile keep their labels.

    Before the first question, a share of the images is drawn at random, by groups of a folder and a
    minute. It is labelled among the others, but no network is trained on it and no strategy chooses
    from it: the accuracy is measured there.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder; image files in its subfolders count too.
    classes : iterable of str or None, default=None
        Names of classes, which are added to those that are known. Others come on the way.
    strategy : str, QueryStrategy or None, default=None
        What chooses the next images: a name such as "margin", or any strategy. None is the stored
        one, and "Margin" at first. The first images are spread out over the folder.
    estimator : classifier or None, default=None
        What learns. It gets uint8 images of shape (n, size, size, 3) and the names of classes, and
        has `fit` and `predict_proba`. None is a `CNNClassifier`.
    network : str or None, default=None
        The network of that `CNNClassifier`. None is the stored one, and "small_cnn" at first.
    augment : {"none", "crop", "flip", "crop_flip", "strong"} or None, default=None
        How it changes images in training. None is what is stored, and "none" at first.
    size : int or None, default=None
        Height and width in pixels at which it learns. None is the stored one, and 64 at first.
    subsample : int or None, default=None
        At most so many images of the pool are looked at in a query, drawn at random. None is
        the stored number, and 5000 at first.
    n_test : int or None, default=None
        How many images are kept for measuring, or a few more: groups are not split. Once somebody
        was asked for an image, each has its share for good; files that come later are drawn while
        there are fewer. None is the stored number, at first 200, or a fifth if that is less.
    labeller : str or None, default=None
        Who labels; None is the user's name.
    random_state : int or None, default=None
        Seeds what is drawn, at the first time. None draws a seed, which is kept.

    See Also
    --------
    skactive.ImageReader : Image files as a pool, without a session.

    Notes
    -----
    Images of several labels, by several labellers, have the answer of the majority; of equal
    numbers, the latest. All networks and all rounds are seeded.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skactive.labelling import LabelSession
    >>> folder = Path(tempfile.mkdtemp())
    >>> for i in range(12):
    ...     pixels = np.full((16, 16, 3), 20 * i, np.uint8)
    ...     Image.fromarray(pixels).save(folder / f"{i:02}.png")
    >>> session = LabelSession(folder, classes=["dark", "bright"], size=16, random_state=0)
    >>> for path in session.next(6):
    ...     session.label(path, "dark" if int(path.stem) < 6 else "bright")
    >>> len(session.labels())
    6
    >>> print(session.accuracy())
    not yet known (2 of 50 labels for measuring)
    >>> session.close()
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        classes: Iterable[str] | None = None,
        *,
        strategy: Any = None,
        estimator: Any = None,
        network: str | None = None,
        augment: str | None = None,
        size: int | None = None,
        subsample: int | None = None,
        n_test: int | None = None,
        labeller: str | None = None,
        random_state: int | None = None,
    ) -> None:
        self.folder = checked_folder(folder)
        n_test = None if n_test is None else check_whole("n_test", n_test)
        random_state = None if random_state is None else check_whole("random_state", random_state)
        check_learning(strategy, estimator)
        self.database = Database(self.folder)
        name = find_strategy(strategy) if isinstance(strategy, str) else None
        self._strategy = None if isinstance(strategy, str) else strategy
        self._estimator = estimator
        self.settings = load_settings(
            self.database,
            strategy=name,
            network=network,
            augment=augment,
            size=size,
            subsample=subsample,
        )
        self._labeller = self._named("labeller", labeller or user(), labeller_id)
        self._tab = f"python {uuid.uuid4()}"
        self._fitted: Any = None
        self._closed = False
        self._server: Server | None = None
        for class_ in listed(classes):
            self._named("classes", class_, class_id)
        if random_state is not None and self.database.get("seed") is None:
            self.database.set("seed", f"{random_state:x}")
        self.scan_ = scan(self.database, self.folder, n_test)
        while fingerprint(self.database, self.folder):
            pass

    def export(self, path: str | PathLike[str]) -> int:
        """Write the labels.

        Parameters
        ----------
        path : str or os.PathLike
            What its name says: a `.csv` with a line per image and labeller; a `.json` of Label
            Studio, with the images in the order in which they are asked for, and predictions; a
            folder, without a dot, for one folder of images per class. These are hard links where
            that can be done: an image that is edited there is edited here too.

        Returns
        -------
        int
            The number of lines, tasks or files.
        """
        from skactive.labelling._exchange import export

        return export(self.database, self.folder, Path(home_expanded(path)))

    def import_(self, path: str | PathLike[str]) -> Imported:
        """Read labels that were given elsewhere; what is known already is not written twice.

        Parameters
        ----------
        path : str or os.PathLike
            A file or folder that `export` has written; a `.csv` with the columns `path` and
            `class`; a `.json` of Label Studio; a folder of images per class; or another session's
            folder, whose events are merged with those that are here.

        Returns
        -------
        Imported
            How many were new, and which files are not here.
        """
        from skactive.labelling._exchange import import_

        return import_(self.database, self.folder, Path(home_expanded(path)), self._labeller)

    # The page -----------------------------------------------------------------------------------

    def start(self, *, port: int = 0, train: bool = True) -> str:
        """Open the page from a thread, and return its address; `close` ends it.

        Parameters
        ----------
        port : int, default=0
            Where to listen; 0 is a port of the folder's own.
        train : bool, default=True
            Whether a process trains meanwhile.

        Returns
        -------
        str
            The address, with a key.
        """
        from skactive.labelling._serve import Server

        name = self.database.value("SELECT name FROM labeller WHERE id = ?", self._labeller)
        self._server = Server(
            self.folder,
            [str(name)],
            port=port,
            train=train,
            strategy=self._strategy,
            estimator=self._estimator,
        )
        self._server.start()
        return self._server.addresses[0].url

    def serve(self, *, port: int = 0, train: bool = True) -> None:
        """Open the page in a browser, and return after Ctrl-C.

        Parameters
        ----------
        port : int, default=0
            Where to listen; 0 is a port of the folder's own.
        train : bool, default=True
            Whether a process trains meanwhile.
        """
        url = self.start(port=port, train=train)
        print(f"Label at {url}\nCtrl-C ends it; every label is on disk.")
        assert self._server is not None
        self._server.addresses[0].open()
        ended = threading.Event()
        try:
            while not ended.wait(1):  # Ctrl-C cannot end a longer one on Windows
                pass
        except KeyboardInterrupt:
            self._stop()

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def close(self) -> None:
        """Let go of the images that were asked for and of the file; everything stays on disk."""
        if not self._closed:
            self._closed = True
            self._stop()
            release(self.database, self._tab)
            self.database.close()

    def __enter__(self) -> LabelSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LabelSession({str(self.folder)!r})"
