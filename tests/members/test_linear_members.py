"""Linear and NBSVM against scikit-learn and naive dense versions."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, Ridge

from kit import members
from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.members import NBSVM, Linear
from kit.members.linear import LinearPredictor
from kit.members.linear_solver import solve
from kit.members.nbsvm import log_count_ratio
from kit.metrics import mean_roc_auc
from kit.metrics.arrays import one_hot
from kit.rows import Rows
from kit.source import Source
from kit.tables.scaling import NORMAL_IQR
from kit.task import Task
from kit.text import Tfidf, counts, tfidf

WORD = Tfidf(min_df=1)
CHAR = Tfidf(analyzer="char_wb", ngram_range=(2, 3), min_df=2)
VOCABULARY = ["good", "bad", "ugly", "fine", "awful", "nice", "dull", "bright", "dark", "calm"]


def rows_of(kind: str, n: int = 150, seed: int = 0) -> Rows:
    """Texts whose words tell their labels, with noise."""
    rng = np.random.default_rng(seed)
    words = rng.integers(0, len(VOCABULARY), (n, 8))
    texts = [" ".join(VOCABULARY[i] for i in row[: 2 + k % 7]) for k, row in enumerate(words)]
    signal = np.stack([(words[:, :2] == i).sum(axis=1) for i in range(3)], axis=1) + rng.normal(0, 0.4, (n, 3))
    targets = ("a", "b", "c") if kind == "multilabel" else ("a",)
    y = {
        "multilabel": (signal > 0.5).astype(float),
        "binary": (signal[:, :1] > 0.5).astype(float),
        "multiclass": signal.argmax(axis=1)[:, None].astype(float),
        "regression": signal[:, :1] * 3 + 7,
    }[kind]
    classes = ("x", "y", "z") if kind == "multiclass" else ()
    task = Task(name="t", kind=kind, targets=targets, text=("text",), classes=classes, metric=mean_roc_auc)
    return Rows(task, Source(pd.DataFrame({"text": texts})), np.arange(n), y)


def dense(rows: Rows, *views: Tfidf) -> np.ndarray:
    return np.hstack([view.fit(rows).transform(rows).toarray() for view in views]).astype(np.float64)


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
@pytest.mark.parametrize("balanced", [False, True])
def test_linear_is_logistic_regression(kind: str, balanced: bool) -> None:
    rows = rows_of(kind)
    got = Linear(word=WORD, char=CHAR, C=2.0, balanced=balanced, tol=1e-6).learn(rows, rows, Path()).predict(rows)
    x = dense(rows, WORD, CHAR)
    model = LogisticRegression(C=2.0, class_weight="balanced" if balanced else None, tol=1e-10, max_iter=5000)
    expected = np.stack([model.fit(x, column).predict_proba(x)[:, 1] for column in rows.labels.T], axis=1)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("balanced", [False, True])
def test_linear_multiclass(balanced: bool) -> None:
    rows = rows_of("multiclass")
    x, y = dense(rows, WORD), rows.labels[:, 0]
    model = LogisticRegression(C=2.0, class_weight="balanced" if balanced else None, tol=1e-10, max_iter=5000)
    settings = {"word": WORD, "char": None, "C": 2.0, "balanced": balanced, "tol": 1e-6}
    soft = Linear(**settings).learn(rows, rows, Path()).predict(rows)
    np.testing.assert_allclose(soft, model.fit(x, y).predict_proba(x), atol=2e-5)
    each = np.stack([model.fit(x, y == k).predict_proba(x)[:, 1] for k in range(3)], axis=1)
    shares = Linear(**settings, multinomial=False).learn(rows, rows, Path()).predict(rows)
    np.testing.assert_allclose(shares, each / each.sum(axis=1, keepdims=True), atol=2e-5)


def test_linear_regression_is_ridge() -> None:
    rows = rows_of("regression")
    got = Linear(word=WORD, char=None, C=2.0, tol=1e-6).learn(rows, rows, Path()).predict(rows)
    x = dense(rows, WORD)
    np.testing.assert_allclose(got, Ridge(alpha=0.5).fit(x, rows.labels).predict(x).reshape(-1, 1), atol=1e-4)


def naive_nbsvm(x: np.ndarray, y: np.ndarray, alpha: float, c: float, beta: float) -> np.ndarray:
    """Wang & Manning (2012) for one binary label, by a general optimiser on dense doubles."""
    p, q = alpha + x[y == 1].sum(axis=0), alpha + x[y == 0].sum(axis=0)
    ratio = np.log((p / p.sum()) / (q / q.sum()))
    scaled, sign = x * ratio, 2 * y - 1

    def loss(v: np.ndarray) -> tuple[float, np.ndarray]:
        z = sign * (scaled @ v[:-1] + v[-1])
        slope = -c * sign * expit(-z)
        return v[:-1] @ v[:-1] / 2 + c * np.logaddexp(0, -z).sum(), np.append(v[:-1] + scaled.T @ slope, slope.sum())

    v = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    w = beta * v[:-1] + (1 - beta) * np.abs(v[:-1]).mean()
    return expit(scaled @ w + v[-1])


COUNTS = Tfidf(binary=True, use_idf=False, norm=None)


@pytest.mark.parametrize(("word", "alpha", "beta"), [(WORD, 0.1, 1.0), (COUNTS, 1.0, 1.0), (COUNTS, 1.0, 0.25)])
def test_nbsvm_is_the_paper(word: Tfidf, alpha: float, beta: float) -> None:
    rows = rows_of("multilabel")
    member = NBSVM(word=word, alpha=alpha, beta=beta, C=0.7, tol=1e-6)
    x = dense(rows, word)
    expected = np.stack([naive_nbsvm(x, y, alpha, 0.7, beta) for y in rows.labels.T], axis=1)
    np.testing.assert_allclose(member.learn(rows, rows, Path()).predict(rows), expected, atol=5e-5)


def test_nbsvm_multiclass_is_one_against_the_rest() -> None:
    rows = rows_of("multiclass")
    x, y = dense(rows, WORD), one_hot(rows.labels[:, 0], 3).astype(float)
    each = np.stack([naive_nbsvm(x, column, 1.0, 1.0, 1.0) for column in y.T], axis=1)
    got = NBSVM(word=WORD, alpha=1.0, C=1.0, tol=1e-6).learn(rows, rows, Path()).predict(rows)
    np.testing.assert_allclose(got, each / each.sum(axis=1, keepdims=True), atol=5e-5)


def test_nbsvm_refuses_regression() -> None:
    rows = rows_of("regression")
    with pytest.raises(KitError, match="NBSVM cannot fit the regression task 't'; take Linear"):
        NBSVM(word=WORD).learn(rows, rows, Path())


def test_members_need_something_to_read() -> None:
    with pytest.raises(KitError, match="word and char are both none; keep one of them"):
        NBSVM(word=None, char=None)
    with pytest.raises(KitError, match="word and char are none, tabular is false and there are no features"):
        Linear(word=None, char=None, tabular=False)
    rows = rows_of("binary")
    with pytest.raises(KitError, match="task 't' has nothing that word, char, tabular or features would read"):
        Linear(word=None, char=None).learn(rows, rows, Path())


def with_columns(text: bool, n: int = 200) -> Rows:
    """Rows whose label hangs on a number, a category and, with text, a word."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(50, 20, n), "shop": rng.choice(["a", "b", "c"], n)})
    signal = (frame["x"] - 50) / 20 + 2 * (frame["shop"] == "b")
    frame.loc[::9, ["x", "shop"]] = np.nan
    if text:
        words = rng.integers(0, 2, n)
        frame.insert(0, "text", np.where(words, "good thing", "bad thing"))
        signal = signal + 2 * words
    y = (signal + rng.normal(0, 0.3, n) > signal.median()).astype(float).to_numpy()
    task = Task(name="t", kind="binary", targets=("y",), text=("text",) if text else (), metric=mean_roc_auc)
    return Rows.of(task, frame, y)


