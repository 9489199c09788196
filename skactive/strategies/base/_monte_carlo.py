"""Strategies that compare several draws of a network, or several networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skactive._batches import map_batches, n_rows, one_behind
from skactive._device import resolve_device
from skactive._pool import Pool
from skactive._progress import progress_bar
from skactive._rng import seed_sequence
from skactive._scoring import scoring
from skactive._validation import Description, invalid, owner_name
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base._by_blocks import by_blocks
from skactive.strategies.base._dropout import DropoutNetwork
from skactive.strategies.base._learner import check_two_classes, members_of, open_learner
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._probabilities import member_log_probabilities
from skactive.strategies.base._progress import counted
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy, Selection
from skactive.strategies.base._ranking import highest

# Samples that several estimators predict for before their predictions are compared.
_AT_ONCE = 1024
# Numbers of a block whose intermediate results stay in a CPU's cache.
_BLOCK = 2**15
# They average members, which `estimators_` lists.
_ENSEMBLES = (BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier, VotingClassifier)
_TINY = np.finfo(np.float64).tiny
_LOWEST = np.log(_TINY)


class MonteCarloStrategy(QueryStrategy):
    """Base class of the strategies that read T predicted distributions of each sample.

    These are T passes of one network with its dropout on, in each of which all samples meet the
    same masks, or one prediction of each member of a Committee, or of a list of fitted estimators.
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **BATCH_CONSTRAINTS,
        "n_passes": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_passes: int = 100,
        batch_size: int = 256,
        device: Any = None,
        random_state: Any = None,
    ) -> None:
        self.n_passes = n_passes
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state

    def _read(
        self,
        learner: Any,
        pool: Pool,
        seeds: np.random.SeedSequence,
        use: Callable[[slice, np.ndarray], None],
    ) -> torch.device:
        """Hand over the log-probabilities (T, n, C) of blocks of the pool, in float64.

        Returns where the network computes; for several estimators, the CPU.
        """
        members = members_of(learner)
        if members is None:
            self._check_no_ensemble(learner)
            network = PoolNetwork(learner, self, self.device)
            self._pass_through(network, pool, seeds, use)
            return network.device
        if self.device is not None:
            resolve_device(self.device, self)
        if len(members) < 2:
            got = Description(f"{len(members)} of them")
            remedy = "Pass more, or one network with dropout by itself."
            raise invalid("estimator", self, "two estimators or more", got, remedy)

        size = max(_AT_ONCE, self.batch_size)
        with progress_bar(owner_name(self), "sample", len(pool), True) as bar:
            for start in range(0, len(pool), size):
                block = slice(start, min(start + size, len(pool)))
                part = pool.part(block)
                log_p = member_log_probabilities(members, part, self.batch_size, self.device, self)
                check_two_classes(log_p.shape[2], self)
                use(block, log_p)
                bar.update(len(part))
        return torch.device("cpu")

    def _check_no_ensemble(self, learner: Any) -> None:
        """Raise for an ensemble of scikit-learn's, whose members are what can be compared."""
        opened = open_learner(learner, self)
        if not isinstance(opened.estimator, _ENSEMBLES):
            return
        name = owner_name(opened.estimator)
        behind = ", each in a Pipeline behind the same steps" if opened.transforms else ""
        raise UnsupportedEstimatorError(
            f"{owner_name(self)} compares the predictions of several estimators, and a {name} "
            f"predicts their average. Pass the list of its members, its estimators_{behind}."
        )

    def _pass_through(
        self,
        network: PoolNetwork,
        pool: Pool,
        seeds: np.random.SeedSequence,
        use: Callable[[slice, np.ndarray], None],
    ) -> None:
        network.check(pool)
        # Of a copy, since it counts what it has spawned: the same masks whenever it is handed over.
        passes = np.random.SeedSequence(seeds.entropy, spawn_key=seeds.spawn_key).spawn(
            self.n_passes
        )
        first = network.inputs(pool[np.arange(1)], pool.positions[:1], pool.name)
        with counted(self, pool) as pool, scoring(network.scored), torch.inference_mode():
            dropout = DropoutNetwork(network.logits, first, self)

            def forward(block: Any, start: int) -> tuple[np.ndarray, list[Tensor]]:
                where = pool.positions[start : start + n_rows(block)]
                inputs = network.inputs(block, where, pool.name)
                return where, [dropout.run(inputs.clone(), seed) for seed in passes]

            batches = map_batches(forward, pool, self.batch_size)
            for block, (where, draws) in one_behind(batches):
                log_p = np.empty((len(draws), len(where), len(network.classes)))
                # All at once, so that a GPU is waited for once.
                for own, logits in zip(log_p, torch.stack(draws).cpu().double(), strict=True):
                    network.check_logits(logits, where)
                    own[:] = torch.log_softmax(logits, 1).numpy()
                use(block, log_p)


