"""Networks as scikit-learn estimators, trained by skorch."""

from skactive.estimators._augment import random_crop, random_flip
from skactive.estimators._callbacks import RecordAccuracy, StopAtTrainAccuracy
from skactive.estimators._cnn_classifier import CNNClassifier
from skactive.estimators._image_reader import ImageReader
from skactive.estimators._lpl_classifier import LPLClassifier

__all__ = [
    "CNNClassifier",
    "ImageReader",
    "LPLClassifier",
    "RecordAccuracy",
    "StopAtTrainAccuracy",
    "random_crop",
    "random_flip",
]
