"""Images one by one in a container: of one shape they are stacked, else the remedy is named."""

import numpy as np
import pandas as pd
import pytest
import torch
from modAL.models import ActiveLearner
from PIL import Image
from sklearn.base import clone
from torch.utils.data import DataLoader

from skactive import CNNClassifier, CoreSet, Embedder, Margin
from skactive.exceptions import InvalidParameterError

X = np.random.default_rng(0).integers(0, 256, (8, 12, 10, 3), dtype=np.uint8)
Y = np.arange(8) % 2


class OfColumns:
    """As HuggingFace's data sets."""

    column_names = ("image", "label")

    def __init__(self, images):
        self.shape = (len(images), 2)


def objects(images):
    found = np.empty(len(images), object)
    for i, image in enumerate(images):
        found[i] = image
    return found


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "objects": objects,
    "objects, big-endian": lambda images: objects(images.astype(">f4")),
    "objects, tensors": lambda images: objects(list(map(torch.from_numpy, images))),
    "Series": lambda images: pd.Series(list(images), index=range(5, 5 + len(images))),
    "a frame's column": lambda images: pd.DataFrame({"image": list(images)}),
    "objects, a column": lambda images: objects(images)[:, None],
}
# Of PIL images, and of rows as HuggingFace's data sets give them.
OTHERS = {
    f"{name}, {kind}": lambda images, make=CONTAINERS[name], wrap=wrap: make(
        [wrap(Image.fromarray(image)) for image in images]
    )
    for name in ("list", "tuple", "objects", "Series", "a frame's column")
    for kind, wrap in (("PIL", lambda image: image), ("dicts", lambda i: {"image": i, "label": 1}))
    if (name, kind) != ("a frame's column", "dicts")  # pandas makes a column of each key
}


def fitted(images):
    return CNNClassifier("small_cnn", max_epochs=1, random_state=0, device="cpu").fit(images, Y)


@pytest.mark.parametrize("name", [*CONTAINERS, *OTHERS])
def test_images_of_one_shape_are_stacked(name):
    held = (CONTAINERS | OTHERS)[name](X)
    array = X.astype("f4") if name.endswith("endian") else X
    wanted, clf = fitted(array), fitted(held)
    np.testing.assert_array_equal(clf.predict_proba(held), wanted.predict_proba(array))
    np.testing.assert_array_equal(
        Margin(batch_size=3).select(clf, held, 3).indices,
        Margin(batch_size=3).select(wanted, array, 3).indices,
    )
    np.testing.assert_array_equal(
        CoreSet().select(clf, held, 3, X_labelled=held).indices,
        CoreSet().select(wanted, array, 3, X_labelled=array).indices,
    )
    clf.partial_fit(held, Y)


@pytest.mark.parametrize("name", [n for n in (*CONTAINERS, *OTHERS) if not n.endswith("endian")])
def test_a_learner_asks_for_them_and_is_taught(name):
    """modAL made arrays of PIL images, and asked whether arrays are true (modAL's data_vstack)."""
    held = (CONTAINERS | OTHERS)[name](X)
    learner = ActiveLearner(fitted(X), Margin(), X_training=held, y_training=Y)
    chosen, rows = learner.query(held, n_instances=2)
    learner.teach(rows, Y[chosen])
    together = np.concatenate([X, X[chosen]])
    np.testing.assert_array_equal(
        learner.predict_proba(held), fitted_again(learner, together).predict_proba(X)
    )


def fitted_again(learner, images):
    return clone(learner.estimator).fit(images, learner.y_training)


def test_palettes_are_colours_wherever_they_stand():
    coloured = [Image.fromarray(image).convert("P") for image in X]
    array = np.stack([np.asarray(image.convert("RGB")) for image in coloured])
    np.testing.assert_array_equal(
        fitted(coloured).predict_proba(coloured), fitted(array).predict_proba(array)
    )


def test_what_is_no_image_among_images_is_named():
    images = [*map(Image.fromarray, X[:7]), "a path"]
    with pytest.raises(InvalidParameterError, match=r"items are images.*'a path'"):
        fitted(images)


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name != "objects, big-endian"])
def test_images_of_several_shapes_are_named(name):
    images = [*X[:7], X[7][:8]]
    make = {"objects, tensors": objects}.get(name, CONTAINERS[name])
    if name.endswith("tensors"):
        images = list(map(torch.from_numpy, images))
    held, clf = make(images), fitted(X)
    must = r"images of one size .* shapes \(8, 10, 3\) and \(12, 10, 3\) .*ImageReader\(size="
    for call in (fitted, clf.predict, lambda pool: Margin().select(clf, pool, 2)):
        with pytest.raises(InvalidParameterError, match=must):
            call(held)


