"""Errors of values, and correlations, against scikit-learn, scipy and closed forms."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics as sk

from kit.core.errors import KitError
from kit.metrics import mape, metric_named, pearson, pinball, rmse, rmsle, smape, spearman, undefined_columns

rng = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(100,), (100, 1), (100, 3)])
def test_errors_are_scikit_learns(shape: tuple[int, ...]) -> None:
    y, p = rng.gamma(2, 3, shape).round(1), rng.gamma(2, 3, shape)
    columns = zip(y.reshape(100, -1).T, p.reshape(100, -1).T, strict=True)
    assert rmsle(y, p) == pytest.approx(np.mean([sk.root_mean_squared_log_error(a, b) for a, b in columns]))
    y[0] = 0  # as scikit-learn divides by it
    assert mape(y, p) == pytest.approx(sk.mean_absolute_percentage_error(y, p))
    for quantile in (0.1, 0.5, 0.9):
        assert pinball(quantile)(y - 5, p - 5) == pytest.approx(sk.mean_pinball_loss(y - 5, p - 5, alpha=quantile))
    assert rmsle(y, y) == mape(y, y) == smape(y, y) == pinball(0.3)(y, y) == 0


def test_smape_in_closed_form() -> None:
    assert smape([1, 0, 0, 2], [3, 0, 5, 2]) == pytest.approx((2 * 2 / 4 + 0 + 2 + 0) / 4)
    assert smape([-1], [1]) == 2


def test_rmsle_in_closed_form_and_what_it_refuses() -> None:
    assert rmsle([np.e - 1], [0]) == pytest.approx(1)
    with pytest.raises(KitError, match="rmsle: predictions must be larger than -1; found -3"):
        rmsle([1, 2], [1, -3])
    with pytest.raises(KitError, match="rmsle: labels must be larger than -1; found -1"):
        rmsle([-1, 2], [1, 3])


def test_the_best_constant_of_a_pinball_loss_is_the_quantile() -> None:
    y = rng.normal(size=1001)
    tried = np.sort(y)
    best = tried[np.argmin([pinball(0.9)(y, np.full(1001, c)) for c in tried])]
    assert best == np.quantile(y, 0.9)
    assert metric_named("pinball(0.9)") == pinball(0.9)
    with pytest.raises(KitError, match=r"pinball\(2\): a quantile lies between 0 and 1"):
        pinball(2)


@pytest.mark.parametrize("digits", [0, 9])  # 0: many ties
def test_correlations_are_scipys(digits: int) -> None:
    y = rng.normal(size=(60, 2))
    p = (y + rng.normal(size=y.shape)).round(digits)
    assert pearson(y, p) == pytest.approx(np.mean([pearsonr(y[:, j], p[:, j])[0] for j in range(2)]))
    assert spearman(y, p) == pytest.approx(np.mean([spearmanr(y[:, j], p[:, j])[0] for j in range(2)]))
    assert spearman(y, np.exp(p)) == spearman(y, p)


def test_correlations_of_constants() -> None:
    y = np.column_stack([np.arange(5.0), np.ones(5)])
    for metric in (pearson, spearman):
        assert metric(y, np.zeros((5, 2))) == 0, "constant predictions know nothing"
        assert metric(y, y + 1) == pytest.approx(1), "a column whose labels are all equal is left out"
        assert np.isnan(metric(np.ones(5), np.arange(5))) and undefined_columns(metric, y) == [1]


@pytest.mark.filterwarnings("error")
def test_an_error_too_large_to_be_squared_is_the_worst_score() -> None:
    assert rmse([0.0, 1.0], [1e200, 1.0]) == np.inf
