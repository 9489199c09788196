"""Parameters of inner objects as parameters of the estimator, for set_params and grid searches."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.base import BaseEstimator

from skactive._validation import DeclaredParameters
from skactive.estimators._own_callbacks import copies, parameters_of, with_parameters

PREFIXES = ("module", "optimizer", "net")


class NestedParams(DeclaredParameters, BaseEstimator):
    """Shows each item of `module_params` as `module__item`; likewise for optimizer and net.

    Callbacks are shown as skorch does, `callbacks__EarlyStopping__patience`.
    """

    callbacks: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with `module__x`, `callbacks__x` and the like among them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add an entry for each item of `module_params` and the like.

        Returns
        -------
        dict of str to object
            The parameters.
        """
        params = super().get_params(deep=deep)
        if deep:
            for prefix in PREFIXES:
                inner = params[f"{prefix}_params"]
                if isinstance(inner, dict):  # fit refuses anything else
                    params.update({f"{prefix}__{name}": value for name, value in inner.items()})
            params.update(parameters_of(params["callbacks"]))
        return params

    def set_params(self, **params: Any) -> NestedParams:
        """Set parameters; `module__x`, `callbacks__x` and the like go to the inner objects.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        object
            The estimator itself.
        """
        inner: dict[str, dict[str, Any]] = {prefix: {} for prefix in (*PREFIXES, "callbacks")}
        own = {}
        for name, value in params.items():
            prefix, separator, rest = name.partition("__")
            if separator and prefix in inner:
                inner[prefix][rest] = value
            else:
                own[name] = value
        super().set_params(**own)
        of_callbacks = inner.pop("callbacks")
        if of_callbacks:
            self.callbacks = with_parameters(self.callbacks, of_callbacks, self)
        for prefix, items in inner.items():
            if items:  # a new dict, since another estimator may share the old one
                old = getattr(self, f"{prefix}_params") or {}
                setattr(self, f"{prefix}_params", {**old, **items})
        return self

    def _set_nested(self, nested: dict[str, Any]) -> None:
        """Set what the constructor was given beyond its own parameters, or raise as Python does."""
        for name in nested:
            if name.partition("__")[0] not in PREFIXES or "__" not in name:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}"
                )
        if nested:
            self.set_params(**nested)

    def __sklearn_clone__(self) -> NestedParams:
        # scikit-learn would copy what callbacks hold: not every logger can be, and none should.
        without = copy.copy(self)
        without.callbacks = None
        cloned = super(NestedParams, without).__sklearn_clone__()
        cloned.callbacks = copies(self.callbacks)
        return cloned
