"""Images one by one in a container: of one shape they are stacked, else the remedy is named."""

import numpy as np
import pandas as pd
import pytest
import torch

from skactive import CNNClassifier, Embedder, Margin
from skactive.exceptions import InvalidParameterError

X = np.random.default_rng(0).integers(0, 256, (8, 12, 10, 3), dtype=np.uint8)
Y = np.arange(8) % 2


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
}


def fitted(images):
    return CNNClassifier("small_cnn", max_epochs=1, random_state=0, device="cpu").fit(images, Y)


@pytest.mark.parametrize("name", CONTAINERS)
def test_images_of_one_shape_are_stacked(name):
    held = CONTAINERS[name](X)
    array = X.astype("f4") if name.endswith("endian") else X
    wanted, clf = fitted(array), fitted(held)
    np.testing.assert_array_equal(clf.predict_proba(held), wanted.predict_proba(array))
    np.testing.assert_array_equal(
        Margin(batch_size=3).select(clf, held, 3).indices,
        Margin(batch_size=3).select(wanted, array, 3).indices,
    )
    clf.partial_fit(held, Y)


@pytest.mark.parametrize("name", [name for name in CONTAINERS if name != "objects, big-endian"])
def test_images_of_several_shapes_are_named(name):
    images = [*X[:7], X[7][:8]]
    make = {"Series": pd.Series, "list": list, "tuple": tuple}.get(name, objects)
    if name.endswith("tensors"):
        images = list(map(torch.from_numpy, images))
    held, clf = make(images), fitted(X)
    must = r"images of one size .* shapes \(8, 10, 3\) and \(12, 10, 3\) .*ImageReader\(size="
    for call in (fitted, clf.predict, lambda pool: Margin().select(clf, pool, 2)):
        with pytest.raises(InvalidParameterError, match=must):
            call(held)


def test_an_embedder_takes_objects_too():
    conv = torch.nn.Conv2d(3, 4, 3)
    embedder = Embedder(conv, device="cpu")
    np.testing.assert_array_equal(embedder.transform(objects(X)), embedder.transform(X))
