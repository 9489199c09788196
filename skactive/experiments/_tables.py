"""Tables of text: plain, Markdown and LaTeX."""

from __future__ import annotations

import math
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
}


def cells(table: pd.DataFrame) -> list[list[str]]:
    """Write a data frame into cells; an index that is more than a count becomes columns."""
    import pandas as pd

    if not isinstance(table.index, pd.RangeIndex):
        table = table.reset_index()
    head = ["" if str(name) == "index" else str(name).replace("_", " ") for name in table.columns]
    return [head, *[[_cell(value) for value in row] for row in table.itertuples(index=False)]]


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
    widths = [max(width, 2) for width in _widths(rows)]
    rule = [f"{'-' * (width - 1)}:" for width in widths]
    rows = [rows[0], rule, *rows[1:]]
    return "\n".join(f"| {' | '.join(_padded(row, widths))} |" for row in rows)


def latex(rows: Cells) -> str:
    """Return cells as a tabular of LaTeX, for the package booktabs."""
    lines = [" & ".join("".join(_LATEX.get(c, c) for c in cell) for cell in row) for row in rows]
    head, *body = [f"{line} \\\\" for line in lines]
    columns = "r" * len(rows[0])
    begin, end = f"\\begin{{tabular}}{{{columns}}}", "\\end{tabular}"
    return "\n".join([begin, "\\toprule", head, "\\midrule", *body, "\\bottomrule", end])


def _widths(rows: Cells) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
