"""Greedy selection by joint mutual information: BatchBALD."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from skactive._batches import as_tensor
from skactive._device import HALF
from skactive._rng import seed_sequence
from skactive._validation import check_count, invalid
from skactive.selection._equal_rows import first_equal
from skactive.selection._picks import Picks

_OWNER = "batch_bald"

# Intermediate results have about this many numbers: on a CPU, what its caches hold.
_BLOCK, _BLOCK_ON_CPU = 2**25, 2**19
# Number of candidates looked at first; then twice that number, and so on.
_FIRST = 32


def batch_bald(
    log_probs: Any, n: int, *, n_configurations: int = 40_000, random_state: Any = None
) -> Picks:
    """Pick the samples whose labels together reveal most about the parameters.

    Greedily maximises the mutual information I(y_1, …, y_n; θ) between the labels of the batch and
    the parameters, of which there are T draws θ_t, equally likely. What x adds to samples picked
    before is

        I(y; θ | y_1, …, y_m) = H(y | y_1, …, y_m) − (1/T) Σ_t H(y | θ_t).

    The first term is an average over configurations of the labels y_1, …, y_m: over all of them
    while these are at most `n_configurations`, and beyond that over that number drawn at random,
    the same number from each θ_t. What a sample adds can only shrink as the batch grows, so that a
    step looks again only at samples that added enough when last looked at. Where configurations are
    drawn this holds up to the error of the draw.

    Parameters
    ----------
    log_probs : array or tensor of shape (N, T, C)
        log p(y = c | x, θ_t), normalised over c. In each draw all samples must have seen the same
        θ_t: for dropout, the same masks.
    n : int
        The size of the batch.
    n_configurations : int, default=40_000
        Number of configurations enumerated or drawn; 40,000 in the authors' code.
    random_state : int, RandomState, Generator or None, default=None
        Draws the configurations.

    Returns
    -------
    Picks
        Positions, and gains in nats, which sum to the mutual information of the batch. Equal gains
        go to the lower position.

    Raises
    ------
    InvalidParameterError
        If `log_probs` are not logarithms of distributions, or a count is out of range.

    Notes
    -----
    T draws reveal at most log T nats. Where the gains have summed up to that, rounding picks the
    rest of the batch. A sample that is looked at costs O(n_configurations · T · C); memory beyond
    `log_probs` is a few times n_configurations · T numbers, and blocks of bounded size.

    References
    ----------
    .. [1] BatchBALD, arXiv 1906.08158, section 3 and algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import batch_bald
    >>> a, b = [0.9, 0.1], [0.1, 0.9]
    >>> one, other = [a, a, b, b], [a, b, a, b]
    >>> picks = batch_bald(np.log([one, one, other]), 2)
    >>> picks.indices  # not 1, which reveals what 0 reveals
    array([0, 2])
    >>> picks.gains.round(3)
    array([0.368, 0.368])
    """
    log_p = check_log_probs("log_probs", log_probs, _OWNER)
    N = len(log_p)
    n = check_count("n", _OWNER, n, high=N, high_is="the samples")
    n_configurations = check_count("n_configurations", _OWNER, n_configurations)
    seed = seed_sequence(random_state, _OWNER).generate_state(1)[0]
    draw = torch.Generator().manual_seed(int(seed))
    conditional = _conditional_entropies(log_p)
    equal = 64 * torch.finfo(log_p.dtype).eps
    bounds = torch.full_like(conditional, torch.inf)
    first = first_equal(log_p)  # copies add what the first of them does
    picked: list[int] = []
    gains: list[float] = []
    configurations: Configurations | Draws = Configurations.of_nothing(log_p)
    for _ in range(n):
        order = bounds.argsort(descending=True, stable=True)
        seen, step, best = 0, N if not picked else _FIRST, -torch.inf
        while seen < N - len(picked) and float(bounds[order[seen]]) >= best - equal:
            some = order[seen : min(seen + step, N - len(picked))]
            different, which = first[some].unique(return_inverse=True)
            if len(different) == len(some):
                different, which = some, slice(None)
            added = configurations.entropies(log_p, different) - conditional[different]
            bounds[some] = added[which]
            best = max(best, float(bounds[some].max()))
            seen, step = seen + len(some), 2 * step
        looked_at = order[:seen]
        pick = int(looked_at[bounds[looked_at] >= best - equal].min())
        picked.append(pick)
        gains.append(float(bounds[pick]))
        bounds[pick] = -torch.inf
        if len(picked) < n:
            configurations = configurations.with_label_of(log_p, picked, n_configurations, draw)
    return Picks(np.array(picked, dtype=np.int64), np.array(gains))


class Configurations:
    """All configurations of the labels of the samples picked, with their probabilities.

    Parameters
    ----------
    probability : torch.Tensor of shape (S,)
        p(y_1, …, y_m) of each; those of probability 0 are left out.
    posterior : torch.Tensor of shape (S, T)
        p(θ_t | y_1, …, y_m).
    """

    def __init__(self, probability: Tensor, posterior: Tensor) -> None:
        self.probability, self.posterior = probability, posterior

    @classmethod
    def of_nothing(cls, log_p: Tensor) -> Configurations:
        """Return the one configuration of no labels."""
        T = log_p.shape[1]
        return cls(log_p.new_ones(1), log_p.new_full((1, T), 1 / T))

    def entropies(self, log_p: Tensor, index: Tensor) -> Tensor:
        """Return H(y | y_1, …, y_m) of some samples, of shape (len(index),)."""
        (S, T), C = self.posterior.shape, log_p.shape[2]
        block = _BLOCK_ON_CPU if log_p.device.type == "cpu" else _BLOCK
        rows = min(S, max(1, block // (16 * C)))
        columns = max(1, block // (max(rows, T) * C))
        tiny = torch.finfo(log_p.dtype).tiny
        out = log_p.new_empty(len(index))
        for start in range(0, len(index), columns):
            here = slice(start, start + columns)
            p = log_p[index[here]].exp().transpose(0, 1).reshape(T, -1)  # (T, n·C)
            total = p.new_zeros(p.shape[1])
            for first in range(0, S, rows):
                some = slice(first, first + rows)
                given = (self.posterior[some] @ p).clamp_min_(tiny)  # p(y | y_1, …, y_m)
                total -= self.probability[some] @ given.log().mul_(given)
            out[here] = total.view(-1, C).sum(1)
        return out

    def with_label_of(
        self, log_p: Tensor, picked: list[int], n_configurations: int, draw: torch.Generator
    ) -> Configurations | Draws:
        """Return the configurations with the label of the last pick as well."""
        S, C = len(self.posterior), log_p.shape[2]
        if n_configurations < S * C:
            return Draws.of(log_p, picked, n_configurations, draw)
        joint = self.posterior[:, None] * log_p[picked[-1]].exp().T  # (S, C, T)
        mass = joint.sum(2)
        there = mass > 0
        return Configurations(
            (self.probability[:, None] * mass)[there], joint[there] / mass[there][:, None]
        )


class Draws(Configurations):
    """Configurations drawn at random, the same number from each draw of the parameters.

    Parameters
    ----------
    origin : torch.Tensor of int64, of shape (S,)
        The θ_t that each is drawn from.
    log_likelihood : torch.Tensor of shape (S, T)
        log p(y_1, …, y_m | θ_t).
    """

    def __init__(self, origin: Tensor, log_likelihood: Tensor) -> None:
        S = len(origin)
        super().__init__(log_likelihood.new_full((S,), 1 / S), log_likelihood.softmax(1))
        self.origin, self.log_likelihood = origin, log_likelihood

    @classmethod
    def of(
        cls, log_p: Tensor, picked: list[int], n_configurations: int, draw: torch.Generator
    ) -> Draws:
        """Draw about n_configurations configurations of the labels of the samples picked."""
        T = log_p.shape[1]
        origin = torch.arange(T, device=log_p.device).repeat_interleave(
            max(1, n_configurations // T)
        )
        draws = cls(origin, log_p.new_zeros(len(origin), T))
        for i in range(len(picked)):
            draws = draws.with_label_of(log_p, picked[: i + 1], n_configurations, draw)
        return draws

    def with_label_of(
        self, log_p: Tensor, picked: list[int], n_configurations: int, draw: torch.Generator
    ) -> Draws:
        """Return the same draws with a label of the last pick as well, from the same θ_t."""
        own = log_p[picked[-1]]  # (T, C)
        p = own.cpu().double()  # on the CPU: the same labels on every device
        per_draw = len(self.origin) // len(p)
        labels = torch.multinomial(p.exp(), per_draw, replacement=True, generator=draw)  # (T, S/T)
        labels = labels.flatten().to(own.device)
        return Draws(self.origin, self.log_likelihood + own.T[labels])


def check_log_probs(name: str, given: Any, owner: str) -> Tensor:
    """Return T distributions of each of N samples as a tensor (N, T, C), or raise.

    In halves, entropies would lose the digits that tell samples apart: they become float32, and
    their sums over C are 1 again.
    """
    log_p = as_tensor(given)
    must = "logarithms of distributions, floats of shape (N, T, C) that sum to 1 over C"
    if log_p.ndim != 3 or not log_p.is_floating_point() or min(log_p.shape) < 1:
        raise invalid(name, owner, must, given)
    half = log_p.dtype in HALF
    # Rounding by ε changes their sum by at most ε H, and H is at most log C.
    tolerance = max(1e-3, torch.finfo(log_p.dtype).eps * math.log(log_p.shape[2]))
    log_p = log_p.float() if half else log_p
    for part in log_p.split(max(1, _BLOCK_ON_CPU // log_p[0].numel())):
        if not bool((part.logsumexp(2).abs() < tolerance).all()):
            raise invalid(name, owner, must, given, "Pass what log_softmax returns.")
    return log_p.log_softmax(2) if half else log_p


def _conditional_entropies(log_p: Annotated[Tensor, "N T C"]) -> Annotated[Tensor, "N"]:
    """(1/T) Σ_t H(y | θ_t) of each sample, (N,)."""
    parts = log_p.split(max(1, _BLOCK_ON_CPU // log_p[0].numel()))
    return torch.cat([torch.special.entr(part.exp()).sum(2).mean(1) for part in parts])
