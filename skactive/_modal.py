"""The only importer of modAL: makes the stock releases work on today's scikit-learn and pandas.

`mend` mends modAL 0.4.1 and 0.4.2.1, by rebinding names inside modAL's own modules; scikit-learn
and pandas stay as they are. `_modal_hook` calls it when modAL is imported. What is mended:

- `check_X_y`: modAL passes ``force_all_finite``, a name that scikit-learn 1.8 removed;
- the row helpers of `modAL.utils.data`: ``DataFrame.append`` is gone, and torch tensors,
  Series, lists of images and out-of-range indices were handled wrongly or not at all;
- bootstrapping, which indexed the columns of a DataFrame, and could not index lists;
- `bootstrap_init`, which learners never stored, so that `repr` and `clone` raised;
- committees, which did not accept lists;
- `score`, for labels that are a tensor;
- `teach`, which took labels that are missing, or members of an Enum, for other ones;
- `teach`, `fit` and `rebag`, which left a learner with half of what they do where they failed;
- `np.bool` in `modAL.batch`, a name that NumPy 1.24 to 1.26 lack.

Strategies use `query_result` only, and only where a learner calls them; `fitted_learner` is for
`skactive.testing`.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn.utils
import torch

from skactive._batches import take_rows
from skactive._items import holds_image, input_of, items_of, scale_of
from skactive._modal_labels import read_labels
from skactive._modal_teach import make_whole
from skactive._one_label import KINDS
from skactive._validation import describe

__all__ = ["fitted_learner", "mend", "query_result"]


def query_result(indices: np.ndarray, utilities: Any) -> Any:
    """Return what the installed modAL expects from a query strategy.

    Parameters
    ----------
    indices : ndarray of shape (n_instances,)
        The rows of the pool to label.
    utilities : object
        What modAL 0.4.2 hands to the caller of ``query(..., return_metrics=True)``.

    Returns
    -------
    ndarray or tuple
        ``(indices, utilities)`` where `query` has `return_metrics`: it unpacks them, and would
        take two bare indices for a pair, or run the strategy again. Elsewhere `indices` alone:
        there a tuple would be passed on to the caller as it is.
    """
    from modAL.models.base import BaseLearner

    has_metrics = "return_metrics" in inspect.signature(BaseLearner.query).parameters
    return (indices, utilities) if has_metrics else indices


# The check ----------------------------------------------------------------------------------


def fitted_learner(estimator: Any, strategy: Any, X_training: Any, y_training: Any) -> Any:
    """Return an ActiveLearner of an estimator that is fitted, which is not fitted again.

    Parameters
    ----------
    estimator : object
        The fitted classifier.
    strategy : callable
        Its query strategy.
    X_training, y_training : array-like
        What it was fitted on.

    Returns
    -------
    modAL.models.ActiveLearner
        The learner.
    """
    from modAL.models import ActiveLearner

    learner = ActiveLearner(estimator, query_strategy=strategy)
    learner.X_training, learner.y_training = X_training, y_training
    return learner


def check_X_y(X: Any, y: Any, *, force_all_finite: bool | str = True, **checks: Any) -> None:
    """Check as scikit-learn does, under the name modAL uses; modAL ignores what it returns."""
    if _holds_objects(X):
        # Row by row: images of several sizes make no array, and of one size a needless copy.
        for row in items_of(X) or ():
            if not holds_image(row):  # such as PIL's, whose numbers are finite
                sklearn.utils.check_array(
                    _stand_in(row),
                    dtype=None,
                    ensure_2d=False,
                    allow_nd=True,
                    ensure_all_finite=force_all_finite,
                    input_name="X",
                )
        X = np.zeros((len(X), 1))
    sklearn.utils.check_X_y(
        _stand_in(X), _stand_in(y), ensure_all_finite=force_all_finite, **checks
    )


def _holds_objects(X: Any) -> bool:
    """Tell a list, Series or array of arrays, PIL images or dicts from one of numbers or lists."""
    return any(getattr(row, "shape", ()) or holds_image(row) for row in items_of(X) or ())


def _stand_in(values: Any) -> Any:
    """Replace a tensor by an array of its shape that is as finite as it is, and takes no memory.

    Thus the values of a tensor are read where they are, and neither moved nor copied.
    """
    if not torch.is_tensor(values):
        return values
    extreme = 0.0
    if values.is_floating_point() and values.numel():
        low, high = torch.aminmax(values.detach())  # both are NaN if any value is
        extreme = max(abs(float(low)), abs(float(high)))
    return np.broadcast_to(extreme, tuple(values.shape))


# Rows and columns ---------------------------------------------------------------------------


def _check_one_scale(blocks: Sequence[Any]) -> None:
    """Raise if images of uint8 (0 to 255), floats or other integers are about to be mixed."""
    if len(set(filter(None, map(_scale, blocks)))) > 1:
        # Not a ValueError: modAL would say that the dimensions differ.
        raise TypeError(
            "New images must have the dtype and the scale of the labelled ones: images of uint8 "
            "(0 to 255), of floats and of other integers cannot be mixed. Convert one of the two."
        )


def _scale(block: Any) -> str:
    """Return whether images are uint8, floats or others, those in a list by the first, or ""."""
    items = items_of(block)
    image = items[0] if items else block
    image = input_of(image, "X", "teach") if holds_image(image) else image
    if len(getattr(image, "shape", ())) < (2 if items else 3):
        return ""
    return scale_of(image)


def _check_one_kind(blocks: Sequence[Any]) -> None:
    """Raise if NumPy is about to turn numbers, such as labels, into strings."""
    kinds = {"numbers" for block in blocks if torch.is_tensor(block)}
    rows = [block for block in blocks if isinstance(block, (list, tuple, np.ndarray, pd.Series))]
    kinds |= {KINDS.get(np.asarray(b).dtype.kind, "") for b in rows if not _holds_objects(b)}
    if {"numbers", "strings"} <= kinds:
        raise TypeError(
            "New labels must be of the kind of the known ones: numbers and strings cannot be "
            "mixed. Convert one of the two."
        )


def data_vstack(blocks: Sequence[Any]) -> Any:
    """Stack the rows of the blocks; the result is of the first one's kind."""
    first = blocks[0]
    _check_one_scale(blocks)
    _check_one_kind(blocks)
    if any(sp.issparse(block) for block in blocks):
        return sp.vstack(blocks)
    if isinstance(first, pd.DataFrame):
        # pandas would add the missing columns, full of NaN.
        if any(set(block.columns) != set(first.columns) for block in blocks if _is_frame(block)):
            raise ValueError("The data frames have different columns.")
        return pd.concat(blocks)
    if isinstance(first, pd.Series):
        return pd.concat([_as_series(block, first.name) for block in blocks])
    if torch.is_tensor(first):
        blocks = [_as_tensor(block, first.device) for block in blocks]
        if any(block.shape[1:] != first.shape[1:] for block in blocks):
            raise ValueError("The tensors have rows of different shapes.")  # torch: RuntimeError
        return torch.cat(blocks)
    if isinstance(first, np.ndarray) or hasattr(first, "with_slices_as_arrays"):
        return np.concatenate([_as_array(block) for block in blocks])
    if isinstance(first, (list, tuple)):
        if any(map(_holds_objects, blocks)):
            return [row for block in blocks for row in block]
        return np.concatenate(blocks).tolist()
    raise TypeError(f"{type(first)} datatype is not supported")


