"""Whether a metric fits a task is asked on made-up predictions; the sentence names the nearest one that does."""

import re

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.metrics import METRICS, Metric, metric_named, pinball, roc_auc
from kit.metrics.check import check_metric, made_up

rng = np.random.default_rng(0)
LABELS = {
    "binary": ((rng.random((80, 1)) < 0.3).astype(float), 1),
    "multilabel": ((rng.random((80, 3)) < 0.3).astype(float), 3),
    "multiclass": (rng.integers(0, 4, (80, 1)).astype(float), 4),
    "regression": (rng.gamma(2, 3, (80, 1)), 1),
}


def fits(metric: Metric, kind: str) -> bool:
    try:
        check_metric(metric, kind, *LABELS[kind])
    except KitError:
        return False
    return True


@pytest.mark.parametrize("name", ["roc_auc", "f1", "log_loss", "rmse", "macro_f1", "ndcg", "quadratic_kappa", "mae"])
def test_what_fits(name: str) -> None:
    kinds = {
        "roc_auc": {"binary"}, "f1": {"binary", "multilabel"}, "log_loss": {"binary", "multilabel", "multiclass"},
        "rmse": {"binary", "multilabel", "regression"}, "macro_f1": {"multilabel", "multiclass"},
        "ndcg": {"binary", "multilabel", "multiclass", "regression"}, "quadratic_kappa": {"binary", "multiclass"},
        "mae": {"binary", "multilabel", "regression"},
    }  # fmt: skip
    assert {kind for kind in LABELS if fits(METRICS[name], kind)} == kinds[name]  # the values are no grades


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("roc_auc", "multilabel", "it scores binary tasks; mean_roc_auc fits"),
        ("f1", "multiclass", "it scores binary and multilabel tasks; macro_f1 fits"),
        ("log_loss", "regression", "predictions must be probabilities; they run from .*; rmse fits"),
        ("rmse", "multiclass", "labels have 1 columns but predictions have 4; log_loss fits"),
    ],
)
def test_the_nearest_that_fits_is_named(name: str, kind: str, sentence: str) -> None:
    with pytest.raises(KitError, match=f"^metric {name} does not fit a {kind} task: {sentence}$"):
        check_metric(metric_named(name), kind, *LABELS[kind])


def test_values_that_are_shares_may_be_scored_as_labels() -> None:
    y = rng.random((80, 1))
    check_metric(roc_auc, "regression", y, 1)
    check_metric(METRICS["log_loss"], "regression", y, 1)
    with pytest.raises(KitError, match="it scores binary tasks"):
        check_metric(roc_auc, "regression", y + 1, 1)
    check_metric(pinball(0.9), "regression", y, 1)


def test_a_function_that_fails_is_one_sentence_with_its_line() -> None:
    metric = Metric(lambda y, p: {}[0], "mine", greater_is_better=True)
    with pytest.raises(
        KitError, match=r"^metric mine does not fit a binary task: KeyError in test_check.py, line \d+: 0; "
    ):
        check_metric(metric, "binary", *LABELS["binary"])


def test_labels_of_one_kind_are_no_reason_to_refuse() -> None:
    check_metric(roc_auc, "binary", np.zeros((10, 1)), 1)
    check_metric(METRICS["average_precision"], "multilabel", np.zeros((10, 2)), 2)


def rare_f1(y: np.ndarray, p: np.ndarray) -> float:
    """F1 as many write it: divides by zero where nothing is hit."""
    hits = float(((p > 0.88) & (y > 0.5)).sum())
    precision, recall = hits / float((p > 0.88).sum()), hits / float(y.sum())
    return 2 * precision * recall / (precision + recall)


def test_what_only_random_predictions_lack_is_no_reason_to_refuse() -> None:
    y = np.zeros((80, 1))
    y[3] = 1
    metric = Metric(rare_f1, greater_is_better=True)
    with pytest.raises(KitError, match="ZeroDivisionError"):  # random predictions do not hit the only positive
        metric(y, made_up("binary", y, 1))
    assert check_metric(metric, "binary", y, 1) == ""
    y[3] = 0  # then nothing can be hit
    with pytest.raises(
        KitError, match="^metric rare_f1 does not fit a binary task: ZeroDivisionError in test_check.py"
    ):
        check_metric(metric, "binary", y, 1)


@pytest.mark.parametrize("kind", LABELS)
def test_good_predictions_lie_near_the_labels(kind: str) -> None:
    y, outputs = LABELS[kind]
    p = made_up(kind, y, outputs, good=True)
    assert p.shape == (80, outputs) and p.dtype == np.float32
    if kind == "multiclass":
        assert (p.argmax(axis=1) == y[:, 0]).all() and np.allclose(p.sum(axis=1), 1)
    else:
        assert np.abs(p - y).max() <= 0.1 * (y.max() - y.min()) + 1e-6


def few(y: np.ndarray, p: np.ndarray) -> float:
    """Cannot score more than 40 rows."""
    return float(1 / (len(y) <= 40))


def test_a_metric_that_scores_parts_of_the_rows_is_not_refused_but_said() -> None:
    metric, (y, outputs) = Metric(few, greater_is_better=True), LABELS["binary"]
    halves = [np.arange(80) < 40, np.arange(80) >= 40]
    said = check_metric(metric, "binary", y, outputs, halves)
    assert re.fullmatch(r"ZeroDivisionError in test_check.py, line \d+: division by zero", said)
    with pytest.raises(KitError, match="^metric few does not fit a binary task: ZeroDivisionError"):
        check_metric(metric, "binary", y, outputs, [np.arange(80) < 41, np.arange(80) > 30])
