"""LPLgrad: the samples whose entropy has the largest gradient."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from skactive.strategies.base._gradient_lengths import GradientLengthStrategy


class LPLGrad(GradientLengthStrategy):
    """Choose the samples whose predictive entropy would change the network's parameters most.

    The query phase of LPLgrad. With p(x) the network's own softmax, the utility is

        Σ_t ‖∇_t H(p(x))‖₂,   H = −Σ_c p_c log p_c,

    summed over the parameter tensors t; no label is used, and the gradient flows through p. It is
    scored on a random subset of the pool. In the paper the network is trained jointly with a
    loss-prediction module, as an `LPLClassifier` is; any other network works as well.

    The gradient of the entropy is 0 where the network is certain, and also where all classes are
    equally likely: such samples are not chosen. `score="expected"` has no such blind spot.

    Parameters
    ----------
    score : {"entropy", "expected"}, default="entropy"
        "expected" is the expected gradient length Σ_c p_c ‖∇(−log p_c(x))‖ instead; C backward
        passes. (The scheme of this name in the published code lets the gradient flow through p_c
        too, so that it is the entropy's.)
    norm : {"layer_sum", "global"}, default="layer_sum"
        The sum of the parameter tensors' norms, as in the published code, or the norm of the whole
        gradient.
    subset : int or None, default=10000
        Number of pool samples to consider, drawn at random; None is all.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the subset, and breaks exact ties; None draws afresh at each call.

    References
    ----------
    LPLgrad, arXiv 2411.15217. The defaults are the setting of its published code.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import LPLClassifier, LPLGrad
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = LPLClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> LPLGrad(random_state=0).select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **GradientLengthStrategy._parameter_constraints,
        "score": [StrOptions({"entropy", "expected"})],
    }

    def __init__(
        self,
        *,
        score: str = "entropy",
        norm: str = "layer_sum",
        subset: int | None = 10000,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.score = score
        self.norm = norm
        self.subset = subset
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state
