"""FisherMask against the published loop on naive gradients, and its parameters."""

import io
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNetClassifier
from torch import nn

from skactive import BAIT, CNNClassifier, FisherMask
from skactive.exceptions import TwoStageWarning, UnsupportedEstimatorError
from skactive.fisher import (
    SeparateFactors,
    choose_rank,
    diagonal_fisher,
    fisher_factors,
    greedy_fisher,
    parameter_mask,
    target_weights,
)
from skactive.fisher.memory import information_bytes, matrix_bytes, sample_bytes
from skactive.gradients import find_head
from tests import oracles


@pytest.fixture(scope="module")
def fitted():
    """A small CNN in float64, so that picks can be compared one by one."""
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 1, 8, 8)), np.arange(60) % 3
    X[np.arange(60), 0, y * 2] += 0.5
    clf = CNNClassifier("small_cnn", module_params={"width": 3}, max_epochs=5, random_state=0)
    clf.set_params(channels="first").fit(X[:12], y[:12])
    clf.module_.double()
    return clf, X, y


def tensors(clf, X):
    return torch.as_tensor(X, dtype=torch.float64)


@pytest.mark.parametrize("weighting", ["probability", "uniform"])
@pytest.mark.parametrize("oversample", [1.0, 2.0])
@pytest.mark.parametrize("labelled", [True, False])
def test_picks_are_those_of_the_published_loop(fitted, weighting, oversample, labelled):
    clf, X, _ = fitted
    pool, module = X[12:], clf.module_
    strategy = FisherMask(
        fraction=0.5, weighting=weighting, oversample=oversample, regularization=0.3, random_state=0
    )
    found = strategy.select(clf, pool, 6, X_labelled=X[:12] if labelled else None, y_labelled=None)

    diagonal = oracles.naive_diagonal(module, tensors(clf, pool))  # 1024 > 48: the whole pool
    P, head = len(diagonal), module.network.fc
    n_last = sum(p.numel() for p in head.parameters())
    k = int(0.5 * P)
    body = diagonal[: P - n_last]
    mask = np.sort(np.argsort(-body.numpy(), kind="stable")[: k - n_last])
    mask = np.concatenate([mask, np.arange(P - n_last, P)])
    both = np.concatenate([pool, X[:12]]) if labelled else pool
    V = oracles.naive_rows(module, tensors(clf, both), weighting)[:, :, mask].numpy()
    expected = oracles.published_greedy(
        V, 6, np.arange(48), np.arange(48, len(both)), 0.3, int(6 * oversample)
    )
    assert found.indices.tolist() == expected
    assert found.utilities is None
    if oversample == 1:
        assert (np.diff(found.gains) <= 1e-12).all()  # greedy: each pick adds less than the last


def test_subset_bounds_what_is_considered(fitted):
    clf, X, _ = fitted
    pool = np.repeat(X[12:13], 40, axis=0)
    pool[:20] = X[12:32]
    picks = [
        FisherMask(subset=10, random_state=seed).select(clf, pool, 10).indices for seed in (0, 0, 1)
    ]
    assert picks[0].tolist() == picks[1].tolist()
    assert set(picks[0]) != set(picks[2])
    with pytest.raises(ValueError, match="from 1 to 10 \\(the size of subset\\). Got 11 .* raise"):
        FisherMask(subset=10).select(clf, pool, 11)


