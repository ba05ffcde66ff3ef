"""Rows that are duplicates of each other."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kit.core.errors import KitError, nearest


def linked_groups(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Numbers (n,) int64 from 0, equal for rows that are linked by groups of `a` or `b`, directly or by other rows.

    Args:
        a: (n,) numbers, equal for rows of one group.
        b: (n,) the same by another rule.
    """
    a, b = pd.factorize(a)[0], pd.factorize(b)[0]
    links = coo_array((np.ones(len(a)), (a, len(a) + b)), shape=(2 * len(a), 2 * len(a)))
    return pd.factorize(connected_components(links, directed=False)[1][a])[0].astype(np.int64)


def duplicate_groups(frame: pd.DataFrame, columns: Sequence[str], text: Sequence[str] = ()) -> np.ndarray:
    """Numbers (n,) int64 from 0, equal for rows that are equal in all of `columns` and `text`.

    The columns in `text` are compared after NFKC, case folding and joining of white space. Missing equals missing, and
    missing text equals empty text. Rows without any value are no duplicates: a model cannot remember
    anything in them, and they are often too many for one fold.
    """
    if not (names := list(dict.fromkeys([*columns, *text]))):
        raise KitError("folds: there is no column to find duplicates by")
    groups, empty = np.zeros(len(frame), dtype=np.int64), np.ones(len(frame), dtype=bool)
    for name in names:
        if name not in frame.columns:
            raise KitError(f"folds: column '{name}' is missing" + nearest(name, [str(c) for c in frame.columns]))
        values = frame[name]
        codes, found = pd.factorize(values.fillna("").astype(str) if name in text else values)
        if name in text:  # each different text is normalised once
            plain = np.array([" ".join(unicodedata.normalize("NFKC", t).casefold().split()) for t in found], object)
            empty &= (plain == "")[codes]
            codes = pd.factorize(plain)[0][codes]
        else:
            empty &= codes < 0
        groups = pd.factorize(groups * (len(found) + 1) + codes + 1)[0]  # below (rows + 1)²: no overflow
    groups[empty] = len(frame) + np.arange(empty.sum())
    return pd.factorize(groups)[0].astype(np.int64)
