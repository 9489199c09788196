"""
In a Pipeline, under a grid search
==================================

A network here is a scikit-learn classifier like any other: it can follow a scaler, a grid search
can choose its width, and a strategy takes the fitted search as it is.
"""

# %%
# Rows of pixels, scaled, then read as images
# -------------------------------------------
#
# scikit-learn's steps return rows of features. `input_shape=` tells the network that the rows are
# images of 8×8. Every setting has a name that a search can reach, those of the network (`module__`)
# and of the optimizer (`optimizer__`) too.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skactive import CNNClassifier, Margin

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
X, y = load_digits(return_X_y=True)
labelled, pool = np.arange(150), np.arange(150, 1200)

pipeline = Pipeline(
    [
        ("scale", StandardScaler()),
        (
            "cnn",
            CNNClassifier(
                "small_cnn",
                input_shape=(1, 8, 8),
                normalize=None,
                classes=range(10),
                max_epochs=2 if SMOKE else 15,
                random_state=0,
            ),
        ),
    ]
)
grid = {"cnn__lr": [0.01, 0.05, 0.2], "cnn__module__width": [4, 16] if SMOKE else [4, 8, 16]}
search = GridSearchCV(pipeline, grid, cv=3).fit(X[labelled], y[labelled])
print(f"best: {search.best_params_}")

# %%
# Ask for labels with the search itself
# -------------------------------------
#
# The strategy finds the network of the best pipeline, and sends the pool through the steps before
# it, block by block.

chosen = pool[Margin().select(search, X[pool], 12).indices]

# %%
# On the left, what the search measured; on the right, the digits that the best network would like
# to have labelled.

scores = search.cv_results_["mean_test_score"].reshape(3, -1)
fig = plt.figure(figsize=(10, 3.8), layout="constrained")
left, right = fig.subfigures(1, 2)
ax = left.subplots()
ax.imshow(scores, cmap="Blues", vmin=0, vmax=1)
for (row, column), score in np.ndenumerate(scores):
    ax.annotate(
        f"{score:.3f}",
        (column, row),
        ha="center",
        va="center",
        color="white" if score > 0.6 else "black",
    )
ax.set_xticks(range(scores.shape[1]), grid["cnn__module__width"])
ax.set_yticks(range(3), grid["cnn__lr"])
ax.set(xlabel="width", ylabel="learning rate", title="accuracy, mean of three folds")

predicted = search.predict(X[chosen])
right.suptitle("asked for, and what they are taken for")
for ax, i, guess in zip(right.subplots(3, 4).flat, chosen, predicted, strict=True):
    ax.imshow(X[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"a {guess}?", fontsize=9)
    ax.axis("off")
plt.show()
