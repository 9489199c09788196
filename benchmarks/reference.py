"""What each strategy picks, against scikit-activeml on the same arrays.

`python -m benchmarks reference --out benchmarks` writes benchmarks/reference.md. Each row is the
share of steps at which both pick the same sample. Where the sample that leads does so by rounding
alone, either may be picked: the peer's own utilities tell. What cannot be compared says why.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks._cell import Given
from benchmarks._report import row
from skactive import strategies as public

LABELLED, CLUSTERS, DRAWS, PICKS, FEW = 30, 12, 8, 20, 4
# By how much utilities may differ that stand for the same number.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Problem:
    """What both sides select from, in float64.

    Attributes
    ----------
    H, H_labelled : ndarray of shape (N, D) and (L, D)
        Embeddings, in clusters of unequal sizes.
    y_labelled : ndarray of int, of shape (L,)
        Labels.
    draws : ndarray of shape (T, N, C)
        Class probabilities of the pool by T draws of a network.
    seed : int
        What it was made from.
    """

    H: np.ndarray
    H_labelled: np.ndarray
    y_labelled: np.ndarray
    draws: np.ndarray
    seed: int

    @classmethod
    def drawn(cls, seed: int, N: int, D: int = 16, C: int = 5) -> Problem:
        """Draw one."""
        rng = np.random.default_rng(seed)
        group = rng.choice(CLUSTERS, N + LABELLED, p=(w := np.arange(1, CLUSTERS + 1)) / w.sum())
        H = rng.normal(size=(N + LABELLED, D)) + 4 * rng.normal(size=(CLUSTERS, D))[group]
        logits = rng.normal(size=(DRAWS, N, C)) + 2 * rng.normal(size=(N, C))
        p = np.exp(logits)
        p /= p.sum(2, keepdims=True)
        return cls(H[:N], H[N:], group[N:] % C, p, seed)

    @property
    def both(self) -> tuple[np.ndarray, np.ndarray]:
        """Pool and labelled samples in one array, and the labels, as the peer wants them."""
        labels = np.concatenate([np.full(len(self.H), np.nan), self.y_labelled])
        return np.concatenate([self.H, self.H_labelled]), labels

    def ours(self, name: str, n: int, **params: Any) -> np.ndarray:
        """Return the picks of a strategy that reads embeddings."""
        strategy = getattr(public, name)(random_state=self.seed, **params)
        return strategy.select(
            None,
            self.H,
            n,
            X_labelled=self.H_labelled,
            y_labelled=self.y_labelled,
            embeddings=self.H,
            embeddings_labelled=self.H_labelled,
        ).indices

    def from_probabilities(self, name: str, n: int, **params: Any) -> np.ndarray:
        """Return the picks of a strategy that reads probabilities; of the first draw, or all."""
        strategy = getattr(public, name)(random_state=self.seed, **params)
        several = hasattr(strategy, "n_passes")
        source: Any = [Given(p) for p in self.draws] if several else Given(self.draws[0])
        return strategy.select(source, np.arange(len(self.H))[:, None], n).indices

    def peer(self, strategy: Any, n: int, *, embeddings: bool = True, **inputs: Any) -> Any:
        """Return the picks and utilities of one of scikit-activeml's strategies."""
        X, y = (
            self.both
            if embeddings
            else (np.arange(len(self.H))[:, None], np.full(len(self.H), np.nan))
        )
        return strategy.query(X, y, batch_size=n, return_utilities=True, **inputs)

    def classifier(self) -> Any:
        """Return scikit-activeml's classifier with these probabilities and draws."""
        from skactiveml.base import SkactivemlClassifier

        class Predicts(SkactivemlClassifier):
            def fit(inner, X: Any, y: Any, sample_weight: Any = None) -> Any:
                return inner

            def predict_proba(inner, X: Any) -> np.ndarray:
                return self.draws[0]

            def sampled(inner, X: Any) -> np.ndarray:
                return self.draws

        C = self.draws.shape[2]
        found = Predicts(classes=np.arange(C))
        found.classes_ = np.arange(C)
        return found


@dataclass(frozen=True)
class Steps:
    """How many steps of a batch were compared, and at how many both picked the same."""

    same: int
    compared: int


def ranked(ours: np.ndarray, theirs: np.ndarray, utilities: np.ndarray) -> Steps:
    """Compare batches of the highest utilities: equal ones may come in any order."""
    of_pool = utilities[0]
    same = np.isclose(of_pool[ours], of_pool[theirs], rtol=ROUNDING, atol=ROUNDING)
    return Steps(int(same.sum()), len(ours))


