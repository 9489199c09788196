"""Arrays in, positions out: the algorithms that query strategies share."""

from skactive.selection._batch_bald import batch_bald, batch_bald_steps
from skactive.selection._coverage import (
    max_coverage,
    max_coverage_steps,
    other_group_distances,
    purity_radius,
)
from skactive.selection._greedy_fisher import (
    GreedyFisherResult,
    greedy_fisher,
    greedy_fisher_steps,
)
from skactive.selection._in_blocks import greedy_fisher_in_blocks, matrix_bytes, sample_bytes
from skactive.selection._k_center import k_center_greedy, k_center_greedy_steps
from skactive.selection._kmeans_plusplus import kmeans_plusplus, kmeans_plusplus_steps
from skactive.selection._picks import Picks
from skactive.selection._top import top_n
from skactive.selection._typicality import typicality

__all__ = [
    "GreedyFisherResult",
    "Picks",
    "batch_bald",
    "batch_bald_steps",
    "greedy_fisher",
    "greedy_fisher_in_blocks",
    "greedy_fisher_steps",
    "k_center_greedy",
    "k_center_greedy_steps",
    "kmeans_plusplus",
    "kmeans_plusplus_steps",
    "matrix_bytes",
    "max_coverage",
    "max_coverage_steps",
    "other_group_distances",
    "purity_radius",
    "sample_bytes",
    "top_n",
    "typicality",
]
