"""Image data sets, folders of images, imbalance, and the first labels.

4,000 images of Fashion-MNIST ship with the package. The other data sets are read from local
files, or downloaded by torchvision where `download=True` says so.
"""

from skactive.datasets._cifar import load_cifar10, load_cifar100
from skactive.datasets._fashion_mnist import load_fashion_mnist
from skactive.datasets._image_files import image_files
from skactive.datasets._imbalance import make_imbalanced
from skactive.datasets._initial import initial_positions
from skactive.datasets._long_tail import long_tail_counts
from skactive.datasets._mnist import load_mnist
from skactive.datasets._svhn import load_svhn

__all__ = [
    "image_files",
    "initial_positions",
    "load_cifar10",
    "load_cifar100",
    "load_fashion_mnist",
    "load_mnist",
    "load_svhn",
    "long_tail_counts",
    "make_imbalanced",
]
