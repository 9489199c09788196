"""Logistic regressions of scikit-learn as the networks that they are."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from modAL.models import ActiveLearner, Committee
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skactive as ska
from skactive._pool import Pool
from skactive.exceptions import UnsupportedEstimatorError
from skactive.strategies.base._networks import PoolNetwork

RNG = np.random.default_rng(0)
NAMES = np.array(["c", "a", "b", "d"])  # not in scikit-learn's order
CODES = RNG.integers(0, 4, 90)
X = (RNG.normal(size=(90, 5)) + RNG.normal(size=(4, 5))[CODES]) * [3, 1, 1, 1, 1]
FEW, POOL = slice(0, 30), X[30:]
Y = {2: NAMES[CODES % 2], 4: NAMES[CODES]}

STRATEGIES = [
    ska.BADGE(random_state=0),
    ska.BAIT(),
    ska.BAIT(oversample=1, target="balanced"),
    *(
        ska.FisherMask(mask=mask, random_state=0)
        for mask in ("global", "layerwise", "relative", "head")
    ),
    ska.LPLGrad(random_state=0),
    ska.LPLGrad(norm="global", score="expected", random_state=0),
    ska.ExpectedGradientLength(random_state=0),
    ska.GradientNorm(random_state=0),
    ska.CoreSet(random_state=0),
    ska.KMeansSampling(random_state=0),
    ska.Hybrid([ska.Margin(), ska.BADGE()], random_state=0),
    ska.Subsample(ska.BAIT(), n=40, random_state=0),
]
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=repr)


class Network:
    """A user's own network in float64."""

    def __init__(self, module, classes):
        self.module_, self.classes_ = module, np.asarray(classes)

    def check_samples(self, X):
        return np.asarray(X, dtype=np.float64)


def head_of(model):
    """Return a Linear layer with the weights of a logistic regression, written down plainly."""
    W, b = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # logits (0, z)
        W, b = np.stack([0 * W[0], W[0]]), np.array([0, b[0]])
    head = torch.nn.Linear(W.shape[1], len(W), dtype=torch.float64)
    with torch.no_grad():
        head.weight[:], head.bias[:] = torch.tensor(W), torch.tensor(b)
    return head


def select(strategy, model, pool=POOL, labelled=X[FEW], n_classes=4):
    y = Y[n_classes][FEW]
    return strategy.select(model, pool, 6, X_labelled=labelled, y_labelled=y).indices.tolist()


@pytest.mark.parametrize("n_classes", [2, 4])
@each_strategy
def test_the_picks_are_those_of_a_linear_head(strategy, n_classes):
    model = LogisticRegression(max_iter=500).fit(X[FEW], Y[n_classes][FEW])
    assert model.classes_.tolist() == sorted(NAMES[:n_classes])
    expected = select(strategy, Network(head_of(model), model.classes_), n_classes=n_classes)
    assert select(strategy, model, n_classes=n_classes) == expected
    # float32 rows and sparse ones are the same samples; the coefficients stay in float64
    single, sparse = X.astype(np.float32), scipy.sparse.csr_matrix(X)
    assert select(strategy, model, sparse[30:], sparse[FEW], n_classes) == expected
    assert select(strategy, model, torch.tensor(X[30:]), X[FEW], n_classes) == expected
    rounded = Network(head_of(model), model.classes_)
    assert select(strategy, model, single[30:], single[FEW], n_classes) == select(
        strategy, rounded, single[30:], single[FEW], n_classes
    )


@each_strategy
def test_the_picks_are_those_of_a_network_whose_head_alone_is_trained(strategy):
    """On features that the rest computes: only what is trained counts."""
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 2), torch.nn.ReLU(), torch.nn.Flatten())
    body = body.double().requires_grad_(False)
    images = X[:, None, :4].reshape(90, 1, 2, 2)
    features = body(torch.tensor(images)).numpy()
    model = LogisticRegression(max_iter=500).fit(features[FEW], Y[4][FEW])
    whole = Network(torch.nn.Sequential(body, head_of(model)), model.classes_)
    expected = select(strategy, whole, images[30:], images[FEW])
    assert select(strategy, model, features[30:], features[FEW]) == expected


