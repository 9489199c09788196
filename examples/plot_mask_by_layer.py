"""
The Fisher mask, seen
=====================

FisherMask does not look at all of a network's parameters. It keeps those that carry the most Fisher
information: the whole last layer, and the largest entries of all others. Where are they?
"""

# %%
# The diagonal of the Fisher information
# --------------------------------------
#
# For each parameter, how much the predicted distribution moves when the parameter does, averaged
# over some of the pool. No label is needed: the classes are drawn from the network's own
# prediction.

import os

import matplotlib.pyplot as plt
import numpy as np
import torch

from skactive import CNNClassifier
from skactive.datasets import load_fashion_mnist
from skactive.fisher import diagonal_fisher, parameter_mask
from skactive.gradients import find_head

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
data = load_fashion_mnist()
clf = CNNClassifier("small_cnn", max_epochs=2 if SMOKE else 20, random_state=0)
clf.fit(data.X_train[:200], data.y_train[:200])
images = torch.from_numpy(data.X_train[200 : 232 if SMOKE else 712])

diagonal = diagonal_fisher(clf.module_, images)
head = find_head(clf.module_, images[:1])

# %%
# Four masks
# ----------
#
# Each keeps 5 % of the parameters, except "relative", which has a size of its own: what is above
# twice its tensor's mean.

masks = {
    "global": parameter_mask(diagonal, clf.module_, fraction=0.05, head=head),
    "layerwise": parameter_mask(diagonal, clf.module_, kind="layerwise", fraction=0.05, head=head),
    "relative": parameter_mask(diagonal, clf.module_, kind="relative"),
    "random": parameter_mask(
        None, clf.module_, kind="random", fraction=0.05, head=head, random_state=0
    ),
}

# %%
# Which parameters they keep
# --------------------------
#
# On the left, how the information spreads: one dot per parameter, tensor by tensor, from the input
# at the top to the output at the bottom. On the right, the share of each tensor that each mask
# keeps. Two of them keep the last layer whole. Of the rest, the global mask goes where the
# information is, which here is in the first layers: they are small, and each of their weights is
# used at every position of the image. The layerwise mask treats all tensors alike, and the random
# mask does not look.

tensors = [(name, p.numel()) for name, p in clf.module_.named_parameters() if p.requires_grad]
ends = np.cumsum([size for _, size in tensors])
starts = ends - [size for _, size in tensors]
names = [name.removeprefix("network.") for name, _ in tensors]
rows = np.arange(len(tensors))
rng = np.random.default_rng(0)

fig, (left, right) = plt.subplots(
    1, 2, figsize=(10, 5), layout="constrained", sharey=True, width_ratios=[3, 2]
)
d = diagonal.numpy()
kept = np.isin(np.arange(len(d)), masks["global"].numpy())
row_of = np.repeat(rows, [size for _, size in tensors]) + rng.uniform(-0.35, 0.35, len(d))
floor = d[d > 0].min()
for shown, colour, label in [(~kept, "0.65", "left out"), (kept, "#D55E00", "in the global mask")]:
    left.scatter(
        np.maximum(d[shown], floor), row_of[shown], s=3, c=colour, linewidths=0, label=label
    )
left.set(xscale="log", xlabel="diagonal Fisher information of a parameter")
left.set_yticks(rows, names)
left.invert_yaxis()
left.legend(loc="upper left", markerscale=3)

shares = np.array(
    [
        [np.isin(np.arange(a, b), mask.numpy()).mean() for a, b in zip(starts, ends, strict=True)]
        for mask in masks.values()
    ]
)
picture = right.imshow(shares.T, cmap="Oranges", vmin=0, vmax=1, aspect="auto")
for (column, row), share in np.ndenumerate(shares):
    right.annotate(
        f"{share:.0%}",
        (column, row),
        ha="center",
        va="center",
        fontsize=8,
        color="white" if share > 0.6 else "black",
    )
right.set_xticks(range(len(masks)), masks)
right.set_title("share that each mask keeps")
plt.show()
