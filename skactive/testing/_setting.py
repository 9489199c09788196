"""What strategies are tried on: a few images, and a network with all that can be left changed."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor, nn

from skactive._batches import take_rows
from skactive.estimators import CNNClassifier
from skactive.strategies import QueryStrategy, Selection
from skactive.strategies.base._learner import members_of, open_learner

N_LABELLED, N_POOL = 24, 12


class TinyNetwork(nn.Module):
    """A convolutional network with BatchNorm and dropout.

    Parameters
    ----------
    in_channels : int, default=3
        Channels of the images.
    num_classes : int, default=3
        Number of logits.
    """

    def __init__(self, in_channels: int = 3, num_classes: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        return self.fc(self.drop(x.mean((2, 3))))


def tiny_images(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images (n, 3, 8, 8) of three classes; the brightest channel is the class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.integers(0, 120, (n, 3, 8, 8), dtype=np.uint8)
    X[np.arange(n), y] += 100
    return X, y


@dataclass(frozen=True, eq=False)
class Setting:
    """A strategy, and what it is asked about.

    Parameters
    ----------
    strategy : QueryStrategy
        The strategy, left as it is.
    estimator : object
        A fitted classifier.
    X_pool, X_labelled, y_labelled : array-like
        The samples.
    """

    strategy: QueryStrategy
    estimator: Any
    X_pool: Any
    X_labelled: Any
    y_labelled: Any

    @classmethod
    def of(cls, strategy: QueryStrategy, estimator: Any, X: Any, y: Any) -> Setting:
        """Fit a clone of an estimator on the first samples; the next ones are the pool."""
        if X is None:
            X, y = tiny_images(N_LABELLED + N_POOL)
        if estimator is None:
            estimator = CNNClassifier(TinyNetwork, max_epochs=4, random_state=0)
        n_labelled = min(N_LABELLED, len(y) // 2)
        first = np.arange(n_labelled)
        labelled = take_rows(X, first), np.asarray(y)[first]
        pool = take_rows(X, np.arange(n_labelled, min(len(y), n_labelled + N_POOL)))
        return cls(strategy, clone(estimator).fit(*labelled), pool, *labelled)

    def seeded(self, seed: Any = 0) -> QueryStrategy:
        """Return a copy of the strategy with this `random_state`."""
        fresh = copy.copy(self.strategy)  # a clone would unfit transformers
        fresh.random_state = seed
        return fresh

    def select(self, n: int, strategy: Any = None, *, X_pool: Any = None) -> Selection:
        """Ask the strategy, or a relative of it, with seed 0 unless it has one."""
        return (self.seeded() if strategy is None else strategy).select(
            self.estimator,
            self.X_pool if X_pool is None else X_pool,
            n,
            X_labelled=self.X_labelled,
            y_labelled=self.y_labelled,
        )

    @property
    def network(self) -> nn.Module | None:
        """The network inside the estimator, if there is one."""
        if members_of(self.estimator) is not None:
            return None
        return getattr(open_learner(self.estimator, "the check").estimator, "module_", None)

    def copied(self) -> Setting:
        """Return the same with an estimator and samples of its own."""
        names = ("estimator", "X_pool", "X_labelled", "y_labelled")
        own = copy.deepcopy([getattr(self, name) for name in names])
        return replace(self, **dict(zip(names, own, strict=True)))


def disturb(network: nn.Module) -> None:
    """Leave a network with mixed modes, a frozen parameter, a gradient and a hook."""
    leaves = [module for module in network.train().modules() if not list(module.children())]
    for module in leaves[1::2]:
        module.eval()
    trained = [p for p in network.parameters() if p.requires_grad]
    for parameter in trained[:1]:
        parameter.grad = torch.ones_like(parameter)
    for parameter in trained[2:][-1:]:
        parameter.requires_grad_(False)
    leaves[0].register_forward_hook(lambda *args: None)


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def snapshot(network: nn.Module | None) -> dict[str, Any]:
    """Return everything of a network and of the process that a query must leave as it was."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    process = {
        "the generator of Python": random.getstate(),
        "the generator of NumPy": [
            part.tolist() if isinstance(part, np.ndarray) else part
            for part in np.random.get_state()
        ],
        "the generator of torch": torch.get_rng_state().tolist(),
        "the generators of CUDA": [state.tolist() for state in cuda],
        "whether gradients are enabled": torch.is_grad_enabled(),
    }
    if network is None:
        return process
    named = dict(network.named_parameters())
    modules = dict(network.named_modules())
    return {
        **process,
        "the network's weights and buffers": {
            name: value.tolist() for name, value in network.state_dict().items()
        },
        "the parameters' gradients": {
            name: None if p.grad is None else (id(p.grad), p.grad.tolist())
            for name, p in named.items()
        },
        "which parameters require gradients": {name: p.requires_grad for name, p in named.items()},
        "the parameters as objects": {name: id(p) for name, p in named.items()},
        "the modules' training modes": {name: m.training for name, m in modules.items()},
        "the modules' hooks": {
            name: [list(getattr(module, kind)) for kind in _HOOKS]
            for name, module in modules.items()
        },
    }
