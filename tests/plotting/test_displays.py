"""The Displays: what they compute, what they draw, and that they leave nothing behind."""

from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from skactive._validation import InvalidParameterError
from skactive.exceptions import UnfinishedRunsWarning
from skactive.experiments import Results
from skactive.plotting import (
    CalibrationCurvesDisplay,
    ClassBalanceDisplay,
    CriticalDifferenceDisplay,
    FisherMaskDisplay,
    LearningCurvesDisplay,
    PenaltyMatrixDisplay,
    QueriedImagesDisplay,
    TimeAccuracyDisplay,
)
from skactive.plotting._display import Display
from skactive.plotting._style import style


def record(strategy, seed, round_, accuracy, queried):
    return {
        "strategy": strategy,
        "seed": seed,
        "round": round_,
        "n_labelled": 10 * (round_ + 1),
        "queried": queried,
        "accuracy": accuracy,
        "balanced_accuracy": accuracy / 2,
        "log_loss": 1 - accuracy,
        "train_seconds": 1.0,
        "predict_seconds": 1.0,
        "query_seconds": 1.0 if queried else None,
        "device": "cpu",
        "n_threads": 1,
    }


RESULTS = Results(
    [
        record("margin", 3, 0, 0.5, [4, 2, 9]),
        record("margin", 3, 1, 0.6, [7, 1, 0]),
        record("margin", 3, 2, 0.8, []),
        record("margin", 4, 0, 0.7, [3, 5, 6]),
        record("margin", 4, 1, 0.8, [8, 1, 0]),
        record("random", 3, 0, 0.4, [8, 9, 5]),
        record("random", 3, 1, 0.6, []),
    ]
)
X = np.arange(10 * 4 * 6, dtype=np.uint8).reshape(10, 4, 6)
y = np.arange(10) % 3


EVEN = Results(
    record("margin", seed, i, score, [] if i == 2 else [4, 2, 9])
    for seed, curve in [(3, [0.5, 0.6, 0.8]), (4, [0.7, 0.8, 0.8])]
    for i, score in enumerate(curve)
)


