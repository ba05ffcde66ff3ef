"""Rows that stay together are clusters. Here clusters are put into folds so that rows and classes are even."""

import heapq

import numpy as np

from kit.core.errors import KitError


def strata_of(y: np.ndarray, n: int, bins: int | None) -> np.ndarray:
    """Numbers (rows, targets) from 0 of the class, or quantile bin, of each label.

    A label that is missing in one of several targets is a class of its own: each fold gets its share of known ones.

    Args:
        y: (rows, targets) labels.
        n: number of folds.
        bins: quantile bins of each target, fewer where a bin would have no row for every fold; None: classes.

    Raises:
        KitError: a label of the only target is missing, or all of one, or a target without bins is continuous.
    """
    missing = np.isnan(y)
    if missing.any() and y.shape[1] == 1:
        raise KitError(f"folds: {missing.sum()} rows have no label, the first at position {missing.argmax()}")
    if (empty := missing.all(axis=0)).any():
        raise KitError(f"folds: no row has a label of target {empty.argmax() + 1}")
    return np.stack([_with_gaps(column, n, bins) for column in y.T], axis=1)


def _with_gaps(y: np.ndarray, n: int, bins: int | None) -> np.ndarray:
    known = ~np.isnan(y)
    strata = np.zeros(len(y), dtype=np.int64)
    strata[known] = _stratum(y[known], n, bins)
    strata[~known] = strata.max() + 1
    return strata


def _stratum(y: np.ndarray, n: int, bins: int | None) -> np.ndarray:
    if bins:
        bins = max(min(bins, len(y) // n), 1)
        return np.searchsorted(np.quantile(y, np.arange(1, bins) / bins), y, side="right")
    classes, strata, sizes = np.unique(y, return_inverse=True, return_counts=True)
    if sizes.min() < n and (y != np.floor(y)).any():
        rare = f"the value {classes[sizes.argmin()]:g} has {sizes.min()} {'row' if sizes.min() == 1 else 'rows'}"
        raise KitError(f"stratified folds of a continuous target need bins, as in bins=10: {rare} for {n} folds")
    return strata


def balanced(together: np.ndarray, strata: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Folds (rows,) of whole clusters, with even numbers of rows and even shares of each class.

    Large clusters are placed first, each into the fold that has least of the cluster's classes, then the fewest rows:
    what scikit-learn's GroupKFold does with rows, and its StratifiedGroupKFold with classes. Rows of their own are so
    dealt out like cards, class after class. No fold is empty where there are as many clusters as folds.

    Args:
        together: (rows,) numbers, equal in a cluster.
        strata: (rows, targets) numbers from 0 of each target's class.
        n: number of folds.
        seed: decides the order of clusters of one class whose sizes differ by a factor of less than two; were they in
            the order of their sizes, all seeds would give nearly the same folds.
    """
    _, first, cluster, sizes = np.unique(together, return_index=True, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(first))
    for column in (*strata[first].T[::-1], -np.log2(sizes).astype(np.int64)):  # stable: the last one sorts first of all
        order = order[np.argsort(column[order], kind="stable")]
    folds, several = _Folds(strata, n), int((sizes > 1).sum())
    rows = np.split(np.argsort(cluster, kind="stable"), np.cumsum(sizes)[:-1]) if several else []
    placed = np.empty(len(first), dtype=np.int64)
    for c in order[:several]:  # those of one row come last
        placed[c] = folds.place(strata[rows[c]])
    placed[order[several:]] = folds.deal(strata[first[order[several:]]])
    return placed[cluster]


class _Folds:
    """What each fold holds so far: rows, and rows of each class of each target."""

    def __init__(self, strata: np.ndarray, n: int) -> None:
        self.n, self.rows = n, np.zeros(n, dtype=np.int64)
        self.held = [np.zeros((column.max(initial=0) + 1, n)) for column in strata.T]
        self.sizes = [np.bincount(column, minlength=1).astype(float) for column in strata.T]

    def place(self, strata: np.ndarray) -> int:
        """Puts a cluster, (rows, targets) of it, into a fold, and gives the fold's number."""
        crowded = np.zeros(self.n)  # by how much the squares of the folds' shares of a class would grow, summed
        found = [np.unique(column, return_counts=True) for column in strata.T]
        for held, sizes, (classes, counts) in zip(self.held, self.sizes, found, strict=True):
            for k, count in zip(classes, counts, strict=True):  # a sum in one order: the same on every machine
                crowded += held[k] * (count / sizes[k] ** 2)
        fold = int(np.lexsort((self.rows, crowded))[0])
        for held, (classes, counts) in zip(self.held, found, strict=True):
            held[classes, fold] += counts
        self.rows[fold] += len(strata)
        return fold

    def deal(self, strata: np.ndarray) -> np.ndarray:
        """Folds (rows,) of rows that are clusters of their own, as `place` would put one after another."""
        if strata.shape[1] > 1:
            return np.array([self.place(row[None]) for row in strata], dtype=np.int64)
        dealt, (column,), (held,) = np.empty(len(strata), dtype=np.int64), strata.T, self.held
        last, waiting = -1, list[tuple[float, int, int]]()
        for i, k in enumerate(column.tolist()):  # classes follow each other, so a heap a class will do
            if k != last:
                last, waiting = k, [(held[k, fold], int(self.rows[fold]), fold) for fold in range(self.n)]
                heapq.heapify(waiting)
            count, rows, fold = waiting[0]
            heapq.heapreplace(waiting, (count + 1, rows + 1, fold))
            held[k, fold] += 1
            self.rows[fold] += 1
            dealt[i] = fold
        return dealt


def iterative(together: np.ndarray, labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Folds (rows,) by iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011), the rarest label first.

    Clusters of several rows are placed by `balanced`; the method then fills up the folds with the other rows.

    Args:
        together: (rows,) numbers, equal in a cluster.
        labels: (rows, labels) whether a row has each label.
        n: number of folds.
        seed: of the draw.
    """
    from iterstrat.ml_stratifiers import IterativeStratification

    _, cluster, sizes = np.unique(together, return_inverse=True, return_counts=True)
    alone, folds = sizes[cluster] == 1, np.empty(len(labels), dtype=np.int64)
    folds[~alone] = balanced(cluster[~alone], labels[~alone].astype(np.int64), n, seed)
    room = np.maximum(len(labels) / n - np.bincount(folds[~alone], minlength=n), 0)
    state, rows = np.random.RandomState(seed), np.flatnonzero(alone)  # the package takes no Generator
    if len(rows):
        state.shuffle(rows)
        folds[rows] = IterativeStratification(labels[rows], room / room.sum(), state)
    if empty := sorted(set(range(n)) - set(folds.tolist())):
        raise KitError(f"fold {empty[0]} gets no row; take fewer folds than {n}")
    return folds
