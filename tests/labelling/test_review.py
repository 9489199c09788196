import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skactive.labelling import LabelSession
from skactive.labelling._events import Event, record
from skactive.labelling._review import N_FOLDS, out_of_fold, review
from tests.labelling.folders import make_marked, picture
from tests.labelling.spies import FITTED, Nearest

SEEN = []


class Remembering(LogisticRegression):
    def fit(self, X, y):
        SEEN.append(set(X[:, 0].tolist()))
        return super().fit(X, y)


def test_no_label_is_judged_by_a_network_that_has_seen_its_group():
    draw = np.random.default_rng(0)
    X = np.c_[np.arange(60.0), draw.normal(size=60)]
    y, groups = np.array(["a", "b"] * 30), np.repeat(np.arange(20), 3).astype(str)
    SEEN.clear()
    confidence, proposed = out_of_fold(Remembering, X, y, groups, 0)
    assert len(SEEN) == N_FOLDS
    assert np.isfinite(confidence).all()
    assert set(proposed) <= {"a", "b"}
    left_out = [set(range(60)) - {int(v) for v in seen} for seen in SEEN]
    assert sorted(i for fold in left_out for i in fold) == list(range(60))
    for fold in left_out:
        assert {i for i in range(60) if groups[i] in groups[sorted(fold)]} == fold
    # the plain way: for each fold, train on the others
    for fold in left_out:
        rest, out = sorted(set(range(60)) - fold), sorted(fold)
        p = LogisticRegression().fit(X[rest], y[rest]).predict_proba(X[out])
        np.testing.assert_allclose(confidence[out], p[np.arange(len(out)), (y[out] == "b") * 1])


def test_a_rare_class_is_not_called_wrong():
    X = np.random.default_rng(0).normal(size=(31, 2))
    y = np.array(["a", "b"] * 15 + ["rare"])
    confidence, _ = out_of_fold(LogisticRegression, X, y, np.arange(31).astype(str), 0)
    assert np.isnan(confidence[30])
    assert np.isfinite(confidence[:30]).all()


@pytest.fixture
def session(tmp_path):
    truth = make_marked(tmp_path / "marked", 120)
    with LabelSession(
        tmp_path / "marked", estimator=Nearest(), size=8, n_test=20, random_state=1
    ) as found:
        wrong = set()
        shares = dict(found.database.read("SELECT path, share FROM image"))
        for k, path in enumerate(found.next(120)):
            name = truth[path.name]
            if k % 25 == 0 and shares[path.name] == "pool":
                wrong.add(path.name)
                name = "dark" if name == "bright" else "bright"
            found.label(path, name)
        assert len(wrong) > 2
        yield found, wrong, truth


def test_planted_errors_come_first(session):
    found, wrong, truth = session
    table = found.suspicious(len(wrong))
    assert set(table["path"]) == wrong
    assert [truth[path] for path in table["path"]] == table["proposed"].tolist()
    assert (table["class"] != table["proposed"]).all()
    assert table["confidence"].is_monotonic_increasing


def test_it_says_how_far_it_is(session):
    found, _, _ = session
    said = []
    learner = found._learner()
    learner.report = lambda *doing: said.append(doing)
    review(learner)
    what = "looking for wrong labels, network"
    assert [s for s in said if s[0] == what] == [(what, k + 1, N_FOLDS) for k in range(N_FOLDS)]


def test_what_was_looked_at_is_not_asked_about_again(session):
    found, wrong, _ = session
    paths = found.suspicious(len(wrong))["path"].tolist()
    image = found._image(paths[0])
    held = found.database.value("SELECT class FROM label WHERE image = ?", image)
    record(found.database, found._labeller, [Event(image, "label", held, via="review")])
    assert paths[0] not in set(found.suspicious(100)["path"])


def test_those_for_measuring_are_left_out(session):
    found, _, _ = session
    shares = dict(found.database.read("SELECT path, share FROM image"))
    assert {shares[path] for path in found.suspicious(500)["path"]} == {"pool"}


def test_a_file_that_has_changed_is_asked_about_first(session):
    found, wrong, _ = session
    labels = found.labels()
    path = labels[(labels["share"] == "pool") & ~labels["path"].isin(wrong)]["path"].iloc[0]
    folder = found.folder
    found.close()
    picture("red", 3, size=33).save(folder / path)
    with LabelSession(folder, estimator=Nearest()) as again:
        assert again.scan_.changed == 1
        assert again.suspicious(1)["path"].tolist() == [path]
        assert FITTED
