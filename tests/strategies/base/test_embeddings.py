"""Embeddings from anywhere: the network's, a callable, a transformer, a module, an array."""

import numpy as np
import pytest
import torch
import torchvision
from modAL.models import ActiveLearner
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skactive import BADGE, CNNClassifier, CoreSet, KMeansSampling, ProbCover, TypiClust
from skactive.selection import k_center_greedy
from skactive.strategies.base._embeddings import normalized

RNG = np.random.default_rng(0)
IMAGES = RNG.random((60, 3, 32, 32), dtype=np.float32)
LABELS = np.arange(60) % 3
POOL, LABELLED = IMAGES[20:], IMAGES[:20]


@pytest.fixture(scope="module")
def clf():
    clf = CNNClassifier("small_cnn", max_epochs=1, random_state=0, module_params={"width": 4})
    return clf.fit(LABELLED, LABELS[:20])


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    net = torchvision.models.resnet18(weights=None, num_classes=3)
    net.fc = nn.Identity()
    return net.train()


def plain(embed, n=8):
    """Core-set on whole arrays."""
    return list(k_center_greedy(embed(POOL), n, centers=embed(LABELLED)))


def chosen(strategy, estimator=None, **given):
    return strategy.select(estimator, POOL, 8, X_labelled=LABELLED, **given).indices.tolist()


def test_the_networks_own_are_the_input_of_its_head(clf):
    read = []
    head = [m for m in clf.module_.modules() if isinstance(m, nn.Linear)][-1]
    hook = head.register_forward_pre_hook(lambda _, args: read.append(args[0]))

    def embed(X):
        read.clear()
        clf.predict(X)
        return torch.cat(read)

    expected = plain(embed)
    hook.remove()
    assert chosen(CoreSet(batch_size=7), clf) == expected
    pipeline = make_pipeline(FunctionTransformer(lambda X: X / 2), clf)
    doubled = CoreSet().select(pipeline, 2 * POOL, 8, X_labelled=2 * LABELLED)
    assert doubled.indices.tolist() == expected


def test_a_torchvision_networks_features(resnet):
    before = {name: value.clone() for name, value in resnet.state_dict().items()}
    found = chosen(CoreSet(embeddings=resnet, batch_size=16))
    assert resnet.training
    for name, value in resnet.state_dict().items():
        assert torch.equal(value, before[name])

    def embed(X):
        with torch.inference_mode():
            return resnet.eval()(torch.as_tensor(X))

    assert found == plain(embed)
    resnet.train()
    for strategy in (
        KMeansSampling(embeddings=resnet, random_state=0),
        TypiClust(embeddings=resnet, random_state=0),
        ProbCover(embeddings=resnet, n_clusters=3, random_state=0),
    ):
        assert len(set(chosen(strategy))) == 8
    assert len(set(chosen(TypiClust(embeddings=torch.compile(resnet), random_state=0)))) == 8


def test_pca_fitted_on_rows_takes_images():
    pca = PCA(5).fit(IMAGES.reshape(60, -1))
    expected = plain(lambda X: pca.transform(X.reshape(len(X), -1)))
    assert chosen(CoreSet(embeddings=pca, batch_size=9)) == expected
    assert chosen(CoreSet(embeddings=FrozenEstimator(pca))) == expected
    tensors = CoreSet(embeddings=pca).select(
        None, torch.as_tensor(POOL), 8, X_labelled=torch.as_tensor(LABELLED)
    )
    assert tensors.indices.tolist() == expected
    rows = IMAGES.reshape(60, -1)
    found = CoreSet(embeddings=pca).select(None, rows[20:], 8, X_labelled=rows[:20])
    assert found.indices.tolist() == expected


def test_a_transformer_that_is_not_fitted():
    match = "CoreSet embeds with a TruncatedSVD that is not fitted. Fit it.*FrozenEstimator"
    with pytest.raises(NotFittedError, match=match):
        chosen(CoreSet(embeddings=TruncatedSVD(3)))


def test_a_callable_gets_blocks_as_the_pool_has_them(clf):
    sizes = []

    def mean_colours(block):
        sizes.append(len(block))
        return block.mean((2, 3))

    expected = plain(lambda X: X.mean((2, 3)))
    assert chosen(CoreSet(embeddings=mean_colours, batch_size=16)) == expected
    assert sizes == [16, 16, 8, 16, 4]
    pipeline = make_pipeline(FunctionTransformer(lambda X: 1 / 0), clf)  # never run
    assert chosen(CoreSet(embeddings=mean_colours), pipeline) == expected
    learner = ActiveLearner(clf, CoreSet(embeddings=mean_colours), LABELLED, LABELS[:20])
    assert learner.query(POOL, n_instances=8)[0].tolist() == expected
    grown = chosen(CoreSet(embeddings=lambda X: torch.tensor(X, requires_grad=True).mean((2, 3))))
    assert grown == expected
    halves = chosen(CoreSet(embeddings=lambda X: X.mean((2, 3)).astype(np.float16)))
    assert halves == plain(lambda X: X.mean((2, 3)).astype(np.float16))


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_arrays_aligned_with_the_pool(kind, clf):
    pool, labelled = (kind(RNG.normal(size=(n, 6))) for n in (40, 20))
    expected = list(k_center_greedy(pool, 8, centers=labelled))
    given = {"embeddings": pool, "embeddings_labelled": labelled}
    assert chosen(CoreSet(), **given) == expected
    assert chosen(CoreSet(embeddings=lambda X: 1 / 0, device="cpu"), clf, **given) == expected
    alone = KMeansSampling(random_state=0).select(None, POOL, 5, embeddings=pool)
    assert len(set(alone.indices.tolist())) == 5
    found = CoreSet().select(None, POOL, 8, X_labelled=POOL[:0], embeddings=pool)
    assert len(found.indices) == 8


