"""The engine that makes gradients sample by sample: what other rooms build their own scores on."""

from skactive.gradients._general import Reduce, general_gradients
from skactive.gradients._geometry import Geometry
from skactive.gradients._network import Network, lend_network, trainable_parameters
from skactive.gradients._plan import Plan, Seen, make_plan
from skactive.gradients._softmax import class_roots, class_rows, label_rows, reduced_rows
from skactive.gradients._takers import EntryTaker, OuterTaker, SquareTaker, Taker
from skactive.gradients._tape import Tape
from skactive.gradients._top_rows import spectrum, top_rows

__all__ = [
    "EntryTaker",
    "Geometry",
    "Network",
    "OuterTaker",
    "Plan",
    "Reduce",
    "Seen",
    "SquareTaker",
    "Taker",
    "Tape",
    "class_roots",
    "class_rows",
    "general_gradients",
    "label_rows",
    "lend_network",
    "make_plan",
    "reduced_rows",
    "spectrum",
    "top_rows",
    "trainable_parameters",
]
