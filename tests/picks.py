"""The table of picks: every strategy on several networks and containers, and what it picked.

Nothing here is trained: the networks' parameters are drawn by NumPy, so that the picks are the same
on other machines and versions of torch. What was picked is recorded in picks.json;
`python -m tests.record_picks` records it again.
"""

import inspect
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from modAL.models import ActiveLearner
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import TensorDataset

import skactive as ska
from skactive import CNNClassifier, LPLClassifier, fisher, selection
from skactive.exceptions import TwoStageWarning
from skactive.fisher import DenseFactors
from skactive.strategies.base._monte_carlo import MonteCarloStrategy
from tests.device import BATTERY_DEVICE
from tests.test_common import NEEDS_PREDICT_LOSS, STRATEGIES, takes_committees

FILE = Path(__file__).with_name("picks.json")
N_POOL, N_LABELLED, N_PICKS = 120, 40, 8


loaded = cache(partial(load_digits, return_X_y=True))  # from text, which takes its time


def digits(kind):
    """X and y: rows in float32, images in float32 or uint8."""
    X, y = loaded()
    X, y = X[: N_LABELLED + N_POOL], y[: N_LABELLED + N_POOL]
    if kind == "bytes":
        return (X * 15).astype(np.uint8).reshape(-1, 1, 8, 8), y
    X = (X / 16).astype(np.float32)
    return (X if kind == "rows" else X.reshape(-1, 1, 8, 8)), y


# -- what is called: names that change, change here, and the recorded values stay -------------


def select(strategy, estimator, pool, labelled, y, **given):
    found = strategy.select(estimator, pool, N_PICKS, X_labelled=labelled, y_labelled=y, **given)
    worth = found.gains if found.gains is not None else found.utilities[found.indices]
    return found.indices, worth


def without_labels(strategy, estimator, pool, labelled, y):
    return select(strategy, estimator, pool, None, None)


def query(strategy, estimator, pool, labelled, y):
    learner = ActiveLearner(estimator, query_strategy=strategy)
    # Given to the constructor, they would be trained on.
    learner.X_training, learner.y_training = labelled, y
    return learner.query(pool, n_instances=N_PICKS)[0], []


def greedy(function, *args, **settings):
    found = function(*args, **settings)
    return found.indices, found.gains


def highest(values, **settings):
    picks = selection.top_n(values, N_PICKS, **settings)
    return picks, values[picks]


def projected(X):
    return X[:, ::3]


