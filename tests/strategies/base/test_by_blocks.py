"""Pools of shards by joblib's workers: the picks of the array, whatever is killed or changed."""

import copy
import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import cache

import joblib
import numpy as np
import pytest
import torch
from joblib._parallel_backends import ThreadingBackend
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from skorch import NeuralNetClassifier
from torch import nn

import skactive as ska
from skactive import CNNClassifier, LPLClassifier, ShardedPool
from skactive.exceptions import InvalidParameterError, UnreadableFileWarning
from skactive.strategies.base import _by_blocks
from skactive.strategies.base._by_blocks import told_apart
from skactive.testing._setting import TinyNetwork, tiny_images
from tests.test_common import STRATEGIES

N, BATCH, N_PICKS = 20_000, 500, 40
SEEDED = {"batch_size": BATCH, "random_state": 0}
EXACT = {
    "Random": ska.Random(random_state=0),
    "Entropy": ska.Entropy(**SEEDED),
    "LeastConfidence": ska.LeastConfidence(**SEEDED),
    "Margin": ska.Margin(**SEEDED),
    "GradientNorm": ska.GradientNorm(**SEEDED),
    "ExpectedGradientLength": ska.ExpectedGradientLength(subset=3000, **SEEDED),
    "LPLGrad": ska.LPLGrad(subset=3000, **SEEDED),
    # In batches that the classifier, which has its own, cuts into equal ones.
    "LearningLoss": ska.LearningLoss(subset=2560, batch_size=256, random_state=0),
    "BALD": ska.BALD(n_passes=3, **SEEDED),
    "PowerBALD": ska.PowerBALD(n_passes=3, **SEEDED),
    "MeanEntropy": ska.MeanEntropy(n_passes=2, **SEEDED),
    "PredictiveEntropy": ska.PredictiveEntropy(n_passes=2, **SEEDED),
    "VariationRatio": ska.VariationRatio(n_passes=3, voting="hard", **SEEDED),
    "ClassBalanced": ska.ClassBalanced(ska.Entropy(batch_size=BATCH), **SEEDED),
    "PerClass": ska.PerClass(ska.Margin(batch_size=BATCH), **SEEDED),
    "BASE": ska.BASE(**SEEDED),
    "Hybrid": ska.Hybrid([ska.Random(), ska.Margin(batch_size=BATCH)], random_state=0),
    "Subsample": ska.Subsample(ska.Margin(batch_size=BATCH), n=5000, random_state=0),
    "Switch": ska.Switch([(ska.Margin(batch_size=BATCH), None)], random_state=0),
    "Refine": ska.Refine(
        [ska.Random(), ska.Margin(batch_size=BATCH)], n_sifts=1, n_batches=2, random_state=0
    ),
}
TWO_STAGES = {
    "CoreSet": ska.CoreSet(random_state=0),
    "BADGE": ska.BADGE(random_state=0),
    "BAIT": ska.BAIT(random_state=0),
    "FisherMask": ska.FisherMask(random_state=0),
    "MaxHerding": ska.MaxHerding(random_state=0),
    "UHerding": ska.UHerding(random_state=0),
}


@pytest.fixture(scope="module")
def images():
    return tiny_images(N)[0]


@pytest.fixture(scope="module")
def pool(images, tmp_path_factory):
    """Twenty shards, hardly any of them a multiple of the batches."""
    folder = tmp_path_factory.mktemp("shards")
    ends = np.sort(np.random.default_rng(0).choice(np.arange(1, N), 19, replace=False))
    for i, part in enumerate(np.split(images, ends)):
        np.save(folder / f"{i:02}.npy", part)
    return ShardedPool.from_npy(str(folder / "*.npy"))


@cache
def fitted():
    return LPLClassifier(TinyNetwork, max_epochs=2, random_state=0, device="cpu").fit(
        *tiny_images(120, seed=1)
    )


@cache
def on_the_array(name):
    return EXACT[name].select(fitted(), tiny_images(N)[0], N_PICKS)


def check(found, name, pool):
    wanted = on_the_array(name)
    np.testing.assert_array_equal(found.indices, wanted.indices)
    assert (found.utilities is None) == (wanted.utilities is None)
    if found.utilities is not None:
        np.testing.assert_array_equal(found.utilities, wanted.utilities)
    assert found.keys == pool.keys(wanted.indices)


