"""What the greedy loop asks of a form of Fisher information."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from skactive.fisher._factors import FisherFactors

# What is kept of each sample, in one or more tensors whose first axis is that of the samples.
State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Exact:
    """The gains of a few samples in float64, and what `Curvature.change` needs of each.

    Attributes
    ----------
    gains : torch.Tensor of shape (n,)
        By how much each would lower the objective.
    parts : tuple of torch.Tensor
        Their first axis is that of the samples.
    """

    gains: Tensor
    parts: State

    def at(self, i: int) -> Exact:
        """Return that of one sample."""
        return Exact(self.gains[i], tuple(part[i] for part in self.parts))


@dataclass(frozen=True)
class Change:
    """How the information of the batch changed: by +1 or −1 sample.

    Attributes
    ----------
    sign : float
        +1 where a sample was added, −1 where one was removed.
    parts : tuple of torch.Tensor
        What `Curvature.update` needs to bring a state up to date.
    """

    sign: float
    parts: tuple[Tensor, ...]


class Curvature(ABC):
    """The information M of a batch that grows or shrinks, W = M⁻¹, and the objective tr(W I_T).

    One object has one form of M: the whole matrix, or some blocks of it. The greedy loop asks it
    for a state of all samples, brings that up to date after each pick, and reads the gains from it.

    Attributes
    ----------
    n_state, n_exact : int
        Number of tensors in a state, and of those in the `parts` of an `Exact`.
    """

    n_state: int
    n_exact: int

    @abstractmethod
    def copy(self) -> Curvature:
        """Return a copy that can go another way from here."""

    @abstractmethod
    def blocks(self, V: FisherFactors) -> list[slice]:
        """Cut samples into blocks whose states stay in the cache from `update` to `gains`."""

    @abstractmethod
    def start(self, V: FisherFactors) -> State:
        """Compute the state of samples from M as it is now, in the precision of the factors."""

    @abstractmethod
    def update(self, V: FisherFactors, state: State, change: Change) -> None:
        """Bring the state of samples up to date, in place."""

    @abstractmethod
    def gains(
        self, state: State, sign: float = 1.0
    ) -> tuple[Annotated[Tensor, "N"], Annotated[Tensor, "N"]]:
        """Return by how much each sample would lower the objective, and whether that is sound.

        With sign −1, by how much its removal would raise the objective.
        """

    @abstractmethod
    def exact(self, V: FisherFactors) -> Exact:
        """Compute the gains of a few samples in float64."""

    @abstractmethod
    def change(self, exact: Exact, sign: float) -> Change:
        """Add (sign +1) or remove (−1) the one sample that `exact` is of."""
