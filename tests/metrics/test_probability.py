"""Brier score and column-wise log loss against scikit-learn and closed forms."""

import numpy as np
import pytest
from sklearn import metrics as sk

from kit.core.errors import KitError
from kit.metrics import brier, log_loss, mean_column_log_loss

rng = np.random.default_rng(0)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])  # 0 and 1: one class alone
def test_brier_is_scikit_learns(share: float) -> None:
    y, p = (rng.random((80, 3)) < share).astype(float), rng.random((80, 3))
    each = [sk.brier_score_loss(y[:, j], p[:, j], pos_label=1) for j in range(3)]
    assert brier(y, p) == pytest.approx(np.mean(each)) and brier(y[:, 0], p[:, 0]) == pytest.approx(each[0])
    assert brier(y, y) == 0 and brier([1, 0], [0, 1]) == 1 and brier([1, 0], [0.5, 0.5]) == 0.25


def test_brier_of_classes_is_the_sum_over_classes() -> None:
    y, p = rng.integers(0, 4, 60), rng.dirichlet(np.ones(4), 60)
    assert brier(y, p) == pytest.approx(((p - np.eye(4)[y]) ** 2).sum() / 60)
    assert brier([0], [[0, 1.0]]) == 2  # Brier's own scale: certain and wrong
    with pytest.raises(KitError, match="brier: predictions must be probabilities; they run from -1 to 2"):
        brier([0, 1], [-1, 2])


def test_the_column_wise_log_loss_is_the_mean_of_scikit_learns() -> None:
    y, p = (rng.random((80, 3)) < 0.3).astype(float), rng.random((80, 3))
    each = [sk.log_loss(y[:, j], p[:, j], labels=[0, 1]) for j in range(3)]
    assert mean_column_log_loss(y, p) == pytest.approx(np.mean(each)) == pytest.approx(log_loss(y, p))


def test_the_width_of_predictions_does_not_change_the_score() -> None:
    """The bank keeps float32 and a blend has float64: the only member of a blend scores as the blend."""
    y, p = np.array([1.0, 0, 1, 0, 1]), np.array([0, 1, 1e-12, 0.25, 0.5])
    wide, narrow = log_loss(y, p), log_loss(y, p.astype(np.float32))
    assert wide == pytest.approx(sk.log_loss(y, p)) and narrow == pytest.approx(wide, rel=1e-6)
    classes = np.array([[1, 0, 0], [0.5, 0.5, 0]])
    assert log_loss(np.array([2, 0]), classes.astype(np.float32)) == log_loss(np.array([2, 0]), classes)
