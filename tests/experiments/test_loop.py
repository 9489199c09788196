"""One run: its seeds, its start, and what it does not let a strategy do."""

import random
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier

from skactive import CNNClassifier, CoreSet, Entropy, QueryStrategy, Random
from skactive.exceptions import SelectionError
from skactive.experiments import run_experiment
from skactive.experiments._loop import RoundPlan, initial_positions, seeded_clone
from tests.experiments.stubs import (
    BUDGET,
    STRATEGIES,
    Fixed,
    FlatSGD,
    Shuffled,
    Unsure,
    digits,
    numbers,
)


def runs(results):
    return results.frame.groupby(["strategy", "seed"], sort=False)


def run(strategies=STRATEGIES, estimator=None, seeds=2, **changes):
    data = digits()
    return run_experiment(
        estimator or FlatSGD(), strategies, *data, **(BUDGET | changes), seeds=seeds, progress=False
    )


def test_strategies_share_the_start():
    frame = run({**STRATEGIES, "again": Shuffled()}).frame
    first = frame[frame["round"] == 0].groupby("seed")
    for metric in ["accuracy", "balanced_accuracy", "log_loss"]:
        assert set(first[metric].nunique()) == {1}
    assert frame[frame["round"] == 0]["log_loss"].nunique() == 2  # the seeds differ
    # Two strategies that do the same draw the same, in every round.
    same = frame.pivot_table(index=["seed", "round"], columns="strategy", values="log_loss")
    np.testing.assert_array_equal(same["again"], same["shuffled"])
    assert (same["unsure"] != same["shuffled"]).any()


def test_seeds_change_from_round_to_round_and_are_the_same_for_every_strategy():
    seen = []

    class Spy(Shuffled):
        def select(self, estimator, *args, **kwargs):
            seen.append((estimator.random_state, self.random_state))
            return super().select(estimator, *args, **kwargs)

    run({"a": Spy(random_state=5), "b": Spy()}, estimator=FlatSGD(random_state=7), seeds=1)
    a, b = seen[:3], seen[3:]
    assert a == b
    assert len({seed for pair in a for seed in pair}) == 6


def test_estimator_and_strategies_are_left_as_they_are():
    estimator, strategy = FlatSGD(random_state=3), Shuffled(random_state=4)
    run({"s": strategy}, estimator=estimator, seeds=1)
    assert vars(estimator) == {"alpha": 1e-3, "random_state": 3}
    assert vars(strategy) == {"random_state": 4}


def test_parts_of_an_ensemble_get_seeds_of_their_own():
    ensemble = VotingClassifier([("a", SGDClassifier()), ("b", SGDClassifier())])
    copy = seeded_clone(ensemble, 0)
    first, second = (copy.get_params()[f"{name}__random_state"] for name in "ab")
    assert isinstance(first, int)
    assert first != second
    again = seeded_clone(ensemble, 0).get_params()
    assert again["a__random_state"] == first


class Unseeded(ClassifierMixin, BaseEstimator):
    """Draws its start from the process-wide generators, and has no random_state."""

    def fit(self, X, y):
        draws = [random.getrandbits(31), np.random.randint(2**31), int(torch.randint(2**31, ()))]
        self.model_ = FlatSGD(random_state=sum(draws) % 2**31).fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)


class Careless(BaseEstimator):
    """Picks by NumPy's global generator."""

    def select(self, estimator, X_pool, n_instances, **labelled):
        return SimpleNamespace(indices=np.random.permutation(len(X_pool))[:n_instances])


class Linear(torch.nn.Sequential):
    """A network for a plain skorch net."""

    def __init__(self):
        super().__init__(torch.nn.Flatten(), torch.nn.Dropout(0.2), torch.nn.Linear(64, 10))


@pytest.mark.parametrize(
    "estimator",
    [
        Unseeded(),
        NeuralNetClassifier(
            Linear,
            criterion=torch.nn.CrossEntropyLoss,
            max_epochs=2,
            train_split=None,
            verbose=0,
            iterator_train__shuffle=True,
            classes=list(range(10)),
        ),
    ],
    ids=["NumPy", "skorch"],
)
def test_what_has_no_random_state_is_seeded_too(estimator):
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    arms = {"a": Careless(), "b": Careless()}
    first = numbers(run(arms, estimator))
    again = numbers(run(arms, estimator))
    pd.testing.assert_frame_equal(first, again)
    a, b = (first[first["strategy"] == name].drop(columns="strategy") for name in "ab")
    pd.testing.assert_frame_equal(a.reset_index(drop=True), b.reset_index(drop=True))
    assert first.groupby("round")["accuracy"].nunique().max() == 2  # the two seeds differ
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert states == after