VARIANTS = {  # a strategy, and the network that it reads
    "BAIT, as many as wanted": (ska.BAIT(oversample=1.0), "MLP"),
    "BAIT, thrice as many": (ska.BAIT(oversample=3.0, regularization=0.1), "MLP"),
    "BAIT, balanced": (ska.BAIT(target="balanced"), "MLP"),
    "BAIT, shares": (ska.BAIT(target={3: 2.0, 8: 1.0}), "CNN"),
    "BAIT, components": (ska.BAIT(components=24), "MLP"),
    "BAIT, rank": (ska.BAIT(rank=2), "MLP"),
    "BAIT, rank found": (ska.BAIT(rank="auto"), "CNN"),
    "BAIT, blocks": (ska.BAIT(curvature="blocks", target="balanced"), "MLP"),
    "BAIT, one block": (ska.BAIT(curvature="binary"), "MLP"),
    "BAIT, one block on components": (ska.BAIT(curvature="binary", components=6), "CNN"),
    "BAIT, scale-free": (ska.BAIT(regularization="auto"), "MLP"),
    "BALD, two members": (ska.BALD(), "two members"),
    "BatchBALD, sampled": (ska.BatchBALD(n_configurations=300, random_state=1), "committee"),
    "BatchBALD, few classes": (ska.BatchBALD(n_passes=20, random_state=1), "MLP, two classes"),
    "ClassBalanced, half": (ska.ClassBalanced(ska.Margin(), strength=0.5), "MLP"),
    "ClassBalanced of lengths": (
        ska.ClassBalanced(ska.GradientNorm(), strength=2.0, random_state=1),
        "CNN",
    ),
    "CoreSet, callable": (ska.CoreSet(embeddings=projected), "MLP"),
    "EGL, sums": (ska.ExpectedGradientLength(norm="layer_sum"), "CNN"),
    "EGL, part": (ska.ExpectedGradientLength(subset=50, random_state=1), "MLP"),
    "FisherMask, layerwise": (ska.FisherMask(mask="layerwise", fraction=0.1), "CNN"),
    "FisherMask, relative": (ska.FisherMask(mask="relative"), "CNN"),
    "FisherMask, random": (ska.FisherMask(mask="random", fraction=0.1, random_state=1), "CNN"),
    "FisherMask, head": (ska.FisherMask(mask="head"), "CNN"),
    "FisherMask, k": (ska.FisherMask(n_parameters=250, regularization=0.01), "MLP"),
    "FisherMask, uniform": (ska.FisherMask(weighting="uniform", fraction=0.1), "CNN"),
    "FisherMask, published": (ska.FisherMask.reference(fraction=0.3), "MLP"),
    "FisherMask, few of the pool": (ska.FisherMask(n_samples=30, random_state=1), "MLP"),
    "FisherMask, the first of the pool": (
        ska.FisherMask(n_samples=30, diagonal_samples="first"),
        "CNN",
    ),
    "FisherMask, drawn labels": (ska.FisherMask(diagonal_labels=2, random_state=1), "MLP"),
    "FisherMask, backward": (ska.FisherMask(oversample=2.0, random_state=1), "CNN"),
    "FisherMask, part": (ska.FisherMask(subset=60, random_state=1), "MLP"),
    "FisherMask, balanced": (ska.FisherMask(target="balanced", random_state=1), "CNN"),
    "FisherMask, components": (ska.FisherMask(components=24, random_state=1), "MLP"),
    "FisherMask, rank": (ska.FisherMask(rank=2, random_state=1), "MLP"),
    "FisherMask, rank found": (ska.FisherMask(rank="auto", components=16), "CNN"),
    "FisherMask, scale-free": (ska.FisherMask(regularization="auto", random_state=1), "MLP"),
    "FisherMask, two classes": (ska.FisherMask(fraction=0.5, oversample=1.5), "MLP, two classes"),
    "CAL, few neighbours": (ska.CAL(n_neighbors=2, random_state=1), "MLP"),
    "CLUE, hot": (ska.CLUE(temperature=3.0, random_state=1), "CNN"),
    "ClusterMargin, threshold": (ska.ClusterMargin(threshold=2.0, random_state=1), "MLP"),
    "DropQuery, five passes": (ska.DropQuery(dropout=0.5, n_passes=5, random_state=1), "CNN"),
    "MaxHerding, narrow": (ska.MaxHerding(sigma=0.3, normalize=False), "CNN"),
    "PerClass of CoreSet": (ska.PerClass(ska.CoreSet(), random_state=1), "MLP"),
    "UHerding, entropy": (ska.UHerding(uncertainty="entropy", temperature=2.0, sigma=0.5), "CNN"),
    "GradientNorm, sums": (ska.GradientNorm(norm="layer_sum"), "MLP"),
    "GradientNorm, part": (ska.GradientNorm(subset=40, random_state=1), "CNN"),
    "Hybrid, FishEnt": (ska.Hybrid([ska.Entropy(), ska.FisherMask()], random_state=1), "CNN"),
    "Hybrid, unequal": (
        ska.Hybrid([ska.BADGE(), ska.Margin(), ska.BAIT()], shares=[1, 2, 2], random_state=1),
        "MLP",
    ),
    "KMeansSampling, fitted transformer": (
        ska.KMeansSampling(embeddings=PCA(8).fit(digits("rows")[0]), random_state=1),
        "MLP",
    ),
    "LPLGrad, expected": (ska.LPLGrad(score="expected"), "LPL"),
    "LPLGrad, whole": (ska.LPLGrad(norm="global"), "LPL"),
    "LPLGrad, expected, whole": (ska.LPLGrad(score="expected", norm="global"), "LPL"),
    "LPLGrad, part": (ska.LPLGrad(subset=50, random_state=1), "LPL"),
    "LearningLoss, part": (ska.LearningLoss(subset=50, random_state=1), "LPL"),
    "PowerBALD, sharp": (ska.PowerBALD(beta=8.0, random_state=1), "committee"),
    "ProbCover, radius": (ska.ProbCover(delta=0.35, random_state=1), "MLP"),
    "ProbCover, not normalized": (
        ska.ProbCover(normalize=False, alpha=0.8, n_clusters=4, random_state=1),
        "MLP",
    ),
    "Subsample of BALD": (ska.Subsample(ska.BALD(), n=50, random_state=1), "committee"),
    "Subsample of FisherMask": (ska.Subsample(ska.FisherMask(), n=50, random_state=1), "MLP"),
    "Switch, later": (ska.Switch([(ska.Random(), 10), (ska.BADGE(), None)], random_state=1), "CNN"),
    "TypiClust, few clusters": (
        ska.TypiClust(max_clusters=6, n_neighbors=3, too_small=0, random_state=1),
        "MLP",
    ),
    "TypiClust, not normalized": (ska.TypiClust(normalize=False, random_state=1), "CNN"),
    "VariationRatio, votes": (ska.VariationRatio(voting="hard", random_state=1), "committee"),
    "VariationRatio, votes of passes": (
        ska.VariationRatio(voting="hard", n_passes=20, random_state=1),
        "MLP",
    ),
}


