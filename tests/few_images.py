"""Fewer images for scripts and pages that are run to see that they run."""

from skactive import datasets


def give_few_images(monkeypatch, n_train, n_test):
    """Let `load_fashion_mnist` return only the first images, of all classes, in their order."""
    load = datasets.load_fashion_mnist

    def few(*args, **kwargs):
        data = load(*args, **kwargs)
        for share, n in (("train", n_train), ("test", n_test)):
            for name in (f"X_{share}", f"y_{share}"):
                data[name] = data[name][:n]
        return data

    monkeypatch.setattr(datasets, "load_fashion_mnist", few)
