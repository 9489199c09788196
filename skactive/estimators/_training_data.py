"""Samples and labels as a user gives them to `fit`, as what a network trains on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import _check_feature_names, validate_data
from torch.utils.data import DataLoader, Dataset

from skactive._batches import as_tensor, check_finite, n_rows, take_rows
from skactive._device import NO_FLOAT64, resolve_device
from skactive._one_label import labels_of_one_kind
from skactive._validation import Phrase, describe, invalid
from skactive.estimators._containers import NO_SAMPLE, dense, numpy_dtype, to_array
from skactive.estimators._inputs import InputFormat, channel_statistics, infer_format
from skactive.estimators._labels import (
    check_weight,
    class_factors,
    encode_labels,
)
from skactive.estimators._net import ArrayDataset
from skactive.estimators._same_value import kept, same_value


class TrainingData:
    """The part of a classifier that checks training data, and learns their format from the first.

    It sets `classes_`, `n_features_in_`, `feature_names_in_`, and what predictions need to know.
    """

    # What a warm start takes over from the first fit, and hence may not have changed.
    _STRUCTURE: ClassVar[tuple[str, ...]] = (
        "module",
        "classes",
        "input_shape",
        "channels",
        "output",
        "weights",
        "normalize",
        "module_params",
    )

    classes: Any
    input_shape: Any
    channels: str
    normalize: Any
    class_weight: Any
    device: Any
    classes_: np.ndarray
    n_features_in_: int
    _format: InputFormat
    _dtype: torch.dtype
    _scaling: tuple[np.ndarray, np.ndarray]
    _structure: dict[str, Any]

    def _check_fit(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool, classes: Any = None
    ) -> ArrayDataset:
        """Check training data; at first they fix classes, format, scaling and structure."""
        is_data_set = isinstance(X, (Dataset, DataLoader, Mapping)) or hasattr(X, "column_names")
        if is_data_set and not hasattr(X, "tocsr"):  # SciPy's sparse matrices by keys are dicts
            raise invalid(
                "X",
                self,
                "an array or tensor; a Dataset can be a pool, not training data",
                X,
                "Stack its samples into an array and its labels into y.",
            )
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} requires y to be passed, but the target y is None."
            )
        y, _ = labels_of_one_kind("y", y, self)
        X, y = self._check_X_y(to_array(X, self), y, first=first)
        given = classes if classes is not None else self.classes
        known = given if first else self.classes_
        codes, self.classes_ = encode_labels(y, known, n_rows(X), self)
        weight = check_weight(sample_weight, n_rows(X))
        X, codes, weight = _drop_weightless(X, codes, weight)
        if first:
            self._scaling = self._find_scaling(X, weight)
            self._structure = {name: kept(getattr(self, name)) for name in self._STRUCTURE}
        if self.class_weight is not None:
            factors = class_factors(self.class_weight, codes, weight, self.classes_, self)
            weight = factors[codes] * (1.0 if weight is None else weight)
            X, codes, weight = _drop_weightless(X, codes, weight)
        tensor = None if weight is None else torch.as_tensor(weight, dtype=self._dtype)
        return ArrayDataset(as_tensor(X), torch.as_tensor(codes), tensor)

    def _check_same_structure(self) -> None:
        """Raise if a parameter that a warm start would ignore has another value than at first."""
        for name, before in self._structure.items():
            if not same_value(getattr(self, name), before):
                raise invalid(
                    name,
                    self,
                    f"{describe(before)}, as at the first fit, while warm_start=True",
                    getattr(self, name),
                    "Set warm_start=False to start anew.",
                )

    def _check_X_y(self, X: Any, y: Any, *, first: bool) -> tuple[Any, Any]:
        """Check rows as scikit-learn does, images by their format."""
        rows = (
            not self._format.is_image
            if not first
            else (self.input_shape is None and len(getattr(X, "shape", (0, 0))) <= 2)
        )
        if rows:
            dtype = self._row_dtypes() if first else numpy_dtype(self._dtype)
            X, y = validate_data(self, X, y, reset=first, dtype=dtype)
        elif n_rows(X) == 0:
            raise ValueError(NO_SAMPLE)
        else:
            _check_feature_names(self, X, reset=first)
            X = dense(X)
        if first:
            self._format = infer_format(
                X, input_shape=self.input_shape, channels=self.channels, owner=self
            )
            self._dtype = as_tensor(X[:0]).dtype if rows else torch.float32
            self.n_features_in_ = int(X.shape[1])
        self._format.check(X, self)
        if not rows:
            check_finite(X, self)
        return X, y

    def _row_dtypes(self) -> list[type]:
        """Return what rows may be computed in: in float64, too, where the device has it."""
        exact = resolve_device(self.device, self).type not in NO_FLOAT64
        return [np.float64, np.float32] if exact else [np.float32]

    def _find_scaling(self, X: Any, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return what is subtracted from and what divides each channel, in the units of X."""
        channels = self._format.n_channels
        unit = 255.0 if self._format.integer else 1.0
        if self.normalize is None:
            return np.zeros(channels), np.full(channels, unit)
        if isinstance(self.normalize, str):
            return channel_statistics(X, self._format, weight)
        try:
            mean, std = (
                unit * np.broadcast_to(np.asarray(part, dtype=float), channels)
                for part in self.normalize
            )
            good = bool(np.isfinite([mean, std]).all() and (std > 0).all())
        except (TypeError, ValueError):
            good = False
        if not good:
            raise invalid(
                "normalize",
                self,
                Phrase(
                    "'auto', {None} or a pair (mean, std) of {channels} finite numbers each, the "
                    "second all positive",
                    channels=channels,
                ),
                self.normalize,
            )
        return mean, std


def _drop_weightless(
    X: Any, codes: np.ndarray, weight: np.ndarray | None
) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """Leave out the samples of weight zero: a batch of nothing else has no mean loss.

    Weights come back with the largest from 0.5 to below 1. The loss is Σwℓ / Σw: a power of two
    changes no digit of it, and weights of any size fit into float32, or are nothing beside others.
    """
    if weight is None:
        return X, codes, weight
    weight = np.ldexp(weight, -int(np.frexp(weight.max())[1]))
    keep = np.flatnonzero(weight >= np.finfo(np.float32).tiny)
    if len(keep) == len(weight):
        return X, codes, weight
    return take_rows(X, keep), codes[keep], weight[keep]
