import shutil

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skactive import CNNClassifier
from skactive.labelling import LabelSession
from skactive.labelling._rounds import START, agreement_with_last, candidates, in_order
from skactive.labelling._worker import forget_interrupted
from tests.labelling.folders import make_marked
from tests.labelling.spies import CHOSEN_FROM, FITTED, First, Nearest, marks


def flat(X):
    return X.reshape(len(X), -1)


@pytest.fixture
def truth(tmp_path):
    return make_marked(tmp_path / "marked", 160)


@pytest.fixture
def session(tmp_path, truth):
    FITTED.clear()
    CHOSEN_FROM.clear()
    with LabelSession(
        tmp_path / "marked", strategy=First(), estimator=Nearest(), size=8, n_test=60,
        random_state=0, subsample=40,
    ) as found:  # fmt: off
        yield found


def answer(session, truth, n):
    for path in session.next(n):
        session.label(path, truth[path.name])


def test_the_share_for_measuring_reaches_no_fit_and_no_query(session, truth):
    test = {
        int(p[:4]) for (p,) in session.database.read("SELECT path FROM image WHERE share = 'test'")
    }
    assert len(test) == 60
    for _ in range(6):
        answer(session, truth, 20)
        session.run_round(15)
    session.suspicious()
    session.predict()
    fitted = {mark for seen, _ in FITTED for mark in seen}
    asked = {mark for pool, labelled in CHOSEN_FROM for mark in (*pool, *labelled)}
    assert len(FITTED) > 6
    assert len(CHOSEN_FROM) == 6
    assert not test & (fitted | asked)
    assert len(fitted) > 60
    # nor does any other image of their bursts
    assert not {i // 4 for i in test} & {i // 4 for i in fitted | asked}
    labels = session.labels()
    assert set(labels[labels["share"] == "test"]["via"]) == {"test"}
    assert "test" not in set(labels[labels["share"] == "pool"]["via"])
    found = session.accuracy()
    assert found.n_right == found.n_test > 30


def test_a_worker_that_begins_meanwhile_does_not_stop_a_round(session, truth):
    class Interrupting(Nearest):
        def fit(self, X, y):
            forget_interrupted(session.database)  # as a worker does that has just been started
            return super().fit(X, y)

    session._estimator = Interrupting()
    answer(session, truth, 30)
    session.run_round()
    assert session.rounds()["round"].tolist() == [2]
    assert session.database.read("SELECT error FROM round") == [(None,), (None,)]


@pytest.mark.parametrize("what", ["rename", "merge"])
def test_a_class_that_gets_another_name_while_a_network_learns(what, session, truth):
    class Disturbed(Nearest):
        def fit(self, X, y):
            if what == "rename":
                session.rename_class("dark", "night")
            else:
                session.merge_class("dusk", "dark")
            return super().fit(X, y)

    for k, path in enumerate(session.next(60)):
        name = truth[path.name]
        session.label(path, "dusk" if what == "merge" and k % 5 == 0 else name)
    session._estimator = Disturbed()
    session.run_round()
    names = {name for (name,) in session.database.read("SELECT name FROM class")}
    assert names == ({"night", "bright"} if what == "rename" else {"dark", "bright", "dusk"})
    assert set(session.labels()["class"]) == names - {"dusk"}
    classes = session.database.read("SELECT DISTINCT class FROM prediction")
    assert len(classes) >= 2
    session._estimator = Nearest()
    session.rename_class("bright", "day")
    assert set(session.estimator_.classes_) == {"day", *names} - {"dusk", "bright"}


def test_a_query_chooses_from_what_has_no_answer(session, truth):
    answer(session, truth, 30)
    session.skip(session.next()[0])
    session.run_round()
    pool, labelled = CHOSEN_FROM[-1]
    decided = {
        int(path[:4])
        for (path,) in session.database.read(
            "SELECT i.path FROM label l JOIN image i ON i.id = l.image"
        )
    }
    assert not decided & set(pool)
    assert set(labelled) < decided
    assert len(pool) == 40  # subsample


def test_seeds(session, truth):
    answer(session, truth, 20)
    session.run_round()
    session.run_round()
    seeds = [seed for _, seed in FITTED]
    assert len(set(seeds)) == 2
    assert None not in seeds
    assert session.rounds()["seed"].tolist() == seeds


def test_what_was_chosen_comes_next_in_its_order(session, truth):
    answer(session, truth, 20)
    session.run_round(8)
    pool = CHOSEN_FROM[-1][0][:8]
    shares = dict(session.database.read("SELECT path, share FROM image"))
    asked = [path.name for path in session.next(12)]
    assert [int(name[:4]) for name in asked if shares[name] == "pool"] == pool
    assert [shares[name] for name in asked] == ["pool", "pool", "test"] * 4


def test_before_two_classes_images_are_spread_out(session, truth):
    first = session.next(20)
    assert {truth[path.name] for path in first} == {"dark", "bright"}
    assert FITTED == []
    rows = session.database.read("SELECT strategy, ended IS NOT NULL, error FROM round")
    assert rows == [(START, 1, None)]
    assert len(session.rounds()) == 0
    assert session.agreement() is None
    for path in first:
        if truth[path.name] == "dark":
            session.label(path, "dark")
    session.run_round()
    assert FITTED == []


def test_a_round_that_fails_says_so_and_changes_nothing(session, truth):
    class Broken(Nearest):
        def predict_proba(self, X):
            raise RuntimeError("no idea")

    answer(session, truth, 20)
    before = session.next(5)
    session._estimator = Broken()
    with pytest.raises(RuntimeError, match="no idea"):
        session.run_round()
    assert session.database.value("SELECT error FROM round ORDER BY id DESC") == "no idea"
    assert session.next(5) == before
    assert len(session.rounds()) == 0


@pytest.mark.parametrize(
    "estimator",
    [
        CNNClassifier("small_cnn", module_params={"width": 4}, max_epochs=2),
        make_pipeline(FunctionTransformer(flat), RandomForestClassifier(5)),
    ],
    ids=["network", "pipeline"],
)
@pytest.mark.parametrize("strategy", ["margin", "random"])
def test_any_classifier_and_any_strategy(estimator, strategy, tmp_path, truth):
    def run(seed):
        with LabelSession(
            tmp_path / "marked", strategy=strategy, estimator=estimator, size=16,
            random_state=seed,
        ) as session:  # fmt: off
            answer(session, truth, 20)
            session.run_round()
            p = session.estimator_.predict_proba(session._learner().cache.rows([1, 2]))
            return session.database.read("SELECT image, via FROM queue ORDER BY rank"), p

    queue, p = run(5)
    assert [via for _, via in queue].count("query") > 20
    shutil.rmtree(tmp_path / "marked" / ".skactive")
    again, same = run(5)
    assert again == queue
    np.testing.assert_array_equal(p, same)


def test_all_strategies_by_name_get_what_they_need(tmp_path, truth):
    with LabelSession(tmp_path / "marked", strategy="lplgrad", size=16) as session:
        session._estimator = None
        session.settings.network = "small_cnn"
        answer(session, truth, 12)
        session.run_round(4)
        assert type(session.estimator_).__name__ == "LPLClassifier"


def test_candidates_are_read_in_one_random_order(session, truth):
    database = session.database
    order = in_order(database, "pool")
    assert order != sorted(order)
    assert candidates(database, 10, 8, seed=0) == order[:10]
    cache = session._learner().cache
    cache.fill(order[:30])
    drawn = candidates(database, 10, 8, seed=0)
    assert set(drawn) <= set(order[:30])
    assert drawn != candidates(database, 10, 8, seed=1)
    assert candidates(database, 1000, 8, seed=1) == order


def test_agreement_of_successive_networks(session, truth):
    answer(session, truth, 30)
    session.run_round()
    session.run_round()
    assert session.agreement() == 1
    session._estimator = Nearest()
    for path in session.labels()["path"]:
        session.label(path, {"dark": "bright", "bright": "dark"}[truth[path]])
    session.run_round()
    assert session.agreement() < 0


def test_marks_tell_images(tmp_path, truth, session):
    learner = session._learner()
    ids = learner.fill([1, 77, 160])
    paths = [session.database.value("SELECT path FROM image WHERE id = ?", i) for i in (1, 77, 160)]
    assert marks(learner.cache.rows(ids)) == [int(path[:4]) for path in paths]


def test_two_networks_of_one_class_are_no_reason_to_stop_labelling(database):
    database.connection.execute("UPDATE image SET share = 'pool'")
    images = [i for (i,) in database.read("SELECT id FROM image")]
    for round_ in (1, 2):
        database.connection.execute(
            "INSERT INTO round (id, started, ended, strategy, n_labels, fit_s, query_s, seed)"
            " VALUES (?, 0, ?, 'Margin', 10, 1.0, 1.0, 7)",
            (round_, 1 if round_ == 1 else None),
        )
        for i in images:
            database.connection.execute("INSERT INTO prediction VALUES (?, ?, 1, 0.9)", (i, round_))
    assert agreement_with_last(database, 2) is None
    database.connection.execute("UPDATE prediction SET class = 2 WHERE image = ?", images[:1])
    assert agreement_with_last(database, 2) == 1