@pytest.mark.parametrize("text", [False, True])
def test_linear_reads_numbers_and_categories_beside_or_without_text(text: bool, tmp_path: Path) -> None:
    rows = with_columns(text)
    fitted = Linear(word=WORD, char=None, C=2.0, tol=1e-6).learn(rows, rows, Path())
    x = rows.frame["x"].to_numpy()
    low, middle, high = np.nanquantile(x, [0.25, 0.5, 0.75])
    columns = [np.nan_to_num(((x - middle) / ((high - low) / NORMAL_IQR)).clip(-5, 5))]
    columns += [(rows.frame["shop"] == value).to_numpy(float) for value in "abc"]
    expected = np.column_stack([*([dense(rows, WORD)] if text else []), *columns])
    model = LogisticRegression(C=2.0, tol=1e-10, max_iter=5000).fit(expected, rows.labels[:, 0])
    np.testing.assert_allclose(fitted.predict(rows)[:, 0], model.predict_proba(expected)[:, 1], atol=2e-5)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(LinearPredictor.load(tmp_path).predict(rows), fitted.predict(rows))


def test_linear_can_leave_the_other_columns_out() -> None:
    rows = with_columns(text=True)
    task = rows.task.model_copy(update={"inputs": ("text",)})
    alone = Rows.of(task, rows.frame, rows.labels)
    spec = Linear(word=WORD, char=None)
    without = spec.model_copy(update={"tabular": False}).learn(rows, rows, Path()).predict(rows)
    np.testing.assert_array_equal(without, spec.learn(alone, alone, Path()).predict(alone))
    assert not np.allclose(without, spec.learn(rows, rows, Path()).predict(rows))


