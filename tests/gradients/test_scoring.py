"""What holds for diagonal, factors and norms alike: state, inputs, precision, messages."""

from __future__ import annotations

import copy
import pickle
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune, spectral_norm, weight_norm
from torch.utils.checkpoint import checkpoint
from torch.utils.data import IterableDataset, TensorDataset

from skactive.fisher import diagonal_fisher, fisher_factors
from skactive.gradients import gradient_norms, head_inputs
from skactive.gradients._network import _without_cudnn
from tests.cases import Apply
from tests.oracles import naive_diagonal, naive_norms, naive_rows


def factors(module, X, **options):
    P = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return fisher_factors(module, X, torch.arange(P), **options).dense()


EACH = pytest.mark.parametrize("score", [diagonal_fisher, factors, gradient_norms])


def network(dtype: torch.dtype = torch.float64) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 3, 3),
            nn.BatchNorm2d(3),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.GroupNorm(1, 3),
            nn.Flatten(),
            nn.Linear(48, 3),
        ).to(dtype)


def images(n: int = 7, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, 1, 6, 6, dtype=dtype, generator=torch.Generator().manual_seed(2))


def snapshot(module: nn.Module) -> list[object]:
    """Everything that scoring could leave changed, comparable by ==."""
    layers = [
        (m.training, len(m._forward_hooks), len(m._backward_hooks), len(m._forward_pre_hooks))
        for m in module.modules()
    ]
    parameters = [
        (id(p), p.data_ptr(), p.dtype, p.requires_grad, id(p.grad), p.tolist())
        for p in module.parameters()
    ]
    buffers = [(id(b), b.dtype, b.tolist()) for b in module.buffers()]
    generators = (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
    )
    switches = (
        torch.is_grad_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.backends.mha.get_fastpath_enabled(),
        torch.backends.cudnn.enabled,
    )
    return [layers, parameters, buffers, generators, switches]


def used(dtype: torch.dtype = torch.float64) -> nn.Module:
    """A network in the middle of training: modes, gradients and hooks that are the user's."""
    module = network(dtype)
    module.train()
    module[1].eval()
    module[0].bias.requires_grad_(False)
    module[6].weight.grad = torch.ones_like(module[6].weight)
    module[6].register_forward_hook(lambda *_: None)
    return module


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_everything_is_left_as_found(score, dtype):
    module = used(dtype)
    before = snapshot(module)
    score(module, images(), batch_size=3)
    assert snapshot(module) == before


