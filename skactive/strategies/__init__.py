"""Query strategies: which samples of a pool to label next."""

from skactive.strategies._base import QueryStrategy, Selection
from skactive.strategies._entropy import Entropy
from skactive.strategies._fisher_mask import FisherMask
from skactive.strategies._learning_loss import LearningLoss
from skactive.strategies._least_confidence import LeastConfidence
from skactive.strategies._margin import Margin
from skactive.strategies._random import Random

__all__ = [
    "Entropy",
    "FisherMask",
    "LearningLoss",
    "LeastConfidence",
    "Margin",
    "QueryStrategy",
    "Random",
    "Selection",
]
