"""A pass over the pool that takes long shows how far it is, on terminals."""

import io

import numpy as np
import pytest

from skactive import (
    BADGE,
    BAIT,
    BALD,
    CNNClassifier,
    CoreSet,
    Entropy,
    GradientNorm,
    LearningLoss,
    LPLClassifier,
)
from skactive import _progress as bars_module
from skactive._pool import Pool
from skactive.strategies.base import _progress
from skactive.strategies.base._networks import PoolNetwork
from skactive.strategies.base._progress import counted

RNG = np.random.default_rng(0)
X, Y = RNG.random((20, 1, 8, 8)).astype(np.float32), np.arange(20) % 2


class Terminal(io.StringIO):
    def isatty(self):
        return True


STRATEGIES = [
    Entropy(batch_size=6),
    BALD(n_passes=2, batch_size=6),
    BADGE(batch_size=6),
    BAIT(batch_size=6),
    GradientNorm(batch_size=6),
    LearningLoss(batch_size=6),
    CoreSet(batch_size=6),
    CoreSet(embeddings=lambda block: block.reshape(len(block), -1), batch_size=6),
]


def named(strategy):  # str() would show where a function is in memory
    return type(strategy).__name__ + (" of rows" if getattr(strategy, "embeddings", None) else "")


def query(strategy, monkeypatch, stream, quick=0.0):
    if isinstance(strategy, LearningLoss):
        clf = LPLClassifier("small_cnn", max_epochs=1, random_state=0)
    else:
        network = {"module_params": {"dropout": 0.5}}
        clf = CNNClassifier("small_cnn", max_epochs=1, random_state=0, **network)
    clf.fit(X, Y)
    monkeypatch.setattr(bars_module, "_QUICK", quick)
    monkeypatch.setattr("sys.stderr", stream)
    strategy.select(clf, X, 2, X_labelled=X[:0], y_labelled=Y[:0])
    return stream.getvalue()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=named)
def test_passes_over_the_pool_are_counted(strategy, monkeypatch):
    counted, real = [], _progress.progress_bar

    def spy(what, unit, total, shown):
        bar = real(what, unit, total, shown)
        assert what == type(strategy).__name__
        update = bar.update
        bar.update = lambda n: counted.append((n, total)) or update(n)
        return bar

    monkeypatch.setattr(_progress, "progress_bar", spy)
    text = query(strategy, monkeypatch, Terminal())
    assert sum(n for n, _ in counted) == 20
    assert len(counted) >= 4
    assert {total for _, total in counted} == {20}
    assert f"{type(strategy).__name__}:" in text
    assert "sample/s" in text


@pytest.mark.parametrize("strategy", STRATEGIES, ids=named)
def test_what_is_quick_and_what_is_no_terminal_stays_silent(strategy, monkeypatch):
    assert query(strategy, monkeypatch, Terminal(), quick=float("inf")) == ""
    assert query(strategy, monkeypatch, io.StringIO()) == ""


def test_the_bar_is_closed_when_the_pass_breaks(monkeypatch):
    bars, real = [], _progress.progress_bar
    monkeypatch.setattr(
        _progress, "progress_bar", lambda *args: bars.append(real(*args)) or bars[-1]
    )
    monkeypatch.setattr(bars_module, "_QUICK", 0.0)
    monkeypatch.setattr("sys.stderr", Terminal())
    clf = CNNClassifier("small_cnn", max_epochs=1, random_state=0).fit(X, Y)
    broken = X.copy()
    broken[15] = np.nan
    for strategy in (Entropy(batch_size=6), BADGE(batch_size=6)):
        with pytest.raises(ValueError, match="NaN or infinity, first in sample 15"):
            strategy.select(clf, broken, 2)
    assert [bar.n for bar in bars] == [18, 12]  # a pool counts what is read, inputs what is good
    assert all(bar.disable for bar in bars)  # tqdm's sign of a closed one


def test_what_is_read_again_or_outside_of_the_block_counts_nothing(monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    clf = CNNClassifier("small_cnn", max_epochs=1, random_state=0).fit(X, Y)
    network = PoolNetwork(clf, Entropy())
    pools = Pool.of(X), Pool.of(X[:9])
    for samples in (pools[0], network.samples(pools[0]), network.samples(*pools)):
        with counted("reading", samples) as some:
            bar = some.read.__closure__[0].cell_contents
            some[0:4], some[np.array([7, 9])]
            assert bar.n == 4
            some[0:2]  # again
            assert bar.n == 4
        samples[4:8]
        assert bar.n == 4
