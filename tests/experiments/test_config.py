"""What decides the numbers, and the refusal to mix."""

import json
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skactive._validation import InvalidParameterError
from skactive.exceptions import FailedRunWarning, ResultsMismatchError
from skactive.experiments import Results, run_experiment
from skactive.experiments._plain import fingerprint, plain
from skactive.experiments._records import RecordFile
from tests.experiments.stubs import BUDGET, STRATEGIES, FlatSGD, Shuffled, Unsure, digits


def run(out, estimator=None, strategies=STRATEGIES, data=None, **changes):
    settings = BUDGET | {"seeds": 1, "out": out, "progress": False} | changes
    return run_experiment(estimator or FlatSGD(), strategies, *(data or digits()), **settings)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("config")
    run(folder, n_rounds=1)
    return folder


def shifted():
    X, *others = digits()
    X = X.copy()
    X[7, 3, 3] += 1e-6
    return X, *others


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"estimator": FlatSGD(alpha=0.5)}, r"estimator\.params\.alpha was 0\.001 and is now 0\.5"),
        (
            {"estimator": make_pipeline(FlatSGD())},
            r"estimator\.class was '.+\.FlatSGD' and is now '.+\.Pipeline'\. P",
        ),
        (
            {"strategies": {"unsure": Unsure(power=2)}},
            r"strategies\.unsure\.params\.power was 1 and is now 2",
        ),
        (
            {"strategies": {"unsure": Shuffled()}},
            r"strategies\.unsure\.class was '.+\.stubs\.Unsure' and is now '.+\.stubs\.Shuffled'",
        ),
        (
            {"n_initial": 21, "n_instances": 5},
            r"n_initial was 20 and is now 21; n_instances was 10 and is now 5",
        ),
        ({"initial": "balanced"}, r"initial was 'random' and is now 'balanced'"),
        ({"data": shifted()}, r"data\.X\.checksum was '\w{16}' and is now '\w{16}'"),
    ],
)
def test_another_configuration_is_refused_and_the_difference_named(out, change, difference):
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ResultsMismatchError, match=difference) as caught:
        run(out, n_rounds=1, **change)
    assert str(caught.value).startswith(f"The results in '{out}' come from another configuration")
    assert str(caught.value).endswith(
        "Pass another out= to start anew, or the former values to continue."
    )
    assert "\n" not in str(caught.value)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_another_number_of_threads_is_another_configuration(tmp_path):
    run(tmp_path, n_rounds=0, n_threads=1)
    with pytest.raises(ResultsMismatchError, match=r"n_threads was 1 and is now 2\. Pass another"):
        run(tmp_path, n_rounds=0, n_threads=2)


def test_what_is_not_a_number_equals_itself(tmp_path):
    estimator = make_pipeline(FunctionTransformer(kw_args={"a": float("nan")}), FlatSGD(np.inf))
    assert plain(float("nan")) == plain(np.float32("nan")) == "nan"
    assert plain(estimator) == plain(estimator)
    arms = {"unsure": Unsure(power=1), "odd": (FlatSGD(), Odd())}
    first = run(tmp_path, strategies=arms, n_rounds=0).frame
    again = run(tmp_path, strategies=arms, n_rounds=0).frame
    assert again["train_seconds"].tolist() == first["train_seconds"].tolist()
    with pytest.raises(ResultsMismatchError, match=r"odd\.params\.missing was 'nan' and is now 0"):
        run(tmp_path, strategies={"odd": Odd(missing=0)}, n_rounds=0)


@pytest.mark.parametrize("read", [partial(run, n_rounds=1), lambda out: Results.load([out])])
def test_names_of_before_are_refused_and_the_new_ones_told(tmp_path, read):
    run(tmp_path, n_rounds=0)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["batch_size"] = config.pop("n_instances")
    params = {"n_samples": 2000}
    bald = {"class": "skactive.strategies.BatchBALD", "params": params}
    config["strategies"]["some"] = {
        "class": "skactive.strategies.Hybrid",
        "params": {"strategies": [{"class": "lab.BatchBALD", "params": {"n_samples": 3}}, bald]},
    }
    path.write_text(json.dumps(config))
    message = (
        r"config\.json is of an earlier skactive: batch_size of run_experiment is called "
        r"n_instances now; n_samples of BatchBALD is called n_configurations now\. Rename them in "
        r"that file, and its results are as good as before\.$"
    )
    with pytest.raises(ResultsMismatchError, match=message):
        read(tmp_path)
    config["n_instances"] = config.pop("batch_size")
    params["n_configurations"] = params.pop("n_samples")
    path.write_text(json.dumps(config))
    assert len(read(tmp_path).frame) >= 2


