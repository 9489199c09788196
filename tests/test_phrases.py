"""Text about arguments, in Python's words and in others."""

import copy
import pickle

from skactive._phrases import Phrase, say

WORDS = {"Pass path=": "Set path:", "None": '"none"', "files": "not this"}


def test_what_is_marked_is_said_in_other_words():
    phrase = Phrase("{Pass path=} with {files}, or {None}; None stays.", files="{None}")
    assert phrase == "Pass path= with {None}, or None; None stays."
    for same in [
        phrase,
        copy.deepcopy(phrase),
        *(pickle.loads(pickle.dumps(phrase, n)) for n in range(6)),
    ]:
        assert say(same, WORDS) == 'Set path: with {None}, or "none"; None stays.'
        assert say(same, {}) == phrase


def test_plain_text_stays():
    assert say("Pass path= with None {files}", WORDS) == "Pass path= with None {files}"
