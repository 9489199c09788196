"""One page of HTML with the pictures and tables of an experiment, that needs no other file."""

from __future__ import annotations

import base64
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skactive._paths import home_expanded
from skactive._phrases import one_line
from skactive._validation import InvalidParameterError, invalid
from skactive._whole_files import write_whole
from skactive.exceptions import UnfinishedRunsWarning
from skactive.plotting._calibration import CalibrationCurvesDisplay
from skactive.plotting._class_balance import ClassBalanceDisplay
from skactive.plotting._critical_difference import CriticalDifferenceDisplay
from skactive.plotting._display import Display, fit_figure
from skactive.plotting._learning_curves import LearningCurvesDisplay
from skactive.plotting._penalty_matrix import PenaltyMatrixDisplay
from skactive.plotting._queried_images import QueriedImagesDisplay
from skactive.plotting._stopping_points import StoppingPointsDisplay
from skactive.plotting._style import strategy_names
from skactive.plotting._time_accuracy import TimeAccuracyDisplay

if TYPE_CHECKING:
    import pandas as pd

    from skactive.experiments import Results

_DPI = 130
_CSS_DPI = 96  # what a browser takes for an inch
_CSS = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
h3 { margin: 1.6rem 0 .4rem; } figure { margin: 1rem 0; }
figcaption, .note { color: #555; font-size: .9rem; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #e4e4e4; }
th { border-bottom: 2px solid #888; } td:first-child, th:first-child { text-align: left; }
@media print { body { max-width: none; } img { max-width: 100%; } h2 { break-before: page; }
figure, table { break-inside: avoid; } }
"""


def write_report(
    results: Results,
    path: str | os.PathLike[str],
    *,
    images: Mapping[str, Any] | None = None,
    baseline: str = "Random",
) -> None:
    """Write one page of HTML with the pictures, tables and tests of an experiment.

    Parameters
    ----------
    results : Results
        The results of `run_experiment`, of one or more data sets.
    path : str or path-like
        The file to write. Its pictures are inside it, and it refers to no other file.
    images : dict of str to Bunch, default=None
        By data set, what the experiment chose from: `X_train`, `y_train` and `target_names`, for
        the pictures of the images that were asked for.
    baseline : str, default="Random"
        The strategy that label efficiency compares with; without it, that table is left out.

    Raises
    ------
    InvalidParameterError
        If no round is finished.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from skactive.experiments import Results
    >>> from skactive.plotting import write_report
    >>> rounds = [dict(strategy="Random", seed=0, round=i, n_labelled=20 + 10 * i, queried=[],
    ...                queried_classes={}, recall={}, accuracy=0.5, query_seconds=0.1,
    ...                train_seconds=1.0) for i in range(2)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(Results(rounds), pathlib.Path(folder) / "report.html")
    ...     "Learning curves" in (pathlib.Path(folder) / "report.html").read_text()
    True
    """
    if results.frame.empty:
        raise invalid(
            "results",
            "write_report",
            "results with at least one finished round",
            results,
            "Run the experiment until one is finished.",
        )
    head, parts = [*_head(results)], []
    datasets = list(dict.fromkeys(results.frame["dataset"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnfinishedRunsWarning)
        for name in datasets:
            parts += [f"<h2>{escape(name)}</h2>"]
            parts += _of_dataset(results.on(name), (images or {}).get(name), baseline)
        parts += ["<h2>Comparison</h2>", *_comparisons(results, len(datasets))]
    notes = dict.fromkeys(str(warning.message) for warning in caught)
    said = [f'<p class="note">{escape(note)}</p>' for note in notes]
    parts = [*head, *said, *_failures(results), *parts]
    parts += ["<h2>What it was computed on</h2>", *_provenance(results)]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Active learning: {escape(', '.join(datasets))}</title>\n"
        f"<style>{_CSS}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )
    # names of files that are not UTF-8 have bytes that it cannot hold
    write_whole(Path(home_expanded(path)), page.encode("utf-8", "backslashreplace"))


def _head(results: Results) -> Iterator[str]:
    frame = results.frame
    yield "<h1>Query strategies compared</h1>"
    seeds = frame.groupby(["dataset", "strategy"])["seed"].nunique()
    few, many = int(seeds.min()), int(seeds.max())
    counted = f"{few}" if few == many else f"{few} to {many}"
    yield (
        f"<p>{escape(', '.join(strategy_names(results)))}; seeds: {counted}; "
        f"{int(frame['n_labelled'].min())} to {int(frame['n_labelled'].max())} labelled images. "
        "With each seed, all strategies start from the same labels and, where the networks are the "
        "same, the same weights.</p>"
    )


def _failures(results: Results) -> Iterator[str]:
    """Name the runs that failed; their tracebacks unfold."""
    if not results.failures:
        return
    yield "<h2>Runs that failed</h2>"
    yield (
        '<p class="note">The rounds before are in what follows, where they can be compared. The '
        "same call of run_experiment tries these again.</p>"
    )
    for failure in results.failures:
        where = (
            f"{failure['strategy']} on {failure['dataset']}, seed {failure['seed']}, "
            f"round {failure['round']}: {one_line(failure['error'], 300)}"
        )
        yield (
            f"<details><summary>{escape(where)}</summary>"
            f'<pre class="wide">{escape(failure["traceback"])}</pre></details>'
        )


def _of_dataset(results: Results, data: Any, baseline: str) -> Iterator[str]:
    """Yield the part about one data set."""
    classes = None if data is None else data.target_names
    yield "<h3>Learning curves</h3>"
    for metric, interval in [("accuracy", "bootstrap"), ("balanced_accuracy", "sd")]:
        if results.frame[metric].notna().any():
            yield _figure(
                LearningCurvesDisplay.from_results,
                results,
                metric=metric,
                interval=interval,
            )
    yield "<h3>At the last number of labels</h3>"
    yield _table(_last(results))
    if baseline in strategy_names(results):
        yield f"<h3>Labels that {escape(baseline)} needs for the same mean accuracy</h3>"
        yield _table(_efficiency(results, baseline))
        yield '<p class="note">∞: its curve never gets there.</p>'
    if "stopping" in results.frame:
        yield "<h3>Where rules would have stopped</h3>"
        yield _figure(StoppingPointsDisplay.from_results, results)
        yield _try(lambda: _table(results.stopping_points().drop(columns="dataset")))
    yield "<h3>Time</h3>"
    yield _figure(TimeAccuracyDisplay.from_results, results)
    yield "<h3>Calibration</h3>"
    yield _figure(CalibrationCurvesDisplay.from_results, results)
    yield "<h3>What was asked for</h3>"
    yield _figure(
        ClassBalanceDisplay.from_results,
        results,
        class_names=classes,
    )
    if data is not None:
        for name in strategy_names(results):
            yield _figure(
                QueriedImagesDisplay.from_results,
                results,
                data.X_train,
                y=data.y_train,
                class_names=classes,
                strategy=name,
                n_images=8,
                n_rounds=8,
            )


def _last(results: Results) -> pd.DataFrame:
    """Return accuracies at the last number of labels, and areas."""
    table = results.intervals()
    table = table[table["n_labelled"] == table["n_labelled"].max()]
    areas = results.aubc().groupby("strategy")["aubc"]
    table = table.drop(columns="dataset").rename(
        columns={"low": "95 % from", "high": "to", "mean": "accuracy"}
    )
    return table.assign(
        **{
            "area under curve": table["strategy"].map(areas.mean()),
            "sd of area": table["strategy"].map(areas.std()),
        }
    ).reset_index(drop=True)


def _efficiency(results: Results, baseline: str) -> pd.DataFrame:
    table = results.label_efficiency(baseline=baseline)
    wide = table.pivot_table(
        index="strategy", columns="n_labelled", values="baseline_labels", sort=False, dropna=False
    )
    wide = wide[wide.columns[1:]].rename(columns="{} labels".format)  # nothing is chosen at first
    return wide.round().reset_index()


def _comparisons(results: Results, n_datasets: int) -> Iterator[str]:
    over = "dataset" if n_datasets > 1 else "seed"
    blocks = "data sets" if n_datasets > 1 else "seeds of the one data set"
    yield "<h3>Paired t-tests at each number of labels</h3>"
    yield _figure(PenaltyMatrixDisplay.from_results, results)
    yield (
        '<p class="note">At the level 0.05 each, not corrected for their number: of two equal '
        "strategies each beats the other at 2.5 % of the budgets by chance.</p>"
    )
    yield f"<h3>Mean ranks over the {blocks}</h3>"
    yield _figure(
        CriticalDifferenceDisplay.from_results,
        results,
        over=over,
    )
    yield f"<h3>Wilcoxon's signed-rank tests over the {blocks}, with Holm's correction</h3>"
    yield _try(lambda: _tests(results.wilcoxon(over=over)))
    yield (
        '<p class="note">Areas under the budget curves are compared. With n blocks no p is below '
        "2 / 2ⁿ, whatever the difference.</p>"
    )


def _tests(table: pd.DataFrame) -> str:
    """Say how many pairs differ; the table of all of them unfolds."""
    table = table.sort_values("p", kind="stable", ignore_index=True)
    n_different = int((table["p_holm"] < 0.05).sum())
    shown = "" if len(table) > 20 else " open"
    return (
        f"<p>{n_different} of {len(table)} pairs differ at the level 0.05.</p>"
        f"<details{shown}><summary>All pairs, the smallest p first</summary>{_table(table)}"
        "</details>"
    )


def _provenance(results: Results) -> Iterator[str]:
    frame = results.frame
    rows: dict[str, str] = {
        "rounds": str(len(frame)),
        "devices": ", ".join(sorted(set(frame["device"].dropna()))),
        "threads per process": ", ".join(
            str(int(n)) for n in sorted(set(frame["n_threads"].dropna()))
        ),
    }
    if frame["peak_memory"].notna().any():
        rows["peak memory of a process"] = f"{frame['peak_memory'].max() / 2**20:.0f} MiB"
    found: dict[str, list[str]] = {}
    for versions in frame["versions"].dropna():
        for package, version in versions.items():
            if version not in found.setdefault(package, []):
                found[package].append(version)
    rows |= {package: ", ".join(which) for package, which in found.items()}
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows.items()
    )
    yield f"<table>{cells}</table>"


def _figure(draw: Callable[..., Display], *args: Any, **kwargs: Any) -> str:
    """Draw a Display into the page; say why where it cannot be drawn."""
    # A figure that pyplot does not know needs no display and no closing.
    from matplotlib.figure import Figure

    def drawn() -> str:
        figure = Figure(layout="constrained")
        display = draw(*args, **kwargs, ax=figure.subplots())
        fit_figure(display, figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI)
        encoded = base64.b64encode(buffer.getvalue()).decode()
        title = type(display).__name__.removesuffix("Display")
        # As large as on paper; the page scrolls sideways below what is wider than it.
        width = round(figure.get_figwidth() * _CSS_DPI)
        image = f'<img alt="{title}" src="data:image/png;base64,{encoded}" width="{width}">'
        return f'<figure class="wide">{image}</figure>'

    return _try(drawn)


def _try(make: Callable[[], str]) -> str:
    """Return a part of the page, or the message that says what it lacks."""
    try:
        return make()
    except (InvalidParameterError, ImportError) as error:
        return f'<p class="note">Not here: {escape(str(error))}</p>'


def _table(table: pd.DataFrame) -> str:
    def cell(value: Any) -> str:
        if not isinstance(value, float):
            return escape(str(value))
        if value != value:
            return "–"
        if value in {float("inf"), float("-inf")}:
            return "∞" if value > 0 else "-∞"
        return f"{value:.0f}" if value.is_integer() and abs(value) >= 2 else f"{value:.3f}"

    head = "".join(f"<th>{escape(str(name).replace('_', ' '))}</th>" for name in table.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell(value)}</td>" for value in row) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'
