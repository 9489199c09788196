"""How pictures tell strategies apart: in colour, in print, and to the colour-blind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from skactive._validation import invalid

if TYPE_CHECKING:
    from skactive.experiments import Results

_TITLES = {
    "accuracy": "test accuracy",
    "balanced_accuracy": "balanced test accuracy",
    "macro_f1": "test F1 score, mean of the classes",
    "log_loss": "test log-loss (nats)",
    "ece": "expected calibration error",
}

# The palette of M. Okabe and K. Ito (2008), without its yellow, which is faint on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":")


class Style(NamedTuple):
    """How one strategy is drawn."""

    color: str
    marker: str
    linestyle: str


def style(i: int) -> Style:
    """Return the style of the i-th strategy; the marker tells it where the colour does not."""
    return Style(_COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)], _LINES[i % len(_LINES)])


def check_metric(metric: Any, results: Results, owner: str) -> str:
    """Return the name of a measurement, or raise and list the valid ones."""
    if not (isinstance(metric, str) and metric in results.metrics):
        raise invalid("metric", owner, f"one of {', '.join(results.metrics)}", metric)
    return metric


def check_queried(results: Results, owner: str) -> Results:
    """Return results in which something was asked for, or raise."""
    if not results.frame["queried"].map(len).any():
        raise invalid("results", owner, "results with at least one query", results)
    return results


def metric_title(metric: str) -> str:
    """Return what an axis calls a measurement."""
    return _TITLES.get(metric, metric.replace("_", " "))


def class_name(label: Any, class_names: Sequence[str] | None) -> str:
    """Return what to call a class: label 0 has the first name, and words are names themselves."""
    text = str(label)
    whole = text.removesuffix(".0")  # labels that came as floats
    if class_names is None or not whole.isdecimal() or int(whole) >= len(class_names):
        return text
    return str(class_names[int(whole)])


def strategy_names(results: Results) -> list[str]:
    """Return the strategies in the order of the results, which is that of the styles."""
    return [str(name) for name in dict.fromkeys(results.frame["strategy"])]


def comparable_on(results: Results, dataset: str | None) -> tuple[Results, dict[str, str]]:
    """Return the rounds on a data set that are averaged over, and what to say of strategies.

    That is said of those that lack seeds or numbers of labels of the others.
    """
    results = results.on(dataset)
    notes = {}
    for arm in results.coverage().to_dict("records"):
        lacks = arm["n_seeds"] < arm["n_seeds_most"]
        said = [f"{arm['n_seeds']} of {arm['n_seeds_most']} seeds"] * lacks
        said += [f"to {arm['n_labelled']} labels"] * (not arm["finished"])
        if said:
            notes[arm["strategy"]] = ", ".join(said)
    return results.comparable(), notes


def noted(names: Iterable[str], notes: Mapping[str, str] | None) -> list[str]:
    """Return names with what is to be said of them."""
    return [f"{name} ({notes[name]})" if notes and name in notes else str(name) for name in names]
