"""The skorch net inside a CNNClassifier: batches on the device, weights, seeds and stopping."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import Any, cast

import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import Dataset
from torch import Tensor, nn

from skactive._allocator import memory_kept
from skactive._device import to_device, unwrap
from skactive._draws import drawn_from
from skactive._generators import ALL, Stream
from skactive._interrupts import interrupts_come_out
from skactive._scoring import lock_of
from skactive.estimators._augment import AUGMENTATIONS
from skactive.estimators._build import ClassifierNetwork
from skactive.estimators._callbacks import StopTraining
from skactive.estimators._own_callbacks import copies
from skactive.estimators._parameter_names import own_parameters

# A training set of at most this share of a GPU's free memory is moved there as a whole.
RESIDENT_SHARE = 0.25


class ArrayDataset(Dataset):  # a skorch Dataset, for scoring callbacks
    """Samples, encoded labels and weights in memory.

    Parameters
    ----------
    X : Tensor of shape (N, ...)
        The samples as stored.
    y : Tensor of shape (N,), int64
        The labels, 0 to n_classes - 1.
    weight : Tensor of shape (N,) or None
        The weights of the samples in the loss.
    """

    def __init__(self, X: Tensor, y: Tensor, weight: Tensor | None = None) -> None:
        super().__init__(X, y)
        self.weight = weight

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: Any) -> tuple[Tensor, Any]:
        y = self.y[index]
        # index_select copies a sample at once, indexing by a tensor one number at a time
        X = self.X.index_select(0, index) if isinstance(index, Tensor) else self.X[index]
        return X, y if self.weight is None else (y, self.weight[index])

    def take(self, index: Tensor) -> ArrayDataset:
        """Return the samples at some positions, as a data set of their own."""
        weight = None if self.weight is None else self.weight[index]
        return ArrayDataset(self.X[index], self.y[index], weight)


class ArrayBatches:
    """Batches of an ArrayDataset, gathered by index, on the device; no Python loop over samples.

    A last batch of a single sample joins the one before it, since BatchNorm cannot train on it.

    Parameters
    ----------
    data : ArrayDataset
        The data.
    batch_size : int
        Samples per batch.
    seed : int or None
        Shuffles; each pass has the next seed, so that training that goes on where it stopped sees
        the orders it would have seen. None keeps the order.
    device : torch.device
        Where the batches go.
    """

    def __init__(
        self,
        data: ArrayDataset,
        batch_size: int,
        seed: int | None,
        device: torch.device,
    ) -> None:
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if data.X.nbytes <= RESIDENT_SHARE * free:
                data = ArrayDataset(data.X.to(device), data.y, data.weight)
        home = data.X.device  # where labels and weights have to be for its indices
        weight = None if data.weight is None else data.weight.to(home)
        data = ArrayDataset(data.X, data.y.to(home), weight)
        self.data, self.seed, self.device = data, seed, device
        self.edges = [*range(0, len(data), batch_size), len(data)]
        if len(self.edges) > 2 and self.edges[-1] - self.edges[-2] == 1:
            del self.edges[-2]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def __iter__(self) -> Iterator[tuple[Tensor, Any]]:
        order = None
        if self.seed is not None:
            generator = torch.Generator().manual_seed(self.seed)
            order = torch.randperm(len(self.data), generator=generator).to(self.data.X.device)
            self.seed += 1
        for start, stop in pairwise(self.edges):
            X, y = self.data[slice(start, stop) if order is None else order[start:stop]]
            yield to_device(X, self.device), _to(y, self.device)


def _looks_at_batches(callback: Callback) -> bool:
    """Whether a callback that is not skactive's own has anything to do at a batch."""
    return _overrides(callback, "on_batch_begin", "on_batch_end", "on_grad_computed")


def _overrides(callback: Callback, *names: str) -> bool:
    """Whether a callback has methods of these names that are neither skorch's nor skactive's."""
    hooks = [getattr(type(callback), name) for name in names]
    harmless = (Callback.__module__, "skactive.")
    return not all(hook.__module__.startswith(harmless) for hook in hooks)


