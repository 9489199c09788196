"""CNNClassifier inside scikit-learn's tools, on images."""

import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skactive import CNNClassifier


def make(**params):
    return CNNClassifier(**{"max_epochs": 4, "random_state": 0, "device": "cpu", **params})


def flat(data):
    return data[0].reshape(len(data[0]), -1), data[1]


def test_pipeline_after_a_scaler(data, new_data):
    pipeline = make_pipeline(StandardScaler(), make(input_shape=(1, 10, 10), max_epochs=15))
    pipeline.fit(*flat(data))
    assert pipeline.score(*flat(new_data)) > 0.8
    assert pipeline[-1].module_.network.stages[0][0][0].in_channels == 1


def test_data_frames_of_flat_images(data):
    X, y = flat(data)
    frame = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(100)])
    pipeline = make_pipeline(StandardScaler(), make(input_shape=(10, 10)))
    expected = pipeline.fit(X, y).predict_proba(X)
    pipeline.set_output(transform="pandas")
    np.testing.assert_array_equal(pipeline.fit(frame, y).predict_proba(frame), expected)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        make(input_shape=(10, 10)).fit(sp.csr_array(X), y)


def test_grid_search_over_lr_and_width(data):
    grid = {"lr": [1e-6, 0.05], "module__width": [4, 8]}
    search = GridSearchCV(make(max_epochs=10), grid, cv=3).fit(*data)
    assert search.best_params_["lr"] == 0.05
    best = search.best_estimator_
    width = search.best_params_["module__width"]
    assert best.module_.network.fc.in_features == 4 * width
    assert search.best_score_ > 0.5
    assert len(set(np.round(search.cv_results_["mean_test_score"], 6))) > 1


def test_cross_val_score(data):
    scores = cross_val_score(make(max_epochs=10), *data, cv=3)
    assert scores.shape == (3,)
    assert scores.mean() > 0.6


def test_calibration_and_voting(data, new_data):
    calibrated = CalibratedClassifierCV(make(max_epochs=10), cv=3).fit(*data)
    assert calibrated.score(*new_data) > 0.6
    members = [
        ("a", make(max_epochs=10)),
        ("b", make(module="resnet18", module_params={"width": 4}, max_epochs=10)),
    ]
    y = np.asarray(["x", "y", "z"])[data[1]]
    vote = VotingClassifier(members, voting="soft").fit(data[0], y)
    assert vote.score(new_data[0], np.asarray(["x", "y", "z"])[new_data[1]]) > 0.6


@pytest.mark.parametrize("way", ["pickle", "joblib"])
def test_stored_and_loaded(data, way):
    clf = make().fit(*data)
    if way == "pickle":
        again = pickle.loads(pickle.dumps(clf))
    else:
        file = io.BytesIO()
        joblib.dump(clf, file)
        file.seek(0)
        again = joblib.load(file)
    np.testing.assert_array_equal(again.predict_proba(data[0]), clf.predict_proba(data[0]))
    again.partial_fit(*data)  # optimizer and net have survived, too
    assert len(again.history_) == 5


def test_clone_and_nested_parameters():
    clf = make(module_params={"width": 8})
    copy = clone(clf).set_params(module__width=4, optimizer__nesterov=True, net__train_split=None)
    assert clf.module_params == {"width": 8}
    assert copy.module_params == {"width": 4}
    params = copy.get_params()
    assert params["module__width"] == 4
    assert params["optimizer__nesterov"] is True
    assert " ".join(repr(clf).split()) == (
        "CNNClassifier(device='cpu', max_epochs=4, module_params={'width': 8}, random_state=0)"
    )
    with pytest.raises(ValueError, match="Invalid parameter 'widht'"):
        clf.set_params(widht=3)


def test_nested_parameters_reach_optimizer_and_net(data):
    clf = make(optimizer_params={"nesterov": True}, net_params={"criterion__label_smoothing": 0.1})
    clf.fit(*data)
    assert clf.net_.optimizer_.defaults["nesterov"] is True
    assert clf.net_.criterion_.label_smoothing == 0.1
    adam = make(optimizer="adam", lr=1e-3).fit(*data)
    assert type(adam.net_.optimizer_).__name__ == "Adam"
    assert adam.net_.optimizer_.defaults["weight_decay"] == 5e-4


def test_the_inner_net_is_a_skorch_classifier_on_stored_samples(data):
    clf = make().fit(*data)
    np.testing.assert_allclose(
        clf.net_.predict_proba(data[0]), clf.predict_proba(data[0]), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(clf.net_.classes_, [0, 1, 2])


def test_no_tensor_of_the_device_is_pickled_outside_skorchs_portable_part(data):
    """skorch stores the network and the optimizer so that a CUDA model loads on a CPU.

    Anything else that held one of their tensors would be pickled as it is, and fail there.
    """
    clf = make(optimizer="adam", lr=1e-3, augment="flip", train_split=0.2).fit(*data)
    net = clf.net_
    tensors = [*net.module_.parameters(), *net.module_.buffers(), *net.criterion_.parameters()]
    tensors += [v for s in net.optimizer_.state.values() for v in s.values()]
    known = {id(tensor) for tensor in tensors}

    class Watch(pickle.Pickler):
        found = 0

        def persistent_id(self, obj):
            Watch.found += id(obj) in known

    state = net.__getstate__()
    assert len(state.pop("__cuda_dependent_attributes__")) > 1000
    Watch(io.BytesIO()).dump({"net": state, **{k: v for k, v in vars(clf).items() if k != "net_"}})
    assert Watch.found == 0
    Watch(io.BytesIO()).dump(tensors[0])
    assert Watch.found == 1  # it does see them
