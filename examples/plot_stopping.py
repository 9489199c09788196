"""
When to stop
============

Every round costs labels, and the later ones teach less. The rules of :mod:`skactive.stopping` look
at the classifier of each round and say when enough seems to be enough. In an experiment they can be
recorded without acting, so that one can see afterwards where each would have stopped, and what that
would have cost.
"""

# %%
# An experiment in which nothing stops
# ------------------------------------
#
# `stopping=` takes the rules. Those without labels look at a random sample of the pool, and
# `PairedChange` at the test data. (The stored rounds of the study in `benchmarks/` have no
# predictions, which rules need: so this is a small experiment of its own.)

import os

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skactive import Margin, Random
from skactive.experiments import run_experiment
from skactive.plotting import StoppingPointsDisplay
from skactive.stopping import Agreement, ClassChange, OverallUncertainty, PairedChange

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))  # a quick run, to test that it runs
X, y = load_digits(return_X_y=True)
X_pool, X_test, y_pool, y_test = train_test_split(X, y, test_size=600, random_state=0)

results = run_experiment(
    make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000)),
    [Margin(), Random()],
    X_pool,
    y_pool,
    X_test,
    y_test,
    n_initial=20,
    n_instances=20,
    n_rounds=4 if SMOKE else 25,
    seeds=1 if SMOKE else 4,
    initial="balanced",
    stopping={
        "κ ≥ 0.99": Agreement(),
        "κ ≥ 0.95": Agreement(threshold=0.95),
        "no class changes": ClassChange(),
        "entropy ≤ 10 %": OverallUncertainty(threshold=0.1),
        "gain < 2 points": PairedChange(),
    },
    progress=False,
)

# %%
# Where each would have stopped
# -----------------------------
#
# A row per run and rule: the round in which the rule first said so, and the last one. Some never
# do.

points = results.stopping_points()
points["labels saved"] = points["n_labelled_last"] - points["n_labelled"]
points["accuracy lost"] = points["accuracy_last"] - points["accuracy"]
summary = points.groupby(["strategy", "rule"], sort=False)[
    ["n_labelled", "accuracy", "labels saved", "accuracy lost"]
]
print(summary.agg("mean").round(3))
print(summary.agg("count")["n_labelled"].rename("runs that it would have ended"))

# %%
# On the curves, and as a trade
# -----------------------------
#
# To the left, the runs of `Margin`, with a mark where each rule would have ended them; to the
# right what it would have saved and lost. No rule is best: those far to the right saved many labels
# and lost something, and what is right depends on what a label costs.

figure, (curves, trade) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
display = StoppingPointsDisplay.from_results(results, strategy="Margin", ax=trade)
for _, run in results.frame[results.frame["strategy"] == "Margin"].groupby("seed"):
    curves.plot(run["n_labelled"], run["accuracy"], color="0.75", linewidth=1)
marks = {line.get_label(): line for line in trade.lines}  # the same marks in both pictures
for rule in display.rules:
    own = points.query("strategy == 'Margin' and rule == @rule")
    curves.plot(
        own["n_labelled"],
        own["accuracy"],
        color=marks[rule].get_color(),
        marker=marks[rule].get_marker(),
        linestyle="none",
    )
curves.set(xlabel="labels", ylabel="accuracy", title="Margin")
plt.show()

# %%
# Another threshold, without training again
# -----------------------------------------
#
# What each round has left for a rule is in the results, and `judge` reads it.

left = results.frame.query("strategy == 'Margin' and seed == 0")["stopping"]
for threshold in (0.9, 0.95, 0.98):
    state = Agreement(threshold=threshold).judge(said["κ ≥ 0.99"]["seen"] for said in left)
    first = next((r for r, value in enumerate(state.values) if value >= threshold), None)
    print(f"κ ≥ {threshold}: ", "never" if first is None else f"{20 + 20 * first} labels")
