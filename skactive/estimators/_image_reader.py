"""Image files as arrays: the first step of a Pipeline whose samples are paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils._param_validation import StrOptions

from skactive._paths import home_expanded
from skactive._pool import Pool
from skactive._validation import DeclaredParameters, Description, Phrase, invalid
from skactive.estimators._file_images import images_of
from skactive.estimators._read_image import Pixels, read_image
from skactive.estimators._value_range import warn_of_few_bits
from skactive.exceptions import UnreadableFileError


class ImageReader(TransformerMixin, DeclaredParameters, BaseEstimator):
    """Read image files: paths in, uint8 images out.

    As the first step of a Pipeline it turns an array of paths into a pool, which need not fit into
    memory: strategies send it through the Pipeline batch by batch. It learns nothing from data,
    and works without `fit`.

    Every format that Pillow opens is read. Images are turned upright as their EXIF orientation
    says; from animations the first frame is taken, from values of 16 bits the high byte (see
    `value_range`). Transparency is dropped. Metadata that cannot be parsed are passed over.

    Parameters
    ----------
    size : tuple of (int, int) or None, default=None
        Height and width in pixels that every image is resized to, bilinearly with antialiasing;
        proportions are not kept. JPEGs of more than twice that are decoded at a half, a quarter or
        an eighth, which is several times as fast, before they are resized. With None the images
        keep their size, which must be the same for all.
    mode : {"RGB", "L"}, default="RGB"
        Colour, or grey values.
    errors : {"raise", "skip"}, default="raise"
        What a query does about files that cannot be read. With "skip", every strategy of skactive
        looks for them before it chooses, warns of them, and chooses from the others as if they
        were not there. That decodes the whole pool once more at each query; to do it only once,
        take them out beforehand with `readable`. Everywhere else, in `fit`, `teach` and `predict`,
        a file that cannot be read is an error in either case: there is no image that could stand
        for it.
    value_range : tuple of (float, float) or None, default=None
        What becomes 0 and 255 of grey values of more than 8 bits: (0, 1023) for 10 bits in files
        of 16; values outside are clipped. It is needed for files of 32-bit numbers and floats, and
        does not change those of 8 bits. None takes the high byte of 16 bits, and warns where all
        files that are read together use 14 bits or less.
    n_jobs : int or None, default=None
        Threads that read, as in scikit-learn: None is 1, and -1 one per processor. Pillow
        decodes without holding Python's global lock.

    See Also
    --------
    skactive.exceptions.UnreadableFileError : What is raised, with the name of the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skactive import ImageReader
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.png"):
    ...     Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(folder / name)
    >>> paths = sorted(folder.glob("*.png"))
    >>> ImageReader(size=(32, 32)).transform(paths).shape
    (2, 32, 32, 3)

    A Pipeline that takes paths, for modAL's `ActiveLearner` and for strategies:

    >>> from sklearn.pipeline import make_pipeline
    >>> from skactive import CNNClassifier, Margin
    >>> clf = make_pipeline(
    ...     ImageReader(size=(16, 16)), CNNClassifier(classes=[0, 1], max_epochs=1)
    ... ).fit(paths, [0, 1])
    >>> Margin().select(clf, paths, n_instances=1).indices.shape
    (1,)
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "size": [tuple, list, None],
        "mode": [StrOptions({"RGB", "L"})],
        "errors": [StrOptions({"raise", "skip"})],
        "value_range": [tuple, list, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        mode: str = "RGB",
        errors: str = "raise",
        n_jobs: int | None = None,
        *,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.size = size
        self.mode = mode
        self.errors = errors
        self.n_jobs = n_jobs
        self.value_range = value_range

    def fit(self, X: Any, y: Any = None) -> ImageReader:
        """Check the parameters, and that X holds paths; no file is opened.

        Parameters
        ----------
        X : sequence of str or os.PathLike
            The files.
        y : object, default=None
            Ignored.

        Returns
        -------
        ImageReader
            The reader itself.
        """
        self._checked(X)
        return self

    def transform(self, X: Any) -> Any:
        """Read the files.

        Parameters
        ----------
        X : sequence of N str or os.PathLike
            The files: a list, a one-dimensional array or a pandas Series.

        Returns
        -------
        array of shape (N, H, W, 3) or (N, H, W), uint8
            The images; without the last axis for grey values. More than 32 MiB of them are not an
            ndarray but like one: their rows are read when they are taken, so that the `predict` of
            a Pipeline reads one batch after the other. `numpy.asarray` reads them all.

        Raises
        ------
        InvalidParameterError
            If a parameter is not what it must be, or X is not a sequence of paths.
        UnreadableFileError
            If a file cannot be read, or `size` is None and its image differs in size from the
            first one; the message names it. Of more than 32 MiB, when they are read.

        Warns
        -----
        ValueRangeWarning
            If files of 16 bits use 14 or less, all together.
        """
        paths = self._checked(X)
        if not paths:
            raise invalid("X", self, "at least one path", X)
        reader, shape = clone(self), self._shape(paths)  # what is read later is read alike
        return images_of(partial(reader._read, shape=shape, first=paths[0]), paths, shape)

    def _read(self, paths: list[str], shape: tuple[int, ...], first: str) -> np.ndarray:
        """Return the images of files, (N, *shape), all of that shape, as the first file's is."""
        images = np.empty((len(paths), *shape), np.uint8)
        highest: list[int | None] = [None] * len(paths)

        def read(i: int) -> None:
            image, highest[i] = read_image(paths[i], self.size, self.mode, self.value_range)
            if image.shape != shape:
                raise ValueError(
                    f"its image has the shape {image.shape}, and that of {first!r} has "
                    f"{shape}; size=(height, width) makes them alike"
                )
            images[i] = image

        self._raise_first(self._attempt_each(read, range(len(paths))), paths)
        warn_of_few_bits(highest)
        return images

    def readable(self, X: Any) -> np.ndarray:
        """Return which files can be read, by decoding them; JPEGs at an eighth of their size.

        Parameters
        ----------
        X : sequence of N str or os.PathLike
            The files.

        Returns
        -------
        ndarray of shape (N,), bool
            True where `transform` can read a file. Whether the images agree in size is not
            checked.
        """
        paths = self._checked(X)
        # As small as possible: it only matters whether it can be read, and in the same way.
        errors = self._attempt_each(
            lambda path: read_image(path, (1, 1), self.mode, self.value_range), paths
        )
        return np.array([error is None for error in errors], dtype=bool)

    def _attempt_each(self, read: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Call `read` with each item, in threads, and return what each raises, or None."""
        threads = Parallel(n_jobs=self.n_jobs, require="sharedmem")
        return list(threads(delayed(_failure)(read, item) for item in items))

    def _shape(self, paths: list[str]) -> tuple[int, ...]:
        """Return the shape of every image."""
        if self.size is not None:
            height, width = self.size
            return (height, width, 3) if self.mode == "RGB" else (height, width)
        first: list[Pixels] = []
        error = _failure(
            lambda path: first.append(read_image(path, None, self.mode, self.value_range)), paths[0]
        )
        self._raise_first([error], paths[:1])
        return first[0].values.shape

    def _checked(self, X: Any) -> list[str]:
        """Check the parameters and return the paths."""
        self._validate_params()
        size = self.size
        whole = size is None or all(isinstance(s, Integral) and s >= 1 for s in size)
        if not whole or (size is not None and len(size) != 2):
            pair = Phrase("two ints of at least 1, height and width, or {None}")
            raise invalid("size", self, pair, size)
        if self.value_range is not None and not _is_range(self.value_range):
            pair = Phrase("two finite numbers, the lower one first, or {None}")
            raise invalid("value_range", self, pair, self.value_range)
        must, a_list = "a sequence of paths of image files", isinstance(X, (list, tuple, Pool))
        if isinstance(X, (str, bytes, os.PathLike)):
            remedy = "For the files of a folder pass skactive.datasets.image_files(folder)."
            raise invalid("X", self, must, X, remedy)
        if not a_list and len(getattr(X, "shape", ())) != 1:
            remedy = "Pass a list or a one-dimensional array of paths; of a DataFrame, the column."
            raise invalid("X", self, must, X, remedy)
        paths = list(X[:] if isinstance(X, Pool) else X)
        for i, path in enumerate(paths):
            if not isinstance(path, (str, bytes, os.PathLike)):
                raise invalid("X", self, must, Description(f"{path!r} at position {i}"))
        return [home_expanded(path) for path in paths]

    def _raise_first(self, errors: list[Exception | None], paths: list[str]) -> None:
        broken = [i for i, error in enumerate(errors) if error is not None]
        if not broken:
            return
        error, path = errors[broken[0]], paths[broken[0]]
        count = "" if len(paths) == 1 else f" {len(broken)} of {len(paths)} files, first"
        if self.errors == "raise":
            remedy = "errors='skip' lets queries pass over such files of a pool"
        else:
            remedy = "errors='skip' passes over files of a pool only, and here each is needed"
        why = str(error) or repr(error)
        if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
            why += " Where you trust the file, raise PIL.Image.MAX_IMAGE_PIXELS"
        raise UnreadableFileError(
            f"ImageReader cannot read{count} {path!r}: {why}. Remove or "
            f"replace what cannot be read; {remedy}."
        ) from error

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags


def _is_range(value: Any) -> bool:
    numbers = len(value) == 2 and all(isinstance(bound, Real) for bound in value)
    return numbers and bool(np.isfinite(value).all()) and value[0] < value[1]


def _failure(function: Callable[[Any], Any], item: Any) -> Exception | None:
    """Return what a call raises, or None."""
    try:
        function(item)
    except MemoryError:
        raise
    except Exception as error:  # a decoder raises whatever it stumbles over in broken bytes
        return error
    return None
