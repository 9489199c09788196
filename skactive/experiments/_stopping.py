"""Stopping rules in an experiment: what each round leaves for them, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._batches import n_rows, take_rows
from skactive._validation import invalid
from skactive.experiments._comparison import LOWER_IS_BETTER
from skactive.experiments._records import Record, Stopped
from skactive.experiments._seeding import STOP_SET, derive_seed
from skactive.stopping import State, StoppingRule

if TYPE_CHECKING:
    import pandas as pd

# Size of the stop set, as in Bloodgood and Vijay-Shanker's paper.
N_STOP = 2000


def observed(
    rules: Mapping[str, StoppingRule], fitted: Any, X: Any, X_test: Any, y_test: Any, seed: int
) -> dict[str, list[Any]]:
    """Return what a round leaves for each rule, as JSON can hold it.

    Parameters
    ----------
    rules : dict of str to StoppingRule
        The rules.
    fitted : classifier
        The one of the round.
    X : array-like
        All samples of the pool, of which the stop set is drawn: at most `N_STOP`, the same in each
        round and for each strategy of a seed.
    X_test, y_test : array-like
        What rules with `needs_labels` look at.
    seed : int
        The seed of the run.

    Returns
    -------
    dict of str to list
        Predicted classes, say; None in place of NaN.
    """
    if not rules:
        return {}
    rng = np.random.default_rng(derive_seed(seed, 0, STOP_SET))
    drawn = np.sort(rng.permutation(n_rows(X))[:N_STOP])
    X_stop = None if all(rule.needs_labels for rule in rules.values()) else take_rows(X, drawn)
    return {
        name: _stored(
            rule.observe(fitted, X_test, y_test)
            if rule.needs_labels
            else rule.observe(fitted, X_stop)
        )
        for name, rule in rules.items()
    }


def judged(record: Record, earlier: Sequence[Record], rules: Mapping[str, StoppingRule]) -> Record:
    """Return the record of a round with what the rules say about it and the rounds before.

    Parameters
    ----------
    record : Record
        The round, with what it left.
    earlier : sequence of Record
        The rounds of the run before it, in order.
    rules : dict of str to StoppingRule
        The rules.

    Returns
    -------
    Record
        With value and verdict; itself if there are no rules.
    """
    if not rules:
        return record
    verdicts: dict[str, Stopped] = {}
    for name, rule in rules.items():
        seen = record["stopping"][name]["seen"]
        before = _state([one["stopping"][name] for one in earlier])
        state = rule.judge([_restored(seen)], state=before)
        value = state.value if np.isfinite(state.value) else None
        verdicts[name] = Stopped(value=value, stop=state.stop, seen=seen)
    return {**record, "stopping": verdicts}


def has_stopped(records: Sequence[Record], stop: str | None) -> bool:
    """Return whether the rule of that name has ended the run; None ends none."""
    return stop is not None and any(record["stopping"][stop]["stop"] for record in records)


def stopping_points(frame: pd.DataFrame, metric: str, owner: str) -> pd.DataFrame:
    """Return where each rule said to stop for the first time, and what that costs and saves.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rounds.
    metric : str
        The measurement.
    owner : str
        For the error message.

    Returns
    -------
    pandas.DataFrame
        A row per run and rule.
    """
    import pandas as pd

    if "stopping" not in frame or not frame["stopping"].map(_is_verdict).any():
        raise invalid(
            "results",
            owner,
            "those of an experiment with stopping rules",
            None,
            "Pass stopping= to run_experiment, for example [Agreement()].",
        )
    rows = []
    for (dataset, strategy, seed), run in frame.groupby(
        ["dataset", "strategy", "seed"], sort=False
    ):
        run = run[run["stopping"].map(_is_verdict)].sort_values("round")
        for name in run["stopping"].iloc[0] if len(run) else ():
            says = run["stopping"].map(lambda said, name=name: said[name]["stop"])
            at = run[says].iloc[0] if says.any() else None
            last = run.iloc[-1]
            rows.append(
                {
                    "dataset": dataset,
                    "strategy": strategy,
                    "seed": seed,
                    "rule": name,
                    "n_labelled": np.nan if at is None else at["n_labelled"],
                    metric: np.nan if at is None else at[metric],
                    "n_labelled_last": last["n_labelled"],
                    f"{metric}_last": last[metric],
                }
            )
    table = pd.DataFrame(rows)
    sign = -1 if metric in LOWER_IS_BETTER else 1
    return table.assign(
        saved=table["n_labelled_last"] - table["n_labelled"],
        lost=sign * (table[f"{metric}_last"] - table[metric]),
    )


def _is_verdict(said: Any) -> bool:
    return isinstance(said, dict)  # NaN in rounds without rules


def _state(rounds: list[Stopped]) -> State | None:
    """Return the state that a rule was in after some rounds."""
    if not rounds:
        return None
    values = tuple(_restored([one["value"] for one in rounds]).tolist())
    return State(rounds[-1]["stop"], values, tuple(_restored(one["seen"]) for one in rounds))


def _stored(found: np.ndarray) -> list[Any]:
    found = found.astype(int) if found.dtype == bool else found
    values: list[Any] = found.tolist()
    return [None if value != value else value for value in values]


def _restored(stored: list[Any]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in stored])
