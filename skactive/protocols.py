"""What skactive asks of estimators that are not its own.

An object that has these methods and attributes is as good as one of skactive's; it need not inherit
from anything: strategies look for the attributes, once the estimator is fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

__all__ = [
    "LossPredictor",
    "NetworkClassifier",
    "PreparesSamples",
    "ProbabilisticClassifier",
    "Staged",
]


class ProbabilisticClassifier(Protocol):
    """What strategies that read probabilities ask for: any classifier of scikit-learn's kind.

    Attributes
    ----------
    classes_ : array of shape (C,)
        The classes, one per column of probabilities.
    """

    classes_: np.ndarray

    def predict_proba(self, X: Any) -> Any:
        """Return the class probabilities of samples, (n, C)."""


class NetworkClassifier(Protocol):
    """What strategies that read a network ask for, such as `BADGE`, `BAIT` and `FisherMask`.

    skorch's nets are of this kind; their criterion says whether the module returns logits or
    probabilities. An estimator that also is a `PreparesSamples` says itself how samples become
    inputs, and its module returns logits. scikit-learn's LogisticRegression, LogisticRegressionCV
    and, of two classes, SGDClassifier(loss="log_loss") are taken for one, of a single linear layer.

    Attributes
    ----------
    module_ : torch.nn.Module
        The fitted network.
    classes_ : array of shape (C,)
        The classes, one per column of logits.
    """

    module_: nn.Module
    classes_: np.ndarray


class PreparesSamples(Protocol):
    """An estimator that turns samples as the user has them into inputs of its network."""

    def check_samples(self, X: Any) -> np.ndarray | Tensor:
        """Return samples as a batch of inputs of `module_`, or raise if they are none."""


class LossPredictor(Protocol):
    """What `LearningLoss` asks for."""

    def predict_loss(self, X: Any) -> np.ndarray:
        """Return the predicted loss of samples, (n,)."""


class Staged(Protocol):
    """A network that says which of its layers `LPLClassifier` is to read.

    All of skactive's own image networks are of this kind. In others, `feature_layers=` names the
    layers, or they are looked for.

    Attributes
    ----------
    stages : torch.nn.Module
        Its children, in order, run for every batch and return maps (n, C, H, W), tokens (n, T, C)
        or flat features (n, C), as in a `torch.nn.Sequential` of blocks.
    """

    stages: nn.Module