def test_curves_are_means_with_a_band_of_one_sd(tmp_path):
    display = LearningCurvesDisplay.from_results(EVEN)
    (margin,) = display.lines_
    np.testing.assert_array_equal(margin.get_xdata(), [10, 20, 30])
    np.testing.assert_allclose(margin.get_ydata(), [0.6, 0.7, 0.8])
    band = display.ax_.collections[0].get_paths()[0].vertices
    sd = np.std([0.5, 0.7], ddof=1)
    np.testing.assert_allclose(band[band[:, 0] == 10][:, 1].max(), 0.6 + sd)
    np.testing.assert_allclose(band[band[:, 0] == 10][:, 1].min(), 0.6 - sd)
    np.testing.assert_allclose(band[band[:, 0] == 30][:, 1], 0.8)
    assert display.ax_.get_xlabel() == "labelled images"
    assert display.ax_.get_ylabel() == "test accuracy"
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text() == "mean ± sd over 2 seeds"
    assert [text.get_text() for text in legend.get_texts()] == ["margin"]
    assert display.figure_ is display.ax_.figure
    display.figure_.savefig(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_seed_that_is_cut_short_does_not_count_at_the_start_only():
    with pytest.warns(UnfinishedRunsWarning, match="left out: seed 4 of margin"):
        display = LearningCurvesDisplay.from_results(RESULTS, interval="bootstrap")
    margin, random = display.lines_
    np.testing.assert_allclose(margin.get_ydata(), [0.5, 0.6, 0.8])  # not 0.6, 0.7, 0.8
    np.testing.assert_array_equal(random.get_xdata(), [10, 20])
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text() == "one seed"
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ["margin (1 of 2 seeds)", "random (1 of 2 seeds, to 20 labels)"]
    assert list(display.scores) == ["margin", "random"]


def test_curves_have_a_gap_where_a_seed_has_no_value():
    scores = np.array([[0.5, 0.6, np.nan], [0.7, 0.8, 0.9]])
    display = LearningCurvesDisplay(
        n_labelled={"A": np.array([10, 20, 30])}, scores={"A": scores}, score_name="accuracy"
    ).plot()
    np.testing.assert_allclose(display.lines_[0].get_ydata(), [0.6, 0.7, np.nan])


def test_other_metrics_and_one_seed():
    ax = Figure().subplots()
    one = Results(record for record in EVEN.frame.to_dict("records") if record["seed"] == 3)
    display = LearningCurvesDisplay.from_results(one, metric="log_loss", ax=ax)
    assert display.ax_ is ax
    np.testing.assert_allclose(display.lines_[0].get_ydata(), [0.5, 0.4, 0.2])
    assert ax.get_ylabel() == "test log-loss (nats)"
    assert ax.get_legend().get_title().get_text() == "one seed"
    message = r"'metric' .* one of accuracy, balanced_accuracy, macro_f1, log_loss, ece\. Got 'f1'"
    with pytest.raises(InvalidParameterError, match=message):
        LearningCurvesDisplay.from_results(RESULTS, metric="f1")


def test_styles_differ_in_more_than_colour():
    styles = [style(i) for i in range(8)]
    assert len({s.marker for s in styles}) == 8
    assert len({s.color for s in styles[:7]}) == 7
    for one, other in pairwise(styles):
        assert one.linestyle != other.linestyle


def test_queried_images_are_those_of_the_first_run_in_pick_order(tmp_path):
    names = ["coat", "bag", "shoe"]
    display = QueriedImagesDisplay.from_results(RESULTS, X, y=y, class_names=names, n_images=2)
    drawn = [image.get_array() for image in display.ax_.images]
    for got, position in zip(drawn, [4, 2, 7, 1], strict=True):
        np.testing.assert_allclose(got, X[position] / 255)
    assert display.captions == [["bag", "shoe"], ["bag", "bag"]]
    assert [text.get_text() for text in display.ax_.texts] == ["bag", "shoe", "bag", "bag"]
    shown = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert shown == ["at 10 labels", "at 20 labels"]
    assert display.ax_.get_title() == "What margin asked for first (seed 3)"
    assert display.figure_ is display.ax_.figure
    display.figure_.savefig(tmp_path / "queried.png")
    assert (tmp_path / "queried.png").read_bytes().startswith(b"\x89PNG")


def test_another_run_and_given_axes():
    ax = Figure().subplots()
    display = QueriedImagesDisplay.from_results(RESULTS, X, y=y, strategy="margin", seed=4, ax=ax)
    assert display.ax_ is ax
    assert display.captions == [["0", "2", "0"], ["2", "1", "0"]]
    display = QueriedImagesDisplay.from_results(RESULTS, X, strategy="random", ax=ax)
    assert display.captions == [["", "", ""]]


@pytest.mark.parametrize("n_channels", [1, 3, 4])
@pytest.mark.parametrize("first", [True, False])
def test_channels_first_and_last_draw_the_same(n_channels, first):
    coloured = np.random.default_rng(0).random((10, 8, 6, n_channels))
    given = np.moveaxis(coloured, -1, 1) if first else coloured
    display = QueriedImagesDisplay.from_results(RESULTS, given, ax=Figure().subplots())
    expected = coloured[4] if n_channels > 1 else coloured[4, ..., 0]
    np.testing.assert_array_equal(display.ax_.images[0].get_array(), expected)


def test_ambiguous_channels_are_asked_for():
    narrow = np.zeros((10, 3, 8, 3))
    message = r"'X' parameter .* 1, 3 or 4 channels .* pass channels='first' or 'last'"
    with pytest.raises(InvalidParameterError, match=message):
        QueriedImagesDisplay.from_results(RESULTS, narrow)
    for channels, shape in [("first", (8, 3, 3)), ("last", (3, 8, 3))]:
        display = QueriedImagesDisplay.from_results(
            RESULTS, narrow, channels=channels, ax=Figure().subplots()
        )
        assert display.images[0].shape[1:] == shape


def test_standardised_images_and_tensors_are_scaled_to_what_is_shown():
    import torch

    standardised = torch.as_tensor((X - 100.0) / 50)
    display = QueriedImagesDisplay.from_results(RESULTS, standardised, ax=Figure().subplots())
    shown = np.concatenate(display.images)
    assert shown.min() == 0
    assert shown.max() == 1
    assert isinstance(shown, np.ndarray)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategy": "entropy"}, r"'strategy' .* must be one of margin, random\. Got 'entropy'"),
        ({"strategy": "random", "seed": 4}, r"'seed' .* must be one of 3\. Got 4"),
        ({"n_images": 0}, r"'n_images' .* must be an int of at least 1\. Got 0"),
        ({"channels": "middle"}, r"'channels' .* must be 'auto', 'first' or 'last'\. Got 'middle'"),
        ({"X": X[:5]}, r"'X' .* the images of the experiment, more than 9\. .*Pass the X that"),
        ({"X": X.reshape(10, -1)}, r"'X' .* must be images, .* \(10, 24\) .* Reshape rows"),
        (
            {"results": Results([record("margin", 0, 0, 0.5, [])])},
            r"'results' .* with at least one query\. Got <Results: rounds: 1",
        ),
    ],
)
def test_wrong_arguments(changes, message):
    with pytest.raises(InvalidParameterError, match=message):
        QueriedImagesDisplay.from_results(**({"results": RESULTS, "X": X} | changes))
    assert plt.get_fignums() == []


