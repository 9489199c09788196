"""ShardedPool: many files as one array, whatever they are."""

import io
import itertools
import os
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from skactive import BADGE, CNNClassifier, CoreSet, Embedder, ImageReader, Margin, ShardedPool
from skactive.estimators import _shards
from skactive.exceptions import (
    DatasetError,
    InvalidParameterError,
    UnreadableFileError,
    UnreadableFileWarning,
)
from tests.device import BATTERY_DEVICE

SIZE = (8, 8)
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
PARTS = [IMAGES[:25], IMAGES[25:32], IMAGES[32:]]


def encoded(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def of_npy(folder, contents):
    for i, part in enumerate(PARTS):
        np.save(folder / f"{i}.npy", part)
    return ShardedPool.from_npy(str(folder / "*.npy"), block_size=10)


def of_files(folder, contents, **settings):
    for i, content in enumerate(contents):
        path = folder / ("a" if i < 25 else "b") / f"{i:02}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return ShardedPool.from_files(str(folder / "*" / "*.png"), SIZE, block_size=10, **settings)


def of_parquet(folder, contents, **settings):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for start, stop in ((0, 25), (25, 32), (32, 60)):
        table = pyarrow.table(
            {"image": contents[start:stop], "id": [f"n{i}" for i in range(start, stop)]}
        )
        parquet.write_table(table, folder / f"{start:02}.parquet", row_group_size=7)
    paths = sorted(folder.glob("*.parquet"))
    return ShardedPool.from_parquet(paths, SIZE, key="id", block_size=10, **settings)


def of_tars(folder, contents, **settings):
    for start, stop in ((0, 25), (25, 32), (32, 60)):
        with tarfile.open(folder / f"{start:02}.tar", "w") as tar:
            for i in range(start, stop):
                for suffix, content in (("json", b"{}"), ("png", contents[i])):
                    member = tarfile.TarInfo(f"some/n{i}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return ShardedPool.from_webdataset(str(folder / "*.tar"), SIZE, block_size=10, **settings)


KINDS = {"npy": of_npy, "files": of_files, "parquet": of_parquet, "tars": of_tars}
KEYS = {"npy": "1.npy:1", "files": "b/26.png", "parquet": "n26", "tars": "some/n26"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_array(kind, tmp_path):
    pool = KINDS[kind](tmp_path, [encoded(image) for image in IMAGES])
    assert (pool.shape, pool.dtype, len(pool)) == (IMAGES.shape, np.uint8, 60)
    assert max(map(len, pool.blocks)) == 10
    assert pool.edges[-1] == sum(map(len, pool.blocks)) == 60
    np.testing.assert_array_equal(pool, IMAGES)
    for index in (
        3,
        -1,
        slice(20, 40),
        slice(50, None, 3),
        [59, 0, 26, 26],
        IMAGES[:, 0, 0, 0] > 9,
    ):
        np.testing.assert_array_equal(pool[index], IMAGES[index])
    assert pool.keys([26]) == [KEYS[kind]]
    assert len(set(pool.keys(range(60)))) == 60
    assert pool.readable([5, 31]).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pool)), IMAGES)
    pool.save(tmp_path / "pool.jsonl")
    again = ShardedPool.load(tmp_path / "pool.jsonl")
    assert (again.shards, again.blocks, again.errors) == (pool.shards, pool.blocks, pool.errors)
    np.testing.assert_array_equal(again, IMAGES)


def test_every_slice(tmp_path):
    rows = np.arange(9)[:, None]
    for name, part in {"0": rows[:4], "1": rows[4:5], "2": rows[5:]}.items():
        np.save(tmp_path / f"{name}.npy", part)
    pool = ShardedPool.from_npy(str(tmp_path / "*.npy"), block_size=3)
    for start, stop in itertools.product(range(-10, 11), repeat=2):
        np.testing.assert_array_equal(pool[start:stop], rows[start:stop])


def test_other_types_of_numbers_and_large_slices(tmp_path):
    rows = np.random.default_rng(0).normal(size=(5000, 1000)).astype(np.float32)
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", rows)
    pool = ShardedPool.from_npy([tmp_path / "0.npy", tmp_path / "1.npy"])
    most = pool[:9500]  # 38 MB: read when it is looked at
    assert (most.dtype, most.shape) == (np.float32, (9500, 1000))
    np.testing.assert_array_equal(most[4990:5010], np.concatenate([rows[-10:], rows[:10]]))
    assert pool[:0].dtype == np.float32


def test_strategies_predictions_and_features_are_those_of_the_array(tmp_path):
    pool = of_npy(tmp_path, None)
    y = np.arange(60) % 3
    clf = CNNClassifier(max_epochs=1, random_state=0, device=BATTERY_DEVICE).fit(IMAGES, y)
    for strategy in (Margin(random_state=0), BADGE(random_state=0), CoreSet(random_state=0)):
        one, other = (strategy.select(clf, X, 9) for X in (pool, IMAGES))
        np.testing.assert_array_equal(one.indices, other.indices)
    np.testing.assert_array_equal(clf.predict_proba(pool), clf.predict_proba(IMAGES))
    embedder = Embedder(clf.module_, batch_size=16)
    np.testing.assert_array_equal(embedder.fit_transform(pool), embedder.fit_transform(IMAGES))
    np.testing.assert_array_equal(clf.fit(pool, y).predict(pool), clf.fit(IMAGES, y).predict(pool))


