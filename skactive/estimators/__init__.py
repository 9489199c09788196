"""Networks as scikit-learn estimators, trained by skorch."""

from skactive.estimators._callbacks import StopAtTrainAccuracy
from skactive.estimators._cnn_classifier import CNNClassifier
from skactive.estimators._embedder import Embedder
from skactive.estimators._image_cache import ImageCache
from skactive.estimators._image_reader import ImageReader
from skactive.estimators._lpl_classifier import LPLClassifier
from skactive.estimators._sharded_pool import ShardedPool

__all__ = [
    "CNNClassifier",
    "Embedder",
    "ImageCache",
    "ImageReader",
    "LPLClassifier",
    "ShardedPool",
    "StopAtTrainAccuracy",
]
