"""LabelSession: a folder of images, the labels that people give them, and what learns from both."""

from __future__ import annotations

import getpass
import threading
import uuid
import webbrowser
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skactive.labelling._catalogue import fingerprint, scan
from skactive.labelling._database import Database
from skactive.labelling._errors import RefusedError, invalid
from skactive.labelling._events import Event, last_event, record
from skactive.labelling._names import class_id, class_names, labeller_id
from skactive.labelling._order import lease, release
from skactive.labelling._results import (
    Accuracy,
    Stopping,
    accuracy_of,
    last_round,
    rounds,
    stopping,
    suspicious,
)
from skactive.labelling._settings import find_strategy, load_settings

if TYPE_CHECKING:
    import pandas as pd

    from skactive.labelling._exchange import Imported
    from skactive.labelling._rounds import Learner
    from skactive.labelling._serve import Server

_OWNER = "LabelSession"


class LabelSession:
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
    size : int or None, default=None
        Height and width in pixels at which it learns. None is the stored one, and 64 at first.
    subsample : int or None, default=None
        At most so many images of the pool are looked at in a query, drawn at random. None is
        the stored number, and 5000 at first.
    n_test : int or None, default=None
        How many images are kept for measuring, at least: groups are not split. It counts when a
        folder is opened for the first time. None is 200, or a fifth of the images if that is less.
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
        size: int | None = None,
        subsample: int | None = None,
        n_test: int | None = None,
        labeller: str | None = None,
        random_state: int | None = None,
    ) -> None:
        self.folder = checked_folder(folder)
        _check_whole("n_test", n_test)
        _check_whole("random_state", random_state)
        _check_learning(strategy, estimator)
        self.database = Database(self.folder)
        name = find_strategy(strategy) if isinstance(strategy, str) else None
        self._strategy = None if isinstance(strategy, str) else strategy
        self._estimator = estimator
        self.settings = load_settings(
            self.database, strategy=name, network=network, size=size, subsample=subsample
        )
        self._labeller = self._named("labeller", labeller or user(), labeller_id)
        self._tab = f"python {uuid.uuid4()}"
        self._fitted: Any = None
        self._closed = False
        self._server: Server | None = None
        for class_ in _names(classes):
            self._named("classes", class_, class_id)
        if random_state is not None and self.database.get("seed") is None:
            self.database.set("seed", f"{random_state:x}")
        self.scan_ = scan(self.database, self.folder, n_test)
        while fingerprint(self.database, self.folder):
            pass

    # Labelling ----------------------------------------------------------------------------------

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
        _check_whole("n", n, 1)
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
            The file, also relative to the folder.
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

    def _decide(self, path: Any, kind: str, class_: int | None = None) -> None:
        image = self._image(path)
        event = Event(image, kind, class_, via=self._via(image), round=last_round(self.database))
        record(self.database, self._labeller, [event])

    def _image(self, path: Any) -> int:
        """Return the id of a file."""
        must = f"an image file of {self.folder}"
        if not isinstance(path, (str, PathLike)):
            raise invalid("path", _OWNER, must, path)
        place = self.folder / path
        name = place.as_posix().removeprefix(f"{self.folder.as_posix()}/")
        image = self.database.value("SELECT id FROM image WHERE path = ?", name)
        if not isinstance(image, int):
            remedy = "Open the session anew if the file has come since."
            raise invalid("path", _OWNER, must, str(path), remedy)
        return image

    def _via(self, image: int) -> str:
        """Return how an image came to be asked for."""
        share = self.database.value("SELECT share FROM image WHERE id = ?", image)
        if share == "test":
            return "test"
        asked = self.database.value("SELECT via FROM queue WHERE image = ?", image)
        return "random" if asked is None else str(asked)

    def _named(self, parameter: str, name: Any, find: Any) -> int:
        try:
            found: int = find(self.database, name)
        except RefusedError as error:
            raise invalid(parameter, _OWNER, "a name", name, str(error)) from error
        return found

    # Learning -----------------------------------------------------------------------------------

    def run_round(self, n_instances: int | None = None) -> Accuracy:
        """Train on the labels, measure, and choose the images to label next; in this process.

        While fewer than two classes have labels, images that are spread out over the folder are
        chosen.

        Parameters
        ----------
        n_instances : int or None, default=None
            How many images are chosen; None is 60.

        Returns
        -------
        Accuracy
            The accuracy on the share for measuring.
        """
        from skactive.labelling._rounds import run_round

        if n_instances is not None:
            _check_whole("n_instances", n_instances, 1)
            self.settings.n_instances = n_instances
        _, self._fitted = run_round(self._learner())
        return self.accuracy()

    def _learner(self) -> Learner:
        from skactive.labelling._rounds import Learner

        return Learner(self.database, self.folder, self.settings, self._strategy, self._estimator)

    @property
    def estimator_(self) -> Any:
        """The classifier of the last round of this session, or one trained on the labels now."""
        if self._fitted is None:
            from skactive.labelling._rounds import fit

            labels = self.labels()
            if labels.loc[labels["share"] == "pool", "class"].nunique() < 2:
                raise ValueError(
                    "A LabelSession has no estimator_ before images of two classes have labels, "
                    "besides those for measuring. Label more."
                )
            self._fitted = fit(self._learner(), 0)
        return self._fitted

    def accuracy(self) -> Accuracy:
        """Return the accuracy of the last network, on the share for measuring.

        Returns
        -------
        Accuracy
            With Wilson's interval; its value is None while fewer than 50 of these have labels.
        """
        return accuracy_of(self.database, last_round(self.database))

    def rounds(self) -> pd.DataFrame:
        """Return the learning curve: all rounds, measured on the same labels, those of now.

        Returns
        -------
        DataFrame
            A row per round: `round`, `strategy`, `n_labels` (for training), `n_test`, `accuracy`,
            `low`, `high`, `balanced`, `agreement` with the network before (kappa, on the pool),
            `fit_s` and `query_s` in seconds, `seed`.
        """
        import pandas as pd

        rows = [
            {
                "round": found.id,
                "strategy": found.strategy,
                "n_labels": found.n_labels,
                "n_test": found.accuracy.n_test,
                "accuracy": found.accuracy.value,
                "low": found.accuracy.low,
                "high": found.accuracy.high,
                "balanced": found.accuracy.balanced,
                "agreement": found.agreement,
                "fit_s": found.fit_s,
                "query_s": found.query_s,
                "seed": found.seed,
            }
            for found in rounds(self.database)
        ]
        return pd.DataFrame(rows, columns=list(_ROUND_COLUMNS))

    def agreement(self) -> float | None:
        """Return how far the last two networks agree on the pool, beyond chance.

        Returns
        -------
        float or None
            Cohen's kappa, at most 1; None before there are two.
        """
        curve = rounds(self.database)
        return curve[-1].agreement if curve else None

    def stopping(self) -> Stopping:
        """Return a hint whether more labels would still help.

        Returns
        -------
        Stopping
            `enough` is True where the accuracy has changed by at most one point over three rounds,
            or three networks in a row agree on the pool with a kappa of 0.99; `why` says so.
        """
        return stopping(rounds(self.database))

    # What there is ------------------------------------------------------------------------------

    def labels(self) -> pd.DataFrame:
        """Return the labels that hold now, one per image.

        Returns
        -------
        DataFrame
            `path` (relative to the folder, with '/'), `class`, `share` ("pool" or "test"), `via`
            (how the image came to be labelled), in the order of the paths.
        """
        import pandas as pd

        from skactive.labelling._events import ANSWERS

        names = class_names(self.database)
        rows = self.database.read(
            f"SELECT i.path, a.class, i.share, a.via FROM ({ANSWERS}) a"
            " JOIN image i ON i.id = a.image ORDER BY i.path"
        )
        table = [(path, names[class_], share, via) for path, class_, share, via in rows]
        return pd.DataFrame(table, columns=["path", "class", "share", "via"])

    def suspicious(self, n: int = 20) -> pd.DataFrame:
        """Return the labels that are most likely wrong, for somebody to look at again.

        Networks are trained on four fifths of the labels in turn, and the probability that they
        give to the label of an image they have not seen is its self-confidence. The share for
        measuring is left out. A label that was confirmed by a later look is not asked about again.

        Parameters
        ----------
        n : int, default=20
            How many.

        Returns
        -------
        DataFrame
            `path`, `class`, `proposed` and `confidence`, the least confident first.
        """
        import pandas as pd

        from skactive.labelling._review import review

        _check_whole("n", n, 1)
        review(self._learner())
        names, held = class_names(self.database), self.labels().set_index("path")["class"]
        rows = []
        for image, score, proposed in suspicious(self.database, n):
            path = str(self.database.value("SELECT path FROM image WHERE id = ?", image))
            rows.append((path, held.get(path), names.get(proposed or 0), score))
        return pd.DataFrame(rows, columns=["path", "class", "proposed", "confidence"])

    def predict(self, path: str | PathLike[str] | None = None) -> pd.DataFrame:
        """Return a class for every image: its label where it has one, else what is predicted.

        Parameters
        ----------
        path : str, os.PathLike or None, default=None
            A CSV file to write the table to.

        Returns
        -------
        DataFrame
            `path`, `class`, `p` (the probability; NaN for labels), `by` ("person" or "network").
        """
        from skactive.labelling._predict import predict_all

        table = predict_all(self._learner(), self.estimator_)
        if path is not None:
            table.to_csv(path, index=False)
        return table

    def export(self, path: str | PathLike[str]) -> int:
        """Write the labels.

        Parameters
        ----------
        path : str or os.PathLike
            What its name says: a `.csv` with a line per image and labeller; a `.json` of Label
            Studio, with the images in the order in which they are asked for, and predictions; a
            folder, without a dot, for one folder of images per class.

        Returns
        -------
        int
            The number of lines, tasks or files.
        """
        from skactive.labelling._exchange import export

        return export(self.database, self.folder, Path(path))

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

        return import_(self.database, self.folder, Path(path), self._labeller)

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
        webbrowser.open(url)
        try:
            threading.Event().wait()
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


