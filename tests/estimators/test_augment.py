"""Augmentation, against loops over single images."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from skactive import CNNClassifier, LPLClassifier
from skactive.estimators._augment import (
    random_contrast,
    random_crop,
    random_cutout,
    random_flip,
)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_every_crop_is_a_window_of_its_own_padded_image(dtype):
    torch.manual_seed(0)
    images = torch.randint(1, 256, (40, 3, 6, 7)).to(dtype)
    crops = random_crop(images, padding=2)
    assert crops.shape == images.shape
    assert crops.dtype == dtype
    offsets = set()
    for image, crop in zip(images, crops, strict=True):
        padded = torch.nn.functional.pad(image, (2,) * 4)
        found = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if torch.equal(padded[:, i : i + 6, j : j + 7], crop)
        ]
        assert len(found) == 1
        offsets.update(found)
    assert len(offsets) > 10  # of 25
    assert {i for i, _ in offsets} == set(range(5))


def test_flips_are_half_of_the_images():
    torch.manual_seed(0)
    images = torch.rand(400, 1, 3, 5)
    flipped = random_flip(images)
    same = (flipped == images).flatten(1).all(1)
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 150 < int(mirrored.sum()) < 250


@pytest.mark.parametrize("augment", ["crop", "flip", "crop_flip", random_flip])
def test_training_is_augmented_and_predictions_are_not(data, augment):
    X, y = data
    clf = CNNClassifier(augment=augment, max_epochs=2, random_state=0).fit(X, y)
    plain = CNNClassifier(max_epochs=2, random_state=0).fit(X, y)
    assert not np.array_equal(clf.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(clf.predict_proba(X), clf.predict_proba(X))


def test_an_own_augmentation_gets_arranged_batches_in_the_stored_dtype(data):
    X, y = data
    seen = []

    def look(images):
        seen.append((images.dtype, tuple(images.shape)))
        return images

    CNNClassifier(augment=look, max_epochs=1, random_state=0).fit(X, y).predict(X)
    assert seen == [(torch.uint8, (32, 1, 10, 10))] * 2 + [(torch.uint8, (26, 1, 10, 10))]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_contrast_stretches_around_the_mean(dtype):
    torch.manual_seed(0)
    images = torch.randint(100, 150, (50, 3, 6, 7)).to(dtype)
    changed = random_contrast(images, 0.5)
    assert changed.dtype == dtype
    factors = []
    for before, after in zip(images.double(), changed.double(), strict=True):
        factor = after.std() / before.std()
        expected = before.mean() + factor * (before - before.mean())
        torch.testing.assert_close(
            after, expected, rtol=0, atol=1.0 if dtype == torch.uint8 else 1e-3
        )
        factors.append(float(factor))
    assert 0.45 < min(factors) < 0.7
    assert 1.3 < max(factors) < 1.55


def test_contrast_stays_within_bytes():
    torch.manual_seed(0)
    images = torch.tensor([0, 255], dtype=torch.uint8).repeat(20, 1, 4, 3)
    changed = random_contrast(images, 0.9)
    stretched = (changed == images).flatten(1).all(1)
    assert 0 < int(stretched.sum()) < 20  # by more than 1: clipped to what they were


def test_cutout_is_a_square_of_half_the_height():
    torch.manual_seed(0)
    images = torch.ones(200, 2, 8, 10)
    cut = random_cutout(images)
    assert (images == 1).all()
    sizes = set()
    for image in cut:
        assert torch.equal(image[0], image[1])
        rows, columns = (
            (image[0] == 0).any(1).nonzero()[:, 0],
            (image[0] == 0).any(0).nonzero()[:, 0],
        )
        height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        assert int((image[0] == 0).sum()) == height * width
        sizes.add((height, width))
    assert max(sizes) == (4, 4)
    assert len(sizes) > 4  # some stick out


def test_strong_augmentation_trains():
    X = torch.randint(0, 256, (20, 12, 12), dtype=torch.uint8).numpy()
    clf = CNNClassifier("small_cnn", augment="strong", max_epochs=1, random_state=0)
    assert clf.fit(X, np.arange(20) % 2).predict(X).shape == (20,)


IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(12) % 2


class KeepsOne(torch.nn.Module):
    def forward(self, images):
        return images[:1]


@pytest.mark.parametrize("make", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("augment", "got"),
    [
        (
            v2.Compose([v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True)]),
            r"torch.uint8 of shape .* in, torch.float32 from 0.* to .* out.* Leave conversions",
        ),
        (lambda images: images.float(), "torch.float32 from .* out"),
        (
            lambda images: images.numpy(),
            r"in, an array of shape .* Return a tensor",
        ),
        (lambda images: None, "in, None out.* Return a tensor"),
        (lambda images: [images], "Return a tensor"),
        (v2.Resize((4, 4)), r"shape \(12, 3, 4, 4\) out.* Keep the number and the size"),
        (lambda images: torch.cat([images, images]), r"shape \(24, 3, 8, 8\) out"),
        (KeepsOne(), r"shape \(1, 3, 8, 8\) out"),
        (lambda images: images.permute(0, 2, 3, 1), r"shape \(12, 8, 8, 3\) out"),
    ],
)
def test_what_an_augmentation_must_return(make, method, augment, got):
    """Another scale was trained on than was predicted on (albumentations#1360)."""
    clf = make(classes=[0, 1], augment=augment, max_epochs=1, device="cpu")
    with pytest.raises(ValueError, match=f"'augment' .* shape and dtype .* {got}"):
        getattr(clf, method)(IMAGES, LABELS)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("augment", [v2.RandomHorizontalFlip(1.0), torch.clone, lambda x: x])
def test_an_augmentation_that_keeps_the_scale(augment, dtype):
    clf = CNNClassifier(augment=augment, max_epochs=1, device="cpu")
    clf.fit(IMAGES.astype(dtype), LABELS)


FLOATS = (IMAGES / 255).astype(np.float32)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", [CNNClassifier, LPLClassifier])
@pytest.mark.parametrize(
    ("augment", "images"),
    [
        (lambda x: 255 * x, FLOATS),
        (lambda x: x / 255, 255 * FLOATS),
        (lambda x: x.mul_(255), FLOATS),  # in place
        (v2.Normalize([0.5] * 3, [0.2] * 3), FLOATS),
        (v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), FLOATS),
        (lambda x: (x / 255).to(torch.uint8), IMAGES),
        (lambda x: x * float("nan"), FLOATS),
        (lambda x: torch.where(x > 0.9, torch.inf, x), FLOATS),
    ],
)
def test_numbers_on_another_scale_are_refused(make, method, augment, images):
    """The dtype is the same, the numbers are not (albumentations#1360)."""
    clf = make(classes=[0, 1], augment=augment, max_epochs=1, device="cpu")
    match = "on the scale that it is given. Got a mean of .* in, .* out, instead. Leave conversions"
    with pytest.raises(ValueError, match=match):
        getattr(clf, method)(images, LABELS)


@pytest.mark.slow
def test_a_compiled_network_is_looked_at_too():
    augment = v2.Normalize([0.5] * 3, [0.1] * 3)
    clf = CNNClassifier("small_cnn", augment=augment, compile=True, max_epochs=1, device="cpu")
    with pytest.raises(ValueError, match="on the scale that it is given"):
        clf.fit(FLOATS, LABELS)


@pytest.mark.parametrize(
    "augment",
    [
        v2.ColorJitter(0.8, 0.8, 0.8, 0.3),
        v2.GaussianBlur(5, 3.0),
        v2.RandomErasing(1.0, value="random"),
        v2.RandomInvert(1.0),
        lambda x: (x.float() + 0.2 * x.float().std() * torch.randn(x.shape)).to(x.dtype),
        v2.RandomGrayscale(1.0),
        lambda x: x.flip(0),
    ],
)
@pytest.mark.parametrize("images", [FLOATS, np.zeros_like(FLOATS), FLOATS - FLOATS.mean(), IMAGES])
def test_what_images_are_usually_put_through_is_no_other_scale(augment, images):
    CNNClassifier(augment=augment, max_epochs=1, random_state=0, device="cpu").fit(images, LABELS)
