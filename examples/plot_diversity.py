"""
Four ways to be diverse
=======================

The first labels have to be chosen before any network is worth asking. What is known then is where
the samples are: embeddings, from a network that was trained on something else. Here the embeddings
are points in the plane, and four strategies choose six of them without a single label.
"""

# %%
# A pool with clusters of different sizes, and a few outliers
# -----------------------------------------------------------

import os

import matplotlib.pyplot as plt
import numpy as np

from skactive import CoreSet, KMeansSampling, ProbCover, TypiClust

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
rng = np.random.default_rng(1)
centres = np.array([[0, 0], [5, 1], [2, 5], [-4, 3], [-3, -4], [5, -4]])
sizes = np.array([200, 120, 80, 60, 40, 30]) // (4 if SMOKE else 1)
X = np.concatenate([rng.normal(c, 0.8, (n, 2)) for c, n in zip(centres, sizes, strict=True)])
X = np.concatenate([X, rng.uniform(-9, 9, (15, 2))])

# %%
# `embeddings=` says where the embeddings come from: a function of samples, a fitted transformer or
# a torch module. Here the samples are their own embeddings. No estimator is needed, so it is None.


def identity(samples):
    return samples


radius = 1.6
strategies = [
    CoreSet(embeddings=identity, random_state=0),
    KMeansSampling(embeddings=identity, random_state=0),
    TypiClust(embeddings=identity, normalize=False, random_state=0),
    ProbCover(embeddings=identity, delta=radius, normalize=False, random_state=0),
]
picks = [strategy.select(None, X, 6).indices for strategy in strategies]

# %%
# What they chose
# ---------------
#
# The numbers are the order of the picks. *CoreSet* goes as far away as it can from what it has:
# that covers everything, and asks for outliers first. *KMeansSampling* takes the sample nearest to
# each centre of six clusters. *TypiClust* does the same with the densest sample of each cluster,
# the largest clusters first. *ProbCover* puts balls of a given radius where they hold the most
# samples that no other ball holds; it spends nothing on the outliers.

fig, axes = plt.subplots(2, 2, figsize=(8.5, 8.5), layout="constrained", sharex=True, sharey=True)
for ax, strategy, chosen in zip(axes.flat, strategies, picks, strict=True):
    ax.scatter(*X.T, s=8, c="0.6", linewidths=0)
    ax.scatter(*X[chosen].T, s=140, c="#0072B2", edgecolors="white")
    for order, i in enumerate(chosen, start=1):
        ax.annotate(order, X[i], color="white", ha="center", va="center", fontsize=9)
        if isinstance(strategy, ProbCover):
            ax.add_patch(plt.Circle(X[i], radius, fill=False, color="#0072B2", linewidth=0.8))
    ax.set(title=type(strategy).__name__, aspect="equal", xticks=[], yticks=[])
plt.show()
