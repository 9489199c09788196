"""What every room that touches torch shares: device, batches, and leaving things as they were."""

from __future__ import annotations

import math
import random
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

from skactive._allocator import memory_kept
from skactive._validation import invalid, owner_name
from skactive.exceptions import BatchSizeWarning

# Seeding a fit or a query borrows the process-wide generators. Two threads that borrow them
# at once would see each other's draws, so borrowing is serialised; parallel work uses processes.
_GENERATORS = threading.RLock()

_Result = TypeVar("_Result")


def resolve_device(device: str | torch.device | None, owner: object = "skactive") -> torch.device:
    """Turn a `device` argument into a torch device.

    Parameters
    ----------
    device : {"auto"}, str, torch.device or None
        "auto" and None mean CUDA if there is one, then MPS, then the CPU.
    owner : object, default="skactive"
        What has the parameter, for the error message.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    InvalidParameterError
        If torch does not know the device, or this machine does not have it.
    """
    if device is None or (isinstance(device, str) and device == "auto"):
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    must = "'auto' or a torch device such as 'cpu', 'cuda', 'cuda:1' or 'mps'"
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError):
        raise invalid("device", owner, must, device, "Pass device='auto'.") from None
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise invalid(
            "device",
            owner,
            "a device of this machine, and torch finds no CUDA here",
            device,
            "Pass device='cpu' or 'auto', or install a CUDA build of torch and its driver.",
        )
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise invalid(
            "device",
            owner,
            f"one of the {torch.cuda.device_count()} CUDA devices here",
            device,
            "They are counted from cuda:0.",
        )
    if resolved.type == "mps" and not torch.backends.mps.is_available():
        raise invalid(
            "device",
            owner,
            "a device of this machine, and torch finds no MPS here",
            device,
            "Pass device='cpu' or 'auto'.",
        )
    if resolved.type not in ("cpu", "cuda", "mps"):
        raise invalid("device", owner, must, device, "Pass device='auto'.")
    return resolved


def same_device(a: torch.device, b: torch.device) -> bool:
    """Whether two names are of one device: "cuda" is "cuda:0"."""
    return a.type == b.type and (a.index or 0) == (b.index or 0)


def module_device(module: nn.Module) -> torch.device:
    """Return the device of a module's first parameter or buffer; the CPU if it has none."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")


def unwrap(module: nn.Module) -> nn.Module:
    """Return the module inside `torch.compile`, DataParallel and DistributedDataParallel."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if hasattr(module, "_orig_mod"):
            module = module._orig_mod  # type: ignore[assignment]
        elif isinstance(module, parallel):
            module = module.module
        else:
            return module


@contextmanager
def isolated_rng(seed: int | None = None, device: torch.device | None = None) -> Iterator[None]:
    """Lend the process-wide random generators as `lent_rng` does; threads take turns.

    Parameters
    ----------
    seed : int or None, default=None
        Seeds all of them inside the block; None leaves their state.
    device : torch.device or None, default=None
        The device whose generator is used inside the block, besides the CPU's.

    Yields
    ------
    None
    """
    with _GENERATORS, lent_rng(seed, device):
        yield


@contextmanager
def lent_rng(seed: int | None = None, device: torch.device | None = None) -> Iterator[None]:
    """Lend the process-wide random generators, and put them back as they were.

    Python's `random`, NumPy's legacy generator, torch's CPU generator and, where `device` is a
    CUDA device, its generator. What runs inside may start threads that take `isolated_rng`, which
    they could not do from inside one.

    Parameters
    ----------
    seed : int or None, default=None
        Seeds all of them inside the block; None leaves their state.
    device : torch.device or None, default=None
        The device whose generator is used inside the block, besides the CPU's.

    Yields
    ------
    None
    """
    cuda = device if device is not None and device.type == "cuda" else None
    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch_state = torch.default_generator.get_state()
    cuda_state = None if cuda is None else torch.cuda.get_rng_state(cuda)
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.default_generator.manual_seed(seed)
            if cuda is not None:
                with torch.cuda.device(cuda):
                    torch.cuda.manual_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.default_generator.set_state(torch_state)
        if cuda is not None and cuda_state is not None:
            torch.cuda.set_rng_state(cuda_state, cuda)


@contextmanager
def scoring(*modules: nn.Module, seed: int | None = None) -> Iterator[None]:
    """Put modules into evaluation mode, and leave them as they were, also after an exception.

    Restored are each submodule's train or eval mode, each parameter's `requires_grad` and
    `.grad`, each buffer's values, and the random generators. Code inside may call backward.

    Parameters
    ----------
    *modules : torch.nn.Module
        The networks that are scored.
    seed : int or None, default=None
        Seeds the generators inside the block, for networks that draw in evaluation mode.

    Yields
    ------
    None
    """
    with ExitStack() as stack:
        stack.enter_context(memory_kept())
        for device in {module_device(m) for m in modules} or {torch.device("cpu")}:
            stack.enter_context(isolated_rng(seed, device))
        modes = [(m, m.training) for module in modules for m in module.modules()]
        parameters = [
            (p, p.requires_grad, p.grad) for module in modules for p in module.parameters()
        ]
        buffers = [
            (submodule, name, buffer, buffer.detach().clone())
            for module in modules
            for submodule in module.modules()
            for name, buffer in submodule._buffers.items()
            if buffer is not None
        ]
        try:
            for parameter, _, _ in parameters:
                parameter.grad = None
            for module in modules:
                module.eval()
            yield
        finally:
            for submodule, mode in modes:
                submodule.training = mode
            for parameter, requires_grad, grad in parameters:
                parameter.requires_grad_(requires_grad)
                parameter.grad = grad
            with torch.no_grad():
                for submodule, name, buffer, value in buffers:
                    submodule._buffers[name] = buffer  # forward may have put another one there
                    if not torch.equal(buffer, value):
                        buffer.copy_(value)


