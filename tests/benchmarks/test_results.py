"""What is committed is whole, and pages quote nothing else."""

import json
from pathlib import Path

import pytest

from benchmarks._results import RESULTS, Quote, agrees, claims, load, measured, quotes

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "guide").glob("*.md"))
COMMITTED = sorted(RESULTS.rglob("*.json"))


def test_pages_quote_committed_figures():
    for page in [*PAGES, ROOT / "benchmarks" / "README.md"]:
        for quote in quotes(page.read_text(encoding="utf-8")):
            value = measured(quote)
            assert agrees(quote.figure, value), f"{page.name}: {quote} is {value}"


def test_pages_claim_no_speed_without_naming_its_measurement():
    for page in PAGES:
        assert claims(page.read_text(encoding="utf-8")) == [], page


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_results_are_whole(path):
    result = load(path.relative_to(RESULTS).with_suffix("").as_posix())
    assert result["name"] == path.stem
    assert result["quick"] is False
    assert {"processor", "cores", "memory (GB)", "GPU"} <= set(result["machine"])
    assert {"Python", "skactive", "torch", "numpy", "scikit-learn"} <= set(result["versions"])
    assert result["date"].endswith("UTC")
    assert result["threads"] >= 1
    assert result["rows"]
    named = [row["what"] for row in result["rows"]]
    assert len(named) == len(set(named))  # so that a page can quote each
    assert path.with_suffix(".md").exists()


def test_quotes_and_claims():
    text = (
        "A pick is 150 ×<!-- measured: selection | published / structured --> as fast, "
        "20,000 images a second<!--\n measured: h100/training | ResNet-18,\n images -->. It is 3 × "
        "the memory, 1.5 times faster, 90 images per second, for images of 3×32×32 "
        "by a 1 × 1 convolution."
    )
    assert list(quotes(text)) == [
        Quote("150", "selection", "published / structured"),
        Quote("20,000", "h100/training", "ResNet-18, images"),
    ]
    assert claims(text) == ["3 ×", "1.5 times faster", "90 images per second"]
    in_a_table = r"| a pick | 62 ×<!-- measured: selection \| published / dense --> |"
    assert list(quotes(in_a_table)) == [Quote("62", "selection", "published / dense")]


@pytest.mark.parametrize(
    ("figure", "value", "agree"),
    [
        ("1.5", 1.549, True),
        ("1.5", 1.56, False),
        ("62", 61.5, True),
        ("62", 62.6, False),
        ("150", 154.9, True),
        ("150", 156, False),
        ("100", 94, False),
        ("20,000", 20_300, True),
        ("20,000", 20_600, False),
        ("0.30", 0.31, False),
    ],
)
def test_a_figure_is_a_value_rounded(figure, value, agree):
    assert agrees(figure, value) is agree


def test_a_row_that_is_not_there(tmp_path):
    rows = [{"what": "a", "value": 1.0}, {"what": "b", "value": 2.0}, {"what": "b", "value": 3.0}]
    (tmp_path / "some.json").write_text(json.dumps({"rows": rows}), encoding="utf-8")
    assert measured(Quote("1", "some", "a"), tmp_path) == 1.0
    for what, many in (("b", 2), ("c", 0)):
        with pytest.raises(KeyError, match=f"some.json has {many} rows '{what}', not one"):
            measured(Quote("1", "some", what), tmp_path)
