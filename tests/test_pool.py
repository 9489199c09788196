"""Pools of every kind: what they hold, their parts, and what is no pool."""

from collections import deque

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from PIL import Image
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
)

from skactive import ImageReader
from skactive._pool import Pool, pools_of

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 4, 5, 3), dtype=np.uint8)
SOME = np.array([7, 2, 4])


class OfImages(Dataset):
    """As an ImageFolder without a transform gives them."""

    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, i):
        if not -len(IMAGES) <= i < len(IMAGES):
            raise IndexError(i)
        return Image.fromarray(IMAGES[i]), int(i) % 2


class OfDicts:
    """As HuggingFace's data sets: no torch Dataset, and columns where slices are asked for."""

    column_names = ("image", "label")
    shape = (len(IMAGES), 2)

    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, key):
        if isinstance(key, (int, np.integer)):
            return {"image": Image.fromarray(IMAGES[key]), "label": 1}
        return {"image": [Image.fromarray(image) for image in IMAGES[key]], "label": [1]}


def memmap(tmp_path):
    held = np.lib.format.open_memmap(tmp_path / "images.npy", "w+", np.uint8, IMAGES.shape)
    held[:] = IMAGES
    return held


POOLS = {
    "array": lambda _: IMAGES,
    "memmap": memmap,
    "tensor": lambda _: torch.as_tensor(IMAGES),
    "list of arrays": lambda _: list(IMAGES),
    "tuple of arrays": lambda _: tuple(IMAGES),
    "deque": lambda _: deque(IMAGES),
    "list of PIL images": lambda _: [Image.fromarray(image) for image in IMAGES],
    "list of dicts": lambda _: [{"image": image, "label": 1} for image in IMAGES],
    "TensorDataset": lambda _: TensorDataset(torch.as_tensor(IMAGES), torch.zeros(9)),
    "Dataset of PIL images": lambda _: OfImages(),
    "Subset": lambda _: Subset(OfImages(), range(9)),
    "ConcatDataset": lambda _: ConcatDataset(
        [Subset(OfImages(), [0, 1]), Subset(OfImages(), range(2, 9))]
    ),
    "rows of dicts": lambda _: OfDicts(),
}


@pytest.mark.parametrize("kind", POOLS)
def test_every_kind(kind, tmp_path):
    pool = Pool.checked(POOLS[kind](tmp_path), "X_pool", "Margin")
    assert len(pool) == 9
    np.testing.assert_array_equal(np.asarray(pool[2:5]), IMAGES[2:5])
    np.testing.assert_array_equal(np.asarray(pool[SOME]), IMAGES[SOME])
    part = pool.part(np.arange(8, -1, -1)).part(SOME)
    np.testing.assert_array_equal(np.asarray(part[:]), IMAGES[::-1][SOME])
    np.testing.assert_array_equal(np.asarray(part), IMAGES[::-1][SOME])
    np.testing.assert_array_equal(part.positions, 8 - SOME)
    assert len(pool.part(SOME[:0])[:]) == 0


def test_frames_and_sparse_rows():
    frame = pd.DataFrame({"a": range(9)}, index=range(100, 109))
    assert Pool.of(frame)[SOME]["a"].tolist() == SOME.tolist()
    rows = scipy.sparse.eye(9, format="coo")
    np.testing.assert_array_equal(Pool.checked(rows, "X", "me")[SOME].toarray(), np.eye(9)[SOME])
    assert Pool.of(["a", "b", "c"])[np.array([2, 0])] == ["c", "a"]
    assert Pool.checked(range(9), "X", "me")[SOME] == SOME.tolist()


@pytest.mark.parametrize(
    ("pool", "match"),
    [
        (
            DataLoader(OfImages()),
            "'X_pool' parameter of Margin must be an array, tensor.*DataLoader",
        ),
        ({1, 2}, r"must be an array, tensor, sequence or Dataset.*Got \{1, 2\}"),
        ((i for i in range(3)), "must be an array, tensor, sequence or Dataset"),
        ({"image": IMAGES}, "Pass the array that has the images"),
        ("photos", "Got 'photos' instead. Pass a list of the files themselves"),
        (np.float32(3), "must be an array, tensor, sequence or Dataset"),
        (None, "Got None instead"),
        (
            type("Odd", (), {"__len__": lambda s: 2, "__getitem__": lambda s, i: [0][i]})(),
            "samples can be fetched by position.*It raised .*Make it a torch Dataset",
        ),
        (
            type("Stream", (IterableDataset,), {"__len__": lambda s: 2, "__iter__": None})(),
            "by position.*map-style",
        ),
    ],
    ids=["DataLoader", "set", "generator", "dict", "str", "number", "None", "no arrays", "stream"],
)
def test_what_is_no_pool(pool, match):
    """They were named late, after all was scored, in words of NumPy (modAL#145, baal#159)."""
    with pytest.raises(ValueError, match=match):
        Pool.checked(pool, "X_pool", "Margin")


@pytest.mark.parametrize("kind", POOLS)
def test_one_sample_after_the_other(kind, tmp_path):
    """As strategies of users read arrays; of a list, NumPy's ints "are not iterable"."""
    pool = Pool.of(POOLS[kind](tmp_path)).part(SOME)
    for index in (0, np.int64(2), -1):
        np.testing.assert_array_equal(np.asarray(pool[index]), IMAGES[SOME[index]])
    np.testing.assert_array_equal(np.stack([np.asarray(one) for one in pool]), IMAGES[SOME])
    with pytest.raises(IndexError):
        pool[3]


def test_paths_of_a_pool_are_read_in_a_pipeline(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(9)]
    for path, image in zip(paths, IMAGES, strict=True):
        Image.fromarray(image).save(path)
    np.testing.assert_array_equal(ImageReader().transform(Pool.of(paths).part(SOME)), IMAGES[SOME])


def test_labelled_samples_are_looked_at_too():
    with pytest.raises(ValueError, match=r"'X_labelled' .*such as the dataset of a DataLoader"):
        pools_of(IMAGES, DataLoader(OfImages()))


def test_nothing_is_read_before_it_is_asked_for():
    asked = []

    class Spy(OfImages):
        def __getitem__(self, i):
            asked.append(i)
            return super().__getitem__(i)

    pool = Pool.checked(Spy(), "X_pool", "Margin")
    assert asked == [0]  # one is looked at
    part = pool.part(SOME)
    assert asked == [0]
    part[1:]
    assert asked == [0, 2, 4]


def test_an_array_is_handed_on_as_it_is():
    for held in (IMAGES, torch.as_tensor(IMAGES), pd.DataFrame({"a": range(9)})):
        pool = Pool.of(held)
        assert pool.plain() is held
        assert pool.part(SOME).plain() is not held
    pool = Pool.of(list(IMAGES))
    assert pool.plain() is pool
    assert np.shares_memory(Pool.of(IMAGES)[2:4], IMAGES)


def test_embeddings_follow_the_parts():
    vectors = torch.arange(9.0)[:, None]
    pool = Pool(IMAGES, np.arange(9), vectors=vectors)
    assert pool.embeddings is vectors
    assert pool.part(SOME).embeddings.flatten().tolist() == SOME.tolist()
    assert pool.plain() is pool
    assert Pool.of(IMAGES).embeddings is None


def test_pools_of():
    assert [one.name for one in pools_of(IMAGES, IMAGES[:2])] == ["X_pool", "X_labelled"]
    assert len(pools_of(IMAGES, None)) == len(pools_of(IMAGES, IMAGES[:0])) == 1
