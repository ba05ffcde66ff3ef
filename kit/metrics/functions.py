"""The functions of a metric: their forms, their calls, and the one that stands for a function that was not saved."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from kit.core.errors import KitError

Needs = Literal["probability", "label", "grade", "rank", "value"]
Family = Literal["auc", "log_loss", "rmse", "kappa"]
RowStats = Callable[..., np.ndarray | None]
FromSums = Callable[[np.ndarray, np.ndarray], np.ndarray]
# counts (n, resamples) of how often each row was drawn → scores (resamples,), nan where there is none
ScoreOfCounts = Callable[[np.ndarray], np.ndarray]


@runtime_checkable
class ScoresResamples(Protocol):
    """A metric's function that scores many resamples of the same rows by a way of its own."""

    def score_of_counts(self, y: np.ndarray, p: np.ndarray, *further: Any) -> ScoreOfCounts:
        """What scores resamples of these rows; arguments as `Metric.fn` is given them."""
        ...


@runtime_checkable
class MadeOfMetric(Protocol):
    """A metric's function around another metric, such as its mean over groups."""

    @property
    def column_weights(self) -> tuple[float, ...]:
        """Those of the metric inside."""
        ...

    def alone(self) -> "Callable[..., float]":
        """The same around the metric of one target alone."""
        ...


@dataclass(frozen=True)
class Absent:
    """Stands for the function of a saved metric, which only the process that saved it had."""

    name: str

    def __call__(self, *given: Any) -> float:
        """Refuses to score."""
        raise KitError(
            "its function is your own code and was not saved; the loaded model predicts, but to score use "
            "Metric(my_function, greater_is_better=…)(y, p)"
        )


def called(fn: Callable[..., Any], *given: Any, name: str = "") -> Any:
    """The result of a metric's function, which may be a person's own.

    Raises:
        KitError: it failed; one sentence, with the place of the fault in its file.
    """
    try:
        return fn(*given)
    except (KitError, MemoryError):
        raise
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
        place = f" in {Path(frames[0].filename).name}, line {frames[0].lineno}" if frames else ""
        raise KitError(f"{name}{type(error).__name__}{place}: {error}") from error