def floats(images):
    return [image / 255 for image in images]


def as_pil(images):
    return [Image.fromarray(i if i.dtype == np.uint8 else i.astype(np.float32)) for i in images]


@pytest.mark.parametrize("wrap", [list, as_pil, lambda images: list(map(torch.as_tensor, images))])
@pytest.mark.parametrize("make", [list, tuple, objects, pd.Series])
def test_images_of_several_scales_are_named(make, wrap):
    """0 to 255 beside 0 to 1 was trained on as it stood."""
    grey = X[..., 0]
    mixed = make([*wrap(grey[:4]), *wrap(floats(grey[4:]))])
    clf = fitted(list(grey))
    match = r"images of one scale, uint8 \(0 to 255\) or float.* dtypes float\d\d and uint8"
    for call in (fitted, clf.predict, lambda pool: Margin().select(clf, pool, 2)):
        with pytest.raises(InvalidParameterError, match=match):
            call(mixed)
    learner = ActiveLearner(clone(clf), Margin(), make(wrap(grey)), Y)
    for new in (make(wrap(floats(grey))), np.array(floats(grey))):
        with pytest.raises(TypeError, match="New images must have the dtype and the scale"):
            learner.teach(new, Y)
    learner = ActiveLearner(clone(clf), Margin(), grey, Y)
    with pytest.raises(TypeError, match="New images must have the dtype and the scale"):
        learner.teach(make(wrap(floats(grey))), Y)
    assert len(learner.X_training) == 8


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
def test_lists_of_tensors_that_numpy_cannot_read(kind, rows):
    """Of bfloat16 and with gradients; one tensor of all of them could be used."""
    given = X.reshape(8, -1)[:, :16] if rows else X
    tensors = [torch.tensor(x, dtype=kind).requires_grad_() for x in given / 256]
    array = torch.stack(tensors).detach().float().numpy()
    clf = fitted_rows(array) if rows else fitted(array)
    again = fitted_rows(tensors) if rows else fitted(tensors)
    np.testing.assert_array_equal(again.predict_proba(tensors), clf.predict_proba(array))


def fitted_rows(rows):
    return CNNClassifier(max_epochs=1, random_state=0, device="cpu").fit(rows, Y)


@pytest.mark.parametrize("make", [DataLoader, lambda X: {"image": X}, OfColumns])
def test_what_is_no_training_data(make):
    with pytest.raises(InvalidParameterError, match=r"'X' .* Stack its samples into an array"):
        CNNClassifier().fit(make(X), Y)


def test_an_embedder_takes_objects_too():
    conv = torch.nn.Conv2d(3, 4, 3)
    embedder = Embedder(conv, device="cpu")
    np.testing.assert_array_equal(embedder.transform(objects(X)), embedder.transform(X))


@pytest.mark.parametrize("rows", [False, True])
def test_masked_values_and_sparse_tensors_are_named(rows):
    """What is masked was read as if it were not."""
    given = X.reshape(8, -1).astype(np.float32) if rows else X
    clf = CNNClassifier(max_epochs=1, device="cpu").fit(given, Y)
    masked = np.ma.array(given, mask=given > 250)
    features = Embedder(torch.nn.Sequential(torch.nn.Flatten()), layer="", device="cpu")
    calls = [lambda x: CNNClassifier(device="cpu").fit(x, Y), clf.predict]
    calls += [lambda x: Margin().select(clf, x, 2)] + ([] if rows else [features.transform])
    for call in calls:
        with pytest.raises(InvalidParameterError, match=r"without masked values.* X.filled\(0\)"):
            call(masked)
        with pytest.raises(InvalidParameterError, match=r"a dense tensor.* X.to_dense\(\)"):
            call(torch.as_tensor(given).to_sparse())
    np.testing.assert_array_equal(clf.predict(np.ma.array(given)), clf.predict(given))


@pytest.mark.parametrize("make", [list, np.array, pd.Series, objects])
def test_paths_are_no_images(make, tmp_path):
    clf = CNNClassifier(max_epochs=1, device="cpu")
    fitted = clone(clf).fit(X, Y)
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        paths = make([path] * 8)
        for call in (lambda paths: clf.fit(paths, Y), fitted.predict):
            with pytest.raises(InvalidParameterError, match="'X' .*a.png.* read by an ImageReader"):
                call(paths)


def test_rows_in_bfloat16():
    rows = torch.as_tensor(X.reshape(8, -1)).bfloat16()
    clf = CNNClassifier(max_epochs=1, random_state=0, device="cpu")
    expected = clone(clf).fit(rows.float(), Y).predict_proba(rows.float())
    np.testing.assert_array_equal(clf.fit(rows, Y).predict_proba(rows), expected)
