"""Arrays in, positions out: the algorithms that query strategies share."""

from skactive.selection._batch_bald import batch_bald
from skactive.selection._coverage import max_coverage, other_group_distances, purity_radius
from skactive.selection._herding import max_herding
from skactive.selection._k_center import k_center_greedy
from skactive.selection._kmeans_plusplus import kmeans_plusplus
from skactive.selection._linkage import average_linkage
from skactive.selection._neighbors import nearest_neighbors
from skactive.selection._picks import Picks
from skactive.selection._top import top_n
from skactive.selection._typicality import typicality

__all__ = [
    "Picks",
    "average_linkage",
    "batch_bald",
    "k_center_greedy",
    "kmeans_plusplus",
    "max_coverage",
    "max_herding",
    "nearest_neighbors",
    "other_group_distances",
    "purity_radius",
    "top_n",
    "typicality",
]
