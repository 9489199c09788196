"""Strategies that read embeddings and predicted probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._batches import n_rows
from skactive._pool import Pool, pools_of
from skactive.gradients import head_inputs
from skactive.strategies.base._embeddings import EmbeddingStrategy, normalized
from skactive.strategies.base._learner import check_two_classes
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._probabilities import average_log_probabilities
from skactive.strategies.base._progress import counted


@dataclass(frozen=True)
class Read:
    """What is known of some samples.

    Parameters
    ----------
    rows : Tensor of shape (n, D)
        Embeddings.
    log_p : ndarray of shape (n, C)
        Log-probabilities, in float64.
    """

    rows: Tensor
    log_p: np.ndarray

    def __len__(self) -> int:
        return len(self.log_p)


class EmbeddedPredictions(EmbeddingStrategy):
    """Base class of the strategies that read embeddings and the network's probabilities.

    Both come from one pass of the network; where embeddings come from elsewhere, from a pass each,
    and the probabilities of a Committee are then averaged.
    """

    def _embed_and_predict(
        self, estimator: Any, X_pool: Any, X_labelled: Any, *, normalize: bool = False
    ) -> tuple[Read, Read | None]:
        """Return what is known of the pool, and of the labelled samples if there are any."""
        if X_labelled is not None and not n_rows(X_labelled):
            X_labelled = None
        pools = pools_of(X_pool, X_labelled)
        if self.embeddings is None and pools[0].embeddings is None:
            found = self._by_one_pass(estimator, pools)
        else:
            rows = self._read(estimator, X_pool, X_labelled)
            found = [
                Read(own, self._predict(estimator, pool))
                for own, pool in zip(rows, pools, strict=False)
                if own is not None
            ]
        if normalize:
            found = [Read(normalized(read.rows), read.log_p) for read in found]
        return found[0], found[1] if len(found) > 1 else None

    def _by_one_pass(self, estimator: Any, pools: list[Pool]) -> list[Read]:
        network = PoolNetwork(estimator, self, self.device)
        network.check(pools[0])
        with counted(self, network.samples(*pools)) as samples:
            found = head_inputs(network.module, samples, batch_size=self.batch_size)
        log_p = torch.log_softmax(found.logits.to("cpu", torch.float64), 1).numpy()
        ends = np.cumsum([0, *map(len, pools)])
        return [Read(found.inputs[a:b], log_p[a:b]) for a, b in pairwise(ends)]

    def _predict(self, estimator: Any, pool: Pool) -> np.ndarray:
        log_p = average_log_probabilities(estimator, pool, self.batch_size, self.device, self)
        check_two_classes(log_p.shape[1], self)
        return log_p
