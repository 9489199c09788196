"""Active learning on real images with a stock modAL ActiveLearner.

Starts from 50 labelled Fashion-MNIST images and lets Margin ask for 50 more, five times.
"""

import numpy as np
from modAL.models import ActiveLearner

from skactive import CNNClassifier, Margin
from skactive.datasets import initial_positions, load_fashion_mnist

data = load_fashion_mnist()
start = initial_positions(data.y_train, 50, random_state=0)
X_pool, y_pool = np.delete(data.X_train, start, axis=0), np.delete(data.y_train, start)

clf = CNNClassifier("small_cnn", classes=range(10), random_state=0)
learner = ActiveLearner(
    clf, Margin(), X_training=data.X_train[start], y_training=data.y_train[start]
)
for _ in range(5):
    chosen, images = learner.query(X_pool, n_instances=50)
    learner.teach(images, y_pool[chosen])  # in real life, a person labels these images
    X_pool, y_pool = np.delete(X_pool, chosen, axis=0), np.delete(y_pool, chosen)
    print(f"{len(learner.X_training)} labels: {learner.score(data.X_test, data.y_test):.1%}")
