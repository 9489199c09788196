"""Gradients of networks, sample by sample, for whole batches: torch modules in, tensors out."""

from skactive._factors import DenseFactors, FisherFactors, KroneckerFactors
from skactive.gradients._diagonal import diagonal_fisher
from skactive.gradients._fisher_factors import fisher_factors
from skactive.gradients._gradient_norms import gradient_norms
from skactive.gradients._head import find_head
from skactive.gradients._head_factors import head_factors
from skactive.gradients._head_inputs import HeadInputs, head_inputs
from skactive.gradients._mask import parameter_mask

__all__ = [
    "DenseFactors",
    "FisherFactors",
    "HeadInputs",
    "KroneckerFactors",
    "diagonal_fisher",
    "find_head",
    "fisher_factors",
    "gradient_norms",
    "head_factors",
    "head_inputs",
    "parameter_mask",
]
