"""What is computed does not depend on torch's contexts and defaults around it."""

import threading
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner
from PIL import Image

from skactive import (
    BADGE,
    BAIT,
    CNNClassifier,
    CoreSet,
    Embedder,
    Entropy,
    ExpectedGradientLength,
    FisherMask,
    LPLClassifier,
    LPLGrad,
)
from skactive._plain_torch import plain_torch
from skactive.gradients.engine import lend_network

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (24, 8, 8), dtype=np.uint8)
Y = np.arange(24) % 3


@contextmanager
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def on_meta_by_default():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def several():
    with torch.inference_mode(), float64_by_default(), torch.autocast("cpu", torch.bfloat16):
        yield


CONTEXTS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "set_grad_enabled": lambda: torch.set_grad_enabled(False),
    "set_default_dtype": float64_by_default,
    "set_default_device": on_meta_by_default,
    "device": lambda: torch.device("meta"),
    "several": several,
}
around = pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)


def surroundings():
    """What a context may set, and what has to be as it was afterwards."""
    return (
        torch.is_autocast_enabled("cpu"),
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.empty(0).device,
    )


class Own(torch.nn.Module):
    """Makes tensors of its own where it is built and where it runs."""

    def __init__(self, num_classes):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(64, num_classes) / 8)

    def forward(self, x):
        noise = torch.rand(len(x), 1) if self.training else torch.zeros(len(x), 1)
        return x.flatten(1) @ self.weight + noise


MAKES = {
    "small_cnn": lambda: CNNClassifier("small_cnn", max_epochs=2, random_state=0),
    "LPL": lambda: LPLClassifier("small_cnn", max_epochs=2, random_state=0),
    "amp": lambda: CNNClassifier(
        "small_cnn", amp=True, augment="crop_flip", max_epochs=2, random_state=0
    ),
    "own": lambda: CNNClassifier(Own, max_epochs=2, random_state=0),
}
_fitted = {}


def weights(clf):
    beside = getattr(clf.net_, "loss_module_", clf.module_)
    state = {**clf.module_.state_dict(), **beside.state_dict()}
    return {name: value.clone() for name, value in state.items()}


def fitted(make, method):
    """The fitted estimator and its weights, without a context around."""
    if (make, method) not in _fitted:
        clf = MAKES[make]()
        getattr(clf, method)(X, Y)
        _fitted[make, method] = clf, weights(clf)
    return _fitted[make, method]


