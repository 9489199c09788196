"""The error for a wrong argument: built once from what it is about, and never read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sklearn.utils import _param_validation as declared

from skactive._phrases import RemediedError


class InvalidParameterError(RemediedError, declared.InvalidParameterError):
    """A parameter is wrong; a ValueError and a TypeError, as scikit-learn's error of this name.

    What it is made of are its attributes.

    Parameters
    ----------
    fault : str, default=""
        What is wrong; sentences.
    remedy : str, default=""
        What to do about it; a sentence.
    parameter : str, default=""
        The name of the parameter. It and the following are empty where the fault is not that one
        parameter is not what it must be.
    owner : str, default=""
        What has the parameter: the name of a function, of a class, or of a file.
    must : str, default=""
        What the parameter must be; completes "must be ...".
    got : object, default=None
        What arrived. An error that is pickled or copied has its description instead, unless it is
        a number, a string or None.

    Examples
    --------
    >>> from skactive import Margin
    >>> from skactive.exceptions import InvalidParameterError
    >>> try:
    ...     Margin(batch_size=0.5).select(None, [[0.0]], 1)
    ... except InvalidParameterError as error:
    ...     print(error)
    ...     print(error.owner, error.parameter, error.got)
    The 'batch_size' parameter of Margin must be an int in the range [1, inf). Got 0.5 instead.
    Margin batch_size 0.5
    """

    __module__ = "skactive.exceptions"

    def __init__(
        self,
        fault: str = "",
        remedy: str = "",
        *,
        parameter: str = "",
        owner: str = "",
        must: str = "",
        got: Any = None,
    ) -> None:
        super().__init__(fault, remedy)
        self.parameter, self.owner, self.must, self.got = parameter, owner, must, got

    def __reduce__(self) -> tuple[Any, ...]:
        # What arrived may be a whole pool, or what no other process can have.
        plain = self.got is None or isinstance(self.got, (str, int, float))
        got = self.got if plain else Description(describe(self.got))
        return type(self), self.args, {**vars(self), "got": got}

    def renamed(self, owner: object, names: Mapping[str, str]) -> InvalidParameterError:
        """Return the same about a parameter of another owner.

        Parameters
        ----------
        owner : object
            What has the parameter, or its name.
        names : dict of str to str
            The names of parameters there, where they differ.

        Returns
        -------
        InvalidParameterError
            A new one.
        """
        parameter = names.get(self.parameter, self.parameter)
        return invalid(parameter, owner, self.must, self.got, self.remedy)


def describe(value: Any) -> str:
    """Describe a value in a few words: arrays by shape and dtype, the rest by its repr."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(value, Description):
        return str(value)
    if shape is not None and dtype is not None and len(shape) > 0:
        return f"an array of shape {tuple(shape)} and dtype {dtype}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


class Description(str):
    """Words that stand for a value in a message, where its repr would say too little."""


def owner_name(owner: object) -> str:
    """Return the name to print for a function, a class, an object, or a string itself."""
    if isinstance(owner, str):
        return owner
    return getattr(owner, "__name__", None) or type(owner).__name__


def invalid(
    parameter: str, owner: object, must: str, got: Any, remedy: str = ""
) -> InvalidParameterError:
    """Build the error for a wrong argument, in scikit-learn's form with the remedy after it.

    Parameters
    ----------
    parameter : str
        The name of the parameter.
    owner : object
        What has the parameter: a function, an estimator, a strategy, or the name to print.
    must : str
        What the parameter must be; completes "must be ...".
    got : object
        What arrived; a `Description` is printed as it is.
    remedy : str, default=""
        What to do about it; a sentence.

    Returns
    -------
    InvalidParameterError
        A ValueError (and TypeError, as in scikit-learn), to be raised by the caller.
    """
    name = owner_name(owner)
    fault = f"The {parameter!r} parameter of {name} must be {must}. Got {describe(got)} instead."
    return InvalidParameterError(fault, remedy, parameter=parameter, owner=name, must=must, got=got)


@contextmanager
def on_behalf_of(owner: object, **names: str) -> Iterator[None]:
    """Name a caller's parameters in the errors about the parameters of what it calls.

    Parameters
    ----------
    owner : object
        The caller, whose parameters the user has set.
    **names : str
        Parameters that have another name there.

    Yields
    ------
    None
    """
    try:
        yield
    except InvalidParameterError as error:
        if not error.parameter:
            raise
        raise error.renamed(owner, names) from error


class Alternatives(str):
    """What a parameter must be, as `_parameter_constraints` declare it, in scikit-learn's words.

    Parameters
    ----------
    constraints : sequence
        The declared constraints, one of which has to be satisfied.
    """

    constraints: list[Any]

    def __new__(cls, constraints: Sequence[Any]) -> Alternatives:
        shown = [each for each in constraints if not isinstance(each, declared.Hidden)]
        *most, last = [str(declared.make_constraint(each)) for each in shown]
        must = super().__new__(cls, f"{', '.join(most)} or {last}" if most else last)
        must.constraints = shown
        return must

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)  # a constraint may be what no other process can have


class DeclaredParameters:
    """What checks its parameters as scikit-learn does, and raises skactive's error."""

    def _validate_params(self: Any) -> None:
        for name, value in self.get_params(deep=False).items():
            constraints = self._parameter_constraints.get(name, "no_validation")
            if constraints == "no_validation":
                continue
            made = map(declared.make_constraint, constraints)
            if not any(constraint.is_satisfied_by(value) for constraint in made):
                raise invalid(name, self, Alternatives(constraints), value)
