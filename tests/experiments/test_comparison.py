"""Comparisons of strategies, on rounds whose outcome can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from skactive._validation import InvalidParameterError
from skactive.exceptions import UnfinishedRunsWarning
from skactive.experiments import Results

BUDGETS = [10, 20, 40]


def rounds(strategy, curves, dataset="data", **more):
    """Make the records of a strategy: a curve a seed."""
    return [
        {
            "dataset": dataset,
            "strategy": strategy,
            "seed": seed,
            "round": i,
            "n_labelled": n,
            "queried": [],
            "accuracy": score,
            "log_loss": 1 - score,
            **{name: values[seed][i] for name, values in more.items()},
        }
        for seed, curve in enumerate(curves)
        for i, (n, score) in enumerate(zip(BUDGETS, curve, strict=False))
    ]


# Paired differences A − B at 20 labels: 0.2, 0.2, 0.2; at 40: 0.1, −0.1, 0.3.
A = [[0.4, 0.7, 0.8], [0.5, 0.8, 0.7], [0.3, 0.6, 0.9]]
B = [[0.4, 0.5, 0.7], [0.5, 0.6, 0.8], [0.3, 0.4, 0.6]]
RESULTS = Results(rounds("A", A) + rounds("B", B))


def test_areas_by_hand():
    table = RESULTS.aubc()
    assert table.columns.tolist() == ["dataset", "strategy", "seed", "aubc"]
    first = table.iloc[0]
    assert (first["strategy"], first["seed"]) == ("A", 0)
    assert first["aubc"] == pytest.approx((10 * 0.55 + 20 * 0.75) / 30)
    np.testing.assert_allclose(RESULTS.aubc("log_loss")["aubc"], 1 - table["aubc"])
    unfinished = Results(rounds("A", A) + rounds("B", [B[0][:2]])).aubc()
    assert unfinished["aubc"].isna().tolist() == [False] * 3 + [True]


def test_label_efficiency_by_hand():
    table = RESULTS.label_efficiency(baseline="B")
    # The means are 0.4, 0.7, 0.8 of A, and 0.4, 0.5, 0.7 of B.
    assert table["strategy"].tolist() == ["A"] * 3
    np.testing.assert_allclose(table["accuracy"], [0.4, 0.7, 0.8])
    np.testing.assert_allclose(table["baseline_labels"], [10, 40, np.inf])
    np.testing.assert_allclose(table["ratio"], [1, 2, np.inf])
    lower = RESULTS.label_efficiency("log_loss", baseline="B")
    np.testing.assert_allclose(lower["baseline_labels"], [10, 40, np.inf])
    behind = RESULTS.label_efficiency(baseline="A")
    np.testing.assert_allclose(behind["baseline_labels"], [10, 10 + 10 / 3, 20])


def without(records, strategy, seed, round_):
    return [
        r for r in records if (r["strategy"], r["seed"], r["round"]) != (strategy, seed, round_)
    ]


LEFT_OUT = (
    r"^On 'data' not all can be compared\. Unfinished, and left out: seed 2 of A\. "
    r"Not the same seeds; of 3: A 2; B 3\. Results\.coverage\(\) lists all\.$"
)


def test_seeds_that_are_cut_short_are_left_out_and_named():
    records = without(rounds("A", A) + rounds("B", B), "A", 2, 2)
    results = Results(records)
    # As if the third seed of A had never begun; of B, only what A has is compared with it.
    expected = Results(rounds("A", A[:2]) + rounds("B", B[:2]))
    with pytest.warns(UnfinishedRunsWarning, match=LEFT_OUT):
        table = results.label_efficiency(baseline="B")
    assert table["n_seeds"].tolist() == [2, 2, 2]
    pd.testing.assert_frame_equal(table, expected.label_efficiency(baseline="B"))
    with pytest.warns(UnfinishedRunsWarning, match=LEFT_OUT):
        pd.testing.assert_frame_equal(results.wilcoxon(over="seed"), expected.wilcoxon(over="seed"))
    with pytest.warns(UnfinishedRunsWarning, match=LEFT_OUT):
        pd.testing.assert_frame_equal(results.penalty_matrix(), expected.penalty_matrix())
    # Of seeds 0 and 1, which both have finished: the third weighs for neither.
    other = with_areas([[0.6, 0.5]])
    merged = Results(records + other.frame.to_dict("records"))
    with pytest.warns(UnfinishedRunsWarning, match=LEFT_OUT):
        merged.critical_differences()
    with pytest.warns(UnfinishedRunsWarning, match=LEFT_OUT):
        difference = merged.wilcoxon()["mean_difference"][0]
    area = {
        s: np.mean([(10 * (c[0] + c[1]) / 2 + 20 * (c[1] + c[2]) / 2) / 30 for c in of[:2]])
        for s, of in [("A", A), ("B", B)]
    }
    assert difference == pytest.approx((area["A"] - area["B"] + 0.1) / 2)


def test_shorter_runs_are_not_compared_with_longer_ones():
    results = Results(rounds("A", A) + rounds("B", [curve[:2] for curve in B]))
    assert results.aubc().query("strategy == 'B'")["aubc"].isna().all()
    message = (
        r"penalty_matrix .* 2 strategies, and those that got to the last .* labels are: A\. Ru"
    )
    ending = pytest.warns(UnfinishedRunsWarning, match=r"Ending before 40 labels: B at 20\.")
    with ending, pytest.raises(InvalidParameterError, match=message):
        results.penalty_matrix()
    with ending, pytest.raises(InvalidParameterError, match="there are 1 strategies and 3 blocks"):
        results.wilcoxon(over="seed")


def test_a_strategy_that_never_finished_does_not_keep_others_from_being_compared():
    records = rounds("A", A) + rounds("B", B)
    results = Results(rounds("failing", [curve[:1] for curve in A]) + records)
    for name, arguments in [
        ("penalty_matrix", {}),
        ("wilcoxon", {"over": "seed"}),
    ]:
        with pytest.warns(UnfinishedRunsWarning, match=r"Ending .*: failing at 10\. Results\.cov"):
            found = getattr(results, name)(**arguments)
        pd.testing.assert_frame_equal(found, getattr(RESULTS, name)(**arguments))
    with pytest.warns(UnfinishedRunsWarning, match="failing at 10"):
        ranks = results.critical_differences(over="seed").ranks
    pd.testing.assert_series_equal(ranks, RESULTS.critical_differences(over="seed").ranks)


def test_measurements_that_are_missing_in_some_rounds():
    records = rounds("A", A) + rounds("B", B)
    records[1]["log_loss"] = None  # of A, seed 0, at 20 labels
    results = Results(records)
    table = results.intervals("log_loss").set_index(["strategy", "n_labelled"])
    assert table["mean"].isna().to_dict() == {
        (s, n): (s, n) == ("A", 20) for s in "AB" for n in BUDGETS
    }
    message = (
        r"penalty_matrix: on 'data' 'log_loss' is missing in some rounds of A\. Means are there"
    )
    with pytest.warns(UnfinishedRunsWarning, match=message):
        matrix = results.penalty_matrix("log_loss")
    np.testing.assert_allclose(matrix, RESULTS.penalty_matrix())
    with pytest.warns(UnfinishedRunsWarning, match="label_efficiency: on"):
        needed = results.label_efficiency("log_loss", baseline="B")["baseline_labels"]
    assert needed.isna().tolist() == [False, True, False]


@pytest.mark.parametrize("name", ["penalty_matrix", "wilcoxon", "critical_differences"])
def test_what_was_not_measured_is_not_compared(name):
    results = Results(
        [r | {"log_loss": None} for r in rounds("A", A)] + rounds("B", B) + rounds("C", B)
    )
    message = rf"Results\.{name}: 'log_loss' was not measured for A on 'data'\. Compare another"
    with pytest.raises(InvalidParameterError, match=message):
        getattr(results, name)("log_loss")
    with pytest.raises(InvalidParameterError, match="label_efficiency: 'log_loss' was not"):
        results.label_efficiency("log_loss", baseline="B")


def test_without_queries_there_are_no_penalties():
    results = Results(rounds("A", [c[:1] for c in A]) + rounds("B", [c[:1] for c in B]))
    message = (
        r"penalty_matrix compares what comes after a query, and on 'data' there was none\. Run"
    )
    with pytest.raises(InvalidParameterError, match=message):
        results.penalty_matrix()


def test_rounding_does_not_decide_a_rank():
    # Areas of 0.3 and of 0.1 + 0.2.
    flat = [[0.3] * 3] * 3, [[0.1 + 0.2] * 3] * 3
    results = Results(rounds("A", flat[0]) + rounds("B", flat[1]))
    assert results.wilcoxon(over="seed")["p"].tolist() == [1]
    assert results.critical_differences(over="seed").ranks.tolist() == [1.5, 1.5]


def test_penalties_by_hand():
    # Constant differences at 20 labels: A beats B for certain. At 40: mean 0.1, sd 0.2,
    # t = √3 / 2, far below 4.30. Round 0 is not compared.
    expected = pd.DataFrame([[0, 0.5], [0.0, 0]], index=["A", "B"], columns=["A", "B"])
    pd.testing.assert_frame_equal(RESULTS.penalty_matrix(), expected)
    pd.testing.assert_frame_equal(RESULTS.penalty_matrix("log_loss"), expected)
    # At the level 0.6 the second budget counts too: P(|t| > 0.866) = 0.478.
    assert RESULTS.penalty_matrix(alpha=0.6).loc["A", "B"] == 1
    assert RESULTS.penalty_matrix(alpha=0.45).loc["A", "B"] == 0.5


def test_penalties_add_up_over_data_sets():
    reverse = rounds("A", B, "other") + rounds("B", A, "other")
    both = Results(rounds("A", A) + rounds("B", B) + reverse)
    matrix = both.penalty_matrix()
    np.testing.assert_allclose(matrix, [[0, 0.5], [0.5, 0]])


def test_doubling_budgets_weigh_the_late_ones_less():
    flat = [[0.5] * 9, [0.6] * 9]
    for better in range(9):
        curve = np.array(flat)
        curve[:, better] += 0.1
        records = [
            {
                "dataset": "d",
                "strategy": name,
                "seed": seed,
                "round": i,
                "n_labelled": 10 + 5 * i,
                "queried": [],
                "accuracy": score,
            }
            for name, curves in [("A", curve), ("B", flat)]
            for seed, values in enumerate(curves)
            for i, score in enumerate(values)
        ]
        results = Results(records)
        value = results.penalty_matrix(budgets="doubling").loc["A", "B"]
        assert value == pytest.approx(1 / 4 if better in {1, 2, 4, 8} else 0)
        assert results.penalty_matrix().loc["A", "B"] == pytest.approx(1 / 8 if better else 0)


def with_areas(areas):
    """Make results on data sets on which strategies have given areas, with two seeds each."""
    return Results(
        [
            record
            for i, row in enumerate(areas)
            for name, area in zip("ABC", row, strict=False)
            for record in rounds(name, [[area - 0.01] * 3, [area + 0.01] * 3], f"data {i}")
        ]
    )


def test_wilcoxon_over_data_sets_by_hand():
    # A − B: 0.1, 0.2, 0.3, 0.4, 0.5, all positive: p = 2 / 2⁵. A − C the same. B − C: 0.
    areas = [[0.6 + 0.05 * i, 0.5 - 0.05 * i, 0.5 - 0.05 * i] for i in range(5)]
    table = with_areas(areas).wilcoxon()
    assert table[["a", "b"]].to_numpy().tolist() == [["A", "B"], ["A", "C"], ["B", "C"]]
    assert table["n_blocks"].tolist() == [5, 5, 5]
    np.testing.assert_allclose(table["mean_difference"], [0.3, 0.3, 0], atol=1e-12)
    np.testing.assert_allclose(table["p"][:2], [1 / 16, 1 / 16])
    np.testing.assert_allclose(table["p_holm"][:2], [3 / 16, 3 / 16])
    assert table["p_holm"][2] == 1
    reverse = with_areas(areas).wilcoxon("log_loss")
    np.testing.assert_allclose(reverse["mean_difference"], [0.3, 0.3, 0], atol=1e-12)


def test_wilcoxon_over_seeds():
    table = RESULTS.wilcoxon(over="seed")
    assert table["n_blocks"].tolist() == [3]
    assert table["p"].tolist() == [2 / 8]


def test_critical_differences_by_hand():
    areas = [[0.9, 0.6, 0.3], [0.8, 0.5, 0.4], [0.7, 0.6, 0.5], [0.4, 0.6, 0.2]]
    result = with_areas(areas).critical_differences()
    # Ranks 1 2 3, 1 2 3, 1 2 3, 2 1 3.
    assert result.ranks.to_dict() == {"A": 1.25, "B": 1.75, "C": 3.0}
    assert result.n_blocks == 4
    # Friedman: 12 N / (k (k + 1)) · (Σ R² − k (k + 1)² / 4) = 6.5, and p = exp(−6.5 / 2).
    assert result.friedman_p == pytest.approx(np.exp(-3.25))
    assert result.critical_difference == pytest.approx(2.343 * 0.5**0.5, abs=1e-3)
    assert result.p.loc["A", "C"] < 0.05 < result.p.loc["B", "C"]
    lower = with_areas(areas).critical_differences("log_loss")
    assert lower.ranks.to_dict() == result.ranks.to_dict()


def test_two_strategies_have_no_friedman_test():
    assert np.isnan(RESULTS.critical_differences(over="seed").friedman_p)


def test_intervals_by_hand():
    table = RESULTS.intervals(level=0.9, n_resamples=20_000)
    first = table[(table["strategy"] == "A") & (table["n_labelled"] == 20)].iloc[0]
    assert (first["n_seeds"], first["mean"]) == (3, pytest.approx(0.7))
    assert first["sd"] == pytest.approx(0.1)
    # Of 27 resamples of 0.6, 0.7, 0.8, the mean is 0.6 in 1 and 0.633 in 3: 4/27 > 5 %.
    np.testing.assert_allclose([first["low"], first["high"]], [0.7 - 0.2 / 3, 0.7 + 0.2 / 3])
    pd.testing.assert_frame_equal(table, RESULTS.intervals(level=0.9, n_resamples=20_000))
    alone = Results(rounds("A", A[:1])).intervals()
    assert alone[["sd", "low", "high"]].isna().all(axis=None)


def test_further_measurements_can_be_compared():
    records = rounds("A", A, metrics=[[{"top2": x} for x in row] for row in A])
    records += rounds("B", B, metrics=[[{"top2": x} for x in row] for row in B])
    results = Results(records)
    pd.testing.assert_frame_equal(results.penalty_matrix("top2"), RESULTS.penalty_matrix())
    assert "metrics" not in results.frame


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.aubc("f1"), r"'metric' parameter of Results\.aubc must be one of accuracy, b"),
        (lambda r: r.label_efficiency(), r"'baseline' .* must be one of A, B\. Got 'Random'"),
        (lambda r: r.penalty_matrix(alpha=1), r"'alpha' .* must be a number between 0 and 1\. G"),
        (lambda r: r.penalty_matrix(budgets="late"), r"'budgets' .* must be 'all' or 'doubling'"),
        (lambda r: r.wilcoxon(), r"at least 2 blocks .* 2 strategies and 1 blocks with over='data"),
        (lambda r: r.wilcoxon(over="round"), r"'over' .* 'dataset' or 'seed'\. .* speak for that"),
        (lambda r: r.critical_differences(), r"Merge more runs with Results\.load\(\[\.\.\.\]\)"),
        (lambda r: r.critical_differences(alpha=0), r"'alpha' .* must be a number between"),
        (lambda r: r.intervals(level=95), r"'level' .* must be a number between 0 and 1\. Got 95"),
        (lambda r: r.intervals(n_resamples=0), r"'n_resamples' .* an int of at least 1\. Got 0"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(InvalidParameterError, match=message):
        call(RESULTS)


def test_one_seed_cannot_be_tested():
    results = Results(rounds("A", A[:1]) + rounds("B", B[:1]))
    message = r"at 20 labels A and B have 1 in common\. Run at least two seeds of each"
    with pytest.raises(InvalidParameterError, match=message):
        results.penalty_matrix()
