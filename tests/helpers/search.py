"""Generated predictions and labels for tests of ensemble searches."""

import numpy as np

from kit.metrics import Metric, mae, quadratic_kappa, rmse


def bank(shape: str, members: int, n: int, outputs: int, seed: int) -> np.ndarray:
    """Predictions (members, n, outputs) between 0 and 1 (between -1 and 1 where signed)."""
    rng = np.random.default_rng(seed)
    p = rng.random((members, n, outputs))
    if shape == "tied":
        p = np.round(p, 1)
    elif shape == "skewed":
        p = np.exp(-25 * p)
    elif shape == "signed":
        p = np.round(2 * p - 1, 2)
    elif shape == "constant":
        p[:, :, 0] = 0.25
    elif shape == "one far off":
        p = np.where(p > 0.98, p, p * 1e-9)
    elif shape == "saturated":
        p = np.clip(3 * p - 1, 0, 1)
    return p


def labels_for(metric: Metric, n: int, outputs: int, seed: int, share: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed + 1)
    if metric is quadratic_kappa:
        return rng.integers(0, 4, (n, 1)).astype(float)
    if metric in (rmse, mae):
        return rng.normal(size=(n, outputs))
    return (rng.random((n, outputs)) < share).astype(float)
