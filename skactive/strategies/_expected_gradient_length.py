"""Expected gradient length: the samples that would change the network most, whatever the label."""

from __future__ import annotations

from typing import Any

from skactive.strategies.base._gradient_lengths import GradientLengthStrategy


class ExpectedGradientLength(GradientLengthStrategy):
    """Choose the samples whose label is expected to change the network's parameters most.

    The label is not known, so the length of the loss's gradient is averaged over the labels, with
    p(x) the network's own softmax:

        Σ_c p_c(x) ‖∇(−log p_c(x))‖₂.

    One forward and C backward passes.

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
    B. Settles, M. Craven and S. Ray, Multiple-instance active learning, NIPS 2007; for
    convolutional networks Y. Zhang, M. Lease and B. Wallace, Active discriminative text
    representation learning, arXiv 1606.04212.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, ExpectedGradientLength
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CNNClassifier(max_epochs=5, random_state=0).fit(X[:100], y[:100])
    >>> ExpectedGradientLength().select(clf, X[100:], n_instances=10).indices.shape
    (10,)
    """

    score = "expected"

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
