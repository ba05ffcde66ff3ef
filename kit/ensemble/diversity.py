"""Diversity: how alike members err, and what each adds to the blend that the others do not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kit.ensemble.base import Blend, checked, scaled_ranks, weighted
from kit.ensemble.nested import FEWER, MANY, ROUNDS, NestedScore, nested
from kit.ensemble.threshold import decide_folds
from kit.intervals import Difference, difference, resampled
from kit.metrics import Metric


@dataclass(frozen=True)
class Diversity:
    """What members have in common, and what each gives.

    Attributes:
        members: names.
        correlation: (members, members) Spearman correlation of the errors, prediction minus label; a mean over columns.
        adds: member → by how much the blend's nested score is better with it than without, with its paired 95 %
            interval; empty where there is one member alone, or all rows lie in one fold.
        error: mean square error of a member, a mean over members, rows and columns.
        ambiguity: mean square distance of the members from their mean. The mean's square error is `error` less this
            (Krogh & Vedelsby, "Neural network ensembles, cross validation, and active learning", 1995): members that
            differ and are equally good are what a blend lives on.
    """

    members: tuple[str, ...]
    correlation: tuple[tuple[float, ...], ...]
    adds: dict[str, Difference]
    error: float
    ambiguity: float

    def facts(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        adds = [
            {"member": name, "adds": one.value, "interval": [one.low, one.high], "p": one.p}
            for name, one in self.adds.items()
            if not np.isnan([one.value, one.low]).any()  # which JSON does not know
        ]
        return {
            "members": list(self.members),
            "correlation": [list(row) for row in self.correlation],
            "adds": adds,
            "error": self.error,
            "ambiguity": self.ambiguity,
        }


def diversity(
    blend: Blend,
    predictions: np.ndarray,
    y: np.ndarray,
    plan: np.ndarray,
    metric: Metric,
    names: Sequence[str] = (),
    columns: pd.DataFrame | None = None,
    groups: np.ndarray | None = None,
    ordered: bool = False,
) -> Diversity:
    """Learns the blend once more without each member, so it takes as long as members + 1 nested scores.

    Arguments are those of `nested`.
    """
    names = tuple(names) or tuple(str(i) for i in range(len(predictions)))
    predictions = checked(predictions, names, compact=True)
    targets = _targets(y, predictions.shape[2])
    mean = weighted(predictions, np.full(len(names), 1 / len(names)))
    return Diversity(
        names,
        tuple(tuple(row) for row in _correlation(predictions, targets).tolist()),
        dict(left_out(blend, predictions, y, plan, metric, names, columns, None, groups, ordered)),
        float(np.mean([((p - targets) ** 2).mean() for p in predictions])),
        float(np.mean([((p - mean) ** 2).mean() for p in predictions])),
    )


def _targets(y: np.ndarray, outputs: int) -> np.ndarray:
    """Labels (n, outputs); of classes 1 in the column of the true one."""
    return (y == np.arange(outputs)).astype(float) if y.shape[1] == 1 < outputs else y


def _correlation(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Spearman's of the errors, a mean over columns; 0 with a member whose errors are all equal."""
    members, _, outputs = predictions.shape
    total = np.zeros((members, members))
    for j in range(outputs):
        errors = (p[:, j : j + 1] - targets[:, j : j + 1] for p in predictions)  # one by one: a bank may be large
        ranks = np.stack([scaled_ranks(error)[:, 0] - 0.5 for error in errors])
        size = np.sqrt(np.einsum("ij,ij->i", ranks, ranks))
        total += (ranks @ ranks.T) / np.maximum(np.outer(size, size), 1e-300)
    total /= outputs
    np.fill_diagonal(total, 1.0)
    return np.clip(total, -1, 1)


def left_out(
    blend: Blend,
    predictions: np.ndarray,
    y: np.ndarray,
    plan: np.ndarray,
    metric: Metric,
    names: Sequence[str],
    columns: pd.DataFrame | None = None,
    asked: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
    ordered: bool = False,
    whole: NestedScore | None = None,
) -> Iterator[tuple[str, Difference]]:
    """Member by member, what it adds: all blends are judged on the same resamples.

    Arguments are those of `nested`, which members are left out in turn (None: each), and the nested score of all of
    them where it is known. Nothing comes where there is one member alone, or all rows lie in one fold.
    """
    if whole is None and len(names) > 1:
        whole = nested(blend, predictions, y, plan, metric, names, columns, 0, groups, ordered)
    if whole is None:
        return
    decided, said = decide_folds(metric, whole.predictions, plan, whole.thresholds)
    rounds = ROUNDS if y.size < MANY else FEWER
    drawn = resampled(decided, y, [said], rounds, groups=groups)[:, 0]
    for name in names if asked is None else asked:
        kept = np.array(names) != name
        rest = tuple(other for other in names if other != name)
        without = nested(blend, predictions[kept], y, plan, metric, rest, columns, 0, groups, ordered)
        assert without is not None
        rival = decide_folds(metric, without.predictions, plan, without.thresholds)[1]
        others = resampled(decided, y, [rival], rounds, groups=groups)[:, 0]  # the same seed: the same resamples
        yield name, difference(metric, (whole.score, without.score), np.column_stack([drawn, others]))
