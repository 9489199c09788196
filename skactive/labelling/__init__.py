"""Labels for a folder of images: asked for in a strategy's order, kept, measured and exchanged."""

from skactive.labelling._exchange import Imported
from skactive.labelling._results import Accuracy, Stopping
from skactive.labelling._serve import serve
from skactive.labelling._session import LabelSession

__all__ = ["Accuracy", "Imported", "LabelSession", "Stopping", "serve"]
