"""Deep active learning for images with scikit-learn's manners."""

__version__ = "0.1.0.dev0"
