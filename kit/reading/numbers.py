"""Numbers of a column of a file."""

import numpy as np
import pandas as pd


def as_numbers(column: pd.Series) -> pd.Series:
    """The column as numbers; what is none is NaN, and one of more digits than a float holds is infinite."""
    try:
        return pd.to_numeric(column, errors="coerce")
    except (OverflowError, ValueError):  # pandas, of whole numbers of more than 308 digits
        return column.map(_number).astype(np.float64)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:  # of Python's own whole numbers
        return -np.inf if str(value).startswith("-") else np.inf
    except (TypeError, ValueError):
        return np.nan
