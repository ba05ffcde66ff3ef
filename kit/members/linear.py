"""Linear models on tf-idf of words and characters, numbers and categories, all targets solved together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array
from scipy.special import expit, softmax

from kit.core.errors import KitError
from kit.core.files import read_json, replacing, write_json
from kit.core.spec import validator
from kit.features.base import Features
from kit.member import Predictor
from kit.members.linear_solver import LinkName, balance, solve, times
from kit.members.tfidf_member import TfidfMember
from kit.metrics.arrays import one_hot
from kit.rows import Rows
from kit.tables.matrix import Matrix
from kit.task import Task
from kit.text import Tfidf, Vectorizer


class Linear(TfidfMember):
    """Logistic regression, one per target; softmax over classes; ridge for values.

    It sees word and character tf-idf of the text columns, numbers standardised and categories one-hot of the others.
    The penalty is scikit-learn's: ½‖w‖² + C · Σ loss, the intercept free (for regression alpha = 1 / C).
    """

    version = 2

    char: Tfidf | None = Field(
        Tfidf(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True, max_features=100_000),
        description="characters of the text, or none",
    )
    tabular: bool = Field(True, description="numbers and categories of the columns that are not text")
    features: tuple[Features, ...] = Field((), description="more features")
    C: float = Field(3.0, gt=0, description="inverse strength of the L2 penalty, as in scikit-learn")
    multinomial: bool = Field(True, description="multiclass: softmax; if false, one-vs-rest, normalised to a sum of 1")

    @validator(mode="after")
    def _reads_something(self) -> "Linear":
        if self.word is None and self.char is None and not self.tabular and not self.features:
            raise ValueError("word and char are none, tabular is false and there are no features; keep one of them")
        return self

    @property
    def prepares(self) -> str:
        return "n-grams and features"

    def prepare(self, rows: Rows) -> None:
        super().prepare(rows)
        for features in self.features:
            features.prepare(rows)

    def reads(self, task: Task) -> bool:
        return bool(self.views(task) or self.features) or (self.tabular and task.has_columns)

    def learn(self, train: Rows, valid: Rows, work: Path) -> "LinearPredictor":
        train = train.weighted()
        task = train.task
        vectorizers = [view.fit(train) for view in self.views(task)]
        tabular = self.tabular and bool(task.tabular(train.source.frame.columns))
        matrix, numbers = Matrix.fit(train, self.features, tabular) if tabular or self.features else (None, None)
        if not vectorizers and matrix is None:
            raise KitError(f"Linear: task '{task.name}' has nothing that word, char, tabular or features would read")
        y, kind = train.labels, task.kind
        link: LinkName = "identity" if kind == "regression" else "sigmoid"
        if kind == "multiclass":
            y = one_hot(y[:, 0], task.outputs).astype(np.float64)
            link = "softmax" if self.multinomial else "shares"
        weight = balance(y, link, train.weight) if self.balanced and link != "identity" else None
        if weight is None and train.weight is not None:
            weight = np.tile(train.weight[:, None], y.shape[1])
        parts = matrices(vectorizers, numbers, train)
        coef, intercept = solve(parts, y, self.C, link, weight, tol=self.tol)
        return LinearPredictor(vectorizers, coef, intercept, link, matrix)


def matrices(vectorizers: Sequence[Vectorizer], numbers: csr_array | None, rows: Rows) -> list[csr_array]:
    """What a linear model reads of these rows: sparse float32 matrices (n, features) that stand side by side."""
    return [v.transform(rows) for v in vectorizers] + ([] if numbers is None else [numbers.astype(np.float32)])


class LinearPredictor(Predictor):
    """Vectorizers, coefficients (features, outputs), intercepts (outputs,); how other columns become numbers."""

    def __init__(
        self,
        vectorizers: Sequence[Vectorizer],
        coef: np.ndarray,
        intercept: np.ndarray,
        link: LinkName,
        matrix: Matrix | None = None,
    ) -> None:
        self.vectorizers, self.link, self.matrix = list(vectorizers), link, matrix
        self.coef, self.intercept = coef.astype(np.float32), intercept

    def predict(self, rows: Rows) -> np.ndarray:
        numbers = self.matrix.transform(rows) if self.matrix else None
        z = times(matrices(self.vectorizers, numbers, rows), self.coef) + self.intercept
        if self.link == "identity":
            return z
        if self.link == "softmax":
            return softmax(z, axis=1)
        p = expit(z)
        if self.link == "sigmoid":
            return p
        return p / np.maximum(p.sum(axis=1, keepdims=True), np.finfo(float).tiny)

    def save(self, folder: Path) -> None:
        for i, vectorizer in enumerate(self.vectorizers):
            vectorizer.save(folder, f"tfidf{i}")
        with replacing(folder / "linear.npz") as path, open(path, "wb") as file:
            np.savez(file, coef=self.coef, intercept=self.intercept)
        if self.matrix:
            (folder / "matrix").mkdir()
            self.matrix.save(folder / "matrix")
        write_json(folder / "linear.json", {"link": self.link, "vectorizers": len(self.vectorizers)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        saved = read_json(folder / "linear.json")
        vectorizers = [Vectorizer.load(folder, f"tfidf{i}") for i in range(saved["vectorizers"])]
        matrix = Matrix.load(folder / "matrix") if (folder / "matrix").is_dir() else None
        with np.load(folder / "linear.npz", allow_pickle=False) as arrays:
            return cls(vectorizers, arrays["coef"], arrays["intercept"], saved["link"], matrix)
