"""Names of strategies, classes and data sets are shown letter by letter, whatever is in them."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

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
    write_report,
)

NAMES = [
    "a_b_c",
    "$x$ and $y_1$",
    "{rank} {0}",
    "{unbalanced",
    "<b>bold</b>",
    "a < b & c > d",
    "50 % of #1",
    r"back\slash\n \frac",
    "_hidden",
    "Größe α",
    "[5pt]",
    "* | `x` ~ ^",
    "\"quoted\" & 'so'",
    "&amp;",
    "index",
    "²",  # a digit, and no number
]


def results(dataset="d"):
    bins = {"count": [5, 5], "confidence": [0.4, 0.9], "accuracy": [0.3, 0.8]}
    return Results(
        {
            "dataset": dataset,
            "strategy": name,
            "seed": seed,
            "round": i,
            "n_labelled": 10 * (i + 1),
            "queried": [0, 1],
            "queried_classes": {NAMES[0]: 1, NAMES[1]: 1},
            "recall": dict.fromkeys(NAMES, 0.5),
            "accuracy": 0.5 + 0.01 * k + 0.1 * i + 0.003 * seed,
            "query_seconds": 0.1 * (k + 1),
            "train_seconds": 1.0,
            "calibration": bins,
            "versions": {NAMES[4]: NAMES[5]},
        }
        for k, name in enumerate(NAMES)
        for seed in range(3)
        for i in range(3)
    )


def mask(names):
    n = np.ones(len(names), int)
    return FisherMaskDisplay(names=names, kept=n, sizes=2 * n).plot()


def queried(strategy):
    return QueriedImagesDisplay.from_results(
        results(), np.zeros((2, 4, 4)), y=np.array(NAMES[:2]), strategy=strategy
    )


def curves_of_a_metric():
    return LearningCurvesDisplay(
        n_labelled={n: np.array([1, 2]) for n in NAMES},
        scores={n: np.zeros((2, 2)) for n in NAMES},
        score_name="$cost_{1}$",
        notes=dict.fromkeys(NAMES, "$x$"),
    ).plot()


DRAW = {
    "curves": (lambda: LearningCurvesDisplay.from_results(results()), NAMES),
    "curves of a metric": (
        curves_of_a_metric,
        ["$cost_{1}$", *(f"{name} ($x$)" for name in NAMES)],
    ),
    "time": (lambda: TimeAccuracyDisplay.from_results(results()), NAMES),
    "calibration": (lambda: CalibrationCurvesDisplay.from_results(results()), NAMES),
    "balance": (lambda: ClassBalanceDisplay.from_results(results()), [*NAMES, *NAMES]),
    "penalties": (lambda: PenaltyMatrixDisplay.from_results(results()), [*NAMES, *NAMES]),
    "mask": (lambda: mask(NAMES), NAMES),
    "images": (lambda: queried("$x$ and $y_1$"), NAMES[:2]),
}


def shown(display):
    """Return the texts that are drawn, and check that none is read as mathematics."""
    display.figure_.canvas.draw()
    texts = [t for t in display.figure_.findobj(Text) if t.get_text() and t.get_visible()]
    for text in texts:
        if re.search(r"[$\\_{}]", text.get_text()):
            assert not text.get_parse_math(), text
            assert not text.get_usetex(), text
    return [text.get_text() for text in texts]


@pytest.mark.parametrize("kind", DRAW)
def test_names_in_pictures(kind):
    draw, expected = DRAW[kind]
    texts = shown(draw())
    for name in set(expected):
        assert texts.count(name) >= expected.count(name), name


def test_names_in_a_critical_difference_diagram():
    pytest.importorskip("scikit_posthocs")
    texts = " ".join(shown(CriticalDifferenceDisplay.from_results(results(), over="seed")))
    for name in NAMES:
        assert name in texts


def test_a_title_with_a_name():
    title = "What $x$ and $y_1$ asked for first (seed 0)"
    assert title in shown(queried("$x$ and $y_1$"))


def test_a_name_is_as_wide_as_its_letters():
    """With mathematics, the dollars would be gone, and the rest another width."""
    ax = Figure().subplots()
    display = mask(["$x$"])
    label = display.ax_.get_yticklabels()[0]
    plain = ax.text(0, 0, "$x$", fontsize=label.get_fontsize(), parse_math=False)
    display.figure_.canvas.draw()
    renderer = display.figure_.canvas.get_renderer()
    widths = [text.get_window_extent(renderer).width for text in (label, plain)]
    assert widths[0] == pytest.approx(widths[1])


class Page(HTMLParser):
    """Reads a page as a browser does: its texts, and whether its elements are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.cells, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in {"meta", "img"}:
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1] += data


