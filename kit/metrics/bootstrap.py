"""A metric's value on many resamples of the same rows, each given by how often every row was drawn."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kit.core.errors import KitError
from kit.metrics.functions import ScoreOfCounts
from kit.metrics.gaps import has_gaps
from kit.metrics.metric import Metric
from kit.metrics.sums import row_sums

CELLS = 4_000_000  # counts that are held at once


def resampled(
    metric: Metric,
    y: np.ndarray,
    predictions: Sequence[np.ndarray],
    rounds: int = 1000,
    seed: int = 0,
    groups: Any = None,
) -> np.ndarray:
    """Scores (rounds, predictions) of several predictions, all on the same rows drawn with replacement.

    Args:
        y: (n,) or (n, targets) labels.
        predictions: each (n,) or (n, outputs).
        rounds: resamples, each of as many rows (or groups) as there are.
        groups: (n,) rows of one group are drawn together; None draws row by row.

    Raises:
        KitError: the metric refuses these rows, or there are not as many groups as rows.
    """
    scorers = [resample_scorer(metric, y, p) for p in predictions]
    blocks = [[score(counts) for score in scorers] for counts in resample_counts(len(y), rounds, seed, groups)]
    return np.concatenate([np.stack(block, axis=1) for block in blocks])


def resample_counts(n: int, rounds: int, seed: int, groups: Any = None) -> Iterator[np.ndarray]:
    """How often each row was drawn, (n, resamples), a block of resamples at a time: `rounds` in all."""
    rng, codes, size = np.random.default_rng(seed), None, n
    if groups is not None:
        names, codes = np.unique(np.asarray(groups).reshape(-1), return_inverse=True)
        size = len(names)
        if len(codes) != n:
            raise KitError(f"bootstrap: {n} rows, but {len(codes)} groups; give each row its own")
    width = max(1, CELLS // n)
    for start in range(0, rounds, width):
        drawn = np.empty((min(width, rounds - start), size), dtype=np.int16)  # a resample lies in one piece
        for resample in drawn:
            resample[:] = np.bincount(rng.integers(0, size, size), minlength=size)
        yield drawn.T if codes is None else drawn[:, codes].T


def resample_scorer(metric: Metric, y: np.ndarray, p: np.ndarray) -> ScoreOfCounts:
    """What scores resamples of these rows, as the metric would score the drawn rows themselves.

    ROC AUC sorts once for all resamples and is exact, also with ties. A metric with row statistics needs only their
    sums. A metric may have a way of its own (`by_group`). Any other metric scores the rows of each resample.
    """
    metric(y, p)  # refuses what it cannot read
    y, p = (a if a.dtype.kind == "f" else a.astype(np.float64) for a in (np.asarray(y), np.asarray(p)))
    y, p = y.reshape(len(y), -1), p.reshape(len(p), -1)
    if has_gaps(y) and not metric.gaps:
        return _of_targets(metric, y, p)
    if metric.family == "auc":
        columns = [_auc(y[:, j] >= 0.5, p[:, j]) for j in range(y.shape[1])]

        def of_counts(counts: np.ndarray) -> np.ndarray:
            counts = np.ascontiguousarray(counts)  # rows are put in order, so a row should lie in one piece
            return metric.mean_of_columns(np.stack([column(counts) for column in columns]))

        return of_counts
    if (summed := row_sums(metric, y, p)) is not None:
        rows = summed.rows
        return lambda counts: summed.scores(rows.T @ counts.astype(np.float64), counts.sum(axis=0, dtype=np.float64))
    labels, at = y[:, 0] if y.shape[1] == 1 else y, np.arange(len(y))
    if (own := metric.score_of_counts(labels, p[:, 0] if p.shape[1] == 1 else p)) is not None:
        return own
    draws = lambda counts: (np.repeat(at, column) for column in counts.T)  # noqa: E731
    return lambda counts: np.array([metric.take(rows)(y[rows], p[rows]) for rows in draws(counts)])


def _of_targets(metric: Metric, y: np.ndarray, p: np.ndarray) -> ScoreOfCounts:
    """Scores resamples target by target, each over its known rows; one without any in a resample counts for nothing."""
    parts = [(rows, resample_scorer(alone, *known)) for alone, (rows, *known) in metric.of_targets(y, p)]

    def of_target(rows: np.ndarray, score: ScoreOfCounts, counts: np.ndarray) -> np.ndarray:
        own = counts[rows]
        scores, drawn = np.full(counts.shape[1], np.nan), own.any(axis=0)
        scores[drawn] = score(own[:, drawn])
        return scores

    return lambda counts: metric.mean_of_columns(np.stack([of_target(*part, counts) for part in parts]))


def _auc(positive: np.ndarray, p: np.ndarray) -> ScoreOfCounts:
    """As metrics' AUC; rows are put in order once, and neighbours in it that have one label are summed as one piece."""
    order = np.lexsort((positive, p))
    ranked, ones = p[order], positive[order]
    fresh = np.append(True, ranked[1:] != ranked[:-1])
    run = np.cumsum(fresh) - 1  # the run of equal predictions that a row stands in
    size, share = np.bincount(run), np.bincount(run, ones)
    mixed = ((share > 0) & (share < size))[run]
    # a run of ties with both labels stays two pieces of its own: its zeros, then its ones
    starts = np.flatnonzero(np.append(True, (ones[1:] != ones[:-1]) | (fresh[1:] & (mixed[1:] | mixed[:-1]))))
    one = ones[starts]
    ahead = np.cumsum(~one)[one]  # zero pieces before each piece of ones, the one it ties with included
    alone = ahead - mixed[starts][one]

    def score(counts: np.ndarray) -> np.ndarray:
        pieces = np.add.reduceat(counts[order], starts, axis=0, dtype=np.int32)
        won, below = pieces[one], np.zeros((len(one) - len(ahead) + 1, counts.shape[1]), dtype=np.int64)
        np.cumsum(pieces[~one], axis=0, out=below[1:])
        twice = np.einsum("ij,ij->j", won, below[ahead]) + np.einsum("ij,ij->j", won, below[alone])
        pairs = (won.sum(axis=0) * below[-1]).astype(np.float64)
        return np.asarray(twice / 2 / np.where(pairs > 0, pairs, np.nan))

    return score
