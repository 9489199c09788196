"""Factors of parameters that are kept apart, and the information of a batch on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from skactive._validation import invalid
from skactive.fisher._curvature import Change, Curvature, Exact, State
from skactive.fisher._factors import FisherFactors, Information


class SeparateFactors(FisherFactors):
    """V[n] = diag(V_1[n], V_2[n], …): what each part has with itself, and nothing between them.

    V[n]ᵀ V[n] has the parts' information as blocks on its diagonal. The columns of V are those of
    the parts one after the other, and so are its rows.

    Parameters
    ----------
    parts : sequence of FisherFactors
        Of the same samples; the numbers of their rows may differ.

    Examples
    --------
    >>> import torch
    >>> from skactive.fisher import DenseFactors
    >>> one, other = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[3.0]]])
    >>> SeparateFactors([DenseFactors(one), DenseFactors(other)]).dense()
    tensor([[[1., 2., 0.],
             [0., 0., 3.]]])
    """

    def __init__(self, parts: Sequence[FisherFactors]) -> None:
        alike = {(len(part), part.dtype, part.device) for part in parts}
        if len(alike) != 1:
            must = "factors of the same samples, dtype and device, at least one"
            raise invalid("parts", self, must, list(parts))
        self.parts = list(parts)
        ((N, self.dtype, self.device),) = alike
        self.shape = (N, sum(p.shape[1] for p in parts), sum(p.shape[2] for p in parts))

    @property
    def numbers_each(self) -> int:
        return sum(part.numbers_each for part in self.parts)

    @property
    def state_each(self) -> int:
        return sum(part.state_each for part in self.parts)

    @property
    def information_numbers(self) -> int:
        return sum(part.information_numbers for part in self.parts)

    def take(self, index: Tensor | slice) -> SeparateFactors:
        return SeparateFactors([part.take(index) for part in self.parts])

    def double(self) -> SeparateFactors:
        return SeparateFactors([part.double() for part in self.parts])

    def in_own_order(self) -> SeparateFactors:
        return SeparateFactors([part.in_own_order() for part in self.parts])

    def matmul(self, M: Tensor) -> Tensor:
        return torch.cat([part.matmul(M[at]) for part, _, at in self._places()], 1)

    def tmatmul(self, T: Tensor) -> Tensor:
        return torch.cat([part.tmatmul(T[:, rows]) for part, rows, _ in self._places()])

    def contract(self, T: Tensor) -> Tensor:
        return torch.cat([part.contract(T[:, :, at]) for part, _, at in self._places()], 2)

    def quadratic(self, *W: Tensor) -> Tensor:
        V = self.dense()
        return torch.cat([V @ one @ V.mT for one in W], 2)

    def dense(self) -> Tensor:
        out = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        for part, rows, at in self._places():
            out[:, rows, at] = part.dense()
        return out

    def traces(self) -> Tensor:
        return torch.stack([part.traces() for part in self.parts]).sum(0)

    def _add_gram(self, weights: Tensor, total: Tensor) -> None:
        for part, _, at in self._places():
            own = total.new_zeros(part.shape[2], part.shape[2])
            part._add_gram(weights, own)
            total[at, at] += own

    def information(self, weights: Tensor | None = None) -> Information:
        """Return that of each part, one after the other, in float64."""
        return tuple(one for part in self.parts for one in part.information(weights))

    def _places(self) -> Iterator[tuple[FisherFactors, slice, slice]]:
        """Each part, with its rows and its columns."""
        row = column = 0
        for part in self.parts:
            _, C, k = part.shape
            yield part, slice(row, row + C), slice(column, column + k)
            row, column = row + C, column + k


class SeparateCurvature(Curvature):
    """M of parts that share nothing: the objective and the gains are the sums of theirs.

    Parameters
    ----------
    parts : sequence of Curvature
        One for each part of the factors.
    """

    def __init__(self, parts: Sequence[Curvature]) -> None:
        self._parts = list(parts)
        self.n_state = sum(part.n_state for part in parts)
        self.n_exact = sum(part.n_exact for part in parts)

    def copy(self) -> SeparateCurvature:
        return SeparateCurvature([part.copy() for part in self._parts])

    def blocks(self, V: FisherFactors) -> list[slice]:
        return max((one.blocks(own) for one, own in self._with(V)), key=len)

    def start(self, V: FisherFactors) -> State:
        return tuple(kept for one, own in self._with(V) for kept in one.start(own))

    def update(self, V: FisherFactors, state: State, change: Change) -> None:
        states = self._share_out(state, lambda part: part.n_state)
        for (one, own), kept, moved in zip(self._with(V), states, change.parts, strict=True):
            one.update(own, kept, Change(change.sign, (moved,)))

    def gains(self, state: State, sign: float = 1.0) -> tuple[Tensor, Tensor]:
        states = self._share_out(state, lambda part: part.n_state)
        found = [one.gains(kept, sign) for one, kept in zip(self._parts, states, strict=True)]
        gains, sound = (torch.stack(values) for values in zip(*found, strict=True))
        return gains.sum(0), sound.all(0)

    def exact(self, V: FisherFactors) -> Exact:
        found = [one.exact(own) for one, own in self._with(V)]
        gains = torch.stack([each.gains for each in found]).sum(0)
        return Exact(gains, tuple(part for each in found for part in each.parts))

    def change(self, exact: Exact, sign: float) -> Change:
        of_parts = self._share_out(exact.parts, lambda part: part.n_exact)
        changes = [
            one.change(Exact(exact.gains, own), sign)
            for one, own in zip(self._parts, of_parts, strict=True)
        ]
        return Change(sign, tuple(part for change in changes for part in change.parts))

    def _with(self, V: FisherFactors) -> Iterator[tuple[Curvature, FisherFactors]]:
        assert isinstance(V, SeparateFactors)
        yield from zip(self._parts, V.parts, strict=True)

    def _share_out(self, tensors: State, count: Callable[[Curvature], int]) -> list[State]:
        shares, start = [], 0
        for part in self._parts:
            shares.append(tensors[start : start + count(part)])
            start += count(part)
        return shares
