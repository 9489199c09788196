"""Mean ranks on a line, with bars over strategies that cannot be told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skactive._optional import import_optional
from skactive.plotting._display import LITERAL, Display, label_axes
from skactive.plotting._style import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from skactive.experiments import Results


@dataclass(kw_only=True, eq=False, repr=False)
class CriticalDifferenceDisplay(Display):
    """Demšar's critical-difference diagram, drawn by scikit-posthocs (the extra `stats`).

    Make it with `from_results`. The keyword arguments of `plot` go to scikit-posthocs's
    `critical_difference_diagram`.

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

    References
    ----------
    J. Demšar. "Statistical Comparisons of Classifiers over Multiple Data Sets". JMLR 7, 2006.
    """

    ranks: pd.Series
    p: pd.DataFrame
    critical_difference: float
    n_blocks: int
    alpha: float = 0.05

    @classmethod
    def from_results(
        cls,
        results: Results,
        *,
        metric: str = "accuracy",
        over: str = "dataset",
        alpha: float = 0.05,
        ax: Any = None,
        **kwargs: Any,
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
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        CriticalDifferenceDisplay
            The display, drawn.

        Raises
        ------
        ImportError
            If scikit-posthocs is not installed.
        """
        cls._check_results(results)
        found = results.critical_differences(metric, over=over, alpha=alpha)
        return cls(
            ranks=found.ranks,
            p=found.p,
            critical_difference=found.critical_difference,
            n_blocks=found.n_blocks,
            alpha=alpha,
        ).plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        return 6.0, 0.8 + 0.22 * len(self.ranks)

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        posthocs = import_optional("scikit_posthocs", "stats", "CriticalDifferenceDisplay")
        options = {
            "alpha": self.alpha,
            "color_palette": {name: style(i).color for i, name in enumerate(self.ranks.index)},
            "label_fmt_left": "{label} ({rank:.2f})  ",
            "label_fmt_right": "  ({rank:.2f}) {label}",
            "label_props": LITERAL,
            "crossbar_props": {"color": "black", "linewidth": 3},
        }
        posthocs.critical_difference_diagram(self.ranks, self.p, ax=ax, **{**options, **kwargs})
        label_axes(
            ax,
            title=f"mean rank on {self.n_blocks} blocks; 1 is best; bars join what differs by less "
            f"than {self.critical_difference:.2f}",
        )
