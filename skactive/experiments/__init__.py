"""Run query strategies against each other, continue what was killed, and keep the results."""

from skactive.experiments._protocol import Protocol
from skactive.experiments._results import Results
from skactive.experiments._runner import check_experiment, run_experiment

__all__ = ["Protocol", "Results", "check_experiment", "run_experiment"]