def greedy(ours: np.ndarray, theirs: np.ndarray, utilities: np.ndarray) -> Steps:
    """Compare greedy batches up to where they part, which a tie may make them do."""
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if one != other:
            own, best = utilities[step][one], utilities[step][other]
            tie = bool(np.isclose(own, best, rtol=ROUNDING, atol=ROUNDING))
            return Steps(step + int(tie), step + 1 if tie else len(ours))
    return Steps(len(ours), len(ours))


def by_uncertainty(name: str, method: str) -> Callable[[Problem], Steps]:
    def compare(given: Problem) -> Steps:
        from skactiveml.pool import UncertaintySampling

        peer = UncertaintySampling(method, random_state=given.seed)
        theirs = given.peer(peer, PICKS, embeddings=False, clf=given.classifier(), fit_clf=False)
        return ranked(given.from_probabilities(name, PICKS), *theirs)

    return compare


def by_draws(
    name: str, peer_name: str, n: int, how: Callable[..., Steps], params: Any, peer_params: Any
) -> Callable[[Problem], Steps]:
    def compare(given: Problem) -> Steps:
        from skactiveml import pool

        peer = getattr(pool, peer_name)(
            sample_predictions_method_name="sampled", random_state=given.seed, **peer_params
        )
        inputs = {"ensemble": given.classifier(), "fit_ensemble": False}
        theirs = given.peer(peer, n, embeddings=False, **inputs)
        return how(given.from_probabilities(name, n, **params), *theirs)

    return compare


def one_by_one(given: Problem, ours: np.ndarray, peer: Callable[[], Any], **inputs: Any) -> Steps:
    """Ask the peer at each step, with our earlier picks as labelled samples, for its best."""
    X, y = given.both
    same = 0
    for pick in ours:
        _, utilities = peer().query(X, y, batch_size=1, return_utilities=True, **inputs)
        best = np.nanmax(utilities[0])
        same += int(np.isclose(utilities[0][pick], best, rtol=ROUNDING, atol=ROUNDING))
        y[pick] = 0
    return Steps(same, len(ours))


def core_set(given: Problem) -> Steps:
    from skactiveml.pool import CoreSet

    ours = given.ours("CoreSet", PICKS)
    return one_by_one(given, ours, lambda: CoreSet(random_state=given.seed))


def max_herding(given: Problem) -> Steps:
    from skactiveml.pool import MaxHerding

    peer = MaxHerding(metric_dict={"gamma": 1.0}, random_state=given.seed)  # σ = 1
    return greedy(given.ours("MaxHerding", PICKS), *given.peer(peer, PICKS))


