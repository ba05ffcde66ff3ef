"""Second-level models: each does what its source says."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.linear_model import LogisticRegression

from kit.ensemble import (
    LeastSquares,
    Logistic,
    Ridge,
    Stack,
)
from kit.ensemble.stack.models import Formula
from kit.metrics import log_loss, rmse
from tests.helpers.blends import SMALL, data


def weights_of(fitted: Any, part: int = 0) -> np.ndarray:
    model = fitted.parts[part].model
    assert isinstance(model, Formula)
    return np.array(model.weights)


def test_least_squares_is_what_scipy_finds_with_weights_that_are_not_negative() -> None:
    p, y, _ = data("values")
    p = np.concatenate([p, -p[:1] + 0.3])  # a member that only a negative weight could use
    fitted = Stack(model=LeastSquares()).fit(p, y, rmse)
    for column in range(2):
        centred = p[:, :, column] - p[:, :, column].mean(axis=1, keepdims=True)
        known, _ = nnls(centred.T, y[:, column] - y[:, column].mean())
        np.testing.assert_allclose(weights_of(fitted, column)[0], known, atol=1e-8)
        assert known[3] == 0 and known[0] > 0.3
    assert rmse(y, fitted.predict(p)) < min(rmse(y, member) for member in p)


def test_least_squares_without_bounds_is_ordinary_least_squares() -> None:
    p, y, _ = data("values")
    p = np.concatenate([p, -p[:1] + 0.3 + 0.1 * p[1:2]])
    fitted = Stack(model=LeastSquares(positive=False)).fit(p, y, rmse)
    for column in range(2):
        x = np.column_stack([p[:, :, column].T, np.ones(240)])
        np.testing.assert_allclose(fitted.predict(p)[:, column], x @ np.linalg.lstsq(x, y[:, column])[0], atol=1e-8)


def test_the_planted_weights_are_found() -> None:
    rng = np.random.default_rng(3)
    p = rng.normal(size=(3, 400, 1))
    y = 0.7 * p[0] + 0.3 * p[2] + 2 + rng.normal(0, 1e-3, (400, 1))
    for model in (LeastSquares(), Ridge(alpha=1e-6)):
        fitted: Any = Stack(model=model).fit(p, y, rmse)
        np.testing.assert_allclose(weights_of(fitted)[0], [0.7, 0, 0.3], atol=1e-3)
        assert fitted.parts[0].model.intercepts[0] == pytest.approx(2, abs=1e-3)
        assert fitted.weights == pytest.approx({"0": 0.7, "1": 0, "2": 0.3}, abs=0.03)


def test_a_copy_of_a_member_does_not_upset_the_models() -> None:
    p, y, _ = data("values")
    twice = np.concatenate([p, p[:1]])
    for model in (LeastSquares(), LeastSquares(positive=False), Ridge(alpha=1e-6)):
        one, two = (Stack(model=model).fit(q, y, rmse).predict(q) for q in (p, twice))
        np.testing.assert_allclose(one, two, atol=1e-5)
    ridge: Any = Stack(model=Ridge()).fit(twice, y, rmse)
    assert weights_of(ridge)[0][0] == pytest.approx(weights_of(ridge)[0][3])  # the penalty shares it out


def test_ridge_against_the_closed_form() -> None:
    p, y, _ = data("values")
    fitted = Stack(model=Ridge(alpha=25)).fit(p, y, rmse)
    for column in range(2):
        x = p[:, :, column].T
        z = (x - x.mean(axis=0)) / x.std(axis=0)
        w = np.linalg.solve(z.T @ z + 25 * np.eye(3), z.T @ (y[:, column] - y[:, column].mean()))
        np.testing.assert_allclose(fitted.predict(p)[:, column], z @ w + y[:, column].mean(), atol=1e-9)
        np.testing.assert_allclose(weights_of(fitted, column)[0], w / x.std(axis=0), atol=1e-9)


@pytest.mark.parametrize("soft", [False, True])
def test_logistic_is_where_the_penalised_likelihood_is_flat(soft: bool) -> None:
    p, y, _ = data("labels")
    if soft:
        y = (y + np.random.default_rng(5).random(y.shape)) / 2
    fitted = Stack(model=Logistic(C=0.3)).fit(p, y, log_loss)
    for column in range(2):
        x = np.log(p[:, :, column] / (1 - p[:, :, column])).T
        mean, spread = x.mean(axis=0), x.std(axis=0)
        gap = fitted.predict(p)[:, column] - y[:, column]
        slope = (gap @ ((x - mean) / spread)) + weights_of(fitted, column)[0] * spread / 0.3
        np.testing.assert_allclose(slope, 0, atol=1e-4)
        assert abs(gap.sum()) < 1e-4  # the intercept bears no penalty


@pytest.mark.parametrize("classes", [2, 3])
def test_multinomial_logistic_is_where_the_penalised_likelihood_is_flat(classes: int) -> None:
    p, y, _ = data("classes")
    p, y = p[:, :, :classes], np.minimum(y, classes - 1)
    p = p / p.sum(axis=2, keepdims=True)
    fitted = Stack(model=Logistic(C=0.3)).fit(p, y, log_loss)
    x = np.log(p).transpose(1, 0, 2).reshape(len(y), -1)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    gap = fitted.predict(p) - np.eye(classes)[y[:, 0].astype(int)]
    penalty = weights_of(fitted) * spread / 0.3 * (2 if classes == 2 else 1)  # of two classes one difference is held
    np.testing.assert_allclose(gap.T @ ((x - mean) / spread) + penalty, 0, atol=1e-4)
    np.testing.assert_allclose(fitted.predict(p).sum(axis=1), 1)


def test_many_weights_are_sought_without_the_hessian_and_come_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from kit.ensemble.stack import models as stack_models

    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, (300, 1)).astype(float)
    p = np.exp(1.5 * (y == np.arange(4)) + rng.normal(0, 1, (3, 300, 4)))
    p /= p.sum(axis=2, keepdims=True)
    labels = data("labels")
    by_newton = [Stack().fit(p, y, log_loss).predict(p), Stack().fit(*labels).predict(labels[0])]
    used = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, *a: used.append(self.solver) or fit(self, *a))
    assert Stack().fit(p, y, log_loss) and used == ["newton-cholesky"]  # 52 numbers
    monkeypatch.setattr(stack_models, "MANY", 51)
    np.testing.assert_allclose(Stack().fit(p, y, log_loss).predict(p), by_newton[0], atol=1e-6)
    assert used[-1] == "lbfgs"
    monkeypatch.setattr(stack_models, "MANY", 1)
    np.testing.assert_allclose(Stack().fit(*labels).predict(labels[0]), by_newton[1], atol=1e-6)


def test_logistic_undoes_what_was_done_to_a_member() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 1.5, (20000, 1))
    y = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(float)
    bold = 1 / (1 + np.exp(-(3 * odds + 1)))  # true log-odds are a third of these, less a third
    fitted: Any = Stack(model=Logistic(C=100)).fit(bold[None], y, log_loss)
    assert weights_of(fitted)[0][0] == pytest.approx(1 / 3, abs=0.02)
    assert fitted.parts[0].model.intercepts[0] == pytest.approx(-1 / 3, abs=0.04)


@pytest.mark.parametrize(("kind", "objective"), [("labels", "binary"), ("values", "regression")])
def test_trees_are_lightgbms(kind: str, objective: str) -> None:
    import lightgbm as lgb

    p, y, metric = data(kind)
    said = Stack(model=SMALL).fit(p, y, metric).predict(p)
    settings = {"objective": objective, "learning_rate": 0.05, "num_leaves": 4, "min_data_in_leaf": 5, "lambda_l2": 1}
    settings |= {"feature_fraction": 0.7, "seed": 0, "deterministic": True, "force_row_wise": True, "verbosity": -1}
    naive = [lgb.train(settings, lgb.Dataset(p[:, :, j].T, y[:, j]), 20).predict(p[:, :, j].T) for j in range(2)]
    np.testing.assert_allclose(said, np.stack(naive, axis=1), rtol=1e-12)
