"""Which runs count: those that are cut short are not averaged with those that are finished."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skactive.exceptions import UnfinishedRunsWarning

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMES = 5  # that a warning lists


class ArmSeeds(NamedTuple):
    """What counts of one strategy on one data set."""

    dataset: str
    strategy: str
    seeds: tuple[int, ...]  # those that count
    left_out: tuple[int, ...]  # its others, which are cut short
    n_labelled: int  # as far as the seeds that count go
    n_labelled_most: int  # as far as any run on the data set goes
    n_seeds_most: int  # number of seeds that any strategy has on the data set

    @property
    def finished(self) -> bool:
        """Whether the seeds that count have all numbers of labels."""
        return self.n_labelled == self.n_labelled_most

    @property
    def even(self) -> bool:
        """Whether there is nothing to be said."""
        return self.finished and len(self.seeds) == self.n_seeds_most


def arms(frame: pd.DataFrame) -> list[ArmSeeds]:
    """Return which seeds of each strategy count, on each data set.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `Results.frame`.

    Returns
    -------
    list of ArmSeeds
        In the order of the frame. Where a strategy has seeds that got to the last number of labels
        of the data set, these count. Where it has none, its curve ends early: where most rounds
        are kept if all seeds that count have all of them.
    """
    found = []
    for dataset, of_dataset in frame.groupby("dataset", sort=False):
        last, n_seeds = int(of_dataset["n_labelled"].max()), of_dataset["seed"].nunique()
        for strategy, rounds in of_dataset.groupby("strategy", sort=False):
            there = _there(rounds)
            counts, length = _most_rounds(there.to_numpy(), there.columns[-1] == last)
            seeds, left_out = (tuple(map(int, there.index[of])) for of in (counts, ~counts))
            end = int(there.columns[length - 1])
            found.append(ArmSeeds(str(dataset), str(strategy), seeds, left_out, end, last, n_seeds))
    return found


def _there(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return which rounds there are: a row per seed, a column per number of labels."""
    return rounds.groupby(["seed", "n_labelled"]).size().unstack(fill_value=0) > 0  # noqa: PD010


def _most_rounds(there: np.ndarray, gets_to_the_end: bool) -> tuple[np.ndarray, int]:
    """Return which seeds count, and how many of the numbers of labels they all have."""
    lengths = np.cumprod(there, axis=1).sum(axis=1)
    n = there.shape[1]
    if not (gets_to_the_end and (lengths == n).any()):
        n = max(range(1, n + 1), key=lambda length: (length * (lengths >= length).sum(), length))
    return lengths >= n, n


def comparable(frame: pd.DataFrame, of: Iterable[ArmSeeds]) -> pd.DataFrame:
    """Return the rounds that count."""
    import pandas as pd

    keys = [(arm.dataset, arm.strategy, seed, arm.n_labelled) for arm in of for seed in arm.seeds]
    ends = pd.DataFrame(keys, columns=["dataset", "strategy", "seed", "end"])
    ends = frame[["dataset", "strategy", "seed"]].merge(ends, how="left")
    return frame[frame["n_labelled"].to_numpy() <= ends["end"].to_numpy()]


def finished(frame: pd.DataFrame, of: Iterable[ArmSeeds]) -> pd.DataFrame:
    """Return the rounds of the seeds that got to the last number of labels of their data set."""
    return comparable(frame, [arm for arm in of if arm.finished])


def coverage(of: Iterable[ArmSeeds]) -> pd.DataFrame:
    """Return what `Results.coverage` documents."""
    import pandas as pd

    rows = [
        (*arm[:2], len(arm.seeds), arm.n_seeds_most, list(arm.left_out), *arm[4:6], arm.finished)
        for arm in of
    ]
    columns = ["dataset", "strategy", "n_seeds", "n_seeds_most", "left_out", "n_labelled"]
    return pd.DataFrame(rows, columns=[*columns, "n_labelled_most", "finished"])


def warn(of: Iterable[ArmSeeds], stacklevel: int) -> None:
    """Warn of what is left out, and of what differs between strategies, if anything does."""
    by_dataset: dict[str, list[ArmSeeds]] = {}
    for arm in of:
        by_dataset.setdefault(arm.dataset, []).append(arm)
    for dataset, on in by_dataset.items():
        said = " ".join(_sentences(on))
        if said:
            warnings.warn(
                f"On {dataset!r} not all can be compared. {said} Results.coverage() lists all.",
                UnfinishedRunsWarning,
                stacklevel=stacklevel + 1,
            )


def _sentences(on: list[ArmSeeds]) -> Iterator[str]:
    cut = [f"{_numbered(arm.left_out)} of {arm.strategy}" for arm in on if arm.left_out]
    if cut:
        yield f"Unfinished, and left out: {_listed(cut)}."
    short = [f"{arm.strategy} at {arm.n_labelled}" for arm in on if not arm.finished]
    if short:
        yield f"Ending before {on[0].n_labelled_most} labels: {_listed(short)}."
    if len({arm.seeds for arm in on}) > 1:
        had = [f"{arm.strategy} {len(arm.seeds)}" for arm in on]
        yield f"Not the same seeds; of {on[0].n_seeds_most}: {_listed(had)}."


def _numbered(seeds: tuple[int, ...]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _listed(names: list[str]) -> str:
    """Join names, and count those beyond a few."""
    more = len(names) - _MOST_NAMES
    return "; ".join(names[:_MOST_NAMES]) + (f"; and {more} more" if more > 0 else "")
