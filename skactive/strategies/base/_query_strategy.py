"""The contract of every query strategy."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skactive._batches import n_rows
from skactive._one_label import check_one_label
from skactive._paths import home_expanded
from skactive._plain_torch import plain_torch
from skactive._pool import Pool
from skactive._validation import (
    DeclaredParameters,
    Phrase,
    as_numbers,
    check_count,
    check_positions,
    describe,
    invalid,
    owner_name,
)
from skactive.exceptions import SelectionError
from skactive.selection import Picks
from skactive.strategies.base._by_blocks import finalists, is_sharded
from skactive.strategies.base._given import given_rows
from skactive.strategies.base._labelled import check_labelled
from skactive.strategies.base._readable import readable_part

BATCH_CONSTRAINTS: dict[str, list] = {
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "device": [str, torch.device, None],
}


@dataclass(frozen=True)
class Selection:
    """What a query strategy picked.

    Parameters
    ----------
    indices : ndarray of shape (n,), int64
        Positions in the pool, distinct, in the order picked.
    utilities : ndarray of shape (N,) or None
        One number per pool sample, higher is better; NaN where a sample was not scored. None for
        strategies that value batches instead of samples.
    gains : ndarray of shape (n,) or None
        For those: what each pick added, in the order picked.
    kept : mapping of str to float, default={}
        Of strategies that approximate: the share of the information that each parameter which made
        it smaller left, as "components" and "rank" of `FisherMask`.
    keys : sequence of str or None, default=None
        From a `ShardedPool`: the names of the picks, (n,).
    unreadable : sequence of str, default=()
        From one with `errors="skip"`: the names of images that could not be read.
    """

    indices: np.ndarray
    utilities: np.ndarray | None = None
    gains: np.ndarray | None = None
    kept: Mapping[str, float] = field(default_factory=dict)
    keys: Sequence[str] | None = None
    unreadable: Sequence[str] = ()

    def within(self, pool: Pool, part: Pool) -> Selection:
        """Return a selection from a part of a pool, as one from the pool.

        Parameters
        ----------
        pool : Pool of N samples
            The pool.
        part : Pool
            What this selects from, with its samples in the pool's order.

        Returns
        -------
        Selection
            The same samples; utilities are NaN outside of the part.
        """
        if part is pool:
            return self
        here = np.flatnonzero(np.isin(pool.positions, part.positions))
        utilities = None
        if self.utilities is not None:
            utilities = np.full(len(pool), np.nan)
            utilities[here] = self.utilities
        return Selection(here[self.indices], utilities, self.gains, self.kept)


class QueryStrategy(DeclaredParameters, BaseEstimator, ABC):
    """Base class of the query strategies: configured at construction, then called by a learner.

    A subclass stores its parameters, among them `random_state`, and may declare them in
    `_parameter_constraints`, as scikit-learn's estimators do. It implements `choose`, and keeps
    nothing between calls.

    See Also
    --------
    ProbabilityStrategy : For strategies that read nothing but class probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive import QueryStrategy
    >>> class Brightest(QueryStrategy):
    ...     def __init__(self, *, random_state=None):
    ...         self.random_state = random_state
    ...     def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
    ...         parts = [X_pool[i : i + 256].mean(axis=1) for i in range(0, len(X_pool), 256)]
    ...         return np.argsort(-np.concatenate(parts))[:n_instances]
    >>> Brightest().select(None, np.array([[1, 2], [7, 9], [0, 0], [5, 5]]), n_instances=2).indices
    array([1, 3])
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "random_state": ["random_state", np.random.Generator]
    }
    # What becomes of blocks in `select(work=)`: "exact" if each sample is valued by itself, "two
    # stages" if blocks put up samples for one process to choose from; None cannot be done.
    _with_work: ClassVar[str | None] = None
    random_state: Any

    def __call__(self, learner: Any, X_pool: Any, n_instances: int = 1, **given: Any) -> Any:
        """Choose samples for a modAL learner; this is what `learner.query(X_pool)` calls.

        Parameters
        ----------
        learner : modAL.models.ActiveLearner or modAL.models.Committee
            The learner, fitted. Its `X_training` and `y_training` are the labelled samples.
        X_pool : array-like of N samples
            The unlabelled pool.
        n_instances : int, default=1
            Number of samples to choose.
        **given : array-like
            `X_target`, `embeddings`, `embeddings_labelled` and `work`, as in `select`.

        Returns
        -------
        ndarray of shape (n_instances,), int64
            Positions in the pool, in the order picked; with modAL 0.4.2.1, whose `query` expects
            a pair, also the utilities.
        """
        selection = self.select(
            learner,
            X_pool,
            n_instances,
            X_labelled=getattr(learner, "X_training", None),
            y_labelled=getattr(learner, "y_training", None),
            **given,
        )
        from skactive._modal import query_result  # here, since it imports pandas and modAL

        return query_result(selection.indices, selection.utilities)

    def select(
        self,
        estimator: Any,
        X_pool: Any,
        n_instances: int = 1,
        *,
        X_labelled: Any = None,
        y_labelled: Any = None,
        X_target: Any = None,
        embeddings: Any = None,
        embeddings_labelled: Any = None,
        work: str | os.PathLike[str] | None = None,
    ) -> Selection:
        """Choose samples for any fitted estimator, without a modAL learner.

        Parameters
        ----------
        estimator : object
            A fitted CNNClassifier, a plain skorch NeuralNetClassifier, a Pipeline or a fitted
            search that ends in one, or a modAL learner of these; scikit-learn's
            LogisticRegression counts as a network of one layer. Strategies that read only
            probabilities also take any classifier with `predict_proba`, and a Committee or a list
            of fitted estimators.
        X_pool : array-like, Tensor or torch Dataset of N samples
            The unlabelled pool, read in batches.
        n_instances : int, default=1
            Number of samples to choose.
        X_labelled, y_labelled : array-like of L samples, or None, default=None
            The labelled samples and their labels, for strategies that use them.
        X_target : array-like of samples or None, default=None
            Unlabelled samples like those that the network will be asked about, for strategies whose
            `choose` has this parameter, `BAIT`, `EPIG` and `FisherMask`. None is the pool.
        embeddings : array or tensor of shape (N, D), or None, default=None
            Embeddings of the pool that exist already, for strategies that read embeddings, in place
            of their own. Other strategies leave them.
        embeddings_labelled : array or tensor of shape (L, D), or None, default=None
            Those of the labelled samples; needed with the former where there are such samples.
        work : str, path or None, default=None
            For a `ShardedPool`: a folder that all processes see. The blocks of the pool are scored
            by joblib's workers, those of `joblib.parallel_config`, be they processes or a cluster,
            and the result of each is kept there: after a kill the same call goes on, and one
            folder serves all rounds. Strategies that value each sample by itself pick what they
            pick without; `CoreSet`, `BADGE`, `BAIT`, `FisherMask`, `MaxHerding` and `UHerding`
            choose in two stages, from what each block puts up; others cannot do it. Strategies
            made of others do as their members do. The number of threads is what torch is set to
            here. None reads the pool in this process.

        Returns
        -------
        Selection
            The positions in the pool, and the utilities or gains behind them.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be, the pool is empty or cannot be read by position,
            `n_instances` exceeds it, labelled samples and labels differ in number, the embeddings
            are not one row per sample, or `work` is given where the pool or the strategy knows no
            blocks.
        NotFittedError
            If the estimator is not fitted.
        UnsupportedEstimatorError
            If the strategy cannot use this kind of estimator.
        SelectionError
            If what the strategy's `choose` returns is no selection of `n_instances` samples.

        Warns
        -----
        UnreadableFileWarning
            If the estimator is a Pipeline that begins with an `ImageReader(errors="skip")`, and
            there are files that it cannot read. They are not chosen, and their utilities are NaN.
        """
        self._validate_params()
        check_one_label("y_labelled", y_labelled)
        with plain_torch():
            pool = Pool.checked(X_pool, "X_pool", self)
            if len(pool) == 0:
                raise invalid(
                    "X_pool",
                    self,
                    "a pool of at least one sample",
                    X_pool,
                    "There is nothing left to label: stop, or pass more samples.",
                )
            n_instances = self._checked_count(n_instances, len(pool), "the size of the pool")
            aim = {} if X_target is None else {"X_target": self._checked_target(X_target)}
            pool, labelled = self._with_embeddings(
                pool, X_labelled, embeddings, embeddings_labelled
            )
            if work is not None:
                pool = self._with_folder(pool, work)
            check_labelled(self, X_labelled, y_labelled)
            # Embeddings may come from a Pipeline of their own.
            part = readable_part((estimator, getattr(self, "embeddings", None)), pool, self)
            self._checked_count(n_instances, len(part), "the files of the pool that can be read")
            chooser, chooses_from = self, part
            if part.work is not None and self._with_work == "two stages":
                chooser = self._settled(estimator, X_labelled, y_labelled)
                put_up = partial(_choose, chooser, estimator, X_labelled, y_labelled, aim)
                chooses_from = finalists(put_up, part, n_instances, self)
            answer = chooser.choose(
                estimator, chooses_from.plain(), n_instances, labelled, y_labelled, **aim
            )
            found = self._checked(answer, n_instances, len(chooses_from)).within(pool, chooses_from)
            return _with_names(found, pool, part) if is_sharded(X_pool) else found

    @abstractmethod
    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection | Picks | list[int] | np.ndarray | torch.Tensor:
        """Choose samples; this is what a strategy implements, and what `select` calls.

        Callers use `select`, or a modAL learner's `query`: they check parameters, pool and count
        beforehand, and the answer afterwards.

        Parameters
        ----------
        estimator : object
            What was passed to `select`, or the modAL learner.
        X_pool : sequence of N samples
            The unlabelled pool, at least one sample, or the part of it that another strategy
            leaves to this one. It has a length, and slices and arrays of positions index it; read
            in batches, it may be larger than memory. An array, a memmap, a tensor or a data frame
            comes as it was passed; of a data frame it is the `iloc` that takes positions. Where
            embeddings were passed to `select`, `X_pool.embeddings` and `X_labelled.embeddings` are
            tensors of them, one row per sample.
        n_instances : int
            Number of samples to choose, from 1 to N.
        X_labelled, y_labelled : array-like of L samples, or None
            The labelled samples and their labels, as they were passed; None where there are none.

        Returns
        -------
        Selection, Picks, or list, ndarray or Tensor of int
            `n_instances` distinct positions in X_pool, in the order picked. A Selection may have
            utilities, one per sample of the pool, or gains, one per pick; Picks are what the
            functions of `skactive.selection` return. Positions alone may be of
            any integer dtype, and a tensor on any device. Nothing else is accepted as positions:
            not a single int, not a tuple, which may be modAL's pair, and no pandas Index or Series,
            whose labels may differ from positions.
        """

    def _looking_at_all(self) -> QueryStrategy | None:
        """Return what looks at the whole pool at once: this, a member of it, or None."""
        return self if self._with_work is None else None

    def _settled(self, estimator: Any, X_labelled: Any, y_labelled: Any) -> QueryStrategy:
        """Return what chooses in both stages, with what is to be found once and not per block."""
        return self

    def _checked_count(self, n: Any, high: int, high_is: str) -> int:
        remedy = "Ask for fewer, or pass a larger pool."
        return check_count("n_instances", self, n, high=high, high_is=high_is, remedy=remedy)

    def _checked_target(self, X_target: Any) -> Pool:
        if "X_target" not in inspect.signature(self.choose).parameters:
            must = "None for a strategy that does not aim at samples"
            raise invalid("X_target", self, must, X_target, "Use BAIT, EPIG or FisherMask.")
        target = Pool.checked(X_target, "X_target", self)
        if not len(target):
            raise invalid("X_target", self, "at least one sample", X_target, "Leave it out.")
        return target

    def _with_folder(self, pool: Pool, work: Any) -> Pool:
        if not isinstance(work, (str, os.PathLike)):
            raise invalid("work", self, Phrase("the path of a folder, or {None}"), work)
        at_once = self._looking_at_all()
        if at_once is not None:
            who = "a strategy that" if at_once is self else f"{owner_name(at_once)}, which"
            must = f"None for {who} looks at the whole pool at once"
            raise invalid("work", self, must, work, "Let it choose from a part: Subsample.")
        if not is_sharded(pool.source) or pool.vectors is not None:
            must = "None for a pool that is no ShardedPool, and where embeddings are given"
            raise invalid("work", self, must, work)
        return replace(pool, work=Path(home_expanded(work)).absolute())

    def _with_embeddings(
        self, pool: Pool, X_labelled: Any, embeddings: Any, embeddings_labelled: Any
    ) -> tuple[Pool, Any]:
        """Return pool and labelled samples, with the embeddings of both where there are any."""
        if embeddings is None and embeddings_labelled is not None:
            raise invalid(
                "embeddings",
                self,
                "given where embeddings_labelled is",
                None,
                "Embed pool and labelled samples in the same way.",
            )
        if embeddings is None:
            return pool, X_labelled
        pool = _with_vectors(pool, given_rows("embeddings", embeddings, len(pool), self))
        if X_labelled is None or not n_rows(X_labelled):
            return pool, X_labelled
        labelled = Pool.of(X_labelled, "X_labelled")
        rows = given_rows("embeddings_labelled", embeddings_labelled, len(labelled), self)
        if pool.vectors is not None and rows.shape[1] != pool.vectors.shape[1]:
            must = f"rows of {pool.vectors.shape[1]} numbers, as embeddings has"
            remedy = "Embed pool and labelled samples in the same way."
            raise invalid("embeddings_labelled", self, must, embeddings_labelled, remedy)
        return pool, _with_vectors(labelled, rows)

    def _checked(self, answer: Any, n: int, n_pool: int) -> Selection:
        """Return what `choose` returned as a Selection, or raise if it is not one of this pool."""
        where = f"{type(self).__name__}.choose"
        given = answer
        if isinstance(answer, Picks):
            given = Selection(answer.indices, None, answer.gains)
        elif not isinstance(answer, Selection):
            given = Selection(answer)
        positions = check_positions(where, given.indices, n, n_pool)
        utilities = _numbers(where, "utilities", given.utilities, n_pool, "sample of the pool")
        gains = _numbers(where, "gains", given.gains, n, "pick")
        if gains is not None and np.isnan(gains).any():
            raise SelectionError(
                f"{where} must return gains that are None or one number per pick. Got NaN for pick "
                f"{int(np.isnan(gains).argmax())} instead."
            )
        return Selection(positions, utilities, gains, given.kept)