def test_an_estimator_may_train_its_members_in_threads():
    # Each takes the generators for itself, which a round that kept them would wait for for ever.
    network = CNNClassifier(classes=range(10), max_epochs=1, module_params={"width": 2})
    both = VotingClassifier([("a", network), ("b", clone(network))], voting="soft", n_jobs=2)
    settings = {"estimator": both, "seeds": 1, "n_rounds": 1, "initial": "balanced"}
    serial = numbers(run(**settings | {"estimator": clone(both).set_params(n_jobs=1)}))
    with joblib.parallel_config("threading"):
        pd.testing.assert_frame_equal(numbers(run(**settings)), serial)


def test_the_pool_is_not_copied():
    X, y, X_test, y_test = digits()
    fetched = []

    class Watched:
        shape, dtype = X.shape, X.dtype

        def __len__(self):
            return len(X)

        def __getitem__(self, index):
            rows = X[index]
            fetched.append(len(rows))
            return rows

    strategies = [Random(), Entropy(batch_size=32), CoreSet(batch_size=32)]
    network = CNNClassifier(classes=range(10), max_epochs=1, module_params={"width": 2})
    results = run_experiment(
        network, strategies, Watched(), y, X_test, y_test, **BUDGET, seeds=1, progress=False
    )
    assert max(fetched) == 50  # the labelled ones of the last round
    whole = run_experiment(
        network, strategies, X, y, X_test, y_test, **BUDGET, seeds=1, progress=False
    )
    pd.testing.assert_frame_equal(numbers(results), numbers(whole))


def test_a_strategy_of_ones_own_reads_the_pool_as_it_likes():
    X, *_ = digits()
    pools = []

    class Spy(Shuffled):
        def select(self, estimator, X_pool, n_instances, **labelled):
            pools.append((len(X_pool), np.asarray(X_pool), X_pool[3:5], X_pool[np.array([7, 0])]))
            return super().select(estimator, X_pool, n_instances)

    queried = run({"spy": Spy()}, seeds=1).frame["queried"][0]
    start = initial_positions(digits()[1], RoundPlan(**BUDGET, initial="random"), 0)
    for labelled, (n, whole, some, others) in zip([start, [*start, *queried]], pools, strict=False):
        left = np.delete(X, labelled, axis=0)
        assert n == len(left)
        np.testing.assert_array_equal(whole, left)
        np.testing.assert_array_equal(some, left[3:5])
        np.testing.assert_array_equal(others, left[[7, 0]])


def test_a_data_frame_stays_one():
    X, y, X_test, y_test = digits()
    table, test_table = (pd.DataFrame(of.reshape(len(of), -1)) for of in (X, X_test))
    kinds = []

    class Spy(Shuffled):
        def select(self, estimator, X_pool, n_instances, **labelled):
            kinds.append(type(X_pool))
            return super().select(estimator, X_pool, n_instances)

    run_experiment(
        SGDClassifier(), [Spy()], table, y, test_table, y_test, **BUDGET, seeds=1, progress=False
    )
    assert set(kinds) == {pd.DataFrame}


def test_picks_never_repeat_and_the_counts_add_up():
    results = run(initial="balanced")
    _, y, *_ = digits()
    for (_, seed), of_run in runs(results):
        assert of_run["round"].tolist() == [0, 1, 2, 3]
        assert of_run["n_labelled"].tolist() == [20, 30, 40, 50]
        assert of_run["queried"].map(len).tolist() == [10, 10, 10, 0]
        start = initial_positions(y, RoundPlan(**BUDGET, initial="balanced"), seed)
        queried = np.concatenate([start, *of_run["queried"].map(np.array)])
        assert len(np.unique(queried)) == 50
        assert of_run["query_seconds"].isna().tolist() == [False, False, False, True]


