"""A generated bank of out-of-fold predictions, for `ensemble.py`."""

from pathlib import Path

import numpy as np


def bank(folder: Path, metric: str, members: int, rows: int, columns: int) -> None:
    """Writes labels (rows, columns) and float32 predictions (members, rows, columns).

    A row is more or less bad in all columns at once; a member sees that through an error shared by all members, one
    shared by its kind, and its own.
    """
    rng = np.random.default_rng(0)
    shares = np.array([0.096, 0.01, 0.053, 0.003, 0.049, 0.009])  # of the Toxic Comment Challenge
    columns = 1 if metric == "quadratic_kappa" else columns
    common = rng.standard_normal((rows, 1), np.float32)
    truth = 0.7 * common + 0.7 * rng.standard_normal((rows, columns), np.float32)
    cuts = [np.quantile(truth[:, c], 1 - shares[c % 6]) for c in range(columns)]
    if metric == "rmse":
        y = truth
    elif metric == "quadratic_kappa":
        cuts = np.quantile(truth, [0.5, 0.75, 0.9, 0.97])
        y = np.searchsorted(cuts, truth).astype(float)
    else:
        y = (truth > cuts).astype(float)
    np.save(folder / "y.npy", y)
    file = np.lib.format.open_memmap(folder / "bank.npy", "w+", np.float32, (members, rows, columns))
    kinds = [rng.standard_normal((rows, columns), np.float32) for _ in range(5)]
    shared = rng.standard_normal((rows, columns), np.float32)
    for m in range(members):
        own = rng.standard_normal((rows, columns), np.float32)
        error = 0.45 * shared + 0.35 * kinds[m % 5] + (0.3 + 0.4 * rng.random()) * own
        seen = truth + error
        if metric == "rmse":
            file[m] = seen / (1 + error.var())
        elif metric == "quadratic_kappa":
            file[m] = np.interp(seen, cuts, np.arange(4) + 0.5) + 0.2 * seen
        else:
            file[m] = 1 / (1 + np.exp(-(2.5 + rng.random()) * (seen - np.array(cuts) * 1.05)))
    file.flush()