def in_two_stages(estimator, pool, labelled, y):
    strategy = ska.FisherMask(n_parameters=180, max_memory=1.75e6, random_state=1)
    with pytest.warns(TwoStageWarning):
        return select(strategy, estimator, pool, labelled, y)


def add_functions(table, jitter):
    def rows(n, *shape, seed=0):
        return jittered(np.random.default_rng(seed).normal(size=(n, *shape)), jitter)

    X, centers, S = rows(150, 6), rows(10, 6, seed=1), rows(150, 3, seed=2)
    V = rows(150, 4, 20)
    log_p = torch.as_tensor(2 * rows(150, 5, 3)).log_softmax(2).numpy()
    labelled = np.arange(20)
    with_gaps = X[:, 0].copy()
    with_gaps[::3] = np.nan
    groups = X[:, 0].round().astype(int)
    distances = selection.other_group_distances(X, groups)

    k_center = partial(greedy, selection.k_center_greedy)
    plusplus = partial(greedy, selection.kmeans_plusplus)
    herding = partial(greedy, selection.max_herding)
    coverage = partial(greedy, selection.max_coverage)
    batch_bald = partial(greedy, selection.batch_bald)
    bait = partial(greedy, fisher.greedy_fisher)
    blocks = partial(greedy, fisher.greedy_fisher_in_blocks, lambda at: DenseFactors(tensor(V[at])))
    tensor, n, pool = torch.as_tensor, N_PICKS, np.arange(20, 150)
    radius = selection.purity_radius(distances, 0.7)
    cases = {
        "k-center": lambda: k_center(X, n, centers=centers),
        "k-center, float32": lambda: k_center(tensor(X).float(), n, centers=tensor(centers)),
        "k-center, no centers": lambda: k_center(X, n, random_state=3),
        "k-means++": lambda: plusplus(X, n, random_state=3),
        "k-means++, largest first": lambda: plusplus(X, n, first="largest", random_state=3),
        "k-means++, pairs": lambda: plusplus((S, X), n, first="largest", random_state=3),
        "herding": lambda: herding(X, n),
        "herding, centers": lambda: herding(
            X, n, sigma=2.0, centers=centers, weights=np.arange(150)
        ),
        "most typical": lambda: greedy(selection.most_typical, X, n),
        "relevances": lambda: greedy(
            selection.falcun, np.exp(log_p[:, 0]), n, gamma=20.0, random_state=3
        ),
        "boundaries": lambda: greedy(
            selection.nearest_per_class, selection.boundary_distances(S, centers[:3, :4]), n
        ),
        "Fisher, components": lambda: bait(V, n, labelled=labelled, components=5),
        "Fisher, weights": lambda: bait(
            V, n, labelled=labelled, weights=np.arange(150.0), regularization="auto"
        ),
        "coverage": lambda: coverage(X, n, 1.5),
        "coverage, centers": lambda: coverage(X, n, 1.5, centers=centers),
        "coverage, everything": lambda: coverage(X, n, 4.0, random_state=3),
        "coverage, groups": lambda: coverage(X, n, radius, groups=(groups, distances)),
        "BatchBALD": lambda: batch_bald(log_p, n),
        "BatchBALD, sampled": lambda: batch_bald(log_p, n, n_configurations=500, random_state=3),
        "Fisher": lambda: bait(V, n),
        "Fisher, float32": lambda: bait(tensor(V).float(), n, labelled=labelled),
        "Fisher, labels": lambda: bait(V, n, labelled=labelled, regularization=0.01),
        "Fisher, candidates": lambda: bait(V, n, candidates=np.arange(30, 60)),
        "Fisher, backward": lambda: bait(V, n, labelled=labelled, oversample=2.0),
        "Fisher, one block": lambda: blocks(pool, n, labelled=labelled),
        "Fisher, blocks": lambda: blocks(
            pool, n, labelled=labelled, block_size=40, oversample=1.5, random_state=3
        ),
        "top n": lambda: highest(X[:, 0]),
        "top n, gaps": lambda: highest(with_gaps),
        "top n, ties": lambda: highest(groups.astype(float), random_state=3),
        "typicality": lambda: highest(selection.typicality(X)),
        "typicality, few neighbours": lambda: highest(selection.typicality(X, n_neighbors=3)),
    }
    table.update({f"function: {name}": case for name, case in cases.items()})