def test_a_dry_run_tells_time_and_memory_of_all(tmp_path, capsys):
    pool = of_npy(tmp_path, None)
    clf = CNNClassifier(max_epochs=1, random_state=0).fit(IMAGES, np.arange(60) % 3)
    told = pool.dry_run(Margin(), clf, 3)
    assert told["all_seconds"] == pytest.approx(6 * told["seconds"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"10 samples: {told['seconds']:.3g} s, ")
    assert lines[1].startswith(f"all {len(pool.blocks)} blocks: ")


@pytest.mark.parametrize("kind", ["files", "parquet", "tars"])
def test_broken_images_are_an_error_or_left_out(kind, tmp_path):
    contents = [encoded(image) for image in IMAGES]
    contents[26] = b"no image"
    pool = KINDS[kind](tmp_path, contents)
    with pytest.raises(UnreadableFileError, match=rf"cannot read '{KEYS[kind]}' in .*skip'"):
        np.asarray(pool)
    pool = KINDS[kind](tmp_path, contents, errors="skip")
    others = np.delete(np.arange(60), 26)
    np.testing.assert_array_equal(np.flatnonzero(pool.readable(range(60))), others)
    clf = CNNClassifier(max_epochs=1, random_state=0).fit(IMAGES, np.arange(60) % 3)
    with pytest.warns(UnreadableFileWarning, match=rf"there are 1: '{KEYS[kind]}'"):
        found = Margin(random_state=0).select(clf, pool, 5)
    wanted = Margin(random_state=0).select(clf, IMAGES[others], 5)
    np.testing.assert_array_equal(found.indices, others[wanted.indices])
    assert np.isnan(found.utilities[26])


@pytest.mark.parametrize("kind", KINDS)
def test_a_shard_that_has_changed_is_an_error(kind, tmp_path):
    pool = KINDS[kind](tmp_path, [encoded(image) for image in IMAGES])
    for path in tmp_path.rglob("*.*"):
        os.utime(path, ns=(10**18, 10**18))
    for opened in (_shards._check, _shards._mapped, _shards._members, _shards._group_edges):
        opened.cache_clear()
    with pytest.raises(DatasetError, match=r"has changed since the pool was made\. Make the"):
        pool[[3]]


def test_sizes_and_colours_are_those_of_the_reader(tmp_path):
    paths = [tmp_path / f"{i}.jpg" for i in range(4)]
    for i, path in enumerate(paths):
        Image.fromarray(IMAGES[i].repeat(3 + i, axis=0)).save(path)
    pool = ShardedPool.from_files(paths, (5, 6), mode="L")
    np.testing.assert_array_equal(pool, ImageReader((5, 6), "L").transform(paths))


def test_what_it_is_made_of_is_checked(tmp_path):
    np.save(tmp_path / "0.npy", IMAGES)
    np.save(tmp_path / "1.npy", IMAGES[:, :4])
    with pytest.raises(DatasetError, match=r"shape \(4, 8, 3\) .* must be alike"):
        ShardedPool.from_npy(str(tmp_path / "*.npy"))
    np.save(tmp_path / "1.npy", IMAGES[:0])
    with pytest.raises(DatasetError, match=r"There is no sample in "):
        ShardedPool.from_npy([tmp_path / "1.npy"])
    for wrong, message in (
        (lambda: ShardedPool.from_npy(str(tmp_path / "*.png")), r"'paths' .* a pattern that"),
        (lambda: ShardedPool.from_files(["a"], None), r"'size' .* two ints"),
        (lambda: ShardedPool.from_files(["a"], (0, 1)), r"'size' parameter of ShardedPool"),
        (lambda: ShardedPool.from_npy(tmp_path / "0.npy", block_size=0), r"'block_size'"),
        (lambda: ShardedPool(None, [], "never"), r"'errors' .* 'raise' or 'skip'"),
    ):
        with pytest.raises(InvalidParameterError, match=message):
            wrong()


def test_files_that_are_no_rows(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object))
    np.save(tmp_path / "number.npy", np.float32(3))
    np.savez(tmp_path / "archive.npz", IMAGES)
    np.save(tmp_path / "short.npy", IMAGES)
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-1])
    (tmp_path / "empty.npy").touch()
    (tmp_path / "folder.npy").mkdir()
    np.save(tmp_path / "0.npy", IMAGES)
    for name in ("objects", "number", "archive", "short", "empty", "folder"):
        path = next(tmp_path.glob(f"{name}.*"))
        for files in ([path], [tmp_path / "0.npy", path]):
            with pytest.raises(DatasetError, match=rf"{name}\.np.*Pass \.npy files of numbers"):
                ShardedPool.from_npy(files)


def test_patterns_may_be_paths(tmp_path):
    np.save(tmp_path / "a1.npy", IMAGES)
    np.save(tmp_path / "a[1].npy", IMAGES[:3])
    assert len(ShardedPool.from_npy(tmp_path / "a*.npy")) == len(IMAGES) + 3
    assert len(ShardedPool.from_npy(tmp_path / "a[1].npy")) == 3  # the file, no pattern
    with pytest.raises(InvalidParameterError, match="a pattern that some files match"):
        ShardedPool.from_npy(tmp_path / "b.npy")


def test_an_empty_list_takes_no_sample(tmp_path):
    np.save(tmp_path / "0.npy", IMAGES)
    pool = ShardedPool.from_npy(tmp_path / "0.npy")
    assert pool[[]].shape == pool[()][[]].shape == (0, *IMAGES.shape[1:])


def test_a_file_comes_before_a_pattern(tmp_path):
    for name, value in (("runs[1]", 1), ("runs1", 2)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", np.full((4, 3), value))
    pool = ShardedPool.from_npy(str(tmp_path / "runs[1]" / "a.npy"))
    assert np.unique(pool).tolist() == [1]


def test_files_that_are_no_tar(tmp_path):
    (tmp_path / "e.tar").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"e\.tar' cannot be read as a tar file.*decompress"):
        ShardedPool.from_webdataset(tmp_path / "e.tar", SIZE)
