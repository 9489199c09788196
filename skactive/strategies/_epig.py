"""EPIG: what a label would reveal about the labels of target samples."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive._pool import Pool
from skactive._rng import seed_sequence
from skactive.selection import predictive_information
from skactive.strategies.base._monte_carlo import MonteCarloStrategy
from skactive.strategies.base._query_strategy import Selection
from skactive.strategies.base._ranking import highest
from skactive.strategies.base._subset import some_positions


class EPIG(MonteCarloStrategy):
    """Choose the samples whose labels would tell most about what will be predicted.

    The expected predictive information gain of a sample x is the mutual information of its label
    with the label of a target sample x*, averaged over the targets,

        EPIG(x) = E_x* Σ_y Σ_y* p(y, y*) log [p(y, y*) / (p̄(y) p̄(y*))],

    with p(y, y*) = (1/T) Σ_t p_t(y|x) p_t(y*|x*) over T draws of the network, in nats, from 0 to
    log C. `BALD` also counts what a label would reveal about weights that no prediction depends on:
    it likes odd samples, and this does not. The draws are passes of a network with its dropout on,
    with the same masks for all samples and targets in a pass; or the members of a Committee, or of
    a list of fitted estimators given to `select`, each as it predicts.

    Parameters
    ----------
    n_targets : int or None, default=100
        Number of target samples, drawn from `X_target` where `select(…, X_target=…)`, or a
        learner's `query(…, X_target=…)`, is given some, otherwise from the pool. None is all of
        them. Unlabelled samples like those to be predicted are what to pass.
    n_passes : int, default=100
        T, at least 2. Has no effect with several estimators.
    batch_size : int, default=256
        Samples per forward pass; up to rounding the result does not depend on it.
    device : str, torch.device or None, default=None
        Where to compute the predictions; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the masks and the targets, and breaks exact ties; None draws afresh at each call.

    Notes
    -----
    With M targets the cost is O(N·M·C²·T) beside the passes. M·T·C probabilities are kept, and
    joint tables in tiles of 2 MB.

    References
    ----------
    EPIG, arXiv 2304.08151, section 4; its code draws 100 targets.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, EPIG
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0, module_params={"dropout": 0.5})
    >>> clf = clf.fit(X[:100], y[:100])
    >>> query = EPIG(n_passes=10, random_state=0)
    >>> query.select(clf, X[100:1000], n_instances=5, X_target=X[1000:]).indices.shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **MonteCarloStrategy._parameter_constraints,
        "n_targets": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        n_targets: int | None = 100,
        n_passes: int = 100,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_passes=n_passes, batch_size=batch_size, device=device, random_state=random_state
        )
        self.n_targets = n_targets

    def choose(
        self,
        estimator: Any,
        X_pool: Any,
        n_instances: int,
        X_labelled: Any,
        y_labelled: Any,
        X_target: Any = None,
    ) -> Selection:
        masks, other, ties = seed_sequence(self.random_state, self).spawn(3)
        pool = Pool.of(X_pool)
        target = pool if X_target is None else Pool.of(X_target, "X_target")
        some = some_positions(len(target), self.n_targets, np.random.default_rng(other))
        utilities, parts = np.empty(len(pool)), []

        def keep(_: slice, log_p: np.ndarray) -> None:
            parts.append(log_p.swapaxes(0, 1))

        def value(block: slice, log_p: np.ndarray) -> None:
            utilities[block] = predictive_information(log_p.swapaxes(0, 1), targets)

        self._read(estimator, target.part(some), masks, keep)
        targets = np.concatenate(parts)
        self._read(estimator, pool, masks, value)
        return highest(utilities, n_instances, np.random.default_rng(ties))
