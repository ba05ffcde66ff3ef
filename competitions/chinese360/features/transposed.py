"""Neighbouring blocks of characters that were exchanged, AB CD → CD AB, found by exchanging them back.

To exchange back what a machine exchanged makes a text more likely; to exchange anything else seldom does. More likely
under a model of n-grams of all rows, with those of the tested place taken out. What a place looks like where an
exchange is undone is learnt from exchanges that we make ourselves.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from competitions.chinese360.features import ragged
from competitions.chinese360.features.detector import Detector
from competitions.chinese360.features.ngrams import NgramCounts, bounded
from kit.core.threads import threads

STRENGTH = 2.0  # pseudo-counts that the shorter context is worth
BLOCK, CONTEXT = 2, 2  # symbols in a block, and beside the blocks
SEAMS = CONTEXT - 1 + BLOCK * np.arange(3)  # bigrams of a window that an exchange breaks
BACK = np.array([0, 1, 4, 5, 2, 3, 6, 7])  # a window with its blocks exchanged
RARE = 3.0  # an exchange is suspected where the pointwise mutual information of the three seams is below this, bits
CHUNK = 2**16  # windows handled together
SAMPLE = 100_000  # exchanges to learn from


def exchange_features(letters: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """How likely the most likely exchange of each row is one, and where it is."""
    features = {}
    score = exchange_scores(letters, start)
    for rank, best in enumerate(ragged.greatest(score, start, 2), 1):
        features[f"{rank}"] = best
    features["place"] = ragged.place_of_max(score, start)
    features["rise"] = features["1"] - features["2"]
    return features


def exchange_scores(letters: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(total,) log-odds that the two blocks from each position on were exchanged, at least -20.

    -20 where less than two blocks of letters are left, and where the seams are too common to be suspected.
    """
    windows = ExchangeSites(letters, start)
    known = windows.places()
    score = np.full(len(letters), -20, np.float32)
    if not len(known):
        return score
    rng = np.random.default_rng(0)
    natural, tampered = (np.sort(rng.choice(known, min(SAMPLE, len(known)), replace=False)) for _ in range(2))
    detector = Detector(windows.describe(natural), windows.describe(tampered, exchanged=True))
    suspects = known[windows.seams(known) < RARE]

    def compare(some: np.ndarray) -> None:
        score[some] = np.maximum(detector.score(windows.describe(some)), -20)

    with ThreadPoolExecutor(threads()) as pool:  # numpy looks up and computes without Python's lock
        list(pool.map(compare, np.array_split(suspects, range(CHUNK, len(suspects), CHUNK))))
    return score


class ExchangeSites:
    """All places of a corpus where two blocks can be exchanged, with `CONTEXT` symbols on either side."""

    def __init__(self, letters: np.ndarray, start: np.ndarray) -> None:
        self.symbols, longer = bounded(*bounded(letters, start))  # so that every letter has CONTEXT symbols beside it
        self.tables = [NgramCounts(self.symbols, longer, n) for n in (1, 2, 3)]
        self.total = float(len(self.symbols))
        self.letters, self.start = letters, start

    def places(self) -> np.ndarray:
        """Positions from which on two blocks are letters: no signs, digits or Latin."""
        fit = (self.letters >= 0x3400) & (self.letters < 0xA000)
        fit &= np.arange(len(fit)) + 2 * BLOCK <= np.repeat(self.start[1:], np.diff(self.start))
        for offset in range(1, 2 * BLOCK):
            fit[: len(fit) - offset] &= (self.letters[offset:] >= 0x3400) & (self.letters[offset:] < 0xA000)
        return np.flatnonzero(fit)

    def read(self, places: np.ndarray) -> np.ndarray:
        """(m, 8) the symbols around the places."""
        return self.symbols[self._at(places)[:, None] + np.arange(len(BACK))]

    def seams(self, places: np.ndarray) -> np.ndarray:
        """(m,) pointwise mutual information of the three seams together, bits."""
        one, two, _ = self.tables
        pmi = np.empty(len(self.symbols) - 1, np.float32)
        for begin in range(0, len(pmi), CHUNK):
            pairs = sliding_window_view(self.symbols[begin : begin + CHUNK + 1], 2)
            together = np.maximum(two.count(two.keys(pairs)) - 1, 0)
            left, right = (one.count(pairs[:, side].astype(np.int64)) for side in (0, 1))
            pmi[begin : begin + CHUNK] = self._pmi(together, left, right)
        at = self._at(places)
        bits = pmi[at + SEAMS[0]]
        for seam in SEAMS[1:]:
            bits += pmi[at + seam]
        return bits

    def describe(self, places: np.ndarray, exchanged: bool = False) -> np.ndarray:
        """(m, k) the text as it stands against the text exchanged back.

        Args:
            exchanged: the text stands as if the blocks had been exchanged here.
        """
        own = self.read(places)
        stands, back = (own[:, BACK], own) if exchanged else (own, own[:, BACK])
        bits, columns = [], []
        for text in stands, back:
            one, two, three = counts = self._counts(text, own)
            bits.append(self._bits(*counts))
            pmi = self._pmi(two, one[:, :-1], one[:, 1:])
            seams = np.sort(pmi[:, SEAMS], axis=1)
            columns += [*seams.T, pmi[:, CONTEXT], pmi[:, CONTEXT + BLOCK]]
            columns += [(two[:, SEAMS] > 0).sum(axis=1), np.log2(three + 1).sum(axis=1)]
        columns += [bits[0] - bits[1], np.log2(one[:, CONTEXT:-CONTEXT]).sum(axis=1)]
        return np.stack(columns, axis=1).astype(np.float32)

    def _at(self, places: np.ndarray) -> np.ndarray:
        """Where among the symbols the windows of the places begin."""
        return places + 2 * CONTEXT * (np.searchsorted(self.start, places, side="right") - 1)

    def _pmi(self, together: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Pointwise mutual information of pairs, smoothed, bits."""
        return np.log2((together + 0.5) * self.total / (left * right + 0.5 * self.total))

    def _counts(self, text: np.ndarray, own: np.ndarray) -> list[np.ndarray]:
        """Counts of the n-grams of the windows `text` in the corpus without the windows `own`."""
        found = []
        for n, table in enumerate(self.tables, 1):
            keys, here = (table.keys(sliding_window_view(window, n, axis=1)) for window in (text, own))
            found.append(np.maximum(table.count(keys) - (keys[:, :, None] == here[:, None, :]).sum(axis=2), 0))
        found[0] += 1
        return found

    def _bits(self, one: np.ndarray, two: np.ndarray, three: np.ndarray) -> np.ndarray:
        """(m,) surprisal of windows with these counts to the trigram model of `surprisal.py`."""
        p = one[:, 2:] / self.total
        p = (two[:, 1:] + STRENGTH * p) / (one[:, 1:-1] + STRENGTH)
        p = (three + STRENGTH * p) / (two[:, :-1] + STRENGTH)
        return -np.log2(p).sum(axis=1)
