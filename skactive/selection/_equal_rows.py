"""Which samples are the same: pools hold copies, and what holds for one holds for all."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from skactive.selection._rows import blocks

_INTS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
_ODD = -0x61C8864680B583EB


def first_equal(X: Annotated[Tensor, "N ..."]) -> Annotated[Tensor, "N"]:
    """Return the position of the first row that equals each row, (N,), its own if it is the first.

    Rows are told apart by a checksum, and those that share one are compared. Of different rows that
    share one, copies count as different.
    """
    rows = X.flatten(1)
    D = rows.shape[1]
    draw = torch.Generator().manual_seed(0)
    weights = torch.randint(-(2**62), 2**62, (D,), generator=draw).mul_(2).add_(1).to(rows.device)
    sums = torch.empty(len(rows), dtype=torch.int64, device=rows.device)
    for block in blocks(len(rows), D):
        positive_zero = (rows[block] + 0.0).contiguous()
        bits = positive_zero.view(_INTS[rows.element_size()]).long()
        bits ^= bits >> 31  # or the sign, a highest bit, would be lost in products
        bits *= _ODD
        bits ^= bits >> 32
        sums[block] = (bits * weights).sum(1)  # modulo 2⁶⁴: in any order the same
    itself = torch.arange(len(rows), device=rows.device)
    found, group = sums.unique(return_inverse=True)
    first = torch.full_like(found, len(rows)).scatter_reduce_(0, group, itself, "amin")[group]
    later = torch.nonzero(first != itself).flatten()
    for block in blocks(len(later), D):
        some = later[block]
        same = (rows[some] == rows[first[some]]).all(1)
        first[some] = torch.where(same, first[some], some)
    return first
