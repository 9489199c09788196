"""The battery: what every public strategy and every public estimator must pass.

Strategies and estimators are discovered. One that is added without a test file, a docstring with
references and a running example, or a line in docs/strategies.md, fails here.
"""

import copy
import doctest
import inspect
import pickle
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from modAL.models import ActiveLearner, Committee
from PIL import Image
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import Dataset, IterableDataset, TensorDataset

import skactive
from skactive import (
    CNNClassifier,
    Embedder,
    Entropy,
    Hybrid,
    ImageReader,
    LPLClassifier,
    Margin,
    Random,
    Selection,
    Subsample,
    estimators,
    strategies,
)
from skactive.exceptions import UnreadableFileWarning, UnsupportedEstimatorError
from skactive.strategies import QueryStrategy
from skactive.strategies.base._monte_carlo import MonteCarloStrategy
from skactive.strategies.base._probabilities import ProbabilityReader, ProbabilityStrategy
from skactive.testing import check_strategy
from skactive.testing._setting import TinyNetwork, snapshot, tiny_images
from tests.device import BATTERY_DEVICE

ROOT = Path(__file__).parent.parent


def public(module, base):
    found = [getattr(module, name) for name in module.__all__]
    return [
        cls
        for cls in found
        if inspect.isclass(cls) and issubclass(cls, base) and not inspect.isabstract(cls)
    ]


STRATEGIES = public(strategies, QueryStrategy)
ESTIMATORS = [cls for cls in public(estimators, BaseEstimator) if hasattr(cls, "fit")]

# Those of images alone, which scikit-learn has no checks for; their own tests run those that apply.
OF_IMAGES = (Embedder, ImageReader)

# Exceptions to the contract, each with its reason.
IGNORES_THE_ESTIMATOR = {
    "Random": "reads only the size of the pool, so that it can choose the first labels",
}

NEEDS_PREDICT_LOSS = {
    "LearningLoss": "reads losses that the estimator predicts, which LPLClassifier alone does",
}
# Strategies made of others: what they are made of here. It is Entropy that reads the pool, and it
# is named in messages about the pool and the estimator.
MADE_OF = {
    "ClassBalanced": lambda: {"strategy": Entropy(batch_size=4)},
    "Hybrid": lambda: {"strategies": [Entropy(batch_size=4), Margin(batch_size=4)]},
    "Refine": lambda: {"strategies": [Entropy(batch_size=4), Entropy(batch_size=4)]},
    "PerClass": lambda: {"strategy": Entropy(batch_size=4)},
    "Subsample": lambda: {"strategy": Entropy(batch_size=4)},
    "Switch": lambda: {"phases": [(Entropy(batch_size=4), 1000), (Random(), None)]},
}
READS_BEFORE_ITS_MEMBER = {
    "PerClass": "predicts the classes of the pool, by which it parts it",
}
# More would take longer and prove nothing further.
FEW = {"n_passes": 3, "max_epochs": 2, "n_batches": 2, "n_sifts": 1}

every_strategy = pytest.mark.parametrize("cls", STRATEGIES, ids=lambda cls: cls.__name__)
reading_strategies = pytest.mark.parametrize(
    "cls",
    [cls for cls in STRATEGIES if cls.__name__ not in IGNORES_THE_ESTIMATOR],
    ids=lambda cls: cls.__name__,
)
strategies_of_plain_nets = pytest.mark.parametrize(
    "cls",
    [cls for cls in STRATEGIES if cls.__name__ not in NEEDS_PREDICT_LOSS],
    ids=lambda cls: cls.__name__,
)
reading_strategies_of_plain_nets = pytest.mark.parametrize(
    "cls",
    [c for c in STRATEGIES if c.__name__ not in IGNORES_THE_ESTIMATOR | NEEDS_PREDICT_LOSS],
    ids=lambda cls: cls.__name__,
)


def classifier(cls):
    """The estimator that a strategy is tried on."""
    return LPLClassifier if cls.__name__ in NEEDS_PREDICT_LOSS else CNNClassifier


strategies_with_a_device = pytest.mark.parametrize(
    "cls",
    [cls for cls in STRATEGIES if "device" in inspect.signature(cls).parameters],
    ids=lambda cls: cls.__name__,
)


def make(cls, **params):
    """A strategy with small batches, so that a pool of 10 takes three of them."""
    known = inspect.signature(cls).parameters
    usual = {"batch_size": 4, **FEW, **MADE_OF.get(cls.__name__, dict)()}
    return cls(**{**{k: v for k, v in usual.items() if k in known}, "random_state": 0, **params})