def test_first_samples_and_random_masks(fitted, monkeypatch):
    from skactive.strategies import _fisher_mask

    clf, X, _ = fitted
    seen = []
    monkeypatch.setattr(
        _fisher_mask,
        "diagonal_fisher",
        lambda module, X, **kwargs: (
            seen.append(X.positions) or diagonal_fisher(module, X, **kwargs)
        ),
    )
    FisherMask(n_samples=7, diagonal_samples="first").select(clf, X, 2)
    FisherMask(n_samples=7, random_state=0).select(clf, X, 2)
    assert seen[0].tolist() == list(range(7))
    assert len(set(seen[1].tolist())) == 7
    assert seen[1].max() > 7
    masks = []
    monkeypatch.setattr(
        _fisher_mask,
        "parameter_mask",
        lambda *args, **kwargs: masks.append(parameter_mask(*args, **kwargs)) or masks[-1],
    )
    for seed in (0, 0, 1):
        FisherMask(fraction=0.1, mask="random", random_state=seed).select(clf, X, 2)
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_the_head_is_found_by_running_the_network():
    class Headfirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(5, 3)
            self.body = nn.Linear(4, 5)

        def forward(self, x):
            return self.fc(torch.relu(self.body(x)))

    assert find_head(Headfirst(), torch.zeros(1, 4)) == "fc"
    conv = nn.Sequential(nn.Conv2d(1, 3, 4), nn.Flatten())
    assert find_head(conv, torch.zeros(1, 1, 4, 4)) == "0"
    with pytest.raises(ValueError, match="logits are the output of a linear or convolutional"):
        find_head(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), 9 * torch.ones(1, 4))
    net = NeuralNetClassifier(
        Headfirst, criterion=nn.CrossEntropyLoss, train_split=None, max_epochs=1, verbose=0
    )
    X = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    net.fit(X, np.arange(20) % 3)
    assert FisherMask(random_state=0).select(net, X, 4).indices.shape == (4,)


def test_reference_is_the_published_setting():
    strategy = FisherMask.reference(random_state=3)
    changed = {k: v for k, v in strategy.get_params().items() if v != FisherMask().get_params()[k]}
    assert changed == {
        "fraction": 0.002,
        "weighting": "uniform",
        "diagonal_samples": "first",
        "random_state": 3,
    }
    assert clone(strategy).get_params() == strategy.get_params()


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"fraction": 0}, "'fraction' parameter of FisherMask"),
        ({"mask": "all"}, "'mask' parameter of FisherMask"),
        ({"weighting": "p"}, "'weighting' parameter of FisherMask"),
        ({"oversample": 0.5}, "'oversample' parameter of FisherMask"),
        ({"regularization": 0}, "'regularization' parameter of FisherMask"),
        ({"fraction": 0.01}, "more than the last layer, .* smallest that works is n_parameters="),
        ({"fraction": 0.5, "n_parameters": 20}, "Pass one of the two"),
    ],
)
def test_errors(fitted, params, match):
    clf, X, _ = fitted
    with pytest.raises(ValueError, match=match):
        FisherMask(**params).select(clf, X, 2)


def test_labelled_samples_that_are_not_finite(fitted):
    clf, X, _ = fitted
    labelled = X[:5].copy()
    labelled[3] = np.nan
    with pytest.raises(ValueError, match="Input X_labelled of FisherMask .* first in sample 3"):
        FisherMask().select(clf, X, 2, X_labelled=labelled)


def test_a_random_mask_leaves_the_global_generator(fitted):
    module = fitted[0].module_
    diagonal = torch.zeros(sum(p.numel() for p in module.parameters()))
    before = np.random.get_state()[1].tolist()
    drawn = [parameter_mask(diagonal, module, kind="random", fraction=0.2) for _ in range(2)]
    assert np.random.get_state()[1].tolist() == before
    assert not torch.equal(*drawn)


def test_the_head_of_a_half_precision_network_is_found_for_float_samples():
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).bfloat16()
    assert find_head(net, torch.ones(2, 4)) == "2"
    assert net[2].weight.dtype == torch.bfloat16


# -- memory ---------------------------------------------------------------------


def of_memory(clf, X, n_samples, mask_size):
    """Bytes for the matrices, and for n_samples: R·C + D + 1 structured, R·k' dense, A, B."""
    C, D = 3, clf.module_.network.fc.in_features
    R = C - 1  # rows of reduced factors
    each = 8 * (R * C + D + 1 + R * (mask_size - C * (D + 1)) + 4 * R * R)
    return 6 * 8 * mask_size**2 + n_samples * each


