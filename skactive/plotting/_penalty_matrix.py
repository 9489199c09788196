"""BADGE's pairwise penalties, as a heat map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive.plotting._display import Display, label_axes
from skactive.plotting._heat_map import heat_map, heat_map_size

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from skactive.experiments import Results


@dataclass(kw_only=True, eq=False, repr=False)
class PenaltyMatrixDisplay(Display):
    """How often each strategy beats each other one.

    Make it with `from_results`. The keyword arguments of `plot` go to `imshow`.

    Parameters
    ----------
    matrix : pandas.DataFrame
        Strategies by strategies, as `Results.penalty_matrix` returns it: rows beat columns.
    n_datasets : int, default=1
        Number of data sets it was summed over: the most that an entry can be.

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

    matrix: pd.DataFrame
    n_datasets: int = 1

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        alpha: float = 0.05,
        budgets: str = "all",
        ax: Any = None,
        **kwargs: Any,
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
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        PenaltyMatrixDisplay
            The display, drawn.
        """
        cls._check_results(results)
        matrix = results.penalty_matrix(metric, alpha=alpha, budgets=budgets)
        display = cls(matrix=matrix, n_datasets=len(set(results.frame["dataset"])))
        return display.plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        n = len(self.matrix.columns)
        return heat_map_size(n + 1, n)

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        names = [str(name) for name in self.matrix.columns]
        values = self.matrix.to_numpy(dtype=float)
        shown = np.where(np.eye(len(names), dtype=bool), np.nan, values)
        means = np.nansum(shown, axis=0) / max(len(names) - 1, 1)
        values = np.vstack([shown, means])
        heat_map(ax, values, [*names, "mean"], names, self.n_datasets, kwargs)
        ax.axhline(len(names) - 0.5, color="black", linewidth=1.2)
        label_axes(
            ax,
            title="row beats column, share of budgets\n"
            "(last line: how often beaten; less is better)",
        )
