"""Rows that are duplicates of each other."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd

from kit.spec import KitError, nearest


def duplicate_groups(frame: pd.DataFrame, columns: Sequence[str], text: Sequence[str] = ()) -> np.ndarray:
    """Numbers (n,) int64 from 0, equal for rows that are equal in all of `columns` and `text`.

    The columns in `text` are compared after NFKC, case folding and joining of white space. Missing equals missing, and
    missing text equals empty text: no model can tell such rows apart, so rows that are empty throughout are duplicates.
    """
    if not (names := list(dict.fromkeys([*columns, *text]))):
        raise KitError("folds: there is no column to find duplicates by")
    groups = np.zeros(len(frame), dtype=np.int64)
    for name in names:
        if name not in frame.columns:
            raise KitError(f"folds: column '{name}' is missing" + nearest(name, [str(c) for c in frame.columns]))
        values = frame[name]
        codes, found = pd.factorize(values.fillna("").astype(str) if name in text else values)
        if name in text:  # each different text is normalised once
            plain = [" ".join(unicodedata.normalize("NFKC", t).casefold().split()) for t in found]
            codes = pd.factorize(np.array(plain, dtype=object))[0][codes]
        groups = pd.factorize(groups * (len(found) + 1) + codes + 1)[0]  # below (rows + 1)²: no overflow
    return groups.astype(np.int64)
