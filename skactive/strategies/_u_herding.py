"""UHerding: the samples that cover what the network is uncertain of."""

from __future__ import annotations

import copy
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from skactive._batches import as_tensor, n_rows
from skactive._rng import generator
from skactive.selection import Picks, max_herding, nearest_neighbors
from skactive.strategies.base._embedded_predictions import EmbeddedPredictions, Read
from skactive.strategies.base._probabilities import entropies, split_off_best
from skactive.strategies.base._temperature import at_temperature, held_out_temperature

# Where no two labelled samples tell σ, as in MaxHerding.
_WIDE = 1.0


class UHerding(EmbeddedPredictions):
    """Choose samples that cover what the network is uncertain of.

    The greedy algorithm for the uncertainty coverage

        max_S Σ_{x ∈ U} u(x) max_{c ∈ L ∪ S} k(x, c),    k(x, c) = exp(−‖h(x) − h(c)‖²/σ²),

    with h the embeddings, of norm 1, and u the uncertainty of calibrated probabilities. With few
    labels σ is wide and u, calibrated, nearly flat: it is `MaxHerding` then. As labels become dense
    σ shrinks, each sample covers little but itself, and it becomes uncertainty sampling. Without
    labelled samples all u are 1, and σ is.

    Parameters
    ----------
    embeddings : callable, transformer, torch.nn.Module or None, default=None
        h. None is the fitted network's own: the input of the layer that makes the logits. Others
        get batches of samples as the pool has them, before any Pipeline: a callable that returns
        rows, a fitted scikit-learn transformer (images as rows, where it was fitted on rows), or a
        torch module, which gets floats. An array for one pool goes to `select`.
    normalize : bool, default=True
        Divide each embedding by its norm.
    uncertainty : {"margin", "entropy", "least_confidence"}, default="margin"
        u: 1 − (p₁ − p₂), −Σ p log p, or 1 − max p.
    temperature : float or "held_out", default="held_out"
        T, in probabilities softmax(z/T), z the logits. "held_out" is that of the least expected
        calibration error on a fifth of the labelled samples, by a copy of the classifier that is
        fitted on the other four fifths: a training more for each query, of one classifier, not of a
        Committee. With fewer than 10 labelled samples, where four fifths of them are of one class,
        or without `y_labelled`, it is 1.
    sigma : float or None, default=None
        σ, above 0, in the units of the embeddings used. None takes it from the labelled samples.
    quantile : float, default=0.1
        Which quantile of the distances of labelled samples to the nearest other one σ is, of those
        that are above 0. 0 is their minimum, as published.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is, or the embeddings come from.
    random_state : int, RandomState, Generator or None, default=None
        Draws the labelled samples that are held out; unused otherwise.

    Notes
    -----
    The published σ, the smallest distance between two labelled samples, collapses where two of them
    are nearly the same image, as happens in every large pool, and the kernel then covers nothing
    beyond each sample. Hence a quantile.

    References
    ----------
    W. Bae, G. L. Oliveira and D. J. Sutherland, Uncertainty herding: one active learning method for
    all label budgets, arXiv 2412.20644, with its margins, and its two adaptations; the
    temperatures that are tried, 41 from 0.1 to 10, are ours.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, UHerding
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> query = UHerding(random_state=0)
    >>> query.select(clf, X[100:], 10, X_labelled=X[:100], y_labelled=y[:100]).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **EmbeddedPredictions._parameter_constraints,
        "normalize": ["boolean"],
        "uncertainty": [StrOptions({"margin", "entropy", "least_confidence"})],
        "temperature": [Interval(Real, 0, None, closed="neither"), StrOptions({"held_out"})],
        "sigma": [Interval(Real, 0, None, closed="neither"), None],
        "quantile": [Interval(Real, 0, 1, closed="both")],
    }

    _with_work: ClassVar[str | None] = "two stages"

    def __init__(
        self,
        *,
        embeddings: Any = None,
        normalize: bool = True,
        uncertainty: str = "margin",
        temperature: float | str = "held_out",
        sigma: float | None = None,
        quantile: float = 0.1,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.embeddings = embeddings
        self.normalize = normalize
        self.uncertainty = uncertainty
        self.temperature = temperature
        self.sigma = sigma
        self.quantile = quantile
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Picks:
        if X_labelled is None or not n_rows(X_labelled):
            pool, _ = self._embed(estimator, X_pool, None, normalize=self.normalize)
            sigma = _WIDE if self.sigma is None else float(self.sigma)
            return max_herding(pool, n_instances, sigma=sigma)
        read, labelled = self._embed_and_predict(
            estimator, X_pool, X_labelled, normalize=self.normalize
        )
        assert labelled is not None
        temperature = self._temperature(estimator, X_labelled, y_labelled)
        return max_herding(
            read.rows,
            n_instances,
            sigma=self._sigma(labelled.rows),
            centers=labelled.rows,
            weights=self._uncertainties(read, temperature),
        )

    def _settled(self, estimator: Any, X_labelled: Any, y_labelled: Any) -> UHerding:
        """Return this at the temperature that it finds, so that it trains a copy once."""
        if X_labelled is None or not n_rows(X_labelled):
            return self
        settled = copy.copy(self)
        settled.temperature = self._temperature(estimator, X_labelled, y_labelled)
        return settled

    def _temperature(self, estimator: Any, X: Any, y: Any) -> float:
        if not isinstance(self.temperature, str):
            return float(self.temperature)
        if y is None:
            return 1.0
        draw = generator(self.random_state, self)
        return held_out_temperature(estimator, X, y, self.batch_size, draw, self)

    def _sigma(self, labelled: Tensor) -> float:
        if self.sigma is not None:
            return float(self.sigma)
        distances = as_tensor(nearest_neighbors(labelled)[1]).cpu().double().numpy()
        apart = distances[distances > 0]
        return float(np.quantile(apart, self.quantile)) if len(apart) else _WIDE

    def _uncertainties(self, read: Read, temperature: float) -> np.ndarray:
        log_p = at_temperature(read.log_p, temperature)
        if self.uncertainty == "entropy":
            return np.maximum(entropies(log_p), 0.0)
        others, rest = split_off_best(log_p)
        return rest + others.max(1) if self.uncertainty == "margin" else rest