def reader(cls):
    """The name in messages about the pool and the estimator."""
    by_member = cls.__name__ in MADE_OF and cls.__name__ not in READS_BEFORE_ITS_MEMBER
    return "Entropy" if by_member else cls.__name__


def takes_committees(cls):
    several = issubclass(cls, (ProbabilityReader, MonteCarloStrategy))
    return several or cls.__name__ in {*IGNORES_THE_ESTIMATOR, *MADE_OF}


# -- data and fitted estimators -------------------------------------------------


X_TRAIN, Y_TRAIN = tiny_images(24)
POOL = tiny_images(10, seed=1)[0]


class Tiny(TinyNetwork):
    """One that breaks at a given forward call."""

    calls = None  # when a list: (how many forward calls so far, at which to raise)

    def forward(self, x):
        if self.calls is not None:
            self.calls[0] += 1
            if self.calls[0] == self.calls[1]:
                raise RuntimeError("the network breaks here")
        return super().forward(x)


class Probabilities(Tiny):
    def forward(self, x):
        return torch.softmax(super().forward(x), 1)


@pytest.fixture
def fitted(request):
    return fitted_once(classifier(request.node.callspec.params["cls"]))


@cache
def fitted_once(kind):
    return kind(Tiny, max_epochs=4, random_state=0, device=BATTERY_DEVICE).fit(X_TRAIN, Y_TRAIN)


def skorch_net(module=Tiny, criterion=nn.CrossEntropyLoss):
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        module,
        criterion=criterion,
        max_epochs=2,
        train_split=None,
        verbose=0,
        lr=0.1,
        device=BATTERY_DEVICE,
    )
    return net.fit(X_TRAIN.astype(np.float32) / 255, Y_TRAIN)


def check_indices(indices, n, n_pool):
    assert isinstance(indices, np.ndarray)
    assert indices.dtype == np.int64
    assert indices.shape == (n,)
    assert len(set(indices.tolist())) == n
    assert 0 <= indices.min() <= indices.max() < n_pool


def select(cls, estimator, pool=POOL, n=3, **params):
    plain = isinstance(estimator, NeuralNetClassifier)
    labelled = X_TRAIN.astype(np.float32) / 255 if plain else X_TRAIN
    return make(cls, **params).select(estimator, pool, n, X_labelled=labelled, y_labelled=Y_TRAIN)


# -- what is returned -----------------------------------------------------------


def test_discovery_finds_what_is_there():
    assert {"Entropy", "LeastConfidence", "Margin", "Random"} <= {c.__name__ for c in STRATEGIES}
    assert {CNNClassifier, LPLClassifier} <= set(ESTIMATORS)
    for cls in STRATEGIES:
        assert getattr(skactive, cls.__name__) is cls


@every_strategy
def test_the_contract(cls):
    """What `skactive.testing` asks of everybody's strategies."""
    estimator = classifier(cls)(Tiny, max_epochs=4, random_state=0, device=BATTERY_DEVICE)
    check_strategy(make(cls), estimator=estimator)


@every_strategy
@pytest.mark.parametrize("n", [1, 7, 10])
def test_picks_are_those_of_the_highest_utility(cls, n, fitted):
    selection = select(cls, fitted, n=n)
    if selection.utilities is not None:
        assert selection.utilities.dtype == np.float64
        scored = np.flatnonzero(~np.isnan(selection.utilities))
        best = selection.utilities[scored[np.argsort(-selection.utilities[scored])]][:n]
        np.testing.assert_array_equal(selection.utilities[selection.indices], best)
    assert selection.utilities is not None or selection.gains is not None


@every_strategy
def test_inside_of_others(cls, fitted):
    """On a part of the pool, and on what another one left of it."""
    labelled = {"X_labelled": X_TRAIN, "y_labelled": Y_TRAIN}
    part = Subsample(make(cls), n=6, random_state=0).select(fitted, POOL, 3, **labelled)
    check_indices(part.indices, 3, 10)
    alone = make(cls).select(fitted, POOL[np.arange(10) != 4], 3, **labelled).indices
    rest = Hybrid([Fourth(), make(cls)], shares=[1, 3]).select(fitted, POOL, 4, **labelled).indices
    assert rest.tolist() == [4, *(alone + (alone >= 4))]


