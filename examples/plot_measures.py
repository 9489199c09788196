"""
Three measures of doubt
=======================

With three classes, all that a network can predict fits into a triangle: a corner is certainty, the
middle is "I don't know". Least confidence, margin and entropy agree in these four points, and
nowhere else.
"""

# %%
# Probabilities in, utilities out
# -------------------------------
#
# A strategy reads any classifier's ``predict_proba``. One whose samples *are* the probabilities
# turns each strategy into a function on the triangle.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skactive import Entropy, LeastConfidence, Margin

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs


class Echo(ClassifierMixin, BaseEstimator):
    """Predicts what it is given."""

    def fit(self, X, y):
        """Note the classes."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        """Return the samples."""
        return np.asarray(X)


echo = Echo().fit(np.eye(3), [0, 1, 2])
steps = 40 if SMOKE else 120
a, b = np.meshgrid(np.arange(steps + 1), np.arange(steps + 1))
inside = a + b <= steps
P = np.stack([a[inside], b[inside], steps - (a + b)[inside]], axis=1) / steps

# The place of (p1, p2, p3) in the plane: the mean of the corners, with p as weights.
corners = np.array([[0, 0], [1, 0], [0.5, np.sqrt(3) / 2]])
place = P @ corners

# %%
# Where each is large
# -------------------
#
# Darker is asked for earlier. *Least confidence* sees only the largest probability. *Margin* asks
# for all that lies between two classes, however improbable the third: its dark lines are the
# decision boundaries. *Entropy* prefers doubt among all three, and a sample halfway between two
# classes is not so interesting to it. Where there are many classes, entropy is easily taken in by
# small probabilities of classes that nobody would consider, so margin is the safer choice.

fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
for ax, strategy in zip(axes, [LeastConfidence(), Margin(), Entropy()], strict=True):
    utilities = strategy.select(echo, P, 1).utilities
    ax.tricontourf(*place.T, utilities, levels=12, cmap="Blues")
    ax.tricontour(*place.T, utilities, levels=12, colors="white", linewidths=0.5)
    ax.plot(*corners[[0, 1, 2, 0]].T, color="black", linewidth=1)
    for corner, name, shift in zip(
        corners, ["class 1", "class 2", "class 3"], [-12, -12, 5], strict=True
    ):
        ax.annotate(name, corner, xytext=(0, shift), textcoords="offset points", ha="center")
    ax.set(title=type(strategy).__name__, aspect="equal", ylim=(-0.12, 0.98))
    ax.axis("off")
plt.show()
