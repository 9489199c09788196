"""Deep active learning for images with scikit-learn's manners."""

from skactive import _modal as _modal  # first: makes modAL work on today's stack
from skactive import strategies
from skactive.estimators import CNNClassifier, ImageReader, LPLClassifier
from skactive.strategies import *  # noqa: F403  (its __all__ lists them)

__all__ = ["CNNClassifier", "ImageReader", "LPLClassifier", *strategies.__all__]
__version__ = "0.1.0.dev0"
