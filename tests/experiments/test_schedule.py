"""Rounds in processes of their own, and on a Dask cluster: the same numbers, nothing lost."""

import os
import signal
from contextlib import suppress

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from joblib.externals.loky import get_reusable_executor

from skactive import CNNClassifier
from skactive.exceptions import FailedRunWarning
from skactive.experiments import Protocol, Results, run_experiment
from tests.experiments import killed_run
from tests.experiments.stubs import BUDGET, STRATEGIES, FlatSGD, Shuffled, Unsure, digits, numbers
from tests.forked import forked


def run(out=None, strategies=STRATEGIES, estimator=None, **changes):
    settings = BUDGET | {"seeds": 2, "out": out, "progress": False} | changes
    return run_experiment(estimator or FlatSGD(), strategies, *digits(), **settings)


@pytest.fixture(scope="module")
def serial():
    return numbers(run())


class InProcess(FlatSGD):
    """Notes the process that it was trained in."""

    def fit(self, X, y):
        self.process_ = os.getpid()
        return super().fit(X, y)


def process_of(fitted, X, y):
    return fitted.process_


DIES = "SKACTIVE_TEST_DIES"  # an environment variable: the configuration sees code and globals


class Dies(FlatSGD):
    """Takes its process with it when it has seen enough, if it is told to."""

    def fit(self, X, y):
        if len(y) == 40 and DIES in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.mark.slow
def test_processes_give_the_numbers_of_one(tmp_path, serial):
    results = run(tmp_path, n_jobs=2)
    pd.testing.assert_frame_equal(numbers(results), serial, check_exact=True)
    pd.testing.assert_frame_equal(numbers(Results.load(tmp_path)), serial, check_exact=True)
    expected = [(s, n) for n in range(2) for s in STRATEGIES for _ in range(4)]
    assert list(zip(results.frame["strategy"], results.frame["seed"], strict=True)) == expected


@pytest.mark.slow
def test_they_are_processes_with_the_threads_asked_for():
    threads = torch.get_num_threads()
    settings = {"n_jobs": 2, "n_rounds": 1, "n_threads": threads + 1}
    frame = run(estimator=InProcess(), metrics={"process": process_of}, **settings).frame
    assert os.getpid() not in set(frame["process"])
    assert set(frame["n_threads"]) == {threads + 1}
    assert torch.get_num_threads() == threads


@pytest.mark.slow
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_network_is_trained_alike_wherever_it_is(warm_start):
    network = CNNClassifier(
        "small_cnn", classes=range(10), max_epochs=1, module_params={"width": 2}
    )
    settings = {"estimator": network, "n_rounds": 2, "protocol": Protocol(warm_start=warm_start)}
    here, there = run(**settings), run(**settings, n_jobs=2)
    pd.testing.assert_frame_equal(numbers(there), numbers(here), check_exact=True)


@pytest.mark.slow
def test_killed_with_its_processes_at_work_it_ends_with_the_same_numbers(tmp_path, serial):
    results = tmp_path / "results.jsonl"
    killed = forked(killed_run.main, tmp_path, "write:4", 2)
    assert killed.exitcode == -9
    with suppress(ProcessLookupError):  # its workers live on for a while, or have ended already
        os.killpg(killed.pid, signal.SIGKILL)
    content = results.read_bytes()
    assert content.count(b"\n") == 3
    assert not content.endswith(b"\n")
    continued = run(tmp_path)
    pd.testing.assert_frame_equal(numbers(continued), serial, check_exact=True)
    assert results.read_bytes().count(b"\n") == 16


@pytest.mark.slow
def test_a_killed_worker_costs_the_rounds_at_work_only(tmp_path, serial, monkeypatch):
    get_reusable_executor().shutdown()  # workers have the environment that they started in
    monkeypatch.setenv(DIES, "1")
    with pytest.raises(joblib.externals.loky.process_executor.TerminatedWorkerError):
        run(tmp_path, estimator=Dies(), n_jobs=2)
    monkeypatch.delenv(DIES)
    kept = Results.load(tmp_path).frame
    assert len(kept) == 8  # two rounds of each run; the third was the one that killed
    continued = run(tmp_path, estimator=Dies(), n_jobs=2)
    pd.testing.assert_frame_equal(numbers(continued), serial, check_exact=True)


@pytest.mark.slow
def test_an_error_in_a_process_is_told_here_and_the_others_are_finished(tmp_path):
    class Fails(Shuffled):
        def select(self, estimator, X_pool, n_instances, **labelled):
            if len(X_pool) < 270:
                raise RuntimeError("no more")
            return super().select(estimator, X_pool, n_instances, **labelled)

    with pytest.warns(FailedRunWarning, match=r"'fails' with seed 0 .*RuntimeError: no more"):
        run(tmp_path, {"fails": Fails(), "unsure": Unsure()}, n_jobs=2)
    assert len(Results.load(tmp_path).frame) == 2 * (2 + 4)


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_numbers(tmp_path, serial):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client, joblib.parallel_config("dask"):
        results = run(tmp_path, estimator=InProcess(), metrics={"process": process_of}, n_jobs=-1)
        workers = {info["pid"] for info in client.run(_pid_info).values()}
    used = set(results.frame["process"].astype(int))
    assert used <= workers
    assert os.getpid() not in used
    frame = numbers(results).drop(columns="process")
    pd.testing.assert_frame_equal(frame, serial, check_exact=True)


def _pid_info():
    return {"pid": os.getpid()}


def test_all_cores_are_a_count_too(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")  # one process each; some machines have 64
    frame = run(n_jobs=-1, n_rounds=0, seeds=1).frame
    assert frame["strategy"].tolist() == list(STRATEGIES)


@pytest.mark.parametrize("n_jobs", [0, 1.0, True, None])
def test_n_jobs_must_be_a_count(n_jobs):
    message = r"'n_jobs' .* must be an int of at least 1, or -1 for one per core\. Got"
    with pytest.raises(ValueError, match=message):
        run(n_jobs=n_jobs)


def test_n_threads_must_be_a_count():
    with pytest.raises(ValueError, match=r"'n_threads' .* must be an int of at least 1\. Got 0"):
        run(n_threads=0)


def test_threads_are_set_in_this_process_for_the_run_only():
    threads = torch.get_num_threads()
    frame = run(n_threads=threads + 1, n_rounds=0, seeds=1).frame
    assert set(frame["n_threads"]) == {threads + 1}
    assert torch.get_num_threads() == threads
    assert np.isfinite(frame["peak_memory"]).all()
