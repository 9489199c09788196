"""From the rounds of experiments to comparisons of strategies."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skactive._rng import generator
from skactive._validation import InvalidParameterError, check_count, invalid, is_number
from skactive.exceptions import UnfinishedRunsWarning
from skactive.experiments import _statistics
from skactive.experiments._records import Record

if TYPE_CHECKING:
    import pandas as pd

LOWER_IS_BETTER = frozenset({"log_loss", "ece"})
_NO_METRICS = frozenset(Record.__annotations__) - {
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "log_loss",
    "ece",
}


def metric_names(frame: pd.DataFrame) -> list[str]:
    """Return the columns that are measurements on the test data."""
    return [str(name) for name in frame if name not in _NO_METRICS]


def check_metric(metric: Any, frame: pd.DataFrame, owner: str) -> str:
    """Return the name of a measurement, or raise and list the valid ones."""
    names = metric_names(frame)
    if not (isinstance(metric, str) and metric in names):
        raise invalid("metric", owner, f"one of {', '.join(names)}", metric)
    return metric


def strategy_names(frame: pd.DataFrame) -> list[str]:
    """Return the strategies in the order of their first appearance."""
    return list(dict.fromkeys(frame["strategy"]))


def pick_dataset(frame: pd.DataFrame, dataset: Any, owner: str) -> pd.DataFrame:
    """Return the rounds on one data set; None means the only one."""
    names = list(dict.fromkeys(frame["dataset"]))
    if dataset is None and len(names) == 1:
        return frame
    if dataset not in names:
        must = f"one of {', '.join(names)}" if names else "one of those with rounds: there are none"
        raise invalid("dataset", owner, must, dataset)
    return frame[frame["dataset"] == dataset]


def curves(frame: pd.DataFrame, metric: str) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield data set, strategy, and a table: a row per seed, a column per number of labels."""
    for (dataset, strategy), rounds in frame.groupby(["dataset", "strategy"], sort=False):
        yield (
            str(dataset),
            str(strategy),
            rounds.set_index(["seed", "n_labelled"])[metric].unstack(),  # noqa: PD010
        )


def check_measured(frame: pd.DataFrame, metric: str, owner: str) -> None:
    """Raise if some strategy has no such measurement; warn if it is missing in some rounds."""
    for dataset, of_dataset in frame.groupby("dataset", sort=False):
        known = of_dataset[metric].notna().groupby(of_dataset["strategy"])
        if not known.any().all():
            without = sorted(known.any().index[~known.any()])
            raise InvalidParameterError(
                f"{owner}: {metric!r} was not measured for {', '.join(without)} on "
                f"{dataset!r}. Compare another measurement, or leave these out of the frame."
            )
        if not known.all().all():
            gaps = sorted(known.all().index[~known.all()])
            warnings.warn(
                f"{owner}: on {dataset!r} {metric!r} is missing in some rounds of "
                f"{', '.join(gaps)}. Means are there where all seeds have it; tests pair those "
                "that do.",
                UnfinishedRunsWarning,
                stacklevel=4,
            )


