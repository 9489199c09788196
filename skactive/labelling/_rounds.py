"""A round: train on the labels of the pool, measure on the others, ask for the next images."""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from skactive._kappa import kappa
from skactive._phrases import one_line
from skactive._pool import Pool
from skactive._predictions import predicted_probabilities
from skactive.labelling._cache import StoredImages
from skactive.labelling._catalogue import pieces
from skactive.labelling._database import Database
from skactive.labelling._names import class_id, class_names
from skactive.labelling._order import requeue
from skactive.labelling._results import accuracy_of, answers, last_round
from skactive.labelling._settings import Settings, make_estimator, make_strategy

# Images of the pool by which successive networks are compared. The first images are chosen by so
# many pixels per side, of so many images.
_COMPARED = 1000
_START_PIXELS, _START_POOL, _N_START = 16, 1000, 20
START = "spread-out start"


@dataclass
class Learner:
    """What learns in a round. None for strategy or estimator makes those of the settings."""

    database: Database
    folder: Path
    settings: Settings
    strategy: Any = None
    estimator: Any = None
    report: Callable[[str, int, int], Any] = lambda doing, done, todo: None

    def __post_init__(self) -> None:
        self.cache = StoredImages(self.database, self.folder, self.settings.size)
        self._names: dict[int, str] = {}
        self._ids: dict[str, int] = {}

    def learn_names(self) -> None:
        """Know classes by the names that they have now, until this is called again."""
        self._names = class_names(self.database)
        self._ids = {name: class_id(self.database, name) for name in self._names.values()}

    def named(self, labels: dict[int, int], ids: np.ndarray) -> np.ndarray:
        """Return the names of the classes of images."""
        names = {**class_names(self.database), **self._names}
        return np.array([names[labels[i]] for i in ids.tolist()])

    def class_of(self, name: str) -> int:
        """Return the id of a class, also if it has got another name meanwhile."""
        known = self._ids.get(name)
        return class_id(self.database, name) if known is None else known

    def fill(self, ids: list[int]) -> np.ndarray:
        """Read images, and say how far it is."""
        return self.cache.fill(ids, lambda done, todo: self.report("reading images", done, todo))


def run_round(learner: Learner) -> tuple[int, Any]:
    """Run a round; return its id and the fitted estimator, None where there are too few labels."""
    database = learner.database
    labels = answers(database, "pool")
    ready = len(set(labels.values())) > 1
    if ready:  # files of a class may be gone
        ready = len({labels[i] for i in learner.fill(list(labels)).tolist()}) > 1
    name = learner.settings.strategy if ready else START
    with database.writing() as connection:  # another process may begin one now, too
        round_ = database.count("SELECT COALESCE(MAX(id), 0) + 1 FROM round")
        seed = _seed(database, round_)
        connection.execute(
            "INSERT INTO round (id, started, strategy, n_labels, seed) VALUES (?, ?, ?, ?, ?)",
            (round_, time.time(), name, len(labels), seed),
        )
    try:
        return round_, (_learn if ready else _start)(learner, round_, seed)
    except BaseException as error:
        message = one_line(error) or type(error).__name__
        with database.writing() as connection:
            connection.execute("UPDATE round SET error = ? WHERE id = ?", (message, round_))
        raise


def _seed(database: Database, round_: int) -> int:
    text = f"{database.get('seed')} round {round_}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big") % 2**31


def _learn(learner: Learner, round_: int, seed: int) -> Any:
    database = learner.database
    began = time.perf_counter()
    estimator = fit(learner, seed)
    fitted = time.perf_counter()
    _measure(learner, estimator, round_)
    queried = time.perf_counter()
    picks = _query(learner, estimator, seed)
    compared = in_order(database, "pool")[:_COMPARED]
    _keep_predictions(learner, estimator, [*compared, *picks.tolist()], round_)
    query_s = time.perf_counter() - queried
    requeue(database, picks.tolist(), round_)  # first: what waits for the round's end asks next
    _finish(database, round_, fitted - began, query_s)
    return estimator


def fit(learner: Learner, seed: int) -> Any:
    """Train on the labels of the pool; those for measuring are never among them."""
    labels = answers(learner.database, "pool")
    ids = learner.fill(list(labels))
    learner.report(f"training on {len(ids)} labels", 0, 0)
    learner.learn_names()
    y = learner.named(labels, ids)
    estimator = new_estimator(learner, seed)
    return estimator.fit(learner.cache.rows(ids), y)


def new_estimator(learner: Learner, seed: int) -> Any:
    """Return an unfitted copy of the estimator, whose random parts are seeded."""
    estimator = learner.estimator or make_estimator(learner.settings)
    estimator = clone(estimator)
    unset = {
        name: seed
        for name, value in estimator.get_params().items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    }
    return estimator.set_params(**unset)


def in_order(database: Database, share: str) -> list[int]:
    """Return the readable images of a share, in a random order that is always the same."""
    ids = [
        i
        for (i,) in database.read(
            "SELECT id FROM image WHERE share = ? AND state = 'ok' ORDER BY id", share
        )
    ]
    seed = database.get("seed")
    return sorted(ids, key=lambda i: hashlib.blake2b(f"{seed} {i}".encode()).digest())


def probabilities(learner: Learner, estimator: Any, ids: np.ndarray) -> np.ndarray:
    """Return the class probabilities of images in the cache, (n, C)."""
    found = [np.zeros((0, len(estimator.classes_)))]
    for start in range(0, len(ids), 256):
        rows = learner.cache.rows(ids[start : start + 256])
        shape = (len(rows), len(estimator.classes_))
        found.append(predicted_probabilities(estimator, rows, "LabelSession", shape=shape))
    return np.concatenate(found)


