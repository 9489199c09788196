"""From what a learner holds to the network inside it, fed with blocks of the pool."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from tqdm import tqdm

from skactive._batches import as_tensor, check_finite, map_batches, n_rows, one_behind, take_rows
from skactive._device import module_device, resolve_device, same_device, to_device, unwrap
from skactive._scoring import scoring
from skactive._sub_pool import in_pool
from skactive._validation import invalid, owner_name
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base._progress import progress_bar, shown


def committee_members(learner: Any) -> list[Any] | None:
    """Return the learners of a modAL Committee or of a list of estimators; None for one learner."""
    members = learner if isinstance(learner, (list, tuple)) else None
    members = getattr(learner, "learner_list", members)
    return None if members is None else list(members)


def single_learner(learner: Any, owner: object) -> Any:
    """Return the learner itself, or raise if there are several."""
    members = committee_members(learner)
    if members is not None:
        raise UnsupportedEstimatorError(
            f"{owner_name(owner)} reads one network and cannot average a Committee of "
            f"{len(members)}. Pass committee.learner_list[0], or query with a "
            "strategy that reads probabilities, such as Entropy."
        )
    return learner


def open_learner(learner: Any, owner: object) -> tuple[Any, list[Callable[[Any], Any]]]:
    """Return the fitted estimator inside learners, searches and Pipelines, and what precedes it.

    Parameters
    ----------
    learner : object
        A modAL learner, a fitted search, a Pipeline, or the estimator itself.
    owner : object
        The strategy, for the error messages.

    Returns
    -------
    estimator : object
        The classifier at the end.
    transforms : list of callable
        The steps before it, to be applied to blocks of the pool in this order.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    """
    transforms: list[Callable[[Any], Any]] = []
    while True:
        if hasattr(learner, "query_strategy") and hasattr(learner, "estimator"):
            learner = learner.estimator
            continue
        try:
            check_is_fitted(learner)
            if not getattr(learner, "initialized_", True):  # skorch 1.2 does not tell scikit-learn
                raise NotFittedError
        except NotFittedError:
            raise NotFittedError(
                f"{owner_name(owner)} needs a fitted estimator, and this "
                f"{owner_name(learner)} is not fitted. Call fit first, or give the ActiveLearner "
                "X_training and y_training; choose the first labels with Random or "
                "skactive.datasets.initial_positions."
            ) from None
        except TypeError:
            raise UnsupportedEstimatorError(
                f"{owner_name(owner)} needs a fitted classifier or a modAL learner. Got "
                f"{owner_name(learner)} instead."
            ) from None
        if isinstance(learner, Pipeline):
            if len(learner.steps) > 1:
                transforms.append(learner[:-1].transform)
            learner = learner.steps[-1][1]
        elif hasattr(learner, "best_estimator_"):
            learner = learner.best_estimator_
        else:
            return learner, transforms


class PoolNetwork:
    """A fitted network, and how blocks of a pool become its inputs.

    Parameters
    ----------
    learner : object
        What holds the network; see `open_learner`.
    owner : object
        The strategy, for the error messages.
    device : str, torch.device or None, default=None
        Where to compute: a copy of the network is put there. None is where the network is.

    Attributes
    ----------
    module : torch.nn.Module
        Takes a batch of inputs, returns logits (n, C), or log-probabilities that serve as such.
    classes : ndarray of shape (C,)
        The classes, one per column.

    Raises
    ------
    UnsupportedEstimatorError
        If there is no network inside, or its outputs are not logits or probabilities.
    """

    def __init__(self, learner: Any, owner: object, device: Any = None) -> None:
        estimator, self.transforms = open_learner(single_learner(learner, owner), owner)
        if not has_network(estimator):
            raise UnsupportedEstimatorError(
                f"{owner_name(owner)} needs a torch network. Got {owner_name(estimator)} instead. "
                "Use a CNNClassifier or a skorch NeuralNetClassifier."
            )
        self.owner = owner
        self.estimator = estimator
        self.classes = np.asarray(estimator.classes_)
        module = unwrap(estimator.module_)
        where = module_device(module) if device is None else resolve_device(device, owner)
        if not same_device(where, module_device(module)):
            module = copy.deepcopy(module).to(where)
        self.scored = module
        self.module = (
            module if hasattr(estimator, "check_samples") else _logits_of(module, estimator, owner)
        )
        self.device = module_device(module)

    def inputs(self, block: Any, where: int | np.ndarray = 0, parameter: str = "X_pool") -> Tensor:
        """Return a block of the pool as the network's input, on its device.

        Parameters
        ----------
        block : array-like
            Samples of the pool.
        where : int or array of int, default=0
            Their positions in it, or that of the first if they are consecutive; for the error
            message, where a sample is not finite.
        parameter : str, default="X_pool"
            What they are called in the error message.

        Returns
        -------
        Tensor
            The inputs.
        """
        block = transform(block, self.transforms)
        if hasattr(self.estimator, "check_samples"):
            inputs = as_tensor(self.estimator.check_samples(block))
        else:
            inputs = _plain_inputs(block, self.scored, self.owner, parameter)
        check_finite(inputs, self.owner, parameter, where)
        return to_device(inputs, self.device)

    def log_probabilities(self, X: Any, batch_size: int) -> np.ndarray:
        """Return the log-probabilities of the classes, (N, C), in float64.

        Parameters
        ----------
        X : array-like, Tensor or Dataset of N samples
            The pool.
        batch_size : int
            Samples per forward pass.

        Returns
        -------
        ndarray of shape (N, C)
            log_softmax of the logits.
        """

        def forward(block: Any, start: int) -> tuple[np.ndarray, Tensor]:
            where = in_pool(X, np.arange(start, start + n_rows(block)))
            return where, self.logits(self.inputs(block, where))

        out = np.empty((n_rows(X), len(self.classes)))
        with scoring(self.scored), torch.inference_mode():
            batches = one_behind(map_batches(forward, X, batch_size))
            for block, (where, logits) in shown(self.owner, n_rows(X), batches):
                self.check_logits(logits, where)
                out[block] = torch.log_softmax(logits.to("cpu", torch.float64), 1).numpy()
        return out

    def check(self, X: Any) -> None:
        """Raise unless the network can take the first sample, and tells two classes apart."""
        check_two_classes(len(self.classes), self.owner)
        first = self.inputs(take_rows(X, slice(0, 1)))
        with scoring(self.scored), torch.inference_mode():
            self.check_logits(self.logits(first.clone()))

    def logits(self, inputs: Tensor) -> Tensor:
        """Run the network; say which samples a plain net, which checks none, could not take."""
        if not isinstance(self.module, _LogitsOf):
            return self.module(inputs)
        try:
            outputs = self.module.outputs(inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise RuntimeError(
                f"The net queried by {owner_name(self.owner)} cannot take samples of shape "
                f"{tuple(inputs.shape[1:])} and dtype {inputs.dtype}: {error}. Bring X_pool to the "
                "shape and dtype that the net was trained on."
            ) from error
        if self.module.probabilities:
            what = f"A net under NLLLoss, queried by {owner_name(self.owner)},"
            remedy = "End its module in Softmax, or train it with CrossEntropyLoss on logits"
            check_probabilities(outputs.double().cpu().numpy(), what, remedy)
        return self.module.as_logits(outputs)

    def check_logits(self, logits: Tensor, where: int | np.ndarray = 0) -> None:
        """Raise unless these are finite logits with a column for each class.

        `where` gives the samples' positions in the pool, as in `inputs`.
        """
        if logits.ndim != 2 or (logits.shape[1] < 2 and len(self.classes) > 1):
            raise UnsupportedEstimatorError(
                f"{owner_name(self.owner)} needs a network with a column of logits for each of "
                f"two classes or more. Got outputs of shape {tuple(logits.shape)}. A single logit "
                "is not supported: use two, and list every class in classes=."
            )
        if logits.shape[1] != len(self.classes):
            raise UnsupportedEstimatorError(
                f"{owner_name(self.owner)} got {logits.shape[1]} columns of logits for "
                f"{len(self.classes)} classes. Pass classes= to the estimator, with all of them."
            )
        finite = torch.isfinite(logits).all(1)
        if not bool(finite.all()):
            first = int((~finite).nonzero()[0, 0])
            first = where + first if isinstance(where, int) else int(where[first])
            raise ValueError(
                f"The network queried by {owner_name(self.owner)} returns NaN or infinity, first "
                f"for sample {first} of the pool. Its training "
                "has probably diverged: lower lr and fit again."
            )


class PoolInputs:
    """Some samples of a pool, or of several, as a sequence of a network's inputs.

    Nothing is read before it is asked for, batch by batch; `take_rows` and `n_rows` know how.

    Parameters
    ----------
    network : PoolNetwork
        Prepares the samples.
    *parts : tuple of (str, object, ndarray of int)
        The parameter's name for messages, the samples, and the positions of those meant.
    """

    def __init__(self, network: PoolNetwork, *parts: tuple[str, Any, np.ndarray]) -> None:
        self.network = network
        self.parts = parts
        self._bar: tqdm | None = None

    @contextmanager
    def counted(self) -> Iterator[PoolInputs]:
        """Show a progress bar of what is read inside the block, if it takes long.

        Yields
        ------
        PoolInputs
            The same samples.
        """
        with progress_bar(owner_name(self.network.owner), "sample", len(self), True) as bar:
            self._bar = bar
            try:
                yield self
            finally:
                self._bar = None

    def __len__(self) -> int:
        return sum(len(positions) for _, _, positions in self.parts)

    def __getitem__(self, index: slice | np.ndarray) -> Tensor:
        batch = isinstance(index, slice)  # and not the few samples of a check
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        wanted = np.asarray(index)
        blocks, order, start = [], [], 0
        for parameter, X, positions in self.parts:
            here = np.flatnonzero((start <= wanted) & (wanted < start + len(positions)))
            if len(here):
                rows = positions[wanted[here] - start]
                where = in_pool(X, rows)
                blocks.append(self.network.inputs(take_rows(X, rows), where, parameter))
                order.append(here)
            start += len(positions)
        if batch and self._bar is not None and wanted[-1] >= self._bar.n:  # read for the first time
            self._bar.update(int(wanted[-1]) + 1 - self._bar.n)
        found = torch.cat(blocks) if len(blocks) > 1 else blocks[0]
        places = np.concatenate(order)
        if (np.diff(places) > 0).all():  # to index, a CUDA device would wait for the index
            return found
        return found[torch.as_tensor(np.argsort(places), device=self.network.device)]


def check_probabilities(p: np.ndarray, what: str, remedy: str) -> None:
    """Raise unless the rows of p, (n, C), are distributions: not negative, and of sum 1.

    Parameters
    ----------
    p : ndarray of shape (n, C)
        The rows; those that are not finite are left to other checks.
    what : str
        What returned them; begins the message.
    remedy : str
        What to do about it; ends the message.
    """
    sums = p.sum(1)
    wrong = np.isfinite(sums) & ((np.abs(sums - 1) > _OFF_ONE) | (p < 0).any(1))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{what} must return probabilities: rows that are not negative and sum to 1. Got a row "
            f"that sums to {sums[first]:.4g}, with a smallest value of {p[first].min():.4g}. "
            f"{remedy}."
        )


# By how much a sum of probabilities may be off, in half precision.
_OFF_ONE = 1e-2


def check_two_classes(n_classes: int, owner: object) -> None:
    """Raise if there is nothing to tell apart."""
    if n_classes < 2:
        raise UnsupportedEstimatorError(
            f"{owner_name(owner)} needs a classifier of two classes or more. Got one that knows a "
            "single class. List every class in classes=, or label samples of another class."
        )


def has_network(estimator: Any) -> bool:
    """Whether an estimator is a CNNClassifier, or a skorch net."""
    return hasattr(estimator, "module_") and hasattr(estimator, "classes_")


def transform(block: Any, transforms: list[Callable[[Any], Any]]) -> Any:
    """Apply the steps of a Pipeline that precede the estimator to a block of the pool."""
    if transforms and isinstance(block, Tensor):
        block = block.detach().cpu().numpy()
    for step in transforms:
        block = step(block)
    return block


def _plain_inputs(block: Any, module: nn.Module, owner: object, parameter: str) -> Tensor:
    """Return the inputs of a skorch net: floats in the network's dtype."""
    if hasattr(block, "toarray"):
        raise invalid(
            parameter,
            owner,
            "a dense array for a skorch net",
            block,
            "Convert it with .toarray(), or give the Pipeline a step that does.",
        )
    inputs = as_tensor(block)
    if inputs.dtype == torch.uint8:
        raise invalid(
            parameter,
            owner,
            "floats, as a plain skorch net was trained on",
            block,
            "Convert as for training, for example with .astype('float32') / 255, or use a "
            "CNNClassifier, which takes uint8.",
        )
    dtype = inputs.dtype
    if inputs.is_floating_point():
        dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), dtype)
    return inputs.to(dtype, copy=True)  # the net may work in place