MODELS = {
    "multinomial": (LogisticRegression(max_iter=500), 4),
    "binary": (LogisticRegression(), 2),
    "no intercept": (LogisticRegression(fit_intercept=False, max_iter=500), 4),
    "binary, no intercept": (LogisticRegression(fit_intercept=False), 2),
    "liblinear, no intercept": (LogisticRegression(solver="liblinear", fit_intercept=False), 2),
    "SGD": (SGDClassifier(loss="log_loss", random_state=0), 2),
    "averaged SGD": (SGDClassifier(loss="log_loss", average=True, random_state=0), 2),
    "weighted classes": (LogisticRegression(class_weight="balanced", max_iter=500), 4),
}


def check_probabilities(model, rows=POOL):
    """Compare the network's probabilities with scikit-learn's, which takes 1 − p of two classes."""
    log_p = PoolNetwork(model, "BADGE").log_probabilities(Pool.of(rows), 16)
    expected = model.predict_proba(rows)
    assert log_p.shape == expected.shape
    np.testing.assert_allclose(np.exp(log_p), expected, rtol=1e-10, atol=2e-16)


@pytest.mark.parametrize("name", MODELS)
def test_probabilities_are_scikit_learns(name):
    model, n_classes = MODELS[name]
    model = model.fit(X[FEW], Y[n_classes][FEW])
    network = PoolNetwork(model, "BADGE")
    check_probabilities(model)
    assert network.classes.tolist() == model.classes_.tolist()
    assert (network.module.bias is None) == ("no intercept" in name)
    model.sparsify()
    check_probabilities(model)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # about its own defaults
def test_searched_strength():
    check_probabilities(LogisticRegressionCV(Cs=2, cv=2, max_iter=500).fit(X[FEW], Y[4][FEW]))


def test_every_wrapping():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    pipeline.fit(X[FEW], Y[4][FEW])
    scaled = Network(head_of(pipeline[-1]), pipeline.classes_)
    expected = select(ska.BADGE(random_state=0), scaled, pipeline[0].transform(POOL))
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0]}, cv=2).fit(X[FEW], Y[4][FEW])
    learner = ActiveLearner(pipeline, X_training=X[FEW], y_training=Y[4][FEW])
    for wrapped in (
        pipeline,
        search,
        learner,
        FrozenEstimator(pipeline),
        make_pipeline(FunctionTransformer(), FrozenEstimator(pipeline)),
    ):
        assert select(ska.BADGE(random_state=0), wrapped) == expected
    learner.query_strategy = ska.BADGE(random_state=0)
    assert learner.query(POOL, n_instances=6)[0].tolist() == expected


def test_single_precision_stays_so():
    single = X.astype(np.float32)
    model = LogisticRegression(max_iter=500).fit(single[FEW], Y[4][FEW])
    network = PoolNetwork(model, "BADGE")
    dtype = torch.as_tensor(model.coef_).dtype  # scikit-learn 1.6 has float64 all the same
    assert network.module.weight.dtype == dtype == network.inputs(X[30:]).dtype
    log_p = network.log_probabilities(Pool.of(single[30:]), 16)
    np.testing.assert_allclose(np.exp(log_p), model.predict_proba(single[30:]), rtol=1e-5)


def test_data_frames_and_their_names():
    frame = pd.DataFrame(X, columns=list("vwxyz"))
    model = LogisticRegression(max_iter=500).fit(frame[:30], Y[4][FEW])
    plain = LogisticRegression(max_iter=500).fit(X[FEW], Y[4][FEW])
    assert select(ska.BAIT(), model, frame[30:], frame[:30]) == select(ska.BAIT(), plain)
    with pytest.raises(ValueError, match="feature names should match"):
        select(ska.BAIT(), model, frame[30:][list("zyxwv")], frame[:30])
    with pytest.raises(ValueError, match="X has 4 features, but LogisticRegression is expecting 5"):
        select(ska.BADGE(), plain, POOL[:, :4])
    broken = POOL.copy()
    broken[7, 2] = np.nan
    with pytest.raises(ValueError, match="X_pool of BADGE contains NaN.* sample 7"):
        select(ska.BADGE(), plain, broken)


