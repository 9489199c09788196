"""Gradient norm: the samples that would change the network most, were the prediction right."""

from __future__ import annotations

from typing import Any

from skactive.strategies.base._gradient_lengths import GradientLengthStrategy


class GradientNorm(GradientLengthStrategy):
    """Choose the samples with the longest gradient of the loss under the predicted label.

    With ŷ the likeliest class of the network's own softmax p(x), the utility is

        ‖∇(−log p_ŷ(x))‖₂.

    On the last layer no other label has a shorter gradient, so that a high utility means that the
    sample changes the network whatever its label. `ExpectedGradientLength` averages over the labels
    instead, for C backward passes in place of one.

    Parameters
    ----------
    norm : {"global", "layer_sum"}, default="global"
        The norm of the whole gradient, or the sum of the parameter tensors' norms.
    subset : int or None, default=None
        Number of pool samples to consider, drawn at random; None is all.
    batch_size : int, default=256
        Samples per forward pass.
    device : str, torch.device or None, default=None
        Where to compute; None is where the network is.
    random_state : int, RandomState, Generator or None, default=None
        Draws the subset, and breaks exact ties; None draws afresh at each call.

    References
    ----------
    BADGE, arXiv 1906.03671, section 3 and proposition 1, for the gradient under the predicted label
    as a lower bound.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, GradientNorm
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> GradientNorm().select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    score = "predicted"

    def __init__(
        self,
        *,
        norm: str = "global",
        subset: int | None = None,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.norm = norm
        self.subset = subset
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state
