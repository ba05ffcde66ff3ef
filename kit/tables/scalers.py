"""Scalers: how the numbers of a table are scaled for a network, fitted on the train rows of a fold."""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field

from kit.core.spec import Spec
from kit.tables.scaling import NORMAL_IQR, Scaling

State = dict[str, np.ndarray]
ROWS = 100_000  # at most so many rows decide where the quantiles of a column lie


class Scaler(Spec):
    """How columns of numbers are scaled. Missing numbers (NaN) do not count, and stay missing."""

    def fit(self, numbers: np.ndarray) -> "FittedScaler":
        """Fits on (n, k) numbers of train rows; infinities count as missing here."""
        numbers = np.asarray(numbers, np.float64)
        return FittedScaler(self, self.learn(np.where(np.isfinite(numbers), numbers, np.nan)))

    @abstractmethod
    def learn(self, numbers: np.ndarray) -> State:
        """What `apply` needs, of (n, k) numbers that are finite or NaN."""

    @abstractmethod
    def apply(self, numbers: np.ndarray, state: State) -> np.ndarray:
        """(n, k) scaled numbers of (n, k) numbers that are finite or NaN."""


@dataclass(frozen=True)
class FittedScaler:
    """A scaler and what it has learnt from train rows.

    Attributes:
        scaler: the settings.
        state: arrays by name.
    """

    scaler: Scaler
    state: State

    def transform(self, numbers: np.ndarray) -> np.ndarray:
        """(n, k) float64; infinities become the largest numbers there are, missing numbers stay NaN."""
        return self.scaler.apply(np.nan_to_num(np.asarray(numbers, np.float64), nan=np.nan), self.state)

    def save(self, folder: Path) -> None:
        """Writes `scaler.npz` into an existing folder."""
        np.savez(folder / "scaler.npz", **self.state)  # type: ignore[arg-type]  # numpy's stubs want other names

    @classmethod
    def load(cls, scaler: Scaler, folder: Path) -> Self:
        """What `save` wrote.

        Args:
            scaler: the settings that it was fitted with.
            folder: that of `save`.
        """
        with np.load(folder / "scaler.npz") as saved:
            return cls(scaler, dict(saved))


class StandardScaling(Scaler):
    """Zero mean and unit variance."""

    def learn(self, numbers: np.ndarray) -> State:
        known = ~np.isnan(numbers)
        count = np.maximum(known.sum(axis=0), 1)
        largest = np.maximum(np.abs(np.where(known, numbers, 0)).max(axis=0, initial=0.0), 1e-300)
        shares = np.where(known, numbers / largest, 0)  # numbers of any size can be squared
        mean = shares.sum(axis=0) / count
        deviation = np.sqrt((np.where(known, shares - mean, 0) ** 2).sum(axis=0) / count)
        return {"center": mean * largest, "scale": np.where(deviation > 1e-12, deviation, 1.0) * largest}

    def apply(self, numbers: np.ndarray, state: State) -> np.ndarray:
        with np.errstate(over="ignore"):
            return ((numbers - state["center"]) / state["scale"]).clip(-1e6, 1e6)


class RobustScaling(Scaler):
    """Less the median, divided by the distance between the quartiles: no single value moves the others.

    A column whose quartiles are equal is divided by the median distance of its other values. With the hard clip the
    distance between the quartiles counts as that of a normal distribution, so that its deviation becomes 1; with the
    smooth one it becomes 1 itself, as in RealMLP (Holzmüller et al. 2024).
    """

    clip: Literal["hard", "smooth"] = Field("hard", description="hard: values end at ±5; smooth: x / √(1 + (x/3)²)")

    def learn(self, numbers: np.ndarray) -> State:
        found = Scaling.of(numbers)
        return {"center": found.center, "scale": found.scale * (1 if self.clip == "hard" else NORMAL_IQR)}

    def apply(self, numbers: np.ndarray, state: State) -> np.ndarray:
        missing = np.isnan(numbers)
        if self.clip == "hard":
            return np.where(missing, np.nan, Scaling(state["center"], state["scale"]).transform(numbers))
        with np.errstate(over="ignore"):
            scaled = ((numbers - state["center"]) / state["scale"]).clip(-1e6, 1e6)
        return scaled / np.sqrt(1 + (scaled / 3) ** 2)


