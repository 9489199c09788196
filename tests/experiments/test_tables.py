"""Tables of text, written out."""

import numpy as np
import pandas as pd

from skactive.experiments import Results

TABLE = pd.DataFrame(
    {
        "strategy": ["A_1", "B & C"],
        "n_seeds": [5, 10],
        "mean": [0.5, np.nan],
        "more": [np.inf, 250.4],
    }
)
RESULTS = Results([])


def test_text_and_markdown():
    assert RESULTS.to_text(TABLE).splitlines() == [
        "strategy  n seeds   mean  more",
        "     A_1        5  0.500     ∞",
        "   B & C       10      –   250",
    ]
    assert RESULTS.to_markdown(TABLE).splitlines() == [
        "| strategy | n seeds |  mean | more |",
        "| -------: | ------: | ----: | ---: |",
        "|      A_1 |       5 | 0.500 |    ∞ |",
        "|    B & C |      10 |     – |  250 |",
    ]


def test_latex():
    assert RESULTS.to_latex(TABLE).splitlines() == [
        r"\begin{tabular}{rrrr}",
        r"\toprule",
        r"strategy & n seeds & mean & more \\",
        r"\midrule",
        r"A\_1 & 5 & 0.500 & $\infty$ \\",
        r"B \& C & 10 & -- & 250 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_a_named_index_becomes_a_column():
    matrix = pd.DataFrame([[0.0, 1.5], [0.0, 0.0]], index=["A", "B"], columns=["A", "B"])
    assert RESULTS.to_text(matrix).splitlines() == [
        "       A      B",
        "A  0.000  1.500",
        "B  0.000  0.000",
    ]


def test_the_summary_in_latex():
    record = {"strategy": "A", "seed": 0, "round": 0, "n_labelled": 20, "queried": []}
    results = Results(
        [
            {**record, "accuracy": 0.5, "train_seconds": 1},
        ]
    )
    row = results.to_latex().splitlines()[4]
    assert row == r"20 & A & 0.500 & -- & 1.00 \\"