class _LogitsOf(nn.Module):
    """Takes the logits, or the logarithms of probabilities, out of a skorch net's module."""

    def __init__(self, module: nn.Module, probabilities: bool) -> None:
        super().__init__()
        self.module = module
        self.probabilities = probabilities

    def forward(self, x: Tensor) -> Tensor:
        return self.as_logits(self.outputs(x))

    def outputs(self, x: Tensor) -> Tensor:
        """Return what the net's module returns, the first of several, as skorch does."""
        out = self.module(x)
        return out[0] if isinstance(out, tuple) else out

    def as_logits(self, out: Tensor) -> Tensor:
        """Return outputs as logits, finite also where a probability is 0."""
        return out.clamp_min(torch.finfo(out.dtype).tiny).log() if self.probabilities else out


def _logits_of(module: nn.Module, net: Any, owner: object) -> nn.Module:
    criterion = getattr(net, "criterion_", None)
    if isinstance(criterion, nn.CrossEntropyLoss):
        return _LogitsOf(module, probabilities=False)
    if isinstance(criterion, nn.NLLLoss):
        return _LogitsOf(module, probabilities=True)
    raise UnsupportedEstimatorError(
        f"{owner_name(owner)} needs a net whose module returns logits under CrossEntropyLoss, or "
        f"probabilities under NLLLoss. Got the criterion {type(criterion).__name__}. Train the net "
        "with one of these two."
    )