def test_every_strategy_is_of_some_kind():
    kinds = {cls.__name__: cls._with_work for cls in STRATEGIES}
    assert {name for name, kind in kinds.items() if kind == "exact"} == set(EXACT)
    assert {name for name, kind in kinds.items() if kind == "two stages"} == set(TWO_STAGES)
    assert set(kinds.values()) == {"exact", "two stages", None}


@pytest.mark.parametrize("name", EXACT)
def test_the_array_in_this_process(name, pool, tmp_path):
    check(EXACT[name].select(fitted(), pool, N_PICKS), name, pool)
    check(EXACT[name].select(fitted(), pool, N_PICKS, work=tmp_path), name, pool)


@pytest.mark.slow
def test_the_array_in_processes(pool, tmp_path):
    with joblib.parallel_config("loky", n_jobs=2):
        for name, strategy in EXACT.items():
            check(strategy.select(fitted(), pool, N_PICKS, work=tmp_path), name, pool)


class DiesOnce(TransformerMixin, BaseEstimator):
    """Is killed with its process where it meets an image, if a file is there, which goes."""

    def __init__(self, file, image):
        self.file = file
        self.image = image

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        if (np.asarray(X) == self.image).all((1, 2, 3)).any():
            try:
                os.remove(self.file)
            except FileNotFoundError:
                return X
            os.kill(os.getpid(), signal.SIGKILL)
        return X

    def __sklearn_is_fitted__(self):
        return True


