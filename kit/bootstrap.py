"""A metric's value on many resamples of the same rows, each told by how often a row was drawn."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kit.metrics import Metric, accuracy, f1, log_loss, mae, mcc, mean_roc_auc, quadratic_kappa, rmse, roc_auc
from kit.spec import KitError

CELLS = 4_000_000  # counts that are held at once

Scorer = Callable[[np.ndarray], np.ndarray]  # counts (n, resamples) → scores (resamples,), nan where there is none
Final = Callable[[np.ndarray, np.ndarray], np.ndarray]  # sums (features, resamples), rows drawn → scores


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
    scorers = [scorer(metric, y, p) for p in predictions]
    blocks = [[score(counts) for score in scorers] for counts in drawn(len(y), rounds, seed, groups)]
    return np.concatenate([np.stack(block, axis=1) for block in blocks])


def drawn(n: int, rounds: int, seed: int, groups: Any = None) -> Iterator[np.ndarray]:
    """How often each row was drawn, (n, resamples), a block of resamples at a time: `rounds` in all."""
    rng, codes, size = np.random.default_rng(seed), None, n
    if groups is not None:
        names, codes = np.unique(np.asarray(groups).reshape(-1), return_inverse=True)
        size = len(names)
        if len(codes) != n:
            raise KitError(f"bootstrap: {n} rows, but {len(codes)} groups; give each row its own")
    width = max(1, CELLS // n)
    for start in range(0, rounds, width):
        counts = np.empty((size, min(width, rounds - start)), dtype=np.int16)
        for column in counts.T:
            column[:] = np.bincount(rng.integers(0, size, size), minlength=size)
        yield counts if codes is None else counts[codes]


def scorer(metric: Metric, y: np.ndarray, p: np.ndarray) -> Scorer:
    """What scores resamples of these rows, as the metric would score the drawn rows themselves.

    ROC AUC sorts once for all resamples and is exact, also with ties. Log loss, errors, accuracy, F1, MCC and kappa are
    functions of sums over rows. Any other metric is asked about the rows of each resample.
    """
    metric(y, p)  # refuses what it cannot read
    y, p = (a if a.dtype.kind == "f" else a.astype(np.float64) for a in (np.asarray(y), np.asarray(p)))
    y, p = y.reshape(len(y), -1), p.reshape(len(p), -1)
    if metric.fn in (roc_auc.fn, mean_roc_auc.fn):
        columns = [_auc(y[:, j] >= 0.5, p[:, j]) for j in range(y.shape[1])]
        return lambda counts: _mean_of_known(np.stack([column(counts) for column in columns]))
    if (summed := _summed(metric, y, p)) is not None:
        rows, final = summed
        return lambda counts: final(rows.T @ counts.astype(np.float64), counts.sum(axis=0, dtype=np.float64))
    at = np.arange(len(y))
    return lambda counts: np.array([metric(y[i], p[i]) for i in (np.repeat(at, column) for column in counts.T)])


def _auc(positive: np.ndarray, p: np.ndarray) -> Scorer:
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


def _mean_of_known(columns: np.ndarray) -> np.ndarray:
    """Mean over columns (columns, resamples) of those that are not nan."""
    known = ~np.isnan(columns)
    return np.asarray(np.where(known, columns, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan))


def _summed(metric: Metric, y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, Final] | None:
    """Features (n, k) of rows, and what the metric is of their sums; None where it is nothing of the kind."""
    classes = y.shape[1] == 1 < p.shape[1]
    if metric.fn is log_loss.fn:
        q = np.clip(p.astype(np.float64), tiny := float(np.finfo(p.dtype).eps), 1 - tiny)
        if classes:
            loss = -np.log(q[np.arange(len(q)), y[:, 0].astype(int)] / q.sum(axis=1))[:, None]
        else:
            loss = -(y * np.log(q) + (1 - y) * np.log1p(-q))
        return loss, _mean
    if metric.fn is mae.fn:
        return np.abs(y - p.astype(np.float64)), _mean
    if metric.fn is rmse.fn:
        return (y - p.astype(np.float64)) ** 2, lambda sums, n: np.sqrt(sums / n).mean(axis=0)
    if metric.fn is accuracy.fn and classes:
        return (p.argmax(axis=1) == y[:, 0]).astype(np.float64)[:, None], _mean
    if metric.fn is quadratic_kappa.fn:
        said = np.asarray(p.argmax(axis=1)[:, None] if classes else np.floor(p.astype(np.float64) + 0.5))
        return np.hstack([y, said, y * y, said * said, (y - said) ** 2]), _kappa
    if metric.fn in (accuracy.fn, f1.fn, mcc.fn) and not classes:
        truth, said = y >= 0.5, p >= metric.threshold
        if metric.fn is accuracy.fn:
            return (truth == said).astype(np.float64), _mean
        final = _f1 if metric.fn is f1.fn else _mcc
        return np.hstack([truth & said, truth, said]).astype(np.float64), final
    return None


def _mean(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.asarray(sums.mean(axis=0) / n)


def _f1(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    hits, truth, said = sums.reshape(3, -1, sums.shape[-1])
    return np.asarray((2 * hits / np.maximum(truth + said, 1)).mean(axis=0))


def _mcc(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    hits, truth, said = sums.reshape(3, -1, sums.shape[-1])
    scale = np.sqrt(truth * (n - truth)) * np.sqrt(said * (n - said))
    return np.asarray(((hits * n - truth * said) / np.where(scale > 0, scale, np.inf)).mean(axis=0))


def _kappa(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    y, said, yy, ss, apart = sums / n
    spread = yy - y * y
    chance = spread + ss - said * said + (y - said) ** 2
    return np.asarray(np.where(spread > 1e-12, 1 - apart / np.where(chance > 0, chance, 1), np.nan))