@pytest.mark.parametrize("member", [Linear(word=WORD, char=None), NBSVM(word=WORD), NBSVM(word=WORD, beta=0.5)])
@pytest.mark.parametrize("balanced", [False, True])
def test_a_column_of_one_class_is_predicted_as_it_is(member: Linear | NBSVM, balanced: bool) -> None:
    member = member.override(f"balanced={balanced}")
    rows = rows_of("multilabel")
    y = rows.labels.copy()
    y[:, 0], y[:, 2] = 0, 1
    p = member.learn(Rows(rows.task, rows.source, rows.at, y), rows, Path()).predict(rows)
    assert (p[:, 0] == 0).all()
    assert (p[:, 2] == 1).all()
    assert np.ptp(p[:, 1]) > 0.1
    whole = member.learn(rows, rows, Path()).predict(rows)
    np.testing.assert_allclose(p[:, 1], whole[:, 1], atol=5e-3)  # the other columns do not matter


@pytest.mark.parametrize(
    "member", [Linear(word=WORD, char=None), Linear(word=WORD, multinomial=False), NBSVM(word=WORD)]
)
@pytest.mark.parametrize("present", [[0.0, 2.0], [1.0]])
def test_absent_classes_get_no_probability(member: Linear | NBSVM, present: list[float]) -> None:
    rows = rows_of("multiclass")
    y = np.resize(present, (len(rows), 1))
    p = member.learn(Rows(rows.task, rows.source, rows.at, y), rows, Path()).predict(rows)
    absent = [k for k in range(3) if k not in present]
    assert (p[:, absent] == 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass", "regression"])
def test_same_bits_again_after_load_and_from_another_source(kind: str, tmp_path: Path) -> None:
    rows = rows_of(kind)
    kinds = [Linear(word=WORD, char=CHAR)] + ([NBSVM(word=WORD)] if kind != "regression" else [])
    for i, member in enumerate(kinds):
        fitted = member.learn(rows.take(np.arange(0, 150, 2)), rows, Path())
        p = fitted.predict(rows)
        assert np.array_equal(p, member.learn(rows.take(np.arange(0, 150, 2)), rows, Path()).predict(rows))
        folder = tmp_path / str(i)
        folder.mkdir()
        fitted.save(folder)
        loaded = LinearPredictor.load(folder)
        other = Rows.of(rows.task, rows.frame)
        assert p.shape == (150, rows.task.outputs)
        assert all(np.array_equal(p, q) for q in (loaded.predict(rows), loaded.predict(other), fitted.predict(other)))
        assert np.array_equal(fitted.predict(rows.take([7, 3])), p[[7, 3]])


def test_prepare_counts_for_every_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*args: Any) -> dict[str, np.ndarray]:
        calls.append(args)
        return counts.count(*args)

    monkeypatch.setattr(tfidf, "count", counted)
    rows = rows_of("multilabel")
    member = Linear(word=WORD, char=CHAR)
    member.prepare(rows)
    assert len(calls) == 2
    for k in range(3):
        member.learn(rows.take(np.flatnonzero(rows.at % 3 != k)), rows, Path())
    NBSVM(word=WORD).learn(rows, rows, Path())
    assert len(calls) == 2


def test_ratio_is_the_closed_form() -> None:
    rows = rows_of("binary")
    part = COUNTS.fit(rows).transform(rows)
    x, y = part.toarray().astype(float), rows.labels[:, 0] == 1
    p, q = 0.5 + x[y].sum(axis=0), 0.5 + x[~y].sum(axis=0)
    expected = np.log(p / p.sum() / (q / q.sum()))
    np.testing.assert_allclose(log_count_ratio([part], rows.labels, 0.5)[:, 0], expected, rtol=1e-5)


def test_tolerance_bounds_the_gradient() -> None:
    rows = rows_of("multilabel")
    part = WORD.fit(rows).transform(rows)
    x, y = part.toarray().astype(float), rows.labels
    for tol in (1e-1, 1e-3):
        coef, intercept = solve([part], y, 3.0, "sigmoid", tol=tol)
        gradient = coef + 3 * x.T @ (expit(x @ coef + intercept) - y)
        start = 3 * x.T @ (y.mean(axis=0) - y)
        assert (np.linalg.norm(gradient, axis=0) <= 1.01 * tol * np.linalg.norm(start, axis=0)).all()


def test_specs_go_through_json_and_overrides() -> None:
    for member in (Linear(), NBSVM(), Linear(char=None)):
        assert Spec.from_dict(member.to_dict()) == member
    word = Linear().override("word.min_df=0.1", "char.ngram_range=1,4").word
    assert word is not None
    assert word.min_df == 0.1
    assert {"Linear", "NBSVM"} <= set(members.__all__)
    assert members.Linear is Linear
    with pytest.raises(AttributeError, match="has no attribute 'Boosted'"):
        members.Boosted  # noqa: B018
