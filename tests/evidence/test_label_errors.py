"""Likely label errors: planted wrong labels come first, and scores are the closed forms that the papers give."""

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.evidence.label_errors import label_quality, likely_errors


def planted(classes: int, n: int = 400, wrong: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (n,), of which some are wrong, probabilities (n, classes) that know better, and which are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, n)
    p = rng.dirichlet(np.ones(classes), n) * 0.3
    p[np.arange(n), true] += 0.7
    at = rng.choice(n, wrong, replace=False)
    given = true.copy()
    given[at] = (given[at] + 1) % classes
    return given, p, np.isin(np.arange(n), at)


@pytest.mark.parametrize("classes", [2, 4])
def test_planted_errors_come_first_and_most_are_taken_for_errors(classes: int) -> None:
    y, p, wrong = planted(classes)
    kind = "multiclass" if classes > 2 else "binary"
    p = p if classes > 2 else p[:, 1:]
    quality = label_quality(kind, y[:, None].astype(float), [p])
    assert set(np.argsort(quality)[: wrong.sum()]) == set(np.flatnonzero(wrong))
    found = likely_errors(kind, y[:, None].astype(float), p)
    assert found[wrong].mean() > 0.5 and found[~wrong].mean() < 0.03


def test_quality_is_the_probability_of_the_label_the_least_of_several_and_the_mean_of_members() -> None:
    rng = np.random.default_rng(1)
    y, p, q = rng.integers(0, 2, (50, 3)), rng.uniform(0.01, 0.99, (50, 3)), rng.uniform(0.01, 0.99, (50, 3))
    of_p, of_q = (np.where(y == 1, each, 1 - each).min(axis=1) for each in (p, q))
    np.testing.assert_allclose(label_quality("multilabel", y, [p]), of_p, atol=1e-6)
    np.testing.assert_allclose(label_quality("multilabel", y, [p, q]), (of_p + of_q) / 2, atol=1e-6)


def test_a_value_far_from_its_prediction_is_the_worst_of_a_regression() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=(80, 1))
    p = y + rng.normal(scale=0.05, size=y.shape)
    y[17] += 4
    assert np.argmin(label_quality("regression", y, [p])) == 17
    assert not likely_errors("regression", y, p).any()


def test_no_probabilities_are_refused_and_a_class_without_rows_is_no_error() -> None:
    with pytest.raises(KitError, match="found from probabilities, and these predictions are not probabilities"):
        label_quality("binary", np.array([[0.0], [1]]), [np.array([[-3.0], [2]])])
    assert not likely_errors("binary", np.zeros((5, 1)), np.full((5, 1), 0.4)).any()


@pytest.mark.filterwarnings("error")
def test_classes_of_one_row_or_none_are_left_out_and_the_others_are_looked_at() -> None:
    y, p, wrong = planted(4)
    alone = likely_errors("multiclass", y[:, None].astype(float), p)
    rare = np.concatenate([y, [4]])  # class 4 has one row, class 5 none
    wide = np.concatenate([np.pad(p, ((0, 0), (0, 2))), [[0.1, 0.1, 0.1, 0.1, 0.5, 0.1]]])
    found = likely_errors("multiclass", rare[:, None].astype(float), wide)
    assert found.tolist() == [*alone, False] and found[:-1][wrong].mean() > 0.5
    certain = np.eye(2)[[1, 1, 0]]  # no probability is left of the rows' common classes
    assert not likely_errors("multiclass", np.array([[0.0], [0], [1]]), certain).any()
