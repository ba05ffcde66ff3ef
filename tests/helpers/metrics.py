"""Labels and predictions for tests of metrics, and a metric of one's own with row statistics."""

import numpy as np

from kit.metrics import Metric


def rows(n: int, columns: int = 1, seed: int = 0, digits: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random((n, columns)) < 0.3).astype(float)
    return y, (1 / (1 + np.exp(0.5 - y + rng.normal(0, 1.2, y.shape)))).round(digits)


def classes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.random((n, 4))
    return rng.integers(0, 4, (n, 1)).astype(float), p / p.sum(axis=1, keepdims=True)


def naive(metric: Metric, y: np.ndarray, p: np.ndarray, counts: np.ndarray) -> list[float]:
    """The metric asked about the drawn rows, each as often as it was drawn."""
    at = [[i for i, times in enumerate(column) for _ in range(times)] for column in counts.T]
    return [metric(y[i], p[i]) for i in at]


# ---- a metric of your own: twice the misses, once the false alarms, per row ---------------------


def cost(y: np.ndarray, p: np.ndarray, threshold: float) -> float:
    said = p >= threshold
    return float((2 * (y * ~said).sum() + ((1 - y) * said).sum()) / len(y) ** 0.5)


def cost_stats(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    return np.stack([y * (p < threshold), (1 - y) * (p >= threshold)], axis=1)


def cost_of_sums(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    return (2 * sums[0] + sums[1]) / n**0.5


own = Metric(
    cost, greater_is_better=False, needs="label", threshold=0.5, by_column=True,
    row_stats=cost_stats, from_sums=cost_of_sums,
)  # fmt: skip
