"""Naive Bayes log-count ratios as feature scales of a logistic regression."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from kit.data import Rows
from kit.member import Member
from kit.members.linear import LinearPredictor, Link, back, balance, one_hot, solve, views
from kit.spec import KitError, validator
from kit.text import Tfidf


class NBSVM(Member):
    """Features times the log-count ratio of each target, into logistic regression (Wang & Manning, 2012).

    Tf-idf features by default, which win on comments; the paper's binarised counts are
    `Tfidf(binary=True, use_idf=False, norm=None)`. Several classes: one against the rest, made to sum to 1.
    """

    word: Tfidf | None = Field(
        Tfidf(ngram_range=(1, 2), min_df=3, sublinear_tf=True, strip_accents="unicode"), description="words, or none"
    )
    char: Tfidf | None = Field(None, description="characters, or none")
    alpha: float = Field(0.01, gt=0, description="smoothing: added to the sum of every feature in either class")
    C: float = Field(1.0, gt=0, description="how much the rows weigh against the penalty; smaller is smoother")
    beta: float = Field(
        1.0, ge=0, le=1, description="1 keeps the weights, 0 takes their mean size: towards naive Bayes"
    )
    balanced: bool = Field(False, description="weigh labels so that both classes count the same")
    tol: float = Field(3e-3, gt=0, description="gradient at which solving stops, as a share of the first gradient")

    @validator(mode="after")
    def _reads_something(self) -> "NBSVM":
        if self.word is None and self.char is None:
            raise ValueError("word and char are both none; keep one of them")
        return self

    @property
    def chance(self) -> bool:
        return False  # the problem is convex, and nothing is drawn

    def prepare(self, rows: Rows) -> None:
        for view in views(self):
            view.counts(rows)

    def fit(self, train: Rows, valid: Rows, work: Path) -> LinearPredictor:
        if train.task.kind == "regression":
            raise KitError(f"NBSVM cannot fit the regression task '{train.task.name}'; take Linear")
        several = train.task.kind == "multiclass"
        y = one_hot(train.labels, train.task.outputs) if several else train.labels
        link: Link = "shares" if several else "sigmoid"
        vectorizers = [view.fit(train) for view in views(self)]
        parts = [v.transform(train) for v in vectorizers]
        ratio = log_count_ratio(parts, y, self.alpha)
        weight = balance(y, link) if self.balanced else None
        coef, intercept = solve(parts, y, self.C, link, weight, ratio, self.tol)
        if self.beta < 1:  # coef is ratio · w; towards the mean |w| the scales alone decide
            w = np.divide(coef, ratio, out=np.zeros_like(coef), where=ratio != 0)
            coef = ratio * (self.beta * w + (1 - self.beta) * np.abs(w).mean(axis=0))
        return LinearPredictor(vectorizers, coef, intercept, link)


def log_count_ratio(parts: Sequence[csr_array], y: np.ndarray, alpha: float) -> np.ndarray:
    """(features, outputs) log of (alpha + sum over rows with the label, per unit of sum) / (the same without it)."""
    yes = alpha + back(parts, y).astype(np.float64)
    no = alpha + back(parts, 1 - y).astype(np.float64)
    return (np.log(yes / yes.sum(axis=0)) - np.log(no / no.sum(axis=0))).astype(np.float32)
