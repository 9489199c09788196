"""Samples that a classifier tells apart from the labelled ones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._generators import isolated_rng
from skactive._plain_torch import plain_torch
from skactive._refit import fitted_clone
from skactive._rng import generator
from skactive._validation import check_count
from skactive.selection._picks import Picks
from skactive.selection._rows import as_centers, as_matrix
from skactive.selection._top import top_n

_OWNER = "discriminative_picks"
# As in the published code, for embeddings of 512 numbers.
_WIDTH, _LR, _BATCH, _ACCURATE = 256, 2e-4, 1024, 0.98


def discriminative_picks(
    X: Any,
    n: int,
    *,
    labelled: Any = None,
    classifier: Any = None,
    sub_batches: int = 20,
    ratio: int | None = 10,
    max_epochs: int = 500,
    random_state: Any = None,
) -> Picks:
    """Pick samples that look unlabelled, in sub-batches, each of them labelled for the next.

    For each sub-batch a classifier learns to tell labelled rows and earlier picks from `ratio`
    times as many rows that are left, drawn at random; of these the ones that are most surely not
    labelled are picked. Where there is nothing labelled yet, the first sub-batch is drawn.

    Parameters
    ----------
    X : array or tensor of shape (N, D)
        The rows; a tensor is worked on where it is.
    n : int
        Number of rows to pick.
    labelled : array or tensor of shape (L, D) or None, default=None
        The labelled rows.
    classifier : scikit-learn classifier with `predict_proba`, or None, default=None
        Is cloned, and fitted to 0 for labelled and 1 for unlabelled rows. None is a network of
        three hidden layers of 256, trained by Adam until it is right about more than 98 % of them,
        so that it is not sure of everything.
    sub_batches : int, default=20
        In how many parts, as equal as can be, the batch is picked; at most n.
    ratio : int or None, default=10
        Number of unlabelled rows per labelled one, for training and to pick from. None is all.
    max_epochs : int, default=500
        When the network's training ends at the latest.
    random_state : int, RandomState, Generator or None, default=None
        Draws rows, the network's weights and its batches, seeds the classifier where it has no
        seed, and breaks exact ties.

    Returns
    -------
    Picks
        Distinct positions, and as `gains` how probably each was unlabelled.

    Raises
    ------
    InvalidParameterError
        If X or the labelled rows are not finite rows of one length, or a number is out of range.

    References
    ----------
    .. [1] Discriminative active learning, arXiv 1907.06347.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.selection import discriminative_picks
    >>> X = np.array([[0.1], [7.0], [0.2], [8.0]])
    >>> line = LogisticRegression()
    >>> discriminative_picks(X, 2, labelled=[[0.0], [0.3]], classifier=line, random_state=0)
    Picks([3, 0])
    """
    values = as_matrix("X", X, _OWNER)
    n = check_count("n", _OWNER, n, high=len(values), high_is="the number of samples")
    parts = np.array_split(np.arange(n), min(n, check_count("sub_batches", _OWNER, sub_batches)))
    many = None if ratio is None else check_count("ratio", _OWNER, ratio)
    max_epochs = check_count("max_epochs", _OWNER, max_epochs)
    known = values[:0] if labelled is None else as_centers(labelled, values, _OWNER, "labelled")
    draw = generator(random_state, _OWNER)
    (chance,) = draw.spawn(1)  # for ties, and for what a classifier draws
    left = np.arange(len(values))
    picks: list[int] = []
    gains: list[float] = []
    for size in map(len, parts):
        few = len(left) if many is None else min(len(left), max(many * len(known), size))
        some = left if few == len(left) else np.sort(draw.choice(left, few, replace=False))
        if not len(known):
            found, probable = draw.choice(some, size, replace=False), np.ones(size)
        else:
            rows = values[torch.as_tensor(some, device=values.device)]
            if classifier is None:
                score, p = _by_network(known, rows, max_epochs, draw)
            else:
                score = p = _by_classifier(known, rows, classifier, chance)
            best = top_n(score, size, random_state=chance)
            found, probable = some[best], p[best]
        picks += found.tolist()
        gains += probable.tolist()
        left = np.setdiff1d(left, found, assume_unique=True)
        known = torch.cat([known, values[torch.as_tensor(found, device=values.device)]])
    return Picks(np.array(picks, dtype=np.int64), np.array(gains, dtype=np.float64))


def _by_classifier(
    known: Tensor, rows: Tensor, classifier: Any, chance: np.random.Generator
) -> np.ndarray:
    """Return the probabilities that rows are unlabelled, (n,)."""
    X, y = _told_apart(known, rows)
    seed = int(chance.integers(2**31))
    fitted = fitted_clone(classifier, X.cpu().numpy(), y.cpu().numpy(), seed)
    p: np.ndarray = fitted.predict_proba(rows.cpu().numpy())[:, 1]
    return p


@plain_torch()
def _by_network(
    known: Tensor, rows: Tensor, max_epochs: int, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return what orders rows by how surely they are unlabelled, (n,), and the probabilities."""
    net = _trained(*_told_apart(known, rows), max_epochs, draw)
    with torch.no_grad():
        logits = net(rows).double().cpu()
    # the logits keep their digits where p rounds to 1
    return (logits[:, 1] - logits[:, 0]).numpy(), logits.softmax(1)[:, 1].numpy()


def _told_apart(known: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return labelled and unlabelled rows, and 0 for the former, 1 for the latter."""
    X = torch.cat([known, rows])
    return X, (torch.arange(len(X), device=X.device) >= len(known)).long()


def _trained(X: Tensor, y: Tensor, max_epochs: int, draw: np.random.Generator) -> nn.Module:
    with isolated_rng(int(draw.integers(2**31))):
        widths = [X.shape[1], _WIDTH, _WIDTH, _WIDTH]
        hidden = [
            layer
            for wide, next_wide in pairwise(widths)
            for layer in (nn.Linear(wide, next_wide), nn.ReLU())
        ]
        net = nn.Sequential(*hidden, nn.Linear(_WIDTH, 2)).to(X.device, X.dtype)
    optimizer = torch.optim.Adam(net.parameters(), lr=_LR)
    for _ in range(max_epochs):
        order = torch.as_tensor(draw.permutation(len(X)), device=X.device)
        right = torch.zeros((), dtype=torch.int64, device=X.device)
        for batch in order.split(_BATCH):
            logits = net(X[batch])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, y[batch]).backward()
            optimizer.step()
            right += (logits.argmax(1) == y[batch]).sum()
        if int(right) > _ACCURATE * len(X):
            break
    return net
