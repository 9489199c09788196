"""What Python calls arguments and values, in the words of the command line and of TOML files."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from skactive._phrases import RemediedError, say

if TYPE_CHECKING:
    from skactive._validation import InvalidParameterError

# What messages mark as Python, in a file.
IN_A_FILE = {
    "None": '"none"',
    "True": "true",
    "False": "false",
    "path": "dataset.path",
    'subset="4k"': 'dataset.name = "fashion-mnist-4k"',
    'Pass subset="full"': 'Set dataset.name = "fashion-mnist"',
    "Leave path=None": "Leave dataset.path out",
    "pass path=": "set dataset.path",
    "Pass path=": "Set dataset.path",
    "pass download=True": "set dataset.download = true",
    "download=True": "dataset.download = true",
    "another out=": "another --out",
}
# The types that parameters may have, in a file. What has none of these has no form there.
_KINDS = {
    "str": "a text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table",
    "Integral": "an int",
    "Real": "a float",
    "QueryStrategy": 'a table such as { class = "Entropy" }',
}
_NAMED = {
    "boolean": ["true or false"],
    "verbose": ["an int", "true or false"],
    "array-like": ["a list"],
    "random_state": ["an int in the range [0, 4294967295]", '"none"'],
}


def field_error(
    owner: object, field: str, must: str, got: Any, remedy: str = ""
) -> InvalidParameterError:
    """Build the error for a wrong field of a file, or a wrong option.

    Parameters
    ----------
    owner : object
        What has the field: the path of a file, or "command line".
    field : str
        The field, with its table before it; or the option.
    must : str
        What it must be, in these or in Python's words.
    got : object
        What arrived.
    remedy : str, default=""
        What to do about it, likewise.

    Returns
    -------
    InvalidParameterError
        The error.
    """
    from skactive._validation import InvalidParameterError

    words = _must(must)
    return InvalidParameterError(
        f"{owner}: {field} must be {words}. Got {as_toml(got)} instead.",
        say(remedy, IN_A_FILE),
        parameter=field,
        owner=str(owner),
        must=words,
        got=got,
    )


def placed(
    file: object,
    place: str,
    error: Exception,
    names: Mapping[str, str] | None = None,
) -> InvalidParameterError:
    """Return an error about a parameter as one about a field of a file, or an option.

    Parameters
    ----------
    file : object
        The path of the file, or "command line".
    place : str
        What is there before the name: "estimator." or "--".
    error : Exception
        The error.
    names : dict of str to str, default=None
        The names of parameters there, where they differ.

    Returns
    -------
    InvalidParameterError
        The same in the words of the file.
    """
    from skactive._validation import InvalidParameterError

    if not isinstance(error, InvalidParameterError) or not error.parameter:
        return within(file, place.rstrip(".-"), error)
    field = (names or {}).get(error.parameter, error.parameter)
    group, nested, name = field.partition("__")
    if nested and group in {"module", "optimizer", "net"}:
        field = f"{group}_params.{name}"
    return field_error(file, f"{place}{field}", error.must, error.got, error.remedy)


def within(file: object, place: str, error: Exception) -> InvalidParameterError:
    """Return an error as one that says which part of a file it comes from."""
    from skactive._validation import InvalidParameterError

    return InvalidParameterError(f"{file}: {place}: {told(error, IN_A_FILE, {})}")


def told(error: Exception, words: Mapping[str, str], options: Mapping[str, str]) -> str:
    """Return the message of an error in other words.

    Parameters
    ----------
    error : Exception
        The error.
    words : dict of str to str
        Those for what messages mark as Python.
    options : dict of str to str
        The options of the command line that stand for parameters.

    Returns
    -------
    str
        The message.
    """
    from skactive._validation import InvalidParameterError, describe

    if not isinstance(error, RemediedError):
        return str(error)
    fault = error.fault
    if isinstance(error, InvalidParameterError) and error.parameter in options:
        option, must = options[error.parameter], say(error.must, words)
        fault = f"{option} must be {must}. Got {describe(error.got)} instead."
    return f"{fault} {say(error.remedy, words)}".rstrip()


def _must(text: str) -> str:
    """Return what a parameter must be in the words of a file."""
    from skactive._faults import Alternatives

    if not isinstance(text, Alternatives):
        return say(text, IN_A_FILE)
    forms = list(dict.fromkeys(form for each in text.constraints for form in _forms(each)))
    *most, last = forms or [str(text)]
    return f"{', '.join(most)} or {last}" if most else last


def _forms(constraint: Any) -> list[str]:
    """Return what satisfies a declared constraint in a file; nothing where that has no form."""
    from sklearn.utils._param_validation import Interval

    if constraint is None:
        return ['"none"']
    if isinstance(constraint, str):
        return _NAMED[constraint]
    if isinstance(constraint, type):
        return [_KINDS[constraint.__name__]] if constraint.__name__ in _KINDS else []
    if hasattr(constraint, "options"):
        return [f"one of {', '.join(sorted(constraint.options))}"]
    return [str(constraint)] if isinstance(constraint, Interval) else []


def as_toml(value: Any) -> str:
    """Write a value as the file has it, shortened if it is long."""
    from skactive._validation import describe

    if isinstance(value, dict):
        text = f"{{ {', '.join(f'{k} = {as_toml(v)}' for k, v in value.items())} }}"
    elif isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(as_toml, value))}]"
    elif isinstance(value, str) and type(value) is not str:  # a description
        text = str(value)
    elif isinstance(value, (str, int, float)):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, (datetime.date, datetime.time)):
        text = str(value)
    else:
        text = '"none"' if value is None else describe(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
