"""Pictures are drawn without a screen, and none stays open."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def headless():
    with mpl.rc_context():
        plt.switch_backend("Agg")
        yield
        plt.close("all")
