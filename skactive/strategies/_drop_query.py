"""DropQuery: a diverse batch of samples whose prediction does not survive dropout."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._pool import Pool
from skactive._rng import generator
from skactive.gradients import head_inputs
from skactive.selection import Picks, dropout_disagreement, top_n
from skactive.strategies.base._embeddings import normalized
from skactive.strategies.base._nearest import nearest_to_centers
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy


class DropQuery(QueryStrategy):
    """Choose samples that are predicted otherwise under dropout, far from each other.

    The network's own embeddings h, the inputs of the layer that makes the logits, go through
    dropout and that layer `n_passes` times. Candidates are the samples whose prediction differs
    from the plain one in more than half of the passes. k-means makes n clusters of the candidates'
    embeddings, and the sample nearest to each center is chosen, those of large clusters first.
    Labelled samples are not used.

    Where there are fewer than n candidates, which is so for a network that is sure of itself, they
    are all chosen, and with them the samples with the next most disagreements, drawn among equals.

    Parameters
    ----------
    dropout : float, default=0.75
        The probability with which a number of h is dropped, from 0 to below 1.
    n_passes : int, default=3
        Number of passes.
    normalize : bool, default=True
        Whether the embeddings that are clustered are scaled to norm 1.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is. k-means runs on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Draws what is dropped, and seeds k-means.

    References
    ----------
    DropQuery, arXiv 2401.14555. The paper's rule is the default. Its code lowers the
    number of disagreements that make a candidate until there are 25·n of them, draws the rest from
    the whole pool, and normalizes, as here. scikit-activeml drops without dividing by 1 − p.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, DropQuery
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> DropQuery(random_state=0).select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_passes": [Interval(Integral, 1, None, closed="left")],
        "normalize": ["boolean"],
    }

    def __init__(
        self,
        *,
        dropout: float = 0.75,
        n_passes: int = 3,
        normalize: bool = True,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.dropout = dropout
        self.n_passes = n_passes
        self.normalize = normalize
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        network = PoolNetwork(estimator, self, self.device)
        pool = Pool.of(X_pool)
        network.check(pool)
        with counted(self, network.samples(pool)) as samples:
            head = head_inputs(network.module, samples, batch_size=self.batch_size)
        draw = generator(self.random_state, self)
        counts = dropout_disagreement(
            head.logits,
            head.inputs,
            head.weight,
            p=self.dropout,
            n_passes=self.n_passes,
            random_state=draw,
        )
        candidates = np.flatnonzero(2 * counts > self.n_passes)
        if len(candidates) < n_instances:
            candidates = np.sort(top_n(counts, n_instances, random_state=draw))
        rows = normalized(head.inputs) if self.normalize else head.inputs
        found = nearest_to_centers(rows.cpu().numpy()[candidates], n_instances, draw)
        return Picks(candidates[found.indices], found.gains)