# -- networks that nobody trained --------------------------------------------------------------


def jittered(values, jitter):
    return values * (1 + jitter * np.random.default_rng(99).normal(size=values.shape))


def overwrite(module, seed, jitter):
    """Draw all parameters and buffers: probabilities are neither uniform nor saturated."""
    rng = np.random.default_rng(seed)
    for name, value in module.state_dict().items():
        if not value.is_floating_point():
            continue
        shape = tuple(value.shape)
        if len(shape) > 1:
            new = rng.normal(0, 2 / np.sqrt(np.prod(shape[1:])), shape)
        elif name.endswith(("running_var", "weight")):  # of BatchNorm
            new = rng.uniform(0.5, 1.5, shape)
        else:
            new = rng.normal(0, 0.1, shape)
        value.copy_(torch.as_tensor(jittered(new, jitter)))


class Rows(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Linear(64, 16), nn.Tanh(), nn.Dropout(0.3), nn.LayerNorm(16), nn.Linear(16, 10)
        )


def skactive_net(kind, classifier=CNNClassifier, n_classes=10, seed=0, jitter=0.0):
    X, y = digits(kind)
    clf = classifier(
        max_epochs=1,
        normalize=None,
        module_params={"width": 8, "dropout": 0.3},
        device=BATTERY_DEVICE,
        random_state=0,
    ).fit(X[:N_LABELLED], y[:N_LABELLED] % n_classes)
    overwrite(clf.module_.network, seed, jitter)
    if classifier is LPLClassifier:
        overwrite(clf.loss_module_, seed + 1, jitter)
    return clf


def plain_net(jitter=0.0):
    X, y = digits("rows")
    net = NeuralNetClassifier(
        Rows,
        criterion=nn.CrossEntropyLoss,
        max_epochs=1,
        train_split=None,
        verbose=0,
        device=BATTERY_DEVICE,
    ).fit(X[:N_LABELLED], y[:N_LABELLED])
    overwrite(net.module_, 5, jitter)
    return net


def members(count, jitter=0.0):
    return [skactive_net("rows", seed=seed, jitter=jitter) for seed in range(count)]


NETWORKS = {
    "MLP": ("rows", partial(skactive_net, "rows", seed=0)),
    "MLP, two classes": ("rows", partial(skactive_net, "rows", n_classes=2, seed=1)),
    "CNN": ("images", partial(skactive_net, "images", seed=2)),
    "CNN, bytes": ("bytes", partial(skactive_net, "bytes", seed=3)),
    "LPL": ("images", partial(skactive_net, "images", LPLClassifier, seed=4)),
    "LPL, two classes": (
        "images",
        partial(skactive_net, "images", LPLClassifier, n_classes=2, seed=6),
    ),
    "skorch": ("rows", plain_net),
    "committee": ("rows", partial(members, 4)),
    "two members": ("rows", partial(members, 2)),
}
fitted = cache(lambda network, jitter: NETWORKS[network][1](jitter=jitter))


def read_only_memmap(X):
    with tempfile.TemporaryFile() as file:
        X.tofile(file)
        file.flush()
        return np.memmap(file, dtype=X.dtype, mode="r", shape=X.shape)


CONTAINERS = {
    "float64": lambda X: X.astype(np.float64),
    "memmap": read_only_memmap,
    "tensor": torch.as_tensor,
    "list": list,
    "Dataset": lambda X: TensorDataset(torch.as_tensor(X)),
}

# -- the table ---------------------------------------------------------------------------------


def make(cls):
    known = inspect.signature(cls).parameters
    params = {"batch_size": 50, "n_passes": 10, "random_state": 0}
    made_of = MADE_OF.get(cls.__name__, {})
    return cls(**{name: value for name, value in params.items() if name in known}, **made_of)


MADE_OF = {
    "ClassBalanced": {"strategy": ska.Entropy()},
    # a network trained here would depend on the machine, lbfgs on the version of scipy
    "DiscriminativeAL": {
        "classifier": LogisticRegression(solver="liblinear", tol=1e-8),
        "sub_batches": 4,
    },
    "Hybrid": {"strategies": [ska.Entropy(), ska.Margin()]},
    "UHerding": {"temperature": 1.0},
    "Refine": {"strategies": [ska.Margin(), ska.Entropy()], "n_batches": 4, "part": 60},
    "PerClass": {"strategy": ska.Entropy()},
    "Subsample": {"strategy": ska.Margin(), "n": 60},
    "Switch": {"phases": [(ska.LeastConfidence(), 1000), (ska.Random(), None)]},
}


