import pytest

from skactive.labelling import _results
from skactive.labelling._events import Event, record
from skactive.labelling._names import merge_class
from skactive.labelling._results import (
    Accuracy,
    Round,
    accuracy_of,
    last_round,
    rounds,
    stopping,
)


@pytest.fixture
def measured(database):
    """Sixty images for measuring, all labelled; two rounds, right in 40 and in 50 of them."""
    with database.writing() as connection:
        connection.execute("UPDATE image SET share = 'pool'")
        for i in range(101, 161):
            connection.execute(
                'INSERT INTO image (id, path, bytes, mtime_ns, "group", share)'
                " VALUES (?, ?, 1, 1, ?, 'test')",
                (i, str(i), str(i)),
            )
        for round_, right in ((1, 40), (2, 50)):
            connection.execute(
                "INSERT INTO round (id, started, ended, strategy, n_labels, fit_s, query_s, seed,"
                " agreement) VALUES (?, 0, 1, 'Margin', ?, 1.0, 1.0, 7, 0.5)",
                (round_, 10 * round_),
            )
            for k, i in enumerate(range(101, 161)):
                connection.execute(
                    "INSERT INTO prediction VALUES (?, ?, ?, 0.9)", (i, round_, 1 + (k >= right))
                )
    record(database, 1, [Event(i, "label", 1, via="test") for i in range(101, 161)])
    return database


def test_the_accuracy_is_that_of_the_last_round(measured):
    found = accuracy_of(measured, last_round(measured))
    assert (found.n_test, found.n_right, found.value) == (60, 50, 50 / 60)
    assert found.low < found.value < found.high
    assert "83.3%" in str(found)
    assert "50 of 60" in str(found)


def test_a_corrected_label_changes_the_whole_curve(measured):
    before = [(r.accuracy.n_right, r.n_labels) for r in rounds(measured)]
    assert before == [(40, 10), (50, 20)]
    record(measured, 1, [Event(160, "label", 2, via="test")])
    assert [r.accuracy.n_right for r in rounds(measured)] == [41, 51]


def test_labels_that_come_later_count_for_all_rounds(measured):
    for i in range(101, 106):
        record(measured, 1, [Event(i, "skip", via="test")])
    assert [r.accuracy.n_test for r in rounds(measured)] == [55, 55]
    record(measured, 1, [Event(101, "label", 1, via="test")])
    assert [r.accuracy.n_test for r in rounds(measured)] == [56, 56]


def test_below_fifty_nothing_is_known(measured):
    for i in range(101, 112):
        record(measured, 1, [Event(i, "unsure", via="test")])
    found = accuracy_of(measured, 2)
    assert (found.n_test, found.value, found.balanced) == (49, None, None)
    assert str(found) == "not yet known (49 of 50 labels for measuring)"
    assert stopping([*rounds(measured)] * 2).why == f"The accuracy is {found}."


def test_without_a_network_it_is_that_which_is_missing(measured):
    text = str(accuracy_of(measured, None))
    assert text == "not yet known: no network was trained yet (60 labels for measuring)"


def test_labels_of_the_pool_do_not_count(measured):
    record(measured, 1, [Event(i, "label", 1) for i in range(1, 11)])
    assert accuracy_of(measured, 2).n_test == 60


def test_rounds_that_did_not_end_do_not_count(measured):
    measured.connection.execute("UPDATE round SET ended = NULL WHERE id = 2")
    assert last_round(measured) == 1
    measured.connection.execute("UPDATE round SET ended = 1, error = 'broken' WHERE id = 2")
    assert last_round(measured) == 1
    assert [r.id for r in rounds(measured)] == [1]


def test_rounds_are_compared_on_images_that_each_has_predicted(measured):
    """The first one has not seen those that came later, in which the second one is wrong."""
    measured.connection.execute("DELETE FROM prediction WHERE round = 1 AND image > 152")
    curve = rounds(measured)
    assert [(r.accuracy.n_test, r.accuracy.n_right) for r in curve] == [(52, 40), (52, 50)]
    assert accuracy_of(measured, 2).n_test == 60


def test_a_round_that_has_seen_few_of_them_is_not_compared(measured):
    measured.connection.execute("DELETE FROM prediction WHERE round = 1 AND image > 149")
    curve = rounds(measured)
    assert [(r.accuracy.n_test, r.accuracy.n_right) for r in curve] == [(49, 40), (60, 50)]
    assert [r.accuracy.value is None for r in curve] == [True, False]


def test_a_curve_is_computed_once(measured, monkeypatch):
    before = rounds(measured)
    with monkeypatch.context() as changed:
        changed.setattr(_results, "answers", lambda *_: 1 / 0)
        assert rounds(measured) == before
    merge_class(measured, "green", "blue")
    assert [r.accuracy.n_right for r in rounds(measured)] == [60, 60]
    measured.connection.execute("UPDATE round SET ended = NULL WHERE id = 1")
    assert [r.id for r in rounds(measured)] == [2]


def made(values, agreements, half=0.04):
    return [
        Round(
            i, "Margin", i, Accuracy(200, 0, value, value, 0.5, 0.5 + 2 * half), agreement, 1, 1, 0
        )
        for i, (value, agreement) in enumerate(zip(values, agreements, strict=True))
    ]


def test_an_accuracy_that_few_labels_tell_does_not_stand_still():
    found = stopping(made([0.8] * 4, [0.5] * 4, half=0.08))
    assert not found.enough
    assert "on the same 200 labels, but these tell it to within 8.0% alone" in found.why
    assert stopping(made([0.8] * 4, [0.5] * 4, half=0.0699)).enough
    assert stopping(made([0.8] * 4, [0.5, 1, 1, 1], half=0.08)).enough  # by agreement


@pytest.mark.parametrize("agreements", [[None] * 4, [None, None, 0.5, 0.5]])
def test_networks_that_predict_one_class_are_no_reason_to_stop(agreements):
    """As the first ones do where nine of ten images are of one class."""
    found = stopping(made([0.9] * 4, agreements))
    assert not found.enough
    assert "one class for all" in found.why


@pytest.mark.parametrize(
    ("values", "agreements", "enough", "why"),
    [
        ([0.8, 0.8, 0.8], [None, 1, 1], False, "four are needed"),
        ([0.5, 0.8, 0.81, 0.8, 0.805], [0.5] * 5, True, "changed by 1.0% at most|by 0.5% at most"),
        ([0.8, 0.78, 0.8, 0.8], [0.5] * 4, False, "changed by 2.0%"),
        ([0.6, 0.7, 0.8, 0.9], [0.5, 0.99, 0.995, 0.99], True, "kappa of 0.990"),
        ([0.6, 0.7, 0.8, 0.9], [0.5, 0.98, 0.995, 0.99], False, "kappa of 0.99"),
        ([None, 0.8, 0.8, 0.8], [1] * 4, False, "accuracy is 80.0%"),
        ([0.6, 0.7, 0.8, 0.9], [0.5, 1, 1, None], False, "no agreement to measure"),
        ([0.6, 0.7, 0.8, 0.9], [0.5, None, 1, 1], False, "kappa of 1.00"),
    ],
)
def test_the_hint_to_stop(values, agreements, enough, why):
    found = stopping(made(values, agreements))
    assert found.enough is enough
    assert any(part in found.why for part in why.split("|"))
