"""Second-level models of a Stack: linear formulas or trees, stored as plain data."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from kit.core.spec import Spec
from kit.core.threads import threads
from kit.ensemble.target import TargetKind

if TYPE_CHECKING:
    from lightgbm import Booster

MANY = 1000  # up to so many weights Newton's method is used: the Hessian of 50 classes × 20 members has 20 GB
LINKS = {"labels": "logistic", "classes": "softmax", "values": "none"}


@dataclass(frozen=True)
class Formula:
    """A linear model.

    Attributes:
        weights: (outputs, inputs), for inputs that are not standardised.
        intercepts: (outputs,).
        link: function from sums to predictions: none, logistic or softmax.
        influence: (inputs,) mean over outputs of |weight × standard deviation of the input|.
    """

    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    link: str
    influence: tuple[float, ...]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions (n, outputs) of inputs (n, inputs)."""
        z = x @ np.array(self.weights).T + np.array(self.intercepts)
        if self.link == "logistic":
            return np.asarray(0.5 * (1 + np.tanh(z / 2)))  # a sigmoid that does not overflow
        if self.link == "softmax":
            z = np.exp(z - z.max(axis=1, keepdims=True))
            return np.asarray(z / z.sum(axis=1, keepdims=True))
        return np.asarray(z)


@dataclass(frozen=True)
class BoostedTrees:
    """Boosted trees.

    Attributes:
        lines: LightGBM's own text of the model.
        influence: (inputs,) total gain of the splits on each.
    """

    lines: tuple[str, ...]
    influence: tuple[float, ...]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Predictions (n, outputs) of inputs (n, inputs)."""
        p = np.asarray(_booster("\n".join(self.lines)).predict(x, num_threads=threads()))
        return p.reshape(len(x), -1)


@lru_cache(maxsize=64)
def _booster(text: str) -> "Booster":
    import lightgbm as lgb

    return lgb.Booster(model_str=text)


class SecondLevel(Spec):
    """A model of the members' predictions. A new one gives `fit`."""

    joint: ClassVar[bool] = True  # one model for all classes; else one for each class against the rest
    coded: ClassVar[bool] = False  # reads categories as codes, and NaN as missing

    @abstractmethod
    def fit(
        self, x: np.ndarray, y: np.ndarray, kind: TargetKind, predicted: int, codes: tuple[int, ...] = ()
    ) -> Formula | BoostedTrees:
        """Learns.

        Args:
            x: (n, inputs), finite; with `coded`, original columns may be NaN.
            y: (n,) labels from 0 to 1, or values; with `classes`, indices 0, 1, …, each of which occurs.
            predicted: number of inputs that are members' predictions; original columns follow them.
            codes: positions of inputs that are codes of categories; only with `coded`.
        """


class LeastSquares(SecondLevel):
    """Least squares with an intercept, members' weights not negative (Breiman, "Stacked regressions", 1996).

    Breiman found that non-negative weights keep highly correlated members from getting large weights of opposite signs.
    Each class has its own sum (Ting & Witten 1999). Original columns may have weights of either sign.
    """

    joint = False

    positive: bool = Field(True, description="members' weights are not negative")

    def fit(
        self, x: np.ndarray, y: np.ndarray, kind: TargetKind, predicted: int, codes: tuple[int, ...] = ()
    ) -> Formula:
        from scipy.optimize import nnls

        z, mean, spread = standardised(x)
        # the triangle of a QR decomposition has the same least-squares solution and few rows
        triangle = np.asarray(np.linalg.qr(np.column_stack([z, y - y.mean()]), mode="r"))
        inputs, target = triangle[:, :-1], triangle[:, -1]
        bound = np.arange(x.shape[1]) < (predicted if self.positive else 0)
        # what the unbounded inputs explain is removed from the bounded ones and the target (Frisch & Waugh 1933)
        free, both = inputs[:, ~bound], np.column_stack([inputs[:, bound], target])
        rest = both - free @ np.linalg.lstsq(free, both)[0] if free.size else both
        weights = np.zeros(x.shape[1])
        weights[bound] = nnls(rest[:, :-1], rest[:, -1])[0] if bound.any() else 0
        weights[~bound] = np.linalg.lstsq(free, target - inputs @ weights)[0] if free.size else 0
        return _formula(weights[None], np.array([y.mean()]), mean, spread, "none")


class Ridge(SecondLevel):
    """Least squares with an L2 penalty on the weights of standardised inputs (Hoerl & Kennard 1970).

    The penalty shares the weight among members with nearly equal predictions. Each class has its own sum.
    """

    joint = False

    alpha: float = Field(10.0, gt=0, description="penalty, in rows: a member alone keeps n / (n + alpha) of its weight")

    def fit(
        self, x: np.ndarray, y: np.ndarray, kind: TargetKind, predicted: int, codes: tuple[int, ...] = ()
    ) -> Formula:
        from sklearn.linear_model import Ridge as Solver

        z, mean, spread = standardised(x)
        solved = Solver(alpha=self.alpha, solver="cholesky", copy_X=False).fit(z, y)
        return _formula(solved.coef_[None], np.array([solved.intercept_]), mean, spread, "none")