def data_hstack(blocks: Sequence[Any]) -> Any:
    """Stack the columns of the blocks, row by row in order, whatever their indices say."""
    first = blocks[0]
    if any(sp.issparse(block) for block in blocks):
        return sp.hstack(blocks)
    if all(map(_is_frame, blocks)):
        return pd.concat([block.set_axis(first.index) for block in blocks], axis=1)
    if torch.is_tensor(first):
        return torch.hstack([_as_tensor(block, first.device) for block in blocks])
    if isinstance(first, (np.ndarray, pd.DataFrame)):
        return np.hstack([_as_array(block) for block in blocks])
    if isinstance(first, (list, tuple)):
        return np.hstack(blocks).tolist()
    raise TypeError(f"{type(first)} datatype is not supported")


def retrieve_rows(X: Any, I: Any) -> Any:  # noqa: E741 (modAL's name)
    """Return the rows `I` of `X`: an index, indices or a mask, counted from the top."""
    if isinstance(X, (pd.DataFrame, pd.Series)):
        return X.iloc[I]  # X[I] would choose columns, or rows by their labels
    if sp.issparse(X):
        rows = np.atleast_1d(np.arange(X.shape[0])[I])  # a single row stays a 1xM matrix
        return X.tocsr()[rows].asformat(X.format)
    if isinstance(X, dict):
        return {key: retrieve_rows(value, I) for key, value in X.items()}
    if torch.is_tensor(X):
        # NumPy resolves the indices first: out of range, they would kill a CUDA context.
        return X[torch.as_tensor(np.arange(len(X))[I], device=X.device)]
    if isinstance(X, (list, tuple)):
        rows = np.arange(len(X))[I]
        return [X[row] for row in rows] if rows.ndim else X[rows]
    if hasattr(X, "shape"):
        one = isinstance(X, np.ndarray) or isinstance(I, (int, np.integer, slice))
        return X[I] if one else take_rows(X, np.arange(len(X))[I])
    raise TypeError(f"{type(X)} datatype is not supported")


