"""What the commands share: one-line errors, counts as values of options, data sets by name."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from sklearn.utils import Bunch

# The function of `skactive.datasets` that loads each, and its first arguments.
DATASETS: dict[str, tuple[str, ...]] = {
    "fashion-mnist-4k": ("load_fashion_mnist", "4k"),
    "fashion-mnist": ("load_fashion_mnist", "full"),
    "mnist": ("load_mnist",),
    "cifar10": ("load_cifar10",),
    "cifar100": ("load_cifar100",),
    "svhn": ("load_svhn",),
}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, also those in the options of a command."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:  # argparse would leave them to the main parser, which knows no command
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}. See {self.prog} --help.\n")


def count(low: int) -> Callable[[str], int]:
    """Return a reader of whole numbers of at least `low`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {low}, not {text!r}"
            )
        return value

    return read


def load_dataset(name: str, **where: Any) -> Bunch:
    """Load one of the data sets; what is false or None is left to the function that loads it."""
    from skactive import datasets

    function, *arguments = DATASETS[name]
    given = {key: value for key, value in where.items() if value}
    return getattr(datasets, function)(*arguments, **given)
