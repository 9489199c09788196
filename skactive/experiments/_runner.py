"""Strategies × seeds, with the same start for every strategy, and continued after a kill."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from skactive._torch import n_rows
from skactive._validation import check_count, describe, invalid
from skactive.experiments._config import make_config, store_config
from skactive.experiments._loop import Data, Plan, run_rounds
from skactive.experiments._records import Record, RecordFile, latest
from skactive.experiments._results import Results

_OWNER = "run_experiment"


def run_experiment(
    estimator: Any,
    strategies: Mapping[str, Any] | Sequence[Any],
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    n_initial: int,
    batch_size: int,
    n_rounds: int,
    seeds: int | Iterable[int],
    initial: str = "random",
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Results:
    """Compare query strategies: train, measure, query, and again, for each strategy and seed.

    All strategies of a seed share the initial labels, the initial weights and the order of the
    data, so that what differs between them is what they picked. Every round trains from scratch.
    The labels `y` stand in for an oracle: a strategy sees those of the images it has asked for.
    Test data are used for the measurements only.

    Parameters
    ----------
    estimator : classifier
        The classifier to train; itself left as it is. The seed of the round replaces its
        `random_state`. Pass it the list of classes if it takes one (`CNNClassifier(classes=...)`):
        the first labels may lack some.
    strategies : dict of str to strategy, or list of strategy
        The strategies, under the names that the results shall use; a list is named by class.
    X : array-like of shape (n_samples, ...)
        The images: an array, a memmap, a tensor, a data frame or a sequence.
    y : array-like of shape (n_samples,)
        Their labels.
    X_test : array-like of shape (n_test_samples, ...)
        The test images.
    y_test : array-like of shape (n_test_samples,)
        Their labels.
    n_initial : int
        How many images are labelled at first.
    batch_size : int
        How many labels a query asks for.
    n_rounds : int
        How many queries there are. Round 0 trains on the initial labels, and the last round trains
        on all labels and queries nothing: a learning curve has `n_rounds + 1` points.
    seeds : int or iterable of int
        How many seeds (0, 1, ...), or which ones.
    initial : {"random", "balanced"}, default="random"
        How the initial labels are drawn: at random, or as evenly over the classes as `n_initial`
        allows.
    out : str or path-like, default=None
        A folder to keep the results in, made if there is none. Each finished round is one line of
        `results.jsonl`, written whole or not at all; `config.json` holds what decides the numbers.
        The same call continues after a kill, computes no finished round again, and ends with the
        same numbers (on a CPU at the same number of threads, on the same versions). More rounds,
        seeds or strategies extend what is there. One process at a time may use the folder.
    progress : bool, default=True
        Whether to show a progress bar, on standard error.

    Returns
    -------
    Results
        The rounds of these strategies and seeds, those read from `out` included.

    Raises
    ------
    InvalidParameterError
        If an argument is wrong, or a strategy picks an image twice or none of the pool.
    ResultsMismatchError
        If `out` holds results of another configuration; the message says what differs.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from sklearn.base import BaseEstimator
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.experiments import run_experiment
    >>> class Last(BaseEstimator):
    ...     def select(self, estimator, X_pool, n_instances, **labelled):
    ...         return SimpleNamespace(indices=np.arange(len(X_pool))[-n_instances:])
    >>> X, y = load_digits(return_X_y=True)
    >>> results = run_experiment(
    ...     LogisticRegression(max_iter=1000), [Last()], X[:500], y[:500], X[500:], y[500:],
    ...     n_initial=20, batch_size=10, n_rounds=2, seeds=1, progress=False)
    >>> results.frame["n_labelled"].tolist()
    [20, 30, 40]
    """
    named = _named(strategies)
    usable = hasattr(estimator, "fit") and hasattr(estimator, "get_params")
    if not usable or isinstance(estimator, type):
        raise invalid(
            "estimator", _OWNER, "an estimator with fit, predict and get_params", estimator,
            "Pass an instance, such as CNNClassifier('small_cnn', classes=range(10)).",
        )  # fmt: skip
    data = _checked_data(X, y, X_test, y_test)
    _warn_of_unknown_classes(estimator, data)
    plan = _checked_plan(data, n_initial, initial, batch_size, n_rounds)
    which = _checked_seeds(seeds)
    folder = None if out is None else _make_folder(out)
    if folder is not None:
        store_config(folder, make_config(estimator, named, data, plan))

    grid = [(name, seed) for seed in which for name in named]
    with nullcontext() if folder is None else RecordFile(folder / "results.jsonl") as file:
        stored = _by_run([] if file is None else latest(file.records))
        done = {run: _finished(stored.get(run, {}), plan.n_rounds) for run in grid}
        with tqdm(
            total=len(grid) * (plan.n_rounds + 1),
            initial=sum(len(records) for records in done.values()),
            disable=not progress,
            unit="round",
            file=sys.stderr,
            dynamic_ncols=True,
        ) as bar:
            for name, seed in grid:
                records = done[name, seed]
                for record in run_rounds(
                    name, named[name], seed, estimator, data, plan, tuple(records)
                ):
                    if file is not None:
                        file.append(record)
                    records.append(record)
                    shown = {"strategy": name, "seed": seed, "labels": record["n_labelled"]}
                    bar.set_postfix(
                        shown | {"accuracy": f"{record['accuracy']:.3f}"}, refresh=False
                    )
                    bar.update()
    return Results([record for run in grid for record in done[run]])


def _by_run(records: list[Record]) -> dict[tuple[str, int], dict[int, Record]]:
    runs: dict[tuple[str, int], dict[int, Record]] = {}
    for record in records:
        runs.setdefault((record["strategy"], record["seed"]), {})[record["round"]] = record
    return runs


def _finished(rounds: dict[int, Record], n_rounds: int) -> list[Record]:
    """Return the rounds that need not be computed again: from 0, without a gap.

    The last round of a shorter run has queried nothing; if more rounds are to follow, it is to
    be computed again, with its query.
    """
    finished: list[Record] = []
    for round_ in range(n_rounds + 1):
        if round_ not in rounds or (round_ < n_rounds and not rounds[round_]["queried"]):
            break
        finished.append(rounds[round_])
    return finished


def _named(strategies: Any) -> dict[str, Any]:
    must = "a dict of name to strategy, or a list of strategies"
    remedy = "For example {'margin': Margin(), 'random': Random()}."
    if isinstance(strategies, Mapping):
        named = dict(strategies)
    elif isinstance(strategies, (list, tuple)):
        named = {s.__name__ if isinstance(s, type) else type(s).__name__: s for s in strategies}
        if len(named) < len(strategies) and not any(isinstance(s, type) for s in strategies):
            raise invalid(
                "strategies", _OWNER, "a dict where two strategies are of one class", strategies,
                "Give each a name of its own: {'name': strategy, ...}.",
            )  # fmt: skip
    else:
        raise invalid("strategies", _OWNER, must, strategies, remedy)
    if not named:
        raise invalid("strategies", _OWNER, f"{must}, at least one", strategies, remedy)
    for name, strategy in named.items():
        usable = hasattr(strategy, "select") and hasattr(strategy, "get_params")
        if not isinstance(name, str) or not usable or isinstance(strategy, type):
            raise invalid(
                "strategies", _OWNER, f"{must} with select and get_params", {name: strategy},
                f"Pass instances. {remedy}",
            )  # fmt: skip
    return named


def _warn_of_unknown_classes(estimator: Any, data: Data) -> None:
    """Warn if the estimator is told a list of classes that lacks some, or none at all."""
    params = estimator.get_params()
    names = [n for n in params if n == "classes" or n.endswith("__classes")]
    for name in names:
        missing = np.unique(data.y) if params[name] is None else np.setdiff1d(data.y, params[name])
        if len(missing):
            warnings.warn(
                f"run_experiment: the estimator's {name}={describe(params[name])} lacks "
                f"{missing[:10].tolist()}, which it cannot predict in rounds without such labels. "
                f"Pass {name}={np.unique(data.y)[:20].tolist()}.",
                stacklevel=3,
            )


def _checked_data(X: Any, y: Any, X_test: Any, y_test: Any) -> Data:
    labels: dict[str, np.ndarray] = {}
    for X_name, images, y_name, given in [("X", X, "y", y), ("X_test", X_test, "y_test", y_test)]:
        by_position = hasattr(images, "__len__") and hasattr(images, "__getitem__")
        if not by_position or getattr(images, "shape", None) == () or not n_rows(images):
            raise invalid(
                X_name, _OWNER, "images, at least one, that can be fetched by position", images,
                "Pass an array, a memmap, a tensor, a data frame or a sequence.",
            )  # fmt: skip
        of_all = np.asarray(given)
        if of_all.shape != (n_rows(images),):
            raise invalid(
                y_name, _OWNER, f"1-D, a label for each of the {n_rows(images)} rows of {X_name}",
                of_all, f"Check that {X_name} and {y_name} belong together.",
            )  # fmt: skip
        labels[y_name] = of_all
    shape, test_shape = (getattr(images, "shape", (None,))[1:] for images in (X, X_test))
    if tuple(shape) != tuple(test_shape):
        raise invalid(
            "X_test", _OWNER, f"images of the same shape as those of X, {tuple(shape)}", X_test,
            "Prepare both in the same way.",
        )  # fmt: skip
    strange = np.setdiff1d(labels["y_test"], labels["y"])
    if len(strange):
        raise invalid(
            "y_test", _OWNER, "labels of classes that y has, too", strange[:10].tolist(),
            "Remove the test images of these classes; no strategy can find their labels in X.",
        )  # fmt: skip
    return Data(X, labels["y"], X_test, labels["y_test"])


def _checked_plan(data: Data, n_initial: Any, initial: Any, batch_size: Any, n_rounds: Any) -> Plan:
    n_samples = len(data.y)
    n_initial = check_count("n_initial", _OWNER, n_initial, high=n_samples, high_is="all of X")
    batch_size = check_count("batch_size", _OWNER, batch_size)
    check_count(
        "n_rounds", _OWNER, n_rounds, low=0, high=(n_samples - n_initial) // batch_size,
        high_is=f"X has {n_samples} images, {n_initial} are labelled at first, "
        f"and a round asks for {batch_size}",
        remedy="Lower n_rounds, batch_size or n_initial.",
    )  # fmt: skip
    if not (isinstance(initial, str) and initial in {"random", "balanced"}):
        raise invalid(
            "initial", _OWNER, "'random' or 'balanced'", initial,
            "'balanced' draws the classes as evenly as n_initial allows.",
        )  # fmt: skip
    return Plan(n_initial, initial, batch_size, int(n_rounds))


def _checked_seeds(seeds: Any) -> list[int]:
    if not isinstance(seeds, Iterable) or isinstance(seeds, (str, bytes)):
        return list(range(check_count("seeds", _OWNER, seeds)))
    which = list(seeds)
    if not which:
        raise invalid("seeds", _OWNER, "at least one seed", which, "Pass seeds=1, or seeds=[0].")
    which = [check_count("seeds", _OWNER, seed, low=0) for seed in which]
    if len(set(which)) < len(which):
        raise invalid("seeds", _OWNER, "distinct", which, "A seed twice is the same run twice.")
    return which


def _make_folder(out: str | os.PathLike[str]) -> Path:
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise invalid(
            "out", _OWNER, "a folder, or a path to make one at", str(out), "It is a file."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder
