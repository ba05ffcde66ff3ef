"""Fingerprints of columns: equal values give equal fingerprints, in any type of column."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from kit.schema.cells import UNMIXED


def fingerprint(column: pd.Series) -> str:
    """A digest that changes with any value of a column, and with the order of the values.

    Strings are the same in pandas' type, in pyarrow's and as objects. All missing values are the same.
    """
    kinds, dtype = pd.api.types, column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return _sum(dtype.str, _with_one_nan(column.to_numpy()))
    if kinds.is_numeric_dtype(dtype):  # pandas' own types, which can have missing values
        return _sum("<f8", _with_one_nan(column.to_numpy(dtype=np.float64, na_value=np.nan)))
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return _sum("dates", column.to_numpy("datetime64[us]").astype(np.int64))
    if not isinstance(dtype, pd.StringDtype):
        column = column.astype(object)
        if pd.api.types.infer_dtype(column, skipna=True) not in UNMIXED:  # 1 and True are equal to pandas
            plain = [v if isinstance(v, str) or _is_missing(v) else f"\0{type(v).__name__} {v!r}" for v in column]
            column = pd.Series(plain, dtype=object)
    codes, found = pd.factorize(column)
    texts = [value if isinstance(value, str) else f"\0{type(value).__name__} {value!r}" for value in found]
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    return _sum("words", codes.astype(np.int64), lengths, "".join(texts).encode("utf-8", "surrogatepass"))


def _is_missing(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _with_one_nan(values: np.ndarray) -> np.ndarray:
    """A copy in which every NaN has the same bits: 0/0 has other bits than a missing number of a file."""
    if values.dtype.kind == "f" and (gaps := np.isnan(values)).any():
        values = values.copy()
        values[gaps] = np.nan
    return values


def _sum(kind: str, *parts: np.ndarray | bytes) -> str:
    found = hashlib.sha256(kind.encode())
    for part in parts:
        found.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return found.hexdigest()
