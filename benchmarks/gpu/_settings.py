"""What every step is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Settings:
    """What every step is given.

    Attributes
    ----------
    device : str
        Where to measure: "cuda", or "cpu" to show that the script runs.
    tiny : bool
        Small sizes, which prove nothing and have no targets.
    out : Path
        The folder for what a step writes besides its rows.
    data : Path or None
        The folder with CIFAR-10-LT, if it is there.
    seconds : float
        What the step has.
    found : dict of str to float
        The rows of the steps before: what was measured, and the value.
    """

    device: str
    tiny: bool
    out: Path
    data: Path | None = None
    seconds: float = 60.0
    found: dict[str, float] = field(default_factory=dict)

    def size(self, full: Any, tiny: Any) -> Any:
        """Return the size to measure at."""
        return tiny if self.tiny else full

    def target(self, value: float) -> float | None:
        """Return a target; none at small sizes."""
        return None if self.tiny else value


def waited(device: str, function: Callable[[], Any]) -> Callable[[], None]:
    """Return a function that also waits until the device has done it."""

    def run() -> None:
        function()
        if device == "cuda":
            torch.cuda.synchronize()

    return run