def _to(y: Any, device: torch.device) -> Any:
    return tuple(_to(part, device) for part in y) if isinstance(y, tuple) else to_device(y, device)


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    """Allow only deterministic algorithms inside the block, and restore torch's settings."""
    if not wanted:
        yield
        return
    algorithms = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # torch asks for it
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(algorithms, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        if workspace is None:
            del os.environ["CUBLAS_WORKSPACE_CONFIG"]


class _Interrupted(Exception):
    """Carries a Ctrl-C past skorch, whose `partial_fit` swallows KeyboardInterrupt."""


class Net(NeuralNetClassifier):
    """A skorch NeuralNetClassifier that trains on ArrayDatasets with weighted cross-entropy.

    Parameters
    ----------
    *args : tuple
        As for skorch.NeuralNetClassifier.
    order_seed, train_seed : int, default=0
        Seed the order of the samples, and all that is drawn in training: dropout, augmentation.
    amp : bool, default=False
        Whether to train in bfloat16 where torch's autocast finds it safe.
    deterministic : bool, default=False
        Whether to train with deterministic algorithms only.
    **kwargs : dict
        As for skorch.NeuralNetClassifier.
    """

    def __init__(
        self,
        *args: Any,
        order_seed: int = 0,
        train_seed: int = 0,
        amp: bool = False,
        deterministic: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.order_seed = order_seed
        self.train_seed = train_seed
        self.amp = amp
        self.deterministic = deterministic
        self.planned_epochs_: int | None = None
        self._stream = Stream(train_seed)

    def __sklearn_clone__(self) -> Net:
        params = self.get_params(deep=False)
        callbacks = copies(params.pop("callbacks"))
        params = {name: clone(value, safe=False) for name, value in params.items()}
        return type(self)(**params, callbacks=callbacks)

    def initialize(self) -> Net:
        """Build everything; remember how the groups of parameters differ in their rates."""
        super().initialize()
        self.lr_ratios_ = [group["lr"] / self.lr for group in self.optimizer_.param_groups]
        return self

    def get_all_learnable_params(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Give the parameters by the names that the user's module has for them."""
        yield from own_parameters(self.module_)

    def set_rates(self, lr: float) -> None:
        """Set the learning rate, that of each group of parameters in proportion."""
        for group, ratio in zip(self.optimizer_.param_groups, self.lr_ratios_, strict=True):
            group["lr"] = ratio * lr

    def train_epochs(self, data: ArrayDataset, epochs: int | None = None) -> Net:
        """Train until a callback stops it; Ctrl-C goes through.

        Parameters
        ----------
        data : ArrayDataset
            The training data.
        epochs : int or None, default=None
            The number of epochs, at a constant learning rate; None is `max_epochs` by the schedule.

        Returns
        -------
        Net
            The net itself.
        """
        self.planned_epochs_ = self.max_epochs if epochs is None else None
        seed = self.train_seed + len(self.history)  # continuing is not starting again
        self._stream = Stream(seed, torch.device(self.device))
        whole = lock_of(unwrap(self.module_))
        with whole, _deterministic(self.deterministic), memory_kept():
            try:
                with interrupts_come_out():  # at the end of an epoch, see `notify`
                    self.partial_fit(data, epochs=epochs)
            finally:
                self._stream.give_back()
                self._set_training(False)
        return self

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Net:
        """Train as skorch does; Ctrl-C goes through."""
        try:
            return super().partial_fit(X, y, classes, **fit_params)
        except _Interrupted:
            raise KeyboardInterrupt from None

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **kwargs: Any) -> Net:
        """Run skorch's loop; a callback that stops training ends it, Ctrl-C does not."""
        try:
            return super().fit_loop(X, y, epochs=epochs, **kwargs)
        except StopTraining:
            return self
        except KeyboardInterrupt:
            raise _Interrupted from None

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run an epoch as skorch does, but read the losses of the batches at its end, all at once.

        Reading one makes a GPU finish the batch before the next one can be sent to it. Until then
        the history holds them as tensors, unless a callback looks at batches.

        Parameters
        ----------
        iterator : iterable or None
            Gives the batches; None means no epoch.
        training : bool
            Whether they are trained on.
        prefix : {"train", "valid"}
            Goes before the names in the history.
        step_fn : callable
            Takes a batch, returns a dict with `loss` and `y_pred`.
        **fit_params : dict
            Further arguments for it.
        """
        if iterator is None:
            return
        super()._set_training(training)  # again, since layers may have been frozen or thawed
        read_at_once = any(_looks_at_batches(callback) for _, callback in self.callbacks_)
        drawn = self._drawn_from(training)
        hold = drawn == ALL and not read_at_once  # lending all of them takes time
        name = f"{prefix}_loss"
        unread: list[tuple[dict[str, Any], Tensor]] = []
        count = 0
        try:
            for batch in iterator:
                self.notify("on_batch_begin", batch=batch, training=training)
                with self._stream.step(drawn, hold):
                    step = step_fn(batch, **fit_params)
                record, loss = self.history[-1, "batches", -1], step["loss"].detach()
                record[name] = loss.item() if read_at_once else loss
                record[f"{prefix}_batch_size"] = len(step["y_pred"])
                if not read_at_once:
                    unread.append((record, loss))
                self.notify("on_batch_end", batch=batch, training=training, **step)
                count += 1
        finally:
            self._stream.give_back()
            if unread:
                records, losses = zip(*unread, strict=True)
                for record, value in zip(records, torch.stack(losses).tolist(), strict=True):
                    record[name] = value
        self.history.record(f"{prefix}_batch_count", count)

    def _drawn_from(self, training: bool) -> tuple[str, ...]:
        """Return the generators that the steps of an epoch may draw from."""
        modules = [getattr(self, f"{name}_") for name in (*self._modules, *self._criteria)]
        drawn = drawn_from(*modules, training=training)
        whole = cast(ClassifierNetwork, unwrap(self.module_))
        foreign = callable(whole.output)
        if training:
            own_augmentation = whole.augmentation in (None, *AUGMENTATIONS.values())
            torchs = type(self.optimizer_).__module__.startswith("torch.optim.")
            looked_at = any(_overrides(c, "on_grad_computed") for _, c in self.callbacks_)
            foreign = foreign or looked_at or not (own_augmentation and torchs)
            drawn = drawn if whole.augmentation is None else drawn or ("torch",)
        return ALL if foreign else drawn

    def _set_training(self, training: bool = True) -> None:
        """Set the mode where it differs; going through all layers at each batch takes time."""
        modules = [getattr(self, f"{name}_") for name in (*self._modules, *self._criteria)]
        if any(module.training != training for module in modules):
            super()._set_training(training)

    def _step_optimizer(self, step_fn: Callable[[], Tensor]) -> None:
        """Step; torch's fused SGD wants momentum buffers for all parameters, or for none.

        Parameters get theirs with their first gradient, which for some may come later: where they
        are thawed, say. Then a buffer of zeros has the same effect as none.
        """

        def step() -> Tensor:
            loss = step_fn()
            for group in self.optimizer_.param_groups:
                if group.get("fused") and group.get("momentum") and not group["dampening"]:
                    for p in group["params"]:
                        if p.grad is not None and "momentum_buffer" not in self.optimizer_.state[p]:
                            self.optimizer_.state[p]["momentum_buffer"] = torch.zeros_like(p)
            return loss.detach()  # LBFGS makes a float of it; some versions of torch warn of that

        super()._step_optimizer(step)

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call the callbacks, which see labels without weights.

        skorch's own callbacks stop training by a KeyboardInterrupt at the end of an epoch. A Ctrl-C
        there ends training in the same way, and comes out of `train_epochs`.
        """
        batch = kwargs.get("batch")
        if batch is not None and isinstance(batch[1], tuple):
            kwargs["batch"] = (batch[0], batch[1][0])
        try:
            super().notify(method_name, **kwargs)
        except KeyboardInterrupt:
            if method_name == "on_epoch_end":
                raise StopTraining from None
            raise

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return batches gathered on the device for data in memory, skorch's own otherwise."""
        if not isinstance(dataset, ArrayDataset):
            return super().get_iterator(dataset, training)
        seed = self.order_seed + len(self.history) if training else None
        return ArrayBatches(dataset, self.batch_size, seed, torch.device(self.device))

    def torch_compile(self, module: Any, name: str) -> Any:
        """Compile the network only; the criterion would not gain."""
        return super().torch_compile(module, name) if name == "module" else module

    def infer(self, x: Any, **kwargs: Any) -> Any:
        """Return the module's output; with `amp`, training runs under bfloat16 autocast."""
        with hooks_guarded() if self.compile else nullcontext():
            if not (self.amp and self.module_.training):
                return super().infer(x, **kwargs)
            try:
                with torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16):
                    return super().infer(x, **kwargs).float()
            finally:
                torch.clear_autocast_cache()  # inside the caller's autocast, torch would keep it

    def get_loss(
        self, y_pred: Tensor, y_true: Any, X: Any = None, training: bool = False
    ) -> Tensor:
        """Return Σ wℓ / Σ w over the batch, with the criterion's per-sample losses ℓ."""
        y, weight = y_true if isinstance(y_true, (tuple, list)) else (y_true, None)
        losses = self.criterion_(y_pred, y)
        return losses.mean() if weight is None else (weight * losses).sum() / weight.sum()


def hooks_guarded() -> AbstractContextManager[None]:
    """Compile so that code made for a network without hooks is not used for one with hooks.

    Compiled code is shared by all networks of a class, and does not look at their hooks unless it
    is told to. Those of an LPLClassifier read the network's features.
    """
    import torch._dynamo.config as config  # takes a second

    return cast(AbstractContextManager[None], config.patch(skip_nnmodule_hook_guards=False))
