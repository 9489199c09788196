"""Deep active learning for images with scikit-learn's manners.

Public names are imported on first use: `import skactive` alone imports no torch.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from skactive import _modal_hook, strategies

if TYPE_CHECKING:
    from skactive import datasets as datasets
    from skactive import estimators as estimators
    from skactive import exceptions as exceptions
    from skactive import experiments as experiments
    from skactive import fisher as fisher
    from skactive import gradients as gradients
    from skactive import labelling as labelling
    from skactive import plotting as plotting
    from skactive import protocols as protocols
    from skactive import selection as selection
    from skactive import stopping as stopping
    from skactive import testing as testing
    from skactive.estimators import (
        CNNClassifier,
        Embedder,
        ImageCache,
        ImageReader,
        LPLClassifier,
        ShardedPool,
    )
    from skactive.strategies import *

__all__ = [
    "CNNClassifier",
    "Embedder",
    "ImageCache",
    "ImageReader",
    "LPLClassifier",
    "ShardedPool",
    *strategies.__all__,
]
__version__ = "0.1.0.dev0"

if not TYPE_CHECKING:  # type checkers would think that this finds misspelt names too
    _MODULES = (
        "datasets",
        "estimators",
        "exceptions",
        "experiments",
        "fisher",
        "gradients",
        "labelling",
        "plotting",
        "protocols",
        "selection",
        "stopping",
        "testing",
    )

    def __getattr__(name):
        """Import a name when it is first used."""
        if name in _MODULES:
            return import_module(f"skactive.{name}")
        if name not in __all__:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}",
                name=name,
                obj=sys.modules[__name__],
            )
        room = strategies if name in strategies.__all__ else import_module("skactive.estimators")
        value = globals()[name] = getattr(room, name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__, *_MODULES})


_modal_hook.install()
