"""Masks against their definitions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from skactive.fisher import parameter_mask


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(9, 10), nn.Tanh(), nn.Linear(10, 4), nn.Tanh(), nn.Linear(4, 3))


SIZES = [90, 10, 40, 4, 12, 3]  # 159, the last layer 15


def diagonal(seed: int = 0) -> torch.Tensor:
    return torch.rand(159, generator=torch.Generator().manual_seed(seed))


def in_tensors(mask: torch.Tensor) -> list[set[int]]:
    bounds = pairwise(np.cumsum([0, *SIZES]))
    return [{int(i) for i in mask if low <= i < high} for low, high in bounds]


def largest(values: torch.Tensor, count: int, offset: int = 0) -> set[int]:
    order = sorted(range(len(values)), key=lambda i: (-float(values[i]), i))
    return {i + offset for i in order[:count]}


def check_form(mask: torch.Tensor) -> None:
    assert mask.dtype == torch.int64
    assert mask.ndim == 1
    assert (mask.diff() > 0).all()


def test_global_is_the_last_layer_and_the_largest_of_the_rest():
    d = diagonal()
    mask = parameter_mask(d, network(), fraction=0.3)
    check_form(mask)
    assert set(mask.tolist()) == set(range(144, 159)) | largest(d[:144], 47 - 15)


def test_auto_is_a_tenth_more_than_the_last_layer_where_that_is_larger():
    assert len(parameter_mask(diagonal(), network())) == 17  # ⌈1.1 · 15⌉
    wide = nn.Sequential(nn.Linear(100, 100), nn.Linear(100, 2))
    P = 100 * 101 + 2 * 101
    assert len(parameter_mask(torch.rand(P), wide)) == 223  # ⌈1.1 · 202⌉, above ⌊0.002 · P⌋
    deep = nn.Sequential(nn.Linear(400, 400), nn.Linear(400, 1))
    P = 400 * 401 + 401
    assert len(parameter_mask(torch.rand(P), deep, head="1")) == 442
    assert len(parameter_mask(torch.rand(401), nn.Linear(400, 1))) == 401


def test_shares_are_of_the_decimal_that_was_written():
    flat = nn.Sequential(nn.Linear(1, 92, bias=False), nn.Linear(4, 2, bias=False))
    assert len(parameter_mask(torch.rand(100), flat, fraction=0.29)) == 29
    flat = nn.Sequential(nn.Linear(1, 100, bias=False), nn.Linear(4, 2, bias=False))
    mask = parameter_mask(torch.rand(108), flat, kind="layerwise", fraction=0.07)
    assert len(mask) == 7 + 8


def test_ties_go_to_the_lower_position():
    mask = parameter_mask(torch.zeros(159), network(), n_parameters=20)
    assert mask.tolist() == [*range(5), *range(144, 159)]
    mask = parameter_mask(torch.ones(159), network(), kind="layerwise", fraction=0.1)
    assert mask.tolist() == [*range(9), 90, *range(100, 104), 140, *range(144, 159)]


def test_layerwise_takes_the_share_of_each_tensor():
    d = diagonal()
    for given in ({"fraction": 0.1}, {"n_parameters": 16}, {}):
        mask = parameter_mask(d, network(), kind="layerwise", **given)
        check_form(mask)
        counts = {"fraction": [9, 1, 4, 1], "n_parameters": [10, 2, 5, 1]}.get(
            next(iter(given), ""), [1, 1, 1, 1]
        )
        offset = 0
        for found, size, count in zip(in_tensors(mask), SIZES, [*counts, 12, 3], strict=True):
            assert found == largest(d[offset : offset + size], count, offset)
            offset += size


def test_relative_takes_what_is_above_twice_the_mean_at_most_a_fortieth():
    d = diagonal()
    d[3] = d[4] = d[5] = d[6] = 9.0  # four of 90, of which ⌈2.5 %⌉ is three
    d[95] = 9.0
    d[100:140] = 1.0
    mask = parameter_mask(d, network(), kind="relative")
    check_form(mask)
    found = in_tensors(mask)
    assert found[0] == {3, 4, 5}
    assert found[1] == {95}
    assert found[2] == set()  # none above the mean


def test_relative_can_be_nothing():
    even = torch.ones_like(torch.as_tensor(diagonal()))
    match = "'kind' .* another kind where no entry .* Got 'relative' instead. Use 'head' or 'gl"
    with pytest.raises(ValueError, match=match):
        parameter_mask(even, network(), kind="relative")


def test_random_is_drawn_from_all_and_repeats():
    d = diagonal()
    one = parameter_mask(d, network(), kind="random", n_parameters=50, random_state=0)
    check_form(one)
    assert len(one) == 50
    assert torch.equal(
        one, parameter_mask(d, network(), kind="random", n_parameters=50, random_state=0)
    )
    assert not torch.equal(
        one, parameter_mask(d, network(), kind="random", n_parameters=50, random_state=1)
    )
    state = np.random.get_state()[1].copy()
    parameter_mask(d, network(), kind="random", random_state=np.random.RandomState(3))
    np.testing.assert_array_equal(state, np.random.get_state()[1])


def test_the_last_layer_alone():
    assert parameter_mask(None, network(), kind="head").tolist() == list(range(144, 159))
    assert parameter_mask(None, network(), kind="head", head="0").tolist() == list(range(100))
    frozen = network()
    frozen[4].requires_grad_(False)
    with pytest.raises(ValueError, match=r"'module'.*whose last layer has .* Unfreeze them"):
        parameter_mask(None, frozen, kind="head")


def test_a_random_mask_reads_no_diagonal():
    drawn = [
        parameter_mask(d, network(), kind="random", random_state=0) for d in (None, diagonal())
    ]
    assert torch.equal(*drawn)


def test_the_head():
    net = network()
    first = parameter_mask(diagonal(), net, head="0", n_parameters=101)
    assert set(range(100)) <= set(first.tolist())
    net[4].weight.requires_grad_(False)
    mask = parameter_mask(torch.rand(147), net, n_parameters=4)
    assert set(mask.tolist()) >= {144, 145, 146}
    convolutional = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 3, 1))
    mask = parameter_mask(torch.rand(29), convolutional, n_parameters=10)
    assert set(range(20, 29)) <= set(mask.tolist())
    mask = parameter_mask(np.random.rand(159), torch.compile(network()), n_parameters=16)
    assert set(range(144, 159)) <= set(mask.tolist())


BAD = {
    "diagonal short": (
        {"diagonal": torch.ones(3)},
        r"'diagonal'.*one for each of the 159 .*\(3,\)",
    ),
    "diagonal ints": ({"diagonal": torch.ones(159, dtype=int)}, "'diagonal'.*finite floats"),
    "diagonal nan": ({"diagonal": torch.full((159,), torch.nan)}, "'diagonal'.*finite floats"),
    "diagonal negative": ({"diagonal": -torch.ones(159)}, "'diagonal'.*at least 0"),
    "kind": (
        {"kind": "best"},
        "'kind'.*one of 'global', 'layerwise', 'relative', 'random', 'head'.*'best'",
    ),
    "fraction 0": ({"fraction": 0.0}, "'fraction'.*'auto' or a float above 0 and up to 1.*Got 0.0"),
    "fraction text": ({"fraction": "all"}, "'fraction'.*'auto' or a float"),
    "fraction bool": ({"fraction": True}, "'fraction'.*'auto' or a float"),
    "n_parameters": (
        {"n_parameters": 160},
        r"'n_parameters'.*1 to 159 \(the trainable parameters\)",
    ),
    "both": (
        {"n_parameters": 20, "fraction": 0.2},
        "'fraction'.*'auto' where n_parameters is given",
    ),
    "relative": (
        {"kind": "relative", "fraction": 0.1},
        r"'fraction'.*a 'relative' mask, which takes at most 2\.5% of each tensor\. Got 0\.1",
    ),
    "relative n": (
        {"kind": "relative", "n_parameters": 9},
        "'n_parameters'.*'relative' mask.*Got 9",
    ),
    "head fraction": (
        {"kind": "head", "fraction": 0.1},
        r"'fraction'.*a 'head' mask, which is the last layer\. Got 0\.1",
    ),
    "no diagonal": ({"diagonal": None}, "'diagonal'.*finite floats.*Got None"),
    "small fraction": (
        {"fraction": 0.05},
        r"'fraction'.*the last layer, which has 15 of the 159 parameters. Got 0.05 .*a mask of 7. "
        r".*n_parameters=16, or fraction=0.101;",
    ),
    "small count": (
        {"n_parameters": 15},
        r"'n_parameters'.*has 15 of the 159.*Got 15 .*fraction=0.101",
    ),
    "head": ({"head": "fc"}, "'head'.*the name of a layer, such as '4'.*Got 'fc'"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_messages(change, message):
    arguments = {"diagonal": diagonal(), **change}
    with pytest.raises(ValueError, match=message):
        parameter_mask(arguments.pop("diagonal"), network(), **arguments)


def test_the_smallest_fraction_that_the_message_names_works():
    with pytest.raises(ValueError, match=r"fraction=0.101;"):
        parameter_mask(diagonal(), network(), fraction=0.1)
    assert len(parameter_mask(diagonal(), network(), fraction=0.101)) == 16
    # A network that is only its last layer: all of it.
    with pytest.raises(ValueError, match=r"n_parameters=15, or fraction=1.0;"):
        parameter_mask(torch.rand(15), nn.Linear(4, 3), fraction=0.5)


def test_networks_without_a_head_or_anything_to_train():
    with pytest.raises(ValueError, match=r"'module'.*linear or convolutional layer.*head="):
        parameter_mask(torch.rand(10), nn.Sequential(nn.LayerNorm(5)))
    frozen = network().requires_grad_(False)
    with pytest.raises(ValueError, match=r"'module'.*parameters that require gradients.*Unfreeze"):
        parameter_mask(diagonal(), frozen)


@pytest.mark.parametrize("kind", ["global", "random"])
def test_auto_is_one_parameter_at_least(kind):
    """Where the last layer is frozen, and the rest has fewer than 500 parameters."""
    module = network()
    module[4].requires_grad_(False)
    values = diagonal()[:144]
    mask = parameter_mask(values, module, kind=kind, random_state=0)
    assert len(mask) == 1
    if kind == "global":
        assert mask.tolist() == [int(values.argmax())]
