"""MaxHerding: the samples that cover the pool best, by a smooth kernel."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skactive.selection import Picks, max_herding
from skactive.strategies.base._embeddings import EmbeddingStrategy


class MaxHerding(EmbeddingStrategy):
    """Choose samples that cover the pool best, where near ones cover more than distant ones.

    The greedy algorithm for the generalized coverage

        max_S Σ_{x ∈ U} max_{c ∈ L ∪ S} k(x, c),    k(x, c) = exp(−‖h(x) − h(c)‖²/σ²),

    with h the embeddings, of norm 1: each pick is the sample that adds most to the sum. ProbCover's
    balls of one radius, all or nothing, are replaced by a smooth kernel, whose width matters far
    less. Meant for the first rounds, with embeddings that did not need labels.

    Parameters
    ----------
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    normalize : bool, default=True
        Divide each embedding by its norm.
    sigma : float, default=1.0
        σ, above 0, in the units of the embeddings used.
    batch_size : int, default=256
        Samples that are embedded at a time.
    device : str, torch.device or None, default=None
        Where to compute; None is where the embeddings come from.
    random_state : int, RandomState, Generator or None, default=None
        Unused: nothing is drawn, and equal gains go to the lower position.

    References
    ----------
    W. Bae, J. Noh and D. J. Sutherland, Generalized coverage for more robust low-budget active
    learning, arXiv 2407.12212, with the Gaussian kernel and σ = 1 of its experiments.
    The average there is over pool and labelled samples; the latter are covered whole, and add
    nothing.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skactive import MaxHerding
    >>> X, y = load_digits(return_X_y=True)
    >>> query = MaxHerding(embeddings=PCA(16).fit(X))
    >>> query.select(None, X, 10).indices.shape  # the first labels, without a network
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **EmbeddingStrategy._parameter_constraints,
        "normalize": ["boolean"],
        "sigma": [Interval(Real, 0, None, closed="neither")],
    }

    _with_work: ClassVar[str | None] = "two stages"

    def __init__(
        self,
        *,
        embeddings: Any = None,
        normalize: bool = True,
        sigma: float = 1.0,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.embeddings = embeddings
        self.normalize = normalize
        self.sigma = sigma
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        pool, labelled = self._embed(estimator, X_pool, X_labelled, normalize=self.normalize)
        return max_herding(pool, n_instances, sigma=float(self.sigma), centers=labelled)
