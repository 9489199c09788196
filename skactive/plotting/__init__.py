"""Pictures of results, as scikit-learn Displays: `from_*` computes, `plot` draws."""

from skactive.plotting._calibration import CalibrationCurvesDisplay
from skactive.plotting._class_balance import ClassBalanceDisplay
from skactive.plotting._critical_difference import CriticalDifferenceDisplay
from skactive.plotting._fisher_mask import FisherMaskDisplay
from skactive.plotting._learning_curves import LearningCurvesDisplay
from skactive.plotting._penalty_matrix import PenaltyMatrixDisplay
from skactive.plotting._queried_images import QueriedImagesDisplay
from skactive.plotting._report import write_report
from skactive.plotting._stopping_points import StoppingPointsDisplay
from skactive.plotting._time_accuracy import TimeAccuracyDisplay

__all__ = [
    "CalibrationCurvesDisplay",
    "ClassBalanceDisplay",
    "CriticalDifferenceDisplay",
    "FisherMaskDisplay",
    "LearningCurvesDisplay",
    "PenaltyMatrixDisplay",
    "QueriedImagesDisplay",
    "StoppingPointsDisplay",
    "TimeAccuracyDisplay",
    "write_report",
]
