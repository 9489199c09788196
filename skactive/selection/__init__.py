"""Arrays in, positions out: the algorithms that query strategies share."""

from skactive.selection._top import top_n

__all__ = ["top_n"]
