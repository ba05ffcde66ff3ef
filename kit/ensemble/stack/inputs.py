"""Inputs of a Stack: members' predictions as probabilities, log-odds or ranks, with original columns beside them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kit.ensemble.predictions import scaled_ranks
from kit.ensemble.target import TargetKind

InputScale = Literal["auto", "probability", "logit", "rank"]
TINY = 1e-7  # probabilities nearer to 0 or 1 count as this near: float32, which members give, is no finer near 1


@dataclass
class StackInputs:
    """Inputs of second-level models for some rows. Only the outputs that a model reads are made, one member at a time.

    Attributes:
        predictions: (members, n, outputs), of any width.
        inputs: form in which models get a prediction: probability, logit or rank.
        kind: what is predicted: labels, classes or values.
        extra: (n, …) encoded original columns, which follow the predictions.
        plan: (n,) fold of each row: ranks are taken within a fold, because folds come from different fits.
    """

    predictions: np.ndarray
    inputs: str
    kind: TargetKind
    extra: np.ndarray
    plan: np.ndarray | None = None
    _whole: np.ndarray | None = None

    def of(self, output: int | None) -> np.ndarray:
        """(n, inputs): one output of each member, or all (None), member after member."""
        if output is None and self._whole is not None:
            return self._whole
        at = slice(None) if output is None else slice(output, output + 1)
        members, n, wide = self.predictions[:, :, at].shape
        seen = np.empty((n, members * wide + self.extra.shape[1]))
        for m, p in enumerate(self.predictions):
            seen[:, m * wide : (m + 1) * wide] = self._transformed(p[:, at].astype(np.float64))
        seen[:, members * wide :] = self.extra
        self._whole = seen if output is None else None
        return seen

    def _transformed(self, p: np.ndarray) -> np.ndarray:
        if self.inputs == "rank":
            ranks = np.empty_like(p)
            for fold in [None] if self.plan is None else np.unique(self.plan):
                rows = slice(None) if fold is None else self.plan == fold
                ranks[rows] = scaled_ranks(p[rows])
            return ranks
        if self.inputs == "logit":
            p = p.clip(TINY, 1 - TINY)
            return np.asarray(np.log(p) if self.kind == "classes" else np.log(p) - np.log1p(-p))
        return p