def networks_of(cls):
    if cls.__name__ in NEEDS_PREDICT_LOSS:
        return ["LPL", "LPL, two classes"]
    names = ["CNN", "CNN, bytes", "MLP", "MLP, two classes", "skorch"]
    names += ["LPL"] if cls is ska.LPLGrad else []
    return names + (["committee"] if takes_committees(cls) else [])


def table(jitter=0.0):
    """All cases: name -> function that returns indices and what they are worth.

    A jitter changes all numbers by about that fraction of them; where the picks change too,
    samples are too nearly equal to be compared on other machines.
    """

    def on(network, strategy, call=select, contain=np.asarray, wrap=lambda clf: clf):
        X, y = digits(NETWORKS[network][0])
        y = y % 2 if "two classes" in network else y
        estimator = wrap(fitted(network, jitter))
        labelled = contain(X[:N_LABELLED])
        return call(strategy, estimator, contain(X[N_LABELLED:]), labelled, y[:N_LABELLED])

    cases = {}
    for cls in STRATEGIES:
        first, *_ = networks = networks_of(cls)
        for network in networks:
            cases[f"{cls.__name__}: {network}"] = partial(on, network, make(cls))
        for name, contain in CONTAINERS.items():
            cases[f"{cls.__name__}: {name}"] = partial(on, first, make(cls), contain=contain)
        cases[f"{cls.__name__}: no labels"] = partial(on, first, make(cls), without_labels)
        cases[f"{cls.__name__}: query"] = partial(on, first, make(cls), query)
        cases[f"{cls.__name__}: Pipeline"] = partial(
            on, first, make(cls), contain=lambda X: X * 2, wrap=halved
        )
    for name, (strategy, network) in VARIANTS.items():
        cases[name] = partial(on, network, strategy)
    cases["FisherMask, two stages"] = partial(
        on, "MLP", None, lambda _, *args: in_two_stages(*args)
    )
    cases[TORCH] = draws_of_torch
    add_embeddings(cases, jitter)
    add_functions(cases, jitter)
    return cases


def halved(clf):
    return make_pipeline(FunctionTransformer(lambda X: X / 2), clf)


def add_embeddings(cases, jitter):
    rng = np.random.default_rng(7)
    embeddings = jittered(rng.normal(size=(N_POOL + N_LABELLED, 6)), jitter)
    pool, labelled = embeddings[:N_POOL], embeddings[N_POOL:]
    X, y = digits("rows")
    for strategy in (
        ska.CoreSet(random_state=1),
        ska.KMeansSampling(random_state=1),
        ska.TypiClust(random_state=1),
        ska.ProbCover(n_clusters=3, random_state=1),
    ):
        name = type(strategy).__name__
        cases[f"{name}: array of embeddings"] = partial(
            select,
            strategy,
            None,
            X[N_LABELLED:],
            X[:N_LABELLED],
            y[:N_LABELLED],
            embeddings=pool,
            embeddings_labelled=labelled,
        )
        cases[f"{name}: array of embeddings, no labels"] = partial(
            select, strategy, None, X[N_LABELLED:], None, None, embeddings=pool
        )


TORCH = "what torch draws"


def draws_of_torch():
    torch_draws = torch.Generator().manual_seed(0)
    p = torch.linspace(0.1, 1.0, 10, dtype=torch.float64)
    labels = torch.multinomial(p, 20, replacement=True, generator=torch_draws)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        kept = nn.functional.dropout(torch.ones(64, dtype=torch.float64), 0.3)
    return np.flatnonzero(kept), labels


def drawn_by_torch(name):
    """Whether a case meets dropout or other draws of torch, which depend on the processor."""
    cls, _, where = name.partition(": ")
    passes = issubclass(getattr(ska, cls, object), MonteCarloStrategy) and where != "committee"
    return passes or name in {
        TORCH,
        "BatchBALD, sampled",
        "BatchBALD, few classes",
        "VariationRatio, votes of passes",
        "function: BatchBALD, sampled",
    }


def compute(case):
    """Run one; return what is recorded of it, numbers to six digits."""
    indices, worth = case()
    return {
        "picks": [int(i) for i in indices],
        "worth": [float(f"{value:.6g}") for value in np.asarray(worth, dtype=float)],
    }
