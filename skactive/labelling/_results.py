"""What is known so far: answers, the accuracy on the share for measuring, the curve, a hint."""

from __future__ import annotations

from dataclasses import dataclass

from skactive.labelling._database import Database
from skactive.labelling._events import ANSWERS
from skactive.labelling._measures import balanced_accuracy, wilson

# With fewer labels the interval is so wide that a number would mislead.
ENOUGH = 50
_STEADY_ROUNDS, _STEADY_CHANGE, _STEADY_AGREEMENT = 3, 0.01, 0.99


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
    predicted = dict(
        database.read(
            "SELECT p.image, COALESCE(c.merged_into, c.id) FROM prediction p"
            " JOIN class c ON c.id = p.class WHERE p.round = ?",
            round_,
        )
    )
    both = [image for image in true if image in predicted]
    t, p = [true[image] for image in both], [predicted[image] for image in both]
    right = sum(a == b for a, b in zip(t, p, strict=True))
    low, high = wilson(right, len(both))
    if len(both) < ENOUGH:
        n = len(true) if round_ is None else len(both)
        return Accuracy(n, right, None, None, low, high)
    return Accuracy(len(both), right, right / len(both), balanced_accuracy(t, p), low, high)


def last_round(database: Database) -> int | None:
    """Return the last finished round that trained a network, or None."""
    found = database.count(
        "SELECT MAX(id) FROM round WHERE ended IS NOT NULL AND error IS NULL AND fit_s IS NOT NULL"
    )
    return found or None


def rounds(database: Database) -> list[Round]:
    """Return the finished rounds that trained a network.

    All are measured on the same labels, those of now: where one is corrected, the whole curve is.
    """
    rows = database.read(
        "SELECT id, strategy, n_labels, agreement, fit_s, query_s, seed FROM round"
        " WHERE ended IS NOT NULL AND error IS NULL AND fit_s IS NOT NULL ORDER BY id"
    )
    return [
        Round(i, strategy, n, accuracy_of(database, i), agreement, fit_s, query_s, seed)
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
    change = max(abs(value - known[-1]) for value in known)
    if change <= _STEADY_CHANGE:
        why = (
            f"In three rounds the accuracy has changed by {change:.1%} at most, on the same labels."
        )
        return Stopping(True, why)
    agreements = [round_.agreement for round_ in last[1:] if round_.agreement is not None]
    if len(agreements) == _STEADY_ROUNDS and min(agreements) >= _STEADY_AGREEMENT:
        why = f"Three networks in a row agree on the pool, with a kappa of {min(agreements):.3f}."
        return Stopping(True, why)
    agree = "have no agreement to measure"
    if last[-1].agreement is not None:
        agree = f"agree with a kappa of {last[-1].agreement:.2f}"
    return Stopping(
        False,
        f"In three rounds the accuracy has changed by {change:.1%}; the last two networks {agree}.",
    )


def suspicious(database: Database, n: int) -> list[tuple[int, float, int | None]]:
    """Return the images with the most suspicious labels: id, self-confidence, proposed class."""
    rows: list[tuple[int, float, int | None]] = database.read(
        "SELECT s.image, s.score, s.proposed FROM suspicion s JOIN image i ON i.id = s.image"
        " WHERE i.state = 'ok' AND EXISTS (SELECT 1 FROM label l WHERE l.image = s.image"
        " AND l.kind = 'label') ORDER BY s.score, s.image LIMIT ?",
        n,
    )
    return rows
