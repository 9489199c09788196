"""What the labels of some samples tell about the labels of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skactive._validation import invalid
from skactive.selection._batch_bald import check_log_probs

_OWNER = "predictive_information"
# Joint probabilities that are held at a time.
_BLOCK = 2**18


def predictive_information(log_probs: Any, log_probs_target: Any) -> np.ndarray:
    """Return the expected mutual information of samples' labels with those of target samples.

    From T draws of a network, the labels y of a sample and y* of a target have the joint
    distribution p(y, y*) = (1/T) Σ_t p_t(y) p_t(y*). The value of a sample is the mean over the
    targets of

        Σ_y Σ_y* p(y, y*) log [p(y, y*) / (p̄(y) p̄(y*))],

    in nats, from 0 to log C. The joint tables are made and summed up in tiles of bounded size.

    Parameters
    ----------
    log_probs : array or tensor of shape (N, T, C)
        Log-probabilities of the samples.
    log_probs_target : array or tensor of shape (M, T, C')
        Those of the targets, by the same draws in the same order.

    Returns
    -------
    ndarray of shape (N,)
        The values, computed in the precision of `log_probs`.

    Raises
    ------
    InvalidParameterError
        If they are not logarithms of distributions, or differ in the number of draws.

    References
    ----------
    .. [1] EPIG, arXiv 2304.08151, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.selection import predictive_information
    >>> one = [[0.9, 0.1], [0.1, 0.9]]  # two draws that disagree
    >>> other = [[0.5, 0.5], [0.5, 0.5]]
    >>> predictive_information(np.log([one, other]), np.log([one])).round(3)
    array([0.222, 0.   ])
    """
    log_p = check_log_probs("log_probs", log_probs, _OWNER)
    log_q = check_log_probs("log_probs_target", log_probs_target, _OWNER)
    if log_q.shape[1] != log_p.shape[1]:
        must = f"of shape (M, {log_p.shape[1]}, C'), with as many draws as log_probs"
        raise invalid("log_probs_target", _OWNER, must, log_probs_target)
    log_q = log_q.to(log_p.device, log_p.dtype)
    (N, T, C), (M, _, K) = log_p.shape, log_q.shape
    tiny = torch.finfo(log_p.dtype).tiny
    found = log_p.new_zeros(N)
    few_targets = min(M, max(1, _BLOCK // (C * K)))
    few_samples = max(1, _BLOCK // (C * few_targets * K))
    for q in log_q.split(few_targets):
        right = q.exp().transpose(0, 1).reshape(T, -1)  # (T, m·K)
        right_mean = right.mean(0)
        for start in range(0, N, few_samples):
            own = log_p[start : start + few_samples].exp()
            left = own.transpose(1, 2).reshape(-1, T)  # (n·C, T)
            joint = (left @ right).div_(T)
            apart = torch.outer(left.mean(1), right_mean)
            # Each term is at least 0; entropies would cancel where the labels are independent.
            terms = (
                joint.div(apart.clamp_min(tiny))
                .clamp_min_(tiny)
                .log_()
                .mul_(joint)
                .add_(apart)
                .sub_(joint)
            )
            found[start : start + few_samples] += terms.view(len(own), -1).sum(1)
    return (found / M).clamp_min_(0).cpu().numpy()
