"""Query strategies: which samples of a pool to label next."""

from skactive.strategies._badge import BADGE
from skactive.strategies._base import QueryStrategy, Selection
from skactive.strategies._core_set import CoreSet
from skactive.strategies._entropy import Entropy
from skactive.strategies._expected_gradient_length import ExpectedGradientLength
from skactive.strategies._fisher_mask import FisherMask
from skactive.strategies._gradient_norm import GradientNorm
from skactive.strategies._kmeans_sampling import KMeansSampling
from skactive.strategies._learning_loss import LearningLoss
from skactive.strategies._least_confidence import LeastConfidence
from skactive.strategies._lplgrad import LPLGrad
from skactive.strategies._margin import Margin
from skactive.strategies._prob_cover import ProbCover
from skactive.strategies._random import Random
from skactive.strategies._typi_clust import TypiClust

__all__ = [
    "BADGE",
    "CoreSet",
    "Entropy",
    "ExpectedGradientLength",
    "FisherMask",
    "GradientNorm",
    "KMeansSampling",
    "LPLGrad",
    "LearningLoss",
    "LeastConfidence",
    "Margin",
    "ProbCover",
    "QueryStrategy",
    "Random",
    "Selection",
    "TypiClust",
]
