"""
A pool in which the rare classes matter
=======================================

Of the clothes in this pool nearly nine in ten are trousers. Whoever labels at random labels
trousers. What do strategies make of it?
"""

# %%
# The pool
# --------
#
# T-shirts, trousers, pullovers and dresses, 1 : 20 : 1 : 1, as in FisherMask's paper; the test
# images are balanced.

import os

import matplotlib.pyplot as plt
import numpy as np

from skactive import ClassBalanced, CNNClassifier, CoreSet, Entropy, FisherMask, Random
from skactive.datasets import load_fashion_mnist, make_imbalanced
from skactive.experiments import run_experiment

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
data = load_fashion_mnist()
counts = {0: 15, 1: 300, 2: 15, 3: 15}
X, y = make_imbalanced(data.X_train, data.y_train, counts, random_state=0)
shown = np.isin(data.y_test, list(counts))

strategies = {
    "Random": Random(),
    "Entropy": Entropy(),
    "class-balanced Entropy": ClassBalanced(Entropy()),
    "CoreSet": CoreSet(),
    "FisherMask": FisherMask(),
}
results = run_experiment(
    CNNClassifier("small_cnn", classes=list(counts), max_epochs=2 if SMOKE else 20),
    strategies,
    X,
    y,
    data.X_test[shown],
    data.y_test[shown],
    n_initial=20,
    n_instances=15,
    n_rounds=2 if SMOKE else 4,
    seeds=1 if SMOKE else 2,
    progress=False,
)

# %%
# What they asked for, and what it was good for
# ---------------------------------------------
#
# On the left the classes of all images that were asked for, on average over the seeds; on the right
# the accuracy on the balanced test images. There are 45 images of the rare classes in all, and some
# of them were among the first labels. The seeds are few: `examples/fishermask.py` runs more of
# them, for longer.

found = {name: [] for name in strategies}
for (name, _), rounds in results.frame.groupby(["strategy", "seed"], sort=False):
    asked = np.concatenate([np.array(queried, dtype=int) for queried in rounds["queried"]])
    found[name].append(np.bincount(y[asked], minlength=4))
found = {name: np.mean(counted, axis=0) for name, counted in found.items()}

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", width_ratios=[3, 2])
start = np.zeros(len(found))
for c, colour in zip((1, 0, 2, 3), ("0.8", "#0072B2", "#E69F00", "#009E73"), strict=True):
    width = np.array([counted[c] for counted in found.values()])
    left.barh(list(found), width, left=start, color=colour, label=data.target_names[c])
    start += width
left.invert_yaxis()
left.set_xlabel("images asked for")
left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, frameon=False)

last = results.frame[results.frame["round"] == results.frame["round"].max()]
for row, name in enumerate(strategies):
    accuracy = last.loc[last["strategy"] == name, "accuracy"]
    right.scatter(accuracy, [row] * len(accuracy), c="#0072B2", alpha=0.6)
    right.scatter(accuracy.mean(), row, c="black", marker="|", s=200)
right.set_yticks(range(len(strategies)), [])
right.set_ylim(left.get_ylim())
right.set_xlabel("test accuracy at the end, one dot per seed")
plt.show()
