"""Samples of pools as a network takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._pool import Pool


@dataclass(frozen=True, eq=False)
class Inputs:
    """Samples of some pools, one pool after the other, as a sequence of a network's inputs.

    Nothing is read before it is asked for, batch by batch.

    Parameters
    ----------
    prepare : callable
        Takes a block of samples, their positions in what the user passed, and what that is called;
        returns inputs.
    pools : tuple of Pool
        What holds the samples.
    positions : ndarray of int64
        Which of them, counted through all pools.
    read : callable or None, default=None
        Told at each batch how many have been read.
    """

    prepare: Callable[[Any, np.ndarray, str], Tensor]
    pools: tuple[Pool, ...]
    positions: np.ndarray
    read: Callable[[int], Any] | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def part(self, index: slice | np.ndarray) -> Inputs:
        """Return some of these samples; none of them is read."""
        return replace(self, positions=self.positions[index])

    def __getitem__(self, index: slice | np.ndarray) -> Tensor:
        wanted = self.positions[index]
        blocks, order, start = [], [], 0
        for pool in self.pools:
            stop = start + len(pool.positions)
            here = np.flatnonzero((start <= wanted) & (wanted < stop))
            if len(here):
                rows = wanted[here] - start
                blocks.append(self.prepare(pool[rows], pool.positions[rows], pool.name))
                order.append(here)
            start = stop
        if self.read is not None and isinstance(index, slice):  # not the few samples of a check
            self.read(range(*index.indices(len(self))).stop)
        found = torch.cat(blocks) if len(blocks) > 1 else blocks[0]
        places = np.concatenate(order)
        if (np.diff(places) > 0).all():  # to index, a CUDA device would wait for the index
            return found
        return found[torch.as_tensor(np.argsort(places), device=found.device)]
