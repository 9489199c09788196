"""Imports every public strategy, when the first of them is used."""

from skactive.strategies._alfa_mix import ALFAMix as ALFAMix
from skactive.strategies._badge import BADGE as BADGE
from skactive.strategies._bait import BAIT as BAIT
from skactive.strategies._bald import BALD as BALD
from skactive.strategies._base import BASE as BASE
from skactive.strategies._batch_bald import BatchBALD as BatchBALD
from skactive.strategies._cal import CAL as CAL
from skactive.strategies._class_balanced import ClassBalanced as ClassBalanced
from skactive.strategies._clue import CLUE as CLUE
from skactive.strategies._cluster_margin import ClusterMargin as ClusterMargin
from skactive.strategies._core_set import CoreSet as CoreSet
from skactive.strategies._discriminative_al import DiscriminativeAL as DiscriminativeAL
from skactive.strategies._drop_query import DropQuery as DropQuery
from skactive.strategies._entropy import Entropy as Entropy
from skactive.strategies._epig import EPIG as EPIG
from skactive.strategies._expected_gradient_length import (
    ExpectedGradientLength as ExpectedGradientLength,
)
from skactive.strategies._falcun import FALCUN as FALCUN
from skactive.strategies._fisher_mask import FisherMask as FisherMask
from skactive.strategies._gradient_norm import GradientNorm as GradientNorm
from skactive.strategies._hybrid import Hybrid as Hybrid
from skactive.strategies._kmeans_sampling import KMeansSampling as KMeansSampling
from skactive.strategies._learning_loss import LearningLoss as LearningLoss
from skactive.strategies._least_confidence import LeastConfidence as LeastConfidence
from skactive.strategies._lplgrad import LPLGrad as LPLGrad
from skactive.strategies._margin import Margin as Margin
from skactive.strategies._max_herding import MaxHerding as MaxHerding
from skactive.strategies._mean_entropy import MeanEntropy as MeanEntropy
from skactive.strategies._per_class import PerClass as PerClass
from skactive.strategies._power_bald import PowerBALD as PowerBALD
from skactive.strategies._predictive_entropy import PredictiveEntropy as PredictiveEntropy
from skactive.strategies._prob_cover import ProbCover as ProbCover
from skactive.strategies._random import Random as Random
from skactive.strategies._refine import Refine as Refine
from skactive.strategies._subsample import Subsample as Subsample
from skactive.strategies._switch import Switch as Switch
from skactive.strategies._typi_clust import TypiClust as TypiClust
from skactive.strategies._u_herding import UHerding as UHerding
from skactive.strategies._variation_ratio import VariationRatio as VariationRatio
from skactive.strategies.base._probabilities import ProbabilityStrategy as ProbabilityStrategy
from skactive.strategies.base._query_strategy import QueryStrategy as QueryStrategy
from skactive.strategies.base._query_strategy import Selection as Selection
