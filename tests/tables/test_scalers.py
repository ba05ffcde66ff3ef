"""Scalers of networks of tables: against scikit-learn and SciPy, and on columns with odd values."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm, rankdata
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from kit.tables.scalers import FittedScaler, QuantileScaling, RankGauss, RobustScaling, Scaler, StandardScaling

RNG = np.random.default_rng(0)
X = RNG.gamma(2.0, 3.0, (600, 3)) * [1, 1e-4, 1e6]
SCALERS: list[Scaler] = [
    StandardScaling(),
    RobustScaling(),
    RobustScaling(clip="smooth"),
    QuantileScaling(),
    RankGauss(),
]


def test_standard_and_robust_are_scikit_learns() -> None:
    np.testing.assert_allclose(StandardScaling().fit(X).transform(X), StandardScaler().fit_transform(X), rtol=1e-9)
    expected = RobustScaler(unit_variance=True).fit_transform(X)
    np.testing.assert_allclose(RobustScaling().fit(X).transform(X), expected.clip(-5, 5), rtol=1e-4)
    plain = RobustScaler().fit_transform(X)
    smooth = plain / np.sqrt(1 + (plain / 3) ** 2)
    np.testing.assert_allclose(RobustScaling(clip="smooth").fit(X).transform(X), smooth, rtol=1e-4)


def test_quantile_is_scikit_learns() -> None:
    gaps = X.copy()
    gaps[::7, 1] = np.nan
    expected = QuantileTransformer(n_quantiles=20, output_distribution="normal").fit(gaps)
    fitted, other = QuantileScaling(jitter=0).fit(gaps), RNG.gamma(2.0, 3.0, (50, 3)) * [1, 1e-4, 1e6]
    np.testing.assert_allclose(fitted.transform(other), expected.transform(other), rtol=1e-9)


def test_noise_tells_equal_values_apart_and_moves_little_else() -> None:
    counts = RNG.poisson(1.0, (3000, 1)).astype(float)
    plain, noisy = (QuantileScaling(jitter=noise).fit(counts).state["quantiles"] for noise in (0, 1e-3))
    assert len(np.unique(plain)) < 10 and len(np.unique(noisy)) == len(noisy) == 100
    plain, noisy = (QuantileScaling(jitter=noise).fit(X).transform(X) for noise in (0, 1e-3))
    np.testing.assert_allclose(noisy.clip(-2, 2), plain.clip(-2, 2), atol=0.05)


def test_rank_gauss_is_the_normal_quantile_of_the_rank() -> None:
    x = RNG.poisson(3.0, (500, 1)).astype(float) + RNG.integers(0, 3, (500, 1)) / 10
    found = RankGauss().fit(x).transform(x)
    np.testing.assert_allclose(found[:, 0], norm.ppf((rankdata(x[:, 0]) - 0.5) / 500), rtol=1e-9)
    fine, of_scikit = RNG.normal(size=(2000, 1)), QuantileTransformer(n_quantiles=2000, output_distribution="normal")
    inner = np.abs(fine) < 2
    np.testing.assert_allclose(
        RankGauss().fit(fine).transform(fine)[inner], of_scikit.fit_transform(fine)[inner], atol=0.01
    )


def test_rank_gauss_of_new_values_lies_between_its_neighbours_and_never_beyond_the_ends() -> None:
    fitted = RankGauss().fit(np.arange(10.0)[:, None])
    low, middle, high = fitted.transform(np.array([[-100.0], [4.5], [100.0]]))[:, 0]
    assert low == pytest.approx(norm.ppf(0.05)) and high == pytest.approx(norm.ppf(0.95)) and middle == pytest.approx(0)
    few = RankGauss(values=50).fit(X)
    np.testing.assert_allclose(
        few.transform(X).clip(-1.5, 1.5), RankGauss().fit(X).transform(X).clip(-1.5, 1.5), atol=0.1
    )
    assert few.state["counts"].tolist() == [50, 50, 50]


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_missing_numbers_stay_missing_and_odd_ones_move_no_other(scaler: Scaler) -> None:
    odd = X.copy()
    odd[3], odd[4], odd[5] = np.nan, np.inf, -np.inf
    plain, found = scaler.fit(X).transform(X), scaler.fit(odd).transform(odd)
    rest = np.arange(600) > 5
    assert np.isnan(found[3]).all() and np.isfinite(found[4:]).all()
    assert (found[4] >= np.nanmax(found[rest], axis=0)).all() and (found[5] <= np.nanmin(found[rest], axis=0)).all()
    np.testing.assert_allclose(found[rest].clip(-3, 3), plain[rest].clip(-3, 3), atol=0.1)


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_columns_that_say_nothing(scaler: Scaler) -> None:
    x = np.array([[np.nan, 4.0, 1.0], [np.nan, 4.0, 2.0], [np.nan, 4.0, np.nan]])
    fitted = scaler.fit(x)
    assert (fitted.transform(x)[:, 1] == 0).all() and np.isnan(fitted.transform(x)[:, 0]).all()
    assert np.isfinite(fitted.transform(np.array([[7.0, 5.0, 1e300]]))).all()


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_what_is_saved_scales_alike(scaler: Scaler, tmp_path: Path) -> None:
    fitted = scaler.fit(X)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(FittedScaler.load(scaler, tmp_path).transform(X), fitted.transform(X))
