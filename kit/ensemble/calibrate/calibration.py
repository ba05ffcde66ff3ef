"""Calibration methods: curves that map a column of probabilities to calibrated ones."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, cast

import numpy as np

from kit.core.errors import KitError, nearest
from kit.core.spec import Spec, choices
from kit.ensemble.stack.models import logistic

TINY = 1e-12  # probabilities nearer to 0 or 1 count as this near: their logarithm is finite
SURE, BOUNDS = 1e-7, 400  # the smallest bound that is tried, and how many bounds; each is 4 % above the one before
LOOSE = 1e6  # inverse of a penalty so small that it only keeps the slopes of perfectly separated labels finite


class Calibration(Spec):
    """Base class of calibration methods. A new one implements `fit` and `apply`; the curve is a dict of numbers.

    `fit` gets a column of probabilities (n,) and labels (n,) from 0 to 1, in which both labels occur. With `classes` it
    gets all columns (n, classes) and class indices (n,) instead. A calibration without `classes` treats classes one
    against the rest, and the results are scaled to sum to 1 (Zadrozny & Elkan 2002).
    """

    classes: ClassVar[bool] = False  # calibrates all classes at once
    labels: ClassVar[bool] = True  # calibrates a column by itself

    @abstractmethod
    def fit(self, p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        """The curve as JSON values."""

    @abstractmethod
    def apply(self, curve: dict[str, Any], p: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, in the shape of `p`."""


def calibration_named(name: str) -> Calibration:
    """The calibration with this class name; all that it learnt is in its curve."""
    known = choices(Calibration)  # type: ignore[type-abstract]
    if name not in known:
        raise KitError(f"no calibration is called '{name}'" + nearest(name, sorted(known)))
    return cast(Calibration, known[name]())