class Fourth(QueryStrategy):
    """Wants the sample at position 4."""

    random_state = None

    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        return Selection(np.array([4]), None, np.zeros(1))


# -- what is left unchanged -----------------------------------------------------


def disturbed(fitted):
    """A fitted estimator whose network is in an unusual state, all of it to be kept."""
    clf = copy.deepcopy(fitted)
    net = clf.module_.train()
    net.network.norm.eval()
    net.network.fc.bias.requires_grad_(False)
    net.network.conv.weight.grad = torch.ones_like(net.network.conv.weight)
    net.network.conv.register_forward_hook(lambda *args: None)
    return clf


@reading_strategies
def test_nothing_is_changed_when_the_network_raises_at_any_batch(cls, fitted):
    clf = disturbed(fitted)
    network = clf.module_.network
    network.calls = [0, None]
    select(cls, clf)
    total = network.calls[0]
    assert total >= 3  # a pool of 10 in batches of 4: the first, the second and the last
    before = snapshot(clf.module_)
    for broken in range(1, total + 1):
        network.calls = [0, broken]
        with pytest.raises(RuntimeError, match="the network breaks here"):
            select(cls, clf)
        network.calls = None
        assert snapshot(clf.module_) == before, f"broken at call {broken} of {total}"


# -- pools ----------------------------------------------------------------------


@every_strategy
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_dtypes_and_layouts(cls, dtype, layout):
    def change(X):
        X = X if dtype == "uint8" else (X / 255).astype(dtype)
        return X if layout == "NCHW" else np.moveaxis(X, 1, -1)

    small = {"width": 4, "dropout": 0.5}
    clf = classifier(cls)(max_epochs=1, random_state=0, module_params=small)
    clf.fit(change(X_TRAIN), Y_TRAIN)
    selection = make(cls).select(
        clf, change(POOL), 4, X_labelled=change(X_TRAIN), y_labelled=Y_TRAIN
    )
    check_indices(selection.indices, 4, 10)


class Items(Dataset):
    def __len__(self):
        return len(POOL)

    def __getitem__(self, index):
        return POOL[index], "a label that must not matter"


def memmap(tmp_path):
    file = np.memmap(tmp_path / "pool", dtype=np.uint8, mode="w+", shape=POOL.shape)
    file[:] = POOL
    file.flush()
    return np.memmap(tmp_path / "pool", dtype=np.uint8, mode="r", shape=POOL.shape)


@every_strategy
@pytest.mark.parametrize("kind", ["tensor", "memmap", "TensorDataset", "Dataset", "list"])
def test_kinds_of_pool(cls, kind, fitted, tmp_path):
    pool = {
        "tensor": lambda: torch.as_tensor(POOL),
        "memmap": lambda: memmap(tmp_path),
        "TensorDataset": lambda: TensorDataset(torch.as_tensor(POOL)),
        "Dataset": Items,
        "list": lambda: list(POOL),
    }[kind]()
    np.testing.assert_array_equal(
        select(cls, fitted, pool=pool, n=5).indices, select(cls, fitted, n=5).indices
    )


# -- learners -------------------------------------------------------------------


@every_strategy
def test_active_learner(cls, fitted):
    learner = ActiveLearner(
        clone(fitted), query_strategy=make(cls), X_training=X_TRAIN, y_training=Y_TRAIN
    )
    indices, samples = learner.query(POOL, n_instances=3)
    np.testing.assert_array_equal(indices, select(cls, learner.estimator).indices)
    np.testing.assert_array_equal(samples, POOL[indices])
    learner.teach(samples, indices % 3)
    assert len(learner.X_training) == 27
    tensor = torch.as_tensor(POOL)
    indices, samples = learner.query(tensor, n_instances=2)
    assert torch.equal(samples, tensor[torch.as_tensor(indices)])


