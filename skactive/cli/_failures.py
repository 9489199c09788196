"""What failed in an experiment, said at its end."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from skactive._phrases import one_line

if TYPE_CHECKING:
    from skactive.experiments import Results


@contextmanager
def said_at_the_end() -> Iterator[None]:
    """Leave the warnings of failed runs to `exit_code`."""
    from skactive.exceptions import FailedRunWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedRunWarning)
        yield


def name_failed(results: Results, command: str) -> None:
    """Name the runs that failed on standard error.

    Parameters
    ----------
    results : Results
        The results of the experiment.
    command : str
        The command that says so.
    """
    for failure in results.failures:
        run = f"{failure['strategy']} with seed {failure['seed']}"
        failed = f"failed in round {failure['round']}: {one_line(failure['error'])}"
        print(f"skactive {command}: {run} {failed}", file=sys.stderr)


def exit_code(results: Results, command: str) -> int:
    """Name the runs that failed, say how to go on, and return the exit code.

    Parameters
    ----------
    results : Results
        The results of the experiment.
    command : str
        The command that ran it.

    Returns
    -------
    int
        0 if nothing failed, else 1.
    """
    name_failed(results, command)
    if not results.failures:
        return 0
    print(
        "The other runs are finished. failures.json has the tracebacks; the same command tries "
        "the failed runs again.",
        file=sys.stderr,
    )
    return 1
