r"""The committed results, and what pages quote of them.

A page quotes a figure by naming its source, right after it:

    62 ×<!-- measured: selection | published / structured -->

That is the result NAME.json in the folder of results and the row's text; `h100/training` is a
result of a folder in it, from another machine. In a table the bar is written \|.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

_QUOTE = re.compile(
    r"(?P<figure>\d[\d,]*(?:\.\d+)?)(?P<unit>[^\d\n<]{0,20})"
    r"<!--\s*measured:\s*(?P<name>\S+)\s*\\?\|\s*(?P<what>.+?)\s*-->",
    re.DOTALL,
)
# What claims speed or memory, and so has to be a quotation.
_CLAIM = re.compile(
    r"\d[\d,.]*\s*(?:×(?![\d\s]*\d)|times\s+(?:as\s+fast|faster|less|slower|lighter)|images/s\b|"
    r"images\s+(?:a|per)\s+second)"
)


@dataclass(frozen=True)
class Quote:
    """A figure on a page, and the source that the page names.

    Attributes
    ----------
    figure : str
        As the page has it.
    name : str
        The result.
    what : str
        The row.
    """

    figure: str
    name: str
    what: str


def quotes(text: str) -> Iterator[Quote]:
    """Return the quotations on a page."""
    for found in _QUOTE.finditer(text):
        yield Quote(found["figure"], found["name"], " ".join(found["what"].split()))


def claims(text: str) -> list[str]:
    """Return the claims of speed on a page that are not quotations."""
    return [found[0] for found in _CLAIM.finditer(_QUOTE.sub("", text))]


def load(name: str, folder: Path = RESULTS) -> dict[str, Any]:
    """Return a committed result."""
    result: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return result


def measured(quote: Quote, folder: Path = RESULTS) -> float:
    """Return the value of the row that a quotation names."""
    found = [r for r in load(quote.name, folder)["rows"] if r["what"] == quote.what]
    if len(found) != 1:
        raise KeyError(f"{quote.name}.json has {len(found)} rows {quote.what!r}, not one")
    value: float = found[0]["value"]
    return value


def agrees(figure: str, value: float) -> bool:
    """Whether a figure is a value rounded, to two digits or more."""
    digits = figure.replace(",", "")
    whole, _, decimals = digits.partition(".")
    step = 10.0 ** -len(decimals)
    if not decimals:
        zeros = len(whole) - len(whole.rstrip("0"))
        step = 10.0 ** min(zeros, max(0, len(whole) - 2))
    return abs(float(digits) - value) <= step / 2 * (1 + 1e-9)