def test_enough_memory_makes_no_difference(fitted):
    clf, X, _ = fitted
    strategy = FisherMask(n_parameters=60, random_state=0)
    expected = strategy.select(clf, X, 6, X_labelled=X[:12])
    just = strategy.set_params(max_memory=of_memory(clf, X, 60, 60) + 1)
    found = just.select(clf, X, 6, X_labelled=X[:12])
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.gains, expected.gains)


def test_two_stages_where_the_factors_do_not_fit(fitted, monkeypatch):
    from skactive.strategies import _fisher_mask

    clf, X, _ = fitted
    sizes, real = [], _fisher_mask.fisher_factors
    monkeypatch.setattr(
        _fisher_mask,
        "fisher_factors",
        lambda module, some, *args, **kwargs: (
            sizes.append(len(some)) or real(module, some, *args, **kwargs)
        ),
    )
    strategy = FisherMask(n_parameters=60, max_memory=of_memory(clf, X, 25, 60) + 1, random_state=0)
    message = r"60 samples .* k = 60 .* in two stages, from 3 random blocks .* Raise max_memory"
    with pytest.warns(TwoStageWarning, match=message) as caught:
        found = strategy.select(clf, X, 6, X_labelled=X[:12])
    assert caught[0].filename == __file__
    assert max(sizes) <= 25
    assert len(set(found.indices)) == 6
    with pytest.warns(TwoStageWarning):
        again = strategy.select(clf, X, 6, X_labelled=X[:12])
    np.testing.assert_array_equal(found.indices, again.indices)


@pytest.mark.parametrize("rank", [1, "auto"])
def test_rank_of_mask_and_factors(fitted, rank):
    clf, X, _ = fitted
    pool = X[12:]
    strategy = FisherMask(n_parameters=60, rank=rank, random_state=0)
    found = strategy.select(clf, pool, 6, X_labelled=X[:12])
    with torch.no_grad():
        r, kept = choose_rank(clf.module_(tensors(clf, pool)), rank)
    diagonal = diagonal_fisher(clf.module_, pool, rank=r)
    mask = parameter_mask(
        diagonal, clf.module_, n_parameters=60, head=find_head(clf.module_, pool[:2])
    )
    np.testing.assert_array_equal(strategy.choose_mask(clf, pool), mask)
    V = fisher_factors(clf.module_, np.concatenate([pool, X[:12]]), mask, rank=r)
    assert V.shape == (60, r, 60)
    expected = greedy_fisher(V, 6, labelled=np.arange(48, 60))
    np.testing.assert_array_equal(found.indices, expected)
    assert found.kept == {"rank": pytest.approx(kept)}


@pytest.mark.parametrize("given", [{}, {"rank": 1, "target": "balanced"}, {"oversample": 1.5}])
def test_blocks_are_those_of_the_functions(fitted, given):
    clf, X, _ = fitted
    pool = X[12:]
    strategy = FisherMask(n_parameters=60, curvature="blocks", random_state=0, **given)
    found = strategy.select(clf, pool, 6, X_labelled=X[:12])
    mask = strategy.choose_mask(clf, pool)
    form = {"weighting": "reduced", "rank": given.get("rank"), "curvature": "blocks"}
    V = fisher_factors(clf.module_, np.concatenate([pool, X[:12]]), mask, **form)
    assert isinstance(V, SeparateFactors)
    weights = None
    if "target" in given:
        with torch.no_grad():
            p = clf.module_(tensors(clf, pool)).softmax(1)
        weights = np.concatenate([target_weights(p), np.zeros(12)])
    expected = greedy_fisher(
        V, 6, labelled=np.arange(48, 60), weights=weights, oversample=given.get("oversample", 1.0)
    )
    np.testing.assert_array_equal(found.indices, expected)
    by_ones = strategy.set_params(batch_size=1).select(clf, pool, 6, X_labelled=X[:12])
    np.testing.assert_array_equal(found.indices, by_ones.indices)


def test_the_last_layer_in_blocks_is_bait_in_blocks(fitted):
    clf, X, _ = fitted
    mask = FisherMask(mask="head", curvature="blocks", oversample=2.0)
    found = mask.select(clf, X[12:], 6, X_labelled=X[:12])
    expected = BAIT(curvature="blocks").select(clf, X[12:], 6, X_labelled=X[:12])
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.gains, expected.gains, rtol=1e-6)