def assert_same_weights(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
        assert not found[name].is_inference()


@around
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", MAKES)
def test_training(make, method, context):
    """Outer autocast kept weights of the step before (pytorch#63552)."""
    _, expected = fitted(make, method)
    clf = MAKES[make]()
    with context():
        before = surroundings()
        getattr(clf, method)(X, Y)
        assert surroundings() == before
    assert_same_weights(weights(clf), expected)
    assert all(p.requires_grad for p in clf.module_.parameters())


@around
def test_going_on_from_weights_that_autocast_has_seen(context):
    """What a context remembers of the weights must not be used once they have moved."""
    expected = MAKES["amp"]().set_params(warm_start=True).fit(X, Y)
    before = torch.softmax(expected.module_(torch.as_tensor(X)), 1)
    expected.fit(X, Y)
    clf = MAKES["amp"]().set_params(warm_start=True).fit(X, Y)
    with context() as _:
        seen = clf.module_(torch.from_numpy(X))
        clf.fit(X, Y)
        again = clf.module_(torch.from_numpy(X))
    assert before.shape == seen.shape
    assert_same_weights(weights(clf), weights(expected))
    moved = not torch.equal(seen.float(), again.float())
    assert moved or seen.device.type == "meta"


@around
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_loss"])
def test_predictions(method, context):
    clf, _ = fitted("LPL", "fit")
    expected = getattr(clf, method)(X)
    for samples in (X, torch.from_numpy(X)):
        with context():
            found = getattr(clf, method)(samples)
        np.testing.assert_array_equal(found, expected)


def test_tensors_made_in_inference_mode():
    with torch.inference_mode():
        inside = torch.from_numpy(X).clone()
        rows = torch.from_numpy(X.reshape(24, -1) / 255.0).clone()
    for samples, plain in ((inside, X), (rows, X.reshape(24, -1) / 255.0)):
        found = CNNClassifier(max_epochs=1, random_state=0, normalize=None).fit(samples, Y)
        expected = CNNClassifier(max_epochs=1, random_state=0, normalize=None).fit(plain, Y)
        assert_same_weights(weights(found), weights(expected))
        np.testing.assert_array_equal(found.predict_proba(samples), expected.predict_proba(plain))


def test_a_module_made_in_inference_mode():
    torch.manual_seed(0)
    with torch.inference_mode():
        inside = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    torch.manual_seed(0)
    outside = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    found, expected = (
        CNNClassifier(m, max_epochs=1, random_state=0).fit(X, Y) for m in (inside, outside)
    )
    assert_same_weights(weights(found), weights(expected))


STRATEGIES = {
    "BADGE": BADGE,
    "BAIT": BAIT,
    "CoreSet": CoreSet,
    "Entropy": Entropy,
    "EGL": ExpectedGradientLength,
    "FisherMask": FisherMask,
    "LPLGrad": LPLGrad,
}
_selected = {}


@pytest.mark.parametrize("wrap", [lambda x: x, Image.fromarray])
@around
def test_an_embedder_and_objects(context, wrap):
    torch.manual_seed(0)
    embedder = Embedder(torch.nn.Conv2d(1, 4, 3), device="cpu")
    expected = embedder.transform(X)
    with context():
        np.testing.assert_array_equal(embedder.transform([wrap(x) for x in X]), expected)


@around
@pytest.mark.parametrize("name", STRATEGIES)
def test_queries(name, context):
    clf, _ = fitted("LPL", "fit")
    strategy = STRATEGIES[name](random_state=0)
    known = {"X_labelled": X[:4], "y_labelled": Y[:4]}
    if name not in _selected:
        _selected[name] = strategy.select(clf, X, 5, **known)
    with context():
        before = surroundings()
        found = strategy.select(clf, X, 5, **known)
        assert surroundings() == before
    for part in ("indices", "utilities", "gains"):
        np.testing.assert_array_equal(getattr(found, part), getattr(_selected[name], part))


@around
def test_a_learner(context):
    def run(inside):
        with inside():
            learner = ActiveLearner(MAKES["small_cnn"](), FisherMask(random_state=0), X[:9], Y[:9])
            picks = learner.query(X[9:], n_instances=3)[0]
            learner.teach(X[9:][picks], Y[9:][picks])
            return picks, learner.predict_proba(X)

    for found, expected in zip(run(context), run(nullcontext), strict=True):
        np.testing.assert_array_equal(found, expected)


@around
@pytest.mark.parametrize("fails", [False, True])
def test_plain_torch(context, fails):
    plain = surroundings()
    with context():
        before = surroundings()
        try:
            with plain_torch():
                assert surroundings() == plain
                if fails:
                    raise KeyError
        except KeyError:
            pass
        assert surroundings() == before


def lent():
    return lend_network(torch.nn.Linear(2, 2), torch.zeros(1, 2), None, "here")


fused = torch.backends.mha.get_fastpath_enabled


@pytest.mark.parametrize(
    ("context", "inside", "look", "expected"),
    [
        (float64_by_default, plain_torch, torch.get_default_dtype, [torch.float32, torch.float64]),
        (nullcontext, lent, fused, [False, True]),
    ],
)
def test_two_threads_inside_at_different_times(context, inside, look, expected):
    """These are process-wide: whoever leaves first must not put them back for both."""
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))
    seen = []

    def first():
        with inside():
            first_is_in.set()
            second_is_in.wait(60)
        first_is_out.set()

    with context():
        thread = threading.Thread(target=first)
        thread.start()
        assert first_is_in.wait(60)
        with inside():
            second_is_in.set()
            assert first_is_out.wait(60)
            seen.append(look())
        thread.join(60)
        seen.append(look())
    assert seen == expected
