"""Hierarchical clusters by average linkage, without a matrix of distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from skactive._validation import check_count, invalid, is_number
from skactive.selection._rows import as_matrix, tiles

_OWNER = "average_linkage"
# Nearest neighbours per cluster that are computed many at once, before chains look for them singly:
# one that is computed alone takes as much longer.
_ROWS = 10
# Distances whose difference is below this part of the norms are taken as equal.
_EQUAL = 1e-12


def average_linkage(
    X: Any, *, n_clusters: int | None = None, threshold: float | None = None
) -> np.ndarray:
    """Cluster samples bottom up, by the mean squared distance between two clusters' samples.

    At first each sample is a cluster; again and again those two of the smallest

        d(A, B) = mean_{a ∈ A, b ∈ B} ‖a − b‖² = q_A + q_B − 2 ⟨μ_A, μ_B⟩

    are merged, with μ the mean of a cluster and q the mean of its squared norms.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        The samples.
    n_clusters : int or None, default=None
        Where to stop: at this number of clusters.
    threshold : float or None, default=None
        Or where d(A, B) of the nearest two exceeds this, at least 0, in units of X squared. One of
        the two has to be given.

    Returns
    -------
    ndarray of int64, of shape (N,)
        Each sample's cluster, 0, 1, …, numbered by their first samples.

    Raises
    ------
    InvalidParameterError
        If X is not made of finite rows, or not exactly one of the two is given, in its range.

    Notes
    -----
    In float64, on the CPU, from O(N·D) numbers, in O(N²·D) time. All pairs that are each other's
    nearest are merged at once; where that takes too many neighbours anew, what is left follows
    chains of nearest neighbours. Both find the same tree as merging the nearest two each time, for
    a merged cluster is never nearer to others than both of its parts were. Copies are merged
    beforehand.

    References
    ----------
    .. [1] F. Murtagh, A survey of recent advances in hierarchical clustering algorithms, The
       Computer Journal 26(4), 1983, for chains and for merging all pairs at once.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import average_linkage
    >>> average_linkage(np.array([[0.0], [1.0], [5.0], [6.5]]), n_clusters=2)
    array([0, 0, 1, 1])
    """
    values = as_matrix("X", X, _OWNER).to("cpu", torch.float64)
    if (n_clusters is None) == (threshold is None):
        must = "given where threshold is not, and the other way round"
        raise invalid("n_clusters", _OWNER, must, n_clusters)
    if n_clusters is not None:
        check_count("n_clusters", _OWNER, n_clusters, high=len(values), high_is="the samples")
    elif not is_number(threshold) or not 0 <= threshold < np.inf:
        raise invalid("threshold", _OWNER, "a finite number of at least 0", threshold)
    distinct, first, which, sizes = np.unique(
        values.numpy(), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    which = which.reshape(-1)
    edges = _Edges.between_copies(first, which)
    means = torch.as_tensor(distinct - distinct.mean(0))
    clusters = _Clusters(
        means, means.square().sum(1), torch.as_tensor(sizes), torch.as_tensor(first)
    )
    _merge_pairs(clusters, edges)
    _follow_chains(clusters, edges)
    return edges.components(len(values), n_clusters, threshold)


class _Edges:
    """What has been merged: any sample of either cluster, and their distance."""

    def __init__(self) -> None:
        self.a: list[int] = []
        self.b: list[int] = []
        self.heights: list[float] = []

    @classmethod
    def between_copies(cls, first: np.ndarray, which: np.ndarray) -> _Edges:
        """Return those between each sample and the first copy of it."""
        edges = cls()
        others = np.setdiff1d(np.arange(len(which)), first)
        edges.add(others, first[which[others]], np.zeros(len(others)))
        return edges

    def add(self, a: Any, b: Any, heights: Any) -> None:
        """Add arrays of them."""
        self.a.extend(a.tolist())
        self.b.extend(b.tolist())
        self.heights.extend(heights.tolist())

    def components(self, N: int, n_clusters: int | None, threshold: float | None) -> np.ndarray:
        """Return what the lowest of them connect."""
        order = np.argsort(self.heights, kind="stable")
        if n_clusters is not None:
            kept = order[: N - n_clusters]
        else:
            kept = order[np.asarray(self.heights)[order] <= threshold]
        a, b = np.asarray(self.a, dtype=int)[kept], np.asarray(self.b, dtype=int)[kept]
        graph = coo_array((np.ones(len(kept)), (a, b)), shape=(N, N))
        labels = connected_components(graph, directed=False)[1]
        _, first, which = np.unique(labels, return_index=True, return_inverse=True)
        found: np.ndarray = np.argsort(np.argsort(first))[which.reshape(-1)]
        return found


@dataclass
class _Clusters:
    """Clusters as averages need them.

    Parameters
    ----------
    means : torch.Tensor of float64, of shape (m, D)
        μ.
    norms : torch.Tensor of float64, of shape (m,)
        q; infinite where a cluster is gone.
    sizes : torch.Tensor of int64, of shape (m,)
        Number of samples.
    samples : torch.Tensor of int64, of shape (m,)
        One of them.
    """

    means: Tensor
    norms: Tensor
    sizes: Tensor
    samples: Tensor

    def __len__(self) -> int:
        return len(self.norms)

    def keep_what_is_left(self) -> Tensor:
        """Forget those that are gone; return the new place of each."""
        left = torch.isfinite(self.norms)
        self.means, self.norms = self.means[left], self.norms[left]
        self.sizes, self.samples = self.sizes[left], self.samples[left]
        return left.cumsum(0) - 1

    def merge(self, into: Tensor, other: Tensor) -> None:
        """Merge pairs; the other of each is gone."""
        sizes = self.sizes[into] + self.sizes[other]
        share = self.sizes[other] / sizes
        self.means[into] += share[:, None] * (self.means[other] - self.means[into])
        self.norms[into] += share * (self.norms[other] - self.norms[into])
        self.sizes[into] = sizes
        self.norms[other] = torch.inf

    def nearest(self, some: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest other cluster of some, and its distance."""
        which = torch.empty_like(some)
        found = torch.empty_like(self.norms[some])
        for a in tiles(0, len(some), some.device):
            few = some[a]
            means, at_most = self.means[few], torch.full((len(few),), torch.inf).to(found)
            for b in tiles(0, len(self), some.device):
                tile = torch.addmm(self.norms[b], means, self.means[b].T, alpha=-2)
                inside = torch.nonzero((few >= b.start) & (few < b.stop)).flatten()
                tile[inside, few[inside] - b.start] = torch.inf
                near, at = tile.min(1)
                nearer = near < at_most
                at_most[nearer] = near[nearer]
                which[a][nearer] = at[nearer] + b.start
            found[a] = at_most + self.norms[few]
        return which, found


