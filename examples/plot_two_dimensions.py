"""
What strategies ask for, in two dimensions
==========================================

A pool whose samples are points in the plane can be seen as a whole. Here a small network has seen
twelve labelled points of three classes, and nine strategies each choose ten more. The colours in
the background are what the network predicts now: pale where it is unsure.
"""

# %%
# The pool, and a network that has seen little of it
# --------------------------------------------------
#
# Three spirals that wind around each other. The strategies see the points in grey only without
# their classes.

import os

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from skactive import (
    BADGE,
    BAIT,
    CNNClassifier,
    CoreSet,
    Entropy,
    FisherMask,
    Margin,
    PowerBALD,
    Random,
    TypiClust,
)

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
COLOURS = np.array([to_rgb(c) for c in ("#0072B2", "#E69F00", "#009E73")])

rng = np.random.default_rng(0)
n = 150
radius = np.sqrt(rng.uniform(0.05, 1, (3, n)))
angle = 2.6 * radius + np.array([[0], [2.1], [4.2]]) + rng.normal(0, 0.12, (3, n))
X = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1, 2)
X = X.astype(np.float32)
y = np.repeat([0, 1, 2], n)

labelled = np.concatenate([rng.choice(np.flatnonzero(y == c), 4, replace=False) for c in range(3)])
pool = np.delete(np.arange(len(X)), labelled)

clf = CNNClassifier(
    classes=[0, 1, 2],
    module_params={"dropout": 0.2, "width": 64},
    max_epochs=20 if SMOKE else 150,
    batch_size=12,
    random_state=0,
)
clf.fit(X[labelled], y[labelled])

# %%
# Nine strategies
# ---------------
#
# Every strategy has `select`: a fitted estimator and the pool in, positions in the pool out. Those
# that compare the pool with what is labelled already get the labelled points as well.

strategies = {
    "Random": Random(random_state=0),
    "Margin": Margin(),
    "Entropy": Entropy(),
    "PowerBALD": PowerBALD(random_state=0),
    "CoreSet": CoreSet(),
    "TypiClust": TypiClust(random_state=0),
    "BADGE": BADGE(random_state=0),
    "BAIT": BAIT(random_state=0),
    "FisherMask": FisherMask(random_state=0),
}
picks = {
    name: pool[
        strategy.select(clf, X[pool], 10, X_labelled=X[labelled], y_labelled=y[labelled]).indices
    ]
    for name, strategy in strategies.items()
}

# %%
# What they chose
# ---------------
#
# *Random* looks at nothing. *Margin* and *Entropy* look at each point by itself: they go where the
# network changes its mind, and several picks lie side by side, where one label would have said what
# the others say. *PowerBALD* draws its picks at random, with a preference for points on which
# draws of the network disagree. *CoreSet* and *TypiClust* look at where points are, and not at how
# sure the network is: they go along the arms of the spirals, away from what is labelled. *BADGE*,
# *BAIT* and *FisherMask* go where the network is unsure as well, and share their picks among the
# places where it is: what one label says about the network need not be asked again.

side = np.linspace(-1.25, 1.25, 60 if SMOKE else 160, dtype=np.float32)
grid = np.stack(np.meshgrid(side, side), axis=-1)
p = clf.predict_proba(grid.reshape(-1, 2)).reshape(*grid.shape[:2], 3)
background = 0.55 * (p @ COLOURS) + 0.45

fig, axes = plt.subplots(3, 3, figsize=(9, 9.4), layout="constrained")
for ax, (name, chosen) in zip(axes.flat, picks.items(), strict=True):
    ax.imshow(
        background, extent=(-1.25, 1.25, -1.25, 1.25), origin="lower", interpolation="bilinear"
    )
    ax.scatter(*X[pool].T, s=5, c="0.35", alpha=0.5, linewidths=0)
    ax.scatter(
        *X[labelled].T,
        s=42,
        c=COLOURS[y[labelled]],
        marker="s",
        edgecolors="white",
        label="labelled",
    )
    ax.scatter(
        *X[chosen].T, s=70, facecolors="none", edgecolors="black", linewidths=1.6, label="asked for"
    )
    ax.set(title=name, xticks=[], yticks=[])
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()