class QuantileScaling(Scaler):
    """Quantiles become those of a normal distribution, by scikit-learn's `QuantileTransformer`.

    As in the papers of networks of tables (Gorishniy et al. 2021), the quantiles are those of train rows with a little
    noise, which tells equal values apart. The farthest values lie at ±5.2.
    """

    quantiles: int = Field(1000, ge=2, description="largest number of quantiles; there is one for 30 rows, at least 10")
    jitter: float = Field(
        1e-3, ge=0, description="noise on the train rows while it is fitted, in standard deviations of the column"
    )

    def learn(self, numbers: np.ndarray) -> State:
        from sklearn.preprocessing import QuantileTransformer

        rng = np.random.default_rng(0)
        count = max(min(len(numbers) // 30, self.quantiles), min(10, self.quantiles))
        state = StandardScaling().learn(numbers)
        constant = (np.isnan(numbers) | (np.nan_to_num(numbers) == np.nan_to_num(state["center"]))).all(axis=0)
        noisy = numbers + self.jitter * np.where(constant, 0, state["scale"]) * rng.standard_normal(numbers.shape)
        noisy[:, np.isnan(noisy).all(axis=0)] = 0.0  # columns without any known number
        fitted = QuantileTransformer(
            n_quantiles=min(count, len(noisy)), output_distribution="normal", subsample=ROWS, random_state=0
        ).fit(noisy)
        return {"quantiles": fitted.quantiles_, "references": fitted.references_, "constant": constant}

    def apply(self, numbers: np.ndarray, state: State) -> np.ndarray:
        from sklearn.preprocessing import QuantileTransformer

        fitted = QuantileTransformer(n_quantiles=len(state["references"]), output_distribution="normal")
        fitted.quantiles_, fitted.references_ = state["quantiles"], state["references"]
        fitted.n_quantiles_, fitted.n_features_in_ = len(state["references"]), numbers.shape[1]
        scaled: Any = fitted.transform(numbers) if len(numbers) else numbers
        return np.where(state["constant"] & ~np.isnan(numbers), 0.0, scaled)


class RankGauss(Scaler):
    """Ranks become quantiles of a normal distribution (Jahrer 2017): the value of rank r of n at Φ⁻¹((r − ½) / n).

    Equal values share the mean of their ranks. Values between those of train rows are interpolated; beyond them they
    are those of the first and the last one.
    """

    values: int = Field(10_000, ge=2, description="largest number of different values that are kept of a column")

    def learn(self, numbers: np.ndarray) -> State:
        from scipy.special import ndtri

        values, scores, counts = list[np.ndarray](), list[np.ndarray](), list[int]()
        for column in numbers.T:
            found, times = np.unique(column[~np.isnan(column)], return_counts=True)
            ranks = np.cumsum(times) - times / 2  # the mean rank of equal values, less ½
            kept = np.unique(np.linspace(0, len(found) - 1, min(len(found), self.values)).round().astype(int))
            values.append(found[kept])
            scores.append(ndtri(ranks[kept] / max(1, times.sum())))
            counts.append(len(kept))
        none = np.zeros(0)
        return {
            "values": np.concatenate([none, *values]),
            "scores": np.concatenate([none, *scores]),
            "counts": np.array(counts, dtype=np.int64),
        }

    def apply(self, numbers: np.ndarray, state: State) -> np.ndarray:
        scaled, start = np.full(numbers.shape, np.nan), 0
        for j, count in enumerate(state["counts"]):
            own = slice(start, start := start + count)
            known = ~np.isnan(numbers[:, j])
            scaled[known, j] = np.interp(numbers[known, j], state["values"][own], state["scores"][own]) if count else 0
        return scaled
