"""Memory that a greedy selection by Fisher information takes, and what fits in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch

from skactive._memory import free_memory
from skactive._validation import Description, invalid, owner_name
from skactive.exceptions import TwoStageWarning
from skactive.fisher._components import ALL_UP_TO, MORE
from skactive.fisher._factors import FisherFactors

# k × k matrices in float64, or blocks in their place, that a greedy selection by Fisher information
# holds at once, at most: in the set-up, I_U, the labelled samples' information, W, Q, and two
# intermediate results.
_MATRICES = 6
# The part of the free memory that is used where no bound is given.
_OF_FREE_MEMORY = 0.8


def matrix_bytes(k: int) -> int:
    """Return how much memory the k × k matrices of `greedy_fisher` take at once, in bytes."""
    return _MATRICES * 8 * k**2


def directions_bytes(k: int, m: int) -> int:
    """Return how much memory the top m directions take while they are found, in bytes."""
    return 8 * (k**2 * 3 if k <= ALL_UP_TO else 4 * k * (m + MORE))


def information_bytes(factors: FisherFactors) -> int:
    """Return how much memory the information takes at once in the form of these factors."""
    return _MATRICES * 8 * factors.information_numbers


def sample_bytes(factors: FisherFactors) -> int:
    """Return how much memory a sample takes in `greedy_fisher`, in bytes: V, A and B.

    Three times as much where factors in float32 are too ill-scaled, and are converted to float64.
    """
    return (factors.numbers_each + factors.state_each) * factors.dtype.itemsize


@dataclass(frozen=True)
class Room:
    """Memory for a selection: how many samples' factors may be held at once.

    Parameters
    ----------
    owner : object
        Who has the parameters `max_memory`, `fraction`, `n_parameters` and `subset`, for messages.
    max_memory : float or None
        Bytes that the selection may take; None is most of what is free.
    device : torch.device
        Where the factors are.
    """

    owner: object
    max_memory: float | None
    device: torch.device

    def block_size(
        self,
        k: int,
        n_classes: int,
        n: int,
        n_picks: int,
        of_one: Callable[[], FisherFactors],
        in_blocks: bool = False,
    ) -> int:
        """Return the number of samples whose factors may be held at once.

        Parameters
        ----------
        k, n_classes, n, n_picks : int
            Sizes: parameters in the mask, classes, samples to pick from, samples to pick.
        of_one : callable
            Returns the factors of one sample. Called only where memory might not do.
        in_blocks : bool, default=False
            Whether the information is held in blocks, and not whole.

        Returns
        -------
        int
            From n_picks to n.

        Raises
        ------
        InvalidParameterError
            If there is no room for the samples that are picked.

        Warns
        -----
        TwoStageWarning
            If there is no room for all.
        """
        memory, given = self._given()
        one = of_one() if in_blocks else None
        matrices = matrix_bytes(k) if one is None else information_bytes(one)
        left = memory - matrices
        if left <= 0:
            raise self._too_little_for_matrices(k, matrices, given)
        if n * 8 * (n_classes * k + k + 5 * n_classes**2) <= left:
            return n  # enough even if nothing is structured
        each = sample_bytes(of_one() if one is None else one)
        size = int(left // each)
        if size < n_picks:
            raise self._too_little_for_picks(k, n_picks, matrices + n_picks * each, given)
        if size < n:
            self._warn(f"{n} samples", k, matrices + n * each, given, -(-n // size))
        return min(size, n)

    def block_size_on_components(
        self, k: int, m: int, n: int, of_one: Callable[[], FisherFactors]
    ) -> int:
        """Return the number of samples whose factors may be held beside those on m directions.

        Parameters
        ----------
        k, m, n : int
            Sizes: parameters in the mask, directions, samples in all.
        of_one : callable
            Returns the factors of one sample.

        Returns
        -------
        int
            From m to n, or n if that is fewer.

        Raises
        ------
        InvalidParameterError
            If there is no room for all samples on the directions.
        """
        memory, given = self._given()
        V = of_one()
        m = min(m, k)
        _, C, _ = V.shape
        narrow = (C * m + V.state_each) * V.dtype.itemsize
        least = min(m, n) * V.numbers_each * V.dtype.itemsize
        needed = matrix_bytes(m) + directions_bytes(k, m) + n * narrow
        if memory < needed + least:
            must = (
                f"at least {_gigabytes(needed + least)}, for the factors of {n} samples on {m} "
                f"directions of a mask of k = {k} parameters"
            )
            remedy = "Lower components, subset, fraction or n_parameters, or raise max_memory."
            raise invalid("max_memory", self.owner, must, Description(given), remedy)
        return min(n, int((memory - needed) // (V.numbers_each * V.dtype.itemsize)))

    def _given(self) -> tuple[float, str]:
        if self.max_memory is not None:
            return self.max_memory, f"max_memory={self.max_memory!r}"
        memory = _OF_FREE_MEMORY * free_memory(self.device)
        return memory, f"{_gigabytes(memory)}, {_OF_FREE_MEMORY:.0%} of what is free"

    def _too_little_for_matrices(self, k: int, matrices: int, given: str) -> ValueError:
        return invalid(
            "max_memory",
            self.owner,
            f"more than {_gigabytes(matrices)}, which the information on a mask of k = {k} "
            "parameters takes",
            Description(given),
            "Lower fraction or n_parameters, or raise max_memory.",
        )

    def _too_little_for_picks(self, k: int, n_picks: int, needed: int, given: str) -> ValueError:
        return invalid(
            "max_memory",
            self.owner,
            f"at least {_gigabytes(needed)}, for the information on a mask of k = {k} parameters "
            f"and the factors of the {n_picks} samples that are picked",
            Description(given),
            "Lower n_instances, fraction or n_parameters, or raise max_memory.",
        )

    def _warn(self, samples: str, k: int, needed: int, given: str, n_blocks: int) -> None:
        warnings.warn(
            f"{owner_name(self.owner)}: {samples} on a mask of k = {k} parameters take "
            f"{_gigabytes(needed)}, and there is {given}. The batch is chosen in two stages, from "
            f"{n_blocks} random blocks and then from what they gave, which takes longer and may "
            "pick other samples. Raise max_memory, or lower subset, fraction or n_parameters, for "
            "a choice in one.",
            TwoStageWarning,
            stacklevel=6,  # from here by block_size, _block_size, choose and select
        )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
