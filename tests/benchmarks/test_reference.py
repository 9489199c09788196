"""The comparison with reference code: no strategy is left out, and what is compared is equal."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import reference
from benchmarks.reference import COMPARED, WITHOUT_CODE, Problem, Steps, greedy, measure, ranked

COMMITTED = Path(reference.__file__).with_suffix(".json")


def test_every_strategy_is_compared_or_says_why_not():
    assert reference.unlisted() == []
    assert not set(COMPARED) & set(WITHOUT_CODE)
    assert set(COMPARED) | set(WITHOUT_CODE) <= set(reference.public.__all__)


def test_what_is_committed_is_equal():
    result = json.loads(COMMITTED.read_text(encoding="utf-8"))
    assert result["quick"] is False
    rows = {row["what"]: row for row in result["rows"]}
    assert set(rows) == {*COMPARED, *WITHOUT_CODE}
    assert all(rows[name]["met"] for name in COMPARED)
    assert COMMITTED.with_suffix(".md").exists()


@pytest.mark.parametrize("name", COMPARED)
def test_a_small_comparison(name):
    pytest.importorskip("skactiveml")
    (row,) = (row for row in measure(True, only=name) if row["what"] == name)
    assert row["met"], row["note"]


def test_steps_that_differ_are_counted():
    utilities = np.array([[3.0, 2.0, 2.0, 1.0], [np.nan, 2.0, 2.0, 1.0]])
    one, tied, other = np.array([0, 1]), np.array([0, 2]), np.array([0, 3])
    assert ranked(one, tied, utilities) == greedy(one, tied, utilities) == Steps(2, 2)
    assert ranked(other, one, utilities) == greedy(other, one, utilities) == Steps(1, 2)
    given = Problem.drawn(0, 20)
    assert given.both[0].shape == (20 + reference.LABELLED, 16)
    assert np.isnan(given.both[1]).sum() == 20