def test_blocks_need_memory_for_blocks_alone(fitted):
    clf, X, _ = fitted
    strategy = FisherMask(n_parameters=60, curvature="blocks", random_state=0)
    mask = strategy.choose_mask(clf, X[12:])
    of_one = fisher_factors(clf.module_, X[:1], mask, weighting="reduced", curvature="blocks")
    least = information_bytes(of_one) + 6 * sample_bytes(of_one)
    assert information_bytes(of_one) < matrix_bytes(60)
    with pytest.warns(TwoStageWarning):
        strategy.set_params(max_memory=least + 20 * sample_bytes(of_one)).select(clf, X[12:], 6)
    with pytest.raises(
        ValueError, match="'max_memory' .* information on a mask of k = 60 .* 6 sam"
    ):
        strategy.set_params(max_memory=least - 1).select(clf, X[12:], 6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"curvature": "binary"}, "'curvature' parameter of FisherMask"),
        ({"components": 3}, "'components' parameter of FisherMask.*None where curvature='blocks'"),
        (
            {"mask": "random"},
            "'mask' parameter of FisherMask.*the whole last layer where curvature",
        ),
        (
            {"mask": "relative"},
            "'mask' parameter of FisherMask.*the whole last layer where curvature",
        ),
    ],
)
def test_what_does_not_go_with_blocks(fitted, given, message):
    clf, X, _ = fitted
    with pytest.raises(ValueError, match=message):
        FisherMask(**{"curvature": "blocks"} | given).select(clf, X, 2)


def test_rank_does_not_go_with_uniform_weighting(fitted):
    clf, X, _ = fitted
    with pytest.raises(ValueError, match="'rank' parameter of FisherMask.*weighting='uniform'"):
        FisherMask(rank=1, weighting="uniform").select(clf, X, 2)


def test_components_in_one_stage_whatever_the_memory(fitted, monkeypatch):
    from skactive.strategies import _fisher_mask

    clf, X, _ = fitted
    sizes, real = [], _fisher_mask.fisher_factors
    monkeypatch.setattr(
        _fisher_mask,
        "fisher_factors",
        lambda module, some, *args, **kwargs: (
            sizes.append(len(some)) or real(module, some, *args, **kwargs)
        ),
    )
    given = {"n_parameters": 60, "components": 8, "random_state": 0}
    whole = FisherMask(**given).select(clf, X[12:], 6, X_labelled=X[:12])
    assert sizes == [1, 48, 12]  # each sample's factors are computed once
    assert 0 < whole.kept["components"] <= 1
    sizes.clear()
    each = of_memory(clf, X, 25, 60) - of_memory(clf, X, 24, 60) - 8 * 4 * 2**2  # without A, B
    least = 8 * (3 * 60**2 + 6 * 8**2 + 60 * (2 * 8 + 4 * 2**2)) + 25 * each
    found = FisherMask(**given, max_memory=least).select(clf, X[12:], 6, X_labelled=X[:12])
    assert 8 <= max(sizes) <= 25
    assert len(set(found.indices)) == 6
    assert found.kept["components"] <= whole.kept["components"] + 1e-9
    message = "'max_memory' parameter of FisherMask.* at least .*60 samples on 8 dir.* Lower comp"
    with pytest.raises(ValueError, match=message):
        FisherMask(**given, max_memory=1e3).select(clf, X[12:], 6, X_labelled=X[:12])


def test_free_memory_is_the_default_bound(fitted, monkeypatch):
    from skactive.fisher import memory

    clf, X, _ = fitted
    monkeypatch.setattr(memory, "free_memory", lambda device: of_memory(clf, X, 25, 60) / 0.8 + 9)
    with pytest.warns(TwoStageWarning, match=r"80% of what is free"):
        FisherMask(n_parameters=60).select(clf, X, 6)
    monkeypatch.setattr(memory, "free_memory", lambda device: 1e5)
    with pytest.raises(ValueError, match=r"'max_memory' .*\. Got 8e-05 GB, 80% of what is free"):
        FisherMask(n_parameters=60).select(clf, X, 6)


