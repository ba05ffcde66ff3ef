"""Average precision, Gini and concordance against scikit-learn, naive loops and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kit.metrics import average_precision, concordance, gini, roc_auc, undefined_columns

quick = settings(max_examples=80, deadline=None)
few = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])  # so that most of them tie


@st.composite
def pairs(draw: st.DrawFn, labels: st.SearchStrategy[float]) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 30))
    y, p = (np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype=float) for values in (labels, few))
    y[:2] = 0, 1
    return y, p


@quick
@given(pairs(st.sampled_from([0, 1])))
def test_average_precision_with_ties_is_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pair
    assert average_precision(y, p) == pytest.approx(sk.average_precision_score(y, p))


def test_average_precision_is_over_the_columns_with_both_classes() -> None:
    rng = np.random.default_rng(0)
    y, p = (rng.random((100, 3)) < 0.3).astype(float), rng.random((100, 3))
    y[:, 1] = 0
    each = [sk.average_precision_score(y[:, j], p[:, j]) for j in (0, 2)]
    assert average_precision(y, p) == pytest.approx(np.mean(each)) and undefined_columns(average_precision, y) == [1]
    assert np.isnan(average_precision(y[:, 1], p[:, 1])) and np.isnan(average_precision(np.ones(5), p[:5, 0]))


@quick
@given(pairs(st.sampled_from([0, 1])))
def test_gini_of_yes_and_no_is_twice_the_auc_less_one(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pair
    assert gini(y, p) == pytest.approx(2 * roc_auc(y, p) - 1, abs=1e-12)


def naive_gini(y: np.ndarray, p: np.ndarray) -> float:
    """As competitions write it: cumulative labels from the largest prediction down, against the diagonal."""
    share = np.cumsum(y[np.argsort(-p)]) / y.sum()
    return float(share.sum() - (len(y) + 1) / 2)


def test_gini_of_values_is_that_of_competitions() -> None:
    rng = np.random.default_rng(0)
    y = rng.gamma(1, 5, 200)
    p = y + rng.normal(0, 5, 200)
    assert gini(y, p) == pytest.approx(naive_gini(y, p) / naive_gini(y, y))
    assert gini(y, y) == 1 and gini(y, -y) == pytest.approx(-1) and gini(y, np.ones(200)) == pytest.approx(0)
    assert np.isnan(gini(np.ones(5), p[:5])) and np.isnan(gini(np.zeros(5), p[:5]))


@quick
@given(pairs(st.sampled_from([0, 1, 2, 3.5])))
def test_concordance_is_the_share_of_pairs_in_order(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pair
    scores = [
        float(np.sign(y[i] - y[j]) == np.sign(p[i] - p[j])) if p[i] != p[j] else 0.5
        for i in range(len(y))
        for j in range(i)
        if y[i] != y[j]
    ]
    assert concordance(y, p) == pytest.approx(np.mean(scores))


def test_concordance_of_constants() -> None:
    assert np.isnan(concordance([1, 1], [0, 1])) and concordance([0, 1, 2], [5, 5, 5]) == 0.5
    assert undefined_columns(concordance, [0.1, 0.2]) == [], "values below one half are different values"
