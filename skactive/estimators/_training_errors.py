"""What goes wrong within skorch and torch while a network trains, in words that say what to do."""

from __future__ import annotations

import re

from skactive._validation import Description, invalid

_UNRECORDED = re.compile("'(.+?)' was not found in history")


def explained(error: Exception, owner: object) -> Exception | None:
    """Return the error that says what to do about one of skorch or torch, or None.

    Parameters
    ----------
    error : Exception
        What training raised.
    owner : object
        The classifier, for the error messages.

    Returns
    -------
    Exception or None
        None where there is nothing better to say.
    """
    text = str(error)
    if isinstance(error, ValueError) and "more than 1 value per channel" in text:
        return ValueError(
            "BatchNorm cannot train on a batch that holds one value a channel. Train on more "
            "than one sample, with a larger batch_size, or with larger images."
        )
    found = _UNRECORDED.search(text)
    if found is None:
        return None
    key = found[1]
    remedy = "Recorded are train_loss, train_acc and, with train_split=, valid_loss and valid_acc."
    if key.startswith("valid"):
        remedy = "Pass train_split=0.2, for samples held out in fit, or have it watch 'train_loss'."
    got = Description(f"one that watches {key!r}")
    return invalid("callbacks", owner, "callbacks that watch what is recorded", got, remedy)
