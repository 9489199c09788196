"""The rounds of an experiment in an order that respects which needs which: here, or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from skactive.experiments._failures import Failed, failed, portable
from skactive.experiments._loop import Arm, Data, Terms, labelled_at, play_round
from skactive.experiments._records import Record
from skactive.experiments._stopping import has_stopped, judged

Run = tuple[str, int]  # the name of the arm, the seed


def play(
    arms: Mapping[str, Arm],
    data: Data,
    terms: Terms,
    done: Mapping[Run, Sequence[Record]],
    n_jobs: int,
) -> Iterator[Record | Failed]:
    """Compute what is not done yet.

    A round needs the labels that the rounds before it asked for, and runs need nothing of each
    other. What travels to another process and back is one round; the caller, who alone
    writes, gets each as soon as it ends. A run that fails ends there; the others go on.

    Parameters
    ----------
    arms : mapping of str to Arm
        What is compared.
    data : Data
        The data.
    terms : Terms
        What all rounds share.
    done : mapping of (str, int) to sequence of Record
        The finished rounds of each run, from round 0 without a gap. The caller adds to it what
        this yields.
    n_jobs : int
        Number of rounds computed at a time; 1 computes them in this process, run by run.

    Yields
    ------
    Record or Failed
        A finished round, or what ended a run.
    """
    rounds = (
        _one_by_one(arms, data, terms, done)
        if n_jobs == 1
        else _side_by_side(arms, data, terms, done, n_jobs)
    )
    for result in rounds:
        if isinstance(result, Failed):
            yield result
        else:
            earlier = done[result["strategy"], result["seed"]]
            yield judged(result, earlier, terms.stopping)


def _one_by_one(
    arms: Mapping[str, Arm], data: Data, terms: Terms, done: Mapping[Run, Sequence[Record]]
) -> Iterator[Record | Failed]:
    for (name, seed), records in done.items():
        fitted = None
        for round_ in range(len(records), terms.plan.n_rounds + 1):
            if has_stopped(records, terms.stop):
                break
            labelled = labelled_at(round_, seed, data.y, terms.plan, records)
            result, fitted = _try_round(
                name, arms[name], seed, round_, labelled, data, terms, fitted
            )
            yield result
            if isinstance(result, Failed):
                break


def _try_round(
    name: str,
    arm: Arm,
    seed: int,
    round_: int,
    labelled: Any,
    data: Data,
    terms: Terms,
    fitted: Any,
) -> tuple[Record | Failed, Any]:
    """Play a round; a KeyboardInterrupt is no failure, and comes out."""
    try:
        return play_round(name, arm, seed, round_, labelled, data, terms, fitted)
    except Exception as error:
        return failed(terms.dataset, name, seed, round_, error), None


def _side_by_side(
    arms: Mapping[str, Arm],
    data: Data,
    terms: Terms,
    done: Mapping[Run, Sequence[Record]],
    n_jobs: int,
) -> Iterator[Record | Failed]:
    """Take one round of every unfinished run at a time, those that are behind first."""
    fitted: dict[Run, Any] = {}
    over: set[Run] = set()
    # A batch of one: what is finished is handed over, and written, at once.
    with Parallel(
        n_jobs=n_jobs, return_as="generator_unordered", prefer="processes", batch_size=1
    ) as parallel:
        while waiting := [run for run in done if run not in over and _goes_on(done[run], terms)]:
            waiting.sort(key=lambda run: len(done[run]))
            tasks = []
            for name, seed in waiting:
                records = done[name, seed]
                round_ = len(records)
                labelled = labelled_at(round_, seed, data.y, terms.plan, records)
                before = fitted.pop((name, seed), None)
                tasks.append(
                    # The arrays are arguments of their own, so that joblib sends them only once.
                    delayed(_elsewhere)(
                        name,
                        arms[name],
                        seed,
                        round_,
                        labelled,
                        data.X,
                        data.y,
                        data.X_test,
                        data.y_test,
                        data.embeddings,
                        terms,
                        before,
                    )
                )
            for result, after in parallel(tasks):
                if isinstance(result, Failed):
                    over.add((result.failure["strategy"], result.failure["seed"]))
                else:
                    fitted[result["strategy"], result["seed"]] = after
                yield result


def _goes_on(records: Sequence[Record], terms: Terms) -> bool:
    return len(records) <= terms.plan.n_rounds and not has_stopped(records, terms.stop)


def _elsewhere(
    name: str,
    arm: Arm,
    seed: int,
    round_: int,
    labelled: np.ndarray,
    X: Any,
    y: np.ndarray,
    X_test: Any,
    y_test: np.ndarray,
    embeddings: Any,
    terms: Terms,
    fitted: Any,
) -> tuple[Record | Failed, Any]:
    data = Data(X, y, X_test, y_test, embeddings)
    result, after = _try_round(name, arm, seed, round_, labelled, data, terms, fitted)
    return portable(result) if isinstance(result, Failed) else result, after