class Fails(nn.Module):
    """Passes its input on, and fails at a given call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def forward(self, x):
        self.left -= 1
        if self.left == 0:
            raise KeyError("as asked")
        return x


@EACH
@pytest.mark.parametrize("at", range(1, 8))
def test_everything_is_left_as_found_after_an_exception(score, at):
    module = used(torch.bfloat16)
    module.insert(5, Fails(at))
    before = snapshot(module)
    with pytest.raises(KeyError, match=r"as asked"):
        score(module, images(40), batch_size=3)
    assert snapshot(module) == before


@EACH
def test_training_mode_and_batches_make_no_difference(score):
    module, X = network(), images()
    expected = score(module.eval(), X)
    torch.testing.assert_close(score(module.train(), X, batch_size=2), expected)
    torch.testing.assert_close(score(module, X, batch_size=1), expected)


@EACH
def test_no_grad_inference_mode_and_autocast_around_it(score):
    module, X = network(torch.float32), images(dtype=torch.float32)
    expected = score(module, X)
    with torch.no_grad():
        torch.testing.assert_close(score(module, X), expected)
    with torch.inference_mode():
        torch.testing.assert_close(score(module, X), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(score(module, X), expected)


@EACH
def test_half_precision_weights_are_scored_in_float32(score):
    half, X = network(torch.bfloat16), images(dtype=torch.float32)
    single = copy.deepcopy(half).float()
    got = score(half, X)
    assert got.dtype == torch.float32
    assert torch.equal(got, score(single, X))


@EACH
def test_float32_is_near_float64(score):
    module, X = network(), images()
    expected = score(module, X)
    got = score(module.float(), X.float())
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double(), expected, rtol=1e-3, atol=1e-5)


@EACH
def test_containers(score, tmp_path):
    module, X = network(), images()
    expected = score(module, X)
    array = X.numpy()
    np.save(tmp_path / "pool.npy", array)
    memmap = np.load(tmp_path / "pool.npy", mmap_mode="r")
    labels = torch.zeros(len(X))
    for container in (array, memmap, list(array), TensorDataset(X, labels), array[::-1][::-1]):
        assert torch.equal(score(module, container), expected)


@EACH
def test_a_pool_of_one(score):
    module, X = network().eval(), images(1)
    slow = {diagonal_fisher: naive_diagonal, factors: naive_rows}
    naive = slow.get(score, lambda module, X: naive_norms(module, X, "entropy", "layer_sum"))
    torch.testing.assert_close(score(module, X), naive(module, X), rtol=1e-9, atol=1e-12)


@EACH
def test_a_saturated_softmax_gives_zeros(score):
    module, X = network(), images()
    with torch.no_grad():
        module[6].weight.mul_(1e6)
    got = score(module, X)
    assert torch.isfinite(got).all()
    assert not got[..., -3:].any()


def test_confident_rows_do_not_cancel():
    # p = 1 − 2e-9: in float32 1 − p is 0, but the others' sum is not.
    module = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[20.0], [0.0]]))
    V = factors(module, torch.ones(1, 1))
    torch.testing.assert_close(V[0, 0, 0], torch.tensor(2.0611536e-9), rtol=1e-5, atol=0)


class Watch(torch.autograd.Function):
    """The identity; notes that a backward pass came by."""

    seen: list[str] = []  # noqa: RUF012

    @staticmethod
    def forward(ctx, x, name):
        ctx.name = name
        return x.clone()

    @staticmethod
    def backward(ctx, delta):
        Watch.seen.append(ctx.name)
        return delta, None


@pytest.mark.parametrize(
    ("masked", "expected"),
    [(range(55, 73), set()), (range(25, 73), {"after"}), (range(24, 26), {"before", "after"})],
    ids=["head", "late", "early"],
)
def test_backward_stops_at_the_earliest_masked_layer(masked, expected):
    module = Apply(
        lambda m, x: m.head(
            Watch.apply(m.late(Watch.apply(m.early(x).tanh(), "before")).tanh(), "after")
        ),
        early=nn.Linear(4, 5),
        late=nn.Linear(5, 5),
        head=nn.Linear(5, 3),
    )
    Watch.seen.clear()
    fisher_factors(module, torch.randn(9, 4), torch.tensor(list(masked)), batch_size=3)
    assert set(Watch.seen) == expected
    if expected:  # three batches of C passes, and one pass per sample and one for all in the check
        assert Watch.seen.count("after") == 3 * 3 + 4


class Contrast(nn.Module):
    def forward(self, x):
        return x - 0.1 * x.mean(0)


class PerSample(nn.Module):
    """Runs a layer once more for large batches."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        if len(x) > 4:
            return torch.cat([self.head(self.layer(part)) for part in x.split(4)])
        return self.head(self.layer(x))


def rows(n: int = 9) -> torch.Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0))


def mixing() -> nn.Module:
    with torch.random.fork_rng():  # of 300 draws of weights one mixes less than is seen
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 5), Contrast(), nn.Linear(5, 3))