def test_nothing_is_drawn_and_the_model_is_left_alone():
    model = LogisticRegression(max_iter=500).fit(X[FEW], Y[4][FEW])
    before, state = model.coef_.copy(), torch.get_rng_state()
    module = PoolNetwork(model, "BADGE").module
    with torch.no_grad():
        module.weight.zero_()  # what somebody might do
    np.testing.assert_array_equal(model.coef_, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert not hasattr(model, "module_")


def fitted(model, n_classes=4):
    return model.fit(X[FEW], Y[n_classes][FEW])


REFUSED = {
    "OneVsRestClassifier instead, which is one classifier per class": lambda: fitted(
        OneVsRestClassifier(LogisticRegression())
    ),
    "SGDClassifier instead, which is one classifier per class": lambda: fitted(
        SGDClassifier(loss="log_loss")
    ),
    "SGDClassifier instead, which has loss='hinge', which makes no logits": lambda: fitted(
        SGDClassifier(), 2
    ),
    "SGDClassifier instead, which has loss='modified_huber'": lambda: fitted(
        SGDClassifier(loss="modified_huber"), 2
    ),
    "CalibratedClassifierCV instead, which averages classifiers": lambda: fitted(
        CalibratedClassifierCV(LogisticRegression(), cv=2)
    ),
    r"RandomForestClassifier instead\. Use a CNNClassifier, a skorch": lambda: fitted(
        RandomForestClassifier(3, random_state=0)
    ),
}


@pytest.mark.parametrize("match", REFUSED)
def test_what_has_no_gradients(match):
    model = REFUSED[match]()
    match = f"BADGE needs a torch network. Got {match}"
    with pytest.raises(UnsupportedEstimatorError, match=match):
        select(ska.BADGE(), model)


def test_where_embeddings_would_do_they_are_named():
    forest = fitted(RandomForestClassifier(3, random_state=0))
    remedy = r"Or pass embeddings=: a way to compute them to CoreSet, or an array to select\.$"
    with pytest.raises(UnsupportedEstimatorError, match=remedy):
        select(ska.CoreSet(), forest)
    with pytest.raises(UnsupportedEstimatorError, match=r"LogisticRegression\.$"):
        select(ska.BADGE(), forest)


@pytest.mark.parametrize(
    ("n_classes", "settings", "serves"),
    [
        (2, {"multi_class": "multinomial"}, (-1, 1)),
        (2, {"multi_class": "ovr"}, (0, 1)),
        (4, {"multi_class": "ovr"}, None),
        (4, {"multi_class": "deprecated", "solver": "liblinear"}, None),
        (4, {"multi_class": "deprecated"}, ()),
    ],
    ids=str,
)
def test_the_options_of_older_versions(n_classes, settings, serves):
    """scikit-learn 1.6 and 1.7 have multi_class; on others, what a model of theirs has."""
    model = fitted(LogisticRegression(max_iter=500), n_classes)
    vars(model).update(settings)
    if serves is None:
        with pytest.raises(UnsupportedEstimatorError, match="is one classifier per class"):
            PoolNetwork(model, "BADGE")
        return
    W = PoolNetwork(model, "BADGE").module.weight.detach().numpy()
    np.testing.assert_array_equal(W, np.outer(serves, model.coef_) if serves else model.coef_)


def test_strategies_of_probabilities_still_ask_the_estimator():
    class Asked(LogisticRegression):
        calls = 0

        def predict_proba(self, X):
            Asked.calls += 1
            return super().predict_proba(X)

    model = fitted(Asked(max_iter=500))
    ska.Margin().select(model, POOL, 3)
    members = Committee([ActiveLearner(model, X_training=X[FEW], y_training=Y[4][FEW])] * 2)
    ska.BALD().select(members, POOL, 3)
    assert Asked.calls > 2
    with pytest.raises(UnsupportedEstimatorError, match="BALD compares predictions under dropout"):
        ska.BALD().select(model, POOL, 3)


@each_strategy
def test_our_linear_network_is_the_same_one(strategy):
    clf = ska.CNNClassifier("linear", normalize=None, max_epochs=5, random_state=0)
    clf.fit(X[FEW], Y[4][FEW])
    weight, bias = (p.detach().numpy() for p in clf.module_.parameters())
    assert weight.dtype == np.float64
    model = fitted(LogisticRegression(max_iter=500))
    model.coef_, model.intercept_ = weight, bias
    assert select(strategy, clf) == select(strategy, model)