@pytest.mark.slow
def test_the_array_on_a_dask_cluster_of_which_a_worker_is_killed(pool, images, tmp_path):
    distributed = pytest.importorskip("distributed")
    flag = tmp_path / "flag"
    dying = make_pipeline(DiesOnce(str(flag), images[N // 2]), fitted())
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config("dask"):
        for name, strategy in EXACT.items():
            if name == "Margin":
                flag.touch()
            estimator = dying if name == "Margin" else fitted()
            check(strategy.select(estimator, pool, N_PICKS, work=tmp_path), name, pool)
            assert not flag.exists()


class AllAtOnce(ThreadingBackend):
    """A back end, as some clusters have, that hands over all results at the end."""

    supports_return_generator = False


def test_a_back_end_that_hands_over_all_at_the_end(small, tmp_path):
    joblib.register_parallel_backend("all at once", AllAtOnce)
    wanted = EXACT["Margin"].select(fitted(), small, 5).indices
    with joblib.parallel_config("all at once", n_jobs=2):
        found = EXACT["Margin"].select(fitted(), small, 5, work=tmp_path / "work")
    np.testing.assert_array_equal(found.indices, wanted)


def written(folder):
    return sorted(path.name for path in folder.glob("*/*.npy"))


@pytest.fixture
def small(tmp_path):
    """Four shards of fifty, and a classifier."""
    for i in range(4):
        np.save(tmp_path / f"{i}.npy", tiny_images(50, seed=i)[0])
    return ShardedPool.from_npy(str(tmp_path / "*.npy"))


def test_what_is_there_is_not_done_again_and_a_kill_is_gone_on_from(small, tmp_path, monkeypatch):
    work, done = tmp_path / "work", []
    compute = _by_blocks.write_whole

    def write(path, content):
        if path.suffix == ".npy":
            if len(done) == 2:
                raise KeyboardInterrupt
            done.append(path)
        compute(path, content)

    monkeypatch.setattr(_by_blocks, "write_whole", write)
    margin = ska.Margin(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        margin.select(fitted(), small, 5, work=work)
    assert len(written(work)) == 2
    done.clear()
    found = margin.select(fitted(), small, 5, work=work)
    assert len(done) == 2
    np.testing.assert_array_equal(found.indices, margin.select(fitted(), small, 5).indices)
    margin.select(fitted(), small, 9, work=work)
    margin.select(fitted(), ShardedPool(small.shards, small.blocks[1:]), 9, work=work)
    assert len(done) == 2  # nor for other batches, and other pools that have the same blocks


def test_each_block_is_computed_on_the_gpu_of_its_process(small, tmp_path, monkeypatch):
    """The network goes there too: it is not opened before. See test_own_gpu."""
    opened, inside, compute = _by_blocks._opened, [], _by_blocks._computed

    @contextmanager
    def own_gpu(caller):
        inside.append(caller)
        yield
        inside.append(None)

    def computed(*task):
        assert inside[-1] == "caller"
        return compute(*task)

    def opening(job):
        assert inside[-1] == "caller"
        return opened(job)

    monkeypatch.setattr(_by_blocks, "using_gpus", lambda: "caller")
    monkeypatch.setattr(_by_blocks, "own_gpu", own_gpu)
    monkeypatch.setattr(_by_blocks, "_opened", opening)
    monkeypatch.setattr(_by_blocks, "_computed", computed)
    ska.Margin(random_state=0).select(fitted(), small, 5, work=tmp_path / "work")
    assert inside == 4 * ["caller", None]


def test_progress_counts_the_samples_of_finished_blocks(small, tmp_path, monkeypatch):
    bars, made = [], _by_blocks.progress_bar
    monkeypatch.setattr(
        _by_blocks, "progress_bar", lambda *about: bars.append(made(*about)) or bars[-1]
    )
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    margin = ska.Margin(random_state=0)
    margin.select(fitted(), ShardedPool(small.shards, small.blocks[:3]), 5, work=tmp_path / "work")
    margin.select(fitted(), small, 5, work=tmp_path / "work")
    assert [(bar.initial, bar.n, bar.total) for bar in bars] == [(0, 150, 150), (150, 200, 200)]


def test_a_changed_network_shard_or_setting_never_meets_an_old_block(small, tmp_path):
    work = tmp_path / "work"
    clf = pickle.loads(pickle.dumps(fitted()))
    strategy = ska.GradientNorm(random_state=0)
    count = 0

    def check_new(blocks, strategy=strategy, pool=small):
        nonlocal count
        found = strategy.select(clf, pool, 9, work=work)
        wanted = strategy.select(clf, np.asarray(pool), 9)
        np.testing.assert_array_equal(found.indices, wanted.indices)
        count += blocks
        assert len(written(work)) == count

    check_new(4)
    check_new(0)
    with torch.no_grad():
        next(clf.module_.parameters()).mul_(1.5)
    check_new(4)
    np.save(tmp_path / "2.npy", tiny_images(50, seed=9)[0])
    os.utime(tmp_path / "2.npy", ns=(10**18, 10**18))
    changed = ShardedPool.from_npy(str(tmp_path / "*.npy"))
    check_new(1, pool=changed)
    check_new(4, ska.GradientNorm(norm="layer_sum", random_state=0), changed)
    check_new(4, ska.GradientNorm(batch_size=50, random_state=0), changed)


@pytest.mark.slow
def test_names_of_networks_are_those_of_their_numbers():
    clf = fitted()
    again = pickle.loads(pickle.dumps(clf))
    again.net_.history[-1]["dur"] = 1e9
    assert told_apart(clf) == told_apart(again)
    program = (
        "import pickle, sys\n"
        "from skactive.strategies.base._by_blocks import told_apart\n"
        "print(told_apart(pickle.load(sys.stdin.buffer)))"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(clf), capture_output=True, check=True
    )
    assert elsewhere.stdout.decode().strip() == told_apart(clf)
    assert told_apart(lambda: 1) != told_apart(lambda: 2)
    assert told_apart(torch.zeros(2)) != told_apart(torch.zeros(2, 1))


def test_what_skorch_does_with_the_logits_counts_too():
    net = NeuralNetClassifier(nn.Linear(4, 2), verbose=0).initialize()
    other = copy.deepcopy(net)
    assert told_apart(net) == told_apart(other)
    assert told_apart(net) != told_apart(other.set_params(predict_nonlinearity=hotter))


def hotter(logits):
    return (logits / 3).softmax(1)


@pytest.mark.parametrize("name", TWO_STAGES)
def test_two_stages(name, small, tmp_path):
    X, y = tiny_images(40, seed=5)
    known = {"X_labelled": X, "y_labelled": y}
    found = TWO_STAGES[name].select(fitted(), small, 6, work=tmp_path / "work", **known)
    masks = [np.load(path) for path in (tmp_path / "work").glob("*/*.npy")]
    assert [mask.sum() for mask in masks] == [6, 6, 6, 6]
    assert len(found.keys) == len(set(found.indices.tolist())) == 6
    everything = TWO_STAGES[name].select(fitted(), small, 50, work=tmp_path / "work", **known)
    wanted = TWO_STAGES[name].select(fitted(), np.asarray(small), 50, **known)
    np.testing.assert_array_equal(everything.indices, wanted.indices)  # all blocks put up all


def test_uherding_trains_a_copy_once_per_query(small, tmp_path, monkeypatch):
    """Its temperature is that of the whole query, not of each block."""
    X, y = tiny_images(40, seed=5)
    known = {"X_labelled": X, "y_labelled": y}
    once = ska.UHerding(random_state=0)._temperature(fitted(), X, y)
    fits, chosen = [], []
    fit, choose = LPLClassifier.fit, ska.UHerding.choose
    monkeypatch.setattr(LPLClassifier, "fit", lambda *a, **k: fits.append(1) or fit(*a, **k))
    monkeypatch.setattr(
        ska.UHerding, "choose", lambda self, *a: chosen.append(self.temperature) or choose(self, *a)
    )
    query = ska.UHerding(random_state=0)
    with joblib.parallel_config("threading", n_jobs=1):
        query.select(fitted(), small, 6, work=tmp_path / "work", **known)
    assert len(fits) == 1
    assert chosen == [once] * 5  # of four blocks, and at last
    assert query.temperature == "held_out"


def test_per_class_is_as_its_strategy_in_each_class(small, tmp_path):
    """In two stages where that chooses in two: of so few images every block puts up all."""
    given = fitted(), small, 160
    found = ska.PerClass(ska.CoreSet(), random_state=0).select(*given, work=tmp_path / "work")
    wanted = ska.PerClass(ska.CoreSet(), random_state=0).select(*given)
    np.testing.assert_array_equal(found.indices, wanted.indices)


@pytest.mark.parametrize(
    "strategy",
    [
        ska.Hybrid([ska.Margin(), ska.TypiClust()]),
        ska.PerClass(ska.TypiClust()),
        ska.ClassBalanced(ska.TypiClust()),
        ska.Switch([(ska.Margin(), 100), (ska.TypiClust(), None)]),
        ska.Hybrid([ska.PerClass(ska.TypiClust()), ska.Margin()]),
    ],
    ids=str,
)
def test_strategies_of_others_refuse_what_these_cannot_do(strategy, small, tmp_path):
    message = r"'work' .*None for TypiClust, which looks at the whole pool at once.*Subsample"
    with pytest.raises(InvalidParameterError, match=message):
        strategy.select(fitted(), small, 5, work=tmp_path / "work")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    "strategy",
    [
        ska.Subsample(ska.TypiClust(random_state=0), n=20, random_state=0),
        ska.Refine([ska.Margin(), ska.TypiClust()], n_sifts=1, n_batches=2, random_state=0),
    ],
    ids=["Subsample", "Refine"],
)
def test_parts_are_chosen_from_in_one_process(strategy, small, tmp_path):
    found = strategy.select(fitted(), small, 5, work=tmp_path / "work")
    np.testing.assert_array_equal(found.indices, strategy.select(fitted(), small, 5).indices)


def test_unreadable_images_are_counted_and_named(tmp_path):
    for i, image in enumerate(tiny_images(30)[0].transpose(0, 2, 3, 1)):
        Image.fromarray(image).save(tmp_path / f"{i:02}.png")
    for i in (3, 17):
        (tmp_path / f"{i:02}.png").write_bytes(b"no image")
    pool = ShardedPool.from_files(str(tmp_path / "*.png"), (8, 8), errors="skip", block_size=8)
    X, y = tiny_images(40, seed=5)
    clf = CNNClassifier(TinyNetwork, max_epochs=1, random_state=0, device="cpu")
    clf.fit(X.transpose(0, 2, 3, 1), y)
    found = {}
    for work in (None, tmp_path / "work"):
        for strategy in (ska.Random(random_state=0), ska.Margin(random_state=0, batch_size=30)):
            with pytest.warns(UnreadableFileWarning, match=r"there are 2: '03\.png', '17\.png'"):
                one = strategy.select(clf, pool, 28, work=work)
            assert list(one.unreadable) == ["03.png", "17.png"]
            assert not {3, 17} & set(one.indices.tolist())
            found.setdefault(type(strategy), []).append(one.indices)
    for one, other in found.values():
        np.testing.assert_array_equal(one, other)
    assert len(written(tmp_path / "work")) == 2 * 4  # they are looked for once


def test_what_cannot_be_spread_is_refused(small, tmp_path):
    for strategy, pool, work, given, message in (
        (ska.Margin(), small, 3, {}, r"'work' .* the path of a folder, or None\. Got 3"),
        (ska.Margin(), np.asarray(small), tmp_path, {}, r"'work' .* is no ShardedPool"),
        (ska.TypiClust(), small, tmp_path, {}, r"'work' .* whole pool at once.*Subsample"),
        (ska.CoreSet(), small, tmp_path, {"embeddings": np.ones((200, 2))}, r"embeddings are giv"),
    ):
        with pytest.raises(InvalidParameterError, match=message):
            strategy.select(fitted(), pool, 5, work=work, **given)
