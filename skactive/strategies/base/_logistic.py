"""A fitted logistic regression of scikit-learn, as the network that it is."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils.validation import validate_data
from torch import Tensor, nn

from skactive._batches import as_tensor

_ONE_VERSUS_ALL = (
    "is one classifier per class: its probabilities are scaled to sum to 1, and are no softmax of "
    "logits"
)


class LogisticNetwork:
    """A `NetworkClassifier` that also is a `PreparesSamples`, made of a logistic regression.

    Its network is one Linear layer. For two classes scikit-learn fits a single logit z, and the
    logits are (0, z), as one class's weights are free in a softmax.

    Parameters
    ----------
    model : LogisticRegression, LogisticRegressionCV or SGDClassifier
        Fitted, and `why_no_network(model)` is empty.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.classes_ = model.classes_
        self.module_ = _linear(model)

    def check_samples(self, X: Any) -> Tensor:
        """Return samples as dense rows in the dtype of the coefficients.

        As in scikit-learn's `predict_proba`, the number of features and their names are checked.
        """
        X = X.detach().cpu().numpy() if isinstance(X, Tensor) else X
        rows = validate_data(
            self.model, X, reset=False, accept_sparse=True, ensure_all_finite=False
        )
        rows = rows.toarray() if hasattr(rows, "toarray") else rows
        return as_tensor(rows).to(self.module_.weight.dtype)


def is_logistic(estimator: Any) -> bool:
    """Whether the probabilities are the softmax of a linear layer's logits."""
    return isinstance(estimator, (LogisticRegression, SGDClassifier)) and not why_no_network(
        estimator
    )


def why_no_network(estimator: Any) -> str:
    """Say what an estimator is instead, for the kinds that one takes for a network; else ""."""
    if isinstance(estimator, CalibratedClassifierCV):
        return "averages classifiers whose outputs it maps anew; pass the classifier inside"
    if isinstance(estimator, SGDClassifier) and estimator.loss != "log_loss":
        return f"has loss={estimator.loss!r}, which makes no logits; 'log_loss' does"
    several = len(getattr(estimator, "classes_", ())) > 2
    if isinstance(estimator, OneVsRestClassifier) or (several and _one_versus_all(estimator)):
        return _ONE_VERSUS_ALL
    return ""


def _one_versus_all(model: Any) -> bool:
    """Whether a linear model of several classes fits each class by itself."""
    if isinstance(model, SGDClassifier):
        return True
    if not isinstance(model, LogisticRegression):
        return False
    # scikit-learn below 1.8 has multi_class, and lets liblinear have several classes
    kind = getattr(model, "multi_class", "auto")
    return kind == "ovr" or (kind != "multinomial" and model.solver == "liblinear")


def _linear(model: Any) -> nn.Linear:
    weight, bias = _parameter(model.coef_), _parameter(model.intercept_).reshape(-1)
    if len(weight) == 1:
        # scikit-learn below 1.8 can make a softmax of (−z, z) in place of (0, z)
        first = -1 if getattr(model, "multi_class", "auto") == "multinomial" else 0
        weight, bias = torch.cat([first * weight, weight]), torch.cat([first * bias, bias])
    with_bias = bool(model.fit_intercept)
    layer = torch.nn.utils.skip_init(  # which draws no weights
        nn.Linear, weight.shape[1], len(weight), bias=with_bias, dtype=weight.dtype
    )
    layer.weight = nn.Parameter(weight)
    if with_bias:
        layer.bias = nn.Parameter(bias.to(weight.dtype))
    return layer


def _parameter(values: Any) -> Tensor:
    """Return coefficients as a tensor of its own; `sparsify` makes them a sparse matrix."""
    values = values.toarray() if hasattr(values, "toarray") else values
    return as_tensor(values).to("cpu", copy=True)
