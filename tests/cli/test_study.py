"""A TOML file, read: what it makes, and a message for every mistake."""

import re
from pathlib import Path

import numpy as np
import pytest

from skactive import CNNClassifier, FisherMask, Margin, Random
from skactive._validation import InvalidParameterError
from skactive.cli._section import Section
from skactive.cli._study import read_study
from skactive.datasets import load_fashion_mnist
from skactive.experiments import Protocol

GOOD = """
strategies = [
    "Random",
    { class = "FisherMask", name = "FisherMask, layerwise", mask = "layerwise", fraction = 0.01 },
    { class = "Margin", estimator = { max_epochs = 2 } },
]

[dataset]
name = "fashion-mnist-4k"
label = "small"
pool = 500
test = 100
seed = 3

[estimator]
module = "small_cnn"
lr_schedule = "none"
max_epochs = 1
module_params = { width = 4 }

[experiment]
n_initial = 20
n_instances = 5
n_rounds = 1
seeds = [0, 4]
metrics = ["roc_auc_ovr"]
out = "here"

[protocol]
train_to = 0.99
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "study.toml"
        path.write_text(text)
        return read_study(path)

    return read


def test_a_byte_order_mark_is_no_mistake(read):
    """Editors on Windows write one."""
    assert list(read("\ufeff" + GOOD).strategies) == list(read(GOOD).strategies)


def test_what_a_file_makes(read):
    study = read(GOOD)
    assert list(study.strategies) == ["Random", "FisherMask, layerwise", "Margin"]
    assert isinstance(study.strategies["Random"], Random)
    mask = study.strategies["FisherMask, layerwise"]
    assert isinstance(mask, FisherMask)
    assert (mask.mask, mask.fraction) == ("layerwise", 0.01)
    own, margin = study.strategies["Margin"]
    assert isinstance(margin, Margin)
    assert (own.max_epochs, own.module_params) == (2, {"width": 4})  # the rest is the common one's
    assert isinstance(study.estimator, CNNClassifier)
    assert study.estimator.max_epochs == 1
    assert study.estimator.lr_schedule is None
    assert study.estimator.classes == own.classes == list(range(10))
    assert study.data.X_train.shape == (500, 28, 28)
    assert study.data.X_test.shape == (100, 28, 28)
    assert study.settings == {
        "n_initial": 20,
        "initial": "random",
        "n_instances": 5,
        "n_rounds": 1,
        "seeds": [0, 4],
        "metrics": ["roc_auc_ovr"],
        "stopping": None,
        "stop": None,
        "n_jobs": 1,
        "n_threads": 1,
        "out": "here",
        "protocol": Protocol(train_to=0.99),
        "dataset": "small",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            GOOD.replace("n_instances", "batch_size"),
            r"study\.toml: experiment\.batch_size is called experiment\.n_instances now\. Rename",
        ),
        (
            GOOD.replace("[experiment]", "[experiment]\nbatch_size = 7"),
            r"experiment\.batch_size is called experiment\.n_instances now",
        ),
    ],
)
def test_a_name_of_before_is_an_error_that_says_the_new_one(read, given, message):
    with pytest.raises(InvalidParameterError, match=message):
        read(given)


def test_so_is_that_of_a_strategy():
    section = Section(Path("a.toml"), "strategies[1].strategy", {"n_samples": 2000})
    section.check_names("FisherMask")
    message = r"a\.toml: strategies\[1\]\.strategy\.n_samples is called .*\]\.strategy\.n_configura"
    with pytest.raises(InvalidParameterError, match=message):
        section.check_names("BatchBALD")


def test_the_batch_size_of_strategies_and_estimators_stays(read):
    study = read(GOOD.replace("mask =", "batch_size = 8, mask ="))
    assert study.strategies["FisherMask, layerwise"].batch_size == 8


@pytest.mark.parametrize(
    ("given", "field", "same"),
    [
        ('train_to = 0.99\naugment = "none"', "protocol", Protocol(train_to=0.99)),
        ('train_to = "none"', "protocol", Protocol()),
    ],
)
def test_none_in_the_protocol(read, given, field, same):
    assert read(GOOD.replace("train_to = 0.99", given)).settings[field] == same


def test_none_where_a_field_may_be_left_out(read):
    study = read(GOOD.replace("seed = 3", 'seed = 3\npath = "none"\ncounts = "none"'))
    assert study.data.X_train.shape == (500, 28, 28)
    given = GOOD.replace('["roc_auc_ovr"]', '"none"').replace('out = "here"', 'out = "none"')
    settings = read(given).settings
    assert (settings["metrics"], settings["out"]) == (None, None)


def test_tables_of_strategies_are_as_good_as_a_list(read):
    text = GOOD[GOOD.index("[dataset]") :]
    study = read(text + '[[strategies]]\nclass = "Random"\n[[strategies]]\nclass = "Margin"\n')
    assert list(study.strategies) == ["Random", "Margin"]


def test_strategies_made_of_others(read):
    inner = '[{ class = "Margin" }, { class = "FisherMask", fraction = 0.5 }]'
    study = read(
        GOOD.replace(
            '"Random",',
            f'{{ class = "Hybrid", strategies = {inner} }}, '
            '{ class = "Subsample", n = 100, strategy = { class = "Entropy" } },',
        )
    )
    hybrid, subsample = (study.strategies[n] for n in ("Hybrid", "Subsample"))
    assert [type(s).__name__ for s in hybrid.strategies] == ["Margin", "FisherMask"]
    assert hybrid.strategies[1].fraction == 0.5
    assert type(subsample.strategy).__name__ == "Entropy"
    wrong = GOOD.replace(
        '"Random",',
        '{ class = "Hybrid", strategies = [{ class = "Margin" }, { class = "Best" }] },',
    )
    message = r'strategies\[1\]\.strategies\[2\]\.class must be one of .* Got "Best"'
    with pytest.raises(InvalidParameterError, match=message):
        read(wrong)


def test_lists_of_pairs(read):
    phases = '[[{ class = "Random" }, 100], [{ class = "Margin" }, "none"]]'
    members = '[["sure", { class = "Margin" }], ["other", { class = "FisherMask" }]]'
    study = read(
        GOOD.replace(
            '"Random",',
            f'{{ class = "Switch", phases = {phases} }}, '
            f'{{ class = "Hybrid", strategies = {members}, shares = [3, 1] }},',
        )
    )
    switch, hybrid = study.strategies["Switch"], study.strategies["Hybrid"]
    assert [(type(s).__name__, until) for s, until in switch.phases] == [
        ("Random", 100),
        ("Margin", None),
    ]
    assert hybrid.get_params()["sure"] is hybrid.strategies[0][1]
    assert hybrid.get_params()["other__fraction"] == FisherMask().fraction
    assert hybrid.shares == [3, 1]
    X = np.zeros((30, 28, 28), dtype=np.uint8)
    assert len(set(switch.select(None, X, 30).indices)) == 30


def test_the_pool_is_drawn_by_the_seed(read):
    first, again = read(GOOD), read(GOOD)
    np.testing.assert_array_equal(first.data.X_train, again.data.X_train)
    other = read(GOOD.replace("seed = 3", "seed = 4"))
    assert not np.array_equal(first.data.y_train, other.data.y_train)


def test_an_imbalanced_pool_has_test_images_of_its_classes_only(read):
    counts = "counts = { 0 = 15, 1 = 200, 3 = 10 }"
    data = read(GOOD.replace("pool = 500", counts)).data
    assert np.bincount(data.y_train).tolist() == [15, 200, 0, 10]
    assert set(data.y_test) == {0, 1, 3}
    assert read(GOOD.replace("pool = 500", counts)).estimator.classes == [0, 1, 3]


MISTAKES = [
    ("[dataset]", "[data]", r"there is no data\. A file has dataset, estimator, strategies, exp"),
    ('name = "fashion-mnist-4k"', "", r"dataset\.name is missing; it is one of fashion-mnist-4k,"),
    (
        '"fashion-mnist-4k"',
        '"imagenet"',
        r"dataset\.name must be one of fashion-mnist-4k, .*svhn\. Got \"imagenet\" instead",
    ),
    ("pool = 500", "pool = 3001", r"dataset\.pool must be a number of images from 1 to 3000\. Got"),
    ("pool = 500", 'pool = "all"', r'dataset\.pool must be a number of training images\. Got "al'),
    ("test = 100", "test = 0", r"dataset\.test must be a number of images from 1 to 1000\. Got 0"),
    ("pool = 500", "pool = 5\ncounts = {0 = 5}", r"dataset\.pool must be left out where there are"),
    ("pool = 500", "counts = {cat = 5}", r"dataset\.counts\.cat must be of a class, one of 0, 1,"),
    (
        "pool = 500",
        "counts = {1 = 301}",
        r"toml: dataset\.counts\[1\] must be an int from 0 to 300",
    ),
    ("pool = 500", "path = 'x'", r'toml: dataset\.path must be "none" where dataset\.name = "f'),
    (
        "seed = 3",
        "seed = -3",
        r"dataset\.seed must be a whole number of at least 0\. Got -3 instea",
    ),
    (
        "test = 100",
        "tests = 100",
        r"there is no dataset\.tests\. The fields of dataset are name, p",
    ),
    (
        "max_epochs = 1\n",
        "epochs = 1\n",
        r"no estimator\.epochs\. The fields of estimator are class",
    ),
    (
        "max_epochs = 1\n",
        "max_epochs = 0\n",
        r"toml: estimator\.max_epochs must be an int in the range \[1, inf\)\. Got 0 instead\.",
    ),
    (
        'module = "small_cnn"',
        'class = "SVC"',
        r"estimator\.class must be one of CNNClassifier.* Got",
    ),
    ('"Random",', '"Best",', r'strategies\[1\]\.class must be one of .*FisherMask.*Got "Best"'),
    ('"Random",', '"Random", "Random",', r"strategies\[2\]\.name must be a name of its own\. Got"),
    ('"Random",', "3,", r"strategies\[1\] must be a table\. Got 3 instead"),
    (
        "fraction = 0.01",
        "share = 1",
        r"no strategies\[2\]\.share\. The fields of strategies\[2\] ar",
    ),
    (
        '"layerwise", fr',
        '"all", fr',
        r"toml: strategies\[2\]\.mask must be one of global, head, layerwise, r",
    ),
    ("max_epochs = 2", "epochs = 2", r"there is no strategies\[3\]\.estimator\.epochs"),
    ("n_initial = 20", "", r"experiment\.n_initial is missing; it is a whole number of at least 1"),
    (
        "n_initial = 20",
        "n_initial = -5",
        r"toml: experiment\.n_initial must be a whole .* Got -5 i",
    ),
    (
        "n_instances = 5",
        "n_instances = 0",
        r"experiment\.n_instances must be .* of at least 1\. Got 0",
    ),
    ("n_rounds = 1", "n_rounds = -1", r"experiment\.n_rounds must be .* of at least 0\. Got -1"),
    (
        "n_rounds = 1",
        "n_rounds = true",
        r"experiment\.n_rounds must be .* of at least 0\. Got true",
    ),
    ("n_rounds = 1", "n_rounds = 1.5", r"experiment\.n_rounds must be .* of at least 0\. Got 1\.5"),
    (
        "seeds = [0, 4]",
        "seeds = 0",
        r"experiment\.seeds must be a number of seeds of at least 1, o",
    ),
    ("seeds = [0, 4]", "seeds = []", r"experiment\.seeds must be .* Got \[\] instead"),
    (
        "seeds = [0, 4]",
        "seeds = [0, 0]",
        r"experiment\.seeds must be .* different seeds .* \[0, 0\]",
    ),
    ("seeds = [0, 4]", 'seeds = ["a"]', r'experiment\.seeds must be .* Got \["a"\] instead'),
    ("seeds = [0, 4]", "seeds = [-1]", r"experiment\.seeds must be .* of at least 0\. Got \[-1\]"),
    ('["roc_auc_ovr"]', '["roc_auc_ovr", "auc"]', r'metrics\[2\] must be one of .*roc_auc.* "auc"'),
    ('["roc_auc_ovr"]', "[3]", r"metrics\[1\] must be one of .*roc_auc.* Got 3 instead"),
    (
        'out = "here"',
        'out = "here"\nn_threads = 0',
        r"experiment\.n_threads must be .* of at least 1",
    ),
    (
        "seeds = [0, 4]",
        'seeds = "5"',
        r"experiment\.seeds must be a number of seeds of at least 1, or a list",
    ),
    ("n_rounds = 1", 'n_rounds = 1\ninitial = "even"', r"initial must be one of random, balanced"),
    ("n_rounds = 1", "rounds = 1", r"experiment\.n_rounds is missing"),
    (
        'out = "here"',
        'outt = "here"',
        r"no experiment\.outt\. The fields of experiment are n_initia",
    ),
    ("train_to = 0.99", "train_to = 99", r'protocol\.train_to must be "none", or a number above 0'),
    (
        "train_to = 0.99",
        "patience = 3",
        r'protocol\.patience must be "none" without validation\. G',
    ),
    (
        "train_to = 0.99",
        'augment = "most"',
        r'protocol\.augment must be one of crop, crop_flip, flip, strong or "none"\. G',
    ),
    (
        '"Random",',
        '{ class = "Hybrid" },',
        r"study\.toml: strategies\[1\]\.strategies is missing\.$",
    ),
    (
        '"Random",',
        '{ class = "Hybrid", strategies = ["Random"] },',
        r"toml: strategies\[1\]\.strategies must be a list of one strategy or more",
    ),
    (
        '"Random",',
        '{ class = "Hybrid", strategies = [{ class = "Random" }], shares = [1, 2] },',
        r"toml: strategies\[1\]\.shares must be 1 numbers of at least 0",
    ),
    (
        '"Random",',
        '{ class = "Subsample", strategy = "Random" },',
        r'toml: strategies\[1\]\.strategy must be a table such as \{ class = "Entropy" \}\. Got',
    ),
    (
        '"Random",',
        '{ class = "Switch", phases = [[{ class = "Random" }, 10]] },',
        r"toml: strategies\[1\]\.phases must be a list whose until_labels are increasing ints",
    ),
    (
        '"Random",',
        '{ class = "Random", name = 3 },',
        r"toml: strategies\[1\]\.name must be a name of its own\. Got 3 instead",
    ),
    (
        "module_params = { width = 4 }",
        "module_params = 4",
        r'toml: estimator\.module_params must be a table or "none"\. Got 4 instead',
    ),
    (
        "max_epochs = 1\n",
        'max_epochs = 1\nwarm_start = "none"\n',
        r'toml: estimator\.warm_start must be true or false\. Got "none" instead',
    ),
    (
        "max_epochs = 1\n",
        "max_epochs = 1\nrandom_state = 1.5\n",
        r'toml: estimator\.random_state must be an int in the range .* or "none"\. Got 1\.5',
    ),
    (
        "train_to = 0.99",
        "epochs = 9",
        r"no protocol\.epochs\. The fields of protocol are warm_start",
    ),
    ("[protocol]", "[protocol", r"study\.toml is not valid TOML: .*line"),
]


@pytest.mark.parametrize(("good", "bad", "message"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_every_mistake_is_named_with_its_place(read, good, bad, message):
    assert good in GOOD
    with pytest.raises(InvalidParameterError, match=message) as caught:
        read(GOOD.replace(good, bad, 1))
    assert "study.toml" in str(caught.value)


def test_tables_that_are_missing(read):
    for name in ["dataset", "experiment"]:
        start = GOOD.index(f"[{name}]")
        end = GOOD.find("\n\n", start)
        with pytest.raises(InvalidParameterError, match=rf"{name} is missing\.$"):
            read(GOOD[:start] + GOOD[end:])
    with pytest.raises(InvalidParameterError, match=r"strategies is missing\.$"):
        read(GOOD[GOOD.index("[dataset]") :])
    with pytest.raises(InvalidParameterError, match=r"strategies must be a list of at least one n"):
        read(re.sub(r"strategies = \[.*?\n\]", "strategies = []", GOOD, flags=re.DOTALL))


def test_no_file(tmp_path):
    with pytest.raises(InvalidParameterError, match=r"There is no file '.*missing\.toml'"):
        read_study(tmp_path / "missing.toml")


# -- features --------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows():
    """A row for each of the 3,000 images, that says which it is."""
    return np.stack([np.arange(3000), np.arange(3000) % 7], 1).astype(np.float32)


@pytest.mark.parametrize(
    "cut", ["", "pool = 500\nseed = 3", "counts = { 0 = 20, 7 = 30 }\nseed = 5"]
)
def test_features_are_cut_as_the_images_are(read, rows, tmp_path, cut):
    np.save(tmp_path / "rows.npy", rows)
    whole = load_fashion_mnist().X_train
    text = re.sub(r"pool = 500|seed = 3|test = 100", "", GOOD)
    file = (tmp_path / "rows.npy").as_posix()
    data = read(text.replace("[estimator]", f'embeddings = "{file}"\n{cut}\n[estimator]')).data
    assert data.embeddings.shape == (len(data.X_train), 2)
    which = data.embeddings[:, 0].astype(int)
    np.testing.assert_array_equal(whole[which], data.X_train)
    without = read(text.replace("[estimator]", f"{cut}\n[estimator]")).data
    assert without.embeddings is None
    np.testing.assert_array_equal(without.X_train, data.X_train)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, r"dataset.embeddings must be a \.npy file .* \(3000, D\).*numpy.save"),
        (b"no array", "dataset.embeddings must be"),
        (np.zeros((2999, 4)), r"of shape \(2999, 4\) instead. Embed all of them"),
        (np.zeros(3000), "dataset.embeddings must be"),
    ],
)
def test_features_that_do_not_fit(read, tmp_path, content, match, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if isinstance(content, bytes):
        (tmp_path / "r.npy").write_bytes(content)
    elif content is not None:
        np.save("r.npy", content)
    with pytest.raises(InvalidParameterError, match=match):
        read(GOOD.replace("[estimator]", 'embeddings = "r.npy"\n[estimator]'))


def test_stopping_rules(read):
    rules = 'stopping = ["Agreement", { class = "Agreement", name = "early", threshold = 0.9 }]'
    settings = read(GOOD.replace("n_rounds = 1", f'n_rounds = 1\n{rules}\nstop = "early"')).settings
    assert {name: rule.threshold for name, rule in settings["stopping"].items()} == {
        "Agreement": 0.99,
        "early": 0.9,
    }
    assert settings["stop"] == "early"
    plain = read(GOOD).settings
    assert (plain["stopping"], plain["stop"]) == (None, None)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ('stopping = ["Agree"]', r"experiment.stopping\[1\].class must be one of Agreement, "),
        ('stopping = ["Agreement", "Agreement"]', r"stopping\[2\].name must be a name of its own"),
        ('stopping = [{ class = "Agreement", window = 0 }]', r"stopping\[1\].window must be"),
        ('stopping = "Agreement"', "experiment.stopping must be a list of names or tables"),
        ('stop = "Agreement"', "experiment.stop must be .* which there are none of"),
        ('stopping = ["ClassChange"]\nstop = "Agreement"', "stop must be .*, ClassChange"),
    ],
)
def test_wrong_stopping_rules(read, line, match):
    with pytest.raises(InvalidParameterError, match=match):
        read(GOOD.replace("n_rounds = 1", f"n_rounds = 1\n{line}"))
