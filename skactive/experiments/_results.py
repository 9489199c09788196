"""The results of an experiment: a table with a row a round."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skactive._validation import invalid
from skactive.experiments._records import Record, latest, read_records

if TYPE_CHECKING:
    import pandas as pd


class Results:
    """The rounds of an experiment, as a tidy data frame.

    Parameters
    ----------
    records : iterable of dict
        A dict a finished round, as `run_experiment` makes them and `results.jsonl` holds them.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row a round, with the columns

        - `strategy`, `seed`, `round`: which round it is;
        - `n_labelled`: how many labels the classifier was trained on;
        - `queried`: the positions in X that were asked for after it, a list in pick order;
          empty in the last round;
        - `accuracy`, `balanced_accuracy`, `log_loss`: on the test data;
        - `train_seconds`, `predict_seconds`, `query_seconds`: wall-clock time; `query_seconds`
          is NaN in the last round;
        - `device`, `n_threads`: what it was computed on.

    Examples
    --------
    >>> from skactive.experiments import Results
    >>> round_0 = dict(
    ...     strategy="margin", seed=0, round=0, n_labelled=20, queried=[], accuracy=0.5,
    ...     balanced_accuracy=0.5, log_loss=1.2, train_seconds=1.0, predict_seconds=0.1,
    ...     query_seconds=None, device="cpu", n_threads=2)
    >>> results = Results([round_0, {**round_0, "seed": 1, "accuracy": 0.6}])
    >>> print(results.to_text())
    labels  strategy  accuracy (mean ± sd)  query (s)  training (s)
        20    margin         0.550 ± 0.071          –          1.00
    """

    def __init__(self, records: Iterable[Record]) -> None:
        import pandas as pd

        frame = pd.DataFrame(list(records), columns=list(Record.__annotations__))
        self.frame = frame.astype({"log_loss": float, "query_seconds": float})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Results:
        """Read the results that `run_experiment` has kept, also while it still runs.

        Parameters
        ----------
        path : str or path-like
            The folder that was given as `out`, or a `results.jsonl`.

        Returns
        -------
        Results
            All rounds that are finished. The files are left as they are.

        Raises
        ------
        InvalidParameterError
            If there is no `results.jsonl`, or it is damaged.
        """
        file = Path(path)
        file = file / "results.jsonl" if file.is_dir() else file
        if not file.is_file():
            raise invalid(
                "path", "Results.load", "a folder with results.jsonl, or such a file", str(path),
                "Pass what run_experiment got as out=.",
            )  # fmt: skip
        records, _ = read_records(file)
        return cls(latest(records))

    def __repr__(self) -> str:
        runs = self.frame.groupby("strategy", sort=False)["seed"].nunique()
        shown = ", ".join(f"{name} × {n}" for name, n in runs.items())
        return f"<Results: rounds: {len(self.frame)}; strategies × seeds: {shown or 'none'}>"

    def summary(self) -> pd.DataFrame:
        """Average over the seeds.

        Returns
        -------
        pandas.DataFrame
            A row for each number of labels and strategy, with the columns `n_labelled`,
            `strategy`, `n_seeds`, `accuracy_mean`, `accuracy_sd` (with n - 1; NaN for one seed),
            `query_seconds` and `train_seconds` (means a round).
        """
        strategies = list(dict.fromkeys(self.frame["strategy"]))
        table = (
            self.frame.groupby(["n_labelled", "strategy"], sort=False)
            .agg(
                n_seeds=("seed", "nunique"),
                accuracy_mean=("accuracy", "mean"),
                accuracy_sd=("accuracy", "std"),
                query_seconds=("query_seconds", "mean"),
                train_seconds=("train_seconds", "mean"),
            )
            .reset_index()
        )
        order = table["strategy"].map(strategies.index)
        return (
            table.assign(order=order)
            .sort_values(["n_labelled", "order"], ignore_index=True)
            .drop(columns="order")
        )

    def to_text(self) -> str:
        """Return the summary as a table of plain text.

        Returns
        -------
        str
            A line a row, the columns right-aligned.
        """
        rows = self._cells()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(_padded(row, widths)) for row in rows)

    def to_markdown(self) -> str:
        """Return the summary as a table of Markdown.

        Returns
        -------
        str
            A line a row; reads well as plain text too.
        """
        rows = self._cells()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rule = [f"{'-' * (width - 1)}:" for width in widths]
        rows = [rows[0], rule, *rows[1:]]
        return "\n".join(f"| {' | '.join(_padded(row, widths))} |" for row in rows)

    def _cells(self) -> list[list[str]]:
        head = ["labels", "strategy", "accuracy (mean ± sd)", "query (s)", "training (s)"]
        rows = []
        for row in self.summary().to_dict("records"):
            spread = f" ± {row['accuracy_sd']:.3f}" if row["n_seeds"] > 1 else ""
            query = "–" if math.isnan(row["query_seconds"]) else f"{row['query_seconds']:.2f}"
            accuracy, train = f"{row['accuracy_mean']:.3f}{spread}", f"{row['train_seconds']:.2f}"
            rows.append([str(row["n_labelled"]), row["strategy"], accuracy, query, train])
        return [head, *rows]


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
