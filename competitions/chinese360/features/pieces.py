"""Where sentences and clauses begin, for all texts together, in Chinese and in Western writing."""

import numpy as np

from competitions.chinese360.features.ragged import rows_of

STOPS = "。！？!?…"
COMMAS = "，,；;"
MARKS = STOPS + COMMAS + "：:、"
CLOSERS = "”’』」）)】》〉\"'"
OPENERS = "“‘『「（(【《〈"


def sentences(letters: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(sentences + 1,) where each sentence begins; closing quotes after a stop are its own; a row begins a sentence."""
    return _pieces(letters, start, STOPS)


def clauses(letters: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(clauses + 1,) where each clause begins: after commas and semicolons too."""
    return _pieces(letters, start, STOPS + COMMAS)


def one_of(letters: np.ndarray, signs: str) -> np.ndarray:
    """(total,) whether each letter is one of these."""
    return np.isin(letters, [ord(sign) for sign in signs])


def _pieces(letters: np.ndarray, start: np.ndarray, signs: str) -> np.ndarray:
    at = np.arange(len(letters))
    last = np.maximum.accumulate(np.where(one_of(letters, CLOSERS), -1, at))  # last letter that closes nothing
    row = rows_of(start)
    ended = one_of(letters, signs)[last] & (row[last] == row) & (last >= 0)
    begins = np.zeros(len(letters) + 1, bool)
    begins[1:-1] = ended[:-1] & ~ended[1:]
    begins[start] = True  # the end of the last row too
    return np.flatnonzero(begins)
