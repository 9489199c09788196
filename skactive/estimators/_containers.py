"""Samples in the containers that users have, as arrays or tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_array
from skorch.helper import SliceDataset
from torch import Tensor

from skactive._batches import take_rows
from skactive._items import check_alike
from skactive.estimators._sliced import Items

NO_SAMPLE = "X must have at least one sample; found an array with 0 sample(s)."


def to_array(X: Any, owner: object) -> Any:
    """Return images as an array or tensor; leave rows (2-D, frames, sparse) to scikit-learn.

    Images in a list, in an array of objects or in a Series have to be of one shape.
    """
    if isinstance(X, Tensor):
        return X.detach().cpu().numpy() if X.ndim <= 2 else X.detach()
    if isinstance(X, SliceDataset):  # its shape is that of a list
        return to_array(take_rows(Items(X), slice(None)), owner)
    in_objects = str(getattr(X, "dtype", "")) == "object" and len(X.shape) == 1
    if (in_objects or isinstance(X, (list, tuple))) and len(X) and all(map(_is_image, X)):
        check_alike(X, "X", owner)
        return np.stack([np.asarray(image) for image in X])
    return X if hasattr(X, "shape") else np.asarray(X)


def _is_image(item: Any) -> bool:
    return isinstance(item, (np.ndarray, Tensor)) and item.ndim >= 2


def dense(X: Any) -> Any:
    """Return images that came as a frame, or as anything array-like, as an array."""
    if isinstance(X, (Tensor, np.ndarray)):
        return X
    return check_array(X, dtype=None, ensure_2d=False, allow_nd=True, ensure_all_finite=False)


def numpy_dtype(dtype: torch.dtype) -> Any:
    """Return the dtype that rows are checked to have, which compute in their own."""
    return np.float64 if dtype == torch.float64 else np.float32
