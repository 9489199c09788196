"""What is known so far: answers, the accuracy on the share for measuring, the curve, a hint."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass

from skactive.labelling._database import Database
from skactive.labelling._events import ANSWERS
from skactive.labelling._measures import balanced_accuracy, wilson

# With fewer labels the interval is so wide that a number would mislead.
ENOUGH = 50
_FINISHED = "ended IS NOT NULL AND error IS NULL AND fit_s IS NOT NULL"
_STEADY_ROUNDS, _STEADY_CHANGE, _STEADY_AGREEMENT = 3, 0.01, 0.99
# Half of the widest interval of 200 labels, which are kept by default: with fewer, an accuracy that
# stands still says too little.
_NARROW = 0.07


@dataclass(frozen=True)
class Accuracy:
    """The accuracy on images that were drawn at random, and that no network was trained on.

    Attributes
    ----------
    n_test : int
        Number of labels in the share for measuring.
    n_right : int
        How many of them the network predicts.
    value, balanced : float or None
        The share of right predictions, and the mean of that over the classes. None means not yet
        known: there is no network, or fewer than 50 labels.
    low, high : float
        Wilson's interval for the share, at 95 %.
    """

    n_test: int
    n_right: int
    value: float | None
    balanced: float | None
    low: float
    high: float

    def __str__(self) -> str:
        if self.value is None and self.n_test >= ENOUGH:
            return f"not yet known: no network was trained yet ({self.n_test} labels for measuring)"
        if self.value is None:
            return f"not yet known ({self.n_test} of {ENOUGH} labels for measuring)"
        return (
            f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}), "
            f"{self.n_right} of {self.n_test}; balanced {self.balanced:.1%}"
        )


@dataclass(frozen=True)
class Round:
    """A finished round: a network, and how it does on the labels for measuring as they are now."""

    id: int
    strategy: str
    n_labels: int
    accuracy: Accuracy
    agreement: float | None
    fit_s: float | None
    query_s: float | None
    seed: int


@dataclass(frozen=True)
class Stopping:
    """A hint whether more labels would still help; `why` says what it rests on."""

    enough: bool
    why: str


def answers(database: Database, share: str) -> dict[int, int]:
    """Return the class of each image of a share that has one, by id, in the order of the ids."""
    rows = database.read(
        f"SELECT a.image, a.class FROM ({ANSWERS}) a JOIN image i ON i.id = a.image"
        " WHERE i.share = ? ORDER BY a.image",
        share,
    )
    return dict(rows)


def accuracy_of(database: Database, round_: int | None) -> Accuracy:
    """Return the accuracy of a round's network; of none if it is None."""
    true = answers(database, "test")
    if round_ is None:
        return Accuracy(len(true), 0, None, None, *wilson(0, 0))
    predicted = predictions(database, [round_])[round_]
    return _accuracy(true, predicted, true.keys() & predicted.keys())


def predictions(database: Database, rounds: list[int]) -> dict[int, dict[int, int]]:
    """Return the class that the network of each round predicts for each image that it has seen."""
    rows = database.read(
        "SELECT p.round, p.image, COALESCE(c.merged_into, c.id) FROM prediction p"
        " JOIN class c ON c.id = p.class WHERE p.round IN (SELECT value FROM json_each(?))",
        json.dumps(rounds),
    )
    found: dict[int, dict[int, int]] = {round_: {} for round_ in rounds}
    for round_, image, class_ in rows:
        found[round_][image] = class_
    return found


def _accuracy(true: dict[int, int], predicted: dict[int, int], images: Set[int]) -> Accuracy:
    """Return the accuracy on some images."""
    t, p = [true[i] for i in images], [predicted[i] for i in images]
    right = sum(a == b for a, b in zip(t, p, strict=True))
    low, high = wilson(right, len(images))
    if len(images) < ENOUGH:
        return Accuracy(len(images), right, None, None, low, high)
    return Accuracy(len(images), right, right / len(images), balanced_accuracy(t, p), low, high)


def last_round(database: Database) -> int | None:
    """Return the last finished round that trained a network, or None."""
    found = database.count(f"SELECT MAX(id) FROM round WHERE {_FINISHED}")
    return found or None


