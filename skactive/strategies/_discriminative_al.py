"""DiscriminativeAL: samples that a classifier tells apart from the labelled ones."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import HasMethods, Interval

from skactive.selection import Picks, discriminative_picks
from skactive.strategies.base._embeddings import EmbeddingStrategy


class DiscriminativeAL(EmbeddingStrategy):
    """Choose samples that a classifier is sure are not labelled, until it cannot be.

    On embeddings h, a classifier learns to tell labelled samples from unlabelled ones. The samples
    that it is surest to be unlabelled are those that the labelled ones do not stand for. They are
    chosen in sub-batches; those of a sub-batch count as labelled when the classifier is trained
    for the next one, so that the batch does not consist of what is alike. No label is read. With
    no labelled samples the first sub-batch is drawn at random.

    Parameters
    ----------
    classifier : scikit-learn classifier with `predict_proba`, or None, default=None
        Is cloned, and fitted to 0 for labelled and 1 for unlabelled samples. None is the published
        network of three hidden layers of 256, trained by Adam until it is right about more than
        98 % of them.
    sub_batches : int, default=20
        In how many parts, as equal as can be, the batch is chosen; at most n.
    ratio : int or None, default=10
        Number of unlabelled samples per labelled one, drawn for each sub-batch, for training and to
        choose from. None is all.
    max_epochs : int, default=500
        When the network's training ends at the latest. Has no effect with a `classifier`.
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    batch_size : int, default=256
        Samples that are embedded at a time.
    device : str, torch.device or None, default=None
        Where to compute; None is where the embeddings come from.
    random_state : int, RandomState, Generator or None, default=None
        Draws samples, the network's weights and its batches, seeds the classifier where it has no
        seed, and breaks exact ties.

    References
    ----------
    Discriminative active learning, arXiv 1907.06347. The sub-batches, the ratio and the
    network are those of the published code for embeddings of 512 numbers; the class weights that
    it computes come out equal, and there are none here. scikit-activeml trains anew after each
    sample, on the whole pool: `sub_batches=n, ratio=None`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import CNNClassifier, DiscriminativeAL
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> query = DiscriminativeAL(classifier=LogisticRegression(max_iter=1000), random_state=0)
    >>> query.select(clf, X[100:], 10, X_labelled=X[:100]).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **EmbeddingStrategy._parameter_constraints,
        "classifier": [HasMethods(["fit", "predict_proba"]), None],
        "sub_batches": [Interval(Integral, 1, None, closed="left")],
        "ratio": [Interval(Integral, 1, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        classifier: Any = None,
        sub_batches: int = 20,
        ratio: int | None = 10,
        max_epochs: int = 500,
        embeddings: Any = None,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.classifier = classifier
        self.sub_batches = sub_batches
        self.ratio = ratio
        self.max_epochs = max_epochs
        self.embeddings = embeddings
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        pool, labelled = self._embed(estimator, X_pool, X_labelled)
        return discriminative_picks(
            pool,
            n_instances,
            labelled=labelled,
            classifier=self.classifier,
            sub_batches=self.sub_batches,
            ratio=self.ratio,
            max_epochs=self.max_epochs,
            random_state=self.random_state,
        )