LINEAR = nn.Linear(4, 3)
BAD = {
    "no samples": (LINEAR, rows(0), "'X'.*at least one sample"),
    "iterable": (
        LINEAR,
        type("Stream", (IterableDataset,), {"__iter__": lambda self: iter(())})(),
        "'X'.*fetched by position",
    ),
    "one logit": (nn.Linear(4, 1), rows(), "'module'.*C ≥ 2.*shape .*1.*one logit needs a second"),
    "no logits": (nn.Unflatten(1, (2, 2)), rows(), "'module'.*require gradients.*Unfreeze"),
    "3-D output": (
        nn.Sequential(LINEAR, nn.Unflatten(1, (3, 1))),
        rows(),
        r"'module'.*logits \(N, C\).*returned",
    ),
    "not a tensor": (
        Apply(lambda m, x: {"y": m.a(x)}, a=LINEAR),
        rows(),
        "'module'.*returned dict",
    ),
    "nan": (LINEAR, rows().fill_(torch.nan), "'X'.*logits are finite.*NaN and infinity"),
    "nan late": (
        LINEAR,
        torch.cat([rows(), rows().fill_(torch.inf), rows()]),
        "'X'.*logits are finite",
    ),
    "batch statistics": (
        nn.Sequential(
            nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 3)
        ),
        rows(),
        "'module'.*each sample by itself.*Layer '1' has no running statistics",
    ),
    "mixing": (
        mixing(),
        rows(),
        "'module'.*each sample by itself.*logits change with the batch",
    ),
}


@EACH
@pytest.mark.parametrize(("module", "X", "message"), BAD.values(), ids=BAD)
def test_messages(score, module, X, message):
    with pytest.raises(ValueError, match=message):
        score(module, X)


@EACH
def test_message_for_parameters(score):
    with pytest.raises(ValueError, match=r"'batch_size'.*int of at least 1.*Got 0"):
        score(LINEAR, rows(), batch_size=0)
    with pytest.raises(ValueError, match=r"'device'.*torch device.*'gpu'"):
        score(LINEAR, rows(), device="gpu")


@EACH
def test_a_network_that_runs_otherwise_for_other_batches(score):
    with pytest.raises(RuntimeError, match=r"(ran 3 times|got an input of shape).* must run alike"):
        score(PerSample(), rows(60), batch_size=12)


class Autocast(nn.Module):
    """Computes in half precision inside, whatever autocast is around it."""

    def __init__(self, back: bool) -> None:
        super().__init__()
        self.body, self.head, self.back = nn.Linear(4, 5), nn.Linear(5, 3), back

    def forward(self, x):
        with torch.autocast(x.device.type, torch.bfloat16):
            out = self.head(self.body(x).relu())
        return out.float() if self.back else out


@EACH
@pytest.mark.parametrize("back", [True, False])
def test_an_autocast_inside(score, back):
    what = r"'module'.*computes in float32 or float64.*output of Linear.* is in bfloat16.*"
    remedy = r"in training only: torch.autocast\(..., enabled=self.training\)"
    with pytest.raises(ValueError, match=what + remedy):
        score(Autocast(back), rows())


@pytest.mark.parametrize("back", [True, False])
def test_embeddings_under_an_autocast_inside(back):
    net = Autocast(back)
    found = head_inputs(net, rows())
    assert found.inputs.dtype == found.logits.dtype == torch.float32
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(found.logits, net(rows()).float())
        assert torch.equal(found.inputs, net.body(rows()).relu().float())


class Jumps(Autocast):
    """Is not alike in a batch and alone, as far as half precision goes."""

    def forward(self, x):
        return super().forward(x) * (1 + 0.02 * (len(x) > 1))


def test_logits_that_half_precision_makes_differ():
    with pytest.raises(ValueError, match=r"'module'.*of which a part is in bfloat16"):
        head_inputs(Jumps(True), rows())


class Reentrant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body, self.head = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(checkpoint(self.body, self.stem(x).tanh(), use_reentrant=True).tanh())


@EACH
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_checkpoints_that_give_no_gradients(score):
    match = r"'module'.*checkpointed with use_reentrant=False.*switch checkpointing off before"
    with pytest.raises(ValueError, match=match):
        score(Reentrant(), rows())