def _merge_pairs(clusters: _Clusters, edges: _Edges) -> None:
    """Merge all that are each other's nearest, while that is cheap.

    A merged cluster is never nearer to another one than the nearer of its parts was. So nearest
    neighbours stay, except those of merged clusters, and those that have been merged.
    """
    left = torch.arange(len(clusters))
    which, heights = clusters.nearest(left)
    work = _ROWS * len(clusters)
    while len(left) > 1 and work > 0:
        into = left[(which[which[left]] == left) & (left < which[left])]
        if not len(into):  # for distances that are equal
            break
        other = which[into]
        edges.add(clusters.samples[into], clusters.samples[other], heights[into])
        clusters.merge(into, other)
        merged = torch.zeros(len(clusters), dtype=torch.bool)
        merged[into] = merged[other] = True
        left = left[torch.isfinite(clusters.norms[left])]
        stale = left[merged[left] | merged[which[left]]]
        work -= len(stale)
        if 2 * len(left) < len(clusters):
            place = clusters.keep_what_is_left()
            which, heights = place[which[left]], heights[left]
            stale, left = place[stale], place[left]
        which[stale], heights[stale] = clusters.nearest(stale)
    clusters.keep_what_is_left()


def _follow_chains(clusters: _Clusters, edges: _Edges) -> None:
    """Go from cluster to nearest cluster, and merge two that are each other's nearest."""
    chain: list[int] = []
    left = len(clusters)
    equal = _EQUAL * float(clusters.norms.max())
    while left > 1:
        if 2 * left < len(clusters):
            chain = clusters.keep_what_is_left()[chain].tolist()
        if not chain:
            chain = [int(torch.isfinite(clusters.norms).to(torch.int8).argmax())]
        last = chain[-1]
        distances = torch.addmv(clusters.norms, clusters.means, clusters.means[last], alpha=-2)
        distances[last] = torch.inf
        nearest = int(distances.argmin())
        if len(chain) > 1 and float(distances[chain[-2]]) <= float(distances[nearest]) + equal:
            nearest = chain[-2]
        if len(chain) == 1 or nearest != chain[-2]:
            chain.append(nearest)
            continue
        into, other = torch.tensor([nearest]), torch.tensor([last])
        height = distances[into] + clusters.norms[last]
        edges.add(clusters.samples[into], clusters.samples[other], height)
        clusters.merge(into, other)
        left -= 1
        del chain[-2:]