def rounds(database: Database) -> list[Round]:
    """Return the finished rounds that trained a network.

    All are measured on the same labels, those of now: where one is corrected, the whole curve is.
    These are the images that each has predicted. A round that would leave fewer than 50, since
    most files came later, is left out of that, and its accuracy is not known.
    """
    key = database.read(_CURVE_CHANGES)
    if database.curve is None or database.curve[0] != key:
        database.curve = key, _rounds(database)
    return list(database.curve[1])


# Curves follow from these; computing one takes long when there have been many rounds.
_CURVE_CHANGES = f"""
SELECT (SELECT MAX(id) FROM event), (SELECT COUNT(*) FROM class WHERE merged_into IS NOT NULL),
    COUNT(*), MAX(id) FROM round WHERE {_FINISHED}
"""


def _rounds(database: Database) -> list[Round]:
    rows = database.read(
        "SELECT id, strategy, n_labels, agreement, fit_s, query_s, seed FROM round"
        f" WHERE {_FINISHED} ORDER BY id"
    )
    true = answers(database, "test")
    predicted = predictions(database, [row[0] for row in rows])
    same: Set[int] = true.keys()
    few: dict[int, Set[int]] = {}
    for i in reversed(predicted):  # the last ones count most
        both = same & predicted[i].keys()
        if len(both) < ENOUGH:
            few[i] = both
        else:
            same = both
    accuracies = {i: _accuracy(true, predicted[i], few.get(i, same)) for i in predicted}
    return [
        Round(i, strategy, n, accuracies[i], agreement, fit_s, query_s, seed)
        for i, strategy, n, agreement, fit_s, query_s, seed in rows
    ]


def stopping(curve: list[Round]) -> Stopping:
    """Return a hint: the accuracy and the predictions have stood still for three rounds."""
    if len(curve) <= _STEADY_ROUNDS:
        return Stopping(False, f"There have been {len(curve)} rounds; four are needed to compare.")
    last = curve[-_STEADY_ROUNDS - 1 :]
    values = [round_.accuracy.value for round_ in last]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Stopping(False, f"The accuracy is {curve[-1].accuracy}.")
    agreements = [round_.agreement for round_ in last[1:] if round_.agreement is not None]
    if len(agreements) == _STEADY_ROUNDS and min(agreements) >= _STEADY_AGREEMENT:
        why = f"Three networks in a row agree on the pool, with a kappa of {min(agreements):.3f}."
        return Stopping(True, why)
    change = max(abs(value - known[-1]) for value in known)
    now = curve[-1].accuracy
    moved = f"In three rounds the accuracy has changed by {change:.1%}"
    if change > _STEADY_CHANGE:
        agree = "have no agreement to measure"
        if last[-1].agreement is not None:
            agree = f"agree with a kappa of {last[-1].agreement:.2f}"
        return Stopping(False, f"{moved}; the last two networks {agree}.")
    moved = f"{moved} at most, on the same {now.n_test} labels"
    half = (now.high - now.low) / 2
    if half > _NARROW:
        return Stopping(False, f"{moved}, but these tell it to within {half:.1%} alone.")
    if len(agreements) < _STEADY_ROUNDS:
        return Stopping(False, f"{moved}, but networks predicted one class for all images.")
    return Stopping(True, f"{moved}, which tell it to within {half:.1%}.")


def suspicious(database: Database, n: int) -> list[tuple[int, float, int | None]]:
    """Return the images with the most suspicious labels: id, self-confidence, proposed class."""
    rows: list[tuple[int, float, int | None]] = database.read(
        "SELECT s.image, s.score, COALESCE(c.merged_into, s.proposed) FROM suspicion s"
        " JOIN image i ON i.id = s.image LEFT JOIN class c ON c.id = s.proposed"
        " WHERE i.state = 'ok' AND EXISTS (SELECT 1 FROM label l WHERE l.image = s.image"
        " AND l.kind = 'label') ORDER BY s.score, s.image LIMIT ?",
        n,
    )
    return rows
