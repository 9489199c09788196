"""
Learning curves, and how sure they are
======================================

One run proves nothing: which images are labelled first and how the weights begin matter as much as
the strategy. :func:`~skactive.experiments.run_experiment` gives every strategy the same starts, as
many times as there are seeds.
"""

# %%
# Three strategies on handwritten digits
# --------------------------------------
#
# scikit-learn's digits and the small network for rows train in a second, so that five seeds are
# affordable here. With `out="folder"` an experiment keeps its finished rounds and goes on after a
# kill.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skactive import BADGE, CNNClassifier, Margin, Random
from skactive.experiments import run_experiment
from skactive.plotting import LearningCurvesDisplay

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)
X_pool, X_test, y_pool, y_test = train_test_split(X, y, test_size=600, random_state=0)

clf = CNNClassifier(classes=range(10), max_epochs=2 if SMOKE else 20)
results = run_experiment(
    clf,
    [BADGE(), Margin(), Random()],
    X_pool,
    y_pool,
    X_test,
    y_test,
    n_initial=20,
    n_instances=20,
    n_rounds=1 if SMOKE else 6,
    seeds=2 if SMOKE else 5,
    progress=False,
)
print(results.to_text())

# %%
# The curves
# ----------
#
# The lines are means over the seeds, and the bands are bootstrap intervals of them (95 %). Look
# at the bands before the lines: where they overlap widely, other seeds might have told another
# story.

display = LearningCurvesDisplay.from_results(results, interval="bootstrap")
plt.show()
