"""The tables of a TOML file: fields taken out one by one, and errors that name their place."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from skactive._renamed import RENAMED
from skactive._validation import InvalidParameterError
from skactive.cli._words import field_error


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
        return field_error(self.file, self.at(field), must, got, remedy)

    def at(self, field: str) -> str:
        """Return what messages call a field."""
        return ".".join(part for part in (self.place, field) if part)

    def take(self, field: str, kind: Any, must: str, default: Any = ...) -> Any:
        """Take a field out; it has to be there without a default, and "none" is that of None."""
        if field not in self.rest:
            if default is ...:
                raise InvalidParameterError(
                    f"{self.file}: {self.at(field)} is missing; it is {must}."
                )
            return default
        value = self.rest.pop(field)
        if value == "none" and default is None:
            return None
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
