"""Clauses that stand in another order than they were written in.

Some clauses sound like the last of a sentence and some like the first. How much so is read from other rows: the share
of clauses with the same last (first) letters that end (begin) a sentence there, backed off from more letters to fewer
as in `surprisal.py`. How a sentence looks that is out of order is learnt from sentences that we shuffle.
"""

import numpy as np

from competitions.chinese360.features import ragged
from competitions.chinese360.features.detector import Detector
from competitions.chinese360.features.ngrams import grouped
from competitions.chinese360.features.pieces import CLOSERS, MARKS, OPENERS, clauses, one_of, sentences

LETTERS = 5  # of a clause's beginning or end that are looked at
STRENGTH = 2.0  # pseudo-counts that the shorter context is worth


def order_features(letters: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """How much the sentences of each row look as if their clauses stood in the wrong order."""
    pieces = sentences(letters, start)
    sounds = ClauseScores(letters, start, pieces)
    count = len(sounds.size)
    as_is = sounds.describe(np.arange(count))
    random = np.random.default_rng(0).random(count)
    shuffled = np.lexsort((random, ragged.rows_of(sounds.per_sentence)))
    moved = ragged.reduce(np.add, shuffled != np.arange(count), sounds.per_sentence) > 0
    several = np.diff(sounds.per_sentence) > 1
    detector = Detector(as_is[several], sounds.describe(shuffled)[moved])
    score = np.where(several, detector.score(as_is), -20).astype(np.float32)
    per_row = np.searchsorted(pieces, start)
    features = {f"{rank}": best for rank, best in enumerate(ragged.greatest(score, per_row, 3), 1)}
    features |= {"mean": ragged.mean(score, per_row), "place": ragged.place_of_max(score, per_row)}
    for column, name in enumerate(("end", "begin", "better_end", "better_begin")):
        features |= {f"{name}_{k}": v for k, v in ragged.moments(as_is[:, column], per_row).items() if k != "std"}
    return features


class ClauseScores:
    """How much each clause sounds like a sentence's end and like its beginning.

    Attributes:
        end, begin: (clauses,) log-odds.
        size: (clauses,) logarithm of the length.
        per_sentence: (sentences + 1,) the first clause of each sentence.
    """

    def __init__(self, letters: np.ndarray, start: np.ndarray, pieces: np.ndarray) -> None:
        cuts = np.union1d(clauses(letters, start), pieces)
        self.per_sentence = np.searchsorted(cuts, pieces)
        self.size = np.log1p(np.diff(cuts))
        row = ragged.rows_of(np.searchsorted(cuts, start))
        place = np.arange(len(letters))
        plain = ~one_of(letters, MARKS + CLOSERS + OPENERS + " ")
        first = ragged.reduce(np.minimum, np.where(plain, place, len(letters)), cuts).astype(np.int64)
        last = ragged.reduce(np.maximum, np.where(plain, place, -1), cuts).astype(np.int64)
        heads, tails = np.zeros((2, LETTERS, len(row)), np.int64)
        for i in range(LETTERS):
            within = first + i <= last
            heads[i, within] = letters[first[within] + i]
            tails[i, within] = letters[last[within] - i]
        begins = np.zeros(len(row), bool)
        begins[self.per_sentence[:-1]] = True
        ends = np.append(begins[1:], True) if len(begins) else begins
        self.begin, self.end = share_elsewhere(heads, begins, row), share_elsewhere(tails, ends, row)

    def describe(self, order: np.ndarray) -> np.ndarray:
        """(sentences, k) of sentences with their clauses in this order."""
        end, begin, size = self.end[order], self.begin[order], self.size[order]
        first, last = self.per_sentence[:-1], self.per_sentence[1:] - 1
        others_end, others_begin = end.copy(), begin.copy()
        others_end[last], others_begin[first] = -9, -9
        best_end, best_begin = (ragged.reduce(np.maximum, x, self.per_sentence) for x in (others_end, others_begin))
        columns = [end[last], begin[first], best_end - end[last], best_begin - begin[first], begin[last], end[first]]
        columns += [np.minimum(last - first, 12), size[first], size[last], ragged.mean(size, self.per_sentence)]
        return np.stack(columns, axis=1).astype(np.float32)


def share_elsewhere(letters: np.ndarray, chosen: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(m,) log-odds of being chosen, by what places with the same letters in other rows are.

    Args:
        letters: (n, m) of each place, the most informative first.
        chosen: (m,) what is to be predicted.
        row: (m,) ascending row of each place.
    """
    p = np.full(len(row), (chosen.sum() + 1) / (len(row) + 2))
    key = np.zeros(len(row), np.int64)
    for column in letters:
        number, others, hits = grouped(key << 21 | column, row, chosen)
        p = (hits + STRENGTH * p) / (others + STRENGTH)
        key = number.astype(np.int64)
    return np.log(p / (1 - p))
