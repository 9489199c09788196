"""FisherMask: batches by Fisher information on a mask of the network's parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from skactive._pool import Pool, pools_of
from skactive._progress import progress_bar
from skactive._rng import seed_sequence
from skactive._validation import exact_share, invalid, on_behalf_of
from skactive.fisher import (
    FisherFactors,
    choose_rank,
    diagonal_fisher,
    fisher_factors,
    greedy_fisher_in_blocks,
    parameter_mask,
)
from skactive.fisher.memory import Room
from skactive.gradients import find_head
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy, Selection
from skactive.strategies.base._subset import some_positions, subset_positions
from skactive.strategies.base._targets import TARGET_CONSTRAINTS, Parts


class FisherMask(QueryStrategy):
    """Choose the batch that lowers the expected error most, by Fisher information on a mask.

    A *mask* keeps the k parameters that carry the most Fisher information: those of the last layer,
    and the largest d_j = mean_x Σ_c p_c (∂_j log p_c(x))² of the others. On them the information
    of a sample is I(x) = Σ_c p_c g_c g_cᵀ, with g_c = ∇ log p_c(x) and p the network's own softmax;
    no label is used. The batch S greedily minimises tr(M⁻¹ I_U), with

        M = λI + n_L/(n_L+n) I_L + n/(n_L+n) Σ_{x∈S} I(x),

    I_L the mean information of the n_L labelled samples, and I_U that of pool and labelled samples
    together. Where there are no labelled samples, their term is absent.

    The parameters come in groups: the three that most users change; the mask, from `n_parameters`
    to `diagonal_labels`; the selection, from `weighting` to `oversample`; the cost, from
    `max_memory` to `progress`.

    Parameters
    ----------
    fraction : float or "auto", default="auto"
        The share of the P trainable parameters to keep, k = ⌊fraction · P⌋. "auto" is the papers'
        0.002, but at least 1.1 times the last layer.
    mask : {"global", "layerwise", "relative", "random", "head"}, default="global"
        How to choose the parameters, see `skactive.fisher.parameter_mask`. "head" is the last
        layer alone, as in `BAIT`, and takes no fraction.
    subset : int or None, default=None
        Number of pool samples to consider, drawn at random; None is all.
    n_parameters : int or None, default=None
        k itself, in place of a fraction; with mask="layerwise" the fraction k/P, beside the whole
        last layer.
    n_samples : int, default=1024
        Number of pool samples that d is averaged over.
    diagonal_samples : {"random", "first"}, default="random"
        Whether these are drawn at random or are the first of the pool, as in the published code.
    diagonal_labels : "all" or int, default="all"
        Average d over all C classes, or over this number of labels drawn from p per sample: an
        unbiased estimate by that number of backward passes in place of C − 1.
    weighting : {"probability", "uniform"}, default="probability"
        Whether I(x) carries p_c, as the formula has it, or not, as the published code.
    regularization : float or "auto", default=1.0
        λ; "auto" is tr(I_U)/k, the mean eigenvalue of I_U, which follows the network's confidence.
    target : "pool", "balanced", mapping or array of C shares, default="pool"
        What the objective averages over in place of I_U: the pool as it is, or weighted so that the
        predicted classes have equal or given shares, or with `select(…, X_target=…)` other samples,
        see `BAIT`; also for classes that are not labelled yet.
    oversample : float, default=1.0
        ⌈oversample · n⌉ samples are picked, and the least useful removed one by one.
    components : int or None, default=None
        Number of directions, the top eigenvectors of I_U, that the objective is restricted to, see
        `BAIT`. The selection then has one stage, whatever the memory. None is all k.
    rank : int, "auto" or None, default=None
        Number r of rows, and of backward passes, per sample in place of C − 1, also for d, see
        `BAIT`. Not with weighting="uniform". "auto" costs a forward pass more. None is all.
    curvature : {"full", "blocks"}, default="full"
        What is kept of I(x): all of it, or of the last layer the block of each class with itself
        and of the rest of the mask one block, for many classes: C·D² + k'² numbers in place of k²,
        and D + C + C·k' per sample, r·k' with a rank. Not with components, nor with mask="random"
        or "relative", which do not keep the whole last layer.
    max_memory : float or None, default=None
        Bytes that the selection may take: 5C² + D + C·k' numbers per sample of the pool, with D
        the width of the last layer and k' the parameters of the mask outside of it, and six k×k
        matrices in float64. Where that is too little, the selection has two stages, with a
        `TwoStageWarning`, see `skactive.fisher.greedy_fisher_in_blocks`. Up to 0.2 GB of
        intermediate results, and the network's own passes, come on top; where factors are too
        ill-scaled for float32, they go on as float64, in up to three times the memory.
        None is 80 % of the memory that is free on the network's device.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    progress : bool, default=True
        Whether a long query shows a progress bar, if standard error is a terminal.
    random_state : int, RandomState, Generator or None, default=None
        Draws the subset, the samples and labels of the diagonal, the random mask, and the blocks
        of a selection in two stages.

    Warns
    -----
    TwoStageWarning
        If the selection does not fit in memory.

    References
    ----------
    FisherMask, arXiv 2411.05752; BAIT, arXiv 2106.09675, algorithm 1, for the selection; blocks:
    Approx-FIRAL, arXiv 2409.07392.

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
        "mask": [StrOptions({"global", "layerwise", "relative", "random", "head"})],
        "subset": [Interval(Integral, 1, None, closed="left"), None],
        "n_parameters": [Interval(Integral, 1, None, closed="left"), None],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "diagonal_samples": [StrOptions({"random", "first"})],
        "diagonal_labels": [StrOptions({"all"}), Interval(Integral, 1, None, closed="left")],
        "weighting": [StrOptions({"probability", "uniform"})],
        **TARGET_CONSTRAINTS,
        "regularization": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "oversample": [Interval(Real, 1, None, closed="left")],
        "components": [Interval(Integral, 1, None, closed="left"), None],
        "rank": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "curvature": [StrOptions({"full", "blocks"})],
        "max_memory": [Interval(Real, 0, None, closed="neither"), None],
        "progress": ["boolean"],
    }

    _with_work: ClassVar[str | None] = "two stages"

    def __init__(
        self,
        *,
        fraction: float | str = "auto",
        mask: str = "global",
        subset: int | None = None,
        n_parameters: int | None = None,
        n_samples: int = 1024,
        diagonal_samples: str = "random",
        diagonal_labels: str | int = "all",
        weighting: str = "probability",
        regularization: float | str = 1.0,
        target: Any = "pool",
        oversample: float = 1.0,
        components: int | None = None,
        rank: int | str | None = None,
        curvature: str = "full",
        max_memory: float | None = None,
        batch_size: int = 256,
        device: Any = None,
        progress: bool = True,
        random_state: Any = None,
    ) -> None:
        self.fraction = fraction
        self.mask = mask
        self.subset = subset
        self.n_parameters = n_parameters
        self.n_samples = n_samples
        self.diagonal_samples = diagonal_samples
        self.diagonal_labels = diagonal_labels
        self.weighting = weighting
        self.regularization = regularization
        self.target = target
        self.oversample = oversample
        self.components = components
        self.rank = rank
        self.curvature = curvature
        self.max_memory = max_memory
        self.batch_size = batch_size
        self.device = device
        self.progress = progress
        self.random_state = random_state

    @classmethod
    def reference(cls, **changes: Any) -> FisherMask:
        """Return the setting of the published code, without its two faults.

        0.002 of the parameters, information without p_c, and a diagonal from the first 1024 samples
        of the pool. The faults: positions repeat where values tie, and relative masks read the mean
        of another tensor. What still differs: the published code takes the first 1024 of pool and
        labelled samples together, as training augments them; here they are the pool's, as they are.

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

    def choose_mask(self, estimator: Any, X_pool: Any) -> Tensor:
        """Choose the parameters that a query on this pool keeps, and do no more.

        Parameters
        ----------
        estimator : object
            As for `select`.
        X_pool : array-like, Tensor or torch Dataset of N samples
            The unlabelled pool, not empty.

        Returns
        -------
        torch.Tensor of int64, of shape (k,)
            Increasing flat positions among the network's trainable parameters, for
            `skactive.plotting.FisherMaskDisplay`. With an int as `random_state` it is the mask of
            `select`.
        """
        self._validate_params()
        pool = Pool.checked(X_pool, "X_pool", self)
        network = PoolNetwork(estimator, self, self.device)
        network.check(pool)
        return self._mask(network, pool, self._draws())

    def _check_form(self) -> None:
        """Raise where parameters do not go together."""
        if self.rank is not None and self.weighting == "uniform":
            must = "None where weighting='uniform', whose rows are no part of diag(p) − p pᵀ"
            raise invalid("rank", self, must, self.rank, 'Leave out weighting="uniform".')
        if self.curvature == "blocks" and self.components is not None:
            must = "None where curvature='blocks'"
            raise invalid("components", self, must, self.components, "Take one of the two.")
        if self.curvature == "blocks" and self.mask in {"random", "relative"}:
            must = "one that has the whole last layer where curvature='blocks'"
            raise invalid("mask", self, must, self.mask, 'Take mask="global", say.')

    def _rank_of_diagonal(self, network: PoolNetwork, averaged: Pool) -> int | None:
        if self.rank is None or self.diagonal_labels != "all":
            return None
        if self.rank != "auto":
            return int(self.rank)
        return choose_rank(network.log_probabilities(averaged, self.batch_size))[0]

    def _draws(self) -> list[np.random.Generator]:
        """One each for the subset, the diagonal's samples and labels, the mask, and the blocks."""
        return [np.random.default_rng(s) for s in seed_sequence(self.random_state, self).spawn(4)]

    def choose(
        self,
        estimator: Any,
        X_pool: Any,
        n_instances: int,
        X_labelled: Any,
        y_labelled: Any,
        X_target: Any = None,
    ) -> Selection:
        self._check_form()
        network = PoolNetwork(estimator, self, self.device)
        pool, *labelled = pools_of(X_pool, X_labelled)
        network.check(pool)
        draws = self._draws()
        candidates = subset_positions(self, len(pool), n_instances, draws[0])
        mask = self._mask(network, pool, draws)
        parts = Parts.of(pool.part(candidates), labelled, X_target)

        @cache
        def log_p() -> np.ndarray:
            return network.log_probabilities(parts.candidates, self.batch_size)

        def probabilities() -> np.ndarray:
            return np.exp(log_p())

        weights = parts.weights(self, network.classes, probabilities)
        kept, rank = {}, None
        if self.rank is not None:
            rank, kept["rank"] = choose_rank(log_p(), self.rank)
        factors_of = self._factors_of(network, parts, mask, rank)
        block_size = self._block_size(network, len(mask), parts, n_instances, factors_of)
        with progress_bar("FisherMask: picks", "pick", n_instances, self.progress) as bar:

            def picked(done: int, total: int) -> None:
                bar.total = total
                bar.update()

            result = greedy_fisher_in_blocks(
                factors_of,
                parts.at_candidates,
                n_instances,
                labelled=parts.at_labelled,
                weights=weights,
                block_size=block_size,
                regularization=self.regularization,
                oversample=self.oversample,
                components=self.components,
                random_state=draws[3],
                progress=picked,
            )
        if self.components is not None:
            kept["components"] = result.kept
        return Selection(candidates[result.indices], None, result.gains, kept)

    def _factors_of(
        self, network: PoolNetwork, parts: Parts, mask: Tensor, rank: int | None
    ) -> Callable[[np.ndarray], FisherFactors]:
        """Return what computes the factors of samples on the mask, given their positions."""
        samples = network.samples(*parts.pools)
        rows = "reduced" if self.weighting == "probability" else self.weighting

        def factors_of(positions: np.ndarray) -> FisherFactors:
            with (
                counted("FisherMask: factors", samples.part(positions), self.progress) as some,
                on_behalf_of(self, module="estimator", X=parts.name_at(positions[0])),
            ):
                return fisher_factors(
                    network.module,
                    some,
                    mask,
                    weighting=rows,
                    rank=rank,
                    curvature=self.curvature,
                    batch_size=self.batch_size,
                )

        return factors_of

    def _block_size(
        self,
        network: PoolNetwork,
        k: int,
        parts: Parts,
        n_instances: int,
        factors_of: Callable[[np.ndarray], FisherFactors],
    ) -> int:
        """Return the number of samples whose factors fit in memory."""
        room = Room(self, self.max_memory, network.device)
        of_one = partial(factors_of, np.arange(1))
        if self.components is not None:
            n_all = sum(map(len, parts.pools))
            return room.block_size_on_components(k, self.components, n_all, of_one)
        n_pool = len(parts.candidates)
        n_picks = min(n_pool, exact_share(self.oversample, n_instances, up=True))
        in_blocks = self.curvature == "blocks"
        return room.block_size(k, len(network.classes), n_pool, n_picks, of_one, in_blocks)

    def _mask(self, network: PoolNetwork, pool: Pool, draws: list[np.random.Generator]) -> Tensor:
        module, diagonal = network.module, None
        with on_behalf_of(self, module="estimator", X="X_pool", kind="mask"):
            samples = network.samples(pool)
            head = find_head(module, samples)
            if self.mask not in {"random", "head"}:  # these do not read it
                averaged = some_positions(len(pool), self.n_samples, draws[1])
                if self.diagonal_samples == "first":
                    averaged = np.arange(len(averaged))
                part = samples.part(averaged)
                with counted("FisherMask: diagonal", part, self.progress) as some:
                    diagonal = diagonal_fisher(
                        module,
                        some,
                        labels=self.diagonal_labels,
                        rank=self._rank_of_diagonal(network, pool.part(averaged)),
                        batch_size=self.batch_size,
                        random_state=draws[1],
                    )
            return parameter_mask(
                diagonal,
                module,
                kind=self.mask,
                fraction=self.fraction,
                head=head,
                n_parameters=self.n_parameters,
                random_state=int(draws[2].integers(2**31)),
            )