class Odd(Unsure):
    """A strategy with NaN for a default."""

    def __init__(self, missing=float("nan"), random_state=None):
        super().__init__(random_state=random_state)
        self.missing = missing


class Fails(FlatSGD):
    """Fails before there is anything to record."""

    def fit(self, X, y):
        raise RuntimeError("no more")


def test_a_run_that_recorded_nothing_binds_nobody(tmp_path):
    for settings in [{}, {"n_instances": 5}]:
        with pytest.raises(RuntimeError, match="no more"):
            run(tmp_path, Fails(), **settings)
    changed = run(tmp_path, n_initial=25).frame  # another estimator and another start
    assert len(changed) == 8
    assert json.loads((tmp_path / "config.json").read_text())["n_initial"] == 25
    with pytest.raises(ResultsMismatchError, match="n_initial was 25 and is now 20"):
        run(tmp_path)


def test_a_strategy_that_recorded_nothing_binds_nobody(tmp_path):
    arms = {"unsure": Unsure(), "late": (Fails(), Unsure(power=3))}
    with pytest.warns(FailedRunWarning, match="no more"):
        run(tmp_path, strategies=arms, n_rounds=0)
    frame = run(tmp_path, strategies={"late": Unsure(power=2)}, n_rounds=0).frame
    assert len(frame) == 1
    with pytest.raises(ResultsMismatchError, match=r"unsure\.params\.power was 1 and is now 2"):
        run(tmp_path, strategies={"unsure": Unsure(power=2)}, n_rounds=0)
    with pytest.raises(ResultsMismatchError, match=r"late\.params\.power was 2 and is now 3"):
        run(tmp_path, strategies={"late": Unsure(power=3)}, n_rounds=0)


def test_a_run_at_work_is_not_robbed_of_its_configuration(tmp_path):
    pytest.importorskip("fcntl")
    with RecordFile(tmp_path / "results.jsonl"):  # it has recorded nothing yet
        (tmp_path / "config.json").write_text("its own")
        with pytest.raises(InvalidParameterError, match="is in use by another run"):
            run(tmp_path)
        assert (tmp_path / "config.json").read_text() == "its own"


def test_what_changes_no_number_is_no_difference(out):
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    run(out, FlatSGD(random_state=5), {"unsure": Unsure(random_state=1)}, n_rounds=1)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_other_versions_are_recorded(tmp_path):
    run(tmp_path, n_rounds=0)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    assert {"python", "skactive", "torch", "scikit-learn"} <= config["versions"][0].keys()
    config["versions"][0]["torch"] = "0.1"
    path.write_text(json.dumps(config))
    run(tmp_path, n_rounds=0)
    versions = json.loads(path.read_text())["versions"]
    assert [v["torch"] for v in versions] == ["0.1", version("torch")]
    assert list(tmp_path.glob("*.tmp")) == []


def test_results_without_their_configuration_are_refused(tmp_path):
    run(tmp_path, n_rounds=0)
    (tmp_path / "config.json").unlink()
    message = r"holds results\.jsonl but no config\.json, .+ Pass another out="
    with pytest.raises(ResultsMismatchError, match=message):
        run(tmp_path, n_rounds=0)


def test_fingerprint_sees_values_shape_and_dtype():
    X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert fingerprint(X) == fingerprint(torch.as_tensor(X)) == fingerprint(np.asfortranarray(X))
    assert fingerprint(X)["shape"] == [2, 3, 4]
    assert fingerprint(X)["dtype"] == "float32"
    different = [X[::-1], X.reshape(4, 3, 2), X.astype(np.float64), X[:0], X[:1]]
    assert len({json.dumps(fingerprint(other)) for other in [X, *different]}) == 6
    paths = [Path("a.png"), Path("b.png")]
    assert fingerprint(paths) == fingerprint(list(paths))
    assert fingerprint(paths) != fingerprint(paths[::-1])
    assert fingerprint(["a.png", "b.png"]) != fingerprint(["a.png", "c.png"])


