"""FisherMask: batches by Fisher information on a mask of the network's parameters."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skactive._rng import seed_sequence
from skactive._torch import n_rows
from skactive._validation import check_count
from skactive.gradients import diagonal_fisher, find_head, fisher_factors, parameter_mask
from skactive.selection import greedy_fisher_steps
from skactive.strategies._base import BATCH_CONSTRAINTS, QueryStrategy, Selection
from skactive.strategies._networks import PoolInputs, PoolNetwork
from skactive.strategies._subset import some_positions


class FisherMask(QueryStrategy):
    """Choose the batch that lowers the expected error most, by Fisher information on a mask.

    A *mask* keeps the k parameters that carry the most Fisher information: those of the last layer,
    and the largest d_j = mean_x Σ_c p_c (∂_j log p_c(x))² of the others. On them the information
    of a sample is I(x) = Σ_c p_c g_c g_cᵀ, with g_c = ∇ log p_c(x) and p the network's own softmax;
    no label is used. The batch S greedily minimises tr(M⁻¹ I_U), with

        M = λI + n_L/(n_L+n) I_L + n/(n_L+n) Σ_{x∈S} I(x),

    I_L the mean information of the n_L labelled samples, and I_U that of pool and labelled samples
    together. Where there are no labelled samples, their term is absent.

    Parameters
    ----------
    fraction : float or "auto", default="auto"
        The share of the P trainable parameters to keep, k = ⌊fraction · P⌋. "auto" is the papers'
        0.002, but at least 1.1 times the last layer.
    n_parameters : int or None, default=None
        k itself, in place of a fraction.
    mask : {"global", "layerwise", "relative", "random", "head"}, default="global"
        How to choose the parameters, see `skactive.gradients.parameter_mask`.
    weighting : {"probability", "uniform"}, default="probability"
        Whether I(x) carries p_c, as the formula has it, or not, as the published code.
    n_samples : int, default=1024
        How many samples of the pool d is averaged over.
    diagonal_samples : {"random", "first"}, default="random"
        Whether these are drawn at random or are the first of the pool, as in the published code.
    regularization : float, default=1.0
        λ.
    oversample : float, default=1.0
        ⌈oversample · n⌉ samples are picked, and the least useful removed one by one.
    subset : int or None, default=None
        Consider only so many samples of the pool, drawn at random; None is all. Memory grows with
        them: C² + D + C·k' numbers a sample, with D the width of the last layer and k' the
        parameters of the mask outside of it.
    batch_size : int, default=256
        Samples a forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the subset, the samples of the diagonal, and the random mask.

    References
    ----------
    FisherMask, arXiv 2411.05752, section 3; BAIT, arXiv 2106.09675, algorithm 1, for the selection.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, FisherMask
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> query = FisherMask(random_state=0)
    >>> selection = query.select(clf, X[100:400], 10, X_labelled=X[:100], y_labelled=y[:100])
    >>> selection.indices.shape, selection.gains.shape
    ((10,), (10,))
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
        "fraction": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"})],
        "n_parameters": [Interval(Integral, 1, None, closed="left"), None],
        "mask": [StrOptions({"global", "layerwise", "relative", "random", "head"})],
        "weighting": [StrOptions({"probability", "uniform"})],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "diagonal_samples": [StrOptions({"random", "first"})],
        "regularization": [Interval(Real, 0, None, closed="neither")],
        "oversample": [Interval(Real, 1, None, closed="left")],
        "subset": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        fraction: float | str = "auto",
        n_parameters: int | None = None,
        mask: str = "global",
        weighting: str = "probability",
        n_samples: int = 1024,
        diagonal_samples: str = "random",
        regularization: float = 1.0,
        oversample: float = 1.0,
        subset: int | None = None,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.fraction = fraction
        self.n_parameters = n_parameters
        self.mask = mask
        self.weighting = weighting
        self.n_samples = n_samples
        self.diagonal_samples = diagonal_samples
        self.regularization = regularization
        self.oversample = oversample
        self.subset = subset
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    @classmethod
    def reference(cls, **changes: Any) -> FisherMask:
        """Return the setting of the published code, without its two faults.

        0.002 of the parameters, information without p_c, and a diagonal from the first 1024 samples
        of the pool. The faults: positions repeat where values tie, and relative masks read the mean
        of another tensor.

        Parameters
        ----------
        **changes : dict
            Parameters to set otherwise.

        Returns
        -------
        FisherMask
            The strategy.
        """
        setting = {"fraction": 0.002, "weighting": "uniform", "diagonal_samples": "first"}
        return cls(**{**setting, **changes})

    def _select(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        network = PoolNetwork(estimator, self, self.device)
        network.check(X_pool)
        n_pool = n_rows(X_pool)
        draws = [np.random.default_rng(s) for s in seed_sequence(self.random_state, self).spawn(3)]
        candidates = some_positions(n_pool, self.subset, draws[0])
        n_instances = check_count(
            "n_instances", self, n_instances, high=len(candidates), high_is="the size of subset",
            remedy="Ask for fewer, or raise subset.",
        )  # fmt: skip
        averaged = some_positions(n_pool, self.n_samples, draws[1])
        if self.diagonal_samples == "first":
            averaged = np.arange(len(averaged))

        module, batch_size = network.module, self.batch_size
        head = find_head(module, PoolInputs(network, ("X_pool", X_pool, candidates[:1])))
        diagonal = None
        if self.mask not in {"random", "head"}:
            diagonal = diagonal_fisher(
                module, PoolInputs(network, ("X_pool", X_pool, averaged)), batch_size=batch_size
            )
        mask = parameter_mask(
            diagonal, module, kind=self.mask, fraction=self.fraction, head=head,
            n_parameters=self.n_parameters, random_state=int(draws[2].integers(2**31)),
        )  # fmt: skip
        parts = [("X_pool", X_pool, candidates)]
        if X_labelled is not None and n_rows(X_labelled):
            parts.append(("X_labelled", X_labelled, np.arange(n_rows(X_labelled))))
        samples = PoolInputs(network, *parts)
        factors = fisher_factors(
            module, samples, mask, weighting=self.weighting, batch_size=batch_size
        )
        result = greedy_fisher_steps(
            factors, n_instances,
            candidates=np.arange(len(candidates)),
            labelled=np.arange(len(candidates), len(samples)),
            regularization=self.regularization, oversample=self.oversample,
        )  # fmt: skip
        return Selection(candidates[result.indices], None, result.gains)
