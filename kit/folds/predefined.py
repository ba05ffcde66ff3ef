"""Fold numbers of one's own."""

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.folds.base import Folds, column_of, per_row


class Predefined(Folds):
    """Your own fold numbers, as scikit-learn's PredefinedSplit. A row with -1 is only trained on; duplicates stay."""

    column: str = Field(description="column of fold numbers, whole, from -1 on")

    def plan(self, frame: pd.DataFrame, y: np.ndarray, duplicates: np.ndarray | None = None) -> np.ndarray:
        per_row(y, frame, "labels")
        column = column_of(frame, self.column)
        numbers = pd.to_numeric(column.astype(str), errors="coerce").to_numpy(np.float64)  # True is not a number here
        if (wrong := ~((numbers == np.floor(numbers)) & (numbers >= -1) & (numbers < 2**15))).any():
            offender = f"found {column.iloc[int(wrong.argmax())]} at position {wrong.argmax()}"
            raise KitError(f"column '{self.column}' must hold whole numbers from -1 to 32767; {offender}")
        plan = numbers.astype(np.int16)
        if len(np.unique(plan)) < 2:
            raise KitError(
                f"column '{self.column}' must hold at least two different numbers: a fold, and another fold or -1"
            )
        return plan
