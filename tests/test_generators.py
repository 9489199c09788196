"""Process-wide generators are lent for a step, and threads do not wait for each other's fits.

Threads are held at known places by events; nothing here depends on how fast they are.
"""

import random
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from skactive import BADGE, BALD, CNNClassifier, Entropy, FisherMask, LPLClassifier
from skactive._draws import drawn_from
from skactive._generators import ALL, Stream, _Turns, isolated_rng, lent_rng, put_back
from skactive._scoring import scoring

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (20, 8, 8), dtype=np.uint8)
Y = np.arange(20) % 2
LONG = 120  # seconds after which a test fails instead of waiting for ever


def draws(n=3):
    """Draw from all of the process-wide generators; also a normal number, which leaves one over."""
    return [(random.random(), np.random.randn(), float(torch.rand(()))) for _ in range(n)]


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def held(work):
    """Run work(hold) in a thread up to where it calls hold(), and let it go on afterwards."""
    there, go_on = threading.Event(), threading.Event()
    problems = []

    def hold():
        there.set()
        assert go_on.wait(LONG)

    def run():
        try:
            work(hold)
        except BaseException as error:
            problems.append(error)
        finally:
            there.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert there.wait(LONG)
        assert not problems, problems
        yield
    finally:
        go_on.set()
        thread.join(LONG)
    assert not thread.is_alive()
    assert not problems, problems


def elsewhere(work):
    """Return what work returns in another thread, which must not wait for this one."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    thread.join(LONG)
    assert results, "waits, or failed"
    return results[0]


class Holds(Callback):
    """Holds a fit in the middle, when it is told of this for the third time."""

    def __init__(self, hold, where):
        self.hold, self.where, self.times = hold, where, 0

    def __deepcopy__(self, memo):
        return self

    def _count(self, net, **kwargs):
        self.times += 1
        if self.times == 3:
            self.hold()


for name in ("on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end"):

    def method(self, net, name=name, **kwargs):
        if name == self.where:
            self._count(net)

    setattr(Holds, name, method)


class DrawsAll(nn.Module):
    """A module of a user's own; draws from all generators, if wanted in evaluation mode too."""

    def __init__(self, num_classes, always=False):
        super().__init__()
        self.fc = nn.Linear(64, num_classes)
        self.always = always

    def forward(self, x):
        x = x.flatten(1)
        if self.training or self.always:
            x = x + random.random() + np.random.randn() + torch.randn(())
        return self.fc(nn.functional.dropout(x, 0.5, self.training))


def make(kind, **settings):
    settings = {"max_epochs": 4, "batch_size": 5, "random_state": 0, **settings}
    if kind == "own":
        return CNNClassifier(DrawsAll, **settings)
    cls = LPLClassifier if kind == "LPL" else CNNClassifier
    augment = None if kind == "quiet" else "crop_flip"
    return cls("small_cnn", augment=augment, **settings)


KINDS = ("quiet", "augmented", "LPL", "own")
HOOKS = ("on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end")
_alone = {}


def weights(clf):
    return {name: value.clone() for name, value in clf.module_.state_dict().items()}


