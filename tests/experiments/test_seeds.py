"""Runs that are cut short: which seeds count, and how far."""

import numpy as np
import pandas as pd
import pytest

from skactive.exceptions import UnfinishedRunsWarning
from skactive.experiments import Results


def results_with(**rounds_of):
    """Make results from the number of rounds of each seed, or the rounds themselves."""
    return Results(
        {
            "strategy": strategy,
            "seed": seed,
            "round": i,
            "n_labelled": 10 * (i + 1),
            "queried": [],
            "accuracy": 0.1 * seed + 0.01 * i,
            "train_seconds": 1.0,
        }
        for strategy, of_seeds in rounds_of.items()
        for seed, its in enumerate(of_seeds)
        for i in (range(its) if isinstance(its, int) else its)
    )


def counted(results):
    table = results.coverage()
    return {row.strategy: (row.n_seeds, row.left_out, row.n_labelled) for row in table.itertuples()}


@pytest.mark.parametrize(
    ("rounds_of", "expected"),
    [
        ({"A": [3, 3, 3]}, (3, [], 30)),
        ({"A": [3, 3, 2]}, (2, [2], 30)),  # a finished one is not averaged with one that is not
        ({"A": [3, 2, 2, 2]}, (1, [1, 2, 3], 30)),  # nor where most are not
        ({"A": [3, 0, 3]}, (2, [], 30)),  # a seed that has not begun is not cut short
        ({"A": [[0, 2], 3]}, (1, [0], 30)),  # a gap is no end
        ({"A": [5, 5, 6], "B": [9]}, (3, [], 50)),  # none is finished: 3 × 5 rounds, not 1 × 6
        ({"A": [5, 5, 1], "B": [9]}, (2, [2], 50)),  # 2 × 5 rounds, not 3 × 1
        ({"A": [2, 1], "B": [9]}, (1, [1], 20)),  # as many either way: the longer curve
        ({"A": [[0, 2], [0, 1], 1]}, (3, [], 10)),  # none has all of them
        ({"A": [[1, 2], [1, 2]], "B": [3]}, (2, [], 30)),  # began later, all alike
    ],
    ids=str,
)
def test_which_seeds_count(rounds_of, expected):
    assert counted(results_with(**rounds_of))["A"] == expected


def test_coverage_has_all_of_it():
    table = results_with(A=[3, 2, 3], B=[2]).coverage()
    assert table.to_dict("records") == [
        {
            "dataset": "data",
            "strategy": "A",
            "n_seeds": 2,
            "n_seeds_most": 3,
            "left_out": [1],
            "n_labelled": 30,
            "n_labelled_most": 30,
            "finished": True,
        },
        {
            "dataset": "data",
            "strategy": "B",
            "n_seeds": 1,
            "n_seeds_most": 3,
            "left_out": [],
            "n_labelled": 20,
            "n_labelled_most": 30,
            "finished": False,
        },
    ]
    assert Results([]).coverage().empty


def test_data_sets_have_their_own_last_number_of_labels():
    long, short = (results_with(A=[n, n]).frame.assign(dataset=str(n)) for n in (5, 3))
    results = Results([*long.to_dict("records"), *short.to_dict("records")])
    assert results.coverage()["finished"].all()
    assert len(results.comparable().frame) == 16


def test_comparable_rounds_are_as_they_were_and_stay_so():
    results = results_with(A=[3, 2, 3], B=[2, 2, 1])
    with pytest.warns(UnfinishedRunsWarning):
        once = results.comparable()
    frame = results.frame
    finished = (frame["strategy"] == "A") & (frame["seed"] != 1)
    as_far = (frame["strategy"] == "B") & (frame["seed"] != 2)
    pd.testing.assert_frame_equal(once.frame, frame[finished | as_far])
    with pytest.warns(UnfinishedRunsWarning):
        pd.testing.assert_frame_equal(once.comparable().frame, once.frame)
    even = results_with(A=[3, 3], B=[3, 3])
    pd.testing.assert_frame_equal(even.comparable().frame, even.frame)


@pytest.mark.parametrize("name", ["summary", "intervals", "to_text", "to_latex", "to_markdown"])
def test_means_do_not_jump_where_a_seed_ends(name):
    cut, without = results_with(A=[3, 3, 2]), results_with(A=[3, 3])
    with pytest.warns(UnfinishedRunsWarning, match=r"left out: seed 2 of A\. Results\.cov"):
        got = getattr(cut, name)()
    expected = getattr(without, name)()
    if name in {"summary", "intervals"}:
        pd.testing.assert_frame_equal(got, expected)
        means = got[{"summary": "accuracy_mean", "intervals": "mean"}[name]]
        np.testing.assert_allclose(means, [0.05, 0.06, 0.07])
    else:
        assert "2 of 3" in got
        assert "2 of" not in expected


def test_a_warning_names_a_few_and_counts_the_rest():
    many = {f"s{i}": [3, 1, 2] for i in range(40)}
    message = r"left out: seeds 1, 2 of s0; .* of s4; and 35 more\. Results\.coverage"
    with pytest.warns(UnfinishedRunsWarning, match=message) as caught:
        results_with(**many).summary()
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_each_data_set_is_named():
    two = [
        {**record, "dataset": name}
        for name in ["one", "two", "three"]
        for record in results_with(A=[2, 1 + (name == "two")]).frame.to_dict("records")
    ]
    with pytest.warns(UnfinishedRunsWarning) as caught:
        Results(two).intervals()
    assert [str(w.message)[:9] for w in caught] == ["On 'one' ", "On 'three"]
