"""Arrays in, positions out: the algorithms that query strategies share."""

from skactive.selection._greedy_fisher import greedy_fisher
from skactive.selection._top import top_n

__all__ = ["greedy_fisher", "top_n"]
