"""Networks as scikit-learn estimators, trained by skorch."""

from skactive.estimators._augment import random_crop, random_flip
from skactive.estimators._callbacks import RecordAccuracy, StopAtTrainAccuracy
from skactive.estimators._cnn_classifier import CNNClassifier

__all__ = [
    "CNNClassifier",
    "RecordAccuracy",
    "StopAtTrainAccuracy",
    "random_crop",
    "random_flip",
]
