"""Factors as they are."""

from __future__ import annotations

import torch
from torch import Tensor

from skactive._device import HALF, NO_FLOAT64
from skactive._validation import invalid
from skactive.fisher._factors import FisherFactors, as_held, cut


class DenseFactors(FisherFactors):
    """V as it is.

    Parameters
    ----------
    values : torch.Tensor of shape (N, C, k)
        V.

    Examples
    --------
    >>> import torch
    >>> factors = DenseFactors(torch.tensor([[[1.0, 2.0]], [[0.0, 1.0]]]))
    >>> factors.shape
    (2, 1, 2)
    >>> factors.gram()
    tensor([[1., 2.],
            [2., 5.]], dtype=torch.float64)
    """

    def __init__(self, values: Tensor) -> None:
        if not isinstance(values, Tensor) or values.ndim != 3 or not values.is_floating_point():
            raise invalid("values", self, "a floating-point tensor of shape (N, C, k)", values)
        if values.dtype in HALF or values.device.type in NO_FLOAT64:
            values = as_held(values)
        self.values = values
        n, c, k = values.shape
        self.shape, self.dtype, self.device = (n, c, k), values.dtype, values.device

    @property
    def numbers_each(self) -> int:
        return self.shape[1] * self.shape[2]

    def take(self, index: Tensor | slice) -> DenseFactors:
        return DenseFactors(self.values[index])

    def double(self) -> DenseFactors:
        return DenseFactors(self.values.double())

    def matmul(self, M: Tensor) -> Tensor:
        return self.values @ M

    def tmatmul(self, T: Tensor) -> Tensor:
        return self.values.flatten(0, 1).T @ T.flatten(0, 1)

    def contract(self, T: Tensor) -> Tensor:
        return T @ self.values.mT

    def quadratic(self, *W: Tensor) -> Tensor:
        n, C, k = self.shape
        out = self.values.new_empty(n, C, len(W), C)
        for block in cut(n, C * k):
            values = self.values[block]
            for i, one in enumerate(W):
                out[block][:, :, i] = torch.bmm(values @ one, values.mT)
        return out.flatten(2)

    def dense(self) -> Tensor:
        return self.values

    def _add_gram(self, weights: Tensor, total: Tensor) -> None:
        rows = self.values.flatten(0, 1)
        total.addmm_(rows.T, (self.values * weights[:, None, None]).flatten(0, 1))
