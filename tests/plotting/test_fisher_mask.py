"""The picture of a mask: what it counts, and what it draws."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from skactive import CNNClassifier, FisherMask
from skactive.plotting import FisherMaskDisplay


def network():
    net = nn.Sequential(nn.Linear(9, 10), nn.Linear(10, 4), nn.Linear(4, 3, bias=False))
    net[1].bias.requires_grad_(False)
    return net


NAMES = ["0.weight", "0.bias", "1.weight", "2.weight"]
SIZES = [90, 10, 40, 12]
# Of the tensors 2, 1, 0 and all; the ends of each included.
MASK = torch.tensor([0, 89, 99, *range(140, 152)])


def draw(mask=MASK, module=None):
    return FisherMaskDisplay.from_mask(mask, module or network(), ax=Figure().subplots())


@pytest.mark.parametrize(
    "mask", [MASK, MASK.numpy(), MASK.tolist()], ids=lambda m: type(m).__name__
)
def test_counts_are_those_of_each_trainable_tensor(mask):
    display = draw(mask)
    assert display.names == NAMES
    assert display.sizes.tolist() == SIZES
    assert display.kept.tolist() == [2, 1, 0, 12]
    assert draw(mask, torch.compile(network())).names == NAMES


def test_bars_end_at_the_share_that_is_kept(tmp_path):
    display = draw()
    lowest, highest = display.ax_.get_xlim()
    ends = [bar.get_x() + bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(ends, [2 / 90, 1 / 10, lowest, 1.0])
    assert (lowest, highest) == (0.01, 1.0)
    assert display.ax_.get_xscale() == "log"
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == NAMES
    bottom, top = display.ax_.get_ylim()
    assert bottom > top  # the input is at the top
    beside = [text.get_text() for text in display.ax_.texts]
    assert beside == ["2 of 90", "1 of 10", "0 of 40", "12 of 12"]
    assert "(15 of 152 in all)" in display.ax_.get_xlabel()
    assert display.ax_.xaxis.get_major_formatter()(0.01, 0) == "1 %"
    assert display.figure_ is display.ax_.figure
    display.figure_.savefig(tmp_path / "mask.png")
    assert (tmp_path / "mask.png").read_bytes().startswith(b"\x89PNG")


def test_many_tensors_are_drawn_with_fewer_names():
    module = nn.Sequential(*(nn.Linear(2, 2) for _ in range(60)))
    display = draw(torch.tensor([5]), module)
    assert len(display.bars_) == 120
    assert len(display.ax_.get_yticklabels()) == 60
    assert not display.ax_.texts


def test_the_mask_of_a_query_and_a_figure_of_its_own():
    rng = np.random.default_rng(0)
    X, y = rng.random((20, 5)), np.arange(20) % 2
    clf = CNNClassifier(max_epochs=2, random_state=0).fit(X, y)
    plt.switch_backend("Agg")
    try:
        display = FisherMaskDisplay.from_mask(
            FisherMask(fraction=0.5).choose_mask(clf, X), clf.module_
        )
        assert display.kept.sum() == int(0.5 * display.sizes.sum())
        assert plt.get_fignums() == [display.figure_.number]
    finally:
        plt.close("all")


@pytest.mark.parametrize("mask", [[], [0.5], [-1, 3], [152], [[1]], [True, False]], ids=str)
def test_message_for_masks(mask):
    message = r"'mask' .* must be flat positions from 0 to 151, at least one\. Got .*choose_mask"
    with pytest.raises(ValueError, match=message):
        draw(mask)
