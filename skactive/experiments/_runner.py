"""Strategies × seeds, with the same start for every strategy, and continued after a kill."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from skactive.exceptions import FailedRunWarning
from skactive.experiments._arguments import (
    OWNER,
    check_arms,
    check_data,
    check_dataset,
    check_embeddings,
    check_estimator,
    check_folder,
    check_n_jobs,
    check_plan,
    check_protocol,
    check_seeds,
    check_stopping,
    check_threads,
    warn_of_unknown_classes,
)
from skactive.experiments._config import make_config, merge_config, store_config
from skactive.experiments._failures import Failed, FailureFile, announce
from skactive.experiments._later_metrics import changed
from skactive.experiments._loop import Arm, Data, Terms
from skactive.experiments._metrics import check_metrics
from skactive.experiments._protocol import Protocol
from skactive.experiments._records import Record, RecordFile, latest, read_records
from skactive.experiments._results import Results
from skactive.experiments._schedule import play
from skactive.experiments._stopping import has_stopped
from skactive.stopping import StoppingRule


def run_experiment(
    estimator: Any,
    strategies: Mapping[str, Any] | Sequence[Any],
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    n_initial: int,
    n_instances: int,
    n_rounds: int,
    seeds: int | Iterable[int],
    initial: str = "random",
    protocol: Protocol | None = None,
    metrics: Mapping[str, Any] | Sequence[str] | None = None,
    stopping: Mapping[str, StoppingRule] | Sequence[StoppingRule] | None = None,
    stop: str | None = None,
    dataset: str = "data",
    embeddings: Any = None,
    n_jobs: int = 1,
    n_threads: int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Results:
    """Compare query strategies: train, measure, query, and again, for each strategy and seed.

    All strategies of a seed share the initial labels, the initial weights and the order of the
    data, so that what differs between them is what they picked; where estimators of their own
    differ, each is seeded alike. Every round trains from scratch,
    unless `protocol` says otherwise.
    The labels `y` stand in for an oracle: a strategy sees those of the images it has asked for.
    Test data are used for the measurements only.

    Every `random_state` in an estimator or a strategy is set from the seed and the round. What has
    none draws from the process-wide generators, which are seeded for it and put back as they were.

    Parameters
    ----------
    estimator : classifier
        The classifier to train; itself left as it is. Pass it the list of classes if it takes one
        (`CNNClassifier(classes=...)`): the first labels may lack some.
    strategies : dict of str to strategy, or list of strategy
        The strategies, under the names that the results should use; a list is named by class. A
        pair (estimator, strategy) instead of a strategy trains an estimator of its own, such as a
        network that predicts losses; `estimator` is that of the others. The pool that `select` gets
        is a view of X: it has a length, takes positions, and `np.asarray` reads all of it; for
        a list or data frame it is one too.
    X : array-like of shape (n_samples, ...)
        The images: an array, a memmap, a tensor, a data frame or a sequence.
    y : array-like of shape (n_samples,)
        Their labels.
    X_test : array-like of shape (n_test_samples, ...)
        The test images.
    y_test : array-like of shape (n_test_samples,)
        Their labels.
    n_initial : int
        Number of images labelled at first.
    n_instances : int
        Number of labels that a query asks for.
    n_rounds : int
        Number of queries. Round 0 trains on the initial labels, and the last round trains
        on all labels and queries nothing: a learning curve has `n_rounds + 1` points.
    seeds : int or iterable of int
        Number of seeds (0, 1, ...), or the seeds themselves.
    initial : {"random", "balanced"}, default="random"
        How the initial labels are drawn: at random, or as evenly over the classes as `n_initial`
        allows.
    protocol : Protocol, default=None
        How the classifier is trained in each round: warm start, training to an accuracy, a
        validation share, early stopping, augmentation. None trains it as it is, from scratch.
    metrics : dict of str to scorer, or list of str, default=None
        What else to measure on the test data: scorers, called with the fitted classifier, the
        images and the labels, or names of scikit-learn's scorers.
    stopping : dict of str to StoppingRule, or list of these, default=None
        Rules of `skactive.stopping` whose value and verdict are recorded in each round; a list is
        named by class. They look at samples of the pool, at most 2,000 at random, the same in each
        round and for each strategy of a seed; those that need labels at the test data.
    stop : str, default=None
        The name of the rule that ends a run in the round in which it first says so. None ends no
        run, whatever the rules say. Runs of different length are not averaged, see `Results`;
        the same call without it takes the runs to their end.
    dataset : str, default="data"
        What the results call the data, for comparisons over several data sets.
    embeddings : array or tensor of shape (n_samples, D), or None, default=None
        Features of X that exist already, such as those of an `Embedder`: a row for each image, in
        the order of X. Each query gives the strategy those of its pool and of the labelled images,
        for strategies that read embeddings, in place of the network's; the others leave them. To
        train on features as well, pass them as X, and those of the test images as X_test, with
        `CNNClassifier()` or scikit-learn's `LogisticRegression()` as the estimator.
    n_jobs : int, default=1
        Number of rounds computed at a time, in processes of their own; -1 is one per core. joblib
        starts them, so that inside `joblib.parallel_config("dask")` the workers of a Dask cluster
        do the work. The numbers are those of `n_jobs=1`. One process writes the results.
    n_threads : int, default=None
        Threads of torch and of the linear algebra in each process, which the numbers depend on;
        None takes what torch is set to. Recorded with each round, and not to be changed in `out`.
    out : str or path-like, default=None
        A folder to keep the results in, made if there is none. Each finished round is one line of
        `results.jsonl`, written whole or not at all; `config.json` holds what decides the numbers.
        The same call continues after a kill, computes no finished round again, and ends with the
        same numbers (on a CPU, on the same versions). More rounds, seeds or strategies extend what
        is there, and so do metrics that can be computed from what is recorded, "accuracy" and
        "balanced_accuracy". Code of your own is compared too, with what it calls. One process at a
        time may use the folder.
    progress : bool, default=True
        Whether to show a progress bar, on standard error.

    Returns
    -------
    Results
        The rounds of these strategies and seeds, those read from `out` included. `failures` holds
        the runs that failed, a run being a strategy with a seed: the others went on, and the same
        call with the same `out` tries these again.

    Raises
    ------
    InvalidParameterError
        If an argument is wrong.
    ResultsMismatchError
        If `out` holds results of another configuration; the message says what differs.
    Exception
        If every run fails: the first error, such as a SelectionError of a strategy that picks an
        image twice. Ctrl-C is no failure; it ends the experiment, also where an estimator
        swallows it, and the round that it cuts is not kept.

    Warns
    -----
    FailedRunWarning
        At the end, if a run has failed and others have not.

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
    ...     n_initial=20, n_instances=10, n_rounds=2, seeds=1, progress=False)
    >>> results.frame["n_labelled"].tolist()
    [20, 30, 40]
    """
    setup = _set_up(
        estimator,
        strategies,
        X,
        y,
        X_test,
        y_test,
        n_initial=n_initial,
        n_instances=n_instances,
        n_rounds=n_rounds,
        seeds=seeds,
        initial=initial,
        protocol=protocol,
        metrics=metrics,
        stopping=stopping,
        stop=stop,
        dataset=dataset,
        embeddings=embeddings,
        n_jobs=n_jobs,
        n_threads=n_threads,
        out=out,
    )
    n_rounds, folder = setup.terms.plan.n_rounds, setup.folder
    grid = [(name, seed) for seed in setup.seeds for name in setup.arms]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with nullcontext() if folder is None else RecordFile(folder / "results.jsonl") as file:
        if folder is not None and file is not None:
            store_config(folder, setup.config, file.records)
            for record in changed(latest(file.records), setup.terms.metrics):
                file.append(record)
        known, failures = FailureFile(folder), list[Failed]()
        stored = _by_run([] if file is None else latest(file.records))
        stop = setup.terms.stop
        done = {run: _finished(stored.get(run, {}), n_rounds, stop) for run in grid}
        with tqdm(
            total=len(grid) * (n_rounds + 1),
            initial=sum(len(records) for records in done.values()),
            disable=not progress,
            unit="round",
            file=sys.stderr,
            dynamic_ncols=True,
        ) as bar:
            for result in play(setup.arms, setup.data, setup.terms, done, setup.n_jobs):
                if isinstance(result, Failed):
                    known.add(result.failure)
                    failures.append(result)
                    if progress:
                        bar.write(f"{announce(result.failure)}. The others go on.", sys.stderr)
                    continue
                if file is not None:
                    file.append(result)
                known.passed(result)
                name, seed = result["strategy"], result["seed"]
                done[name, seed].append(result)
                shown = {"strategy": name, "seed": seed, "labels": result["n_labelled"]}
                bar.set_postfix(shown | {"accuracy": f"{result['accuracy']:.3f}"}, refresh=False)
                bar.update()
    _tell_failures(failures, len(grid))
    records = [record for run in grid for record in done[run]]
    return Results(records, [result.failure for result in failures])


def _tell_failures(failures: Sequence[Failed], n_runs: int) -> None:
    """Warn of the runs that failed; if there are no others, raise the first error."""
    if len(failures) == n_runs:
        raise failures[0].exception
    if failures:
        told = "; ".join(announce(result.failure) for result in failures)
        warnings.warn(
            f"{OWNER}: {told}. The other runs are finished; the same call tries the failed again.",
            FailedRunWarning,
            stacklevel=3,
        )


def check_experiment(*args: Any, **kwargs: Any) -> None:
    """Raise what `run_experiment` would raise about its arguments, and run nothing.

    Parameters
    ----------
    *args : tuple
        The arguments of `run_experiment`.
    **kwargs : dict
        Its keyword arguments.

    Raises
    ------
    InvalidParameterError
        If an argument is wrong.
    ResultsMismatchError
        If `out` holds results of another configuration; the message says what differs.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skactive import CNNClassifier, Margin
    >>> from skactive.experiments import check_experiment
    >>> X, y = load_digits(return_X_y=True)
    >>> check_experiment(
    ...     CNNClassifier(classes=range(10)), [Margin()], X[:500], y[:500], X[500:], y[500:],
    ...     n_initial=400, n_instances=50, n_rounds=3, seeds=1)
    Traceback (most recent call last):
    ...
    skactive.exceptions.InvalidParameterError: The 'n_rounds' parameter of ...
    """
    bound = inspect.signature(run_experiment).bind(*args, **kwargs)
    bound.apply_defaults()
    setup = _set_up(
        **{name: bound.arguments[name] for name in bound.arguments if name != "progress"}
    )
    file = None if setup.folder is None else setup.folder / "results.jsonl"
    if setup.folder is not None and file is not None and file.is_file():
        merge_config(setup.folder, setup.config, read_records(file)[0])


@dataclass(frozen=True)
class _Setup:
    """The arguments of an experiment, checked."""

    arms: Mapping[str, Arm]
    data: Data
    terms: Terms
    seeds: Sequence[int]
    n_jobs: int
    folder: Path | None
    config: dict[str, Any]


def _set_up(
    estimator: Any,
    strategies: Any,
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    n_initial: Any,
    n_instances: Any,
    n_rounds: Any,
    seeds: Any,
    initial: Any,
    protocol: Any,
    metrics: Any,
    stopping: Any,
    stop: Any,
    dataset: Any,
    embeddings: Any,
    n_jobs: Any,
    n_threads: Any,
    out: Any,
) -> _Setup:
    check_estimator("estimator", estimator)
    arms = check_arms(strategies, estimator)
    data = check_data(X, y, X_test, y_test)
    data = replace(data, embeddings=check_embeddings(embeddings, data))
    warn_of_unknown_classes(arms, data)
    plan = check_plan(data, n_initial, initial, n_instances, n_rounds)
    which = check_seeds(seeds)
    protocol = check_protocol(protocol, arms)
    threads = check_threads(n_threads)
    terms = Terms(
        plan,
        protocol,
        check_metrics(metrics, OWNER),
        check_dataset(dataset),
        threads,
        check_stopping(stopping, stop),
        stop,
    )
    n_jobs = check_n_jobs(n_jobs)
    folder = None if out is None else check_folder(out)
    config = {} if folder is None else make_config(estimator, arms, data, terms)
    return _Setup(arms, data, terms, which, n_jobs, folder, config)


def _by_run(records: list[Record]) -> dict[tuple[str, int], dict[int, Record]]:
    runs: dict[tuple[str, int], dict[int, Record]] = {}
    for record in records:
        runs.setdefault((record["strategy"], record["seed"]), {})[record["round"]] = record
    return runs


def _finished(rounds: dict[int, Record], n_rounds: int, stop: str | None) -> list[Record]:
    """Return the rounds that need not be computed again: from 0, without a gap.

    The last round of a shorter run has queried nothing; if more rounds are to follow, it is to
    be computed again, with its query. A run that the rule `stop` has ended has no more rounds.
    """
    finished: list[Record] = []
    for round_ in range(n_rounds + 1):
        if round_ not in rounds or (round_ < n_rounds and not rounds[round_]["queried"]):
            break
        finished.append(rounds[round_])
        if has_stopped(finished, stop):
            break
    return finished
