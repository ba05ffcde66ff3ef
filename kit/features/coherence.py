"""Sentences that are not about what the rest of their row is about: a planted sentence is one.

What tells a planted sentence is learnt from rows in which we plant sentences of other rows ourselves; no label is read.
Topics are latent semantic analysis of character bigrams (Deerwester et al. 1990).
"""

import numpy as np
from scipy import sparse

from kit.features import ragged
from kit.features.pieces import sentences

TOPICS = 96
NEAR = 3  # sentences on either side that are compared with


def plant(letters: np.ndarray, start: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The corpus with a sentence of another row planted in every row that has two sentences or more.

    Returns:
        letters and start of the new corpus, and (sentences,) which of its sentences are planted.
    """
    rng = np.random.default_rng(seed)
    pieces = sentences(letters, start)
    per_row = np.searchsorted(pieces, start)
    count = np.diff(per_row)
    hosts = np.flatnonzero(count >= 2)
    guests = rng.permutation(len(pieces) - 1)[: len(hosts)] if len(pieces) > len(hosts) else hosts[:0]
    hosts = hosts[: len(guests)]
    before = per_row[hosts] + rng.integers(1, count[hosts] + 1)  # never first, for a row's beginning is often its title
    order = np.insert(np.arange(len(pieces) - 1), before, guests)
    planted = np.insert(np.zeros(len(pieces) - 1, bool), before, True)
    lengths = np.diff(pieces)[order]
    longer = start.copy()
    extra = np.zeros(len(start) - 1, np.int64)
    extra[hosts] = np.diff(pieces)[guests]
    longer[1:] += np.cumsum(extra)
    begin = ragged.starts(lengths)
    at = np.arange(begin[-1]) - np.repeat(begin[:-1] - pieces[:-1][order], lengths)
    return letters[at], longer, planted, begin


class Topics:
    """tf-idf of character bigrams, projected on the axes along which rows differ most."""

    def __init__(self, letters, start, size=TOPICS, most=2**17):
        from sklearn.utils.extmath import randomized_svd

        keys = self._keys(letters)
        row = ragged.rows_of(start)
        ok = row[1:] == row[:-1]
        known, gram = np.unique(keys[ok], return_inverse=True)
        pairs = np.unique(gram * np.int64(len(start)) + row[1:][ok])
        df = np.bincount(pairs // len(start), minlength=len(known))
        rows = len(start) - 1
        keep = np.flatnonzero((df >= 3) & (df <= 0.2 * rows))
        keep = np.sort(keep[np.argsort(-df[keep], kind="stable")][:most])
        self.known, self.idf = known[keep], np.log(rows / df[keep]).astype(np.float32)
        x = self.matrix(letters, start)
        x.data = np.log1p(x.data)
        x = x @ sparse.diags(self.idf)
        norm = np.sqrt(x.multiply(x).sum(1)).A1 if hasattr(x.multiply(x).sum(1),"A1") else np.sqrt(np.asarray(x.multiply(x).sum(1)).ravel())
        x = sparse.diags((1 / np.maximum(norm, 1e-9)).astype(np.float32)) @ x
        _, s, v = randomized_svd(x, size, random_state=0, n_iter=3)
        self.axes = (v * self.idf).T.astype(np.float32)

    @staticmethod
    def _keys(letters):
        return letters[:-1].astype(np.int64) << 21 | letters[1:]

    def matrix(self, letters, pieces):
        keys = self._keys(letters)
        piece = ragged.rows_of(pieces)
        ok = piece[1:] == piece[:-1]
        keys, piece = keys[ok], piece[1:][ok]
        at = np.minimum(np.searchsorted(self.known, keys), len(self.known) - 1)
        hit = self.known[at] == keys
        x = sparse.csr_matrix((np.ones(hit.sum(), np.float32), (piece[hit], at[hit])), shape=(len(pieces) - 1, len(self.known)))
        x.sum_duplicates()
        return x


def describe(letters, start, topics, pieces=None):
    if pieces is None: pieces = sentences(letters, start)
    per_row = np.searchsorted(pieces, start)
    row = ragged.rows_of(per_row)
    x = topics.matrix(letters, pieces)
    v = x @ topics.axes
    sums = np.concatenate([np.zeros((1, v.shape[1])), np.cumsum(v, 0, dtype=np.float64)])
    i = np.arange(len(v)); lo, hi = per_row[row], per_row[row + 1]
    seg = lambda a, b: sums[np.clip(b, lo, hi)] - sums[np.clip(a, lo, hi)]
    rest = seg(lo, hi) - v
    left, right = seg(i - NEAR, i), seg(i + 1, i + 1 + NEAR)
    prev, nxt = seg(i - 1, i), seg(i + 1, i + 2)
    def cos(a, b):
        return (a * b).sum(1) / np.sqrt(np.maximum((a * a).sum(1) * (b * b).sum(1), 1e-12))
    # exact overlap with the rest of the row
    import scipy.sparse as sp
    total = sp.csr_matrix((np.ones(len(v), np.float32), (row, i)), shape=(len(start) - 1, len(v))) @ x
    coo = x.tocoo()
    def lookup(m, r, c):
        m = m.tocsr(); m.sort_indices(); k = np.repeat(np.arange(m.shape[0], dtype=np.int64), np.diff(m.indptr)) * m.shape[1] + m.indices
        return m.data[np.searchsorted(k, r.astype(np.int64) * m.shape[1] + c)]
    other = lookup(total, row[coo.row], coo.col) - coo.data > 0
    w = topics.idf[coo.col]
    have = np.bincount(coo.row, w * other, len(v)); alls = np.bincount(coo.row, w, len(v))
    have2 = np.bincount(coo.row, w * w * other, len(v)); 
    n = np.diff(pieces)
    size = np.diff(start)[row]
    d = [cos(v, rest), cos(v, left), cos(v, right), cos(left, right), cos(v, prev), cos(v, nxt), cos(prev, nxt),
         have / np.maximum(alls, 1), have, have2 / np.maximum(alls, 1), np.log1p(n), np.log1p(size), (i - lo) / np.maximum(hi - lo - 1, 1), hi - lo, i == lo, i == hi - 1, alls,
         np.linalg.norm(v, axis=1)]
    spike = np.minimum(d[3], d[6]) - np.maximum(d[1], d[2]); d.append(spike); d.append(d[3]-d[0])
    return np.stack(d, 1).astype(np.float32), per_row, pieces