BIG = [np.random.default_rng(i).random((40, 40)) for i in range(3)]
HOLDERS = {
    "Series": pd.Series,
    "frame": lambda images: pd.DataFrame({"image": images}),
    "objects": lambda images: pd.Series(images).to_numpy(),
    "of several sizes": lambda images: [*images, np.zeros((2, 3))],
    "tensors": lambda images: [torch.tensor(i, requires_grad=True) for i in images],
    "dicts": lambda images: pd.Series([{"image": image, "label": 1} for image in images]),
    "PIL": lambda images: pd.Series([Image.fromarray(i.astype("float32")) for i in images]),
    "csr_matrix": lambda images: sp.csr_matrix(images[1]),
    "coo_array": lambda images: sp.coo_array(images[1]),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_fingerprint_sees_the_values_in_objects(holder):
    """Reprs leave out the middle of large arrays; of sparse ones NumPy makes an object."""
    other = [image.copy() for image in BIG]
    other[1][20, 20] += 1
    make = HOLDERS[holder]
    assert fingerprint(make(BIG)) == fingerprint(make([image.copy() for image in BIG]))
    assert fingerprint(make(BIG)) != fingerprint(make(other))
    assert plain(make(BIG)) == plain(make([image.copy() for image in BIG]))
    assert plain(make(BIG)) != plain(make(other))


def test_parameters_become_what_json_can_hold():
    assert plain(np.float32(0.5)) == 0.5
    assert plain(np.array(3)) == plain(torch.tensor(3))
    assert plain((1, range(2), None)) == [1, [0, 1], None]
    assert plain({"lr": np.int64(3)}) == {"lr": 3}
    assert plain(np.linalg.norm) == "numpy.linalg.norm"
    assert plain(torch.nn.ReLU) == "torch.nn.modules.activation.ReLU"
    assert plain(type(FlatSGD())) == "tests.experiments.stubs.FlatSGD"
    assert plain(run_experiment) == "skactive.experiments.run_experiment"
    assert plain(object()) == "<object object>"
    assert plain(date(2020, 1, 2)) == "datetime.date(2020, 1, 2)"
    assert plain(b"abc") == plain(bytes(bytearray(b"abc"))) != plain(b"abd")
    frames = f"{pd.Series.__module__}.Series"  # pandas.core.series before pandas 3
    assert plain([pd.Series, sp.csr_matrix]) == [frames, "scipy.sparse.csr_matrix"]
    assert " at 0x" not in plain(partial(sorted, key=np.linalg.norm))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        one, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    assert plain(one) == plain(one)
    assert plain(one)["layers"] == plain(other)["layers"]
    assert plain(one)["weights"] != plain(other)["weights"]
    nested = plain(make_pipeline(FunctionTransformer(np.ravel), FlatSGD(random_state=3)))
    assert nested["params"]["steps"][1] == [
        "flatsgd",
        {"class": "tests.experiments.stubs.FlatSGD", "params": {"alpha": 0.001}},
    ]


@pytest.mark.parametrize("function", [lambda X: X, partial(sorted, key=lambda x: x)])
def test_lambdas_cannot_be_told_apart(tmp_path, function):
    estimator = make_pipeline(FunctionTransformer(function), FlatSGD())
    message = r"cannot tell .*<lambda>.* from another lambda, .* Give the function a name with def"
    with pytest.raises(InvalidParameterError, match=message):
        run(tmp_path / "new", estimator)
    assert not (tmp_path / "new").exists()


def test_a_strategy_may_be_called_class(tmp_path):
    run(tmp_path, strategies={"unsure": Unsure()}, n_rounds=0)
    message = r"strategies\.unsure\.params\.power was 1 and is now 2\. Pass"
    with pytest.raises(ResultsMismatchError, match=message):
        run(tmp_path, strategies={"class": Shuffled(), "unsure": Unsure(power=2)}, n_rounds=0)


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
@pytest.mark.parametrize("name", ["config.json", "failures.json"])
def test_a_damaged_file_is_named(name, content, tmp_path):
    X, y, X_test, y_test = digits()

    def run():
        run_experiment(
            *(FlatSGD(), {"shuffled": Shuffled()}, X, y, X_test, y_test),
            **{**BUDGET, "n_rounds": 0, "seeds": 1, "out": tmp_path, "progress": False},
        )

    run()
    content = "{}" if (name, content) == ("failures.json", "[]") else content
    (tmp_path / name).write_text(content)
    match = f"{name} is damaged: it is not what run_experiment has written. Put back a copy"
    for read in (run, lambda: Results.load(tmp_path)):
        with pytest.raises(InvalidParameterError, match=match):
            read()


def test_where_no_folder_can_be(tmp_path):
    X, y, X_test, y_test = digits()
    (tmp_path / "file").touch()
    for out, match in [
        (3, "Got 3 instead. Leave it out to keep nothing"),
        ("", "Got '' instead. Leave it out"),
        (b"folder", "Got b'folder' instead"),
        (tmp_path / "file" / "a" / "b", "file is a file"),
    ]:
        with pytest.raises(
            ValueError, match=f"'out' .* a folder, or a path to make one at. .*{match}"
        ):
            run_experiment(
                *(FlatSGD(), {"shuffled": Shuffled()}, X, y, X_test, y_test),
                **{**BUDGET, "seeds": 1, "out": out, "progress": False},
            )
