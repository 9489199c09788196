"""On a device that computes while Python goes on: nothing is mixed up, and little is waited for.

The device is pretended, see `tests/pretended.py`, so that this holds on every machine. Of a pool or
of training data, each further batch may cost one wait at most: for a number, for positions, or for
values to arrive on the CPU.
"""

import copy
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

from skactive import CNNClassifier, LPLClassifier
from skactive._scoring import scoring
from skactive.estimators import _make_net
from skactive.fisher import diagonal_fisher, fisher_factors, head_factors
from skactive.gradients import gradient_norms, head_inputs
from tests.pretended import META, There, pretended
from tests.test_common import (
    IGNORES_THE_ESTIMATOR,
    STRATEGIES,
    Tiny,
    classifier,
    fitted_once,
    select,
    tiny_images,
)

FEW, MANY, BATCH = 8, 28, 4
FURTHER = (MANY - FEW) // BATCH  # batches
SAMPLES = "copy from the CPU"  # those of a batch have to go there


def waits(device):
    """How often something was waited for."""
    return sum(count for what, count in device.waits.items() if what != SAMPLES)


def growth(run):
    """By how much that grows with FURTHER batches, and how often more is brought to the device."""
    few, many = run(FEW), run(MANY)
    return waits(many) - waits(few), many.waits[SAMPLES] - few.waits[SAMPLES]


# -- the pretended device itself -------------------------------------------------------------


def test_it_computes_what_the_cpu_does():
    net, X = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), torch.randn(5, 3, 8, 8)
    expected = copy.deepcopy(net)
    expected(X).square().sum().backward()
    with pretended() as device:
        there = net.to("meta")(X.to("meta"))
        there.square().sum().backward()
        assert isinstance(there, There)
        assert there.device == META
        assert waits(device) == 0
        gradient = net[0].weight.grad.cpu()
    torch.testing.assert_close(gradient, expected[0].weight.grad)


def test_it_refuses_to_mix_devices():
    with pretended():
        there = torch.ones(3, device="meta")
        for mix in (lambda: there + torch.ones(3), lambda: torch.cat([torch.ones(1), there])):
            with pytest.raises(RuntimeError, match="to be on the same device: aten.* on the CPU"):
                mix()
        assert (there + torch.tensor(2.0)).tolist() == [3.0] * 3  # one number may be elsewhere


READINGS = {
    "item": lambda x: x[0].item(),
    "bool": lambda x: bool(x.all()),
    "equal": lambda x: torch.equal(x, x),
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 1],
    "masked_select": lambda x: x.masked_select(x > 1),
    "unique": lambda x: x.unique(),
    "cpu": lambda x: x.cpu(),
    "list": lambda x: x.tolist(),
    "into": lambda x: torch.empty(4).copy_(x),
    "inference": torch.inference_mode()(lambda x: x.to("cpu", torch.float64).numpy()),
}


@pytest.mark.parametrize("read", READINGS.values(), ids=READINGS)
def test_it_notes_what_is_waited_for(read):
    with pretended() as device:
        x = torch.arange(4.0).to("meta")
        (x @ x).sqrt().clamp(max=1.0).expand(3).sort()
        assert waits(device) == 0
        read(x)
        assert waits(device) == 1


def test_it_notes_what_is_brought_there():
    with pretended() as device:
        x = torch.arange(4.0).to("meta")
        x[torch.tensor([1, 2])]
        x[[3]] = 0
        torch.tensor([1.0], device="meta")
        x.to("meta")
        assert device.waits == {SAMPLES: 4}
        assert x.tolist() == [0, 1, 2, 0]


# -- scoring ---------------------------------------------------------------------------------


def fast():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    )


def general():
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.LayerNorm(5), nn.Linear(5, 3))


def everything(module, X, **options):
    P = sum(p.numel() for p in module.parameters())
    return fisher_factors(module, X, torch.arange(0, P, 2), **options).dense()


