"""BAIT: batches by Fisher information on the last layer."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from skactive._pool import pools_of
from skactive._validation import invalid
from skactive.fisher import choose_rank, greedy_fisher, last_layer_factors
from skactive.gradients import head_inputs
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy, Selection
from skactive.strategies.base._targets import TARGET_CONSTRAINTS, Parts


class BAIT(QueryStrategy):
    """Choose the batch that lowers the expected error most, by the last layer's Fisher information.

    On the layer that makes the logits, with p(x) their softmax and h(x) the layer's input, [h, 1]
    where it has a bias, the information of a sample is

        I(x) = Σ_c p_c g_c g_cᵀ = (diag(p) − p pᵀ) ⊗ h hᵀ,    g_c = ∇ log p_c(x) = (e_c − p) ⊗ h,

    and no label is used. The batch S greedily minimises tr(M⁻¹ I_U), with

        M = λI + n_L/(n_L+n) I_L + n/(n_L+n) Σ_{x∈S} I(x),

    I_L the mean information of the n_L labelled samples, and I_U that of pool and labelled samples
    together. Where there are no labelled samples, their term is absent. ⌈oversample · n⌉ samples
    are picked this way, then the least useful removed one by one. One forward pass; no gradients.

    Parameters
    ----------
    regularization : float or "auto", default=1.0
        λ; "auto" is tr(I_U)/k, the mean eigenvalue of I_U, which follows the network's confidence.
    target : "pool", "balanced", mapping or array of C shares, default="pool"
        What the objective averages over, see Notes.
    oversample : float, default=2.0
        Number of samples picked before some are removed, as a multiple of n; 1 is no removal.
    components : int or None, default=None
        Number of directions, the top eigenvectors of I_U, that the objective is restricted to,
        which makes a pick cheaper; the share of the trace on them is `kept["components"]` of the
        selection. None is all.
    curvature : {"full", "blocks", "binary"}, default="full"
        What is kept of I(x): all of it, the blocks p_c (1 − p_c) h hᵀ of each class with itself, or
        q (1 − q) h hᵀ with q = max p, see Notes.
    rank : int, "auto" or None, default=None
        Number r of rows per sample in place of C − 1, those of the top eigenvectors of
        diag(p) − p pᵀ; "auto" is the smallest that keeps 99 % of them, over the pool. The share
        kept is `kept["rank"]` of the selection. None is all.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Has no effect: nothing is drawn, and ties go by position.

    Notes
    -----
    The pool is what `target="pool"` aims at. Where the pool is imbalanced and what the network will
    meet is not, "balanced" weights the pool's samples so that all classes, as they are predicted,
    count alike, see `skactive.fisher.target_weights`; a mapping from classes or an array in the
    order of `classes_` gives shares of your own. `select(…, X_target=…)`, or a learner's
    `query(…, X_target=…)`, aims at samples instead: unlabelled ones like those to be predicted. A
    balanced target asks for less of the majority; it does not beat `Margin` in general.
    A class that is listed in `classes=` and that no label has yet still has its share of a balanced
    target: it goes to samples by probabilities that say nothing about it. Give shares of the
    classes that are labelled until it has labels.

    With D the width of h, N·(C² + D) numbers are kept, and a few matrices of C·D × C·D in float64;
    a pick costs O(N·C²·(C + D)). For many classes `curvature="blocks"` takes O(N·(C + D) + C·D²)
    numbers and O(N·C·D) per pick, and "binary" O(N·D + D²) and O(N·D), from less of I(x): nearly
    the same objective is what they aim at, and not the same picks. `Subsample(BAIT(), n=…)` bounds
    N. The published code leaves the bias out, where h would be the layer's input alone.

    References
    ----------
    BAIT, arXiv 2106.09675, algorithm 1; blocks: Approx-FIRAL, arXiv 2409.07392; one block: arXiv
    2404.08981.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import BAIT, CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> net = {"width": 16}
    >>> clf = CNNClassifier(max_epochs=5, random_state=0, module_params=net).fit(X[:100], y[:100])
    >>> selection = BAIT().select(clf, X[100:400], 10, X_labelled=X[:100], y_labelled=y[:100])
    >>> selection.indices.shape, selection.gains.shape
    ((10,), (10,))
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
        **TARGET_CONSTRAINTS,
        "regularization": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "oversample": [Interval(Real, 1, None, closed="left")],
        "components": [Interval(Integral, 1, None, closed="left"), None],
        "curvature": [StrOptions({"full", "blocks", "binary"})],
        "rank": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
    }

    _with_work: ClassVar[str | None] = "two stages"

    def __init__(
        self,
        *,
        regularization: float | str = 1.0,
        target: Any = "pool",
        oversample: float = 2.0,
        components: int | None = None,
        curvature: str = "full",
        rank: int | str | None = None,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.regularization = regularization
        self.target = target
        self.oversample = oversample
        self.components = components
        self.curvature = curvature
        self.rank = rank
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def _check_form(self) -> None:
        """Raise where two parameters would each leave out what the other keeps."""
        if self.curvature == "full":
            return
        must = f"None where curvature={self.curvature!r}"
        if self.rank is not None:
            raise invalid("rank", self, must, self.rank, "Take one of the two.")
        if self.components is not None and self.curvature == "blocks":
            raise invalid("components", self, must, self.components, "Take one of the two.")

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
        parts = Parts.of(pool, labelled, X_target)
        with counted(self, network.samples(*parts.pools)) as samples:
            head = head_inputs(network.module, samples, batch_size=self.batch_size)

        def probabilities() -> np.ndarray:
            return head.logits[: len(pool)].to("cpu", torch.float64).softmax(1).numpy()

        kept, rank = {}, None
        if self.rank is not None:
            rank, kept["rank"] = choose_rank(head.logits[: len(pool)], self.rank)
        form: dict[str, Any] = {"curvature": self.curvature, "rank": rank}
        picks = greedy_fisher(
            last_layer_factors(head.logits, head.inputs, bias=head.bias, **form),
            n_instances,
            candidates=parts.at_candidates,
            labelled=parts.at_labelled,
            weights=parts.weights(self, network.classes, probabilities),
            regularization=self.regularization,
            oversample=self.oversample,
            components=self.components,
        )
        if self.components is not None:
            kept["components"] = picks.kept
        return Selection(picks.indices, None, picks.gains, kept)
