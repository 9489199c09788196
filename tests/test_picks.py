"""The picks are those that were recorded, whatever has been renamed or rebuilt since."""

import json

import numpy as np
import pytest

from tests.picks import FILE, TORCH, compute, drawn_by_torch, table

RECORDED = json.loads(FILE.read_text(encoding="utf-8"))
CASES = table()
COMMAND = "python -m tests.record_picks"


def test_no_case_is_lost():
    lost = sorted(RECORDED.keys() - CASES)
    assert not lost, f"On record, and not among the cases: {lost}. If that is meant: {COMMAND}"


@pytest.mark.parametrize("name", sorted(RECORDED.keys() & CASES))
def test_picks_are_as_recorded(name):
    if drawn_by_torch(name) and compute(CASES[TORCH]) != RECORDED[TORCH]:
        pytest.skip("torch draws other numbers on this machine")
    found, expected = compute(CASES[name]), RECORDED[name]
    as_before = found["picks"] == expected["picks"] and np.allclose(
        found["worth"], expected["worth"], rtol=1e-4, atol=1e-6
    )
    assert as_before, (
        f"{name!r} picks otherwise than on record.\n"
        f"on record: {expected['picks']}, worth {expected['worth']}\n"
        f"now:       {found['picks']}, worth {found['worth']}\n"
        f"If that is meant: {COMMAND}"
    )
