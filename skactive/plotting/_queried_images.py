"""What a strategy asked for: a grid of images, a row per round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skactive._batches import take_rows
from skactive._validation import check_count, invalid
from skactive.plotting._display import LITERAL, Display, label_axes
from skactive.plotting._style import check_queried, class_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from skactive.experiments import Results

_OWNER = "QueriedImagesDisplay"
_GAP = 0.12  # between images, as a share of their width
_CAPTION = 0.32  # above an image, as a share of its height


@dataclass(kw_only=True, eq=False, repr=False)
class QueriedImagesDisplay(Display):
    """The images that a strategy asked for, a row per round, in the order of its picks.

    Make it with `from_results`. The keyword arguments of `plot` go to `imshow`.

    Parameters
    ----------
    images : list of ndarray of shape (n_picks, height, width) or (n_picks, height, width, 3)
        The images of each row.
    captions : list of list of str
        What to write above each image; empty strings for nothing.
    row_names : list of str
        What to write before each row.
    title : str
        The title.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skactive.plotting import QueriedImagesDisplay
    >>> display = QueriedImagesDisplay(
    ...     images=[np.zeros((3, 28, 28)), np.ones((3, 28, 28))],
    ...     captions=[["Coat", "Shirt", "Bag"], ["Shirt", "Shirt", "Coat"]],
    ...     row_names=["at 20 labels", "at 40 labels"], title="Margin")
    >>> len(display.plot(ax=Figure().subplots()).ax_.images)
    6
    """

    images: Sequence[np.ndarray]
    captions: Sequence[Sequence[str]]
    row_names: Sequence[str]
    title: str

    @classmethod
    def from_results(
        cls,
        results: Results,
        X: Any,
        *,
        y: Any = None,
        class_names: Sequence[str] | None = None,
        dataset: str | None = None,
        strategy: str | None = None,
        seed: int | None = None,
        n_images: int = 10,
        n_rounds: int | None = None,
        channels: str = "auto",
        ax: Any = None,
        **kwargs: Any,
    ) -> QueriedImagesDisplay:
        """Draw what one strategy asked for with one seed.

        Parameters
        ----------
        results : Results
            The results of `run_experiment`.
        X : array-like of shape (n_samples, height, width), with 1, 3 or 4 channels first or last
            The images that the experiment chose from.
        y : array-like of shape (n_samples,), default=None
            Their labels, to be written above the images; None writes nothing.
        class_names : sequence of str, default=None
            Write these instead of the labels: label 0 is the first. Labels that are words are
            written as they are.
        dataset : str, default=None
            The data set; None means the only one there is.
        strategy : str, default=None
            Which strategy; None takes the first.
        seed : int, default=None
            Which seed; None takes the first.
        n_images : int, default=10
            Maximum number of images per row: those picked first.
        n_rounds : int, default=None
            Maximum number of rounds to show, evenly spaced from the first to the last; None shows
            all.
        channels : {"auto", "first", "last"}, default="auto"
            Where the axis of the colours is, if X has four axes.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            As for `plot`.

        Returns
        -------
        QueriedImagesDisplay
            The display, drawn.

        Raises
        ------
        InvalidParameterError
            If X does not have the shape of images, or the results lack the strategy or the seed.
        """
        cls._check_results(results)
        n_images = check_count("n_images", _OWNER, n_images)
        frame, strategy, seed = _one_run(results.on(dataset), strategy, seed)
        if n_rounds is not None:
            n_rounds = min(check_count("n_rounds", _OWNER, n_rounds), len(frame))
            frame = frame.iloc[np.linspace(0, len(frame) - 1, n_rounds).round().astype(int)]
        highest = max(map(max, frame["queried"]))
        if len(X) <= highest:
            raise invalid(
                "X",
                _OWNER,
                f"the images of the experiment, more than {highest}",
                X,
                "Pass the X that run_experiment got.",
            )
        picks = [np.asarray(queried[:n_images]) for queried in frame["queried"]]
        rows = [np.asarray(take_rows(X, of_round)) for of_round in picks]
        rows = [_channels_last(images, channels, X) for images in rows]
        labels = None if y is None else np.asarray(y)
        return cls(
            images=_scaled(rows),
            captions=[_names(of_round, labels, class_names) for of_round in picks],
            row_names=[f"at {n} labels" for n in frame["n_labelled"]],
            title=f"What {strategy} asked for first (seed {seed})",
        ).plot(ax, **kwargs)

    def _axes_size(self) -> tuple[float, float]:
        step_x, step_y = self._steps()
        longest = max((len(text) for captions in self.captions for text in captions), default=0)
        width = max(0.75, 0.065 * longest)  # inches per image, so that captions have room
        return width * step_x * self._n_columns(), width * step_y * len(self.images)

    def _n_columns(self) -> int:
        return max(len(images) for images in self.images)

    def _aspect(self) -> float:
        height, width = self.images[0].shape[1:3]
        return height / width

    def _steps(self) -> tuple[float, float]:
        """Return the distances of images, to the right and down, in units of their width."""
        captioned = any(any(captions) for captions in self.captions)
        return 1 + _GAP, self._aspect() * (1 + (_CAPTION if captioned else _GAP))

    def _draw(self, ax: Axes, **kwargs: Any) -> None:
        (step_x, step_y), aspect = self._steps(), self._aspect()
        above: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": 6.5, **LITERAL}
        options = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest", **kwargs}
        for row, (images, captions) in enumerate(zip(self.images, self.captions, strict=True)):
            top = row * step_y  # y points down
            for column, image in enumerate(images):
                left = column * step_x
                ax.imshow(image, **{"extent": (left, left + 1, top + aspect, top), **options})
                ax.text(left + 0.5, top - 0.03, captions[column], **above)
        ax.set_xlim(-_GAP, self._n_columns() * step_x)
        ax.set_ylim(len(self.images) * step_y - (step_y - aspect), aspect - step_y)
        ax.set_xticks([])
        middles = [row * step_y + aspect / 2 for row in range(len(self.images))]
        ax.set_yticks(middles, self.row_names, fontsize=8, **LITERAL)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        label_axes(ax, title=self.title, size=10)


def _one_run(results: Results, strategy: str | None, seed: int | None) -> tuple[Any, str, int]:
    """Return the rounds of one run that queried something, its strategy and its seed."""
    results = check_queried(results, _OWNER)
    frame = results.frame[results.frame["queried"].map(len) > 0]
    names = list(dict.fromkeys(frame["strategy"]))
    if strategy is None:
        strategy = names[0]
    elif strategy not in names:
        raise invalid("strategy", _OWNER, f"one of {', '.join(names)}", strategy)
    frame = frame[frame["strategy"] == strategy]
    seeds = list(dict.fromkeys(frame["seed"]))
    if seed is None:
        seed = seeds[0]
    elif seed not in seeds:
        raise invalid("seed", _OWNER, f"one of {', '.join(map(str, seeds))}", seed)
    return frame[frame["seed"] == seed].sort_values("round"), strategy, int(seed)


def _channels_last(images: np.ndarray, channels: str, X: Any) -> np.ndarray:
    """Bring images to (n, height, width) or (n, height, width, 3 or 4)."""
    if channels not in {"auto", "first", "last"}:
        raise invalid("channels", _OWNER, "'auto', 'first' or 'last'", channels)
    if images.ndim == 3:
        return images
    first, last = (images.ndim == 4 and images.shape[axis] in {1, 3, 4} for axis in (1, -1))
    if channels == "auto" and first != last:
        channels = "first" if first else "last"
    if not {"first": first, "last": last, "auto": False}[channels]:
        raise invalid(
            "X",
            _OWNER,
            "images, with 1, 3 or 4 channels first or last if they have four axes",
            X,
            "Reshape rows to images; pass channels='first' or 'last' where both could be meant.",
        )
    images = np.moveaxis(images, 1, -1) if channels == "first" else images
    return images[..., 0] if images.shape[-1] == 1 else images


def _scaled(rows: list[np.ndarray]) -> list[np.ndarray]:
    """Scale values to [0, 1]: uint8 by 255; floats that leave that range by what is shown."""
    if rows[0].dtype == np.uint8:
        return [images / 255 for images in rows]
    low = min(float(images.min()) for images in rows)
    high = max(float(images.max()) for images in rows)
    if low >= 0 and high <= 1:
        return rows
    return [(images - low) / max(high - low, np.finfo(float).tiny) for images in rows]


def _names(
    picks: np.ndarray, labels: np.ndarray | None, class_names: Sequence[str] | None
) -> list[str]:
    if labels is None:
        return [""] * len(picks)
    of_picks = labels[picks].tolist()
    return [class_name(label, class_names) for label in of_picks]
