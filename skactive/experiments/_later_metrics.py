"""Measurements that are asked for after rounds have been recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.metrics import get_scorer

from skactive.exceptions import ResultsMismatchError
from skactive.experiments._plain import plain
from skactive.experiments._records import Record

# The scorers of scikit-learn whose value is in every record.
_RECORDED = ("accuracy", "balanced_accuracy")


def check_later(stored: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Raise if a measurement is new and cannot be computed from what is recorded.

    Parameters
    ----------
    stored, metrics : mapping of str to object
        Scorers, as `described` describes them: those of the results, and those that are wanted.

    Raises
    ------
    ResultsMismatchError
        If some cannot; names them.
    """
    names = [name for name in metrics if name not in stored and _field(metrics[name]) is None]
    if names:
        raise ResultsMismatchError(
            f"The finished rounds lack {', '.join(names)}, which cannot be computed any more: "
            "neither networks nor predictions are kept. Leave it out of metrics=, or pass another "
            f"out= to train again. What is recorded is {' and '.join(_RECORDED)}."
        )


def completed(record: Record, metrics: Mapping[str, Any]) -> Record:
    """Return a record with the further measurements that it lacks.

    Parameters
    ----------
    record : Record
        A finished round; left as it is.
    metrics : mapping of str to callable
        The scorers by name.

    Returns
    -------
    Record
        The record itself if it lacks none.
    """
    missing = {name: scorer for name, scorer in metrics.items() if name not in record["metrics"]}
    found = {name: _field(plain(scorer)) for name, scorer in missing.items()}
    more = {name: record[field] for name, field in found.items() if field is not None}  # type: ignore[literal-required]
    return {**record, "metrics": {**record["metrics"], **more}} if more else record


def changed(records: Iterable[Record], metrics: Mapping[str, Any]) -> list[Record]:
    """Return the records that lack a measurement, completed."""
    both = [(record, completed(record, metrics)) for record in records]
    return [after for before, after in both if after is not before]


def _field(scorer: Any) -> str | None:
    """Return the field of a record that has the value of a scorer, if one has."""
    return next((name for name in _RECORDED if scorer == plain(get_scorer(name))), None)