def areas(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the area under the budget curve of each run, NaN where a run is not finished."""
    import pandas as pd

    rows = []
    budgets = {d: sorted(set(of["n_labelled"])) for d, of in frame.groupby("dataset")}
    for dataset, strategy, table in curves(frame, metric):
        table = table.reindex(columns=budgets[dataset])
        area = _statistics.aubc(np.array(table.columns), table.to_numpy())
        rows += [(dataset, strategy, *pair) for pair in zip(table.index, area, strict=True)]
    return pd.DataFrame(rows, columns=["dataset", "strategy", "seed", "aubc"])


def efficiency(frame: pd.DataFrame, metric: str, baseline: Any, owner: str) -> pd.DataFrame:
    """Return the number of labels that the baseline needs to match each strategy."""
    import pandas as pd

    names = strategy_names(frame)
    if baseline not in names:
        raise invalid("baseline", owner, f"one of {', '.join(names)}", baseline)
    check_measured(frame, metric, owner)
    tables = {(d, s): table for d, s, table in curves(frame, metric)}
    rows = [
        (dataset, strategy, *of_budget)
        for (dataset, strategy), table in tables.items()
        if strategy != baseline and (dataset, baseline) in tables
        for of_budget in _labels_needed(table, tables[dataset, baseline], metric)
    ]
    columns = ["dataset", "strategy", "n_labelled", "n_seeds", metric, "baseline_labels", "ratio"]
    return pd.DataFrame(rows, columns=columns)


def _labels_needed(
    table: pd.DataFrame, base: pd.DataFrame, metric: str
) -> Iterator[tuple[int, int, float, float, float]]:
    """Yield number of labels, of seeds, mean, labels that the baseline needs, and their ratio."""
    sign = -1 if metric in LOWER_IS_BETTER else 1
    shared = table.index.intersection(base.index)
    table = table.loc[shared]
    mean = base.loc[shared].mean(skipna=False)
    for n in map(int, table.columns):
        score = table[n].mean(skipna=False)
        needed = _statistics.labels_needed(
            mean.index.to_numpy(), sign * mean.to_numpy(), sign * score
        )
        yield n, int(table[n].count()), score, needed, needed / n


def penalties(
    frame: pd.DataFrame, metric: str, alpha: float, budgets: Any, owner: str
) -> pd.DataFrame:
    """Return the shares of budgets at which one strategy beats another, summed over data sets."""
    import pandas as pd

    if budgets not in {"all", "doubling"}:
        raise invalid("budgets", owner, "'all' or 'doubling'", budgets)
    check_measured(frame, metric, owner)
    names = strategy_names(frame)
    if len(names) < 2:
        raise InvalidParameterError(
            f"{owner} compares at least 2 strategies, and those that got to the last number of "
            f"labels are: {', '.join(names) or 'none'}. Run more of them to the end."
        )
    sign = -1 if metric in LOWER_IS_BETTER else 1
    matrix = np.zeros((len(names), len(names)))
    for dataset, of_dataset in frame.groupby("dataset", sort=False):
        after_queries = sorted(set(of_dataset["n_labelled"]))[1:]  # round 0 is the same for all
        if not after_queries:
            raise InvalidParameterError(
                f"{owner} compares what comes after a query, and on {dataset!r} there was none. "
                "Run with n_rounds of at least 1."
            )
        if budgets == "doubling":
            powers = 2 ** np.arange(len(after_queries).bit_length())
            after_queries = [after_queries[i - 1] for i in powers if i <= len(after_queries)]
        seeds = sorted(set(of_dataset["seed"]))
        tables = {
            name: sign * table.reindex(index=seeds, columns=after_queries).to_numpy(float)
            for _, name, table in curves(of_dataset, metric)
        }
        measured = {name: ~np.isnan(table) for name, table in tables.items()}
        for one, other in combinations(tables, 2):
            in_common = (measured[one] & measured[other]).sum(axis=0)
            if in_common.min() < 2:
                few = int(np.argmax(in_common < 2))
                raise InvalidParameterError(
                    f"{owner} compares over seeds, and at {after_queries[few]} labels {one} and "
                    f"{other} have {in_common[few]} in common. Run at least two seeds of each to "
                    "the end."
                )
        at = [names.index(name) for name in tables]
        stacked = np.stack(list(tables.values()), axis=1)  # seeds, strategies, budgets
        for i, name in enumerate(tables):
            t, p = _statistics.paired_t(tables[name][:, None], stacked)
            matrix[at[i], at] += ((p < alpha) & (t > 0)).mean(axis=1)
    return pd.DataFrame(matrix, index=names, columns=names)


def blocks(frame: pd.DataFrame, metric: str, over: Any, owner: str) -> pd.DataFrame:
    """Return areas with a row per block and a column per strategy.

    A block is a seed of a data set that all strategies have finished, or a data set, with the
    areas averaged over such seeds.
    """
    if over not in {"dataset", "seed"}:
        raise invalid(
            "over",
            owner,
            "'dataset' or 'seed'",
            over,
            "Seeds of one data set speak for that data set only.",
        )
    check_measured(frame, metric, owner)
    index = ["dataset", "seed"]
    table = areas(frame, metric).pivot_table(index=index, columns="strategy", values="aubc")
    table = table.reindex(columns=strategy_names(frame)).dropna()
    if over == "dataset":
        table = table.groupby("dataset").mean()
    if len(table) < 2 or table.shape[1] < 2:
        raise InvalidParameterError(
            f"{owner} compares at least 2 strategies on at least 2 blocks that all of them "
            f"finished; there are {table.shape[1]} strategies and {len(table)} blocks with "
            f"over={over!r}. Merge more runs with Results.load([...]), or pass over='seed'."
        )
    return -table if metric in LOWER_IS_BETTER else table


def wilcoxon_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Compare all pairs of columns by Wilcoxon's test, with Holm's correction."""
    import pandas as pd

    rows = []
    for one, other in combinations(table.columns, 2):
        a, b = table[one].to_numpy(), table[other].to_numpy()
        rows.append((one, other, len(a), (a - b).mean(), _statistics.signed_rank(a, b).p))
    result = pd.DataFrame(rows, columns=["a", "b", "n_blocks", "mean_difference", "p"])
    return result.assign(p_holm=_statistics.holm(result["p"].to_numpy()))


class CriticalDifferences(NamedTuple):
    """Strategies by mean rank, and which ranks differ by more than chance.

    Attributes
    ----------
    ranks : pandas.Series
        The mean rank of each strategy; 1 is the best.
    p : pandas.DataFrame
        Nemenyi's p-values of each pair.
    critical_difference : float
        Ranks further apart than this differ at the level `alpha`.
    friedman_p : float
        The p-value of Friedman's test that all ranks are alike; NaN for two strategies.
    n_blocks : int
        Number of data sets, or seeds, on which the strategies were ranked.
    alpha : float
        The level.
    """

    ranks: pd.Series
    p: pd.DataFrame
    critical_difference: float
    friedman_p: float
    n_blocks: int
    alpha: float


def critical_differences(table: pd.DataFrame, alpha: float) -> CriticalDifferences:
    """Rank the columns in each row, and test the mean ranks."""
    import pandas as pd

    names = list(table.columns)
    ranks, p, critical = _statistics.nemenyi(table.to_numpy(), alpha)
    return CriticalDifferences(
        pd.Series(ranks, index=names, name="mean rank"),
        pd.DataFrame(p, index=names, columns=names),
        critical,
        _statistics.friedman(table.to_numpy()),
        len(table),
        alpha,
    )


def intervals(
    frame: pd.DataFrame, metric: str, level: float, n_resamples: Any, random_state: Any, owner: str
) -> pd.DataFrame:
    """Return mean, sd and bootstrap interval over the seeds, at each number of labels."""
    import pandas as pd

    n_resamples = check_count("n_resamples", owner, n_resamples)
    rng = generator(random_state, owner)
    rows = []
    for dataset, strategy, table in curves(frame, metric):
        for n in table:
            values = table[n].to_numpy() if table[n].notna().all() else np.empty(0)
            low, high = _statistics.bootstrap_mean(values, level, n_resamples, rng)
            sd = values.std(ddof=1) if len(values) > 1 else np.nan
            mean = values.mean() if len(values) else np.nan
            rows.append((dataset, strategy, n, len(table), mean, sd, low, high))
    columns = ["dataset", "strategy", "n_labelled", "n_seeds", "mean", "sd", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def check_share(parameter: str, value: Any, owner: str) -> float:
    """Return a number between 0 and 1."""
    if not is_number(value) or not 0 < value < 1:
        raise invalid(parameter, owner, "a number between 0 and 1", value)
    return float(value)