@pytest.mark.parametrize(
    ("params", "n", "match"),
    [
        (
            {"max_memory": 1e5},
            6,
            r"'max_memory' parameter of FisherMask must be more than 0\.000173 GB, which "
            r"the information on a mask of k = 60 .* Got max_memory=100000\.0 .* Lower fraction or",
        ),
        (
            {"max_memory": 6 * 8 * 60**2 + 2000},
            6,
            r"'max_memory' parameter of FisherMask must be at least .* GB, for the information "
            r"on a mask of k = 60 .* the 6 samples that are picked.* Lower n_instances, fraction",
        ),
        ({"max_memory": 0}, 6, "'max_memory' parameter of FisherMask"),
        ({"max_memory": "2GB"}, 6, "'max_memory' parameter of FisherMask"),
        ({"diagonal_labels": 0}, 6, "'diagonal_labels' parameter of FisherMask"),
        ({"progress": "bar"}, 6, "'progress' parameter of FisherMask"),
    ],
)
def test_errors_about_memory_and_more(fitted, params, n, match):
    clf, X, _ = fitted
    with pytest.raises(ValueError, match=match):
        FisherMask(n_parameters=60, **params).select(clf, X, n)


# -- what the messages of the pieces call things ---------------------------------


def test_a_mask_too_small_names_both_sizes_and_the_smallest_fraction_which_works(fitted):
    clf, X, _ = fitted
    P = sum(p.numel() for p in clf.module_.parameters())
    last = sum(p.numel() for p in clf.module_.network.fc.parameters())
    message = (
        rf"'fraction' parameter of FisherMask must be .* the last layer, which has {last} of the "
        rf"{P} parameters\. Got 0\.01 .* makes a mask of {int(0.01 * P)}\. .*"
        rf"n_parameters={last + 1}, or fraction=([\d.]+);"
    )
    with pytest.raises(ValueError, match=message) as caught:
        FisherMask(fraction=0.01).select(clf, X, 2)
    smallest = float(re.search(r"or fraction=([\d.]+);", str(caught.value))[1])
    assert FisherMask(fraction=smallest).select(clf, X, 2).indices.shape == (2,)
    with pytest.raises(ValueError, match="'n_parameters' parameter of FisherMask .* Got 5 "):
        FisherMask(n_parameters=5).select(clf, X, 2)
    with pytest.raises(ValueError, match=r"'fraction' parameter of FisherMask .* 'head' mask"):
        FisherMask(fraction=0.5, mask="head").select(clf, X, 2)


def skorch_net(module, criterion, **options):
    net = NeuralNetClassifier(
        module, criterion=criterion, train_split=None, max_epochs=1, verbose=0, **options
    )
    X = np.random.default_rng(0).random((12, 4)).astype(np.float32)
    return net.fit(X, np.arange(12) % 3), X


def test_a_criterion_that_is_no_cross_entropy():
    net, X = skorch_net(nn.Linear(4, 3), nn.MultiMarginLoss)
    message = "FisherMask needs a net .* CrossEntropyLoss, or .* NLLLoss. Got .* MultiMarginLoss"
    with pytest.raises(UnsupportedEstimatorError, match=message):
        FisherMask().select(net, X, 2)


def test_a_network_without_a_linear_or_convolutional_head():
    net, X = skorch_net(
        nn.Sequential(nn.Linear(4, 3), nn.Hardtanh(-0.01, 0.01)), nn.CrossEntropyLoss
    )
    message = (
        "'estimator' parameter of FisherMask must be a network whose logits are the output of a "
        "linear or convolutional layer"
    )
    with pytest.raises(ValueError, match=message):
        FisherMask().select(net, X, 2)


