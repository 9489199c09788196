"""How many samples a network is given at once where it predicts."""

from __future__ import annotations

import math

import torch

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
