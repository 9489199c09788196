"""Modules that the gradient code must get right, each with samples and the path expected."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Case:
    """A module, its samples, and which of its parameters are not on the fast path."""

    make: Callable[[], nn.Module]
    sample_shape: tuple[int, ...]
    general: frozenset[str] = field(default_factory=frozenset)
    tokens: int = 0  # samples are ints below this, if not 0

    def build(self, n: int = 5, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = self.make().to(dtype)
            for name, buffer in module.named_buffers():
                if name.endswith("running_mean"):
                    buffer.normal_()
                elif name.endswith("running_var"):
                    buffer.uniform_(0.5, 2.0)
            if self.tokens:
                return module, torch.randint(self.tokens, (n, *self.sample_shape))
            return module, torch.randn(n, *self.sample_shape, dtype=dtype)


class Apply(nn.Module):
    """Any forward function over named layers."""

    def __init__(self, forward: Callable[..., object], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._function = forward

    def forward(self, x: Tensor) -> object:
        return self._function(self, x)


def conv_net(**options: object) -> nn.Module:
    groups = options.get("groups", 1)
    return nn.Sequential(
        nn.Conv2d(2, 4, 1),
        nn.Tanh(),
        nn.Conv2d(4, 2 * groups, 3, **options),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * groups, 3),
    )


def mean_head(features: int, classes: int = 3) -> nn.Module:
    return Apply(lambda m, x: m.head(x.mean(1)), head=nn.Linear(features, classes))


def tied() -> nn.Module:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), nn.Linear(4, 3))


def frozen() -> nn.Module:
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 3))
    net[0].weight.requires_grad_(False)
    net[2].bias.requires_grad_(False)
    return net


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, LayerNorm and an MLP on channels-last maps, a layer scale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand, self.shrink = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.shrink(nn.functional.gelu(self.expand(y)))
        return x + y.permute(0, 3, 1, 2)


class SmallViT(nn.Module):
    """Patches, a class token, positions, one encoder layer, a head."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 8, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.position = nn.Parameter(torch.randn(1, 5, 8))
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first)
        self.batch_first = batch_first
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).mT
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        if not self.batch_first:
            return self.head(self.encoder(x.transpose(0, 1))[0])
        return self.head(self.encoder(x)[:, 0])


VIT_GENERAL = {
    "token",
    "position",
    "encoder.self_attn.in_proj_weight",
    "encoder.self_attn.in_proj_bias",
    "encoder.self_attn.out_proj.weight",
    "encoder.self_attn.out_proj.bias",
    *(f"encoder.norm{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")),
}


def overwritten_output(m: nn.Module, x: Tensor) -> Tensor:
    h = m.stem(x).tanh()
    y = m.block(h)
    y += h  # the output of `block` is gone
    y *= 0.5
    return m.head(y)


def overwritten_through(view: Callable[[Tensor, Tensor], object], *shape: int) -> Case:
    """A layer whose output is overwritten by `view(y, h)`, on samples of this shape.

    In most versions of torch, nn.Linear gives views on samples of more than one row.
    """

    def forward(m: nn.Module, x: Tensor) -> Tensor:
        h = m.stem(x).tanh()
        y = m.block(h)
        view(y, h)
        return m.head(y).flatten(1, -2).mean(1) if y.ndim > 2 else m.head(y)

    layers = {"stem": (4, 5), "block": (5, 5), "head": (5, 3)}
    return Case(
        lambda: Apply(forward, **{name: nn.Linear(*sizes) for name, sizes in layers.items()}), shape
    )


def overwritten_maps(m: nn.Module, x: Tensor) -> Tensor:
    """Convolutions whose outputs are overwritten seen with the channels last."""
    y = m.stem(x)
    z = y.permute(0, 2, 3, 1)
    z += 1.0
    h = z.tanh().permute(0, 3, 1, 2)
    y = m.block(h).permute(0, 2, 3, 1)
    y *= h.permute(0, 2, 3, 1)
    y[:, 1:] += 1.0
    return m.head(y.flatten(1))


def in_part(y: Tensor) -> Tensor:
    y[:, 1:] *= 0.5
    return y.sigmoid_()


def overwritten_logits(m: nn.Module, x: Tensor) -> Tensor:
    logits = m.head(m.stem(x).tanh())
    logits[:, 0] *= 2.0
    return logits


def overwritten_input(m: nn.Module, x: Tensor) -> Tensor:
    h = m.stem(x)
    y = m.block(h)
    h += y  # the input that `block` saw is gone
    return m.head(h.tanh())


