"""
What FisherMask asks for, and what Entropy asks for
===================================================

The same network, the same pool of clothes, twenty labels to spend. Entropy asks for the images that
the network is least sure of, one by one. FisherMask asks for the batch that together says most
about the network's parameters.
"""

# %%
# A network that has seen 100 images
# ----------------------------------

import os

import matplotlib.pyplot as plt
import numpy as np

from skactive import CNNClassifier, Entropy, FisherMask
from skactive.datasets import load_fashion_mnist

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
data = load_fashion_mnist()
X_labelled, y_labelled = data.X_train[:100], data.y_train[:100]
end = 300 if SMOKE else 2000
X_pool, y_pool = data.X_train[100:end], data.y_train[100:end]

clf = CNNClassifier("small_cnn", max_epochs=2 if SMOKE else 20, random_state=0)
clf.fit(X_labelled, y_labelled)

# %%
# Twenty images each
# ------------------

strategies = {"Entropy": Entropy(), "FisherMask": FisherMask(n_samples=256, random_state=0)}
chosen = {
    name: strategy.select(clf, X_pool, 20, X_labelled=X_labelled, y_labelled=y_labelled).indices
    for name, strategy in strategies.items()
}

# %%
# Side by side
# ------------
#
# Below the images, their classes, and the entropy of each of them (orange) in the pool (grey).
# Entropy's images are the extreme right of it, by definition. FisherMask takes uncertain images
# as well, yet not the most uncertain ones at any price; and it may ask for several of one class, if
# they differ in what they say about the network. A class is a person's idea of what is alike.

p = clf.predict_proba(X_pool)
entropy = -np.sum(p * np.log(np.maximum(p, 1e-12)), axis=1)
classes = np.arange(10)
fig = plt.figure(figsize=(10, 9), layout="constrained")
for panel, (name, positions) in zip(fig.subfigures(1, 2), chosen.items(), strict=True):
    panel.suptitle(name, fontsize=14)
    top, bottom = panel.subfigures(2, 1, height_ratios=[5, 4])
    for ax, i in zip(top.subplots(4, 5).flat, positions, strict=True):
        ax.imshow(X_pool[i], cmap="gray_r")
        ax.set_title(data.target_names[y_pool[i]], fontsize=8)
        ax.axis("off")
    bars, histogram = bottom.subplots(2, 1)
    bars.bar(classes, np.bincount(y_pool[positions], minlength=10), color="#0072B2")
    bars.set_xticks(classes, data.target_names, rotation=30, ha="right", fontsize=8)
    bars.set(ylabel="images", ylim=(0, 10))
    histogram.hist(entropy, bins=30, color="0.8")
    histogram.vlines(
        entropy[positions], 0, 0.25, color="#D55E00", transform=histogram.get_xaxis_transform()
    )
    histogram.set(xlabel="entropy (nats)", ylabel="images of the pool")
plt.show()