class MonteCarloUtility(MonteCarloStrategy):
    """Base class of those that value samples one by one. A subclass implements `_utilities`."""

    _with_work: ClassVar[str | None] = "exact"

    def choose(
        self, estimator: Any, X_pool: Any, n_instances: int, X_labelled: Any, y_labelled: Any
    ) -> Selection:
        masks, other, ties = seed_sequence(self.random_state, self).spawn(3)
        score = partial(self._score, estimator, masks)
        utilities = by_blocks(score, Pool.of(X_pool), self.batch_size, self)
        ranked_by = self._final(utilities, np.random.default_rng(other))
        return highest(ranked_by, n_instances, np.random.default_rng(ties))

    def _score(self, learner: Any, masks: np.random.SeedSequence, pool: Pool) -> np.ndarray:
        utilities = np.empty(len(pool))

        def use(block: slice, log_p: np.ndarray) -> None:
            utilities[block] = self._utilities(log_p)

        self._read(learner, pool, masks, use)
        return utilities

    @abstractmethod
    def _utilities(self, log_p: np.ndarray) -> np.ndarray:
        """Return the utilities (n,) of samples with log-probabilities (T, n, C)."""

    def _final(self, utilities: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """Return what the samples are ranked by."""
        return utilities


def mean_log_probabilities(log_p: np.ndarray) -> np.ndarray:
    """Return log p̄, (n, C), of the mean over T distributions (T, n, C)."""
    return _in_cache(_mean_log_probabilities, log_p)


def _mean_log_probabilities(log_p: np.ndarray) -> np.ndarray:
    # As logaddexp does it, in half the time; finite where p is 0 in all draws.
    highest = np.maximum(log_p.max(0), np.finfo(log_p.dtype).min)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(log_p - highest).mean(0)) + highest


def mutual_information(log_p: np.ndarray) -> np.ndarray:
    """Return H(p̄) − mean_t H(p_t), (n,), of T distributions (T, n, C).

    As mean_t KL(p_t ‖ p̄), a sum of terms that are not negative: the difference of the entropies
    cancels where the draws agree.
    """
    return _in_cache(_mutual_information, log_p)


def _mutual_information(log_p: np.ndarray) -> np.ndarray:
    p = np.exp(log_p)
    mean = p.mean(0)
    terms = np.maximum(log_p, _LOWEST)  # finite where p is 0
    terms -= np.log(np.maximum(mean, _TINY))
    terms *= p
    terms += mean
    terms -= p
    return np.maximum(terms.mean(0).sum(1), 0.0)


def _in_cache(of_block: Callable[[np.ndarray], np.ndarray], log_p: np.ndarray) -> np.ndarray:
    """Return what a function finds of each sample, a cache full of them at a time."""
    T, n, C = log_p.shape
    size = max(1, _BLOCK // (T * C))
    return np.concatenate([of_block(log_p[:, i : i + size]) for i in range(0, n, size)])