def test_a_network_that_mixes_samples():
    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.fc = nn.Linear(4, 5), nn.Linear(5, 3)

        def forward(self, x):
            h = self.body(x)
            return self.fc(h - h.mean(0))

    net, X = skorch_net(Mixing, nn.CrossEntropyLoss)
    message = "'estimator' parameter of FisherMask must be a network that scores each sample by it"
    with pytest.raises(ValueError, match=message):
        FisherMask(mask="head").select(net, X, 2)


@pytest.mark.parametrize("bad", ["X_pool", "X_labelled"])
def test_logits_that_are_not_finite_are_named_by_where_they_are(bad):
    net, X = skorch_net(nn.Linear(4, 3), nn.CrossEntropyLoss)
    arrays = {"X_pool": X.copy(), "X_labelled": X.copy()}
    arrays[bad][5] = 1e38
    with torch.no_grad():
        net.module_.weight.fill_(100.0)
    with pytest.raises(ValueError, match=f"'{bad}' parameter of FisherMask .* logits are finite"):
        FisherMask(mask="head").select(net, **arrays, n_instances=2)


# -- masks, sampled labels, progress ---------------------------------------------


def test_the_last_layer_alone(fitted):
    """BAIT's selection: the factors are the head's, and nothing else is looked at."""
    clf, X, _ = fitted
    found = FisherMask(mask="head", random_state=0).select(clf, X[12:], 6, X_labelled=X[:12])
    V = oracles.naive_rows(clf.module_, tensors(clf, np.concatenate([X[12:], X[:12]])))
    n_last = sum(p.numel() for p in clf.module_.network.fc.parameters())
    V = V[:, :, -n_last:].numpy()
    expected = oracles.published_greedy(V, 6, np.arange(48), np.arange(48, 60))
    assert found.indices.tolist() == expected
    bait = BAIT(oversample=1.0).select(clf, X[12:], 6, X_labelled=X[:12])
    assert bait.indices.tolist() == expected


@pytest.mark.parametrize("kind", ["global", "layerwise", "relative", "random", "head"])
def test_choose_mask_is_the_mask_of_the_query(fitted, monkeypatch, kind):
    from skactive.strategies import _fisher_mask

    clf, X, _ = fitted
    strategy = FisherMask(mask=kind, n_samples=20, random_state=0)
    masks, real = [], _fisher_mask.fisher_factors
    monkeypatch.setattr(
        _fisher_mask,
        "fisher_factors",
        lambda module, some, mask, **kwargs: (
            masks.append(mask) or real(module, some, mask, **kwargs)
        ),
    )
    strategy.select(clf, X, 2)
    assert torch.equal(strategy.choose_mask(clf, X), masks[0])


def test_sampled_labels_are_seeded(fitted, monkeypatch):
    from skactive.strategies import _fisher_mask

    clf, X, _ = fitted
    seen = []
    monkeypatch.setattr(
        _fisher_mask,
        "diagonal_fisher",
        lambda module, X, **kwargs: seen.append(diagonal_fisher(module, X, **kwargs)) or seen[-1],
    )
    for labels, seed in ((1, 0), (1, 0), (1, 1), ("all", 0)):
        FisherMask(diagonal_labels=labels, random_state=seed).choose_mask(clf, X)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[3])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("terminal", "progress"), [(True, True), (True, False), (False, True)])
def test_progress_is_shown_on_terminals(fitted, monkeypatch, terminal, progress):
    from skactive import _progress

    clf, X, _ = fitted
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(_progress, "_QUICK", 0.0)
    monkeypatch.setattr("sys.stderr", stream)
    FisherMask(progress=progress).select(clf, X, 6, X_labelled=X[:12])
    shown = stream.getvalue()
    if terminal and progress:
        for part in ("FisherMask: diagonal", "FisherMask: factors", "FisherMask: picks"):
            assert part in shown
    else:
        assert shown == ""


def test_quick_queries_are_silent(fitted, monkeypatch):
    from skactive import _progress

    clf, X, _ = fitted
    stream = Terminal()
    monkeypatch.setattr(_progress, "_QUICK", float("inf"))  # quick, however slow the machine is
    monkeypatch.setattr("sys.stderr", stream)
    FisherMask().select(clf, X, 6)
    assert stream.getvalue() == ""
