"""Fisher information of samples, and batches chosen by it: torch modules in, positions out."""

from skactive.fisher._block_factors import BlockFactors
from skactive.fisher._dense import DenseFactors
from skactive.fisher._diagonal import diagonal_fisher
from skactive.fisher._factors import FisherFactors
from skactive.fisher._fisher_factors import fisher_factors
from skactive.fisher._fisher_picks import FisherPicks
from skactive.fisher._greedy_fisher import greedy_fisher
from skactive.fisher._head_factors import head_factors, last_layer_factors
from skactive.fisher._in_blocks import greedy_fisher_in_blocks
from skactive.fisher._kronecker import KroneckerFactors
from skactive.fisher._mask import parameter_mask
from skactive.fisher._rank import choose_rank
from skactive.fisher._separate import SeparateFactors
from skactive.fisher._target import target_weights

__all__ = [
    "BlockFactors",
    "DenseFactors",
    "FisherFactors",
    "FisherPicks",
    "KroneckerFactors",
    "SeparateFactors",
    "choose_rank",
    "diagonal_fisher",
    "fisher_factors",
    "greedy_fisher",
    "greedy_fisher_in_blocks",
    "head_factors",
    "last_layer_factors",
    "parameter_mask",
    "target_weights",
]