class Clip(Calibration):
    """Keeps probabilities away from 0 and 1 by a bound: a wrong prediction of 0 or 1 has an infinite log loss.

    The bound has the lowest log loss of these rows and one more row, which is wrong and has the most extreme
    prediction. So rows without a single error still give a bound (rule of succession, Laplace 1814).
    """

    classes = True

    def fit(self, p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        if p.ndim == 2:
            true = p[np.arange(len(p)), y.astype(int)]
            weight, chance = np.ones(len(p)), true
        else:  # labels may be soft
            weight, chance = np.concatenate([y, 1 - y]), np.concatenate([p, 1 - p])
        bounds = np.geomspace(SURE, 0.3, BOUNDS)
        losses = [-np.log(bound) - weight @ np.log(chance.clip(bound, 1 - bound)) for bound in bounds]
        return {"bound": float(bounds[int(np.argmin(losses))])}

    def apply(self, curve: dict[str, Any], p: np.ndarray) -> np.ndarray:
        clipped = np.clip(p, curve["bound"], 1 - curve["bound"])
        return clipped / clipped.sum(axis=1, keepdims=True) if p.ndim == 2 else clipped


class TemperatureScaling(Calibration):
    """Log-odds divided by one number (Guo et al., "On calibration of modern neural networks", 2017).

    It only makes predictions more confident (below 1) or less confident, so the order in a column stays, and so does
    the most probable class.
    """

    classes = True

    def fit(self, p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        from scipy.optimize import minimize_scalar

        logs = _logs(p) if p.ndim == 2 else np.column_stack([np.zeros(len(p)), _odds(p)])
        true = logs[np.arange(len(y)), y.astype(int)] if p.ndim == 2 else y * logs[:, 1]

        def loss(log_temperature: float) -> float:
            cold = logs / np.exp(log_temperature)
            top = cold.max(axis=1)
            return float(
                (np.log(np.exp(cold - top[:, None]).sum(axis=1)) + top).mean() - true.mean() / np.exp(log_temperature)
            )

        found = minimize_scalar(loss, bounds=(np.log(0.02), np.log(50)), method="bounded", options={"xatol": 1e-8})
        return {"temperature": float(np.exp(found.x))}

    def apply(self, curve: dict[str, Any], p: np.ndarray) -> np.ndarray:
        logs = _logs(p) if p.ndim == 2 else _odds(p)
        return _softmax(logs / curve["temperature"]) if p.ndim == 2 else _sigmoid(logs / curve["temperature"])


class PlattScaling(Calibration):
    """A straight line of the log-odds (Platt, "Probabilistic outputs for support vector machines", 1999).

    Targets are Platt's: as if there were one more row of each label. So perfectly separated labels do not give
    probabilities of 0 and 1.
    """

    def fit(self, p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        yes, no = y.sum(), (1 - y).sum()
        weights, intercepts = logistic(_odds(p)[:, None], y * (yes + 1) / (yes + 2) + (1 - y) / (no + 2), LOOSE)
        return {"slope": float(weights[0, 0]), "intercept": float(intercepts[0])}

    def apply(self, curve: dict[str, Any], p: np.ndarray) -> np.ndarray:
        return _sigmoid(curve["slope"] * _odds(p) + curve["intercept"])


class Isotonic(Calibration):
    """The rising curve with the least squared error (Zadrozny & Elkan 2002); flat parts make ties.

    For a step whose rows all have the answer yes, least squares give 1, and then one wrong row would have an infinite
    log loss. So the curve stays 1 / (n + 2) away from 0 and 1, with n rows. It needs about a thousand rows.
    """

    def fit(self, p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        from sklearn.isotonic import IsotonicRegression

        edge = 1 / (len(y) + 2)
        fitted = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(p, y)
        return {"from": fitted.X_thresholds_.tolist(), "to": fitted.y_thresholds_.tolist()}

    def apply(self, curve: dict[str, Any], p: np.ndarray) -> np.ndarray:
        return np.interp(p, curve["from"], curve["to"])


class BetaCalibration(Calibration):
    """Log-odds a ln p - b ln(1 - p) + c, a and b not negative (Kull, Silva Filho & Flach, "Beta calibration", 2017).

    TemperatureScaling and PlattScaling are the case a = b; with a = b = 1 and c = 0 nothing changes. It can also
    correct a curve that bends differently at the two ends.
    """

    def fit(self, p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        used = ["a", "b"]
        while used:  # a side whose weight comes out negative is left out, as in the paper
            weights, intercepts = logistic(_sides(p)[:, ["ab".index(name) for name in used]], y, LOOSE)
            if weights.min() >= 0:
                slopes = dict(zip(used, weights[0].tolist(), strict=True))
                return {"a": 0.0, "b": 0.0, "c": float(intercepts[0])} | slopes
            used.pop(int(weights[0].argmin()))
        return {"a": 0.0, "b": 0.0, "c": float(_odds(y.mean(keepdims=True))[0])}

    def apply(self, curve: dict[str, Any], p: np.ndarray) -> np.ndarray:
        return _sigmoid(_sides(p) @ np.array([curve["a"], curve["b"]]) + curve["c"])


class VectorScaling(Calibration):
    """Of classes: a slope and an intercept for the logarithm of each (vector scaling, Guo et al. 2017)."""

    classes = True
    labels = False

    def fit(self, p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        from scipy.optimize import minimize

        logs, count = _logs(p), p.shape[1]
        truth = np.eye(count)[y.astype(int)]

        def loss(z: np.ndarray) -> tuple[float, np.ndarray]:
            q = _softmax(logs * z[:count] + z[count:])
            gap = (q - truth) / len(q)
            value = -np.log((q * truth).sum(axis=1).clip(1e-300)).mean() + (z[:count] ** 2).sum() / len(q) / LOOSE
            gradient = np.concatenate([(gap * logs).sum(axis=0) + 2 * z[:count] / len(q) / LOOSE, gap.sum(axis=0)])
            return float(value), gradient

        start = np.concatenate([np.ones(count), np.zeros(count)])
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-12}).x
        return {"slopes": found[:count].tolist(), "intercepts": (found[count:] - found[count:].mean()).tolist()}

    def apply(self, curve: dict[str, Any], p: np.ndarray) -> np.ndarray:
        return _softmax(_logs(p) * np.array(curve["slopes"]) + np.array(curve["intercepts"]))


def reliability(
    y: np.ndarray, p: np.ndarray, bins: int = 15, by: Literal["width", "count"] = "width"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean predictions against the shares of yeses, for the picture of a calibration (a reliability diagram).

    Args:
        y: (n,) labels.
        p: (n,) probabilities; values too with by=count.
        by: bins of equal width, or with equal numbers of rows, which show more if yes is rare.

    Returns:
        For each bin with rows: mean prediction, share of yes, number of rows.
    """
    y, p = (np.asarray(a, dtype=np.float64).reshape(-1) for a in (y, p))
    if by == "width":
        bin_of = np.minimum((p * bins).astype(int), bins - 1)
    else:
        bin_of = np.searchsorted(np.quantile(p, np.arange(1, bins) / bins), p, side="left")
    rows, predicted, true = (np.bincount(bin_of, weights, bins) for weights in (np.ones_like(p), p, y))
    used = rows > 0
    return predicted[used] / rows[used], true[used] / rows[used], rows[used]


def calibration_error(y: np.ndarray, p: np.ndarray, bins: int = 15, by: Literal["width", "count"] = "width") -> float:
    """Expected calibration error: the mean over rows of their bin's |mean prediction - share of yeses| (Naeini 2015).

    Args:
        y: (n, targets) labels from 0 to 1, or (n, 1) class indices if `p` has several columns. Rows whose label is
            missing (NaN) do not count for their target.
        p: (n, outputs) probabilities. For several targets, the result is the mean of the columns' errors; for classes,
            the error of the highest probability (Guo et al. 2017).
        bins: number of bins. The result depends on it, and is too large with few rows in a bin: compare results only
            with equal numbers of bins and rows.

    Raises:
        KitError: shapes disagree, or a prediction is no probability.
    """
    p = np.asarray(p, dtype=np.float64).reshape(len(p), -1)
    y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    if not len(p) == len(y) or y.shape[1] not in (1, p.shape[1]) or not len(p):
        raise KitError(f"calibration error: labels have shape {y.shape}, but predictions {p.shape}")
    if not (p.min() >= 0 and p.max() <= 1):
        raise KitError(
            f"calibration error: predictions must be probabilities; they run from {p.min():g} to {p.max():g}"
        )
    if y.shape != p.shape:
        y, p = (p.argmax(axis=1) == y[:, 0]).astype(float)[:, None], p.max(axis=1, keepdims=True)
    errors = []
    for column in range(p.shape[1]):
        known = ~np.isnan(y[:, column])
        predicted, true, rows = reliability(y[known, column], p[known, column], bins, by)
        errors.append(float(rows @ np.abs(predicted - true) / rows.sum()))
    return float(np.mean(errors))


def _logs(p: np.ndarray) -> np.ndarray:
    return np.log(p.clip(TINY, 1))


def _sides(p: np.ndarray) -> np.ndarray:
    """ln p and -ln(1 - p), (n, 2)."""
    p = p.clip(TINY, 1 - TINY)
    return np.stack([np.log(p), -np.log1p(-p)], axis=-1)


def _odds(p: np.ndarray) -> np.ndarray:
    return np.asarray(_sides(p).sum(axis=-1))


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(-np.logaddexp(0, -z)))


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))
