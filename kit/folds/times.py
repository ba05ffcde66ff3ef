"""Folds in the order of time."""

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.folds.base import Folds, column_of, per_row


class TimeSeries(Folds):
    """Train on the past, validate on the future: `n` blocks in the order of time, with about equal numbers of rows.

    Rows before the first block are never validated. Rows of one time stay together. Duplicates are not moved.
    """

    n: int = Field(5, ge=2, le=1000, description="number of validated blocks")
    time: str = Field(description="column of times: numbers, dates or ISO 8601 text")
    gap: int | float | str = Field(
        0, description="time left out between train rows and a block: a number, or '7D' for dates"
    )

    @validator(mode="after")
    def _gap_is_a_length(self) -> "TimeSeries":
        text = self.gap.strip() if isinstance(self.gap, str) else None
        try:
            length = self.gap if text is None else pd.Timedelta(text).value
        except ValueError:
            length = -1
        if not float(length) >= 0 or (text is not None and text[-1:].isdigit()):  # pandas reads '7' as nanoseconds
            raise ValueError(f"gap '{self.gap}' is neither a number from 0 on nor a duration such as '7D' or '12h'")
        return self

    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        per_row(y, frame, "labels")
        times, at, sizes = np.unique(self._times(frame), return_inverse=True, return_counts=True)
        if len(times) <= self.n:
            raise KitError(f"column '{self.time}' has {len(times)} different times; {self.n} folds need {self.n + 1}")
        begins, steps = np.cumsum(sizes) - sizes, np.arange(self.n)
        cuts = np.searchsorted(begins, (steps + 1) * len(frame) / (self.n + 1))  # the first time of each block,
        cuts = np.maximum.accumulate(cuts - steps) + steps  # moved on where a crowded time would leave a block empty,
        cuts = np.minimum(cuts, len(times) - self.n + steps)  # and back where that runs out of times
        plan = (np.searchsorted(cuts, at, side="right") - 1).astype(np.int16)
        self.split(plan, 0, frame)  # the first block has the shortest past: the gap may leave nothing of it
        return plan

    def beside_plan(self) -> dict[str, Any]:
        return {"gap": self.gap}

    def _trained(self, plan: np.ndarray, fold: int, frame: pd.DataFrame | None) -> np.ndarray:
        """Rows earlier than the first row of the validation block, minus the gap."""
        if not self.gap:
            return plan < fold
        if frame is None:
            raise KitError(f"gap={self.gap}: split needs the frame with column '{self.time}'")
        times = self._times(frame)
        gap = pd.Timedelta(self.gap).to_timedelta64() if isinstance(self.gap, str) else self.gap
        train = times < times[plan == fold].min() - gap
        if not train.any():
            raise KitError(f"gap={self.gap} leaves no rows before fold {fold} to train on")
        return train

    def _times(self, frame: pd.DataFrame) -> np.ndarray:
        column = column_of(frame, self.time)
        if numbers := pd.api.types.is_numeric_dtype(column):
            times = column.to_numpy(np.int64 if pd.api.types.is_integer_dtype(column) else np.float64)
        else:
            try:  # ISO 8601 only: pandas would guess what 01/02/2020 means
                times = pd.to_datetime(column, utc=True, format="ISO8601").dt.tz_localize(None).to_numpy()
            except (ValueError, TypeError) as error:
                raise KitError(f"column '{self.time}' holds neither numbers nor ISO 8601 dates: {error}") from None
        if self.gap and numbers == isinstance(self.gap, str):
            fitting = "numbers; give the gap as a number" if numbers else "dates; give a duration such as '7D'"
            raise KitError(f"gap={self.gap}: column '{self.time}' holds {fitting}")
        return times