@pytest.mark.slow
def test_names_in_the_report(tmp_path):
    dataset = '<script>&"pool"_1$'
    write_report(results(dataset), tmp_path / "page.html", baseline="<b>bold</b>")
    page = Page()
    page.feed((tmp_path / "page.html").read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    assert not page.tags & {"b", "script"}
    assert page.texts.count(dataset) == 1
    assert f"Active learning: {dataset}" in page.texts
    assert "Labels that <b>bold</b> needs for the same mean accuracy" in page.texts
    for name in NAMES:
        assert page.cells.count(name) >= 2, name


# What each character becomes, as LaTeX has it.
READ_BACK = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textbar{}": "|",
    r"$>$": ">",
    r"$<$": "<",
    **{rf"\{c}": c for c in "&%$#_{}"},
}


def read_latex(cell):
    """Return what LaTeX prints; nothing that it would take for a command may be left."""
    tokens = re.findall("|".join(map(re.escape, READ_BACK)) + r"|[^\\&%$#_{}~^<>|]", cell)
    assert "".join(tokens) == cell
    return "".join(READ_BACK.get(token, token) for token in tokens)


def latex_cells(text):
    body = re.search(r"\\toprule\n(.*)\\bottomrule", text, re.DOTALL)[1].replace("\\midrule\n", "")
    lines = body.splitlines()
    assert all(line.endswith(r" \\") for line in lines)
    # After the end of a row, [5pt] would be a distance, and * a command.
    assert not any(line.startswith(("[", "*")) for line in lines)
    rows = [re.split(r"(?<!\\) ?& ?", line.removesuffix(r" \\")) for line in lines]
    return [[read_latex(cell.removeprefix("{}")) for cell in row] for row in rows]


def test_names_in_latex():
    rows = latex_cells(Results([]).to_latex(pd.DataFrame({"strategy": NAMES, "mean": 0.5})))
    assert rows == [["strategy", "mean"], *([name, "0.500"] for name in NAMES)]
    matrix = latex_cells(Results([]).to_latex(results().penalty_matrix()))
    assert matrix[0] == ["", *NAMES]  # underscores too: the rows are called the same
    assert [row[0] for row in matrix[1:]] == NAMES


def test_names_in_markdown():
    table = Results([]).to_markdown(pd.DataFrame({"strategy": NAMES, "mean": 0.5}))
    for name, line in zip(NAMES, table.splitlines()[2:], strict=True):
        first, second = re.split(r"(?<!\\)\|", line)[1:3]
        assert second.strip() == "0.500"
        assert re.sub(r"\\([\\|<>*`$~\[\]_])", r"\1", first.strip()) == name
        assert not re.search(r"(?<!\\)[<>*`$]", first)
    assert "a_b_c" in table  # readable as text where nothing can be taken for markup
    assert r"\_hidden" in table


def test_names_in_plain_text_are_left_alone():
    text = results().to_text()
    for name in NAMES:
        assert name in text


@pytest.mark.slow
def test_runs_that_failed_are_in_the_report(tmp_path):
    failure = {
        "dataset": "d",
        "strategy": "<b>own & $x$",
        "seed": 3,
        "round": 1,
        "error": "MemoryError: no room\nfor <more>",
        "traceback": "Traceback: b\udce9.png\n  in <lambda>\n",  # a name that is not UTF-8
    }
    records = results().frame.to_dict("records")
    write_report(Results(records), tmp_path / "well.html")
    assert "failed" not in (tmp_path / "well.html").read_text(encoding="utf-8")
    write_report(Results(records, [failure]), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h2>Runs that failed</h2>" in page
    assert (
        "<summary>&lt;b&gt;own &amp; $x$ on d, seed 3, round 1: MemoryError: no room for "
        "&lt;more&gt;</summary>" in page
    )
    assert "  in &lt;lambda&gt;\n</pre>" in page
