"""
What moves when the target moves
================================

Fisher selection lowers the expected error *on average over something*: the pool, unless it is told
otherwise. Here the pool is imbalanced, in two dimensions, so that one sees which questions change.
"""

# %%
# An imbalanced pool, and a network that has seen little of it
# ------------------------------------------------------------
#
# Blue has fifteen times as many points as orange or green, in two clouds; the others meet below.

import os

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from skactive import BAIT, CNNClassifier

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
COLOURS = np.array([to_rgb(c) for c in ("#0072B2", "#E69F00", "#009E73")])

rng = np.random.default_rng(0)
clouds = [((-0.6, 0.3), 0, 300), ((0.6, 0.3), 0, 300), ((-0.3, -0.6), 1, 40), ((0.3, -0.6), 2, 40)]
X = np.concatenate([rng.normal(at, 0.25, (size, 2)) for at, _, size in clouds]).astype(np.float32)
y = np.concatenate([np.full(size, label) for _, label, size in clouds])

labelled = np.concatenate([rng.choice(np.flatnonzero(y == c), 4, replace=False) for c in range(3)])
pool = np.delete(np.arange(len(X)), labelled)

clf = CNNClassifier(
    classes=[0, 1, 2],
    module_params={"width": 64},
    max_epochs=20 if SMOKE else 60,
    batch_size=12,
    random_state=0,
)
clf.fit(X[labelled], y[labelled])

# %%
# Three targets
# -------------
#
# "pool" is the default. "balanced" weights the pool so that the predicted classes count alike. And
# unlabelled samples say where the network will be used: here on the right, around green.

to_come = rng.normal((0.6, -0.2), 0.2, (100, 2)).astype(np.float32)
targets = {
    'target="pool"': ({}, {}),
    'target="balanced"': ({"target": "balanced"}, {}),
    "X_target": ({}, {"X_target": to_come}),
}
picks = {}
for name, (parameters, aim) in targets.items():
    chosen = BAIT(**parameters).select(
        clf, X[pool], 20, X_labelled=X[labelled], y_labelled=y[labelled], **aim
    )
    picks[name] = pool[chosen.indices]
    below, right = X[picks[name], 1] < -0.3, X[picks[name], 0] > 0
    print(f"{name}: of 20 picks {below.sum()} are below, {right.sum()} on the right")

# %%
# What they ask for
# -----------------
#
# The picks of the first lie along the border of blue, where most points are that the network is
# unsure about. With classes that count alike little moves here, a pick or two from the far left
# towards the middle, since the border of blue is that of the rare classes too. With samples to come
# as the target the picks move to where these are, in black, and the left side, about which nothing
# will be asked, goes without. It is an objective and no guarantee: on real pools a balanced target
# takes fewer labels of the majority, and is no better than Margin in general.

side = np.linspace(-1.5, 1.5, 60 if SMOKE else 160, dtype=np.float32)
grid = np.stack(np.meshgrid(side, side), axis=-1)
p = clf.predict_proba(grid.reshape(-1, 2)).reshape(*grid.shape[:2], 3)
background = 0.55 * (p @ COLOURS) + 0.45

fig, axes = plt.subplots(1, 3, figsize=(10, 3.7), layout="constrained")
for ax, (name, chosen) in zip(axes, picks.items(), strict=True):
    ax.imshow(background, extent=(-1.5, 1.5, -1.5, 1.5), origin="lower", interpolation="bilinear")
    ax.scatter(*X[pool].T, s=5, c=COLOURS[y[pool]], alpha=0.5, linewidths=0)
    if name == "X_target":
        ax.scatter(*to_come.T, s=3, c="k", marker=".")
    ax.scatter(*X[labelled].T, s=42, c=COLOURS[y[labelled]], edgecolors="k", marker="s")
    ax.scatter(*X[chosen].T, s=46, facecolors="none", edgecolors="crimson", linewidths=1.6)
    ax.set(title=name, xticks=[], yticks=[], xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))
fig.suptitle("Squares: labelled. Red circles: asked for. Dots in black: samples to come.")
plt.show()