def test_arrays_that_are_not_aligned():
    pool, labelled = RNG.normal(size=(40, 6)), RNG.normal(size=(20, 6))
    with pytest.raises(ValueError, match=r"'embeddings' .* shape \(40, D\), a row for each sample"):
        chosen(CoreSet(), embeddings=labelled, embeddings_labelled=labelled)
    with pytest.raises(ValueError, match=r"'embeddings' .* shape \(40, D\)"):
        chosen(CoreSet(), embeddings=pool[:, 0])
    with pytest.raises(ValueError, match=r"'embeddings_labelled' .* shape \(20, D\).* Got None"):
        chosen(CoreSet(), embeddings=pool)
    with pytest.raises(ValueError, match="given where embeddings_labelled is.* the same way"):
        chosen(CoreSet(), embeddings_labelled=labelled)
    with pytest.raises(ValueError, match="a callable, a fitted transformer.* one pool to select"):
        chosen(CoreSet(embeddings=pool))
    with pytest.raises(ValueError, match="'embeddings' parameter of CoreSet"):
        chosen(CoreSet(embeddings="resnet18"))
    pool[7] = np.nan
    with pytest.raises(ValueError, match="Input embeddings of CoreSet .* first in sample 7"):
        chosen(CoreSet(), embeddings=pool, embeddings_labelled=labelled)


def test_embeddings_that_cannot_be_used(resnet):
    def broken(block):
        out = block.mean((2, 3))
        out[block[:, 0, 0, 0] == POOL[21, 0, 0, 0]] = np.inf
        return out

    match = "Input embeddings of X_pool of CoreSet contains NaN or infinity, first in sample 21"
    with pytest.raises(ValueError, match=match):
        chosen(CoreSet(embeddings=broken, batch_size=4))
    with pytest.raises(ValueError, match=r"a row of numbers for each of 40.*returns .*\(40,\)"):
        chosen(CoreSet(embeddings=lambda X: X.mean((1, 2, 3))))
    with pytest.raises(ValueError, match=r"returns a row of numbers.*returns .*\(1, 3\)"):
        chosen(CoreSet(embeddings=lambda X: X[:1].mean((2, 3))))
    with pytest.raises(ValueError, match="floats where a torch module embeds.*conversion into"):
        CoreSet(embeddings=resnet).select(None, (POOL * 255).astype(np.uint8), 3)
    with pytest.raises(ValueError, match="'device' parameter of CoreSet"):
        chosen(CoreSet(embeddings=lambda X: X.mean((2, 3)), device="gpu"))


def test_a_module_that_raises_is_left_as_it_was():
    class Breaks(nn.Linear):
        def forward(self, x):
            raise RuntimeError("the module breaks here")

    module = Breaks(4, 2)
    with pytest.raises(RuntimeError, match="breaks here"):
        CoreSet(embeddings=module).select(None, np.zeros((5, 4), dtype=np.float64), 2)
    assert module.training


def test_only_strategies_of_embeddings_take_them():
    assert "embeddings" not in BADGE().get_params()


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e-20, 1.0, 1e20, 1e37])
def test_norms_whose_squares_single_precision_does_not_have(scale):
    rows = torch.as_tensor(RNG.normal(size=(5, 4)))
    rows[2] = 0
    found = normalized((rows * scale).float())
    expected = rows / torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_min(1e-9)
    rounding = 1e-6 if scale > 1e-38 else 5e-3  # the numbers themselves have few digits there
    np.testing.assert_allclose(found, expected, atol=rounding)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float64])
def test_integers_keep_their_differences(dtype):
    """Single precision has no more than 2^24 of them."""
    rows = np.array([[20_000_000], [20_000_001], [20_000_000], [20_000_003]], dtype)
    given = rows, {"embeddings": rows}
    for found in (
        CoreSet(random_state=0).select(None, given[0], 3, **given[1]),
        CoreSet(embeddings=lambda block: block, random_state=0).select(None, rows, 3),
    ):
        assert set(rows[found.indices, 0].tolist()) == {20_000_000, 20_000_001, 20_000_003}
        assert found.gains[-1] == 1


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        (np.ones((40, 2)) * 1j, "complex128"),
        (np.array([[None, "a"]] * 40), "object"),
        (np.array([["1", "2"]] * 40), "<U1"),
    ],
)
def test_embeddings_are_real_numbers(rows, got):
    message = rf"'embeddings' .* a row for each sample, of real numbers\. Got .*{got}"
    with pytest.raises(ValueError, match=message):
        chosen(CoreSet(), embeddings=rows, embeddings_labelled=rows)
    message = r"'embeddings' .* a row of numbers for each of 40 samples, of real ones\. Got"
    with pytest.raises(ValueError, match=message):
        CoreSet(embeddings=lambda block: rows).select(None, POOL, 8)
