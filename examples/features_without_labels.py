"""Train a network without labels on the pool itself, and choose labels on its features.

Two views of each image, cut out, flipped, turned and brightened at random, are to be recognised as
the same image among those of a batch (SimCLR's loss). That takes a few minutes on two cores for
the 3,000 images of Fashion-MNIST that come with skactive. Then 50 labels are bought, at random and
by strategies, for a logistic regression on the features, for one on the pixels, and for a network
that is trained from scratch; the table has the accuracies over the seeds.

    python examples/features_without_labels.py --seeds 10

References: T. Chen, S. Kornblith, M. Norouzi, G. Hinton. "A Simple Framework for Contrastive
Learning of Visual Representations". ICML 2020, arXiv:2002.05709.
"""

import argparse
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from torch import nn

from skactive import CNNClassifier, Embedder, Margin, Random, TypiClust
from skactive.datasets import load_fashion_mnist
from skactive.experiments import run_experiment

SMOKE = bool(os.environ.get("SKACTIVE_SMOKE"))


class Encoder(nn.Module):
    """Three blocks of convolutions: a grey image (28, 28) in, its map (3, 3) as a row out."""

    def __init__(self, width=16):
        super().__init__()
        layers, n = [], 1
        for m in (width, 2 * width, 4 * width):
            layers += [nn.Conv2d(n, m, 3, padding=1, bias=False), nn.BatchNorm2d(m), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
            n = m
        self.maps = nn.Sequential(*layers)

    def forward(self, x):
        """Return features, (n, 36 width): where something is tells clothes apart, too."""
        return self.maps(x).flatten(1)


def view(x, generator):
    """Return images (n, 1, H, W) from 0 to 1, each changed in a way of its own."""
    n = len(x)
    draw = torch.rand((6, n), generator=generator)
    zoom = 0.5 + 0.5 * draw[0]  # the side of the cut, of that of the image
    turn = 0.5 * (draw[1] - 0.5)  # in radians
    flip = torch.where(draw[2] < 0.5, 1.0, -1.0)
    cos, sin = zoom * turn.cos(), zoom * turn.sin()
    shift_x, shift_y = ((1 - zoom) * (2 * one - 1) for one in draw[3:5])
    rows = [flip * cos, -sin, shift_x, flip * sin, cos, shift_y]
    theta = torch.stack(rows, 1).reshape(n, 2, 3)
    changed = F.grid_sample(
        x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False
    )
    return changed * (0.5 + draw[5])[:, None, None, None]


def contrastive_loss(a, b, temperature=0.3):
    """Return the mean cross-entropy of finding a view's other one among the 2n - 1 others."""
    rows = F.normalize(torch.cat([a, b]))
    likeness = rows @ rows.T / temperature
    likeness.fill_diagonal_(-torch.inf)
    n = len(a)
    return F.cross_entropy(likeness, torch.arange(2 * n).roll(n))


def train_without_labels(images, epochs=30, batch_size=250, width=16, seed=0):
    """Train an encoder on images (n, H, W), uint8; return it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = Encoder(width)
        head = nn.Sequential(nn.Linear(36 * width, 4 * width), nn.ReLU(), nn.Linear(4 * width, 64))
    x = torch.from_numpy(images)[:, None].float() / 255
    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    steps = epochs * (len(x) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for epoch in range(epochs):
        order, losses = torch.randperm(len(x), generator=generator), []
        for i in range(0, len(x) - batch_size + 1, batch_size):
            batch = x[order[i : i + batch_size]]
            a, b = (head(encoder(view(batch, generator))) for _ in range(2))
            loss = contrastive_loss(a, b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"\repoch {epoch + 1} of {epochs}: loss {np.mean(losses):.3f}", end="", flush=True)
    print()
    return encoder.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1 if SMOKE else 10)
    parser.add_argument("--epochs", type=int, default=1 if SMOKE else 30)
    parser.add_argument("--labels", type=int, default=20 if SMOKE else 50)
    arguments = parser.parse_args()
    data = load_fashion_mnist()
    images = data.X_train[:500] if SMOKE else data.X_train
    labels = data.y_train[: len(images)]
    start = time.perf_counter()
    encoder = train_without_labels(images, epochs=arguments.epochs)
    print(f"trained without labels in {time.perf_counter() - start:.0f} s")

    embedder = Embedder(encoder, normalize=None)
    features, features_test = embedder.transform(images), embedder.transform(data.X_test)
    pixels, pixels_test = (X.reshape(len(X), -1) / 255 for X in (images, data.X_test))
    features, features_test = normalize(features), normalize(features_test)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    network = CNNClassifier(
        "small_cnn", classes=range(10), max_epochs=2 if SMOKE else 40, batch_size=16
    )
    # Half of the labels at random, and the others as the strategies ask for them.
    plan = {
        "n_initial": arguments.labels // 2,
        "n_instances": arguments.labels - arguments.labels // 2,
        "n_rounds": 1,
        "seeds": arguments.seeds,
        "progress": False,
    }
    strategies = [Random(), Margin(), TypiClust()]
    settings = {
        "logistic regression on features": (linear, features, features_test),
        "logistic regression on pixels": (linear, pixels, pixels_test),
        "small_cnn from scratch": (network, images, data.X_test),
    }
    for name, (estimator, X, X_test) in settings.items():
        results = run_experiment(
            estimator, strategies, X, labels, X_test, data.y_test, embeddings=features, **plan
        )
        frame = results.frame[results.frame["round"] == 1]
        for strategy, found in frame.groupby("strategy", sort=False)["accuracy"]:
            spread = f" ± {100 * found.std():.1f}" if len(found) > 1 else ""
            print(f"{name:32} {strategy:10} {100 * found.mean():5.1f} %{spread}", flush=True)


if __name__ == "__main__":
    main()
