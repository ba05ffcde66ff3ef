"""Metrics weighted by column: the weighted mean of the scores of the columns."""

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.metrics import METRICS, Metric, column_weighted, f1, log_loss, mean_roc_auc, metric_named, roc_auc

rng = np.random.default_rng(0)
Y, P = (rng.random((60, 3)) < 0.4).astype(float), rng.random((60, 3))


@pytest.mark.parametrize("metric", [m for m in METRICS.values() if not m.name.startswith("ndcg")], ids=str)
def test_it_is_the_weighted_mean_of_the_columns_scores(metric: Metric) -> None:
    each = [metric(Y[:, j], P[:, j]) for j in range(3)]
    assert column_weighted(metric, 1, 0, 3)(Y, P) == pytest.approx(np.average(each, weights=[1, 0, 3]))


def test_a_column_without_a_score_takes_its_weight_along() -> None:
    y = Y.copy()
    y[:, 1] = 0
    score = column_weighted(roc_auc, 1, 5, 2)(y, P)
    assert score == pytest.approx((roc_auc(Y[:, 0], P[:, 0]) + 2 * roc_auc(Y[:, 2], P[:, 2])) / 3)
    assert np.isnan(column_weighted(mean_roc_auc, 1, 1, 1)(np.zeros((5, 3)), P[:5]))


def test_names_and_sentences() -> None:
    metric = column_weighted(f1.at(0.3), 1, 2.5, 1)
    assert metric.name == "column_weighted(f1,1,2.5,1)@0.3" and metric_named(metric.name) == metric
    assert metric.at(0.5) == metric_named("column_weighted(f1,1,2.5,1)@0.5")
    with pytest.raises(KitError, match="2 weights for 3 columns"):
        column_weighted(log_loss, 1, 2)(Y, P)
    with pytest.raises(KitError, match=r"column_weights = \(0.0, 0.0\); give numbers from 0, not all of them 0"):
        column_weighted(log_loss, 0, 0)
    with pytest.raises(KitError, match=r"column_weighted\(log_loss\): give one weight a column"):
        column_weighted(log_loss)
