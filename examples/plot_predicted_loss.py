"""
Predicting the loss
===================

An image whose loss is large teaches much, but without its label nobody knows its loss.
LPLClassifier trains a second, small module next to the network, which reads the network's features
and predicts how large the loss of an image is, compared with others. How well does it do that?
"""

# %%
# Train both together
# -------------------

import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

from skactive import LearningLoss, LPLClassifier
from skactive.datasets import load_fashion_mnist

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
data = load_fashion_mnist()
n = 300 if SMOKE else 800
clf = LPLClassifier("small_cnn", max_epochs=3 if SMOKE else 20, random_state=0)
clf.fit(data.X_train[:n], data.y_train[:n])

# %%
# Predicted against true, on images that neither has seen
# -------------------------------------------------------
#
# The module learns which of two images has the larger loss, and so predicts an order, not a scale:
# what counts is the rank correlation. On the right, the images in ten groups of equal size, by
# predicted loss: those of the last group are the ones that
# :class:`~skactive.strategies.LearningLoss` asks for.

predicted = clf.predict_loss(data.X_test)
p = clf.predict_proba(data.X_test)
true = -np.log(np.maximum(p[np.arange(len(p)), data.y_test], 1e-12))
wrong = p.argmax(axis=1) != data.y_test
rank_correlation = spearmanr(predicted, true).statistic

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for shown, colour, label in [(~wrong, "#0072B2", "right"), (wrong, "#D55E00", "wrong")]:
    left.scatter(
        predicted[shown],
        true[shown],
        s=9,
        c=colour,
        alpha=0.6,
        linewidths=0,
        label=f"the network is {label}",
    )
left.set(
    xlabel="predicted loss",
    ylabel="true loss (nats)",
    yscale="log",
    ylim=(1e-4, None),
    title=f"rank correlation {rank_correlation:.2f}",
)
left.legend(markerscale=2)

groups = np.array_split(np.argsort(predicted), 10)
right.bar(range(1, 11), [100 * wrong[group].mean() for group in groups], color="#D55E00")
right.set(xlabel="tenth of the images, by predicted loss", ylabel="errors (%)", xticks=range(1, 11))
plt.show()

# %%
# The same order, as a query
# --------------------------

chosen = LearningLoss(random_state=0).select(clf, data.X_test, 20).indices
print(f"errors among all images:             {wrong.mean():.0%}")
print(f"errors among the 20 that it asks for: {wrong[chosen].mean():.0%}")
