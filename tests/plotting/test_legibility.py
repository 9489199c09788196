"""Pictures of 40 strategies on 10 data sets: nothing is cut off, and nothing overlaps."""

from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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

NAMES = ["Random", "a strategy with a very long name, on ResNet-18"]
NAMES += [f"strategy number {i}" for i in range(2, 40)]
CLASSES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "ankle boot"]


def results(n_strategies, n_datasets=1):
    rng = np.random.default_rng(0)
    bins = {"count": [5, 5], "confidence": [0.4, 0.9], "accuracy": [0.3, 0.8]}
    return Results(
        {
            "dataset": f"pool {d}",
            "strategy": name,
            "seed": seed,
            "round": i,
            "n_labelled": 20 + 10 * i,
            "queried": list(range(8)),
            "queried_classes": dict.fromkeys(CLASSES, 1),
            "recall": dict.fromkeys(CLASSES, 0.5),
            "accuracy": 0.4 + 0.03 * i + 0.004 * k + 0.01 * rng.random(),
            "query_seconds": 0.01 * (k + 1),
            "train_seconds": 1.0,
            "calibration": bins,
        }
        for d in range(n_datasets)
        for k, name in enumerate(NAMES[:n_strategies])
        for seed in range(2)
        for i in range(4)
    )


def mask(n):
    names = [f"body.block{i}.conv.weight" for i in range(n)]
    sizes = np.full(n, 123_456)
    return FisherMaskDisplay(names=names, kept=sizes // 7, sizes=sizes).plot()


def images(n):
    return QueriedImagesDisplay(
        images=[np.zeros((8, 6, 6))] * 4,
        captions=[["a class with a long name"] * 8] * 4,
        row_names=[f"at {i} labels" for i in range(4)],
        title=f"What {NAMES[1]} asked for first (seed {n})",
    ).plot()


def penalties(n):
    # Drawn, not tested for: 10 data sets of 40 strategies are 23,400 t-tests, and no other picture.
    shares = np.random.default_rng(0).integers(0, 31, (n, n)) / 3
    np.fill_diagonal(shares, 0)
    matrix = pd.DataFrame(shares, index=NAMES[:n], columns=NAMES[:n])
    return PenaltyMatrixDisplay(matrix=matrix, n_datasets=10).plot()


def ranks(n):
    pytest.importorskip("scikit_posthocs")
    return CriticalDifferenceDisplay.from_results(results(n, 10))


# With the least share of the width of the figure, and of its height, that is left for the axes of
# 40 strategies: names and legends take the rest.
KINDS = {
    "curves": (lambda n: LearningCurvesDisplay.from_results(results(n)), 0.4, 0.8),
    "time": (lambda n: TimeAccuracyDisplay.from_results(results(n)), 0.35, 0.8),
    "calibration": (lambda n: CalibrationCurvesDisplay.from_results(results(n)), 0.3, 0.75),
    "balance": (lambda n: ClassBalanceDisplay.from_results(results(n)), 0.3, 0.85),
    "penalties": (penalties, 0.7, 0.7),
    "ranks": (ranks, 0.4, 0.85),
    "mask": (mask, 0.5, 0.85),
    "images": (images, 0.8, 0.8),
}


@cache  # the pictures are only looked at
def drawn(kind, n):
    display = KINDS[kind][0](n)
    display.figure_.canvas.draw()
    return display, display.figure_.canvas.get_renderer()


def corners(text, renderer):
    """Return the corners of a text's rectangle as it stands, turned about its anchor."""
    angle, anchor = (
        text.get_rotation(),
        np.array(text.get_transform().transform(text.get_position())),
    )
    text.set_rotation(0)
    box = text.get_window_extent(renderer)
    text.set_rotation(angle)
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (box.corners()[[0, 1, 3, 2]] - anchor) @ matrix.T + anchor


def overlap(one, other):
    """Return whether two rectangles, which may be turned, overlap: no side separates them."""
    for shape in (one, other):
        for a, b in [(shape[0], shape[1]), (shape[1], shape[2])]:
            normal = np.array([a[1] - b[1], b[0] - a[0]])
            normal = normal / np.linalg.norm(normal)
            p, q = one @ normal, other @ normal
            if p.max() <= q.min() + 0.5 or q.max() <= p.min() + 0.5:  # half a pixel
                return False
    return True


def test_overlaps_are_found():
    ax = Figure().subplots()
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    straight, above, on_it = (ax.text(0.5, y, "some words") for y in (0.5, 0.6, 0.51))
    turned = [
        ax.text(x, 0.3, "words", rotation=40, ha="right", rotation_mode="anchor")
        for x in (0.5, 0.51, 0.6)
    ]
    shapes = [corners(text, renderer) for text in (straight, above, on_it, *turned)]
    assert not overlap(shapes[0], shapes[1])
    assert overlap(shapes[0], shapes[2])
    assert overlap(shapes[3], shapes[4])
    assert not overlap(shapes[3], shapes[5])


def tick_labels(ax):
    for axis in (ax.xaxis, ax.yaxis):
        yield [text for text in axis.get_ticklabels() if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("n", [2, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off(kind, n):
    display, renderer = drawn(kind, n)
    box = display.figure_.bbox
    around = display.ax_.get_tightbbox(renderer)
    title = display.ax_.title.get_window_extent(renderer)
    assert title.width <= display.ax_.get_window_extent(renderer).width + 1
    legend = display.ax_.get_legend()
    boxes = [around] if legend is None else [around, legend.get_window_extent(renderer)]
    for of in boxes:
        assert of.x0 >= -1
        assert of.y0 >= -1
        assert of.x1 <= box.width + 1
        assert of.y1 <= box.height + 1
    # Nor is there more room than is needed.
    assert around.width >= 0.9 * box.width
    assert around.height >= 0.85 * box.height


@pytest.mark.parametrize("kind", KINDS)
def test_axes_keep_their_share_of_the_figure(kind):
    display, _ = drawn(kind, 40)
    _, width, height = KINDS[kind]
    position = display.ax_.get_position()
    assert position.width >= width
    assert position.height >= height


@pytest.mark.parametrize("n", [2, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_tick_labels_do_not_overlap(kind, n):
    display, renderer = drawn(kind, n)
    for labels in tick_labels(display.ax_):
        shapes = [corners(text, renderer) for text in labels]
        for one, other in pairwise(shapes):
            assert not overlap(one, other)


@pytest.mark.parametrize("n", [2, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_texts_in_the_axes_do_not_overlap(kind, n):
    display, renderer = drawn(kind, n)
    shapes = [text.get_window_extent(renderer) for text in display.ax_.texts]
    low = np.array([shape.min for shape in shapes]).reshape(-1, 2) + 0.5
    high = np.array([shape.max for shape in shapes]).reshape(-1, 2) - 0.5
    meet = ((low[:, None] < high) & (low < high[:, None])).all(-1)
    assert not (meet & ~np.eye(len(shapes), dtype=bool)).any()


@pytest.mark.parametrize("kind", ["curves", "time", "calibration"])
def test_a_legend_covers_no_axes_and_its_entries_differ(kind):
    display, renderer = drawn(kind, 40)
    legend = display.ax_.get_legend()
    assert legend.get_window_extent(renderer).x0 >= display.ax_.get_window_extent(renderer).x1
    assert [text.get_text() for text in legend.get_texts()] == NAMES
    boxes = [text.get_window_extent(renderer) for text in legend.get_texts()]
    for one, other in pairwise(boxes):
        assert not overlap(one.corners()[[0, 1, 3, 2]], other.corners()[[0, 1, 3, 2]])


@pytest.mark.parametrize("n", [8, 25, 40])
@pytest.mark.parametrize(
    ("longest", "share"), [("ExpectedGradientLength", 0.4), (NAMES[1], 0.1)], ids=["usual", "long"]
)
def test_a_legend_fits_beside_axes_that_are_given(n, longest, share):
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    renamed = results(n)
    renamed.frame["strategy"] = renamed.frame["strategy"].replace(NAMES[1], longest)
    display = LearningCurvesDisplay.from_results(renamed, ax=figure.subplots())
    figure.canvas.draw()
    box = display.ax_.get_legend().get_window_extent()
    assert box.y0 >= 0
    assert box.y1 <= figure.bbox.height
    assert box.x1 <= figure.bbox.width
    assert display.ax_.get_position().width >= share
    assert display.ax_.get_legend().get_texts()[0].get_fontsize() >= 6
    assert tuple(figure.get_size_inches()) == (6.4, 4.4)  # it is not ours


@pytest.mark.parametrize("span", [1.01, 3, 30, 1e4, 1e9])
def test_seconds_are_plain_numbers_that_have_room(span):
    display = TimeAccuracyDisplay(
        strategies=["A", "B"],
        seconds=np.array([1e-4, 1e-4 * span]),
        scores=np.array([0.5, 0.6]),
        spreads=np.zeros(2),
        score_name="accuracy",
    ).plot()
    display.figure_.canvas.draw()
    renderer = display.figure_.canvas.get_renderer()
    low, high = display.ax_.get_xlim()
    labels = [
        text
        for text in display.ax_.get_xticklabels()
        if text.get_text() and low <= text.get_position()[0] <= high
    ]
    assert len(labels) >= 1
    for text in labels:
        assert float(text.get_text()) == pytest.approx(text.get_position()[0])
    for one, other in pairwise(labels):
        assert not overlap(corners(one, renderer), corners(other, renderer))
