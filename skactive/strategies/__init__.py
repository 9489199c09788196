"""Query strategies: which samples of a pool to label next."""

from skactive.strategies._badge import BADGE
from skactive.strategies._bait import BAIT
from skactive.strategies._bald import BALD
from skactive.strategies._base import QueryStrategy, Selection
from skactive.strategies._batch_bald import BatchBALD
from skactive.strategies._class_balanced import ClassBalanced
from skactive.strategies._core_set import CoreSet
from skactive.strategies._entropy import Entropy
from skactive.strategies._expected_gradient_length import ExpectedGradientLength
from skactive.strategies._fisher_mask import FisherMask
from skactive.strategies._gradient_norm import GradientNorm
from skactive.strategies._hybrid import Hybrid
from skactive.strategies._kmeans_sampling import KMeansSampling
from skactive.strategies._learning_loss import LearningLoss
from skactive.strategies._least_confidence import LeastConfidence
from skactive.strategies._lplgrad import LPLGrad
from skactive.strategies._margin import Margin
from skactive.strategies._mean_entropy import MeanEntropy
from skactive.strategies._power_bald import PowerBALD
from skactive.strategies._predictive_entropy import PredictiveEntropy
from skactive.strategies._prob_cover import ProbCover
from skactive.strategies._probabilities import ProbabilityStrategy
from skactive.strategies._random import Random
from skactive.strategies._subsample import Subsample
from skactive.strategies._switch import Switch
from skactive.strategies._typi_clust import TypiClust
from skactive.strategies._variation_ratio import VariationRatio

__all__ = [
    "BADGE",
    "BAIT",
    "BALD",
    "BatchBALD",
    "ClassBalanced",
    "CoreSet",
    "Entropy",
    "ExpectedGradientLength",
    "FisherMask",
    "GradientNorm",
    "Hybrid",
    "KMeansSampling",
    "LPLGrad",
    "LearningLoss",
    "LeastConfidence",
    "Margin",
    "MeanEntropy",
    "PowerBALD",
    "PredictiveEntropy",
    "ProbCover",
    "ProbabilityStrategy",
    "QueryStrategy",
    "Random",
    "Selection",
    "Subsample",
    "Switch",
    "TypiClust",
    "VariationRatio",
]