def prob_cover(given: Problem) -> Steps:
    from skactiveml.pool import ProbCover

    delta = 5.0
    ours = given.ours("ProbCover", PICKS, delta=delta, normalize=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it would rather choose the radius
        return one_by_one(given, ours, lambda: ProbCover(deltas=[delta], random_state=given.seed))


def typi_clust(given: Problem) -> Steps:
    """Both on the clusters that ours finds; with few neighbours, which half a cluster has."""
    from skactiveml.pool import TypiClust

    from skactive.strategies.base._clusters import cluster

    class Clusters:
        def __init__(self, n_clusters: int) -> None:
            self.n_clusters = n_clusters

        def fit_predict(self, X: np.ndarray) -> np.ndarray:
            return cluster(X, self.n_clusters, np.random.default_rng(given.seed)).labels_

    X, y = given.both
    few = np.concatenate([np.arange(len(given.H)), len(given.H) + np.arange(FEW)])
    peer = TypiClust(cluster_algo=Clusters, k=2, random_state=given.seed)
    picks, utilities = peer.query(X[few], y[few], batch_size=FEW, return_utilities=True)
    own = {"normalize": False, "n_neighbors": 2, "too_small": 0, "random_state": given.seed}
    ours = public.TypiClust(**own).select(
        None,
        given.H,
        FEW,
        X_labelled=given.H_labelled[:FEW],
        embeddings=given.H,
        embeddings_labelled=given.H_labelled[:FEW],
    )
    clusters = Clusters(2 * FEW).fit_predict(X[few])
    free = np.setdiff1d(np.arange(2 * FEW), clusters[-FEW:])
    sizes = np.sort(np.bincount(clusters, minlength=2 * FEW)[free])[::-1]
    equal = np.flatnonzero(sizes[:-1] == sizes[1:])  # of which the peer draws one
    n = min(FEW, *equal, len(free) - 1) if len(equal) else min(FEW, len(free))
    return greedy(ours.indices[:n], picks[:n], utilities)


def badge(given: Problem) -> Steps:
    """The first pick, which is not drawn."""
    from skactiveml.pool import Badge

    from skactive.selection import kmeans_plusplus

    S = given.draws[0].copy()
    best = S.argmax(1)[:, None]
    np.put_along_axis(S, best, np.take_along_axis(S, best, 1) - 1, 1)
    peer = Badge(random_state=given.seed)
    theirs = given.peer(peer, 1, clf=given.classifier(), fit_clf=False)
    ours = kmeans_plusplus((S, given.H), 1, first="largest", random_state=given.seed)
    return greedy(ours.indices, *theirs)


def drop_query(given: Problem) -> Steps:
    """On samples that dropout either surely or surely not changes the prediction of."""
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import DropQuery

    from skactive.selection import dropout_disagreement

    rng, D, n, each = np.random.default_rng(given.seed), 2048, 5, 6
    W = np.stack([np.ones(D), -np.ones(D)])
    sure = rng.uniform(1, 2, (50, D))
    unsure = np.repeat(rng.uniform(-8, -4, (n, D)), each, axis=0)
    noise = rng.uniform(-0.01, 0.01, unsure.shape)
    noise[::each] = 0  # the nearest to the center, by more than rounding
    unsure += noise
    unsure[:, 0] = 16.0 * D  # class 0 by this number alone
    h = np.concatenate([sure, unsure])[rng.permutation(50 + n * each)]

    class Head(SkactivemlClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return self

        def predict(self, X: Any) -> np.ndarray:
            return (X @ W.T).argmax(1)

        def predict_proba(self, X: Any) -> np.ndarray:
            return np.eye(2)[self.predict(X)]

    peer = DropQuery(
        dropout_rate=0.99,
        n_dropout_samples=9,  # so that none comes out otherwise by chance
        cluster_algo_dict={"random_state": given.seed, "n_init": 10},
        random_state=given.seed,
    )
    theirs = peer.query(h, np.full(len(h), np.nan), Head(classes=[0, 1]), batch_size=n)
    counts = dropout_disagreement(h @ W.T, h, W, p=0.99, n_passes=9, random_state=given.seed)
    candidates = np.flatnonzero(counts > 4)
    found = public.KMeansSampling(random_state=given.seed).select(
        None, h[candidates], n, embeddings=h[candidates]
    )
    same = set(candidates[found.indices].tolist()) & set(theirs.tolist())
    return Steps(len(same), n)


def falcun(given: Problem) -> Steps:
    """The first draw, where one sample leads by far and the power leaves no choice."""
    from skactiveml.pool import Falcun

    C = given.draws.shape[2]
    p = 0.5 * given.draws[0] + 0.5 * np.eye(C)[given.draws[0].argmax(1)]
    p[given.seed] = [0.5, 0.5] + [0] * (C - 2)
    leader = Problem(given.H, given.H_labelled, given.y_labelled, p[None], given.seed)
    peer = Falcun(gamma=500, random_state=given.seed)
    inputs = {"clf": leader.classifier(), "fit_clf": False}
    theirs = leader.peer(peer, 1, embeddings=False, **inputs)
    return greedy(leader.from_probabilities("FALCUN", 1, gamma=500.0), *theirs)


def discriminative(given: Problem) -> Steps:
    """By the same logistic regression on both sides, trained anew after each sample."""
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.pool import DiscriminativeAL

    line = LogisticRegression(C=0.01, tol=1e-9, max_iter=10_000)
    settings = {"classifier": line, "sub_batches": FEW, "ratio": None}
    ours = given.ours("DiscriminativeAL", FEW, **settings)
    peer = DiscriminativeAL(random_state=given.seed)
    return one_by_one(given, ours, lambda: peer, discriminator=SklearnClassifier(line))


_BY_CLASS = {
    "LeastConfidence": "least_confident",
    "Margin": "margin_sampling",
    "Entropy": "entropy",
}
_CLIPPED = "the peer raises probabilities to 1e-7; ours have their logarithms"
# For each: how, and what differs beside.
COMPARED: dict[str, tuple[Callable[[Problem], Steps], str]] = {
    **{
        name: (by_uncertainty(name, method), "ties: by position, the peer's are drawn")
        for name, method in _BY_CLASS.items()
    },
    "BALD": (by_draws("BALD", "GreedyBALD", PICKS, ranked, {}, {}), _CLIPPED),
    "VariationRatio": (
        by_draws(
            "VariationRatio",
            "QueryByCommittee",
            PICKS,
            ranked,
            {"voting": "hard"},
            {"method": "variation_ratios"},
        ),
        'voting="hard"; ours has the votes\' probabilities by default',
    ),
    "BatchBALD": (
        by_draws("BatchBALD", "BatchBALD", FEW, greedy, {}, {"n_MC_samples": 40_000}),
        "all configurations of labels on both sides; " + _CLIPPED,
    ),
    "CoreSet": (core_set, ""),
    "MaxHerding": (max_herding, "the same width of the kernel, σ = 1"),
    "ProbCover": (prob_cover, "the same radius; by default ours finds one by bisection"),
    "TypiClust": (
        typi_clust,
        "the same clusters, 2 neighbours, up to clusters of equal size; ours has at most half a "
        "cluster, and passes over small ones, as the authors' code",
    ),
    "BADGE": (
        badge,
        "the first pick; then both draw, the peer by the smaller of D² and ‖g‖², as if the origin "
        "had been drawn, ours by D² as k-means++",
    ),
    "DropQuery": (
        drop_query,
        "candidates that are known beforehand; ours divides by 1 − p, and normalizes by default",
    ),
    "FALCUN": (
        falcun,
        "the first draw; later the peer scales scaled distances again, ours as the authors' code",
    ),
    "DiscriminativeAL": (
        discriminative,
        "sub_batches=n, ratio=None; by default ours has the authors' sub-batches and network",
    ),
}
_NONE = "the peer has none; "
_OF_OTHERS = "made of others: its members are compared"
WITHOUT_CODE: dict[str, str] = {
    "ALFAMix": _NONE + "the authors' steps are the loop in its test, anchor by anchor",
    "BAIT": _NONE + "the published loop on dense factors is the oracle of its test",
    "BASE": _NONE + "the authors' shares are the loop in its test",
    "CAL": "its test compares with the peer, and with the definition, sample by sample",
    "CLUE": "its test compares with the peer, and with scikit-learn's weighted clusters",
    "ClusterMargin": _NONE + "its test has scikit-learn's average linkage",
    "EPIG": _NONE + "its test writes the joint tables out",
    "ExpectedGradientLength": _NONE + "its test has autograd, sample by sample",
    "FisherMask": _NONE + "the published loop on dense factors is the oracle of its test",
    "GradientNorm": _NONE + "its test has autograd, sample by sample",
    "KMeansSampling": _NONE + "its test has scikit-learn's clusters",
    "LPLGrad": _NONE + "its test has autograd, sample by sample",
    "LearningLoss": _NONE + "its test sorts the predicted losses",
    "MeanEntropy": _NONE + "its test has the definition",
    "UHerding": _NONE + "its test has the definition, step by step",
    "PowerBALD": _NONE + "its test has the definition, and counts draws",
    "PredictiveEntropy": _NONE + "its test has the definition",
    "Random": "drawn: there is nothing to compare",
    **dict.fromkeys(
        ("ClassBalanced", "Hybrid", "PerClass", "Refine", "Subsample", "Switch"), _OF_OTHERS
    ),
}


def unlisted() -> list[str]:
    """Name the public strategies that no table has."""
    classes = [getattr(public, name) for name in public.__all__]
    return sorted(
        cls.__name__
        for cls in classes
        if issubclass(cls, public.QueryStrategy) and not inspect.isabstract(cls)
        if cls.__name__ not in {*COMPARED, *WITHOUT_CODE}
    )


def measure(quick: bool, only: str = "") -> list[dict[str, Any]]:
    """Compare the strategies whose name contains `only`; return a row for each."""
    N, seeds = (150, 1) if quick else (1000, 10)
    problems = [Problem.drawn(seed, N) for seed in range(seeds)]
    rows = []
    for name in sorted({*COMPARED, *WITHOUT_CODE}):
        if only not in name:
            continue
        if name in WITHOUT_CODE:
            rows.append(row(name, "steps compared", 0, None, "higher", WITHOUT_CODE[name]))
            continue
        compare, note = COMPARED[name]
        steps = [compare(given) for given in problems]
        same, compared = (
            int(sum(getattr(one, key) for one in steps)) for key in ("same", "compared")
        )
        note = f"{same} of {compared} steps" + (f"; {note}" if note else "")
        rows.append(row(name, "% equal", 100.0 * same / compared, 100, "higher", note))
    return rows
