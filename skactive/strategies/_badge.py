"""BADGE: batches by k-means++ on the gradients of the last layer."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from skactive._pool import Pool
from skactive.gradients import head_inputs
from skactive.selection import Picks, kmeans_plusplus
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy


class BADGE(QueryStrategy):
    """Choose samples whose gradients, under the predicted label, are large and differ.

    The gradient of the loss with respect to the weight of the last layer, with the predicted class
    ŷ = argmax p as label, is g(x) = (p(x) − e_ŷ) ⊗ h(x), h the input of that layer. On these the
    batch is drawn as k-means++ draws its centers: first the sample of the largest ‖g‖, then each
    with probability proportional to D², the squared distance to the nearest one drawn before.
    Distances come from ⟨s⊗h, s'⊗h'⟩ = ⟨s, s'⟩⟨h, h'⟩; g is never formed. Labelled samples are not
    used.

    Parameters
    ----------
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws. The same int gives the same batch.

    References
    ----------
    BADGE, arXiv 1906.03671, algorithm 1. The paper leaves the first draw to k-means++, which draws
    it uniformly; the largest norm is that of the published code, which also has no bias in g.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import BADGE, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> BADGE(random_state=0).select(clf, X[100:], n_instances=10).indices.shape
    (10,)

    A logistic regression is a network of one layer:

    >>> from sklearn.linear_model import LogisticRegression
    >>> head = LogisticRegression(max_iter=1000).fit(X[:100], y[:100])
    >>> BADGE(random_state=0).select(head, X[100:], n_instances=10).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
    }

    _with_work: ClassVar[str | None] = "two stages"

    def __init__(
        self, *, batch_size: int = 256, device: Any = None, random_state: Any = None
    ) -> None:
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        network = PoolNetwork(estimator, self, self.device)
        pool = Pool.of(X_pool)
        network.check(pool)
        with counted(self, network.samples(pool)) as samples:
            found = head_inputs(network.module, samples, batch_size=self.batch_size)
        return kmeans_plusplus(
            (_residuals(found.logits), found.inputs),
            n_instances,
            first="largest",
            random_state=self.random_state,
        )


def _residuals(logits: Tensor) -> Tensor:
    """Return p − e_ŷ, (N, C), where 1 − p_ŷ is the sum of the others, which does not cancel."""
    p = logits.log_softmax(1).exp_()
    best = logits.argmax(1, keepdim=True)
    p.scatter_(1, best, 0.0)
    return p.scatter_(1, best, -p.sum(1, keepdim=True))
