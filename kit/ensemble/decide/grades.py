"""Cut points that turn values into ordered grades, with the highest quadratic kappa."""

import numpy as np

from kit.metrics import Metric, quadratic_kappa

STEPS = 50  # largest number of passes of the search; usually a few are enough


def takes_grades(metric: Metric, y: np.ndarray, p: np.ndarray) -> bool:
    """Whether values become grades: predictions and labels have one column, and the metric is quadratic kappa."""
    return metric.family == "kappa" and np.shape(y)[1:] == np.shape(p)[1:] == (1,)


def best_grades(y: np.ndarray, p: np.ndarray) -> tuple[float, ...]:
    """The lowest grade, then the rising cut points from which each next grade begins, with the highest kappa.

    With s the predicted grade, 1 - kappa is a ratio r of two sums over rows: Σ (y - s)² over Σ mean (Y - s)², where the
    mean is over the labels Y of all rows. Where the ratio is smallest, the first sum minus r times the second is
    smallest too (Dinkelbach, "On nonlinear fractional programming", 1967). Each cut point has its own part of this
    difference, which follows from the number of rows below it and the sum of their labels. So a few passes over the
    sorted rows find the optimum. A cut point is midway between two predictions; of equally good ones, the one nearest
    to a half, where rounding would cut, is taken.

    Args:
        y: (n, 1) grades.
        p: (n, 1) predictions.

    Returns:
        () if all grades are equal.

    Raises:
        KitError: labels are not whole numbers.
    """
    if np.isnan(quadratic_kappa(y, p)):
        return ()
    y, p = np.ravel(y).astype(np.float64), np.ravel(p).astype(np.float64)
    order = np.argsort(p, kind="stable")
    ranked, lowest, mean = p[order], y.min(), y.mean()
    ends = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1  # equal predictions get the same grade
    below = np.concatenate([[0], ends, [len(y)]])  # rows below each cut
    labels = np.append(0, np.cumsum(y[order]))[below]  # and the sum of their labels
    middle = ranked[ends - 1] + (ranked[ends] - ranked[ends - 1]) / 2
    middle = np.where(middle > ranked[ends - 1], middle, ranked[ends])  # there is no float between neighbouring floats
    cuts = np.concatenate([ranked[:1], middle, [np.nextafter(ranked[-1], np.inf)]])
    grades = np.arange(lowest, y.max() + 1)
    halves = grades[1:] - 0.5
    surplus, ratio, best = labels - mean * below, 1.0, np.zeros(len(halves), dtype=int)
    for _ in range(STEPS):
        at = np.array([np.argmin(surplus - (1 - ratio) * (half - mean) * below) for half in halves])
        found = _ratio(grades - mean, below[at], surplus[at], float(((y - mean) ** 2).sum()), len(y))
        if not found < ratio - 1e-13:
            break
        best, ratio = at, found
    chosen = []
    for half, at in zip(halves, best, strict=True):
        loss = surplus - (1 - ratio) * (half - mean) * below
        equals = cuts[loss <= loss[at] + 1e-12 * len(y)]
        chosen.append(float(equals[np.abs(equals - half).argmin()]))
    return (float(lowest), *np.maximum.accumulate(chosen).tolist())


def graded(p: np.ndarray, thresholds: tuple[float, ...]) -> np.ndarray:
    """Grades (n, 1) of predictions (n, 1), by thresholds from `best_grades`."""
    lowest, *cuts = thresholds
    return lowest + np.searchsorted(cuts, np.asarray(p, dtype=np.float64), side="right")


def _ratio(grades: np.ndarray, below: np.ndarray, labels: np.ndarray, spread: float, n: int) -> float:
    """1 - kappa, from the rows below each cut and the sum of their labels; labels and grades count from the mean."""
    rows = np.diff(below, prepend=0, append=n)
    square = float(rows @ grades**2)
    product = float(np.diff(labels, prepend=0.0, append=0.0) @ grades)  # centred labels sum to 0
    return (spread - 2 * product + square) / (spread + square)
