"""BatchBALD: the batch whose labels together would reveal most about the network."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval

from skactive._pool import Pool
from skactive._rng import seed_sequence
from skactive.selection import Picks, batch_bald
from skactive.strategies.base._monte_carlo import MonteCarloStrategy


class BatchBALD(MonteCarloStrategy):
    """Choose the batch whose labels together would reveal most about the network.

    Greedily maximises the mutual information I(y_1, …, y_n; θ) between the labels of the batch and
    the network's weights, of which the T draws are those of `BALD`. Samples that reveal the same
    are not both chosen. All draws of one pass are of one network: the same dropout masks for all
    samples, as the joint entropies require.

    Entropies are averaged over the configurations of the labels of earlier picks: exactly, over all
    C^m of them after m picks, while these are at most `n_configurations`; then over that number
    drawn at random. See `skactive.selection.batch_bald`.

    Parameters
    ----------
    n_configurations : int, default=40_000
        Number of label configurations enumerated or drawn; 40,000 in the authors' code.
    n_passes : int, default=100
        T, at least 2. Has no effect with several estimators.
    batch_size : int, default=256
        Samples per forward pass; the result does not depend on it.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the masks and the configurations; None draws afresh at each call.

    Notes
    -----
    T draws reveal at most log T nats, which bounds the sum of the `gains`: a batch that reaches it
    needs more passes. N·T·C probabilities are kept in float32, 200 MB for 50,000 samples, 100
    passes and 10 classes, and a pick costs up to O(N·n_configurations·T·C). On a CPU take fewer of
    each: `Subsample(BatchBALD(n_configurations=5_000), n=5_000)`.

    References
    ----------
    BatchBALD, arXiv 1906.08158, section 3 and algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import BatchBALD, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> members = [CNNClassifier(max_epochs=5, random_state=i) for i in range(3)]
    >>> members = [member.fit(X[:100], y[:100]) for member in members]
    >>> BatchBALD(random_state=0).select(members, X[100:], n_instances=5).indices.shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **MonteCarloStrategy._parameter_constraints,
        "n_configurations": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_configurations: int = 40_000,
        n_passes: int = 100,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_passes=n_passes, batch_size=batch_size, device=device, random_state=random_state
        )
        self.n_configurations = n_configurations

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        masks, labels = seed_sequence(self.random_state, self).spawn(2)
        blocks: list[np.ndarray] = []
        device = self._read(
            estimator,
            Pool.of(X_pool),
            masks,
            lambda _, log_p: blocks.append(log_p.swapaxes(0, 1).astype(np.float32)),
        )
        return batch_bald(
            torch.from_numpy(np.concatenate(blocks)).to(device),
            n_instances,
            n_configurations=self.n_configurations,
            random_state=np.random.default_rng(labels),
        )
