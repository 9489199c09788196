"""Samples in the containers that users have, as arrays or tensors."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_array
from skorch.helper import SliceDataset
from torch import Tensor

from skactive._batches import check_plain, take_rows
from skactive._items import check_alike, holds_image, is_image_array, items_of, stacked
from skactive._one_label import plain_array
from skactive._validation import Description, invalid
from skactive.estimators._sliced import Items

NO_SAMPLE = "X must have at least one sample; found an array with 0 sample(s)."


def to_array(X: Any, owner: object) -> Any:
    """Return images as an array or tensor; leave rows (2-D, frames, sparse) to scikit-learn.

    Images that are objects in a list, an array, a Series or a frame's only column have to be of
    one shape: arrays, tensors, PIL images, or dicts as in data sets.
    """
    check_plain("X", X, owner)
    if isinstance(X, Tensor):
        return plain_array(X) if X.ndim <= 2 else X.detach()
    if isinstance(X, SliceDataset):  # its shape is that of a list
        return to_array(take_rows(Items(X), slice(None)), owner)
    items = items_of(X)
    if items and all(map(is_image_array, items)):
        check_alike(items, "X", owner)
        return np.stack([plain_array(image) for image in items])
    if items and holds_image(items[0]):
        return plain_array(stacked(items, "X", owner))
    if items and all(isinstance(row, Tensor) for row in items):
        X = [plain_array(row) for row in items]
    X = X if hasattr(X, "shape") else np.asarray(X)
    _check_no_paths(X, owner)
    return X


def _check_no_paths(X: Any, owner: object) -> None:
    if len(X.shape) != 1 or not X.shape[0] or str(X.dtype).startswith(("int", "float", "uint")):
        return
    first = X.iloc[0] if hasattr(X, "iloc") else X[0]
    if isinstance(first, (str, bytes, os.PathLike)):
        remedy = "Paths are read by an ImageReader before it, make_pipeline(ImageReader(...), ...)."
        must = "images, or rows of numbers"
        raise invalid("X", owner, must, Description(f"{first!r} at position 0"), remedy)


def dense(X: Any) -> Any:
    """Return images that came as a frame, or as anything array-like, as an array."""
    if isinstance(X, (Tensor, np.ndarray)):
        return X
    return check_array(X, dtype=None, ensure_2d=False, allow_nd=True, ensure_all_finite=False)


def numpy_dtype(dtype: torch.dtype) -> Any:
    """Return the dtype that rows are checked to have, which compute in their own."""
    return np.float64 if dtype == torch.float64 else np.float32
