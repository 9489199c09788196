"""Variation ratio: the share of the network's draws that do not vote for the winning class."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skactive.strategies.base._monte_carlo import MonteCarloUtility, mean_log_probabilities
from skactive.strategies.base._probabilities import split_off_best


class VariationRatio(MonteCarloUtility):
    """Choose the samples on which the fewest draws of the network vote for the winning class.

    The utility is 1 − max_c f_c, with f_c the share of the votes for class c of T draws of the
    predicted distribution: passes of one network with its dropout on, the same masks for all
    samples in a pass, or the members of a Committee, or of a list of fitted estimators given to
    `select`; see `BALD`.

    Parameters
    ----------
    voting : {"soft", "hard"}, default="soft"
        What a draw's vote is: its probabilities, so that f = (1/T) Σ_t p_t, as the paper has it; or
        one vote for its most probable class, the lower one of equals, as the ratio was first
        defined. Hard votes tie often; `random_state` breaks ties.
    n_passes : int, default=100
        T, at least 2. Has no effect with several estimators.
    batch_size : int, default=256
        Samples per forward pass; the result does not depend on it.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the masks, and breaks exact ties; None draws afresh at each call.

    References
    ----------
    MC dropout, arXiv 1703.02910, section 4, "Variation Ratios"; L. C. Freeman, Elementary applied
    statistics, Wiley, 1965, for votes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, VariationRatio
    >>> X, y = load_digits(return_X_y=True)
    >>> members = [CNNClassifier(max_epochs=5, random_state=i) for i in range(3)]
    >>> members = [member.fit(X[:100], y[:100]) for member in members]
    >>> VariationRatio().select(members, X[100:], n_instances=5).indices.shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **MonteCarloUtility._parameter_constraints,
        "voting": [StrOptions({"soft", "hard"})],
    }

    def __init__(
        self,
        *,
        voting: str = "soft",
        n_passes: int = 100,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_passes=n_passes, batch_size=batch_size, device=device, random_state=random_state
        )
        self.voting = voting

    def _utilities(self, log_p: np.ndarray) -> np.ndarray:
        if self.voting == "soft":
            return split_off_best(mean_log_probabilities(log_p))[1]
        T, n, C = log_p.shape
        votes = log_p.argmax(2) + C * np.arange(n)  # (T, n), a range of C numbers per sample
        counts = np.bincount(votes.ravel(), minlength=n * C).reshape(n, C)
        return (T - counts.max(1)) / T
