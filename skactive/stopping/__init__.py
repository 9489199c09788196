"""When to stop: rules that look at the estimator of each round, and keep no state of their own."""

from skactive.stopping._agreement import Agreement
from skactive.stopping._class_change import ClassChange
from skactive.stopping._overall_uncertainty import OverallUncertainty
from skactive.stopping._paired_change import PairedChange
from skactive.stopping._rule import State, StoppingRule

__all__ = [
    "Agreement",
    "ClassChange",
    "OverallUncertainty",
    "PairedChange",
    "State",
    "StoppingRule",
]