SCORES = {
    "head_inputs": lambda module, X, **options: head_inputs(module, X, **options).inputs,
    "head_factors": lambda module, X, **options: head_factors(module, X, **options).dense(),
    "norms": gradient_norms,
    "expected norms": partial(gradient_norms, score="expected", norm="global"),
    "diagonal": diagonal_fisher,
    "diagonal, drawn": partial(diagonal_fisher, labels=2, random_state=0),
    "factors": everything,
}


@pytest.mark.parametrize("make", [fast, general])
@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_one_wait_per_batch(score, make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, X = make().double(), torch.randn(MANY, 3, 8, 8, dtype=torch.float64)

    def run(n):
        expected = score(module, X[:n], batch_size=BATCH)
        with pretended() as device:
            got = score(copy.deepcopy(module).to("meta"), X[:n], batch_size=BATCH)
            assert got.device == META
            got = got.cpu()
        torch.testing.assert_close(got, expected)
        return device

    assert growth(run) == (FURTHER, FURTHER)


def test_leaving_a_network_as_it_was_waits_once():
    module = nn.Sequential(nn.BatchNorm1d(4), nn.BatchNorm1d(4))
    with pretended() as device:
        module.to("meta")
        with scoring(module):
            module[1].running_mean.fill_(3.0)
        assert waits(device) == 1
        assert module[1].running_mean.tolist() == [0.0] * 4


# What chooses from the scores, on the device as well, waits at each pick.
SELECTION_WAITS = {"BAIT", "FisherMask", "TypiClust"}
TWO_WAITS = {
    "ClassBalanced": "reads the pool twice: for itself, and for what it is made of",
    "EPIG": "reads the targets, then the pool",
    "Hybrid": "reads the pool for each of the two that it is made of",
    "PerClass": "reads the pool for the predicted classes, and for what it is made of",
    "Refine": "reads the pool for each of the two that it is made of",
    "LearningLoss": "asks the estimator batch by batch, which looks after its buffers each time",
}


@pytest.mark.parametrize("cls", STRATEGIES, ids=lambda cls: cls.__name__)
def test_strategies(cls):
    if cls.__name__ in IGNORES_THE_ESTIMATOR:
        pytest.skip("reads no network")
    fitted = fitted_once(classifier(cls))
    moved = copy.deepcopy(fitted)

    def run(n):
        pool = tiny_images(n, seed=1)[0]
        expected = select(cls, fitted, pool=pool)
        with pretended() as device:
            moved.module_.to("meta")
            if isinstance(moved, LPLClassifier):
                moved.loss_module_.to("meta")
            got = select(cls, moved, pool=pool)
        np.testing.assert_array_equal(got.indices, expected.indices)
        return device

    if cls.__name__ in SELECTION_WAITS:
        run(MANY)
        return
    grown, _ = growth(run)
    assert grown <= FURTHER * (2 if cls.__name__ in TWO_WAITS else 1)


def test_prediction():
    clf = copy.deepcopy(fitted_once(CNNClassifier))
    X = tiny_images(600)[0]
    expected = clf.predict_proba(X)
    with pretended() as device:
        clf.module_.to("meta")
        found = clf.predict_proba(X)  # in batches of 256
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert waits(device) <= 3 + 1  # and one for the buffers


# -- training --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize(
    "params",
    [{}, {"train_split": 0.25}, {"class_weight": "balanced"}, {"augment": "crop_flip"}],
    ids=str,
)
def test_training_waits_once_per_epoch(kind, params):
    def run(n):
        X, y = tiny_images(n)
        params_ = {"max_epochs": 2, "batch_size": BATCH, "random_state": 0, **params}
        expected = kind(Tiny, device="cpu", **params_).fit(X, y).module_.state_dict()
        with (
            pretended() as device,
            patch.object(_make_net, "resolve_device", lambda device, owner: META),
        ):
            trained = kind(Tiny, device="meta", **params_).fit(X, y)
            got = {name: value.cpu() for name, value in trained.module_.state_dict().items()}
        # the CPU's optimizer is a single kernel, and rounds otherwise
        torch.testing.assert_close(got, dict(expected), rtol=1e-3, atol=1e-4)
        return device

    assert growth(run)[0] == 0
