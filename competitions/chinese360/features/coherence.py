"""Sentences that are not about what the rest of their row is about: a planted sentence is one.

Topics are latent semantic analysis of character bigrams (Deerwester et al. 1990). How a planted sentence looks is
learnt from sentences of other rows that we plant ourselves.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

from competitions.chinese360.features import ragged
from competitions.chinese360.features.detector import Detector
from competitions.chinese360.features.ngrams import dense
from competitions.chinese360.features.pieces import sentences

TOPICS = 64
VOCABULARY = 2**17  # bigrams at most
COMMON = 0.2  # a bigram in a greater share of rows tells no topic
NEAR = 3  # sentences on either side that are compared with
CHUNK = 2**20  # letters described together
NAMES = [
    "rest",
    "left",
    "right",
    "sides",
    "before",
    "after",
    "around",
    "overlap",
    "rare_overlap",
    "spike",
    "loss",
    "length",
    "size",
    "place",
    "count",
]


class Corpus(NamedTuple):
    """Rows of letters cut into sentences.

    Attributes:
        letters: (total,) numbers of the letters, without gaps.
        start: (rows + 1,) where each row begins.
        pieces: (sentences + 1,) where each sentence begins.
    """

    letters: np.ndarray
    start: np.ndarray
    pieces: np.ndarray


def coherence_features(letters: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """How much sentences of each row look planted, and how close sentences are to the rest of their row."""
    corpus = Corpus(dense(letters), start, sentences(letters, start))
    larger, planted = plant(corpus)
    topics = Topics(larger)  # with what we planted, as the rows' own topics know what others planted
    described = describe(larger, topics)
    detector = Detector(described[~planted], described[planted])
    described = describe(corpus, topics)
    score = detector.score(described)
    per_row = np.searchsorted(corpus.pieces, start)
    features = {f"planted_{rank}": best for rank, best in enumerate(ragged.greatest(score, per_row, 3), 1)}
    features |= {"planted_mean": ragged.mean(score, per_row), "planted_place": ragged.place_of_max(score, per_row)}
    for name, column in zip(NAMES[:11], described.T, strict=False):
        features |= {f"{name}_{k}": v for k, v in ragged.moments(column, per_row).items() if k != "std"}
    return features


def plant(corpus: Corpus) -> tuple[Corpus, np.ndarray]:
    """The corpus with a sentence of another row planted in every row that has two sentences or more, not as its first.

    Returns:
        The new corpus, and (sentences,) which of its sentences are planted.
    """
    rng = np.random.default_rng(0)
    count = len(corpus.pieces) - 1
    per_row = np.searchsorted(corpus.pieces, corpus.start)
    hosts = np.flatnonzero(np.diff(per_row) >= 2)
    guests = rng.permutation(count)[: len(hosts)]
    foreign = ragged.rows_of(per_row)[guests] != hosts
    hosts, guests = hosts[foreign], guests[foreign]
    before = per_row[hosts] + rng.integers(1, np.diff(per_row)[hosts] + 1)
    order = np.insert(np.arange(count), before, guests)
    planted = np.insert(np.zeros(count, bool), before, True)
    lengths = np.diff(corpus.pieces)
    pieces = ragged.starts(lengths[order])
    at = np.arange(pieces[-1]) + np.repeat(corpus.pieces[:-1][order] - pieces[:-1], lengths[order])
    longer = np.diff(corpus.start)
    longer[hosts] += lengths[guests]
    return Corpus(corpus.letters[at], ragged.starts(longer), pieces), planted


class Topics:
    """tf-idf of character bigrams and the axes along which rows differ most.

    Attributes:
        idf: (bigrams,) logarithm of rows over rows with the bigram.
        axes: (bigrams, topics) weighted by idf.
    """

    def __init__(self, corpus: Corpus) -> None:
        from sklearn.utils.extmath import randomized_svd

        rows = len(corpus.start) - 1
        self.fan = int(corpus.letters.max(initial=0)) + 1
        row = ragged.rows_of(corpus.start)
        pairs = np.unique(self._keys(corpus.letters)[row[1:] == row[:-1]] << 24 | row[1:][row[1:] == row[:-1]])
        known, df = np.unique(pairs >> 24, return_counts=True)
        kept = np.flatnonzero((df > 1) & (df <= max(COMMON * rows, 2)))
        kept = np.sort(kept[np.argsort(-df[kept], kind="stable")][:VOCABULARY])
        self.known, self.idf = known[kept], np.log(rows / df[kept]).astype(np.float32)
        self.axes = np.zeros((len(kept), 1), np.float32)
        size = min(TOPICS, rows - 1, len(kept) - 1)
        if size > 0:
            matrix = self.count(corpus.letters, corpus.start)
            matrix.data = np.log1p(matrix.data) * self.idf[matrix.indices]
            norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
            matrix = sparse.diags((1 / np.maximum(norms, 1e-6)).astype(np.float32)) @ matrix
            axes = randomized_svd(matrix, size, n_iter=2, random_state=0)[2]
            self.axes = (axes * self.idf).T.astype(np.float32)

    def count(self, letters: np.ndarray, pieces: np.ndarray) -> sparse.csr_matrix:
        """(pieces, bigrams) how often each piece has each bigram."""
        piece = ragged.rows_of(pieces)
        whole = piece[1:] == piece[:-1]
        keys, piece = self._keys(letters)[whole], piece[1:][whole]
        at = np.searchsorted(self.known, keys)
        hit = np.append(self.known, -1)[at] == keys
        ones = np.ones(int(hit.sum()), np.float32)
        return sparse.csr_matrix((ones, (piece[hit], at[hit])), (len(pieces) - 1, len(self.known)))

    def _keys(self, letters: np.ndarray) -> np.ndarray:
        return letters[:-1].astype(np.int64) * self.fan + letters[1:]


def describe(corpus: Corpus, topics: Topics) -> np.ndarray:
    """(sentences, len(NAMES)) float32: how each sentence stands to the rest of its row."""
    blocks = np.unique(np.searchsorted(corpus.start, [*range(0, corpus.start[-1], CHUNK), corpus.start[-1]]))
    parts = []
    for a, b in pairwise(blocks):
        begin, end = corpus.start[a], corpus.start[b]
        first, last = np.searchsorted(corpus.pieces, [begin, end])
        pieces = corpus.pieces[first : last + 1] - begin
        parts.append(_describe(Corpus(corpus.letters[begin:end], corpus.start[a : b + 1] - begin, pieces), topics))
    return np.concatenate([np.zeros((0, len(NAMES)), np.float32), *parts])


def _describe(corpus: Corpus, topics: Topics) -> np.ndarray:
    per_row = np.searchsorted(corpus.pieces, corpus.start)
    row = ragged.rows_of(per_row)
    place = np.arange(len(row))
    first, end = per_row[row], per_row[row + 1]
    counts = topics.count(corpus.letters, corpus.pieces)
    own = counts @ topics.axes
    sums = np.concatenate([np.zeros((1, own.shape[1])), np.cumsum(own, axis=0, dtype=np.float64)])

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Topics of the row's sentences a … b - 1."""
        return sums[np.clip(b, first, end)] - sums[np.clip(a, first, end)]

    left, right = between(place - NEAR, place), between(place + 1, place + 1 + NEAR)
    before, after = between(place - 1, place), between(place + 1, place + 2)
    rest = _cosine(own, between(first, end) - own)
    to_left, to_right, sides = _cosine(own, left), _cosine(own, right), _cosine(left, right)
    around = _cosine(before, after)
    columns = [rest, to_left, to_right, sides, _cosine(own, before), _cosine(own, after), around]
    columns += [*_overlap(counts, row, topics.idf)]
    columns += [np.minimum(sides, around) - np.maximum(to_left, to_right), sides - rest]
    columns += [np.log1p(np.diff(corpus.pieces)), np.log1p(np.diff(corpus.start)[row])]
    columns += [(place - first) / np.maximum(end - first - 1, 1), end - first]
    return np.stack(columns, axis=1).astype(np.float32)


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.sqrt(np.maximum((a * a).sum(axis=1) * (b * b).sum(axis=1), 1e-12))


def _overlap(counts: sparse.csr_matrix, row: np.ndarray, idf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(sentences,) share of a sentence's bigrams, by idf and by its square over idf, that the rest of its row has."""
    counts.sum_duplicates()
    entries = counts.tocoo()
    key = row[entries.row].astype(np.int64) * len(idf) + entries.col
    number, total = np.unique(key, return_inverse=True)[1], None
    total = np.bincount(number, entries.data) if len(number) else np.zeros(0)
    weight = idf[entries.col]
    elsewhere = weight * (total[number] > entries.data)
    all_ = np.maximum(np.bincount(entries.row, weight, len(row)), 1)
    return (
        np.bincount(entries.row, elsewhere, len(row)) / all_,
        np.bincount(entries.row, elsewhere * weight, len(row)) / all_,
    )
