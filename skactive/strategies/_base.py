"""BASE: equal shares of a batch near the boundary of each class."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np

from skactive._pool import Pool
from skactive._rng import generator
from skactive.gradients import head_inputs
from skactive.selection import Picks, boundary_distances, nearest_per_class
from skactive.strategies.base._by_blocks import by_blocks
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy


class BASE(QueryStrategy):
    """Choose the same number of samples near the boundary of each class.

    With h(x) the input of the layer that makes the logits z = W h + b, and ŷ the predicted class,
    h has to move by

        d_c(x) = (z_ŷ − z_c) / ‖w_ŷ − w_c‖,    d_ŷ(x) = min_{c ≠ ŷ} d_c(x),

    to reach the boundary of class c, or, for ŷ itself, the nearest boundary. Each class in turn
    takes its share of the batch: the samples of smallest d_c that no earlier class has taken. Where
    few samples are predicted as a class, or none, its share is made of those that nearly are; so
    every share is full. Labelled samples are not used.

    Parameters
    ----------
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the order in which the classes take their shares. None is the order of `classes_`, as
        published. In batches that C does not divide, the first classes have one sample more than
        the others, and of a batch of fewer than C only they have any.

    References
    ----------
    Active learning at the ImageNet scale, arXiv 2111.12880; its published code has d_ŷ for the
    samples that are predicted as c.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import BASE, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> BASE().select(clf, X[100:], n_instances=20).indices.shape
    (20,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
    }

    _with_work: ClassVar[str | None] = "exact"

    def __init__(
        self, *, batch_size: int = 256, device: Any = None, random_state: Any = None
    ) -> None:
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        distances = by_blocks(
            partial(self._distances, estimator), Pool.of(X_pool), self.batch_size, self
        )
        order = np.arange(distances.shape[1])
        if self.random_state is not None:
            order = generator(self.random_state, self).permutation(order)
        return nearest_per_class(distances, n_instances, order=order)

    def _distances(self, estimator: Any, pool: Pool) -> np.ndarray:
        network = PoolNetwork(estimator, self, self.device)
        network.check(pool)
        with counted(self, network.samples(pool)) as samples:
            found = head_inputs(network.module, samples, batch_size=self.batch_size)
        return boundary_distances(found.logits, found.weight).cpu().numpy()