def n_rows(X: Any) -> int:
    """Return the number of samples of an array, tensor, data frame, sequence or Dataset."""
    shape = getattr(X, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) else len(X)


def take_rows(X: Any, index: slice | np.ndarray | Sequence[int]) -> Any:
    """Return some samples of X, as the same kind of container; a Dataset gives a stacked tensor.

    Parameters
    ----------
    X : array, tensor, sparse matrix, DataFrame, sequence or torch Dataset
        The samples. A Dataset's items are the inputs, or tuples that begin with them.
    index : slice or array of int
        Which ones, in which order.

    Returns
    -------
    object
        The samples; of a memmap only these are read.
    """
    if isinstance(X, Dataset) and not isinstance(X, Tensor):
        positions = range(*index.indices(len(X))) if isinstance(index, slice) else index  # type: ignore[arg-type]
        return torch.stack([_input_of(X[int(i)]) for i in positions])
    if hasattr(X, "iloc"):
        return X.iloc[index]
    if hasattr(X, "tocsr") and not hasattr(X, "__array__"):
        return X.tocsr()[index]
    if isinstance(X, Tensor):
        return X[index if isinstance(index, slice) else torch.as_tensor(np.asarray(index))]
    if isinstance(X, (list, tuple)):
        return X[index] if isinstance(index, slice) else [X[int(i)] for i in index]
    return X[index]


def _input_of(item: Any) -> Tensor:
    return torch.as_tensor(item[0] if isinstance(item, (tuple, list)) else item)


def check_not_iterable_dataset(parameter: str, owner: object, X: Any) -> None:
    """Raise if X is an IterableDataset, whose samples cannot be picked by position."""
    if isinstance(X, IterableDataset):
        raise invalid(
            parameter,
            owner,
            "a pool whose samples can be fetched by position",
            X,
            "Use a map-style Dataset (with __len__ and __getitem__), or an array.",
        )


def map_batches(
    function: Callable[[Any, int], _Result], X: Any, batch_size: int
) -> Iterator[tuple[slice, _Result]]:
    """Apply a function to blocks of samples; halve the block when the device's memory is full.

    Parameters
    ----------
    function : callable
        Takes a block of samples (see `take_rows`) and the position of its first one.
    X : array, tensor, DataFrame, sequence or torch Dataset
        The samples, read block by block.
    batch_size : int
        Samples per block.

    Yields
    ------
    tuple of slice and object
        The positions of the block, and what the function returned for it.

    Warns
    -----
    BatchSizeWarning
        After an out-of-memory error; names the batch size that worked.
    """
    total, start, halved = n_rows(X), 0, False
    while start < total:
        block, result = slice(start, min(start + batch_size, total)), None
        try:
            result = function(take_rows(X, block), start)
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise
        if result is None:  # outside the except block, which keeps the failed tensors alive
            batch_size, halved = batch_size // 2, True
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        if halved:
            warnings.warn(
                f"The device ran out of memory; batch_size={batch_size} worked. "
                f"Pass batch_size={batch_size} to avoid the retry.",
                BatchSizeWarning,
                stacklevel=2,
            )
            halved = False
        yield block, result
        start = block.stop


def one_behind(items: Iterable[_Result]) -> Iterator[_Result]:
    """Hand on each item when the next one has been made.

    A CUDA device computes while Python goes on, until a result is looked at. So the next
    batch is read, prepared and handed over while the device is at this one.

    Parameters
    ----------
    items : iterable
        Items that should not be looked at before the next one is there.

    Yields
    ------
    object
        The same, in their order.
    """
    waiting: list[_Result] = []
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, without waiting for what a CUDA device is computing."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def as_tensor(X: Any) -> Tensor:
    """Return an array as a tensor that shares its memory wherever torch can share it.

    A network that overwrites its input would overwrite the array, or crash on a read-only memmap:
    what is handed to a network must be a copy, or go through an operation that makes one.
    """
    if isinstance(X, Tensor):
        return X.detach()
    X = np.asarray(X)
    if not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="))
    if any(stride < 0 for stride in X.strides):
        X = X.copy()
    with warnings.catch_warnings():
        # A read-only array is only ever read, see above.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(X)


def check_finite(X: Any, owner: object, parameter: str = "X", where: int | np.ndarray = 0) -> None:
    """Raise if X holds NaN or infinity; reads it block by block, and integers not at all.

    `where` gives the positions of X's samples in what the user passed, for the message: all of
    them, or that of the first where they are consecutive.
    """
    if not as_tensor(X[:0]).is_floating_point():
        return
    for start in range(0, n_rows(X), 1024):
        x = as_tensor(X[start : start + 1024])
        if math.isfinite(x.sum()):  # then all are, and mostly this one pass is enough
            continue
        finite = torch.isfinite(x).flatten(1).all(1)
        if not bool(finite.all()):
            first = start + int((~finite).nonzero()[0, 0])
            first = where + first if isinstance(where, int) else int(where[first])
            raise ValueError(
                f"Input {parameter} of {owner_name(owner)} contains NaN or infinity, first in "
                f"sample {first}. Remove such samples, or fill them in."
            )