def _choose(
    strategy: QueryStrategy,
    estimator: Any,
    X_labelled: Any,
    y_labelled: Any,
    aim: dict[str, Any],
    pool: Pool,
    n: int,
) -> np.ndarray:
    """Return what a strategy picks from a block."""
    known = {"X_labelled": X_labelled, "y_labelled": y_labelled} | aim
    return strategy.select(estimator, pool, n, **known).indices


def _with_names(found: Selection, pool: Pool, part: Pool) -> Selection:
    """Return a selection with the keys of its picks, and of what could not be read."""
    keys = pool.source.keys(found.indices)
    left_out = () if part is pool else np.setdiff1d(pool.positions, part.positions)
    return replace(found, keys=keys, unreadable=pool.source.keys(left_out))


def _with_vectors(pool: Pool, rows: torch.Tensor) -> Pool:
    """Return a pool with a row for each of its samples, which may be a part of what holds them."""
    whole = pool if pool.is_whole else Pool(pool, np.arange(len(pool)), pool.name, pool.owner)
    return replace(whole, vectors=rows, readable=pool.readable)


def _numbers(where: str, name: str, value: Any, n: int, per: str) -> np.ndarray | None:
    """Return the utilities or gains of a Selection; only their shape and dtype are checked."""
    if value is None:
        return None
    found = as_numbers(value)
    if found is None or found.shape != (n,) or found.dtype.kind not in "iuf":
        raise SelectionError(
            f"{where} must return {name} that are None or numbers of shape ({n},), one per {per}. "
            f"Got {describe(value)} instead."
        )
    return found
