"""F-measures, balanced accuracy and MCC against scikit-learn, on random and on degenerate decisions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kit.core.errors import KitError
from kit.metrics import balanced_accuracy, f1, f_beta, macro_f1, mcc, metric_named, micro_f1
from kit.task import Task

quick = settings(max_examples=80, deadline=None)


@st.composite
def columns(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of one to four columns; a column may hold one label alone."""
    n, k = draw(st.integers(1, 25)), draw(st.integers(1, 4))
    cells = st.lists(st.sampled_from([0.0, 1.0]), min_size=n * k, max_size=n * k)
    return np.reshape(draw(cells), (n, k)), np.reshape(draw(cells), (n, k)) * 0.6 + 0.2


@st.composite
def classes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Class indices and one-hot probabilities of four classes, of which some may be absent."""
    n = draw(st.integers(1, 25))
    indices = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    return np.array(draw(indices), dtype=float), np.eye(4)[draw(indices)]


@quick
@given(columns(), st.sampled_from([0.5, 1.0, 2.0]))
def test_f_beta_is_scikit_learns_mean_over_columns(pair: tuple[np.ndarray, np.ndarray], beta: float) -> None:
    y, p = pair
    each = [sk.fbeta_score(a, b >= 0.5, beta=beta, zero_division=0) for a, b in zip(y.T, p.T, strict=True)]
    assert f_beta(beta)(y, p) == pytest.approx(np.mean(each))
    assert f_beta(1)(y, p) == f1(y, p)


def test_f_beta_in_closed_form_and_by_name() -> None:
    y, p = np.array([1, 1, 0, 0]), np.array([0.9, 0.2, 0.8, 0.7])  # precision 1/3, recall 1/2
    assert f_beta(2)(y, p) == pytest.approx(5 * (1 / 3) * (1 / 2) / (4 / 3 + 1 / 2))
    assert metric_named("f_beta(2)") == f_beta(2.0) and metric_named("f_beta(2)@0.75") == f_beta(2).at(0.75)
    assert metric_named("f_beta(2)@0.75")(y, p) == pytest.approx(5 * 0.5 * 0.5 / 2.5)
    with pytest.raises(KitError, match=r"unknown metric 'fbeta\(2\)'; did you mean 'f_beta"):
        metric_named("fbeta(2)")


@quick
@given(columns())
def test_macro_and_micro_f1_of_labels_are_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pair
    if y.shape[1] > 1:
        assert macro_f1(y, p) == pytest.approx(sk.f1_score(y, p >= 0.5, average="macro", zero_division=0))
        assert micro_f1(y, p) == pytest.approx(sk.f1_score(y, p >= 0.5, average="micro", zero_division=0))
        assert macro_f1(y, p) == f1(y, p)


def _mean_recall(y: np.ndarray, predicted: np.ndarray) -> float:
    """scikit-learn's balanced accuracy; it warns where a class is predicted that no label has."""
    return float(sk.recall_score(y, predicted, labels=np.unique(y), average="macro", zero_division=0))


@quick
@given(classes())
def test_metrics_of_classes_are_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pair
    predicted = p.argmax(axis=1)
    assert macro_f1(y, p) == pytest.approx(sk.f1_score(y, predicted, average="macro", zero_division=0))
    assert micro_f1(y, p) == pytest.approx(sk.f1_score(y, predicted, average="micro", zero_division=0))
    assert balanced_accuracy(y, p) == pytest.approx(_mean_recall(y, predicted))
    several = len(np.union1d(y, predicted)) > 1
    assert mcc(y, p) == pytest.approx(sk.matthews_corrcoef(y, predicted) if several else 0)


@quick
@given(columns())
def test_balanced_accuracy_of_labels_is_the_mean_recall_of_no_and_yes(pair: tuple[np.ndarray, np.ndarray]) -> None:
    y, p = pair
    each = [_mean_recall(a, b >= 0.5) for a, b in zip(y.T, p.T, strict=True)]
    assert balanced_accuracy(y, p) == pytest.approx(np.mean(each))


def test_f1_of_classes_is_refused_and_macro_f1_takes_them() -> None:
    y, p = np.array([0, 1, 2]), np.eye(3)
    with pytest.raises(KitError, match="f1: labels have 1 columns but predictions have 3"):
        f1(y, p)
    assert macro_f1(y, p) == micro_f1(y, p) == balanced_accuracy(y, p) == 1


def test_f1_of_a_multiclass_task_is_macro_f1() -> None:
    tasks = [
        Task(name="t", kind=kind, targets="y", metric=metric)
        for kind, metric in (("multiclass", f1), ("multiclass", "f1"), ("binary", f1), ("multiclass", micro_f1))
    ]
    assert [task.metric for task in tasks] == [macro_f1, macro_f1, f1, micro_f1]
    assert Task.from_dict(tasks[0].to_dict()) == tasks[0]
