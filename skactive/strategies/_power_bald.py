"""PowerBALD: samples drawn in proportion to a power of BALD's utility."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skactive.strategies.base._monte_carlo import MonteCarloUtility, mutual_information


class PowerBALD(MonteCarloUtility):
    """Draw a batch at random, the samples of high mutual information with high probability.

    The samples are ranked by β log I + ε, with I the mutual information of `BALD` and ε independent
    standard Gumbel noise. Taking the highest is drawing one after the other, without replacement,
    in proportion to I^β: the best samples by BALD are much alike, and a random choice among the
    good ones is not. The utilities are the numbers ranked.

    Parameters
    ----------
    beta : float, default=1.0
        β, above 0: the higher, the closer to `BALD`, the lower, the closer to `Random`.
    n_passes : int, default=100
        T, at least 2. Has no effect with several estimators.
    batch_size : int, default=256
        Samples per forward pass; the result does not depend on it.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the masks and the noise, and breaks exact ties; None draws afresh at each call.

    References
    ----------
    Stochastic batch acquisition, arXiv 2106.12059, the power acquisition function, β = 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, PowerBALD
    >>> X, y = load_digits(return_X_y=True)
    >>> members = [CNNClassifier(max_epochs=5, random_state=i) for i in range(3)]
    >>> members = [member.fit(X[:100], y[:100]) for member in members]
    >>> PowerBALD().select(members, X[100:], n_instances=5).indices.shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **MonteCarloUtility._parameter_constraints,
        "beta": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        beta: float = 1.0,
        n_passes: int = 100,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_passes=n_passes, batch_size=batch_size, device=device, random_state=random_state
        )
        self.beta = beta

    def _utilities(self, log_p: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return self.beta * np.log(mutual_information(log_p))

    def _final(self, utilities: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        return utilities + draw.gumbel(size=len(utilities))
