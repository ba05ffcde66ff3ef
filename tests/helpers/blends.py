"""Members' predictions and labels that tests of blends share."""

import dataclasses

import numpy as np
import pandas as pd
from scipy.special import expit

from kit.ensemble import (
    BetaCalibration,
    Blend,
    Calibration,
    Isotonic,
    OutOfFold,
    PlattScaling,
    TemperatureScaling,
    Trees,
    WeightedMean,
)
from kit.metrics import Metric, log_loss, rmse

SMALL = Trees(rounds=20, min_leaf=5, l2=1)
KINDS = ["labels", "classes", "values"]
ALL: list[Calibration] = [TemperatureScaling(), PlattScaling(), Isotonic(), BetaCalibration()]


def data(kind: str, n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Metric]:
    """Predictions (3 members, n, outputs) of falling quality, labels, and a metric."""
    rng = np.random.default_rng(seed)
    noise = np.array([0.6, 1.0, 2.0])[:, None, None]
    if kind == "classes":
        y = rng.integers(0, 3, (n, 1)).astype(float)
        z = np.exp(1.5 * np.eye(3)[y[:, 0].astype(int)] + noise * rng.normal(size=(3, n, 3)))
        return z / z.sum(axis=-1, keepdims=True), y, log_loss
    y = rng.normal(size=(n, 2))
    z = y + noise * rng.normal(size=(3, n, 2))
    if kind == "values":
        return z, y, rmse
    return 1 / (1 + np.exp(-z)), (y > 0.3).astype(float), log_loss


def frame(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    price = pd.Series(rng.normal(50, 10, n)).mask(rng.random(n) < 0.2)
    return pd.DataFrame({"price": price, "category": rng.choice(["red", "green", "blue"], n), "unread": 0})


def name_of(calibration: Calibration) -> str:
    return type(calibration).__name__


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def odds(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


def truth(n: int, seed: int = 0, columns: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """True probabilities (n, columns) and labels drawn from them."""
    rng = np.random.default_rng(seed)
    q = sigmoid(rng.normal(-0.5, 1.5, (n, columns)))
    return q, (rng.random(q.shape) < q).astype(float)


def classes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True probabilities (n, 3) of classes, and labels (n, 1) drawn from them."""
    rng = np.random.default_rng(seed)
    q = softmax(rng.normal(0, 1.2, (n, 3)))
    return q, (rng.random((n, 1)) > q.cumsum(axis=1)[:, :2]).sum(axis=1, keepdims=True).astype(float)


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def distorted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two members (2, n, 2) that are right in order and far too sure of themselves, and labels."""
    q, y = truth(n, seed, columns=2)
    noise = np.random.default_rng(seed + 1).normal(0, 0.5, (2, n, 2))
    return sigmoid(3 * odds(q) + noise + 1), y


class Remembers(Blend):
    """The worst blend there is: knows each row that it learnt from by heart, and of others nothing."""

    def learn(self, oof: OutOfFold) -> "Remembered":
        known = {row.tobytes(): label for row, label in zip(oof.predictions[0], oof.y[:, 0], strict=True)}
        return Remembered(oof.names, known)


@dataclasses.dataclass(frozen=True)
class Remembered(WeightedMean):
    method: str = "Remembers"
    members: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    known: dict[bytes, float] = dataclasses.field(default_factory=dict)

    def __init__(self, members: tuple[str, ...], known: dict[bytes, float]) -> None:
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "known", known)
        object.__setattr__(self, "shares", (1 / len(members),) * len(members))

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        return np.array([[self.known.get(row.tobytes(), 0.5)] for row in predictions[0]])


def bank(noise: list[float], n: int = 300, seed: int = 0, folds: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 1)) < 0.4).astype(float)
    return y, np.stack([expit(2 * y - 1 + rng.normal(0, s, y.shape)) for s in noise]), np.arange(n) % folds
