"""
A network from torchvision
==========================

Any of torchvision's classification networks is a name away. The last layer is given one output per
class, and the first one input per channel of the images.
"""

# %%
# A ShuffleNet, trained on few images
# -----------------------------------
#
# Its weights begin at random here, so that the example runs offline. `weights="DEFAULT"` downloads
# pretrained ones, which is what you want for real images; add
# `normalize=([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])`, the scale that they were trained on.

import os

import matplotlib.pyplot as plt

from skactive import BADGE, CNNClassifier
from skactive.datasets import load_fashion_mnist

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
data = load_fashion_mnist()
n = 100 if SMOKE else 400
clf = CNNClassifier(
    "torchvision/shufflenet_v2_x0_5",
    classes=range(10),
    max_epochs=1 if SMOKE else 8,
    random_state=0,
)
clf.fit(data.X_train[:n], data.y_train[:n])
n_weights = sum(p.numel() for p in clf.module_.parameters())
print(f"{n_weights:,} parameters, test accuracy {clf.score(data.X_test, data.y_test):.0%}")

# %%
# Its embeddings, and what BADGE asks for
# ---------------------------------------
#
# BADGE reads the input of the last layer, whatever network it belongs to. So can you:
# :func:`~skactive.gradients.head_inputs` returns it for a whole pool. Two principal components of
# it are drawn here, in the colours of the true classes, with the ten images that BADGE wants to
# have labelled.

import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from skactive.gradients import head_inputs

X_pool, y_pool = data.X_train[n : n + 500], data.y_train[n : n + 500]
chosen = BADGE(random_state=0).select(clf, X_pool, 10).indices
embeddings = head_inputs(clf.module_, torch.from_numpy(X_pool)).inputs
place = PCA(2, random_state=0).fit_transform(normalize(embeddings.numpy()))

fig = plt.figure(figsize=(10, 5), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[3, 2])
ax = left.subplots()
for c, name in enumerate(data.target_names):
    ax.scatter(*place[y_pool == c].T, s=10, color=f"C{c}", label=name)
ax.scatter(*place[chosen].T, s=90, facecolors="none", edgecolors="black", linewidths=1.5)
ax.set(title="embeddings of the pool; ringed: asked for", xticks=[], yticks=[])
ax.legend(fontsize=7, ncols=2)
for small, i in zip(right.subplots(4, 3).flat, [*chosen, None, None], strict=True):
    small.axis("off")
    if i is not None:
        small.imshow(X_pool[i], cmap="gray_r")
        small.set_title(data.target_names[y_pool[i]], fontsize=8)
plt.show()
