"""Slow, obvious, float64: what the fast code is compared with."""

from __future__ import annotations

from itertools import product
from math import log

import numpy as np
import torch
from torch import Tensor, nn


def trainable(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def class_rows(logits: Tensor, weighting: str) -> Tensor:
    """S of one sample, (C, C): row c is √p_c (e_c − p), or e_c − p."""
    p = logits.softmax(0)
    rows = torch.eye(len(p), dtype=p.dtype) - p
    return p.sqrt()[:, None] * rows if weighting == "probability" else rows


def naive_rows(module: nn.Module, X: Tensor, weighting: str = "probability") -> Tensor:
    """V on all trainable parameters, (N, C, P): one backward pass per sample and class."""
    parameters = trainable(module)
    module.eval()
    rows = []
    for i in range(len(X)):
        logits = module(X[i : i + 1])
        logits = (logits[0] if isinstance(logits, tuple) else logits)[0]
        log_p = logits.log_softmax(0)
        scale = log_p.exp().sqrt() if weighting == "probability" else torch.ones_like(log_p)
        for c in range(len(log_p)):
            grads = torch.autograd.grad(
                log_p[c], parameters, retain_graph=True, materialize_grads=True
            )
            rows.append(scale[c] * torch.cat([g.flatten() for g in grads]))
    # Some versions of torch follow the zeros that they materialise for unused parameters.
    return torch.stack(rows).view(len(X), -1, rows[0].numel()).detach()


def naive_diagonal(module: nn.Module, X: Tensor) -> Tensor:
    """d_j = mean over samples of Σ_c p_c (∂_j log p_c)², (P,)."""
    return naive_rows(module, X).square().sum(1).mean(0)


def naive_norms(module: nn.Module, X: Tensor, score: str, norm: str) -> Tensor:
    """Norms of the gradient of each sample's entropy, or of −log p_c: one sample at a time."""
    parameters = trainable(module)
    module.eval()

    def length(value: Tensor) -> Tensor:
        grads = torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True)
        each = torch.stack([g.norm() for g in grads])
        return each.sum() if norm == "layer_sum" else each.norm()

    norms = []
    for i in range(len(X)):
        logits = module(X[i : i + 1])
        log_p = (logits[0] if isinstance(logits, tuple) else logits)[0].log_softmax(0)
        p = log_p.exp()
        if score == "entropy":
            norms.append(length(-(p * log_p).sum()))
        elif score == "predicted":
            norms.append(length(-log_p.max()))
        else:
            norms.append(sum(p[c] * length(-log_p[c]) for c in range(len(p))))
    return torch.stack(norms).detach()


def information(
    V: np.ndarray,
    candidates: np.ndarray,
    labelled: np.ndarray,
    n: int,
    regularization: float,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """I_U, or by weights I_T, M with nothing picked, and V scaled, all float64."""
    V = np.asarray(V, dtype=np.float64)
    if weights is None:
        weights = np.zeros(len(V))
        weights[np.union1d(candidates, labelled).astype(int)] = 1
    w = weights / weights.sum()
    I_U = np.einsum("n,nck,ncl->kl", w, V, V, optimize=True)
    M = regularization * np.eye(V.shape[2])
    n_L = len(labelled)
    if n_L:
        I_L = np.einsum("nck,ncl->kl", V[labelled], V[labelled], optimize=True) / n_L
        M = M + n_L / (n_L + n) * I_L
    return I_U, M, V * np.sqrt(n / (n_L + n))


def objective(
    V: np.ndarray,
    picks: np.ndarray,
    candidates: np.ndarray,
    labelled: np.ndarray,
    n: int,
    regularization: float = 1.0,
) -> float:
    """tr(M_S⁻¹ I_U) for S = picks, the scaling that of a batch of n."""
    I_U, M, V = information(V, candidates, labelled, n, regularization)
    M = M + np.einsum("nck,ncl->kl", V[picks], V[picks], optimize=True)
    return float(np.trace(np.linalg.solve(M, I_U)))


def gains_given(W: np.ndarray, I_U: np.ndarray, V: np.ndarray, sign: float = 1.0) -> np.ndarray:
    """tr[(I ± A_x)⁻¹ B_x] of every sample: the published code's step."""
    VW = V @ W
    A = np.einsum("nck,ndk->ncd", VW, V, optimize=True)
    B = np.einsum("nck,ndk->ncd", VW @ I_U, VW, optimize=True)
    return np.trace(np.linalg.solve(np.eye(V.shape[1]) + sign * A, B), axis1=1, axis2=2)


def woodbury(W: np.ndarray, V_s: np.ndarray, sign: float = 1.0) -> np.ndarray:
    """(W⁻¹ ± V_sᵀ V_s)⁻¹."""
    WV = W @ V_s.T
    inner = np.eye(len(V_s)) + sign * V_s @ WV
    return W - sign * WV @ np.linalg.solve(inner, WV.T)


def published_greedy(
    V: np.ndarray,
    n: int,
    candidates: np.ndarray,
    labelled: np.ndarray,
    regularization: float = 1.0,
    oversample_to: int | None = None,
    weights: np.ndarray | None = None,
) -> list[int]:
    """The published loop: each step recomputes gains; then, if oversampled, the least useful go."""
    I_U, M, V = information(V, candidates, labelled, n, regularization, weights)
    W, picks = np.linalg.inv(M), []
    left = list(candidates)
    for _ in range(oversample_to or n):
        best = left.pop(int(np.argmax(gains_given(W, I_U, V[left]))))
        W = woodbury(W, V[best])
        picks.append(int(best))
    while len(picks) > n:
        worst = picks.pop(int(np.argmin(gains_given(W, I_U, V[picks], -1.0))))
        W = woodbury(W, V[worst], -1.0)
    return picks


def joint_information(log_p: np.ndarray, batch: list[int]) -> float:
    """I(y_1, …, y_m; θ) by summing over every configuration of the labels."""
    p = np.exp(log_p)
    T, C = p.shape[1:]
    joint = 0.0
    for labels in product(range(C), repeat=len(batch)):
        given = [
            np.prod([p[x, t, y] for x, y in zip(batch, labels, strict=True)]) for t in range(T)
        ]
        q = np.mean(given)
        joint -= q * log(q) if q > 0 else 0
    entropies = [-sum(q * log(q) for q in p[x, t] if q > 0) for x in batch for t in range(T)]
    return joint - sum(entropies) / T


def greedy_joint_information(log_p: np.ndarray, n: int) -> tuple[list[int], np.ndarray]:
    """The batch that grows by the best sample each time, and what each added."""
    batch, values = [], [0.0]
    for _ in range(n):
        found = {
            x: joint_information(log_p, [*batch, x]) for x in range(len(log_p)) if x not in batch
        }
        batch.append(max(found, key=found.get))
        values.append(found[batch[-1]])
    return batch, np.diff(values)
