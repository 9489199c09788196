"""Mean ranks on a line, with bars over strategies that cannot be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skactive._optional import import_optional
from skactive.plotting._style import axes_or_new, style

if TYPE_CHECKING:
    import pandas as pd

    from skactive.experiments import Results


class CriticalDifferenceDisplay:
    """Demšar's critical-difference diagram, drawn by scikit-posthocs (the extra `stats`).

    Make it with `from_results`.

    Parameters
    ----------
    ranks : pandas.Series
        The mean rank of each strategy; 1 is the best.
    p : pandas.DataFrame
        The p-values of each pair.
    critical_difference : float
        Ranks further apart than this differ.
    n_blocks : int
        Number of data sets, or seeds, on which the strategies were ranked.
    alpha : float, default=0.05
        The level.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the diagram.
    figure_ : matplotlib Figure
        The figure with the axes.

    References
    ----------
    J. Demšar. "Statistical Comparisons of Classifiers over Multiple Data Sets". JMLR 7, 2006.
    """

    def __init__(
        self,
        *,
        ranks: pd.Series,
        p: pd.DataFrame,
        critical_difference: float,
        n_blocks: int,
        alpha: float = 0.05,
    ) -> None:
        self.ranks = ranks
        self.p = p
        self.critical_difference = critical_difference
        self.n_blocks = n_blocks
        self.alpha = alpha

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        over: str = "dataset",
        alpha: float = 0.05,
        ax: Any = None,
    ) -> CriticalDifferenceDisplay:
        """Draw the mean ranks of the strategies of an experiment.

        Parameters
        ----------
        results : Results
            The results of `run_experiment`.
        metric, over, alpha : object
            As for `Results.critical_differences`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        CriticalDifferenceDisplay
            The display, drawn.
        """
        found = results.critical_differences(metric, over=over, alpha=alpha)
        return cls(
            ranks=found.ranks,
            p=found.p,
            critical_difference=found.critical_difference,
            n_blocks=found.n_blocks,
            alpha=alpha,
        ).plot(ax=ax)

    def plot(self, ax: Any = None) -> CriticalDifferenceDisplay:
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        CriticalDifferenceDisplay
            The display itself.

        Raises
        ------
        ImportError
            If scikit-posthocs is not installed.
        """
        posthocs = import_optional("scikit_posthocs", "stats", "CriticalDifferenceDisplay")
        self.ax_, self.figure_ = axes_or_new(ax, (6.4, 1.2 + 0.22 * len(self.ranks)))
        colours = {name: style(i).color for i, name in enumerate(self.ranks.index)}
        posthocs.critical_difference_diagram(
            self.ranks,
            self.p,
            ax=self.ax_,
            alpha=self.alpha,
            color_palette=colours,
            label_fmt_left="{label} ({rank:.2f})  ",
            label_fmt_right="  ({rank:.2f}) {label}",
            crossbar_props={"color": "black", "linewidth": 3},
        )
        self.ax_.set_title(
            f"mean rank on {self.n_blocks} blocks; 1 is best; bars join what differs by less than "
            f"{self.critical_difference:.2f}",
            fontsize=9,
        )
        return self
