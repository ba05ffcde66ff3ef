"""Diversity: how similar the errors of members are, and how much each member adds to the blend."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kit.ensemble.blend import Blend
from kit.ensemble.left_out import left_out
from kit.ensemble.oof import OutOfFold
from kit.ensemble.predictions import scaled_ranks, weighted_mean
from kit.metrics.intervals import Difference


@dataclass(frozen=True)
class Diversity:
    """How similar members are, and how much each of them adds.

    Attributes:
        members: names.
        correlation: (members, members) Spearman correlation of the errors, prediction minus label; a mean over columns.
        adds: member → how much better the blend's nested score is with it than without it, with a paired 95 % interval;
            empty if there is only one member, or all rows are in one fold.
        error: mean square error of a member, the mean over members and labels.
        ambiguity: mean square distance of the members from their mean. The square error of the mean is `error` minus
            `ambiguity` (Krogh & Vedelsby, "Neural network ensembles, cross validation, and active learning", 1995): a
            blend gains most from members that differ and are equally good.
    """

    members: tuple[str, ...]
    correlation: tuple[tuple[float, ...], ...]
    adds: dict[str, Difference]
    error: float
    ambiguity: float

    def to_dict(self) -> dict[str, Any]:
        """All values, JSON-ready."""
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


def diversity(blend: Blend, oof: OutOfFold) -> Diversity:
    """Measures the diversity of members. It takes as long as members + 1 nested scores.

    Args:
        blend: the blend.
        oof: out-of-fold predictions with a plan, as for `nested`.
    """
    p, targets = oof.predictions, oof.targets
    mean = weighted_mean(p, np.full(len(p), 1 / len(p)))
    return Diversity(
        oof.names,
        tuple(tuple(row) for row in _correlation(p, targets).tolist()),
        dict(left_out(blend, oof)),
        float(np.mean([np.nanmean((one - targets) ** 2) for one in p])),
        float(np.mean([((one - mean) ** 2).mean() for one in p])),
    )


def _correlation(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Spearman correlation of the errors, the mean over columns; 0 for a member whose errors are all equal."""
    members, _, outputs = predictions.shape
    total = np.zeros((members, members))
    for j in range(outputs):
        known = ~np.isnan(targets[:, j])
        errors = (p[known, j : j + 1] - targets[known, j : j + 1] for p in predictions)  # one by one: a bank is large
        ranks = np.stack([scaled_ranks(error)[:, 0] - 0.5 for error in errors])
        size = np.sqrt(np.einsum("ij,ij->i", ranks, ranks))
        total += (ranks @ ranks.T) / np.maximum(np.outer(size, size), 1e-300)
    total /= outputs
    np.fill_diagonal(total, 1.0)
    return np.clip(total, -1, 1)
