"""Judged: what a blend learns from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kit.metrics import Metric


@dataclass(frozen=True)
class Judged:
    """Rows whose labels are known, with every member's out-of-fold predictions: what a blend learns from.

    Attributes:
        predictions: (members, n, outputs), checked: finite.
        y: (n, targets) labels.
        metric: what the blend is judged by.
        names: one a member.
        plan: (n,) fold number of each row, for blends that need out-of-fold predictions of their own; None where
            nobody said.
        columns: (n, …) original columns, those of `Blend.needs`; None where none are wanted.
        groups: (n,) group number of each row, where rows of a group are alike: resamples draw whole groups.
        goal: judges the decisions, where `metric` only seeks the weights of a blend that will be cut; None: `metric`.
    """

    predictions: np.ndarray
    y: np.ndarray
    metric: Metric
    names: tuple[str, ...]
    plan: np.ndarray | None = None
    columns: pd.DataFrame | None = None
    groups: np.ndarray | None = None
    goal: Metric | None = None
