"""Text about arguments, which the command line and files of settings call otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Phrase(str):
    """Text with the arguments in it marked, so that they can be said in other words.

    Parameters
    ----------
    template : str
        The text, as `str.format_map` takes it; what stands in braces is Python, such as
        "{path=None}".
    **content : object
        What is in braces, but no Python: names to put there.

    Examples
    --------
    >>> remedy = Phrase("{Pass path=} with the folder of {files}.", files="MNIST")
    >>> remedy
    'Pass path= with the folder of MNIST.'
    >>> remedy.said({"Pass path=": "Pass --data-path"})
    'Pass --data-path with the folder of MNIST.'
    """

    template: str
    content: dict[str, Any]

    def __new__(cls, template: str, **content: Any) -> Phrase:
        phrase = super().__new__(cls, template.format_map(_Words(content)))
        phrase.template, phrase.content = template, content
        return phrase

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.template,), self.content

    def said(self, words: Mapping[str, str]) -> str:
        """Return the text with other words for the arguments that are marked in it."""
        return self.template.format_map(_Words({**words, **self.content}))


class _Words(dict[str, Any]):
    """Words for what a template has in braces; what has no other is said as it stands there."""

    def __missing__(self, key: str) -> str:
        return key


def say(text: str, words: Mapping[str, str]) -> str:
    """Return a text with the arguments in other words, where they are marked."""
    return text.said(words) if isinstance(text, Phrase) else text


def one_line(said: object, most: int | None = None) -> str:
    """Return what an error says on one line, at most so many letters of it; nothing is read out.

    What torch says of a state dict, for one, runs over many lines.
    """
    return " ".join(str(said).split())[:most]


class RemediedError(Exception):
    """An error that says what is wrong, and then what to do about it.

    Parameters
    ----------
    fault : str, default=""
        What is wrong; sentences.
    remedy : str, default=""
        What to do about it; a sentence, a `Phrase` where it is about arguments.
    """

    def __init__(self, fault: str = "", remedy: str = "") -> None:
        super().__init__(f"{fault} {remedy}".rstrip())
        self.fault, self.remedy = fault, remedy