class Logistic(SecondLevel):
    """Logistic regression, multinomial for classes, with an L2 penalty on the weights of standardised inputs.

    With the log-odds of one member it is Platt scaling. A soft label counts as that share of a yes. The loss is a sum
    over rows, as in scikit-learn, so the penalty matters less with more rows. The default is good for many members that
    are nearly the same. For a few very different members and few rows, a larger C gives more confident probabilities.
    """

    C: float = Field(0.03, gt=0, description="inverse strength of the L2 penalty, as in scikit-learn")

    def fit(
        self, x: np.ndarray, y: np.ndarray, kind: TargetKind, predicted: int, codes: tuple[int, ...] = ()
    ) -> Formula:
        z, mean, spread = standardised(x)
        weights, intercepts = logistic(z, y, self.C, kind == "classes")
        return _formula(weights, intercepts, mean, spread, LINKS["classes" if kind == "classes" else "labels"])


class Trees(SecondLevel):
    """Gradient-boosted trees (LightGBM, Ke et al. 2017), kept small: their inputs are already predictions.

    They find for which rows a member is good, especially with original columns beside the predictions; but they need
    more rows than a linear model.
    """

    coded = True

    rounds: int = Field(100, ge=1, description="trees, for each target or class")
    lr: float = Field(0.05, gt=0, description="shrinkage of each tree")
    leaves: int = Field(4, ge=2, description="largest number of leaves of a tree")
    min_leaf: int = Field(50, ge=1, description="smallest number of rows in a leaf")
    l2: float = Field(10.0, ge=0, description="L2 penalty on leaf values")
    share: float = Field(0.7, gt=0, le=1, description="share of inputs that each tree may use")
    seed: int = Field(0, ge=0, description="seeds the choice of each tree's inputs")

    def fit(
        self, x: np.ndarray, y: np.ndarray, kind: TargetKind, predicted: int, codes: tuple[int, ...] = ()
    ) -> BoostedTrees:
        import lightgbm as lgb

        hard = bool(np.isin(y, (0, 1)).all())
        objectives: dict[TargetKind, dict[str, Any]] = {
            "labels": {"objective": "binary" if hard else "cross_entropy"},
            "classes": {"objective": "multiclass", "num_class": int(y.max()) + 1},
            "values": {"objective": "regression"},
        }
        settings = {
            "learning_rate": self.lr,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.min_leaf,
            "lambda_l2": self.l2,
            "feature_fraction": self.share,
            "seed": self.seed,
            "num_threads": threads(),
            "deterministic": True,  # the same trees for any number of threads
            "force_row_wise": True,
            "verbosity": -1,
        }
        data = lgb.Dataset(x, y, categorical_feature=list(codes), params={"verbosity": -1})
        booster = lgb.train(objectives[kind] | settings, data, self.rounds)
        gains = tuple(map(float, booster.feature_importance("gain")))
        return BoostedTrees(tuple(booster.model_to_string().split("\n")), gains)


def logistic(x: np.ndarray, y: np.ndarray, C: float, classes: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Weights (outputs, inputs) and intercepts (outputs,) of a logistic regression; one output, except for classes.

    Args:
        x: (n, inputs).
        y: (n,) labels from 0 to 1, both of which occur, or indices of at least two classes, all of which occur.
        C: inverse of the L2 penalty.
    """
    from sklearn.linear_model import LogisticRegression

    hard = np.isin(y, (0, 1)).all()
    if not classes and not hard:  # a soft label is a yes of that weight and a no of the rest
        x, sides, weight = np.vstack([x, x]), np.repeat([1.0, 0.0], len(y)), np.concatenate([y, 1 - y])
    else:
        sides, weight = y, np.ones(len(y))
    numbers = (x.shape[1] + 1) * (len(np.unique(y)) if classes else 1)
    solver = "newton-cholesky" if numbers <= MANY else "lbfgs"
    solved = LogisticRegression(C=C, solver=solver, tol=1e-8, max_iter=1000).fit(x, sides, weight)
    weights, intercepts = solved.coef_, solved.intercept_
    if classes and len(weights) == 1:  # two classes are given as one: log-odds of the second
        return np.vstack([-weights, weights]) / 2, np.concatenate([-intercepts, intercepts]) / 2
    return weights, intercepts


def standardised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs with mean 0 and standard deviation 1; and the mean and deviation before. Constants become 0."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-12 * (1 + np.abs(mean)), spread, np.inf)
    z = x - mean
    z /= spread
    return z, mean, spread


def _formula(weights: np.ndarray, intercepts: np.ndarray, mean: np.ndarray, spread: np.ndarray, link: str) -> Formula:
    """Converts a linear model of standardised inputs to one of inputs that are not standardised."""
    plain = weights / spread
    rows = tuple(tuple(map(float, row)) for row in plain)
    return Formula(rows, tuple(map(float, intercepts - plain @ mean)), link, tuple(map(float, np.abs(weights).mean(0))))
