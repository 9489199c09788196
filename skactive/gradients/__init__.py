"""Gradients of networks, sample by sample, for whole batches: torch modules in, tensors out."""

from skactive.gradients._gradient_norms import gradient_norms
from skactive.gradients._head import find_head
from skactive.gradients._head_inputs import HeadInputs, head_inputs

__all__ = [
    "HeadInputs",
    "find_head",
    "gradient_norms",
    "head_inputs",
]