def drop_rows(X: Any, I: Any) -> Any:  # noqa: E741 (modAL's name)
    """Return `X` without the rows `I`, counted from the top."""
    keep = np.ones(_count_rows(X), dtype=bool)
    keep[I] = False
    return retrieve_rows(X, keep)


def add_row(X: Any, row: Any) -> Any:
    """Return `X` with one more row, as `enumerate_data` yields it."""
    if isinstance(X, pd.DataFrame) and isinstance(row, pd.Series):
        row = row.to_frame().T.infer_objects()
    elif isinstance(X, (list, tuple)):
        row = [row]
    elif isinstance(X, np.ndarray) or torch.is_tensor(X):
        row = row.reshape((1, *X.shape[1:]))
    return data_vstack([X, row])


def enumerate_data(X: Any) -> Iterator[tuple[int, Any]]:
    """Yield the number of each row, counted from the top, and the row."""
    if isinstance(X, pd.DataFrame):
        return enumerate(row for _, row in X.iterrows())
    if sp.issparse(X):
        X = X.tocsr()
        return ((number, X[[number]]) for number in range(X.shape[0]))
    if isinstance(X, (list, tuple)) or hasattr(X, "shape"):
        return enumerate(X)
    raise TypeError(f"{type(X)} datatype is not supported")


def data_shape(X: Any) -> tuple[int, ...]:
    """Return the shape of `X`; of a list of arrays, only its length."""
    if hasattr(X, "shape"):
        return X.shape
    if isinstance(X, (list, tuple)):
        return (len(X),) if _holds_objects(X) else np.shape(X)
    raise TypeError(f"{type(X)} datatype is not supported")


def _count_rows(X: Any) -> int:
    return X.shape[0] if hasattr(X, "shape") else len(X)  # sparse matrices have no len


def _is_frame(block: Any) -> bool:
    return isinstance(block, pd.DataFrame)


def _as_array(block: Any) -> np.ndarray:
    return np.asarray(block.detach().cpu() if torch.is_tensor(block) else block)


def _as_series(block: Any, name: Any) -> pd.Series:
    return block if isinstance(block, pd.Series) else pd.Series(_as_array(block), name=name)


def _as_tensor(block: Any, device: torch.device) -> torch.Tensor:
    if not torch.is_tensor(block):
        block = torch.from_numpy(np.array(block))  # a copy: torch warns of read-only arrays
    return block.to(device)


# Learners -----------------------------------------------------------------------------------


def _store_bootstrap_init(learner: Any) -> None:
    """Make a learner class store `bootstrap_init`, as `repr`, `get_params` and `clone` expect."""
    stock = learner.__init__
    signature = inspect.signature(stock)

    @functools.wraps(stock)  # keeps the signature, from which scikit-learn reads the parameters
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        arguments = signature.bind(self, *args, **kwargs)
        arguments.apply_defaults()
        strategy = arguments.arguments["query_strategy"]
        # a class is callable, and fails only when queried
        name = strategy.__name__ if inspect.isclass(strategy) else None
        if name or not callable(strategy):
            must = "query_strategy must be a callable that chooses samples, such as"
            got = f"the class {name}: add parentheses" if name else describe(strategy)
            raise TypeError(f"{must} {name or 'Entropy'}(). Got {got}.")
        stock(self, *args, **kwargs)
        self.bootstrap_init = arguments.arguments["bootstrap_init"]

    learner.__init__ = __init__