def _measure(learner: Learner, estimator: Any, round_: int) -> None:
    """Predict all images of the share for measuring, those too whose labels come later."""
    learner.report("measuring", 0, 0)
    _keep_predictions(learner, estimator, in_order(learner.database, "test"), round_)


def _keep_predictions(learner: Learner, estimator: Any, images: list[int], round_: int) -> None:
    ids = learner.fill(images)
    p = probabilities(learner, estimator, ids)
    by_name = {name: learner.class_of(name) for name in estimator.classes_.tolist()}
    best = [by_name[name] for name in estimator.classes_[p.argmax(1)].tolist()]
    rows = [
        (image, round_, c, value)
        for image, c, value in zip(ids.tolist(), best, p.max(1, initial=0).tolist(), strict=True)
    ]
    for piece in pieces(rows):
        with learner.database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO prediction VALUES (?, ?, ?, ?)", piece)


def candidates(database: Database, subsample: int, size: int, seed: int) -> list[int]:
    """Return the images of the pool that a strategy may choose from: those without an answer.

    At most `subsample`: at random of those in the cache, if these are enough, else the first ones
    in the order in which images are read.
    """
    decided = {i for (i,) in database.read("SELECT DISTINCT image FROM label")}
    ready = {i for (i,) in database.read("SELECT id FROM image WHERE cached = ?", size)}
    ids = [i for i in in_order(database, "pool") if i not in decided]
    if len(ids) <= subsample:
        return ids
    cached = [i for i in ids if i in ready]
    if len(cached) < subsample:
        return ids[:subsample]
    return random.Random(seed).sample(cached, subsample)


def _query(learner: Learner, estimator: Any, seed: int) -> np.ndarray:
    """Return the images that the strategy chooses."""
    settings, database = learner.settings, learner.database
    ids = learner.fill(candidates(database, settings.subsample, settings.size, seed))
    n = min(settings.n_instances, len(ids))
    if n == 0:
        return ids
    learner.report(f"choosing from {len(ids)} images", 0, 0)
    strategy = learner.strategy or make_strategy(settings.strategy, seed)
    labels = answers(database, "pool")
    known = learner.fill(list(labels))
    found = strategy.select(
        estimator,
        Pool(learner.cache.images, ids),
        n,
        X_labelled=learner.cache.rows(known),
        y_labelled=learner.named(labels, known),
    )
    return ids[found.indices]


def _finish(database: Database, round_: int, fit_s: float, query_s: float) -> None:
    """Write that a round is done: from now on it counts."""
    found = accuracy_of(database, round_)
    with database.writing() as connection:
        connection.execute(
            # a worker that began meanwhile may have taken it for one that was interrupted
            "UPDATE round SET ended = ?, error = NULL, fit_s = ?, query_s = ?, n_test = ?,"
            " n_right = ?, balanced = ?, low = ?, high = ?, agreement = ? WHERE id = ?",
            (
                *(time.time(), fit_s, query_s, found.n_test, found.n_right),
                *(found.balanced, found.low, found.high, agreement_with_last(database, round_)),
                round_,
            ),
        )
        # The share for measuring is kept of all rounds, of the pool what the next one compares.
        connection.execute(
            "DELETE FROM prediction WHERE round < ? AND image IN"
            " (SELECT id FROM image WHERE share = 'pool')",
            (round_,),
        )


def agreement_with_last(database: Database, round_: int) -> float | None:
    """Return the kappa of a round's network and the one before, on images of the pool.

    None where there is none: without such images, and where both predict one class for all.
    """
    before = last_round(database)
    rows = database.read(
        "SELECT a.class, b.class FROM prediction a JOIN prediction b ON b.image = a.image"
        " JOIN image i ON i.id = a.image WHERE a.round = ? AND b.round = ? AND i.share = 'pool'",
        before,
        round_,
    )
    found = kappa(*zip(*rows, strict=True)) if rows else math.nan
    return None if math.isnan(found) else found


def _start(learner: Learner, round_: int, seed: int) -> None:
    """Ask for images that are spread out over a part of the pool, with pixels as embeddings."""
    from sklearn.decomposition import PCA

    from skactive.strategies import KMeansSampling

    database = learner.database
    ids = learner.fill(candidates(database, _START_POOL, 0, seed))
    n = min(_N_START, len(ids))
    picks = ids[:0]
    if n:
        rows = _small(learner.cache.rows(ids)).reshape(len(ids), -1)
        rank = min(16, *rows.shape)
        h = PCA(rank, random_state=seed).fit_transform(rows) if rank > 1 else rows
        picks = ids[KMeansSampling(random_state=seed).select(None, ids, n, embeddings=h).indices]
    requeue(database, picks.tolist(), round_)
    with database.writing() as connection:
        sql = "UPDATE round SET ended = ?, error = NULL WHERE id = ?"
        connection.execute(sql, (time.time(), round_))


def _small(images: np.ndarray) -> np.ndarray:
    """Return images with few pixels, each the mean of a block."""
    step = max(1, images.shape[1] // _START_PIXELS)
    side = images.shape[1] // step * step
    blocks = images[:, :side, :side].astype(np.float32)
    shape = (len(images), side // step, step, side // step, step, 3)
    return blocks.reshape(shape).mean(axis=(2, 4)) / 255