def alone(kind):
    """The weights of a fit that nothing else runs beside."""
    if kind not in _alone:
        _alone[kind] = weights(make(kind).fit(X, Y))
    return _alone[kind]


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("where", HOOKS)
@pytest.mark.parametrize("kind", KINDS)
def test_between_steps_the_generators_are_everybodys(kind, where):
    """A main thread drew from the stream of the fit in another (orbit#782)."""
    seed_all(1)
    expected = draws(6)
    seed_all(1)
    found = draws(1)
    clf = make(kind)
    with held(lambda hold: clf.set_params(callbacks=[Holds(hold, where)]).fit(X, Y)):
        found += draws(4)
    found += draws(1)
    assert found == expected
    assert_same(weights(clf), alone(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_two_fits_at_once(kind):
    first = make(kind)
    with held(lambda hold: first.set_params(callbacks=[Holds(hold, "on_batch_end")]).fit(X, Y)):
        assert_same(elsewhere(lambda: weights(make(kind).fit(X, Y))), alone(kind))
    assert_same(weights(first), alone(kind))


class HoldsInside(nn.Module):
    """Holds a fit inside of a step."""

    def __init__(self, num_classes, hold=None):
        super().__init__()
        self.fc = nn.Linear(64, num_classes)
        self.holding = [hold]

    def __deepcopy__(self, memo):
        return self

    def forward(self, x):
        if self.training and self.holding:
            self.holding.pop()()
        return self.fc(x.flatten(1))


@pytest.mark.parametrize("kind", ["quiet", "LPL", "own"])
def test_predictions_do_not_wait_for_a_fit_even_inside_a_step(kind):
    other = make(kind).fit(X, Y)
    expected = other.predict_proba(X)

    def fit(hold):
        CNNClassifier(HoldsInside(2, hold), max_epochs=1, random_state=0).fit(X, Y)

    with held(fit):
        np.testing.assert_array_equal(elsewhere(lambda: other.predict_proba(X)), expected)
        if kind == "LPL":
            elsewhere(lambda: other.predict_loss(X))


@pytest.mark.parametrize("strategy", [Entropy, BADGE, FisherMask])
def test_queries_do_not_wait_for_a_fit(strategy):
    clf = make("quiet").fit(X, Y)
    expected = strategy(random_state=0).select(clf, X, 3).indices

    def fit(hold):
        CNNClassifier(HoldsInside(2, hold), max_epochs=1, random_state=0).fit(X, Y)

    with held(fit):
        found = elsewhere(lambda: strategy(random_state=0).select(clf, X, 3).indices)
    np.testing.assert_array_equal(found, expected)


class Slow(torch.utils.data.Dataset):
    """A pool that holds whoever reads its eighth sample."""

    def __init__(self, hold):
        self.holding = [hold]

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        if i == 8 and self.holding:
            self.holding.pop()()
        return torch.from_numpy(X[i])


@pytest.mark.parametrize("strategy", [Entropy, BADGE, BALD])
def test_a_query_lends_nothing_to_others_and_holds_no_fit_up(strategy):
    clf = make("quiet", module_params={"dropout": 0.5}).fit(X, Y)
    query = strategy(batch_size=4, random_state=0)
    expected_picks = query.select(clf, X, 3).indices
    seed_all(2)
    expected = draws(3)
    seed_all(2)
    picks = []
    with held(lambda hold: picks.extend(query.select(clf, Slow(hold), 3).indices)):
        found = draws(2)
        assert_same(elsewhere(lambda: weights(make("own").fit(X, Y))), alone("own"))
    found += draws(1)
    assert found == expected
    np.testing.assert_array_equal(picks, expected_picks)


def test_the_same_network_is_used_by_one_thread_at_a_time():
    """Scoring changes a network's mode: another thread's prediction waits for the end of it."""
    clf = make("quiet").fit(X, Y)
    expected = clf.predict_proba(X)
    results, about_to = [], threading.Event()

    def predict():
        about_to.set()
        results.append(clf.predict_proba(X))

    thread = threading.Thread(target=predict)
    with scoring(clf.module_):
        thread.start()
        assert about_to.wait(LONG)
        clf.module_.train()
        assert not results
        clf.module_.eval()
        np.testing.assert_array_equal(clf.predict_proba(X), expected)  # its own thread may
    thread.join(LONG)
    np.testing.assert_array_equal(results[0], expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fails", [False, True])
def test_a_fit_leaves_the_generators(kind, fails):
    """A library that seeds those of the process makes its users' draws repeat (bootstrapped#7)."""

    class Fails(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyError

    seed_all(3)
    expected = draws(4)
    seed_all(3)
    found = draws(1)
    clf = make(kind, callbacks=[Fails()] if fails else None)
    try:
        clf.fit(X, Y)
    except KeyError:
        assert fails
    found += draws(3)
    assert found == expected


@pytest.mark.parametrize("always", [False, True])
def test_predictions_leave_the_generators(always):
    clf = make("own", module_params={"always": always}).fit(X, Y)
    seed_all(3)
    expected = draws(4)
    seed_all(3)
    found = draws(1)
    first = clf.predict_proba(X)
    found += draws(1)
    clf.predict(X)
    BADGE(random_state=0).select(clf, X, 2) if not always else None
    found += draws(2)
    assert found == expected
    assert np.array_equal(first, clf.predict_proba(X)) is not always


# -- the parts -----------------------------------------------------------------------------------


def test_a_stream_goes_on_where_it_stopped():
    seed_all(4)
    expected = draws(9)
    stream = Stream(4)
    seed_all(5)
    between = draws(3)
    seed_all(5)
    found, others = [], []
    for hold in (False, True, True):
        with stream.step(ALL, hold):
            found += draws(1)
            with isolated_rng(6):  # by whatever runs inside
                draws(2)
            found += draws(2)
        if not hold:
            others += draws(2)
    stream.give_back()
    stream.give_back()
    others += draws(1)
    assert found == expected
    assert others == between


def test_a_stream_of_torch_alone():
    seed_all(4)
    expected = [torch.rand(2) for _ in range(3)]
    stream = Stream(4)
    before = random.getstate(), np.random.get_state()[1].tolist()
    for value in expected:
        with stream.step(("torch",)):
            assert torch.equal(torch.rand(2), value)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_whoever_waits_gets_its_turn_before_the_next_step():
    """A lock that its owner takes again at once would never be free for others."""
    got = threading.Event()

    def wait():
        with isolated_rng(0):
            got.set()

    thread = threading.Thread(target=wait)
    stream, steps = Stream(0), 0
    with stream.step(ALL, hold=True):
        thread.start()
    while not got.is_set():
        with stream.step(ALL, hold=True):
            steps += 1
    stream.give_back()
    thread.join(LONG)
    assert not thread.is_alive()


def test_a_wait_that_is_interrupted_leaves_the_turns_to_others(monkeypatch):
    """As Ctrl-C in the main thread does it, while another thread has them."""
    turns = _Turns()

    class Interrupted:
        def acquire(self, wait):
            raise KeyboardInterrupt

    room = turns._room
    monkeypatch.setattr(turns, "_room", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        turns.take()
    monkeypatch.setattr(turns, "_room", room)
    assert turns.take(wait=False)
    assert not turns.waited_for()


def test_put_back_leaves_what_another_thread_has_lent():
    stream = Stream(7)
    seed_all(7)
    expected = draws(1) + draws(1)
    seed_all(8)
    with put_back():
        draws(1)
    after = draws(1)
    seed_all(8)
    assert after == draws(1)

    def step(hold):
        with stream.step(ALL):
            found.extend(draws(1))
            hold()
            found.extend(draws(1))

    found = []
    with held(step), put_back():
        pass
    assert found == expected


def test_lent_for_long():
    seed_all(9)
    expected, inside = draws(3), []
    seed_all(9)
    found = draws(1)
    with lent_rng(10):
        inside += draws(1)
        elsewhere(lambda: make("own").fit(X, Y))
        inside += draws(1)
    found += draws(2)
    assert found == expected
    seed_all(10)
    assert inside == draws(2)


class Sub(nn.Linear):
    pass


def hooked():
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda *args: None)
    return layer


def hooked_weight():
    layer = nn.Linear(2, 2)
    layer.weight.register_hook(lambda grad: grad)
    return layer


@pytest.mark.parametrize(
    ("module", "training", "evaluation"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), (), ()),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)), ("torch",), ()),
        (nn.RReLU(), ("torch",), ()),
        (nn.MultiheadAttention(4, 2, dropout=0.1), ("torch",), ()),
        (nn.FractionalMaxPool2d(2, output_size=2), ALL, ALL),
        (Sub(2, 2), ALL, ALL),
        (nn.Sequential(nn.Dropout(), Sub(2, 2)), ALL, ALL),
        (hooked(), ALL, ALL),
        (hooked_weight(), ALL, ()),
    ],
)
def test_what_modules_draw_from(module, training, evaluation):
    assert drawn_from(module, training=True) == training
    assert drawn_from(module, training=False) == evaluation