def test_the_strategy_gets_the_labelled_images_in_the_order_they_were_labelled():
    X, y, *_ = digits()
    got = []

    class Spy(Unsure):
        def select(self, estimator, X_pool, n_instances, *, X_labelled, y_labelled):
            got.append((len(X_pool), X_labelled, y_labelled))
            return super().select(estimator, X_pool, n_instances)

    frame = run({"spy": Spy()}, seeds=[3]).frame
    labelled = initial_positions(y, RoundPlan(**BUDGET, initial="random"), 3)
    for (n_pool, X_labelled, y_labelled), queried in zip(got, frame["queried"], strict=False):
        assert n_pool == 300 - len(labelled)
        np.testing.assert_array_equal(X_labelled, X[labelled])
        np.testing.assert_array_equal(y_labelled, y[labelled])
        labelled = np.concatenate([labelled, queried])


def test_balanced_start_is_as_even_as_can_be():
    y = np.repeat(["a", "b", "c"], [50, 50, 2])
    for seed in range(5):
        drawn = initial_positions(y, RoundPlan(9, "balanced", 1, 1), seed)
        assert len(np.unique(drawn)) == 9
        counts = {c: int((y[drawn] == c).sum()) for c in "abc"}
        assert counts["c"] == 2
        assert sorted(counts.values()) == [2, 3, 4]
    assert (initial_positions(y, RoundPlan(102, "balanced", 1, 1), 0) >= 0).all()


def test_random_start_does_not_look_at_the_labels():
    _, y, *_ = digits()
    plan = RoundPlan(**BUDGET, initial="random")
    start = initial_positions(y, plan, 0)
    np.testing.assert_array_equal(start, initial_positions(y[::-1], plan, 0))
    assert not np.array_equal(start, initial_positions(y, plan, 1))


@pytest.mark.parametrize(
    "indices",
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 8],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, -1],
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 280],
        [0, 1, 2],
        np.arange(10.0),
        np.zeros((10, 1), dtype=int),
    ],
    ids=["repeats", "negative", "beyond", "too few", "floats", "2-D"],
)
def test_a_strategy_that_breaks_the_contract_is_caught(indices):
    message = (
        r"run_experiment \(strategy 'bad', round 0 of seed 1\): {} must return 10 distinct "
        r"positions, ints from 0 to 279\. Got .+\. Mend the strategy; the finished rounds are kept"
    )
    with pytest.raises(SelectionError, match=message.format(r"Fixed\.select")):
        run({"bad": Fixed(indices)}, seeds=[1])
    with pytest.raises(SelectionError, match=message.format(r"Chosen\.choose")):
        run({"bad": Chosen(indices)}, seeds=[1])


class Bare(Fixed):
    """Returns positions alone, as `choose` may, and `select` may not."""

    def select(self, estimator, X_pool, n_instances, **labelled):
        return self.indices


def test_positions_without_a_selection_are_caught():
    message = r"run_experiment .* Bare\.select must return a Selection, or another .* Got \[0, 1,"
    with pytest.raises(SelectionError, match=message):
        run({"bad": Bare(list(range(10)))}, seeds=[1])


class Chosen(QueryStrategy):
    """As Fixed, by `choose`."""

    def __init__(self, indices, random_state=None):
        self.indices = indices
        self.random_state = random_state

    def choose(self, estimator, X_pool, n_instances, X_labelled, y_labelled):
        return self.indices


def test_pipeline_and_an_estimator_without_probabilities():
    flat = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    estimator = make_pipeline(flat, SGDClassifier(max_iter=5, tol=None))
    frame = run({"s": Shuffled()}, estimator=estimator, seeds=1).frame
    assert frame["log_loss"].isna().all()
    assert frame["accuracy"].iloc[-1] > 0.5
    assert (frame["device"] == "cpu").all()


def test_a_memmap_and_a_tensor_give_the_numbers_of_an_array(tmp_path):
    X, y, X_test, y_test = digits()
    np.save(tmp_path / "X.npy", X)
    kinds = {"array": X, "memmap": np.load(tmp_path / "X.npy", mmap_mode="r")}
    kinds["tensor"] = torch.as_tensor(X)

    def curve(images):
        results = run_experiment(
            FlatSGD(), [Unsure()], images, y, X_test, y_test, **BUDGET, seeds=1, progress=False
        )
        return results.frame[["queried", "log_loss"]].to_dict("list")

    assert curve(kinds["array"]) == curve(kinds["memmap"]) == curve(kinds["tensor"])
