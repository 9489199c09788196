"""How many samples a network is given at once where it predicts."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from skactive.estimators._inputs import InputFormat

# More samples at once make nothing faster: on a CPU the maps of 64 images stay in its caches.
_MOST = {"cpu": 64}
_MOST_ELSEWHERE = 256
# As many pixels as they have at 64×64; of larger images as many as training takes at once.
_SIDE = 64


def samples_at_once(
    predict_batch_size: int | None, batch_size: int, form: InputFormat, device: torch.device
) -> int:
    """Return the number of samples per forward pass.

    Parameters
    ----------
    predict_batch_size : int or None
        The number itself, if the user has set it.
    batch_size : int
        The number that training takes at once, whose memory there is: training takes more for each.
    form : InputFormat
        The samples' format.
    device : torch.device
        Where the network is.

    Returns
    -------
    int
        The number. If it is not set: 64, or 256 on a GPU, but of images larger than 64×64 no more
        than have as many pixels, or are a batch in training.
    """
    if predict_batch_size is not None:
        return predict_batch_size
    most = _MOST.get(device.type, _MOST_ELSEWHERE)
    if not form.is_image:
        return most
    pixels = math.prod(form.shape) // form.n_channels
    return min(most, max(batch_size, most * _SIDE**2 // pixels))


def gathered(parts: Iterable[tuple[slice, Tensor]], n: int) -> Tensor | None:
    """Put what a network gives for blocks of samples into one tensor.

    A list of small tensors, each made after the large ones of its batch, would keep the allocator
    from using the memory of these for the next batch as a whole.

    Parameters
    ----------
    parts : iterable of (slice, Tensor)
        The positions of a block, and a row for each.
    n : int
        The number of samples, all together.

    Returns
    -------
    Tensor of shape (n, ...) or None
        The rows, on the CPU; None if there are no parts.
    """
    out: Tensor | None = None
    for block, part in parts:
        if out is None:
            out = torch.empty((n, *part.shape[1:]), dtype=part.dtype, device="cpu")
        out[block] = part
    return out
