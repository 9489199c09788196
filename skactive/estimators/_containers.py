"""Samples in the containers that users have, as arrays or tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_array
from skorch.helper import SliceDataset
from torch import Tensor

from skactive._batches import take_rows
from skactive._items import check_alike, holds_image, is_image_array, items_of, stacked
from skactive.estimators._sliced import Items

NO_SAMPLE = "X must have at least one sample; found an array with 0 sample(s)."


def to_array(X: Any, owner: object) -> Any:
    """Return images as an array or tensor; leave rows (2-D, frames, sparse) to scikit-learn.

    Images that are objects in a list, an array, a Series or a frame's only column have to be of
    one shape: arrays, tensors, PIL images, or dicts as in data sets.
    """
    if isinstance(X, Tensor):
        return X.detach().cpu().numpy() if X.ndim <= 2 else X.detach()
    if isinstance(X, SliceDataset):  # its shape is that of a list
        return to_array(take_rows(Items(X), slice(None)), owner)
    items = items_of(X)
    if items and all(map(is_image_array, items)):
        check_alike(items, "X", owner)
        return np.stack([np.asarray(image) for image in items])
    if items and holds_image(items[0]):
        return stacked(items, "X", owner).numpy()
    return X if hasattr(X, "shape") else np.asarray(X)


def dense(X: Any) -> Any:
    """Return images that came as a frame, or as anything array-like, as an array."""
    if isinstance(X, (Tensor, np.ndarray)):
        return X
    return check_array(X, dtype=None, ensure_2d=False, allow_nd=True, ensure_all_finite=False)


def numpy_dtype(dtype: torch.dtype) -> Any:
    """Return the dtype that rows are checked to have, which compute in their own."""
    return np.float64 if dtype == torch.float64 else np.float32
