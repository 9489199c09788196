"""Checks of the contract, for strategies and selectors of your own; pytest is not needed."""

from skactive.testing._check_selector import check_selector
from skactive.testing._check_strategy import check_strategy

__all__ = ["check_selector", "check_strategy"]
