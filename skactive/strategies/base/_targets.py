"""What strategies by Fisher information aim at: the pool, class shares, or other samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skactive._pool import Pool
from skactive._validation import as_numbers, invalid
from skactive.fisher import target_weights

TARGET_CONSTRAINTS: dict[str, list] = {
    "target": [StrOptions({"pool", "balanced"}), Mapping, "array-like"]
}


@dataclass(frozen=True)
class Parts:
    """Samples to choose from, labelled ones, and those to aim at, one after the other.

    Parameters
    ----------
    candidates : Pool
        What to choose from.
    labelled, target : Pool or None
        None where there are none.
    """

    candidates: Pool
    labelled: Pool | None
    target: Pool | None

    @classmethod
    def of(cls, candidates: Pool, labelled: Sequence[Pool], X_target: Any) -> Parts:
        """Return parts from what `pools_of` returned, and what `select` was given."""
        target = None if X_target is None else Pool.of(X_target, "X_target")
        return cls(candidates, labelled[0] if labelled else None, target)

    @property
    def pools(self) -> list[Pool]:
        """Those that there are."""
        return [part for part in (self.candidates, self.labelled, self.target) if part is not None]

    @property
    def at_candidates(self) -> np.ndarray:
        """Where the candidates are."""
        return np.arange(len(self.candidates))

    @property
    def at_labelled(self) -> np.ndarray:
        """Where the labelled samples are."""
        n = len(self.candidates)
        return np.arange(n, n + (0 if self.labelled is None else len(self.labelled)))

    def name_at(self, position: int) -> str:
        """Return the parameter that a sample comes from."""
        ends = np.cumsum([len(part) for part in self.pools])
        return self.pools[int(np.searchsorted(ends, position, side="right"))].name

    def weights(
        self, owner: Any, classes: np.ndarray, probabilities: Callable[[], np.ndarray]
    ) -> np.ndarray | None:
        """Return how much each sample counts in what the objective averages over.

        Parameters
        ----------
        owner : QueryStrategy
            Has the parameter `target`.
        classes : ndarray of shape (C,)
            The classes that the network knows.
        probabilities : callable
            Returns p of the candidates, (n, C). Called only where it is needed.

        Returns
        -------
        ndarray of shape (N,), or None
            The weights; None where candidates and labelled samples count alike.
        """
        shares = _shares(owner, classes)
        if self.target is not None and shares is not None:
            must = "'pool', the default, where X_target is given"
            raise invalid("target", owner, must, owner.target, "Pass one of the two.")
        if self.target is None and shares is None:
            return None
        weights = np.zeros(sum(map(len, self.pools)))
        if self.target is not None:
            weights[-len(self.target) :] = 1
        else:
            weights[self.at_candidates] = target_weights(probabilities(), shares)
        return weights


def _shares(owner: Any, classes: np.ndarray) -> np.ndarray | None:
    """Return the share of each class, in the order of `classes`; None for the pool's own."""
    target = owner.target
    if isinstance(target, str):
        return None if target == "pool" else np.full(len(classes), 1 / len(classes))
    if hasattr(target, "items"):  # a mapping, or a pandas Series by class
        target = dict(target.items())
        unknown = [label for label in target if label not in set(classes.tolist())]
        if unknown:
            must = f"a mapping from some of the {len(classes)} classes that the network knows"
            raise invalid("target", owner, must, target, f"It does not know {unknown[0]!r}.")
        target = [target.get(label, 0) for label in classes.tolist()]
    shares = as_numbers(target)
    good = shares is not None and shares.shape == (len(classes),) and shares.dtype.kind in "iuf"
    if shares is None or not good or not (np.isfinite(shares) & (shares >= 0)).all():
        shares = None
    if shares is None or not shares.any():
        must = (
            f"'pool', 'balanced', or shares of the {len(classes)} classes: finite numbers of at "
            "least 0, not all of them 0, in an array in the order of classes_ or a mapping"
        )
        raise invalid("target", owner, must, owner.target)
    return shares
