"""Pictures of results, as scikit-learn Displays: `from_results` computes, `plot` draws."""

from skactive.plotting._learning_curves import LearningCurvesDisplay
from skactive.plotting._queried_images import QueriedImagesDisplay

__all__ = ["LearningCurvesDisplay", "QueriedImagesDisplay"]
