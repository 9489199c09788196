"""The network inside a learner, and how blocks of a pool become its inputs."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skactive._batches import as_tensor, check_finite, map_batches, n_rows, one_behind
from skactive._device import module_device, resolve_device, same_device, to_device, unwrap
from skactive._pool import Pool
from skactive._predictions import check_probabilities
from skactive._scoring import scoring
from skactive._validation import invalid, owner_name
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base._inputs import Inputs
from skactive.strategies.base._learner import OpenLearner, check_two_classes, open_learner
from skactive.strategies.base._logistic import LogisticNetwork, is_logistic, why_no_network
from skactive.strategies.base._progress import counted


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
        The classes, one per column. Of a net that does not know them, since it was loaded, they
        are the columns' numbers, and none before it has seen the pool.

    Raises
    ------
    UnsupportedEstimatorError
        If there is no network inside, or its outputs are not logits or probabilities.
    """

    def __init__(self, learner: Any, owner: object, device: Any = None) -> None:
        self.learner = with_network(open_learner(learner, owner), owner)
        estimator = self.learner.estimator
        self.owner = owner
        self.classes = np.asarray(getattr(estimator, "classes_", ()))
        module = unwrap(estimator.module_)
        where = module_device(module) if device is None else resolve_device(device, owner)
        if not same_device(where, module_device(module)):
            module = copy.deepcopy(module).to(where)
        self.scored = module
        self.module = module if self.learner.prepares else _logits_of(module, estimator, owner)
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
        block = self.learner.transform(block)
        if self.learner.prepares:
            inputs = as_tensor(self.learner.estimator.check_samples(block))
        else:
            inputs = _plain_inputs(block, self.scored, self.owner, parameter)
        check_finite(inputs, self.owner, parameter, where)
        return to_device(inputs, self.device)

    def samples(self, *pools: Pool) -> Inputs:
        """Return the samples of pools, one after the other, as a sequence of inputs."""
        return Inputs(self.inputs, pools, np.arange(sum(map(len, pools))))

    def log_probabilities(self, pool: Pool, batch_size: int) -> np.ndarray:
        """Return the log-probabilities of the classes, (N, C), in float64.

        Parameters
        ----------
        pool : Pool of N samples
            The samples.
        batch_size : int
            Samples per forward pass.

        Returns
        -------
        ndarray of shape (N, C)
            log_softmax of the logits.
        """

        def forward(block: Any, start: int) -> tuple[np.ndarray, Tensor]:
            where = pool.positions[start : start + n_rows(block)]
            return where, self.logits(self.inputs(block, where, pool.name))

        self._count_classes(pool)
        out = np.empty((len(pool), len(self.classes)))
        with counted(self.owner, pool) as pool, scoring(self.scored), torch.inference_mode():
            for block, (where, logits) in one_behind(map_batches(forward, pool, batch_size)):
                logits = logits.to("cpu", torch.float64)  # first: a GPU is waited for once
                self.check_logits(logits, where)
                out[block] = torch.log_softmax(logits, 1).numpy()
        return out

    def check(self, pool: Pool) -> None:
        """Raise unless the network can take the first sample, and tells two classes apart."""
        self._count_classes(pool)
        check_two_classes(len(self.classes), self.owner)
        where = pool.positions[:1]
        first = self.inputs(pool[np.arange(1)], where)
        with scoring(self.scored), torch.inference_mode():
            self.check_logits(self.logits(first.clone()), where)

    def _count_classes(self, pool: Pool) -> None:
        """Number the columns of a net that has seen no labels."""
        if not len(self.classes):
            first = self.inputs(pool[np.arange(1)])
            with scoring(self.scored), torch.inference_mode():
                self.classes = np.arange(self.logits(first).shape[-1])

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


def with_network(learner: OpenLearner, owner: object) -> OpenLearner:
    """Return a learner whose classifier has a network, be it that of a logistic regression.

    Parameters
    ----------
    learner : OpenLearner
        What `open_learner` found.
    owner : object
        The strategy, for the error messages.

    Returns
    -------
    OpenLearner
        The same, or one with a `LogisticNetwork` for its classifier.

    Raises
    ------
    UnsupportedEstimatorError
        If the classifier is neither a network nor a softmax of linear logits.
    """
    estimator = learner.estimator
    if learner.has_network:
        return learner
    if is_logistic(estimator):
        return replace(learner, estimator=LogisticNetwork(estimator))
    why = why_no_network(estimator)
    name = owner_name(owner)
    others = f" Or pass embeddings=: a way to compute them to {name}, or an array to select."
    raise UnsupportedEstimatorError(
        f"{name} needs a torch network. Got {owner_name(estimator)} instead"
        f"{why and ', which '}{why}. Use a CNNClassifier, a skorch NeuralNetClassifier or "
        "scikit-learn's LogisticRegression." + others * hasattr(owner, "embeddings")
    )


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
