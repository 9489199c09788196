"""What a session learns from the labels, and what it says about them."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from skactive.labelling._arguments import check_whole
from skactive.labelling._deciding import Deciding
from skactive.labelling._names import class_names
from skactive.labelling._results import (
    Accuracy,
    Stopping,
    accuracy_of,
    last_round,
    rounds,
    stopping,
    suspicious,
)
from skactive.labelling._settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from skactive.labelling._rounds import Learner

_ROUND_COLUMNS = (
    *("round", "strategy", "n_labels", "n_test", "accuracy", "low", "high", "balanced"),
    *("agreement", "fit_s", "query_s", "seed"),
)


class Learning(Deciding):
    """The part of a session that trains, measures, and looks at labels and predictions."""

    settings: Settings
    _strategy: Any
    _estimator: Any

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
            self.settings.n_instances = check_whole("n_instances", n_instances, 1)
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

        These are of images that each of the rounds has predicted. The accuracy of a round that has
        predicted fewer than 50 of them, since the other files came later, is not known.

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
            Cohen's kappa, at most 1; None before there are two, and where both predict one class
            for all, since chance would agree as well.
        """
        curve = rounds(self.database)
        return curve[-1].agreement if curve else None

    def stopping(self) -> Stopping:
        """Return a hint whether more labels would still help.

        Returns
        -------
        Stopping
            `enough` is True where three networks in a row agree on the pool with a kappa of 0.99,
            or the accuracy has changed by at most one point over three rounds and its interval is
            no wider than ±7 points, as of 200 labels; `why` says which.
        """
        return stopping(rounds(self.database))

    def labels(self) -> pd.DataFrame:
        """Return the labels that hold now, one per image.

        Returns
        -------
        DataFrame
            `path` (relative to the folder, with '/'), `class`, `share` ("pool" or "test"), `via`
            (how the image came to be labelled: "query", "random", "test", "review", or "import"
            for one that nobody was asked for), in the order of the paths.
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

        n = check_whole("n", n, 1)
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
