"""Sequences of samples as torch Datasets, which are read in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.utils.data import Dataset


class Items(Dataset):
    """The items of a sequence, such as skorch's SliceDataset.

    Parameters
    ----------
    items : sequence
        The samples.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]
