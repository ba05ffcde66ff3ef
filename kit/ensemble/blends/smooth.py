"""Smooth losses of blend weights, with gradients. All are convex, so one descent finds the optimum."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from kit.metrics import Metric
from kit.metrics.gaps import has_gaps

SmoothLoss = Callable[[np.ndarray], tuple[float, np.ndarray]]  # weights (members,) → value, smaller is better; gradient

BLOCK = 1 << 20  # predictions of all members that are held as float64 at once
PAIRS = 20_000  # of a positive and a negative row, for a column
TINY = float(np.finfo(np.float64).eps)  # as log loss clips


def smooth_metric(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> SmoothLoss | None:
    """The metric itself if it is smooth (log loss, RMSE); None for others.

    Args:
        y: (n, targets) labels.
        predictions: (members, n, outputs).
    """
    if metric.family == "log_loss":
        return of_targets(cross_entropy, y, predictions)
    return of_targets(root_mean_square, y, predictions) if metric.family == "rmse" else None


def surrogates(metric: Metric, y: np.ndarray, predictions: np.ndarray) -> list[SmoothLoss]:
    """Smooth losses whose best weights are good starts of a search for the metric's own."""
    several = y.shape[1] == 1 < predictions.shape[2]
    if metric.family == "auc":
        return [pair_loss(y, predictions, sharpness) for sharpness in (1.0, 4.0)]
    bounded = predictions.min() >= 0 and predictions.max() <= 1
    if several or (bounded and np.nanmin(y) >= 0 and np.nanmax(y) <= 1):
        return [of_targets(cross_entropy, y, predictions)] if bounded else []
    return [of_targets(root_mean_square, y, predictions)]


def of_targets(
    loss: Callable[[np.ndarray, np.ndarray], SmoothLoss], y: np.ndarray, predictions: np.ndarray
) -> SmoothLoss:
    """A loss of labels (n, targets); if some are missing, the mean over targets, each over its known rows."""
    if not has_gaps(y):
        return loss(y, predictions)
    known = [np.flatnonzero(~missing) for missing in np.isnan(y).T]
    each = [loss(y[rows, j : j + 1], predictions[:, rows, j : j + 1]) for j, rows in enumerate(known)]

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        values, gradients = zip(*(one(weights) for one in each), strict=True)
        return float(np.mean(values)), np.mean(gradients, axis=0)

    return objective


def best_weights(objective: SmoothLoss, members: int) -> np.ndarray:
    """The best weights (members,) on the simplex, by sequential least squares (Kraft 1988) from equal weights."""
    scale = max(1e-12, float(np.abs(objective(np.full(members, 1 / members))[1]).max()))

    def scaled(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective(weights)
        return value / scale, gradient / scale

    found = minimize(
        scaled,
        np.full(members, 1 / members),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 300},
    )
    return on_simplex(found.x)


def on_simplex(weights: np.ndarray) -> np.ndarray:
    """Weights of sum 1, with negative and tiny ones set to 0; equal weights if nothing is left."""
    kept = np.where(weights > 1e-6 * max(weights.max(), 0), weights, 0)
    return kept / kept.sum() if np.isfinite(kept).all() and kept.sum() > 0 else np.full(len(weights), 1 / len(weights))


def cross_entropy(y: np.ndarray, predictions: np.ndarray) -> SmoothLoss:
    """Log loss of labels, hard or soft, or of classes, as the metric has it; also where rows do not sum to 1."""
    classes = y.shape[1] == 1 < predictions.shape[2]

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = 0.0, np.zeros(len(weights))
        for rows, p in _blocks(predictions):
            q = np.tensordot(weights, p, 1).clip(TINY, 1 - TINY)
            if classes:
                at, truth = np.arange(len(q)), y[rows, 0].astype(int)
                whole = q.sum(axis=1)
                total -= np.log(q[at, truth] / whole).sum()
                gradient -= p[:, at, truth] @ (1 / q[at, truth]) - p.sum(axis=2) @ (1 / whole)
            else:
                yes = y[rows]
                total -= (yes * np.log(q) + (1 - yes) * np.log1p(-q)).sum()
                gradient += np.tensordot(p, (q - yes) / (q * (1 - q)), 2)
        cells = len(y) if classes else y.size
        return total / cells, gradient / cells

    return objective


def root_mean_square(y: np.ndarray, predictions: np.ndarray) -> SmoothLoss:
    """The mean over columns of the root of the mean square error, from the members' products of errors alone."""
    grams = np.zeros((y.shape[1], len(predictions), len(predictions)))
    for rows, p in _blocks(predictions):
        errors = p - y[rows]
        for gram, column in zip(grams, errors.transpose(2, 0, 1), strict=True):
            gram += column @ column.T / len(y)

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        products = grams @ weights
        roots = np.sqrt(np.maximum(products @ weights, 1e-300))
        return float(roots.mean()), (products / roots[:, None]).mean(axis=0)

    return objective


def pair_loss(y: np.ndarray, predictions: np.ndarray, sharpness: float) -> SmoothLoss:
    """A smooth surrogate of ROC AUC: the logistic loss of positive minus negative, over PAIRS random pairs of a column.

    Args:
        sharpness: by how much a pair's difference, in standard deviations over pairs of the members' mean, is
            stretched: the larger, the nearer to counting pairs.
    """
    rng = np.random.default_rng(0)
    gaps = []
    for j in range(y.shape[1]):
        ones, zeros = np.flatnonzero(y[:, j] >= 0.5), np.flatnonzero(y[:, j] < 0.5)
        if len(ones) and len(zeros):
            a, b = rng.choice(ones, PAIRS), rng.choice(zeros, PAIRS)
            gap = (predictions[:, a, j] - predictions[:, b, j]).astype(np.float64)
            gaps.append(gap * sharpness / max(gap.mean(axis=0).std(), 1e-300))

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = 0.0, np.zeros(len(weights))
        for gap in gaps:
            margin = weights @ gap
            value += float(np.logaddexp(0, -margin).mean())
            gradient -= gap @ expit(-margin) / PAIRS
        return value / max(len(gaps), 1), gradient / max(len(gaps), 1)

    return objective


def _blocks(predictions: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows of all members at a time, as float64."""
    members, n, outputs = predictions.shape
    step = max(1, BLOCK // (members * outputs))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        yield rows, np.asarray(predictions[:, rows], dtype=np.float64)
