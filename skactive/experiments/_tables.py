"""Tables of text: plain, Markdown and LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Cells = Sequence[Sequence[str]]  # the head first
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    "∞": r"$\infty$",
    ">": r"$>$",
    "<": r"$<$",
    "|": r"\textbar{}",
}
# What Markdown takes for markup; underscores between letters or digits are none.
_MARKDOWN = re.compile(r"[\\|<>*`$~\[\]]|(?<![^\W_])_|_(?![^\W_])")


def cells(table: pd.DataFrame) -> list[list[str]]:
    """Write a frame or a Series into cells; an index that is more than a count becomes columns.

    The underscores in names of columns become spaces, except where the columns of a matrix are
    called what its rows are.
    """
    import pandas as pd

    table = table.to_frame() if isinstance(table, pd.Series) else table
    indexed = not isinstance(table.index, pd.RangeIndex)
    rows = set(table.index) if indexed else set()
    names = table.index.names if indexed else []
    corner = ["" if name is None else str(name).replace("_", " ") for name in names]
    head = [str(name) if name in rows else str(name).replace("_", " ") for name in table.columns]
    body = table.itertuples(index=indexed, name=None)
    return [corner + head, *[[_cell(value) for value in _flat(row, indexed)] for row in body]]


def _flat(row: tuple[Any, ...], indexed: bool) -> tuple[Any, ...]:
    """Return a row's values, with those of its index, which has one or more levels, first."""
    if not indexed:
        return row
    return (*(row[0] if isinstance(row[0], tuple) else row[:1]), *row[1:])


def summary_cells(summary: pd.DataFrame, coverage: pd.DataFrame) -> list[list[str]]:
    """Write `Results.summary` into cells; the seeds are counted if not all strategies have all."""
    most = coverage.set_index(["dataset", "strategy"])["n_seeds_most"].to_dict()
    several = len(set(summary["dataset"])) > 1
    gaps = not (coverage["finished"] & (coverage["n_seeds"] == coverage["n_seeds_most"])).all()
    head = ["labels", "strategy", *["seeds"] * gaps]
    rows = [["data"] * several + head + ["accuracy (mean ± sd)", "query (s)", "training (s)"]]
    for row in summary.to_dict("records"):
        spread = f" ± {row['accuracy_sd']:.3f}" if row["n_seeds"] > 1 else ""
        query = "–" if math.isnan(row["query_seconds"]) else f"{row['query_seconds']:.2f}"
        accuracy, train = f"{row['accuracy_mean']:.3f}{spread}", f"{row['train_seconds']:.2f}"
        seeds = [f"{row['n_seeds']} of {most[row['dataset'], row['strategy']]}"] * gaps
        cells = [str(row["n_labelled"]), row["strategy"], *seeds, accuracy, query, train]
        rows.append([row["dataset"]] * several + cells)
    return rows


def _cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def plain(rows: Cells) -> str:
    """Return cells as plain text, a line per row, the columns right-aligned."""
    widths = _widths(rows)
    return "\n".join("  ".join(_padded(row, widths)) for row in rows)


def markdown(rows: Cells) -> str:
    """Return cells as a table of Markdown."""
    rows = [[_MARKDOWN.sub(r"\\\g<0>", cell) for cell in row] for row in rows]
    widths = [max(width, 2) for width in _widths(rows)]
    rule = [f"{'-' * (width - 1)}:" for width in widths]
    rows = [rows[0], rule, *rows[1:]]
    return "\n".join(f"| {' | '.join(_padded(row, widths))} |" for row in rows)


def latex(rows: Cells) -> str:
    """Return cells as a tabular of LaTeX, for the package booktabs."""
    lines = [" & ".join("".join(_LATEX.get(c, c) for c in cell) for cell in row) for row in rows]
    # After the end of a row, LaTeX takes "[" and "*" for its options.
    lines = [f"{{}}{line}" if line.startswith(("[", "*")) else line for line in lines]
    head, *body = [f"{line} \\\\" for line in lines]
    columns = "r" * len(rows[0])
    begin, end = f"\\begin{{tabular}}{{{columns}}}", "\\end{tabular}"
    return "\n".join([begin, "\\toprule", head, "\\midrule", *body, "\\bottomrule", end])


def _widths(rows: Cells) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
