"""Factors of each sample's Fisher information, on a mask of parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from skactive._batches import map_batches, n_rows
from skactive._device import unwrap
from skactive._validation import check_count, invalid
from skactive.fisher._block_factors import BlockFactors
from skactive.fisher._concatenated import ConcatenatedFactors
from skactive.fisher._dense import DenseFactors
from skactive.fisher._factors import FisherFactors
from skactive.fisher._kronecker import KroneckerFactors
from skactive.fisher._mask import split_mask
from skactive.fisher._rank import check_rank, rows_of
from skactive.fisher._separate import SeparateFactors
from skactive.gradients.engine import (
    EntryTaker,
    Geometry,
    Network,
    OuterTaker,
    Plan,
    Reduce,
    Seen,
    Taker,
    Tape,
    class_roots,
    class_rows,
    general_gradients,
    lend_network,
    make_plan,
    trainable_parameters,
)


def fisher_factors(
    module: nn.Module,
    X: Any,
    mask: Any,
    *,
    weighting: str = "probability",
    rank: int | None = None,
    curvature: str = "full",
    batch_size: int = 256,
    device: str | torch.device | None = None,
) -> FisherFactors:
    """Factors V(x) of the Fisher information I(x) = V(x)ᵀ V(x) on some parameters.

    Row c of V(x) is √p_c ∂ log p_c(x) on the mask. A linear layer on one row per sample whose whole
    weight is in the mask, as the last layer is in FisherMask's, is kept as a Kronecker product;
    the other entries are gathered. One forward pass and C backward passes per batch, which go no
    further back than the earliest layer in the mask; none for the last layer.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits (N, C), or a tuple that begins with them. It is scored in evaluation mode
        and left as it was. Half-precision weights are scored in float32.
    X : array, tensor, sequence or torch Dataset of length N
        The samples. Floats are cast to the module's type, integers passed as they are.
    mask : array or tensor of int, of shape (k,)
        Increasing flat positions among the trainable parameters, in `module.parameters()` order,
        as `parameter_mask` returns them.
    weighting : {"probability", "uniform", "reduced"}, default="probability"
        Whether row c carries √p_c, as the formula has it, or not, as the published code. "reduced"
        gives C − 1 other rows, of the same V(x)ᵀ V(x) as "probability", whose C rows depend on each
        other: all that a selection needs, with one backward pass fewer.
    rank : int or None, default=None
        r: the rows of the top r eigenvectors of diag(p) − p pᵀ, which keep the most of V(x)ᵀ V(x)
        in r rows and as many backward passes, see `choose_rank`. Not with "uniform". None is all.
    curvature : {"full", "blocks"}, default="full"
        What is kept of V(x)ᵀ V(x): all of it, or of the last layer the block of each class with
        itself, and of the other parameters in the mask one block, with nothing between these. The
        mask then has to have the whole last layer. Its blocks ω_c h hᵀ are exact with a rank too:
        ω_c = p_c (1 − p_c), and with "uniform" (1 − p_c)² + (C − 1) p_c².
    batch_size : int, default=256
        Samples per batch.
    device : str, torch.device or None, default=None
        Where to compute and to keep the factors; None is where the module is, "auto" the best
        device here.

    Returns
    -------
    FisherFactors
        V, (N, C, k), (N, C − 1, k) or (N, r, k), in the order of the mask: with `matmul`, `rows`,
        `gram`, `quadratic` and `dense`. In blocks there are C rows more, and the columns of the
        last layer, class by class, come before the others.

    Raises
    ------
    InvalidParameterError
        If the mask is not one of this module, or lacks a part of the last layer where that is to be
        in blocks, if there are no samples, if the module does not return two or more finite logits
        per sample, or if it mixes the samples of a batch.

    References
    ----------
    .. [1] FisherMask, arXiv 2411.05752; BAIT, arXiv 2106.09675; blocks: Approx-FIRAL, arXiv
       2409.07392.

    Examples
    --------
    >>> import torch
    >>> from skactive.fisher import fisher_factors
    >>> module = torch.nn.Linear(1, 2, bias=False)
    >>> _ = torch.nn.init.zeros_(module.weight)
    >>> factors = fisher_factors(module, torch.tensor([[2.0]]), torch.tensor([0, 1]))
    >>> factors
    KroneckerFactors(1 × 2 × 2, torch.float32, cpu)
    >>> factors.gram()  # x² (diag(p) − p pᵀ)
    tensor([[ 1.0000, -1.0000],
            [-1.0000,  1.0000]], dtype=torch.float64)
    """
    owner = "fisher_factors"
    batch_size = check_count("batch_size", owner, batch_size)
    if weighting not in ("probability", "uniform", "reduced"):
        raise invalid("weighting", owner, "'probability', 'uniform' or 'reduced'", weighting)
    rank = check_rank(rank, owner)
    if rank is not None and weighting == "uniform":
        remedy = "The rank is that of diag(p) − p pᵀ: take another weighting."
        raise invalid("rank", owner, "None where weighting='uniform'", rank, remedy)
    if curvature not in ("full", "blocks"):
        raise invalid("curvature", owner, "'full' or 'blocks'", curvature)
    wanted, columns = split_mask(mask, trainable_parameters(unwrap(module), owner), owner)
    with lend_network(module, X, device, owner) as network:
        wanted = {name: positions.to(network.device) for name, positions in wanted.items()}

        def taker(geometry: Geometry, names: dict[str, str], seen: Seen) -> Taker:
            own = {name: wanted[full] for name, full in names.items()}
            return _taker(geometry, own, seen.on_rows)

        def entries(name: str, gradient: Tensor) -> Tensor:
            return gradient[wanted[name]]

        def rows_from(logits: Tensor) -> Tensor:
            if rank is not None or weighting == "reduced":
                return rows_of(logits, rank)
            return class_rows(logits, weighting)

        def roots_from(logits: Tensor) -> Tensor:
            """√ω of the last layer in blocks, which has all C rows whatever the rank."""
            if weighting == "uniform":
                return torch.linalg.vector_norm(class_rows(logits, weighting), dim=1)
            return class_roots(logits)

        plan = make_plan(network, X, wanted, taker, entries)
        layout = _lay_out(plan, columns, curvature)
        stored: dict[str, Tensor] = {}
        with Tape(network, plan.takers, plan.head) as tape:

            def compute(block: Any, start: int) -> dict[str, Tensor]:
                X = network.inputs(block)
                return _batch(network, plan, layout, tape, X, (rows_from, roots_from), entries)

            for block, batch in map_batches(compute, X, batch_size):
                for key, values in batch.items():
                    if key not in stored:
                        stored[key] = values.new_empty(n_rows(X), *values.shape[1:])
                    stored[key][block] = values
    return _assemble(layout, stored)


@dataclass
class _Layout:
    """Where things go.

    Attributes
    ----------
    outer : dict of torch.nn.Module to torch.Tensor
        For each layer kept as a Kronecker product, the columns of V that its columns are.
    gathered : dict of torch.nn.Module or str to slice
        For each other layer, or parameter on a slower path, its columns in the dense part.
    columns : list of torch.Tensor
        The columns of V that those of the dense part are, in the order of `gathered`.
    in_blocks : torch.nn.Module or None
        The last layer, if it is kept in blocks; it is among the outer ones.
    """

    outer: dict[nn.Module, Tensor] = field(default_factory=dict)
    gathered: dict[nn.Module | str, slice] = field(default_factory=dict)
    columns: list[Tensor] = field(default_factory=list)
    in_blocks: nn.Module | None = None
    size: int = 0

    def gather(self, key: nn.Module | str, columns: Tensor) -> None:
        """Give a layer or a parameter its place in the dense part."""
        self.gathered[key] = slice(self.size, self.size + len(columns))
        self.columns.append(columns)
        self.size += len(columns)


def _taker(geometry: Geometry, wanted: dict[str, Tensor], on_rows: bool) -> Taker:
    whole = all(
        (name in wanted and len(wanted[name]) == parameter.numel()) or name not in wanted
        for name, parameter in geometry.layer._parameters.items()
        if parameter is not None
    )
    kind = OuterTaker if on_rows and whole and "weight" in wanted else EntryTaker
    return kind(geometry, wanted)


def _lay_out(plan: Plan, columns: dict[str, Tensor], curvature: str) -> _Layout:
    layout = _Layout()
    if curvature == "blocks":
        layout.in_blocks = plan.head
        if plan.head is None or not isinstance(plan.takers.get(plan.head), OuterTaker):
            must = "'full' unless the mask has the whole last layer, which is linear"
            raise invalid("curvature", "fisher_factors", must, curvature)
    for layer, names in plan.names.items():
        of = [columns[names[own]] for own in ("weight", "bias") if own in names]
        if isinstance(plan.takers[layer], OuterTaker):
            n_outputs = plan.takers[layer].geometry.n_outputs
            by_output = [positions.view(n_outputs, -1) for positions in of]
            layout.outer[layer] = torch.cat(by_output, 1).flatten()
        else:
            layout.gather(layer, torch.cat(of))
    for name, path in plan.paths.items():
        if path != "fast":
            layout.gather(name, columns[name])
    return layout


def _batch(
    network: Network,
    plan: Plan,
    layout: _Layout,
    tape: Tape,
    X: Tensor,
    of_logits: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]],
    entries: Reduce,
) -> dict[str, Tensor]:
    """Compute what is stored of a batch: "dense" (n, C, k'), and a left and right per layer."""
    try:
        logits = tape.forward(X)
        network.check_alone(X[:1], logits)
        rows_from, roots_from = of_logits
        rows = rows_from(logits)
        n, C, _ = rows.shape
        dense = rows.new_empty(n, C, layout.size)
        batch = {"dense": dense}
        for i, layer in enumerate(layout.outer):
            taker = plan.takers[layer]
            assert isinstance(taker, OuterTaker)
            batch[f"left {i}"] = rows.new_empty(n, C, taker.geometry.n_outputs)
            batch[f"right {i}"] = taker.inputs
        for c in range(C):
            tape.pull(rows[:, c])
            for i, layer in enumerate(layout.outer):
                taker = plan.takers[layer]
                assert isinstance(taker, OuterTaker)
                batch[f"left {i}"][:, c] = taker.delta
            for layer, taker in plan.takers.items():
                if isinstance(taker, EntryTaker):
                    dense[:, c, layout.gathered[layer]] = taker.entries
        for i, layer in enumerate(layout.outer):
            if layer is layout.in_blocks:
                batch[f"left {i}"] = roots_from(logits)
    finally:
        tape.release()
    for start, by_name in general_gradients(network, plan.paths, X, rows, entries):
        for name, values in by_name.items():
            dense[start : start + len(values), :, layout.gathered[name]] = values
    return batch


def _assemble(layout: _Layout, stored: dict[str, Tensor]) -> FisherFactors:
    parts: list[FisherFactors] = []
    columns: list[Tensor] = []
    blocks: BlockFactors | None = None
    for i, (layer, of_layer) in enumerate(layout.outer.items()):
        left, right = stored[f"left {i}"], stored[f"right {i}"]
        if layer is layout.in_blocks:
            blocks = BlockFactors(left, right)
        else:
            parts.append(KroneckerFactors(left, right))
            columns.append(of_layer)
    if layout.size:
        parts.append(DenseFactors(stored["dense"]))
        columns.append(torch.cat(layout.columns))
    if blocks is None:
        return _side_by_side(parts, columns)
    if not parts:
        return blocks
    inside = torch.cat(columns).sort().values  # what is left of the mask
    columns = [torch.searchsorted(inside, of_part) for of_part in columns]
    return SeparateFactors([blocks, _side_by_side(parts, columns)])


def _side_by_side(parts: list[FisherFactors], columns: list[Tensor]) -> FisherFactors:
    if len(parts) == 1 and bool((columns[0].diff() == 1).all()):
        return parts[0]
    return ConcatenatedFactors(parts, columns)
