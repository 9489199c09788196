"""Mends modAL when it is imported, whenever that is; imports nothing heavy itself."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["install"]


def install() -> None:
    """Have modAL mended as soon as it is imported, or at once if it has been."""
    if ModalFinder not in sys.meta_path:
        sys.meta_path.insert(0, ModalFinder)
    # After the finder is there, so that no other thread's import slips through between the two.
    spec = getattr(sys.modules.get("modAL"), "__spec__", None)
    if spec is not None and not isinstance(spec.loader, _MendingLoader):
        from skactive import _modal

        _modal.mend()


# Names that modules of modAL use while they are imported and that NumPy and scikit-learn no longer
# have, with those that they have.
_GONE = {
    "modAL.cluster": ("sklearn.cluster.hierarchical", "sklearn.cluster"),
    "modAL.expected_error": ("np.float", "float"),
}


class ModalFinder:
    """Find modAL where the finders after this one find it; leave all other modules to them.

    For mending, modAL itself is enough: importing any of its modules imports it first. Two of its
    modules cannot be imported as they are.
    """

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of what has to be mended, with a loader that does; None for the rest."""
        if name != "modAL" and name not in _GONE:
            return None
        for finder in sys.meta_path[sys.meta_path.index(cls) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                loader = _RenamingLoader(spec) if name in _GONE else _MendingLoader(spec)
                spec.loader = loader  # type: ignore[assignment]  # it acts as one
                return spec
        return None


class _Loader:
    """The loader that was found."""

    def __init__(self, spec: ModuleSpec) -> None:
        self._spec = spec
        self._found: Any = spec.loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)


class _RenamingLoader(_Loader):
    """The loader that was found, but a name that is gone is replaced in the source."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        name = self._spec.name
        source = self._found.get_source(name).replace(*_GONE[name])
        with warnings.catch_warnings():  # of `is` between strings
            warnings.simplefilter("ignore", SyntaxWarning)
            code = compile(source, str(self._spec.origin), "exec", dont_inherit=True)
        exec(code, module.__dict__)


class _MendingLoader(_Loader):
    """The loader that was found, but modAL is mended before its import ends."""

    def exec_module(self, module: ModuleType) -> None:
        """Run modAL, and mend it."""
        # First, since it imports torch: meanwhile another thread could use what is not mended.
        from skactive import _modal

        self._found.exec_module(module)
        _modal.mend()
        self._spec.loader = module.__loader__ = self._found
