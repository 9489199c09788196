"""A battery: checks that run one after the other, and an error that names the one that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from skactive._generators import lent_rng
from skactive._validation import as_numbers, check_positions, describe
from skactive.exceptions import CheckFailedError

_SEED = 20260114


class Subject(Protocol):
    """What is checked."""

    def copied(self) -> Any:
        """Return another one, whose samples can be changed."""


S = TypeVar("S", bound=Subject)


def run_checks(owner: str, checks: Mapping[str, Callable[[S], None]], subject: S) -> None:
    """Run checks in their order, and raise at the first that fails.

    Each gets a copy, and process-wide generators in a state that nothing else leaves them in.

    Parameters
    ----------
    owner : str
        What is checked, for the error message.
    checks : dict of str to callable
        What must hold, in words, and what raises where it does not.
    subject : Subject
        What each check is called with, copied.

    Raises
    ------
    CheckFailedError
        Names the check, and what was found.
    """
    for rule, check in checks.items():
        try:
            with lent_rng(_SEED):
                check(subject.copied())
        except Unmet as error:
            raise CheckFailedError(owner, rule, str(error)) from None
        except Exception as error:
            found = f"It raised {type(error).__name__}: {error}"
            raise CheckFailedError(owner, rule, found) from error


class Unmet(Exception):
    """What a check found."""


def require(good: object, found: str) -> None:
    """Raise unless something holds."""
    if not good:
        raise Unmet(found)


def require_same(first: np.ndarray, second: np.ndarray, where: str) -> None:
    """Raise unless two queries picked the same samples in the same order."""
    same = np.array_equal(first, second)
    require(same, f"{where}: {first.tolist()} and then {second.tolist()}.")


def require_unchanged(who: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raise unless two snapshots are the same."""
    changed = [what for what in before if before[what] != after[what]]
    require(not changed, f"{who} changed {', '.join(changed)}.")


def require_picks(where: str, indices: Any, gains: Any, n: int, n_pool: int) -> np.ndarray:
    """Return positions as an array, or raise unless they and their gains are what they must be."""
    positions = check_positions(where, indices, n, n_pool)
    if gains is not None:
        numbers = as_numbers(gains)
        good = numbers is not None and numbers.shape == (n,) and numbers.dtype.kind in "iuf"
        require(good, f"{where} returned gains that are not {n} numbers: {describe(gains)}.")
        require(not np.isnan(gains).any(), f"{where} returned gains that are NaN.")
    return positions


def require_refused(ask: Callable[[], object], what: str) -> None:
    """Raise unless something is refused with a ValueError."""
    try:
        ask()
    except ValueError:
        return
    raise Unmet(f"{what} was accepted; raise a ValueError.")