_ROUND_COLUMNS = (
    *("round", "strategy", "n_labels", "n_test", "accuracy", "low", "high", "balanced"),
    *("agreement", "fit_s", "query_s", "seed"),
)


def checked_folder(folder: Any) -> Path:
    """Return a folder as it is, or raise."""
    if not isinstance(folder, (str, PathLike)) or not Path(folder).is_dir():
        raise invalid("folder", _OWNER, "a folder of image files", folder)
    return Path(folder).resolve()


def _check_whole(name: str, value: Any, low: int = 0) -> None:
    if value is None and name != "n":
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise invalid(name, _OWNER, f"an int of at least {low}", value)


def _check_learning(strategy: Any, estimator: Any) -> None:
    if strategy is not None and not isinstance(strategy, str) and not hasattr(strategy, "select"):
        raise invalid("strategy", _OWNER, "a name, a strategy such as Margin(), or None", strategy)
    if estimator is not None and not all(
        hasattr(estimator, name) for name in ("fit", "predict_proba", "get_params")
    ):
        must = "a scikit-learn classifier with predict_proba, or None"
        raise invalid("estimator", _OWNER, must, estimator)


def _names(classes: Any) -> list[Any]:
    if isinstance(classes, str):
        remedy = "Put a single name into a list."
        raise invalid("classes", _OWNER, "several names", classes, remedy)
    return [] if classes is None else list(classes)


def user() -> str:
    """Return the name of the user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user, as in some containers
        return "somebody"