class Keeps(nn.Module):
    """Keeps what it computed, for a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm, self.head = nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 3)

    def forward(self, x):
        self.last = self.norm(self.stem(x))
        return self.head(self.last)


def pruned() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    prune.l1_unstructured(net[0], "weight", 0.5)
    return net


def normed() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        first, last = spectral_norm(nn.Linear(4, 5)), weight_norm(nn.Linear(5, 3))
    return nn.Sequential(first, nn.Tanh(), last)


@EACH
@pytest.mark.parametrize("make", [Keeps, pruned, normed])
def test_networks_that_keep_tensors_can_be_copied_afterwards(score, make):
    net = make().eval()
    with torch.no_grad():
        net(rows())  # a weight that is made anew in each pass has none of gradients by now
    score(net, rows(60))
    for again in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(again(rows()), net(rows()))


MASKS = {
    "bools": torch.ones(15, dtype=bool),
    "unsorted": [3, 1],
    "twice": [1, 1],
    "beyond": [0, 15],
    "negative": [-1, 2],
    "empty": torch.empty(0, dtype=torch.int64),
    "2-D": [[0, 1]],
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_message_for_masks(mask):
    with pytest.raises(ValueError, match=r"'mask'.*increasing int positions from 0 to 14.*nonzero"):
        fisher_factors(LINEAR, rows(), mask)


def test_message_for_weighting():
    with pytest.raises(
        ValueError, match=r"'weighting'.*'probability', 'uniform' or 'reduced'.*Got 'sqrt'"
    ):
        fisher_factors(LINEAR, rows(), [0], weighting="sqrt")


@EACH
@pytest.mark.cuda
def test_on_cuda(score):
    module, X = network(), images()
    got = score(module, X, device="cuda")
    assert got.device.type == "cuda"
    torch.testing.assert_close(got.cpu(), score(module, X), rtol=1e-9, atol=1e-12)
    assert next(module.parameters()).device.type == "cpu"


class Recurrent(nn.Module):
    """Notes whether cuDNN may be used, and fails at a given call."""

    def __init__(self, fails_at: int = 0) -> None:
        super().__init__()
        self.cell, self.head = nn.GRU(6, 4, batch_first=True), nn.Linear(4, 3)
        self.fails_at, self.seen = fails_at, []

    def forward(self, x):
        self.seen.append(torch.backends.cudnn.enabled)
        if len(self.seen) == self.fails_at:
            raise KeyError("as asked")
        return self.head(self.cell(x[:, 0])[0][:, -1])


@EACH
@pytest.mark.parametrize("before", [True, False])
def test_recurrent_layers_are_scored_without_cudnn(score, before, monkeypatch):
    """In evaluation mode it has no backward pass for them."""
    monkeypatch.setattr(torch.backends.cudnn, "enabled", before)
    module = Recurrent()
    score(module, images(dtype=torch.float32))
    assert set(module.seen) == {False}
    assert torch.backends.cudnn.enabled == before
    with pytest.raises(KeyError):
        score(Recurrent(fails_at=2), images(dtype=torch.float32))
    assert torch.backends.cudnn.enabled == before


def test_cudnn_is_off_until_the_last_thread_leaves():
    threads = [_without_cudnn(Recurrent()), _without_cudnn(nn.Sequential(nn.LSTM(2, 2)))]
    before = torch.backends.cudnn.enabled
    for thread in threads:
        thread.__enter__()
    threads[0].__exit__(None, None, None)
    assert not torch.backends.cudnn.enabled
    with _without_cudnn(network()):  # none of its business
        assert not torch.backends.cudnn.enabled
    threads[1].__exit__(None, None, None)
    assert torch.backends.cudnn.enabled == before
    with _without_cudnn(network()):
        assert torch.backends.cudnn.enabled == before