def test_axes_that_are_given_leave_pyplot_alone():
    ax = Figure().subplots()
    LearningCurvesDisplay.from_results(EVEN, ax=ax)
    QueriedImagesDisplay.from_results(RESULTS, X, ax=Figure().subplots())
    assert plt.get_fignums() == []
    settings = dict(mpl.rcParams)
    LearningCurvesDisplay.from_results(EVEN).plot()
    QueriedImagesDisplay.from_results(RESULTS, X)
    assert dict(mpl.rcParams) == settings


RED = (1.0, 0.0, 0.0, 0.15)
BINS = {"A": np.array([0.2, 0.8])}
DISPLAYS = {
    "lines": LearningCurvesDisplay(
        n_labelled={"A": np.array([1, 2])}, scores={"A": np.ones((2, 2))}, score_name="accuracy"
    ),
    "calibration": CalibrationCurvesDisplay(confidence=BINS, accuracy=BINS, title="here"),
    "marks": TimeAccuracyDisplay(
        strategies=["A"],
        seconds=np.array([1.0]),
        scores=np.array([0.5]),
        spreads=np.array([0.1]),
        score_name="accuracy",
    ),
    "shares": ClassBalanceDisplay(shares=np.eye(2), strategies=["A", "B"], classes=["c", "d"]),
    "penalties": PenaltyMatrixDisplay(
        matrix=pd.DataFrame(np.eye(2), index=["A", "B"], columns=["A", "B"])
    ),
    "mask": FisherMaskDisplay(names=["w"], kept=np.array([1]), sizes=np.array([2])),
    "images": QueriedImagesDisplay(
        images=[np.zeros((1, 2, 2))], captions=[[""]], row_names=["r"], title="t"
    ),
}