@every_strategy
@pytest.mark.parametrize("on_transformed", [False, True])
def test_pipeline(cls, on_transformed):
    """The pool goes through the steps in blocks, whatever on_transformed says."""
    seen = []

    def flatten(X):
        seen.append(len(X))
        return np.asarray(X).reshape(len(X), -1)

    dropout = {"dropout": 0.5}
    clf = classifier(cls)(
        max_epochs=2, random_state=0, input_shape=(3, 8, 8), module_params=dropout
    )
    pipeline = make_pipeline(FunctionTransformer(flatten), StandardScaler(), clf)
    learner = ActiveLearner(
        pipeline,
        query_strategy=make(cls),
        X_training=X_TRAIN,
        y_training=Y_TRAIN,
        on_transformed=on_transformed,
    )
    seen.clear()
    indices, _ = learner.query(POOL, n_instances=3)
    check_indices(indices, 3, 10)
    if cls.__name__ not in IGNORES_THE_ESTIMATOR:
        assert max(seen) <= 4
    inner = pipeline[:-1].transform(POOL)
    direct = make(cls).select(
        pipeline[-1], inner, 3, X_labelled=pipeline[:-1].transform(X_TRAIN), y_labelled=Y_TRAIN
    )
    np.testing.assert_array_equal(indices, direct.indices)
    np.testing.assert_array_equal(indices, select(cls, pipeline, pool=Items()).indices)


