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
from skactive._scoring import scoring
from skactive._sub_pool import SubPool
from skactive._validation import Description, Phrase, describe, invalid, owner_name
from skactive.gradients import head_inputs
from skactive.strategies.base._networks import PoolInputs, PoolNetwork
from skactive.strategies.base._progress import shown
from skactive.strategies.base._query_strategy import BATCH_CONSTRAINTS, QueryStrategy, Selection

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

    def select(
        self,
        estimator: Any,
        X_pool: Any,
        n_instances: int = 1,
        *,
        X_labelled: Any = None,
        y_labelled: Any = None,
        embeddings: Any = None,
        embeddings_labelled: Any = None,
    ) -> Selection:
        """Choose samples for any fitted estimator, without a modAL learner.

        Parameters
        ----------
        estimator : object
            A fitted CNNClassifier, a plain skorch NeuralNetClassifier, a Pipeline or a fitted
            search that ends in one, or a modAL learner of these. Where the embeddings do not come
            from its network it is not looked at, and may be None.
        X_pool : array-like, Tensor or torch Dataset of N samples
            The unlabelled pool, read in batches.
        n_instances : int, default=1
            Number of samples to choose.
        X_labelled, y_labelled : array-like of L samples, or None, default=None
            The labelled samples and their labels.
        embeddings : array or tensor of shape (N, D), or None, default=None
            Embeddings of the pool that exist already, used in place of the strategy's own.
        embeddings_labelled : array or tensor of shape (L, D), or None, default=None
            Those of the labelled samples; needed with the former where there are such samples.

        Returns
        -------
        Selection
            The positions in the pool, and the utilities or gains behind them.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be, the pool is empty, `n_instances` exceeds it, or
            the embeddings are not one row per sample.
        NotFittedError
            If the estimator, or the transformer that embeds, is not fitted.
        UnsupportedEstimatorError
            If there is no network whose embeddings could be read.
        """
        if isinstance(self.embeddings, (np.ndarray, Tensor)):
            raise invalid(
                "embeddings",
                self,
                Phrase("a callable, a fitted transformer, a torch module or {None}"),
                self.embeddings,
                "Pass an array that is aligned with one pool to select.",
            )
        if embeddings is None and embeddings_labelled is not None:
            raise invalid(
                "embeddings",
                self,
                "given where embeddings_labelled is",
                None,
                "Embed pool and labelled samples in the same way.",
            )
        if embeddings is not None:
            X_pool = _Given("embeddings", embeddings, X_pool, self)
            if X_labelled is not None and n_rows(X_labelled):
                X_labelled = _Given("embeddings_labelled", embeddings_labelled, X_labelled, self)
        return super().select(
            estimator, X_pool, n_instances, X_labelled=X_labelled, y_labelled=y_labelled
        )

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
        return _normalized(pool), None if labelled is None else _normalized(labelled)

    def _read(self, estimator: Any, X_pool: Any, X_labelled: Any) -> tuple[Tensor, Tensor | None]:
        given = X_pool.X if isinstance(X_pool, SubPool) else X_pool
        if isinstance(given, _Given):
            device = given.values.device
            if self.device is not None:
                device = resolve_device(self.device, self)
            pool = given.values if given is X_pool else given.values[X_pool.positions]
            labelled = None if X_labelled is None else X_labelled.values.to(device)
            return pool.to(device), labelled
        parts = [("X_pool", X_pool)]
        if X_labelled is not None:
            parts.append(("X_labelled", X_labelled))
        if self.embeddings is None:
            network = PoolNetwork(estimator, self, self.device)
            network.check(X_pool)
            samples = PoolInputs(network, *((name, X, np.arange(n_rows(X))) for name, X in parts))
            with samples.counted():
                found = head_inputs(network.module, samples, batch_size=self.batch_size).inputs
        else:
            embed = self._embedder()
            found = torch.cat([self._apply(embed, name, X) for name, X in parts])
        n_pool = n_rows(X_pool)
        return found[:n_pool], found[n_pool:] if X_labelled is not None else None

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
        return lambda block: given.transform(_as_rows(block, given))

    def _apply(self, embed: Callable[[Any], Any], parameter: str, X: Any) -> Tensor:
        """Return the embeddings of samples, read block by block."""
        device = None if self.device is None else resolve_device(self.device, self)

        def compute(block: Any, start: int) -> Tensor:
            rows = _as_embeddings(embed(block), n_rows(block), self, device)
            check_finite(rows, self, f"embeddings of {parameter}", start)
            return rows

        found: Tensor | None = None
        for block, rows in shown(self, n_rows(X), map_batches(compute, X, self.batch_size)):
            if found is None:
                found = rows.new_empty(n_rows(X), rows.shape[1])
            found[block] = rows
        assert found is not None
        return found


class _Given:
    """Embeddings that stand for samples, with their number checked."""

    def __init__(self, name: str, values: Any, samples: Any, owner: object) -> None:
        self.samples = samples
        n = n_rows(samples)
        shape: tuple[int, ...] = getattr(values, "shape", ())
        if len(shape) < 2 or shape[0] != n:
            must = f"an array of shape ({n}, D), a row for each sample"
            raise invalid(name, owner, must, values)
        self.values = _as_embeddings(values, n, owner, None)
        check_finite(self.values, owner, name)

    def __len__(self) -> int:
        return len(self.values)


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


def _normalized(X: Tensor) -> Tensor:
    norms = torch.linalg.vector_norm(X, dim=1, keepdim=True)
    return X / torch.where(norms > 0, norms, 1)


def _as_rows(block: Any, transformer: Any) -> Any:
    """Return images as rows, if the transformer was fitted on such rows."""
    shape: tuple[int, ...] = getattr(block, "shape", ())
    wanted = getattr(transformer, "n_features_in_", None)
    block = block.detach().cpu().numpy() if isinstance(block, Tensor) else block
    if len(shape) > 2 and wanted == int(np.prod(shape[1:])):
        return block.reshape(shape[0], -1)
    return block


def _as_embeddings(values: Any, n: int, owner: object, device: torch.device | None) -> Tensor:
    """Return what embeds n samples as floats (n, D), outside of inference mode."""
    tensor = as_tensor(values.toarray() if hasattr(values, "toarray") else values)
    if tensor.ndim < 2 or len(tensor) != n:
        raise invalid(
            "embeddings",
            owner,
            f"what returns a row of numbers for each of {n} samples",
            Description(f"one that returns {describe(values)}"),
        )
    tensor = tensor.flatten(1)
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    return tensor if device is None else tensor.to(device)