@pytest.mark.parametrize(
    ("kind", "options", "got", "expected"),
    [
        ("lines", {"lw": 5, "c": "red"}, lambda d: d.lines_[0].get_linewidth(), 5),
        ("lines", {"lw": 5, "c": "red"}, lambda d: d.lines_[0].get_color(), "red"),
        ("lines", {"color": "red"}, lambda d: tuple(d.ax_.collections[0].get_facecolor()[0]), RED),
        ("calibration", {"marker": "x"}, lambda d: d.ax_.lines[1].get_marker(), "x"),
        ("marks", {"ms": 9}, lambda d: d.ax_.lines[0].get_markersize(), 9),
        ("marks", {"capsize": 7}, lambda d: d.ax_.lines[1].get_markersize(), 14),
        ("shares", {"cmap": "Reds"}, lambda d: d.ax_.images[0].get_cmap().name, "Reds"),
        ("shares", {"norm": LogNorm(0.1, 1)}, lambda d: d.ax_.images[0].norm.vmin, 0.1),
        ("penalties", {"vmax": 3}, lambda d: d.ax_.images[0].norm.vmax, 3),
        ("mask", {"height": 0.5}, lambda d: d.bars_[0].get_height(), 0.5),
        ("images", {"cmap": "Reds"}, lambda d: d.ax_.images[0].get_cmap().name, "Reds"),
    ],
)
def test_keyword_arguments_go_to_the_artists(kind, options, got, expected):
    display = DISPLAYS[kind].plot(Figure().subplots(), **options)
    assert got(display) == expected


def test_keyword_arguments_of_from_results():
    display = LearningCurvesDisplay.from_results(EVEN, linewidth=5)
    assert display.lines_[0].get_linewidth() == 5
    shown = QueriedImagesDisplay.from_results(EVEN, X, cmap="Reds", ax=Figure().subplots())
    assert shown.ax_.images[0].get_cmap().name == "Reds"


def test_what_a_critical_difference_diagram_passes_on():
    pytest.importorskip("scikit_posthocs")
    names = ["A", "B", "C"]
    display = CriticalDifferenceDisplay(
        ranks=pd.Series([1.0, 2, 3], index=names),
        p=pd.DataFrame(np.ones((3, 3)), index=names, columns=names),
        critical_difference=3,
        n_blocks=2,
    )
    texts = display.plot(Figure().subplots(), label_fmt_left="<{label}>").ax_.texts
    assert texts[0].get_text() == "<A>"


@pytest.mark.parametrize("kind", DISPLAYS)
def test_each_plot_without_axes_makes_a_figure(kind):
    display = DISPLAYS[kind].plot()
    assert plt.get_fignums() == [display.figure_.number]
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first


@pytest.mark.parametrize("kind", DISPLAYS)
def test_nothing_stays_open_if_matplotlib_refuses_an_argument(kind):
    with pytest.raises((AttributeError, TypeError), match="colur"):
        DISPLAYS[kind].plot(colur="red")
    assert plt.get_fignums() == []


def test_numbers_on_dark_and_light_shades():
    for cmap, expected in [("Blues", ["white", "black"]), ("Blues_r", ["black", "white"])]:
        display = DISPLAYS["shares"].plot(Figure().subplots(), cmap=cmap)
        assert [text.get_color() for text in display.ax_.texts][:2] == expected


def test_what_are_no_axes():
    record = {"dataset": "data", "strategy": "a", "seed": 0, "round": 0, "n_labelled": 10}
    results = Results([{**record, "accuracy": 0.5}])
    figure, several = plt.subplots(1, 2)
    for ax in (figure, several, "ax"):
        match = "'ax' parameter of LearningCurvesDisplay must be matplotlib Axes or None.* pass one"
        with pytest.raises(InvalidParameterError, match=match):
            LearningCurvesDisplay.from_results(results, ax=ax)
    assert LearningCurvesDisplay.from_results(results, ax=several[1]).figure_ is figure


@pytest.mark.parametrize(
    "kind", [kind for kind in Display.__subclasses__() if hasattr(kind, "from_results")]
)
@pytest.mark.parametrize("given", [RESULTS.frame, "folder", None], ids=["frame", "str", "None"])
def test_what_are_no_results(kind, given):
    match = (
        rf"'results' parameter of {kind.__name__}\.from_results must be a Results.* Results\.load"
    )
    with pytest.raises(InvalidParameterError, match=match):
        kind.from_results(given, **({"X": X} if kind is QueriedImagesDisplay else {}))
