"""On another device everything is as on the CPU: values, golden values, what is left as found.

Run where there is CUDA; SKACTIVE_TEST_DEVICE=cpu shows only that the tests themselves run.
"""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from skactive import CNNClassifier, Entropy, LPLClassifier
from skactive.exceptions import BatchSizeWarning
from skactive.fisher import diagonal_fisher, fisher_factors, greedy_fisher, parameter_mask
from skactive.gradients import gradient_norms, head_inputs
from tests.cases import all_cases
from tests.device import DEVICE
from tests.gradients.test_golden import golden_network, load
from tests.test_common import (
    STRATEGIES,
    X_TRAIN,
    Y_TRAIN,
    Tiny,
    classifier,
    disturbed,
    fitted_once,
    select,
    snapshot,
)

pytestmark = pytest.mark.device


def all_factors(module, X, device):
    P = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return fisher_factors(module, X, torch.arange(P), device=device).dense()


def some_factors(module, X, device):
    P = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return fisher_factors(module, X, torch.arange(0, P, 3), device=device).dense()


SCORES = {
    "diagonal": lambda m, X, device: diagonal_fisher(m, X, device=device),
    "all factors": all_factors,
    "some factors": some_factors,
    "norms": lambda m, X, device: gradient_norms(m, X, device=device),
    "expected": lambda m, X, device: gradient_norms(m, X, score="expected", device=device),
}


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
@pytest.mark.parametrize("case", all_cases())
def test_the_table_of_modules(case, score):
    module, X = case.build(n=6)
    expected = score(copy.deepcopy(module), X, "cpu")
    found = score(module, X, DEVICE)
    assert found.device.type == DEVICE
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-8, atol=1e-11)


# -- golden values -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden():
    net, X = golden_network()
    return load(), net.double(), X.astype(np.float64)


def test_golden_masks_and_gradients(golden):
    values, net, X = golden
    diagonal = diagonal_fisher(net, X, device=DEVICE)
    mask = parameter_mask(diagonal.cpu(), net, fraction=0.25)
    np.testing.assert_array_equal(mask, values["mask_standard"])
    spread = parameter_mask(diagonal.cpu(), net, kind="layerwise", fraction=0.05)
    np.testing.assert_array_equal(spread, values["mask_dispersed"])
    rows = fisher_factors(net, X, mask, weighting="uniform", device=DEVICE).dense().cpu()
    expected = values["masked_log_prob_grads"]
    np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("weighting", "key"),
    [("uniform", "fishermask_picks_uniform"), ("probability", "fishermask_picks_expected")],
)
def test_golden_picks(golden, weighting, key):
    values, net, X = golden
    mask, labelled = values["mask_standard"], np.flatnonzero(values["labelled"])
    factors = fisher_factors(net, X, mask, weighting=weighting, device=DEVICE)
    assert factors.device.type == DEVICE
    np.testing.assert_array_equal(greedy_fisher(factors, 6, labelled=labelled), values[key])


# -- what is left, and what is kept --------------------------------------------------------------


def switches():
    """The settings of torch that a query or a fit could leave changed."""
    return (
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
        torch.are_deterministic_algorithms_enabled(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_autocast_enabled(DEVICE),
        torch.backends.mha.get_fastpath_enabled(),
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    )


@pytest.mark.parametrize("cls", STRATEGIES, ids=lambda cls: cls.__name__)
def test_a_query_leaves_generators_and_switches(cls):
    clf = disturbed(fitted_once(classifier(cls)))
    clf.module_.to(DEVICE)
    if isinstance(clf, LPLClassifier):
        clf.loss_module_.to(DEVICE)
    before = snapshot(clf.module_), switches()
    first = select(cls, clf).indices
    assert (snapshot(clf.module_), switches()) == before
    np.testing.assert_array_equal(select(cls, clf).indices, first)


@pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize("params", [{}, {"deterministic": True}, {"amp": True}], ids=str)
def test_a_fit_leaves_generators_and_switches(kind, params):
    before = switches(), torch.get_rng_state().tolist()
    clf = kind(Tiny, max_epochs=2, random_state=0, device=DEVICE, **params)
    clf.fit(X_TRAIN, Y_TRAIN).predict_proba(X_TRAIN)
    assert (switches(), torch.get_rng_state().tolist()) == before
    assert next(clf.module_.parameters()).device.type == DEVICE


@pytest.mark.parametrize("kind", [CNNClassifier, LPLClassifier])
def test_a_pickle_loads_where_there_is_no_such_device(kind, tmp_path):
    clf = kind(Tiny, max_epochs=2, random_state=0, device=DEVICE).fit(X_TRAIN, Y_TRAIN)
    (tmp_path / "clf").write_bytes(pickle.dumps(clf))
    np.save(tmp_path / "X.npy", X_TRAIN)
    code = (
        "import pickle, sys, warnings, numpy as np; warnings.simplefilter('ignore')\n"
        "clf = pickle.load(open(sys.argv[1] + '/clf', 'rb')); X = np.load(sys.argv[1] + '/X.npy')\n"
        "np.save(sys.argv[1] + '/p.npy', clf.predict_proba(X))\n"
        "print({p.device.type for p in clf.module_.parameters()})"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(command, env=env, capture_output=True, text=True)
    assert ran.stdout.strip() == "{'cpu'}", ran.stderr
    expected = clf.predict_proba(X_TRAIN)
    np.testing.assert_allclose(np.load(tmp_path / "p.npy"), expected, rtol=1e-2, atol=1e-3)


# -- a real out-of-memory ------------------------------------------------------------------------


@pytest.fixture
def little_memory():
    """Leave this process half a gigabyte more than it has."""
    torch.zeros(1, device="cuda")
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**29) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def wide():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(  # a gigabyte of maps for 4,096 images
            nn.Conv2d(3, 64, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 3),
        )


MANY = np.random.default_rng(0).random((4096, 3, 32, 32), dtype=np.float32)
READ = {
    "head_inputs": lambda device, size: (
        head_inputs(wide(), MANY, batch_size=size, device=device).inputs
    ),
    "norms": lambda device, size: gradient_norms(wide(), MANY, batch_size=size, device=device),
    "diagonal": lambda device, size: diagonal_fisher(wide(), MANY, batch_size=size, device=device),
}


@pytest.mark.cuda
@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_a_real_out_of_memory_is_halved_and_retried(read, little_memory):
    with pytest.warns(BatchSizeWarning, match=r"batch_size=\d+ worked"):
        found = read("cuda", 4096)
    torch.testing.assert_close(found.cpu(), read("cpu", 256), rtol=1e-2, atol=1e-3)


@pytest.mark.cuda
def test_a_query_goes_on_after_a_real_out_of_memory(little_memory):
    y = np.arange(64) % 3
    clf = CNNClassifier(wide(), max_epochs=1, random_state=0, device="cuda").fit(MANY[:64], y)
    expected = Entropy(batch_size=256).select(clf, MANY, 5).utilities
    with pytest.warns(BatchSizeWarning, match=r"batch_size=\d+ worked"):
        found = Entropy(batch_size=4096).select(clf, MANY, 5).utilities
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-4)
