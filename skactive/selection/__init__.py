"""Arrays in, positions out: the algorithms that query strategies share."""

from skactive.selection._greedy_fisher import (
    GreedyFisherResult,
    greedy_fisher,
    greedy_fisher_steps,
)
from skactive.selection._top import top_n

__all__ = ["GreedyFisherResult", "greedy_fisher", "greedy_fisher_steps", "top_n"]
