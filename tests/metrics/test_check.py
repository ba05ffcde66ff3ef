"""Whether a metric fits a task is asked on made-up predictions; the sentence names the nearest one that does."""

import numpy as np
import pytest

from kit.core.errors import KitError
from kit.metrics import METRICS, Metric, metric_named, pinball, roc_auc
from kit.metrics.check import check_metric

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
