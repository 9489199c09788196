"""Greedy maximum coverage by balls, and the radius at which balls are pure."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skactive._batches import as_tensor
from skactive._rng import generator
from skactive._validation import check_count, invalid, is_number
from skactive.selection._picks import Picks
from skactive.selection._rows import Rows, as_centers, as_matrix, centered, in_enough_digits

_OWNER = "max_coverage"
# Rows of a tile of distances: small enough for a CPU's cache, large enough for a GPU.
_TILE_CPU, _TILE_GPU = 512, 4096
# Rounding of ‖x − y‖², as a multiple of the precision and of ‖x‖² + ‖y‖²; samples are
# taken to be nearer by that much, so that equal ones are in each other's ball of any radius.
_ROUNDING = 64.0
# Samples whose nearest of another group is farther than this multiple of the radius need not be
# compared with other groups; 1, but for rounding.
_SURELY_PURE = 1.01
# A pure radius stays below its limit by this part of it, for the rounding of distances in float64.
_JUST_BELOW = 1e-9


def max_coverage(
    X: Any,
    n: int,
    radius: float,
    *,
    centers: Any = None,
    groups: tuple[Any, Any] | None = None,
    random_state: Any = None,
) -> Picks:
    """Pick samples one by one, each the one whose ball holds the most that are not yet covered.

    x covers x' if ‖x − x'‖ ≤ radius. Equal counts go to the lower position; once everything is
    covered, the rest is drawn at random. Where float32 is too coarse for the radius, distances are
    computed in float64.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        The samples; a tensor is worked on where it is.
    n : int
        Number of samples to pick.
    radius : float
        The radius of the balls, 0 or more, in the units of X.
    centers : array or tensor of shape (L, D) or None, default=None
        Samples outside of X, whose balls are covered already.
    groups : tuple (labels, distances) or None, default=None
        Saves time and changes no pick: a label for each sample, and its distance to the nearest
        sample of another label, from `other_group_distances`. Only samples for which that is
        within the radius are then compared with other groups.
    random_state : int, RandomState, Generator or None, default=None
        Draws what is left to pick when everything is covered.

    Returns
    -------
    Picks
        Distinct positions, and as `gains` the number of samples that each pick newly covered.

    Raises
    ------
    InvalidParameterError
        If X or the centers are not finite rows of one length, or a parameter is out of range.

    References
    ----------
    .. [1] ProbCover, arXiv 2205.11320, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import max_coverage
    >>> X = np.array([[0.0], [1.0], [2.0], [9.0], [9.5]])
    >>> picks = max_coverage(X, 2, radius=1.0)
    >>> picks.indices, picks.gains
    (array([1, 3]), array([3., 2.]))
    """
    values = as_matrix("X", X, _OWNER)
    n = check_count("n", _OWNER, n, high=len(values), high_is="the number of samples")
    if not is_number(radius) or not 0 <= radius < np.inf:
        raise invalid("radius", _OWNER, "a finite number of at least 0", radius)
    radius = float(radius)
    values = in_enough_digits(values, radius * radius, _ROUNDING)
    draw = generator(random_state, _OWNER)
    labels, distances = (torch.zeros(len(values)), None) if groups is None else groups
    order, sizes = _by_label(labels, len(values), values.device, _OWNER)
    mean = values.mean(0)
    graph = _Graph(centered(values[order], mean), radius, sizes)
    if distances is not None:
        graph.mix(as_tensor(distances).to(values.device)[order])
    if centers is not None:
        graph.cover_by(centered(as_centers(centers, values, _OWNER), mean))
    graph.count()
    # Of equal counts the lower position first, which need not be the lower of the sorted rows.
    row_of = order.argsort()
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < n:
        counts = graph.degrees[row_of]
        counts[picks] = -1
        best = int(counts.argmax())
        if int(counts[best]) <= 0:
            rest = np.setdiff1d(np.arange(len(values)), picks)
            picks += draw.choice(rest, n - len(picks), replace=False).tolist()
            break
        picks.append(best)
        gains.append(float(counts[best]))
        graph.pick(int(row_of[best]))
    gains += [0.0] * (n - len(gains))
    return Picks(np.array(picks, dtype=np.int64), np.array(gains))


def other_group_distances(X: Any, labels: Any) -> np.ndarray | Tensor:
    """Return each sample's distance to the nearest one that has another label.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        The samples; a tensor is worked on where it is.
    labels : array or tensor of int, of shape (N,)
        One label per sample.

    Returns
    -------
    ndarray or tensor of shape (N,)
        Of the kind of X; infinite where there is only one label. Distances are compared block by
        block, never all in memory. Where float32 does not tell the smallest from 0, they are
        computed in float64.

    Raises
    ------
    InvalidParameterError
        If X is not made of finite rows, or the labels are not one int per row.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import other_group_distances
    >>> other_group_distances(np.array([[0.0], [1.0], [5.0]]), [0, 0, 1])
    array([5., 4., 4.])
    """
    owner = "other_group_distances"
    values = as_matrix("X", X, owner)
    order, sizes = _by_label(labels, len(values), values.device, owner)
    rows = centered(values[order])
    x, half = rows.right, 0.5 * rows.norms
    # the largest ⟨x, y⟩ − ‖x‖²/2 − ‖y‖²/2, which is −‖x − y‖²/2
    highest = torch.full_like(half, -torch.inf)
    bounds = np.cumsum([0, *sizes])
    for start, stop in pairwise(bounds.tolist()):
        for a in _tiles(start, stop, values.device):
            for b in _tiles(stop, len(values), values.device):
                tile = torch.addmm(half[b], x[a], x[b].T, beta=-1).sub_(half[a][:, None])
                torch.maximum(highest[a], tile.amax(1), out=highest[a])
                torch.maximum(highest[b], tile.amax(0), out=highest[b])
    squared = (-2 * highest).clamp_min_(0)
    precise = in_enough_digits(values, float(squared.min()))
    if precise.dtype != values.dtype:
        found = as_tensor(other_group_distances(precise, labels)).to(values.dtype)
    else:
        found = torch.empty_like(squared)
        found[order] = squared.sqrt_()
    return found if isinstance(X, Tensor) else found.numpy()


def purity_radius(distances: Any, alpha: float = 0.95) -> float:
    """Return the largest radius at which a share of at least alpha of all balls is pure.

    A ball is pure if all samples in it have one label: if the radius is below the distance from
    its center to the nearest sample of another label.

    Parameters
    ----------
    distances : array or tensor of shape (N,)
        Those distances, from `other_group_distances`.
    alpha : float, default=0.95
        The share of pure balls, above 0 and at most 1.

    Returns
    -------
    float
        The radius, just below the distance at which one ball too many would hold another label;
        infinity is returned as the largest float.

    Raises
    ------
    InvalidParameterError
        If the distances are not N numbers of 0 or more, or alpha is out of range.

    References
    ----------
    .. [1] ProbCover, arXiv 2205.11320, its estimate of δ.

    Examples
    --------
    >>> from skactive.selection import purity_radius
    >>> round(purity_radius([1.0, 2.0, 3.0, 4.0], alpha=0.75), 6)
    2.0
    """
    owner = "purity_radius"
    values = as_tensor(distances).cpu().double().numpy()
    if values.ndim != 1 or not len(values) or not (values >= 0).all():
        raise invalid("distances", owner, "an array of N numbers of 0 or more", distances)
    if not is_number(alpha) or not 0 < alpha <= 1:
        raise invalid("alpha", owner, "a number above 0 and at most 1", alpha)
    # ⌊(1 − α) N⌋ balls may be impure, in the decimals that were written
    impure = int((1 - Decimal(repr(float(alpha)))) * len(values))
    limit = np.sort(values)[impure]
    return float(min(limit, np.finfo(np.float64).max) * (1 - _JUST_BELOW))


class _Graph:
    """Who covers whom, in rows sorted by group, with the degrees kept up to date.

    Parameters
    ----------
    rows : Rows
        The samples.
    radius : float
        The radius of the balls.
    sizes : list of int
        The sizes of the groups.

    Attributes
    ----------
    degrees : torch.Tensor of int64, of shape (N,)
        Number of rows not yet covered that each row's ball holds.
    """

    def __init__(self, rows: Rows, radius: float, sizes: list[int]) -> None:
        device = rows.right.device
        self._rows, self._radius = rows, radius
        self._slack = _ROUNDING * torch.finfo(rows.right.dtype).eps
        self._half = 0.5 * (1 - self._slack) * rows.norms
        self._bounds = np.cumsum([0, *sizes])
        self._group = torch.repeat_interleave(
            torch.arange(len(sizes), device=device), torch.tensor(sizes, device=device)
        )
        self._covered = torch.zeros_like(self._group, dtype=torch.bool)
        self.degrees = torch.zeros_like(self._group)
        self._mix(torch.full_like(self._covered, len(sizes) > 1))

    def mix(self, distances: Tensor) -> None:
        """Use the distances to the nearest row of another group."""
        rounding = 4 * self._slack * float(self._rows.norms.max())
        self._mix(distances <= math.hypot(_SURELY_PURE * self._radius, rounding**0.5))

    def _mix(self, mixed: Tensor) -> None:
        """Keep which rows may be within the radius of a row of another group."""
        self._is_mixed, self._mixed = mixed, torch.nonzero(mixed).flatten()
        self._mixed_group = self._group[self._mixed]

    def cover_by(self, centers: Rows) -> None:
        """Cover what is in the balls of further centers."""
        half = 0.5 * (1 - self._slack) * centers.norms
        for a in _tiles(0, len(centers), half.device):
            for b in _tiles(0, len(self._rows), half.device):
                near = self._near(centers.right[a], half[a], self._rows.right[b], self._half[b])
                self._covered[b] |= near.any(0)

    def count(self) -> None:
        """Count all degrees, each pair of rows being compared once."""
        uncovered = ~self._covered
        for start, stop in pairwise(self._bounds.tolist()):
            tiles = _tiles(start, stop, uncovered.device)
            for i, a in enumerate(tiles):
                for b in tiles[i:]:
                    near = self._within(a, b)
                    self.degrees[a] += (near & uncovered[b]).sum(1)
                    if a != b:
                        self.degrees[b] += (near & uncovered[a][:, None]).sum(0)
        self._count_across(torch.nonzero(uncovered).flatten(), 1)

    def pick(self, row: int) -> None:
        """Cover a row's ball, and lower the degrees of the rows whose balls held what it holds."""
        this, group = slice(row, row + 1), int(self._group[row])
        own = self._slice(group)
        new = own.start + torch.nonzero(self._within(this, own)[0] & ~self._covered[own]).flatten()
        self._cover(new, group)
        if bool(self._is_mixed[row]):
            others = self._mixed[(self._mixed_group != group) & ~self._covered[self._mixed]]
            beyond = others[self._within(this, others)[0]]
            for group in self._group[beyond].unique().tolist():
                self._cover(beyond[self._group[beyond] == group], group)

    def _cover(self, new: Tensor, group: int) -> None:
        """Cover some rows of one group."""
        self._covered[new] = True
        own, size = self._slice(group), _tile(new.device)
        for few in new.split(size):
            for a in _tiles(own.start, own.stop, new.device):
                self.degrees[a] -= self._within(a, few).sum(1)
        self._count_across(new, -1)

    def _count_across(self, new: Tensor, sign: int) -> None:
        """Count rows of other groups; only mixed ones are near any."""
        new = new[self._is_mixed[new]]
        if not len(new):
            return
        size = _tile(new.device)
        for some, groups in zip(
            self._mixed.split(size), self._mixed_group.split(size), strict=True
        ):
            for few in new.split(size):
                near = self._within(some, few) & (groups[:, None] != self._group[few])
                self.degrees[some] += sign * near.sum(1)

    def _slice(self, group: int) -> slice:
        return slice(int(self._bounds[group]), int(self._bounds[group + 1]))

    def _within(self, a: slice | Tensor, b: slice | Tensor) -> Tensor:
        X = self._rows.right
        return self._near(X[a], self._half[a], X[b], self._half[b])

    def _near(self, X: Tensor, half_x: Tensor, Y: Tensor, half_y: Tensor) -> Tensor:
        """Return whether ‖x − y‖ ≤ radius: ⟨x, y⟩ − ‖y‖²/2 ≥ ‖x‖²/2 − radius²/2."""
        bound = half_x - 0.5 * self._radius * self._radius
        return torch.addmm(half_y, X, Y.T, beta=-1) >= bound[:, None]


def _by_label(labels: Any, N: int, device: torch.device, owner: str) -> tuple[Tensor, list[int]]:
    """Return the positions sorted by label, and the number that each label has."""
    values = as_tensor(labels)
    if values.shape != (N,):
        raise invalid("labels", owner, f"one int for each of the {N} samples", labels)
    order = values.argsort(stable=True)
    return order.to(device), values.unique(return_counts=True)[1].tolist()


def _tile(device: torch.device) -> int:
    return _TILE_CPU if device.type == "cpu" else _TILE_GPU


def _tiles(start: int, stop: int, device: torch.device) -> list[slice]:
    size = _tile(device)
    return [slice(at, min(at + size, int(stop))) for at in range(int(start), int(stop), size)]
