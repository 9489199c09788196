"""What LPLgrad's two parts are worth: joint training, and the norm of the gradient.

LPLgrad trains the network together with a loss-prediction module, and asks for the images whose
entropy has the largest gradient. Here each part is also left out: the small CNN is trained jointly
or alone, and the images are chosen by gradient norm, by entropy or at random. From 50 labelled
images of Fashion-MNIST, each of these six asks for 50 more, four times, out of 3,000; it is tested
on 1,000 others. Every round trains from scratch.

On so few labels neither part pays: random is ahead of entropy, entropy ahead of the gradient norm,
and training alone ahead of joint training. docs/lplgrad.md has the figure and the numbers.

    python examples/lplgrad_ablation.py           # five seeds, about ten minutes on one core
    python examples/lplgrad_ablation.py --quick   # one seed, two rounds, ten seconds: does it run?

Finished rounds are kept in the folder that --out names; the same command goes on after a kill.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from skactive import CNNClassifier, Entropy, LPLClassifier, LPLGrad, Random
from skactive.datasets import load_fashion_mnist
from skactive.experiments import Results, run_experiment
from skactive.plotting import LearningCurvesDisplay

TRAININGS = {"alone": CNNClassifier, "jointly": LPLClassifier}
QUERIES = {"gradient norm": LPLGrad(), "entropy": Entropy(), "random": Random()}


def experiment(out: Path, quick: bool) -> Results:
    """Run what is not finished yet."""
    data = load_fashion_mnist()
    epochs = 3 if quick else 30
    arms = {
        f"{query}, {training}": (cls("small_cnn", classes=range(10), max_epochs=epochs), strategy)
        for training, cls in TRAININGS.items()
        for query, strategy in QUERIES.items()
    }
    return run_experiment(
        CNNClassifier(),
        arms,
        data.X_train,
        data.y_train,
        data.X_test,
        data.y_test,
        n_initial=50,
        initial="balanced",
        n_instances=50,
        n_rounds=2 if quick else 4,
        seeds=1 if quick else 5,
        out=out,
    )


def draw(results: Results, path: Path) -> None:
    """Draw the learning curves, a panel for each way of training."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    rounds = results.frame.to_dict("records")
    for ax, training in zip(figure.subplots(1, 2, sharey=True), TRAININGS, strict=True):
        suffix = f", {training}"
        chosen = [
            {**r, "strategy": r["strategy"].removesuffix(suffix)}
            for r in rounds
            if r["strategy"].endswith(suffix)
        ]
        LearningCurvesDisplay.from_results(Results(chosen), ax=ax)
        ax.set_title(f"Trained {training}")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed and two rounds")
    parser.add_argument(
        "--out", type=Path, help="folder of results (default: out/lplgrad-ablation)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the numbers depend on it, and more gain little on a network so small
    out = arguments.out or Path(
        "out/lplgrad-ablation-quick" if arguments.quick else "out/lplgrad-ablation"
    )
    results = experiment(out, arguments.quick)
    draw(results, out / "lplgrad.png")
    print(results.to_text())
    print("\naccuracy, averaged over the rounds (mean and standard deviation over seeds):")
    curves = results.frame.groupby(["strategy", "seed"], sort=False)["accuracy"].mean()
    for name, of_seeds in curves.groupby("strategy", sort=False):
        spread = f" ± {np.std(of_seeds, ddof=1):.4f}" if len(of_seeds) > 1 else ""
        print(f"{name:>23}  {of_seeds.mean():.4f}{spread}")
    print(f"\nThe figure: {out / 'lplgrad.png'}")


if __name__ == "__main__":
    main()
