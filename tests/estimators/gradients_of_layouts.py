"""Compare the gradients of named networks, at odd widths and sizes, with those in float64.

Usage: python -m tests.estimators.gradients_of_layouts

In a process of its own: what it looks for may be a crash, and depends on the instruction set that
`ONEDNN_MAX_CPU_ISA` allows.
"""

import copy
from itertools import product

import numpy as np
import torch

from skactive import CNNClassifier

NETWORKS = ("small_cnn", "resnet18", "resnet18_narrow", "vgg11")


def gradients(network: torch.nn.Module, X: torch.Tensor) -> torch.Tensor:
    network.zero_grad()
    logits = network(X)
    torch.nn.functional.cross_entropy(logits, torch.arange(len(X)) % logits.shape[1]).backward()
    return torch.cat([p.grad.flatten().double() for p in network.parameters()])


def in_double(network: torch.nn.Module) -> torch.nn.Module:
    network = copy.deepcopy(network).double()
    network.input.channels_last = False
    return network


def main() -> None:
    rng = np.random.default_rng(0)
    for name, width, size, channels_last in product(NETWORKS, (3, 8, 17), (24, 33), (False, True)):
        X = rng.integers(0, 256, (4, size, size, 3) if channels_last else (4, 3, size, size))
        X, y = X.astype(np.uint8), [0, 1, 0, 1]
        clf = CNNClassifier(
            name,
            module_params={"width": width},
            max_epochs=1,
            lr=1e-3,
            device="cpu",
            random_state=0,
            normalize=None,
        )
        network = clf.fit(X, y).module_.train()
        found, expected = (
            gradients(net, torch.from_numpy(X)) for net in (network, in_double(network))
        )
        error = float((found - expected).norm() / expected.norm())
        print(name, width, size, channels_last, f"{error:.1e}", flush=True)
        assert error < 2e-2, "wrong gradients"  # a ReLU may round to the other side of its kink


if __name__ == "__main__":
    main()
