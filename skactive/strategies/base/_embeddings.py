"""Embeddings of samples, from the fitted network or from anywhere else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skactive._batches import as_tensor, check_finite, map_batches, n_rows
from skactive._device import module_device, resolve_device, same_device, unwrap
from skactive._one_label import plain_array
from skactive._pool import Pool, pools_of
from skactive._scoring import scoring
from skactive._validation import Phrase, invalid, owner_name
from skactive.gradients import head_inputs
from skactive.strategies.base._given import as_rows
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy

EMBEDDING_CONSTRAINTS: dict[str, list] = {
    **BATCH_CONSTRAINTS,
    "embeddings": [callable, HasMethods("transform"), None],
}


class EmbeddingStrategy(QueryStrategy):
    """Base class of the strategies that read nothing but embeddings of pool and labelled samples.

    A subclass has the parameters `embeddings`, `batch_size` and `device`, and calls `_embed`.
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **QueryStrategy._parameter_constraints,
        **EMBEDDING_CONSTRAINTS,
    }
    embeddings: Any
    batch_size: int
    device: Any

    def _validate_params(self) -> None:
        if isinstance(self.embeddings, (np.ndarray, Tensor)):
            raise invalid(
                "embeddings",
                self,
                Phrase("a callable, a fitted transformer, a torch module or {None}"),
                self.embeddings,
                "Pass an array that is aligned with one pool to select.",
            )
        super()._validate_params()

    def _embed(
        self, estimator: Any, X_pool: Any, X_labelled: Any, *, normalize: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return the embeddings of the pool, (N, D), and of the labelled samples, if any, (L, D).

        They are float32 or float64, finite, and on one device; of norm 1 (or 0) if normalized.
        """
        if X_labelled is not None and not n_rows(X_labelled):
            X_labelled = None
        pool, labelled = self._read(estimator, X_pool, X_labelled)
        if not normalize:
            return pool, labelled
        return normalized(pool), None if labelled is None else normalized(labelled)

    def _read(self, estimator: Any, X_pool: Any, X_labelled: Any) -> tuple[Tensor, Tensor | None]:
        pools = pools_of(X_pool, X_labelled)
        pool, labelled = pools[0], pools[1] if len(pools) > 1 else None
        if pool.embeddings is not None:
            where = pool.embeddings.device
            where = where if self.device is None else resolve_device(self.device, self)
            found = [one.embeddings.to(where) for one in pools if one.embeddings is not None]
            return found[0], found[1] if labelled is not None else None
        if self.embeddings is None:
            network = PoolNetwork(estimator, self, self.device)
            network.check(pool)
            with counted(self, network.samples(*pools)) as samples:
                rows = head_inputs(network.module, samples, batch_size=self.batch_size).inputs
        else:
            embed = self._embedder()
            rows = torch.cat([self._apply(embed, one) for one in pools])
        return rows[: len(pool)], rows[len(pool) :] if labelled is not None else None

    def _embedder(self) -> Callable[[Any], Any]:
        """Return what embeds a block of samples."""
        given = self.embeddings
        if isinstance(given, nn.Module):
            return _ModuleEmbedder(given, self.device, self)
        if not hasattr(given, "transform"):
            return given
        try:
            check_is_fitted(given)
        except NotFittedError:
            raise NotFittedError(
                f"{owner_name(self)} embeds with a {owner_name(given)} that is not fitted. Fit it "
                "first; as sklearn.clone takes the fit off, pass FrozenEstimator(transformer) "
                "where the strategy is cloned."
            ) from None
        return lambda block: given.transform(_flattened(block, given))

    def _apply(self, embed: Callable[[Any], Any], pool: Pool) -> Tensor:
        """Return the embeddings of samples, read block by block."""
        device = None if self.device is None else resolve_device(self.device, self)

        def compute(block: Any, start: int) -> Tensor:
            rows = as_rows(embed(block), n_rows(block), self, device)
            check_finite(rows, self, f"embeddings of {pool.name}", start)
            return rows

        found: Tensor | None = None
        with counted(self, pool) as samples:
            for block, rows in map_batches(compute, samples, self.batch_size):
                if found is None:
                    found = rows.new_empty(len(pool), rows.shape[1])
                found[block] = rows
        assert found is not None
        return found


class _ModuleEmbedder:
    """A torch module, scored in evaluation mode and left as it was."""

    def __init__(self, module: nn.Module, device: Any, owner: object) -> None:
        module = unwrap(module)
        where = module_device(module) if device is None else resolve_device(device, owner)
        if not same_device(where, module_device(module)):
            module = copy.deepcopy(module).to(where)
        self.module, self.device, self.owner = module, where, owner

    def __call__(self, block: Any) -> Tensor:
        inputs = as_tensor(np.stack(block) if isinstance(block, list) else block)
        if inputs.dtype == torch.uint8:
            raise invalid(
                "X_pool",
                self.owner,
                "floats where a torch module embeds",
                block,
                "Put the conversion into the module, or pass a callable that converts and embeds.",
            )
        dtype = inputs.dtype
        if inputs.is_floating_point():
            floating = (p.dtype for p in self.module.parameters() if p.is_floating_point())
            dtype = next(floating, dtype)
        with scoring(self.module), torch.no_grad():
            out = self.module(inputs.to(self.device, dtype, copy=True))
        return out[0] if isinstance(out, (tuple, list)) else out


def normalized(X: Tensor) -> Tensor:
    """Return rows scaled to norm 1; those of norm 0 stay."""
    norms = torch.linalg.vector_norm(X, dim=1, keepdim=True)
    squares = norms.square()
    # Squares that overflow or underflow, or nearly: of numbers that are scaled beforehand.
    odd = ~torch.isfinite(squares) | (
        squares < torch.finfo(X.dtype).tiny / torch.finfo(X.dtype).eps
    )
    if bool(odd.any()):
        largest = X.abs().amax(1, keepdim=True)
        X = X / torch.where(odd & (largest > 0), largest, 1)
        norms = torch.linalg.vector_norm(X, dim=1, keepdim=True)
    return X / torch.where(norms > 0, norms, 1)


def _flattened(block: Any, transformer: Any) -> Any:
    """Return images as rows, if the transformer was fitted on such rows."""
    shape: tuple[int, ...] = getattr(block, "shape", ())
    wanted = getattr(transformer, "n_features_in_", None)
    block = plain_array(block) if isinstance(block, Tensor) else block
    if len(shape) > 2 and wanted == int(np.prod(shape[1:])):
        return block.reshape(shape[0], -1)
    return block