def frozen_block() -> nn.Module:
    """Plain autograd allows it only because the weight, whose gradient needs it, is frozen."""
    block = nn.Linear(5, 5)
    block.weight.requires_grad_(False)
    return Apply(overwritten_input, stem=nn.Linear(4, 5), block=block, head=nn.Linear(5, 3))


def encoder_loop(m: nn.Module, x: Tensor) -> Tensor:
    for _ in range(3):
        x = m.step(x).tanh()
    return m.head(x)


def attention(m: nn.Module, x: Tensor) -> Tensor:
    return m.head(m.attention(x, x, x)[0].mean(1))


def unvmappable(m: nn.Module, x: Tensor) -> Tensor:
    """A gain that Python looks at: torch.func cannot transform it."""
    factor = 2.0 if float(m.gain.weight.detach().sum()) > -1e9 and x[0].sum().item() < 1e9 else 1.0
    return m.head(m.gain(x) * factor)


def without_gradients(context: Callable[[], AbstractContextManager[object]]) -> Case:
    """A body of which forward records no gradients, though its parameters are not frozen."""

    def forward(m: nn.Module, x: Tensor) -> Tensor:
        with context():
            h = m.norm(m.body(x).relu_())
            h += m.bias(h)
        return m.head(m.late(h.clone()).tanh())

    layers = {"body": (4, 5), "bias": (5, 5), "late": (5, 5), "head": (5, 3)}
    return Case(
        lambda: Apply(
            forward,
            norm=nn.LayerNorm(5),
            **{name: nn.Linear(*sizes) for name, sizes in layers.items()},
        ),
        (4,),
        frozenset({"norm.weight", "norm.bias"}),
    )


def checkpointed(m: nn.Module, x: Tensor) -> Tensor:
    h = checkpoint(lambda x: m.second(m.first(x).tanh()).tanh(), m.stem(x), use_reentrant=False)
    return m.head(checkpoint(m.last, h, use_reentrant=False).tanh())


def separate_attention(m: nn.Module, x: Tensor) -> Tensor:
    """Attention whose keys have a bias, which the softmax takes no notice of."""
    scores = m.query(x) @ m.key(x).mT
    return m.head((scores.softmax(2) @ m.value(x)).mean(1))


