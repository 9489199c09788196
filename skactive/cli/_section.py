"""The tables of a TOML file: fields taken out one by one, and messages that name their place."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from skactive._renamed import RENAMED
from skactive._validation import InvalidParameterError

# How Python's messages about parameters begin, and their words for what a file calls otherwise.
_PARAMETER = re.compile(r"The '(.+?)' parameter of .+? must be (.+?)\. Got (.*)", re.DOTALL)
_KINDS = {
    "str": "a text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a table",
    "bool": "true or false",
    "QueryStrategy": 'a table such as { class = "Entropy" }',
}
_KIND = re.compile(rf"an instance of '(?:[\w.]*\.)?({'|'.join(_KINDS)})'")
_NO_TOML = r"(?:an instance of '[\w.]+'|a callable|Generator)"
_OPTIONS = re.compile(r"a str among \{(.+?)\}")
_VALUES = {"None": '"none"', "True": "true", "False": "false"}


class Section:
    """A table of the file, whose fields are taken out one by one.

    Parameters
    ----------
    file : path
        Where it comes from, for messages.
    place : str
        The name of the table, for messages.
    content : dict
        What it holds.
    """

    def __init__(self, file: Path, place: str, content: Any) -> None:
        self.file, self.place = file, place
        if not isinstance(content, dict):
            raise self.fault("", "a table", content)
        self.rest = dict(content)

    def fault(self, field: str, must: str, got: Any, remedy: str = "") -> InvalidParameterError:
        """Build the error for a wrong field."""
        message = f"{self.file}: {self.at(field)} must be {must}. Got {as_toml(got)} instead."
        return InvalidParameterError(f"{message} {remedy}".rstrip())

    def at(self, field: str) -> str:
        """Return what messages call a field."""
        return ".".join(part for part in (self.place, field) if part)

    def take(self, field: str, kind: Any, must: str, default: Any = ...) -> Any:
        """Take a field out; without a default it has to be there."""
        if field not in self.rest:
            if default is ...:
                raise InvalidParameterError(
                    f"{self.file}: {self.at(field)} is missing; it is {must}."
                )
            return default
        value = self.rest.pop(field)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fault(field, must, value)
        return value

    def count(self, field: str, low: int, default: Any = ...) -> Any:
        """Take out a whole number that is not too small."""
        must = f"a whole number of at least {low}"
        value = self.take(field, int, must, default)
        if value != default and value < low:
            raise self.fault(field, must, value)
        return value

    def choice(self, field: str, known: Collection[str], default: Any = ...) -> str:
        """Take out one of several names."""
        must = f"one of {', '.join(known)}"
        name: str = self.take(field, str, must, default)
        if name not in known:
            raise self.fault(field, must, name)
        return name

    def check_names(self, owner: str) -> None:
        """Raise if a field that is left is a former name of a parameter of `owner`."""
        for old, new in RENAMED.get(owner, {}).items():
            if old in self.rest:
                raise InvalidParameterError(
                    f"{self.file}: {self.at(old)} is called {self.at(new)} now. Rename it."
                )

    def done(self, known: Collection[str]) -> None:
        """Raise if fields are left: they are unknown."""
        for field in self.rest:
            raise InvalidParameterError(
                f"{self.file}: there is no {self.at(field)}. "
                f"The fields of {self.place} are {', '.join(known)}."
            )


def placed(
    file: Path | str, place: str, error: Exception, names: Mapping[str, str] | None = None
) -> InvalidParameterError:
    """Return an error about a parameter as one about a field of the file.

    Parameters
    ----------
    file : path
        The file.
    place : str
        The field; where it ends in a dot or a dash, what comes before the name of the parameter.
    error : Exception
        The error.
    names : dict of str to str, default=None
        The names of parameters there, where they differ.

    Returns
    -------
    InvalidParameterError
        The same in the words of the file.
    """
    found = _PARAMETER.fullmatch(str(error))
    if found is None or not place.endswith((".", "-")):
        return InvalidParameterError(f"{file}: {place.rstrip('.')}: {error}")
    parameter, must, got = found.groups()
    parameter = (names or {}).get(parameter, parameter)
    field = place + re.sub("^(module|optimizer|net)__", r"\1_params.", parameter)
    must = _KIND.sub(lambda kind: _KINDS[kind[1]], must)
    must = re.sub(rf"(?:, | or ){_NO_TOML}", "", re.sub(rf"^{_NO_TOML}(?:, | or )", "", must))
    must = re.sub("(a list|true or false)(?:, | or )\\1", r"\1", must).replace("None", '"none"')
    must = _OPTIONS.sub(lambda options: f"one of {', '.join(sorted(_quoted(options[1])))}", must)
    must = must.replace("True or False", "true or false")
    got = re.sub("^(None|True|False)(?= instead)", lambda value: _VALUES[value[1]], got)
    return InvalidParameterError(f"{file}: {field} must be {must}. Got {got}")


def _quoted(text: str) -> list[str]:
    """Return the strings in a set's repr, which come in any order."""
    return re.findall("'(.*?)'", text)


def as_toml(value: Any) -> str:
    """Write a value as the file has it, shortened if it is long."""
    if isinstance(value, dict):
        text = f"{{ {', '.join(f'{k} = {as_toml(v)}' for k, v in value.items())} }}"
    elif isinstance(value, list):
        text = f"[{', '.join(map(as_toml, value))}]"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
