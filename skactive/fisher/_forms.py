"""Which form the information of a batch takes, by the factors that it is made from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from skactive._validation import Description, invalid
from skactive.fisher._block_factors import BlockFactors
from skactive.fisher._blocks import BlockCurvature
from skactive.fisher._curvature import Curvature
from skactive.fisher._factors import FisherFactors, Information
from skactive.fisher._full import FullCurvature
from skactive.fisher._separate import SeparateCurvature, SeparateFactors

# regularization="auto" is this multiple of tr(I_T)/k. It is no result of runs that compare
# multiples: at 1 the prior counts as much as the mean of the information that it stands beside.
AUTO = 1.0

# Takes I_T, the labelled samples' information or None, their number, that of picks, and λ.
Start = Callable[[Information, Information | None, int, int, float], Curvature]


def curvature_of(V: FisherFactors) -> Start:
    """Return what begins a selection from factors of this kind, given their `information`."""
    parts = V.parts if isinstance(V, SeparateFactors) else [V]
    kinds = [BlockCurvature if isinstance(part, BlockFactors) else FullCurvature for part in parts]

    def start(
        I_T: Information, labelled: Information | None, n_L: int, n: int, regularization: float
    ) -> Curvature:
        sums = (None,) * len(I_T) if labelled is None else labelled
        each = [
            kind(of_target, of_labels, n_L, n, regularization)
            for kind, of_target, of_labels in zip(kinds, I_T, sums, strict=True)
        ]
        return SeparateCurvature(each) if isinstance(V, SeparateFactors) else each[0]

    return start


def trace_of(information: Information) -> Tensor:
    """Return the sum of all diagonals."""
    diagonals = [one.diagonal(dim1=-2, dim2=-1).sum() for one in information]
    return torch.stack(diagonals).sum()


def regularization_of(given: float | None, trace: Tensor, k: int) -> float:
    """Return λ: the one given, or `AUTO` times the mean eigenvalue of I_T, where that is not 0."""
    if given is not None:
        return given
    mean = float(trace) / k
    return AUTO * mean if mean > 0 else 1.0


def check_whole(V: FisherFactors, parameter: str, owner: object) -> None:
    """Raise where factors are in blocks, which have no directions between them."""
    if isinstance(V, (BlockFactors, SeparateFactors)):
        must = "None with factors in blocks"
        remedy = "Blocks save what it saves; take one of the two."
        raise invalid(parameter, owner, must, Description("a number of directions"), remedy)
