"""Channels last: where oneDNN is right with them, and nowhere else."""

import os
import subprocess
import sys

import numpy as np
import pytest

from skactive import CNNClassifier


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["DEFAULT", "AVX2"])
def test_gradients_of_named_networks_in_all_layouts(instructions):
    """oneDNN's backward pass of strided 1×1 convolutions crashed, or was wrong (oneDNN#6035)."""
    subprocess.run(
        [sys.executable, "-m", "tests.estimators.gradients_of_layouts"],
        check=True,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": instructions},
    )


@pytest.mark.parametrize(
    ("module", "width", "channels_last"),
    [
        ("small_cnn", 8, True),
        ("vgg11", 8, True),
        ("resnet18", 16, True),
        ("resnet18", 15, False),
        ("resnet18_narrow", 16, True),
    ],
)
def test_networks_keep_channels_last_where_that_is_safe(module, width, channels_last):
    clf = CNNClassifier(module, module_params={"width": width}, max_epochs=1, device="cpu")
    clf.fit(np.zeros((4, 32, 32, 3), "uint8"), [0, 1, 0, 1])
    assert clf.module_.input.channels_last is channels_last
