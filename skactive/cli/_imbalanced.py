"""`skactive demo --imbalanced`: a long tail for each seed, and what was asked for in it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from skactive.experiments import Results

RATIO = 0.02
BALANCED = " balanced"


def add_imbalanced(demo: argparse.ArgumentParser) -> None:
    """Add the option to the command.

    Parameters
    ----------
    demo : ArgumentParser
        That of the command.
    """
    demo.add_argument(
        "--imbalanced",
        action="store_true",
        help="choose from a long tail, from as many images of a class as there are down to a "
        "fiftieth; which classes are rare is drawn anew by each seed, whose results are in folders "
        "of their own, seed-0 and so on. Strategies that can aim at something are there twice, the "
        "second time at all classes alike",
    )


@dataclass(frozen=True)
class Tail:
    """The pool of one seed.

    Attributes
    ----------
    data : Bunch
        As the whole data, with fewer images to choose from.
    order : list of int
        The classes, the most frequent first.
    """

    data: Bunch
    order: list[int]


def with_a_tail(data: Bunch, seed: int) -> Tail:
    """Draw an order of the classes, and a pool in which they become ever rarer.

    Parameters
    ----------
    data : Bunch
        Images to choose from and to test on; the latter stay as they are.
    seed : int
        Draws the order and the images.

    Returns
    -------
    Tail
        The pool.
    """
    from skactive.datasets import long_tail_counts, make_imbalanced

    counts = long_tail_counts(data.y_train, RATIO, random_state=seed)
    X, y = make_imbalanced(data.X_train, data.y_train, counts, random_state=seed)
    return Tail(type(data)(**{**data, "X_train": X, "y_train": y}), list(counts))


def aimed_too(strategies: Mapping[str, Any]) -> dict[str, Any]:
    """Put beside each strategy that has a target the same one with a balanced target.

    Parameters
    ----------
    strategies : dict of str to strategy
        By name.

    Returns
    -------
    dict of str to strategy
        These, in their order.
    """
    from sklearn.base import clone

    named: dict[str, Any] = {}
    for name, strategy in strategies.items():
        named[name] = strategy
        if "target" in strategy.get_params(deep=False):
            named[name + BALANCED] = clone(strategy).set_params(target="balanced")
    return named


def merged(found: list[Results]) -> Results:
    """Return results of different seeds as one."""
    import pandas as pd

    from skactive.experiments import Results

    frame = pd.concat([one.frame for one in found], ignore_index=True)
    rows: Any = frame.to_dict("records")
    return Results(rows, [failure for one in found for failure in one.failures])


def who_asked_for_rare(results: Results, tails: Mapping[int, Tail]) -> list[str]:
    """Say how many labels of the rarer half of the classes each strategy has asked for.

    Parameters
    ----------
    results : Results
        The rounds.
    tails : dict of int to Tail
        The pool of each seed.

    Returns
    -------
    list of str
        Lines.
    """
    lines, width = [], max(map(len, results.frame["strategy"]))
    for name, rounds in results.frame.groupby("strategy", sort=False):
        asked = rare = 0
        for seed, of_class in zip(rounds["seed"], rounds["queried_classes"], strict=True):
            order = tails[seed].order
            asked += sum(of_class.values())
            rare += sum(of_class.get(str(c), 0) for c in order[len(order) // 2 :])
        if asked:
            lines.append(f"  {name:{width}}  {rare} of {asked}")
    return lines