CASES: dict[str, Case] = {
    "linear rows": Case(lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), (4,)),
    "linear tokens": Case(lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), mean_head(5)), (6, 4)),
    "linear tokens, time folded into the batch": Case(
        lambda: Apply(
            lambda m, x: m.head(m.each(x.flatten(0, 1)).tanh().view(len(x), 6, 5).mean(1)),
            each=nn.Linear(4, 5),
            head=nn.Linear(5, 3),
        ),
        (6, 4),
    ),
    "linear, time first": Case(
        lambda: Apply(
            lambda m, x: m.head(m.each(x.transpose(0, 1)).tanh().mean(0)),
            each=nn.Linear(4, 5),
            head=nn.Linear(5, 3),
        ),
        (6, 4),
        frozenset({"each.weight", "each.bias"}),
    ),
    "linear, one of the times, first": Case(
        lambda: Apply(
            lambda m, x: m.head(m.each(x.transpose(0, 1)).tanh()[2]),
            each=nn.Linear(4, 5),
            head=nn.Linear(5, 3),
        ),
        (5, 4),
        frozenset({"each.weight", "each.bias"}),
    ),
    "nhwc linear": Case(
        lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Flatten(), nn.Linear(45, 3)), (3, 3, 4)
    ),
    "called by keyword": Case(
        lambda: Apply(
            lambda m, x: m.head(input=m.stem(input=x).tanh()),
            stem=nn.Linear(4, 5),
            head=nn.Linear(5, 3),
        ),
        (4,),
    ),
    "head without bias": Case(
        lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3, bias=False)), (4,)
    ),
    "only a head": Case(lambda: nn.Linear(4, 3), (4,)),
    "two classes": Case(lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)), (4,)),
    "hundred classes": Case(
        lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 100)), (4,)
    ),
    "log-softmax output": Case(
        lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.LogSoftmax(1)), (4,)
    ),
    "scaled logits in place": Case(
        lambda: Apply(
            lambda m, x: m.head(m.stem(x).tanh()).mul_(3.0),
            stem=nn.Linear(4, 5),
            head=nn.Linear(5, 3),
        ),
        (4,),
    ),
    "conv head": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Conv2d(4, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        (1, 6, 6),
    ),
    "batch norm 1d": Case(
        lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)), (4,)
    ),
    "batch norm 2d": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64, 3),
        ),
        (1, 6, 6),
    ),
    "layer norm": Case(
        lambda: nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 3)),
        (4,),
        frozenset({"1.weight", "1.bias"}),
    ),
    "group norm": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(64, 3)
        ),
        (1, 6, 6),
        frozenset({"1.weight", "1.bias"}),
    ),
    "embedding": Case(
        lambda: nn.Sequential(nn.Embedding(7, 4), nn.Tanh(), mean_head(4)),
        (5,),
        frozenset({"0.weight"}),
        tokens=7,
    ),
    "attention": Case(
        lambda: Apply(
            attention, attention=nn.MultiheadAttention(4, 2, batch_first=True), head=nn.Linear(4, 3)
        ),
        (5, 4),
        frozenset(
            {
                "attention.in_proj_weight",
                "attention.in_proj_bias",
                "attention.out_proj.weight",
                "attention.out_proj.bias",
            }
        ),
    ),
    "transposed convolution": Case(
        lambda: nn.Sequential(
            nn.ConvTranspose2d(1, 3, 3, stride=2),
            nn.Tanh(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(12, 3),
        ),
        (1, 4, 4),
        frozenset({"0.weight", "0.bias"}),
    ),
    "conv 1d": Case(
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 3)),
        (2, 6),
        frozenset({"0.weight", "0.bias"}),
    ),
    "convnext block": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 2, stride=2),
            ConvNeXtBlock(4),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        ),
        (1, 10, 10),
        frozenset({"1.norm.weight", "1.norm.bias", "1.scale"}),
    ),
    "vit": Case(SmallViT, (1, 8, 8), frozenset(VIT_GENERAL)),
    "vit, tokens first": Case(
        lambda: SmallViT(batch_first=False),
        (1, 8, 8),
        frozenset(
            VIT_GENERAL
            | {f"encoder.linear{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")}
        ),
    ),
    "tied linear": Case(tied, (4,), frozenset({"0.weight"})),
    "called thrice": Case(
        lambda: Apply(encoder_loop, step=nn.Linear(4, 4), head=nn.Linear(4, 3)),
        (4,),
        frozenset({"step.weight", "step.bias"}),
    ),
    "never called": Case(
        lambda: Apply(lambda m, x: m.head(x), spare=nn.Linear(4, 2), head=nn.Linear(4, 3)),
        (4,),
        frozenset({"spare.weight", "spare.bias"}),
    ),
    "relu in place": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(16, 5),
            nn.ReLU(inplace=True),
            nn.Linear(5, 3),
        ),
        (1, 6, 6),
    ),
    "samples overwritten": Case(
        lambda: nn.Sequential(
            nn.ReLU(inplace=True), nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 3)
        ),
        (4,),
        frozenset({"2.weight", "2.bias"}),
    ),
    "output overwritten": Case(
        lambda: Apply(
            overwritten_output, stem=nn.Linear(4, 5), block=nn.Linear(5, 5), head=nn.Linear(5, 3)
        ),
        (4,),
    ),
    "output of tokens overwritten": Case(
        lambda: Apply(
            lambda m, x: overwritten_output(m, x).mean(1),
            stem=nn.Linear(4, 5),
            block=nn.Linear(5, 5),
            head=nn.Linear(5, 3),
        ),
        (6, 4),
    ),
    "output in place, rows": overwritten_through(lambda y, h: y.add_(h).mul_(0.5), 4),
    "output in place, tokens": overwritten_through(lambda y, h: y.add_(h).mul_(0.5), 6, 4),
    "output in place, maps": overwritten_through(lambda y, h: y.add_(h).mul_(0.5), 3, 2, 4),
    "part of an output in place, rows": overwritten_through(
        lambda y, h: y[:, :2].add_(h[:, :2]), 4
    ),
    "part of an output in place, tokens": overwritten_through(
        lambda y, h: y[..., :2].add_(h[..., :2]), 6, 4
    ),
    "parts of an output, one after the other": overwritten_through(
        lambda y, h: (y[..., 0].mul_(2.0), y.add_(h), y[:, 1:].mul_(h[:, 1:])), 6, 4
    ),
    "output flattened and in place, rows": overwritten_through(
        lambda y, h: y.view(-1).mul_(h.flatten()), 4
    ),
    "output flattened and in place, tokens": overwritten_through(
        lambda y, h: y.view(-1).mul_(h.flatten()), 6, 4
    ),
    "output transposed and in place": overwritten_through(lambda y, h: y.mT.mul_(h.mT), 6, 4),
    "output masked in place": overwritten_through(lambda y, h: y.masked_fill_(h > 0, 0.5), 6, 4),
    "one token filled in": overwritten_through(lambda y, h: y[:, 2].fill_(0.5), 6, 4),
    "tokens swapped in": overwritten_through(
        lambda y, h: y.index_copy_(1, torch.tensor([0, 3]), h[:, :2]), 6, 4
    ),
    "maps with the channels last in place": Case(
        lambda: Apply(
            overwritten_maps,
            stem=nn.Conv2d(1, 4, 3),
            block=nn.Conv2d(4, 4, 1),
            head=nn.Linear(64, 3),
        ),
        (1, 6, 6),
    ),
    "logits in part in place": Case(
        lambda: Apply(overwritten_logits, stem=nn.Linear(4, 5), head=nn.Linear(5, 3)), (4,)
    ),
    "normalised rows in part in place": Case(
        lambda: Apply(
            lambda m, x: m.head(in_part(m.norm(in_part(m.stem(x))))),
            stem=nn.Linear(4, 5),
            norm=nn.BatchNorm1d(5),
            head=nn.Linear(5, 3),
        ),
        (4,),
    ),
    "input of a frozen weight overwritten": Case(frozen_block, (4,)),
    "weight norm": Case(
        lambda: nn.Sequential(weight_norm(nn.Linear(4, 5)), nn.Tanh(), nn.Linear(5, 3)),
        (4,),
        frozenset(
            {"0.parametrizations.weight.original0", "0.parametrizations.weight.original1", "0.bias"}
        ),
    ),
    "weight-normed head": Case(
        lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), weight_norm(nn.Linear(5, 3))),
        (4,),
        frozenset(
            {"2.parametrizations.weight.original0", "2.parametrizations.weight.original1", "2.bias"}
        ),
    ),
    "frozen parameters": Case(frozen, (4,)),
    "tuple output": Case(
        lambda: Apply(
            lambda m, x: (m.head(m.stem(x).tanh()), x), stem=nn.Linear(4, 5), head=nn.Linear(5, 3)
        ),
        (4,),
    ),
    "recurrent": Case(
        lambda: Apply(
            lambda m, x: m.head(m.cell(x)[0][:, -1]),
            cell=nn.GRU(3, 4, batch_first=True),
            head=nn.Linear(4, 3),
        ),
        (4, 3),
        frozenset(f"cell.{kind}_{of}_l0" for kind in ("weight", "bias") for of in ("ih", "hh")),
    ),
    "a value that Python reads": Case(
        lambda: Apply(unvmappable, gain=nn.LayerNorm(4), head=nn.Linear(4, 3)),
        (4,),
        frozenset({"gain.weight", "gain.bias"}),
    ),
    "a body under no_grad": without_gradients(torch.no_grad),
    "a body in inference mode": without_gradients(torch.inference_mode),
    "activations checkpointed": Case(
        lambda: Apply(
            checkpointed,
            stem=nn.Linear(4, 5),
            first=nn.Linear(5, 6),
            second=nn.Linear(6, 5),
            last=nn.Linear(5, 5),
            head=nn.Linear(5, 3),
        ),
        (4,),
    ),
    "biases before normalisations": Case(
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.InstanceNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 1),
            nn.GroupNorm(4, 4, affine=False),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64, 3),
        ),
        (1, 6, 6),
    ),
    "keys with a bias": Case(
        lambda: Apply(
            separate_attention,
            **{name: nn.Linear(4, 4) for name in ("query", "key", "value")},
            head=nn.Linear(4, 3),
        ),
        (5, 4),
    ),
    "compiled": Case(
        lambda: torch.compile(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))), (4,)
    ),
    "data parallel": Case(
        lambda: nn.DataParallel(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))), (4,)
    ),
}

for _mode in ("zeros", "reflect", "replicate", "circular"):
    for _stride, _padding, _dilation, _groups in (
        (1, 1, 1, 1),
        (2, 1, 1, 1),
        (1, 2, 2, 1),
        ((2, 1), (0, 2), (1, 2), 1),
        (1, 1, 1, 2),
        (2, 2, 2, 4),
        (1, "same", 1, 1),
        (1, "same", 2, 2),
        (3, 0, 1, 1),
    ):
        _options = {
            "padding_mode": _mode,
            "stride": _stride,
            "padding": _padding,
            "dilation": _dilation,
            "groups": _groups,
        }
        CASES["conv " + " ".join(str(v) for v in _options.values())] = Case(
            lambda options=_options: conv_net(**options), (2, 7, 8)
        )


def all_cases() -> list[object]:
    return [pytest.param(case, id=name) for name, case in CASES.items()]
