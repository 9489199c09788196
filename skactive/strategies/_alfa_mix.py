"""ALFAMix: a diverse batch of samples that a little of a labelled class makes look otherwise."""

from __future__ import annotations

from math import ceil, sqrt
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skactive._pool import pools_of
from skactive._rng import generator
from skactive.gradients import HeadInputs, head_inputs
from skactive.selection import Picks, mixing_thresholds
from skactive.strategies.base._embeddings import normalized
from skactive.strategies.base._labelled import columns_of_labels
from skactive.strategies.base._nearest import nearest_to_centers
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy


class ALFAMix(QueryStrategy):
    """Choose samples whose prediction changes when a labelled class is mixed in, far apart.

    The embedding h of a sample, the input of the layer that makes the logits, is mixed with the
    mean embedding a of each labelled class, h + α ⊙ (a − h). The shares α that raise the loss under
    the predicted label most have a closed form, see `skactive.selection.mixing_thresholds`: mixing
    moves h by ε‖a − h‖/√D along the gradient of the loss. Candidates are the samples whose
    prediction changes for some class; ε grows in steps of `epsilon` until there are more than n of
    them, or it is 1 or, by less than a step, more. k-means makes n clusters of the candidates'
    embeddings, scaled to norm 1, and the sample nearest to each center is chosen, those of large
    clusters first.

    Labels in `y_labelled` are to be of the kind that the estimator was fitted on; those that it
    does not know count for the mean alone. A class without a label has the mean of all labelled
    samples as its anchor. Where there are fewer candidates than n they are all chosen, and others
    drawn at random; without labelled samples there is nothing to mix in, and the whole batch is.

    Parameters
    ----------
    epsilon : float, default=0.2
        The step of ε, above 0 and at most 1.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is. k-means runs on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Seeds k-means, and draws samples where there are too few candidates.

    References
    ----------
    ALFA-Mix, arXiv 2203.07034. That ε grows is from the published code, whose README has
    steps of 0.2 for the closed form. The code mixes anew at each ε; here the ε at which a sample's
    prediction changes is computed once.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import ALFAMix, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> query = ALFAMix(random_state=0)
    >>> query.select(clf, X[100:], 10, X_labelled=X[:100], y_labelled=y[:100]).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
        "epsilon": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        *,
        epsilon: float = 0.2,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.epsilon = epsilon
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        network = PoolNetwork(estimator, self, self.device)
        pool, *labelled = pools_of(X_pool, X_labelled)
        network.check(pool)
        with counted(self, network.samples(pool, *labelled)) as samples:
            head = head_inputs(network.module, samples, batch_size=self.batch_size)
        draw = generator(self.random_state, self)
        rows = head.inputs[: len(pool)]
        candidates = np.arange(0)
        if labelled:
            columns = None
            if y_labelled is not None:
                columns = columns_of_labels(y_labelled, network.classes, self)
            anchors = _anchors(head.inputs[len(pool) :], columns, len(network.classes))
            candidates = self._candidates(head, len(pool), anchors, n_instances)
        indices, gains = np.arange(0), np.zeros(n_instances)
        if len(candidates):
            n = min(n_instances, len(candidates))
            found = nearest_to_centers(normalized(rows).cpu().numpy()[candidates], n, draw)
            indices, gains[:n] = candidates[found.indices], found.gains
        rest = np.setdiff1d(np.arange(len(pool)), candidates)
        drawn = draw.choice(rest, n_instances - len(indices), replace=False)
        return Picks(np.concatenate([indices, drawn]), gains)

    def _candidates(self, head: HeadInputs, n_pool: int, anchors: Tensor, n: int) -> np.ndarray:
        """Return the positions of those that change at the first ε with more than n of them."""
        h = head.inputs[:n_pool]
        found = mixing_thresholds(head.logits[:n_pool], h, head.weight, anchors) * sqrt(h.shape[1])
        for step in range(1, ceil(1 / self.epsilon) + 1):
            candidates = np.flatnonzero(found < step * self.epsilon)
            if len(candidates) > n:
                break
        return candidates


def _anchors(h: Tensor, columns: np.ndarray | None, n_classes: int) -> Tensor:
    """Return the mean embedding of each class, (C, D), of all where a class has no label."""
    whole = h.mean(0)
    if columns is None:
        return whole[None]
    at = [torch.as_tensor(np.flatnonzero(columns == c), device=h.device) for c in range(n_classes)]
    return torch.stack([h[some].mean(0) if len(some) else whole for some in at])
