"""Parameters of inner objects as parameters of the estimator, for set_params and grid searches."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator

from skactive._validation import DeclaredParameters

PREFIXES = ("module", "optimizer", "net")


class NestedParams(DeclaredParameters, BaseEstimator):
    """Shows each item of `module_params` as `module__item`; likewise for optimizer and net."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with `module__x`, `optimizer__x` and `net__x` among them.

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
        return params

    def set_params(self, **params: Any) -> NestedParams:
        """Set parameters; `module__x`, `optimizer__x` and `net__x` go to the inner objects.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        object
            The estimator itself.
        """
        inner: dict[str, dict[str, Any]] = {prefix: {} for prefix in PREFIXES}
        own = {}
        for name, value in params.items():
            prefix, separator, rest = name.partition("__")
            if separator and prefix in inner:
                inner[prefix][rest] = value
            else:
                own[name] = value
        super().set_params(**own)
        for prefix, items in inner.items():
            if items:  # a new dict, since another estimator may share the old one
                old = getattr(self, f"{prefix}_params") or {}
                setattr(self, f"{prefix}_params", {**old, **items})
        return self
