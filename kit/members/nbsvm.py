"""NBSVM: logistic regression on features scaled by naive Bayes log-count ratios."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.members.linear import LinearPredictor
from kit.members.linear_solver import LinkName, back, balance, solve
from kit.members.tfidf_member import TfidfMember
from kit.metrics.arrays import one_hot
from kit.rows import Rows
from kit.task import Task


class NBSVM(TfidfMember):
    """Features times the log-count ratio of each target, into logistic regression (Wang & Manning, 2012).

    Tf-idf features by default, which win on comments; the paper's binarised counts are
    `Tfidf(binary=True, use_idf=False, norm=None)`. Several classes: one against the rest, made to sum to 1.
    """

    version = 2

    alpha: float = Field(0.01, gt=0, description="smoothing: added to the count of every feature in each class")
    C: float = Field(1.0, gt=0, description="inverse strength of the L2 penalty, as in scikit-learn")
    beta: float = Field(1.0, ge=0, le=1, description="interpolation: 1 is the SVM's weights, 0 is naive Bayes")

    @validator(mode="after")
    def _reads_something(self) -> "NBSVM":
        if self.word is None and self.char is None:
            raise ValueError("word and char are both none; keep one of them")
        return self

    @property
    def needs_text(self) -> bool:
        return True

    def check(self, task: Task) -> None:
        super().check(task)
        if task.kind == "regression":
            raise KitError(f"NBSVM cannot fit the regression task '{task.name}'; take Linear")

    def learn(self, train: Rows, valid: Rows, work: Path) -> LinearPredictor:
        self.check(train.task)
        train = train.weighted()
        several = train.task.kind == "multiclass"
        y = one_hot(train.labels[:, 0], train.task.outputs).astype(np.float64) if several else train.labels
        link: LinkName = "shares" if several else "sigmoid"
        vectorizers = [view.fit(train) for view in self.views(train.task)]
        parts = [v.transform(train) for v in vectorizers]
        ratio = log_count_ratio(parts, y, self.alpha, train.weight)
        weight = balance(y, link, train.weight) if self.balanced else None
        if weight is None and train.weight is not None:
            weight = np.tile(train.weight[:, None], y.shape[1])
        coef, intercept = solve(parts, y, self.C, link, weight, ratio, self.tol)
        if self.beta < 1:  # coef is ratio · w; towards the mean |w| the scales alone decide
            w = np.divide(coef, ratio, out=np.zeros_like(coef), where=ratio != 0)
            coef = ratio * (self.beta * w + (1 - self.beta) * np.abs(w).mean(axis=0))
        return LinearPredictor(vectorizers, coef, intercept, link)


def log_count_ratio(
    parts: Sequence[csr_array], y: np.ndarray, alpha: float, weight: np.ndarray | None = None
) -> np.ndarray:
    """(features, outputs) log of (alpha + sum over rows with the label, per unit of sum) / (the same without it).

    Rows whose label is missing (NaN) are neither. Sums are of each row times its weight (n,), if there are any.
    """
    own = 1.0 if weight is None else weight[:, None]
    yes = alpha + back(parts, own * np.nan_to_num(y)).astype(np.float64)
    no = alpha + back(parts, own * np.nan_to_num(1 - y)).astype(np.float64)
    return (np.log(yes / yes.sum(axis=0)) - np.log(no / no.sum(axis=0))).astype(np.float32)
