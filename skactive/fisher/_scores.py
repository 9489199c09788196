"""The states and gains of all samples, kept up to date."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skactive.fisher._curvature import Change, Curvature, Exact, State
from skactive.fisher._factors import FisherFactors

_EXACT_AT_ONCE = 64


class Scores:
    """What each sample would add to the batch.

    Parameters
    ----------
    V : FisherFactors of N samples
        Their factors.
    left : torch.Tensor of bool, of shape (N,)
        Which may still be picked.
    curvature : Curvature
        What the batch is worth so far; it is moved on by whoever picks.

    Attributes
    ----------
    gains : torch.Tensor of shape (N,)
        In the factors' precision.
    sound : bool
        Whether none had to be computed exactly when they last were brought up to date.
    error : float
        By how much gains have been found to err since they were computed anew; inf if not known.
    n_refreshes : int
        How often all were computed anew, not counting the first time.
    """

    def __init__(self, V: FisherFactors, left: Tensor, curvature: Curvature) -> None:
        self.V, self.left, self._curvature = V, left, curvature
        self.n_refreshes = -1  # the first time is not counted
        self.refresh()

    def refresh(self) -> None:
        """Compute all anew."""
        self.n_refreshes += 1
        self._state: State = ()  # so that the old one is gone before the new one is made
        self._blocks = [(block, self.V.take(block)) for block in self._curvature.blocks(self.V)]
        self._state = self._curvature.start(self.V)
        self.gains, self.sound = self._state[0].new_empty(len(self.V)), True
        self.error = np.inf
        for block, _ in self._blocks:
            self._score(block)

    def double(self) -> None:
        """Go on in float64."""
        self.V, self._blocks = self.V.double(), []
        self.refresh()

    def update(self, change: Change) -> None:
        """Bring all up to date after a pick."""
        parts = tuple(part.to(self.V.dtype) for part in change.parts)
        change, self.sound = Change(change.sign, parts), True
        for block, some in self._blocks:
            self._curvature.update(some, self._part(block), change)
            self._score(block)

    def exact(self, index: Tensor) -> Exact:
        """Compute a few in float64."""
        return self._curvature.exact(self.V.take(index).double())

    def _part(self, block: slice) -> State:
        return tuple(part[block] for part in self._state)

    def _score(self, block: slice) -> None:
        """Compute the gains of some samples from their states; exactly where these are unsound."""
        gains, sound = self._curvature.gains(self._part(block))
        bad = torch.nonzero(~sound & self.left[block]).flatten()
        if len(bad):
            self.sound = False
            for some in bad.split(_EXACT_AT_ONCE):
                exact = self.exact(some + block.start).gains
                exact = exact.clamp(max=torch.finfo(gains.dtype).max)
                gains[some] = exact.to(gains.dtype)
        self.gains[block] = gains
