"""Query strategies: which samples of a pool to label next."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skactive.strategies._public import *

__all__ = [
    "BADGE",
    "BAIT",
    "BALD",
    "BASE",
    "CAL",
    "CLUE",
    "EPIG",
    "FALCUN",
    "ALFAMix",
    "BatchBALD",
    "ClassBalanced",
    "ClusterMargin",
    "CoreSet",
    "DiscriminativeAL",
    "DropQuery",
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
    "MaxHerding",
    "MeanEntropy",
    "PerClass",
    "PowerBALD",
    "PredictiveEntropy",
    "ProbCover",
    "ProbabilityStrategy",
    "QueryStrategy",
    "Random",
    "Refine",
    "Selection",
    "Subsample",
    "Switch",
    "TypiClust",
    "UHerding",
    "VariationRatio",
]

if not TYPE_CHECKING:  # type checkers would take a misspelt name for one that this finds

    def __getattr__(name):
        """Import all strategies, and torch with them, when the first of them is used."""
        if name not in __all__:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}",
                name=name,
                obj=sys.modules[__name__],
            )
        from skactive.strategies import _public

        globals().update({public: getattr(_public, public) for public in __all__})
        return globals()[name]

    def __dir__():
        return sorted({*globals(), *__all__})
