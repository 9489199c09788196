"""FALCUN: draws by uncertainty, away from what was drawn, in the space of probabilities."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive.selection import Picks, falcun
from skactive.strategies.base._probabilities import ProbabilityReader


class FALCUN(ProbabilityReader):
    """Draw samples that are uncertain, and predicted otherwise than those drawn before.

    The uncertainty is u = 1 − (p₁ − p₂), of the two largest probabilities. The distance d of a
    sample is u at first, then the smallest ‖p − p'‖₁ to a sample of the batch, where that is
    below u; scaled to d̂ from 0 to 1 over the samples that are left. One after the other is drawn
    with probability proportional to (u + d̂)^gamma. No embedding is read: the cost of a pick is that
    of C differences per sample. Labelled samples are not used.

    Parameters
    ----------
    gamma : float, default=10.0
        At least 0, which draws uniformly; the larger, the surer the most relevant are.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute the probabilities; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws.

    References
    ----------
    S. Gilhuber, A. Beer, Y. Ma and T. Seidl, FALCUN: a simple and efficient deep active learning
    strategy, ECML PKDD 2024. The scaling of d is that of the published code: anew at each draw,
    from distances that stay as they are, over the samples that are left, and before the first draw,
    too. scikit-activeml scales the scaled distances again, those of drawn samples among them.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, FALCUN
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> FALCUN(random_state=0).select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **ProbabilityReader._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        gamma: float = 10.0,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(batch_size=batch_size, device=device, random_state=random_state)
        self.gamma = gamma

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        p = np.exp(self._read(estimator, X_pool))
        return falcun(p, n_instances, gamma=self.gamma, random_state=self.random_state)
