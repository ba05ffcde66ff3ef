"""Precision and recall at k, and NDCG, against scikit-learn and the mean over all orders of tied items."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from kit.core.errors import KitError
from kit.metrics import metric_named, ndcg, ndcg_at, precision_at, recall_at

rng = np.random.default_rng(0)


def lists(n: int, items: int, digits: int) -> tuple[np.ndarray, np.ndarray]:
    return (rng.random((n, items)) < 0.4).astype(float), rng.random((n, items)).round(digits)


@pytest.mark.parametrize("digits", [0, 1, 9])  # 0 and 1: ties
@pytest.mark.parametrize("k", [1, 3, 6])
def test_ndcg_is_scikit_learns(k: int, digits: int) -> None:
    y, p = lists(50, 6, digits)
    y[0] = 0  # nothing to find
    y *= rng.integers(1, 4, y.shape)
    assert ndcg_at(k)(y, p) == pytest.approx(ndcg_score(y, p, k=k))
    assert ndcg(y, p) == pytest.approx(ndcg_score(y, p)) == pytest.approx(ndcg_at(6)(y, p))
    assert ndcg(y[:, 0], p[:, 0]) == pytest.approx(ndcg_score(y[None, :, 0], p[None, :, 0])), "one list of all rows"


@pytest.mark.parametrize("k", [1, 2, 4])
def test_precision_and_recall_are_means_over_all_orders_of_ties(k: int) -> None:
    y, p = lists(40, 4, 0)
    found = []
    for truth, row in zip(y, p, strict=True):
        orders = [o for o in itertools.permutations(range(4)) if (np.diff(row[list(o)]) <= 0).all()]
        found.append(np.mean([truth[list(order[:k])].sum() for order in orders]))
    hits, whole = np.array(found), y.sum(axis=1)
    assert precision_at(k)(y, p) == pytest.approx((hits / k).mean())
    assert recall_at(k)(y, p) == pytest.approx((hits[whole > 0] / whole[whole > 0]).mean())
    assert (whole == 0).any()


def test_of_classes_the_one_true_class_is_to_be_found() -> None:
    y, p = rng.integers(0, 5, 80), rng.dirichlet(np.ones(5), 80)
    rank = (p > p[np.arange(80), y][:, None]).sum(axis=1)  # 0 for the most probable class
    assert recall_at(2)(y, p) == pytest.approx((rank < 2).mean()) == pytest.approx(2 * precision_at(2)(y, p))
    assert ndcg_at(3)(y, p) == pytest.approx(np.where(rank < 3, 1 / np.log2(rank + 2), 0).mean())


def test_all_rows_of_one_column_are_one_list() -> None:
    y, p = np.array([1, 0, 1, 0, 1.0]), np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert precision_at(3)(y, p) == pytest.approx(2 / 3) and recall_at(3)(y, p) == pytest.approx(2 / 3)
    assert np.isnan(recall_at(2)(0 * y, p)) and precision_at(2)(0 * y, p) == 0 and ndcg(0 * y, p) == 0


def test_names_and_sentences() -> None:
    assert metric_named("precision_at(3)") == precision_at(3) and metric_named("ndcg_at(10)") == ndcg_at(10)
    with pytest.raises(KitError, match=r"ndcg_at\(9\): a list has 6 items, fewer than k = 9"):
        ndcg_at(9)(*lists(5, 6, 1))
    with pytest.raises(KitError, match=r"precision_at\(0\): k is a whole number of places, at least 1"):
        precision_at(0)
    with pytest.raises(KitError, match="ndcg: labels must not be negative; found -1"):
        ndcg([[-1, 1]], [[0, 1]])
