"""BADGE's pairwise penalties, as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skactive.plotting._style import axes_or_new, heat_map

if TYPE_CHECKING:
    import pandas as pd

    from skactive.experiments import Results


class PenaltyMatrixDisplay:
    """How often each strategy beats each other one.

    Make it with `from_results`.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Strategies by strategies, as `Results.penalty_matrix` returns it: rows beat columns.
    n_datasets : int, default=1
        Number of data sets it was summed over: the most that an entry can be.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the heat map.
    figure_ : matplotlib Figure
        The figure with the axes.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> from skactive.plotting import PenaltyMatrixDisplay
    >>> matrix = pd.DataFrame([[0, 0.5], [0, 0]], index=["Margin", "Random"],
    ...                       columns=["Margin", "Random"])
    >>> display = PenaltyMatrixDisplay(matrix=matrix).plot(ax=Figure().subplots())
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['Margin', 'Random', 'mean']
    """

    def __init__(self, *, matrix: pd.DataFrame, n_datasets: int = 1) -> None:
        self.matrix = matrix
        self.n_datasets = n_datasets

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        alpha: float = 0.05,
        budgets: str = "all",
        ax: Any = None,
    ) -> PenaltyMatrixDisplay:
        """Draw the penalty matrix of all data sets of an experiment.

        Parameters
        ----------
        results : Results
            The results of `run_experiment`.
        metric, alpha, budgets : object
            As for `Results.penalty_matrix`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        PenaltyMatrixDisplay
            The display, drawn.
        """
        matrix = results.penalty_matrix(metric, alpha=alpha, budgets=budgets)
        return cls(matrix=matrix, n_datasets=len(set(results.frame["dataset"]))).plot(ax=ax)

    def plot(self, ax: Any = None) -> PenaltyMatrixDisplay:
        """Draw the matrix, with the means of its columns below: how often each was beaten.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        PenaltyMatrixDisplay
            The display itself.
        """
        names = [str(name) for name in self.matrix.columns]
        side = 1.8 + 0.42 * len(names)
        self.ax_, self.figure_ = axes_or_new(ax, (side + 0.6, side + 0.4))
        values = self.matrix.to_numpy(dtype=float)
        shown = np.where(np.eye(len(names), dtype=bool), np.nan, values)
        means = np.nansum(shown, axis=0) / max(len(names) - 1, 1)
        rows = [*names, "mean"]
        heat_map(self.ax_, np.vstack([shown, means]), rows, names, top=self.n_datasets)
        self.ax_.axhline(len(names) - 0.5, color="black", linewidth=1.2)
        self.ax_.set_title(
            "row beats column, share of budgets\n(last line: how often beaten; less is better)",
            fontsize=9,
        )
        return self
