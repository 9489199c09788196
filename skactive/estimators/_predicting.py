"""What a fitted network says about samples, in batches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import (
    _check_feature_names,
    check_is_fitted,
    column_or_1d,
    validate_data,
)
from skorch.helper import SliceDataset
from torch import Tensor
from torch.utils.data import Dataset

from skactive._batches import (
    as_tensor,
    check_finite,
    check_not_iterable_dataset,
    map_batches,
    n_rows,
)
from skactive._device import module_device, unwrap
from skactive._one_label import labels_of_one_kind
from skactive._scoring import scoring
from skactive.estimators._at_once import gathered, samples_at_once
from skactive.estimators._build import ClassifierNetwork
from skactive.estimators._containers import NO_SAMPLE, dense, numpy_dtype, to_array
from skactive.estimators._file_images import FileImages
from skactive.estimators._inputs import InputFormat
from skactive.estimators._labels import check_weight
from skactive.estimators._net import Net, hooks_guarded
from skactive.estimators._sliced import Items


class Predicting(ClassifierMixin):
    """The part of a classifier that reads its fitted network, `net_`."""

    net_: Net
    classes_: np.ndarray
    batch_size: int
    predict_batch_size: int | None
    compile: bool
    _format: InputFormat
    _dtype: torch.dtype

    @property
    def module_(self) -> ClassifierNetwork:
        """The fitted network behind its input layer: samples as stored in, logits out."""
        return cast(ClassifierNetwork, unwrap(self.net_.module_))

    @property
    def history_(self) -> Any:
        """What was recorded at each epoch."""
        return self.net_.history

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like, Tensor or Dataset of N samples in the format given to `fit`
            The samples, read in batches. Of a Dataset's items the first element is taken.

        Returns
        -------
        ndarray of shape (N, C), float64
            The softmax of the logits; columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X has another format than at `fit`, or holds values that are not finite.
        """
        return torch.softmax(self._logits(X).double(), 1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each sample.

        Parameters
        ----------
        X : array-like, Tensor or Dataset of N samples in the format given to `fit`
            The samples.

        Returns
        -------
        ndarray of shape (N,)
            The classes.
        """
        best = self._logits(X).argmax(1).numpy()
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy on labelled samples.

        Parameters
        ----------
        X : array-like, Tensor or Dataset of N samples in the format given to `fit`
            The samples.
        y : array-like of shape (N,)
            Their labels, read as `fit` reads them: members of a `class Pet(str, Enum)`, say, as
            their texts.
        sample_weight : array-like of shape (N,) or None, default=None
            Their weights, read as `fit` reads them.

        Returns
        -------
        float
            The share of the samples, or of the weight, whose label is predicted: 0 to 1.

        Raises
        ------
        ValueError
            If labels are missing, of several kinds, or several for a sample.
        """
        labels, _ = labels_of_one_kind("y", y, self)
        weight = check_weight(sample_weight, len(labels))
        return float(super().score(X, column_or_1d(labels), weight))

    def check_samples(self, X: Any) -> Any:
        """Check samples against the format given to `fit`, without reading images.

        Parameters
        ----------
        X : array-like, Tensor or Dataset of N samples
            The samples.

        Returns
        -------
        ndarray, Tensor or Dataset
            What `module_` takes in batches, as tensors; whether image pixels are finite is left
            to be checked batch by batch.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X has another format than at `fit`.
        """
        check_is_fitted(self)
        if isinstance(X, SliceDataset):
            X = Items(X)
        if isinstance(X, Dataset):
            check_not_iterable_dataset("X", self, X)
            return X
        X = to_array(X, self)
        if not self._format.is_image:
            return validate_data(self, X, reset=False, dtype=numpy_dtype(self._dtype))
        if hasattr(self, "feature_names_in_") or not isinstance(X, (np.ndarray, Tensor)):
            _check_feature_names(self, X, reset=False)  # for arrays alone it would take time
        X = X if isinstance(X, FileImages) else dense(X)
        self._format.check(X, self)
        return X

    def _logits(self, X: Any) -> Tensor:
        return self._outputs(lambda x: self.module_(x), X)

    def _outputs(self, network: Callable[[Tensor], Tensor], X: Any) -> Tensor:
        """Return what a function of batches on the device gives for all of X, on the CPU."""
        check_is_fitted(self)
        device = module_device(self.module_)

        def outputs(block: Any, start: int) -> Tensor:
            block = as_tensor(block)
            self._format.check(block, self)
            check_finite(block, self, where=start)
            return network(block.to(device))

        guarded = hooks_guarded() if self.compile else nullcontext()
        with scoring(self.module_), torch.inference_mode(), guarded:
            X = self.check_samples(X)
            size = samples_at_once(self.predict_batch_size, self.batch_size, self._format, device)
            found = gathered(map_batches(outputs, X, batch_size=size), n_rows(X))
        if found is None:
            raise ValueError(NO_SAMPLE)
        return found