@every_strategy
@pytest.mark.parametrize("container", [list, np.asarray])
def test_a_pool_of_paths_behind_a_step_that_reads_them(cls, container, fitted, tmp_path):
    def save(images, folder):
        (tmp_path / folder).mkdir()
        paths = [str(tmp_path / folder / f"{i}.npy") for i in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            np.save(path, image)
        return container(paths)

    read = FunctionTransformer(lambda paths: np.stack([np.load(path) for path in paths]))
    pipeline = make_pipeline(read, clone(fitted))
    learner = ActiveLearner(pipeline, make(cls), save(X_TRAIN, "labelled"), Y_TRAIN)
    pool = save(POOL, "pool")
    indices, paths = learner.query(pool, n_instances=3)
    np.testing.assert_array_equal(indices, select(cls, fitted).indices)
    assert list(paths) == [pool[i] for i in indices]


@every_strategy
def test_files_that_cannot_be_read_are_never_chosen(cls, fitted, tmp_path):
    """As if they were not in the pool, whatever the strategy reads."""

    def save(images, name):
        paths = [tmp_path / f"{name}{i}.png" for i in range(len(images))]
        for path, image in zip(paths, np.moveaxis(images, 1, -1), strict=True):
            Image.fromarray(image).save(path)
        return paths

    broken = [tmp_path / f"broken{i}.png" for i in range(3)]
    broken[0].write_text("no image")
    good = save(POOL, "pool")
    pool = np.array([broken[0], *good[:4], *broken[1:], *good[4:]])
    at = np.array([1, 2, 3, 4, 7, 8, 9, 10, 11, 12])
    clf = make_pipeline(ImageReader(errors="skip"), clone(fitted))
    learner = ActiveLearner(clf, make(cls), np.array(save(X_TRAIN, "train")), Y_TRAIN)
    expected = make(cls).select(learner, good, 4, X_labelled=learner.X_training, y_labelled=Y_TRAIN)
    with pytest.warns(UnreadableFileWarning, match=r"chosen; there are 3: '.*broken0.png', "):
        indices, paths = learner.query(pool, n_instances=4)
    np.testing.assert_array_equal(indices, at[expected.indices])
    assert set(paths) <= set(good)
    with pytest.warns(UnreadableFileWarning):
        found = make(cls).select(
            learner, pool, 4, X_labelled=learner.X_training, y_labelled=Y_TRAIN
        )
    assert (found.utilities is None) == (expected.utilities is None)
    if found.utilities is not None:
        np.testing.assert_array_equal(found.utilities[at], expected.utilities)
        assert np.isnan(np.delete(found.utilities, at)).all()
    with pytest.warns(UnreadableFileWarning):
        indices, _ = learner.query(pool, n_instances=10)
    assert sorted(indices) == at.tolist()
    message = rf"'n_instances' parameter of {cls.__name__} .* from 1 to 10 \(the files of the pool"
    with (
        pytest.warns(UnreadableFileWarning),
        pytest.raises(ValueError, match=message),
    ):
        learner.query(pool, n_instances=11)


@every_strategy
def test_grid_search(cls, fitted):
    search = GridSearchCV(clone(fitted), {"lr": [0.05]}, cv=2).fit(X_TRAIN, Y_TRAIN)
    np.testing.assert_array_equal(
        select(cls, search).indices, select(cls, search.best_estimator_).indices
    )


@every_strategy
def test_committee(cls, fitted):
    others = [
        ActiveLearner(
            clone(fitted).set_params(random_state=seed),
            X_training=X_TRAIN[keep],
            y_training=Y_TRAIN[keep],
        )
        for seed, keep in [(0, np.arange(24) < 18), (1, np.arange(24) >= 6)]
    ]
    committee = Committee(others, query_strategy=make(cls))
    if not takes_committees(cls):
        with pytest.raises(UnsupportedEstimatorError, match=r"committee\.learner_list\[0\]"):
            committee.query(POOL, n_instances=3)
        return
    indices, _ = committee.query(POOL, n_instances=3)
    check_indices(indices, 3, 10)
    fitted_members = [learner.estimator for learner in others]
    np.testing.assert_array_equal(indices, select(cls, fitted_members).indices)
    if not issubclass(cls, ProbabilityStrategy):
        return
    mean = committee.predict_proba(POOL)  # modAL's average
    with np.errstate(divide="ignore"):
        expected = make(cls)._utilities(np.log(mean))
    np.testing.assert_allclose(
        make(cls).select(committee, POOL, 3).utilities, expected, rtol=1e-9, atol=1e-12
    )


@strategies_of_plain_nets
@pytest.mark.parametrize(
    ("module", "criterion"),
    [(Tiny, nn.CrossEntropyLoss), (Probabilities, nn.NLLLoss)],
    ids=["logits", "NLLLoss"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_plain_skorch_nets(cls, module, criterion, dtype):
    net = skorch_net(module, criterion)
    selection = select(cls, net, pool=(POOL / 255).astype(dtype), n=4)
    check_indices(selection.indices, 4, 10)
    if issubclass(cls, ProbabilityStrategy):
        p = net.predict_proba((POOL / 255).astype(np.float32)).astype(float)
        np.testing.assert_allclose(
            selection.utilities, make(cls)._utilities(np.log(p)), rtol=1e-4, atol=1e-5
        )


@strategies_of_plain_nets
@pytest.mark.parametrize("kind", ["array", "tensor", "memmap", "Dataset"])
def test_a_plain_net_that_works_in_place_leaves_the_pool_alone(cls, kind, tmp_path):
    class InPlace(nn.Sequential):
        def __init__(self):
            super().__init__(nn.ReLU(inplace=True), Tiny())

    net = skorch_net(InPlace)
    values = POOL.astype(np.float32) / 255 - 0.5
    np.save(tmp_path / "pool.npy", values)
    pool = {
        "array": lambda: values.copy(),
        "tensor": lambda: torch.as_tensor(values.copy()),
        "memmap": lambda: np.load(tmp_path / "pool.npy", mmap_mode="r"),
        "Dataset": lambda: TensorDataset(torch.as_tensor(values.copy())),
    }[kind]()
    expected = select(cls, net, pool=values.copy()).indices
    np.testing.assert_array_equal(select(cls, net, pool=pool).indices, expected)
    after = pool.tensors[0] if kind == "Dataset" else pool
    np.testing.assert_array_equal(np.asarray(after), values)


@reading_strategies
def test_nothing_is_changed_when_the_pool_or_a_step_raises(cls, fitted):
    class Breaks(Items):
        def __getitem__(self, index):
            if index == 5:
                raise OSError("the disk breaks here")
            return super().__getitem__(index)

    clf = disturbed(fitted)
    before = snapshot(clf.module_)
    with pytest.raises(OSError, match="the disk breaks here"):
        select(cls, clf, pool=Breaks())
    assert snapshot(clf.module_) == before

    def step(X):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        select(cls, make_pipeline(FunctionTransformer(step), clf))
    assert snapshot(clf.module_) == before


@reading_strategies
def test_buffers_that_forward_replaces_are_restored(cls):
    class Moving(Tiny):
        def __init__(self, in_channels=3, num_classes=3):
            super().__init__(in_channels, num_classes)
            self.register_buffer("mean", torch.zeros(()))

        def forward(self, x):
            self.mean = 0.9 * self.mean + x.mean()
            return super().forward(x)

    clf = classifier(cls)(Moving, max_epochs=1, random_state=0).fit(X_TRAIN, Y_TRAIN)
    before, buffer = snapshot(clf.module_), clf.module_.network.mean
    first = select(cls, clf).indices
    assert snapshot(clf.module_) == before
    assert clf.module_.network.mean is buffer
    np.testing.assert_array_equal(select(cls, clf).indices, first)


@strategies_of_plain_nets
def test_wrapped_networks(cls):
    net = skorch_net()
    pool = POOL.astype(np.float32) / 255
    expected = select(cls, net, pool=pool).indices
    plain = net.module_
    for wrapped in (torch.compile(plain), nn.DataParallel(plain)):
        net.module_ = wrapped
        np.testing.assert_array_equal(select(cls, net, pool=pool).indices, expected)


@strategies_with_a_device
def test_a_device_of_its_own(cls, fitted):
    np.testing.assert_array_equal(
        select(cls, fitted, device="cpu").indices, select(cls, fitted).indices
    )
    with pytest.raises(ValueError, match="'device' parameter of"):
        select(cls, fitted, device="gpu")


@pytest.mark.cuda
@strategies_with_a_device
def test_cuda_agrees_with_the_cpu(cls, fitted):
    before = snapshot(fitted.module_)
    on_cpu, on_cuda = select(cls, fitted), select(cls, fitted, device="cuda")
    assert snapshot(fitted.module_) == before
    if on_cpu.utilities is not None:
        np.testing.assert_allclose(on_cuda.utilities, on_cpu.utilities, rtol=1e-2, atol=1e-4)


# -- as an object ---------------------------------------------------------------


@every_strategy
def test_clone_repr_pickle(cls, fitted):
    strategy = make(cls)
    twins = [
        clone(strategy),
        pickle.loads(pickle.dumps(strategy)),
        eval(repr(strategy), {name: getattr(skactive, name) for name in skactive.__all__}),
    ]
    for twin in twins:
        assert plain(twin.get_params()) == plain(strategy.get_params())
        np.testing.assert_array_equal(
            twin.select(fitted, POOL, 3, X_labelled=X_TRAIN, y_labelled=Y_TRAIN).indices,
            select(cls, fitted).indices,
        )
    with pytest.raises(ValueError, match=f"'random_state' parameter of {cls.__name__}"):
        select(cls, fitted, random_state="0")
    assert "random_state" in inspect.signature(cls).parameters
    select(cls, fitted)
    assert vars(strategy) == strategy.get_params(deep=False)  # a call stores nothing


def plain(value):
    """Parameters, with the strategies among them as their class and parameters."""
    if isinstance(value, QueryStrategy):
        return type(value), plain(value.get_params())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


@pytest.mark.parametrize(
    "cls", [*STRATEGIES, ProbabilityStrategy, MonteCarloStrategy], ids=lambda cls: cls.__name__
)
def test_parameters_are_keywords(cls):
    check_parameters_are_keywords(cls)


def test_a_parameter_by_position_is_noticed():
    class Forgotten(strategies.Entropy):
        def __init__(self, batch_size=256, *, device=None, random_state=None):
            super().__init__(batch_size=batch_size, device=device, random_state=random_state)

    with pytest.raises(AssertionError, match="batch_size"):
        check_parameters_are_keywords(Forgotten)


def check_parameters_are_keywords(cls):
    """All of them, save what a strategy is made of, which comes first."""
    parameters = inspect.signature(cls).parameters.values()
    by_position = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    assert by_position == list(MADE_OF.get(cls.__name__, dict)())


# -- errors ---------------------------------------------------------------------


@every_strategy
@pytest.mark.parametrize("n", [0, -1, 11, 2.0, "3", True, None])
def test_n_instances_out_of_range(cls, n, fitted):
    match = (
        rf"The 'n_instances' parameter of {cls.__name__} must be an int from 1 to 10 \(the size "
        rf"of the pool\)\. Got {re.escape(repr(n))} instead\. Ask for fewer"
    )
    with pytest.raises(ValueError, match=match):
        select(cls, fitted, n=n)


@every_strategy
def test_pools_that_cannot_be_used(cls, fitted):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(())

    with pytest.raises(ValueError, match="'X_pool' .* at least one sample.*nothing left to label"):
        select(cls, fitted, pool=POOL[:0])
    with pytest.raises(ValueError, match="'X_pool' .* fetched by position.*map-style Dataset"):
        select(cls, fitted, pool=Stream())
    with pytest.raises(ValueError, match="'X_pool' .* an array, tensor, sequence or Dataset"):
        select(cls, fitted, pool=3)


@every_strategy
def test_parameters_are_checked(cls, fitted):
    with pytest.raises(ValueError, match=f"'random_state' parameter of {cls.__name__}"):
        select(cls, fitted, random_state="zero")
    if "batch_size" in inspect.signature(cls).parameters:
        with pytest.raises(ValueError, match=f"'batch_size' parameter of {cls.__name__}"):
            select(cls, fitted, batch_size=0)


@reading_strategies
def test_unfitted(cls, fitted):
    unfitted = [
        clone(fitted),
        make_pipeline(StandardScaler(), clone(fitted)),
        NeuralNetClassifier(Tiny),
        GridSearchCV(clone(fitted), {}),
        ActiveLearner(clone(fitted), query_strategy=make(cls)),
    ]
    for estimator in unfitted:
        with pytest.raises(NotFittedError, match=f"{reader(cls)} needs a fitted.*Call fit"):
            select(cls, estimator)


@reading_strategies
def test_samples_that_cannot_be_used(cls):
    X = (X_TRAIN / 255).astype(np.float32)
    clf = classifier(cls)(Tiny, max_epochs=1, random_state=0).fit(X, Y_TRAIN)
    pool = (POOL / 255).astype(np.float32)
    pool[7, 0, 0, 0] = np.nan
    message = f"Input X_pool of {reader(cls)} contains NaN or infinity, first in sample 7"
    with pytest.raises(ValueError, match=message):
        make(cls).select(clf, pool, 2, X_labelled=X, y_labelled=Y_TRAIN)
    with pytest.raises(ValueError, match=f"'X' parameter of {classifier(cls).__name__} must be"):
        make(cls).select(clf, pool[..., :5], 2, X_labelled=X, y_labelled=Y_TRAIN)
    for dtype in (np.uint8, np.int64):
        with pytest.raises(ValueError, match="float images, as the estimator was fitted"):
            make(cls).select(clf, POOL.astype(dtype), 2, X_labelled=X, y_labelled=Y_TRAIN)
    rows = classifier(cls)(max_epochs=1, random_state=0, module_params={"dropout": 0.5})
    rows.fit(rows_of(X), Y_TRAIN)
    with pytest.raises(ValueError, match="contains NaN"):
        make(cls).select(rows, rows_of(pool), 2, X_labelled=rows_of(X), y_labelled=Y_TRAIN)
    if cls.__name__ in NEEDS_PREDICT_LOSS:
        return
    net = skorch_net()
    with pytest.raises(ValueError, match="floats, as a plain skorch net was trained on"):
        select(cls, net)
    with pytest.raises(RuntimeError, match=r"cannot take samples of shape \(3, 8, 2\).* Bring X_p"):
        select(cls, net, pool=pool[..., :2])
    with pytest.raises(ValueError, match="a dense array for a skorch net"):
        select(cls, net, pool=sp.csr_array(rows_of(pool)))


def rows_of(X):
    return X.reshape(len(X), -1)


@reading_strategies
def test_a_network_that_has_diverged(cls, fitted):
    clf = copy.deepcopy(fitted)
    with torch.no_grad():
        clf.module_.network.conv.bias[0] = np.nan
    with pytest.raises(ValueError, match="returns NaN or infinity, first for sample 0 of the pool"):
        select(cls, clf)


@reading_strategies
def test_a_single_class(cls):
    alone = classifier(cls)(max_epochs=1, random_state=0).fit(X_TRAIN, np.zeros(24))
    with pytest.raises(UnsupportedEstimatorError, match="[Ll]ist every class in classes="):
        select(cls, alone)


@reading_strategies_of_plain_nets
def test_heads_and_criteria_that_cannot_be_used(cls):
    class OneLogit(Tiny):
        def __init__(self):
            super().__init__(num_classes=1)

        def forward(self, x):
            return super().forward(x).squeeze(1)

    X = X_TRAIN.astype(np.float32) / 255
    net = NeuralNetClassifier(
        OneLogit,
        criterion=nn.BCEWithLogitsLoss,
        max_epochs=1,
        train_split=None,
        verbose=0,
        classes=[0, 1],
    ).fit(X, (Y_TRAIN > 0).astype(np.float32))
    with pytest.raises(UnsupportedEstimatorError, match="Got the criterion BCEWithLogitsLoss"):
        select(cls, net, pool=X)
    net.criterion_ = nn.CrossEntropyLoss()
    with pytest.raises(UnsupportedEstimatorError, match="A single logit is not supported"):
        select(cls, net, pool=X)
    wide = skorch_net()
    wide.classes = [0, 1]
    with pytest.raises(UnsupportedEstimatorError, match="3 columns of logits for 2 classes"):
        select(cls, wide, pool=X)


@reading_strategies
def test_estimators_without_a_network(cls):
    rows, pool = X_TRAIN.reshape(24, -1), POOL.reshape(10, -1)
    forest = RandomForestClassifier(10, random_state=0).fit(rows, Y_TRAIN)
    if issubclass(cls, ProbabilityReader):
        selection = make(cls).select(forest, pool, 3)
        if issubclass(cls, ProbabilityStrategy):
            with np.errstate(divide="ignore"):
                expected = make(cls)._utilities(np.log(forest.predict_proba(pool)))
            np.testing.assert_allclose(selection.utilities, expected, rtol=1e-12)
        check_indices(selection.indices, 3, 10)
        with pytest.raises(UnsupportedEstimatorError, match="with predict_proba. Got LinearSVC"):
            make(cls).select(LinearSVC().fit(rows, Y_TRAIN), pool, 3)

        class Diverged(RandomForestClassifier):
            def predict_proba(self, X):
                return np.full((len(X), 3), np.nan)

        with pytest.raises(ValueError, match="The Diverged queried by .* predicts NaN"):
            make(cls).select(Diverged(5).fit(rows, Y_TRAIN), pool, 3)
        with pytest.raises(ValueError, match="'device' parameter of"):
            make(cls, device="gpu").select(forest, pool, 3)
        single = RandomForestClassifier(5, random_state=0).fit(rows, np.zeros(24))
        with pytest.raises(UnsupportedEstimatorError, match="knows a single class"):
            make(cls).select(single, pool, 3)
    elif cls.__name__ in MADE_OF:
        check_indices(make(cls).select(forest, pool, 3).indices, 3, 10)
    elif issubclass(cls, MonteCarloStrategy):
        with pytest.raises(UnsupportedEstimatorError, match="Pass the list of its members"):
            make(cls).select(forest, pool, 3)
        check_indices(make(cls).select(forest.estimators_, pool, 3).indices, 3, 10)
    else:
        needs = "classifier that .*" if cls.__name__ in NEEDS_PREDICT_LOSS else "torch network"
        with pytest.raises(UnsupportedEstimatorError, match=rf"needs a {needs}\. Got RandomF"):
            make(cls).select(forest, pool, 3)
    with pytest.raises(UnsupportedEstimatorError, match="a fitted classifier or a modAL learner"):
        make(cls).select(object(), pool, 3)


# -- documentation and tests of each --------------------------------------------


@pytest.mark.parametrize("cls", STRATEGIES + ESTIMATORS, ids=lambda cls: cls.__name__)
def test_docstring(cls):
    check_docstring(cls)


def check_docstring(cls):
    text = inspect.getdoc(cls)
    for name in inspect.signature(cls).parameters:
        assert re.search(rf"^(.*, )?{name}(, .*)? : ", text, re.MULTILINE), f"{name} undocumented"
    assert "\nExamples\n----" in text
    if cls in STRATEGIES:
        assert "\nReferences\n----" in text
    examples = doctest.DocTestFinder(recurse=False).find(cls, cls.__name__, globs={})
    assert sum(len(test.examples) for test in examples) > 0
    runner = doctest.DocTestRunner()
    for test in examples:
        runner.run(test)
    assert runner.summarize().failed == 0


@every_strategy
def test_every_strategy_has_a_test_file_and_a_docs_line(cls):
    check_has_test_and_docs_line(cls)


def test_a_strategy_without_test_and_docs_line_is_noticed():
    class Forgotten(strategies.Entropy):
        """A strategy of this file, which is called test_common.py."""

    with pytest.raises(AssertionError, match="write tests/strategies/test_test_common.py"):
        check_has_test_and_docs_line(Forgotten)
    with pytest.raises(AssertionError, match="batch_size undocumented"):
        check_docstring(Forgotten)


def check_has_test_and_docs_line(cls):
    file = Path(inspect.getfile(cls)).stem.lstrip("_")
    tests = ROOT / "tests" / "strategies" / f"test_{file}.py"
    assert tests.exists(), f"write {tests.relative_to(ROOT)}"
    assert cls.__name__ in tests.read_text(encoding="utf-8")
    table = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{cls.__name__}` \|.*\|$", table, re.MULTILINE), "no line in the table"


# scikit-learn's checks pass numbers; those that do not are run in the reader's own tests.
@parametrize_with_checks([cls() for cls in ESTIMATORS if cls not in OF_IMAGES])
def test_scikit_learn(estimator, check):
    """All of scikit-learn's own checks, none expected to fail."""
    check(estimator)