def _bootstrap_rows(X: Any, y: Any) -> tuple[Any, Any]:
    """Draw the same number of rows with replacement, with modAL's generator and the same draws."""
    rows = np.random.choice(_count_rows(X), _count_rows(X), replace=True)  # noqa: NPY002
    return retrieve_rows(X, rows), retrieve_rows(y, rows)


def _bootstrap_known(learner: Any) -> None:
    """Make `_fit_to_known` bootstrap the rows of every kind of data."""
    stock = learner._fit_to_known

    @functools.wraps(stock)
    def _fit_to_known(self: Any, bootstrap: bool = False, **fit_kwargs: Any) -> Any:
        if not bootstrap:
            return stock(self, **fit_kwargs)
        self.estimator.fit(*_bootstrap_rows(self.X_training, self.y_training), **fit_kwargs)
        return self

    learner._fit_to_known = _fit_to_known


def _bootstrap_new(learner: Any) -> None:
    """Make `_fit_on_new` bootstrap the rows of every kind of data, and not drop `fit_kwargs`."""
    stock = learner._fit_on_new

    @functools.wraps(stock)
    def _fit_on_new(self: Any, X: Any, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> Any:
        if bootstrap:
            X, y = _bootstrap_rows(X, y)
        return stock(self, X, y, **fit_kwargs)

    learner._fit_on_new = _fit_on_new


def _accept_lists(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of (committee, X), which reads ``X.shape``, accept a list."""

    @functools.wraps(stock)
    def mended(committee: Any, X: Any, **kwargs: Any) -> Any:
        return stock(committee, np.asarray(X) if isinstance(X, (list, tuple)) else X, **kwargs)

    return mended


def _accept_tensors(learner: Any) -> None:
    """Make `score` accept labels that are a tensor, on any device.

    scikit-learn compares them with an array, which older versions refuse, and CUDA tensors always.
    """
    stock = learner.score

    @functools.wraps(stock)
    def score(self: Any, X: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        return stock(self, X, _as_array(y) if torch.is_tensor(y) else y, *args, **kwargs)

    learner.score = score


class _OldNames(ModuleType):
    """NumPy with the name `bool`, which NumPy 1.24 to 1.26 lack, for modules that use it."""

    bool = bool

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


# Applying it --------------------------------------------------------------------------------


def _rebind(stock: Any, mended: Any) -> None:
    """Rebind a function in every module of modAL that holds it.

    Modules of modAL that are imported later take the mended function from where it is defined.
    """
    name = stock.__name__
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] == "modAL" and vars(module).get(name) is stock:
            setattr(module, name, mended)


def mend() -> None:
    """Apply every mend to the modAL that is imported, unless that has been done."""
    # Imported here, so that importing skactive does not import it.
    from modAL import batch, disagreement
    from modAL.models import Committee, base, learners
    from modAL.models.base import BaseCommittee, BaseLearner
    from modAL.models.learners import ActiveLearner
    from modAL.utils import data

    if hasattr(base, "_mended_by_skactive"):
        return
    _rebind(sklearn.utils.check_X_y, check_X_y)
    helpers: tuple[Any, ...] = (
        data_vstack,
        data_hstack,
        retrieve_rows,
        drop_rows,
        add_row,
        enumerate_data,
        data_shape,
    )
    for helper in helpers:
        _rebind(getattr(data, helper.__name__), helper)

    # 0.4.1 does in BaseLearner what 0.4.2 does in ActiveLearner; the other classes inherit.
    root = BaseLearner if "_fit_to_known" in vars(BaseLearner) else ActiveLearner
    _store_bootstrap_init(root)
    _bootstrap_known(root)
    _bootstrap_new(BaseLearner)

    _accept_tensors(BaseLearner)
    _accept_tensors(Committee)
    batch.np = _OldNames("numpy")

    Committee.vote = _accept_lists(Committee.vote)
    Committee.vote_proba = _accept_lists(Committee.vote_proba)
    own = [kind for kind in vars(learners).values() if inspect.isclass(kind)]
    teachers = {kind for kind in own if issubclass(kind, (BaseLearner, BaseCommittee))}
    read_labels(teachers)
    make_whole(teachers)
    for name in ("vote_entropy", "consensus_entropy", "KL_max_disagreement"):
        stock = getattr(disagreement, name)
        _rebind(stock, _accept_lists(stock))
    base._mended_by_skactive = True
