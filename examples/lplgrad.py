"""LPLgrad on real images: joint training, the query, and its curve against Random.

First a small CNN learns from 500 images of Fashion-MNIST, jointly with a module that learns to
predict its losses. Then LPLGrad asks for the images whose entropy has the largest gradient.
Finally, both in rounds: from 20 labels on, LPLGrad against Random, which is ahead on so few labels
(see docs/lplgrad.md). Takes less than a minute.

    python examples/lplgrad.py --out out/lplgrad
    python examples/lplgrad.py --quick   # one seed, fewer epochs, ten seconds: does it run?
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from skactive import LPLClassifier, LPLGrad, Random
from skactive.datasets import load_fashion_mnist
from skactive.experiments import run_experiment
from skactive.plotting import LearningCurvesDisplay

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--out", type=Path, default=Path("out/lplgrad"), help="folder of the figure")
parser.add_argument("--quick", action="store_true", help="one seed and fewer epochs")
arguments = parser.parse_args()
out, quick = arguments.out, arguments.quick
out.mkdir(parents=True, exist_ok=True)

data = load_fashion_mnist()
X, y, X_test, y_test = data.X_train, data.y_train, data.X_test, data.y_test

# Joint training. What the module has learnt shows on images that it has not seen.
clf = LPLClassifier(
    "small_cnn", classes=range(10), max_epochs=10 if quick else 30, random_state=0
).fit(X[:500], y[:500])
last = clf.history_[-1]
print(
    f"cross-entropy {last['train_class_loss']:.2f}, ranking {last['train_ranking_loss']:.2f}, "
    f"{last['train_ranking_acc']:.0%} of pairs in order"
)
true_loss = -np.log(clf.predict_proba(X_test)[np.arange(len(y_test)), y_test])
rank = spearmanr(clf.predict_loss(X_test), true_loss).statistic
print(f"rank correlation of predicted and true loss on test images: {rank:.2f}")

# The query.
selection = LPLGrad(random_state=0).select(clf, X[500:], n_instances=10)
asked = [data.target_names[label] for label in y[500:][selection.indices]]
print(f"asked for: {', '.join(asked)}")

# Round after round. Every round trains from scratch.
results = run_experiment(
    clf,
    [LPLGrad(), Random()],
    X,
    y,
    X_test,
    y_test,
    n_initial=20,
    initial="balanced",
    n_instances=40,
    n_rounds=3,
    seeds=1 if quick else 2,
)
print(results.to_text())
figure = Figure(figsize=(6.4, 4.4), layout="constrained")
LearningCurvesDisplay.from_results(results, ax=figure.subplots())
figure.savefig(out / "curves.png", dpi=110)
print(f"The figure: {out / 'curves.png'}")
