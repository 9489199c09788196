"""Arrays in, positions out: the algorithms that query strategies share."""

from skactive.selection._batch_bald import batch_bald
from skactive.selection._boundaries import boundary_distances, nearest_per_class
from skactive.selection._coverage import max_coverage, other_group_distances, purity_radius
from skactive.selection._discriminative import discriminative_picks
from skactive.selection._dropout_disagreement import dropout_disagreement
from skactive.selection._falcun import falcun
from skactive.selection._herding import max_herding
from skactive.selection._k_center import k_center_greedy
from skactive.selection._kmeans_plusplus import kmeans_plusplus
from skactive.selection._linkage import average_linkage
from skactive.selection._mixing import mixing_thresholds
from skactive.selection._neighbors import nearest_neighbors
from skactive.selection._picks import Picks
from skactive.selection._predictive_information import predictive_information
from skactive.selection._top import top_n
from skactive.selection._typicality import most_typical, typicality

__all__ = [
    "Picks",
    "average_linkage",
    "batch_bald",
    "boundary_distances",
    "discriminative_picks",
    "dropout_disagreement",
    "falcun",
    "k_center_greedy",
    "kmeans_plusplus",
    "max_coverage",
    "max_herding",
    "mixing_thresholds",
    "most_typical",
    "nearest_neighbors",
    "nearest_per_class",
    "other_group_distances",
    "predictive_information",
    "purity_radius",
    "top_n",
    "typicality",
]
