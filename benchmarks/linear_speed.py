"""Linear and NBSVM over 5 folds against scikit-learn pipelines of the same settings: seconds and mean column AUC.

    KIT_DATA=data python benchmarks/linear_speed.py [--rows N] [--tol 1e-6]

Our time holds everything from raw text on, with nothing counted ahead. scikit-learn solves to a tolerance of 1e-6,
where both reach the same optimum; at its own default (`--tol 1e-4`) rare targets stop short, which shows in AUC.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline

from kit.members import NBSVM, Linear
from kit.metrics import mean_roc_auc
from kit.rows import Rows
from kit.source import Source
from kit.task import Task
from kit.text import Tfidf

TARGETS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
TASK = Task(name="toxic", kind="multilabel", targets=TARGETS, text=("comment_text",), metric=mean_roc_auc)


class LogCountRatio(TransformerMixin, BaseEstimator):
    """The usual scikit-learn transformer: x scaled by the log-count ratio of one binary label."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, x, y):
        yes, no = (self.alpha + np.asarray(x[y == label].sum(axis=0)).ravel() for label in (1, 0))
        self.ratio_ = np.log(yes / yes.sum()) - np.log(no / no.sum())
        return self

    def transform(self, x):
        return x.multiply(self.ratio_).tocsr()


def vectorizer(spec: Tfidf) -> TfidfVectorizer:
    # of English texts, tokens="script" gives the words that scikit-learn finds as well
    return TfidfVectorizer(**{name: getattr(spec, name) for name in Tfidf.model_fields if name != "tokens"})


def reference(member: Linear | NBSVM, tol: float) -> Pipeline:
    """The member as scikit-learn users write it."""
    union = FeatureUnion([(spec.analyzer, vectorizer(spec)) for spec in member.views(TASK)])
    model = LogisticRegression(C=member.C, tol=tol, max_iter=1000)
    if isinstance(member, NBSVM):
        model = Pipeline([("ratio", LogCountRatio(member.alpha)), ("logistic", model)])
    return Pipeline([("tfidf", union), ("targets", OneVsRestClassifier(model))])


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def report(name: str, fast: float, slow: float) -> str:
    return f"{name:7} kit {fast:6.1f} s, scikit-learn {slow:6.1f} s, {slow / fast:4.1f} times faster;"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, help="only the first rows")
    parser.add_argument("--tol", type=float, default=1e-6, help="of scikit-learn's logistic regression")
    args = parser.parse_args()
    path = Path(os.environ.get("KIT_DATA", "data")) / "toxic" / "train.csv"
    frame = pd.read_csv(path, nrows=args.rows)
    texts, y = frame["comment_text"].fillna("").tolist(), frame[list(TARGETS)].to_numpy(np.float64)
    folds = list(MultilabelStratifiedKFold(5, shuffle=True, random_state=0).split(y, y))
    totals = np.zeros(2)
    rows = Rows(TASK, Source(frame[["comment_text"]]), np.arange(len(frame)), y)
    for member in (Linear(), NBSVM()):

        def ours(member: Linear | NBSVM = member) -> np.ndarray:
            oof = np.zeros(y.shape)
            for train, valid in folds:
                fitted = member.learn(rows.take(train), rows.take(valid), Path())
                oof[valid] = fitted.predict(rows.take(valid))
            return oof

        def theirs(member: Linear | NBSVM = member) -> np.ndarray:
            return cross_val_predict(
                reference(member, args.tol), texts, y.astype(int), cv=folds, method="predict_proba"
            )

        (fast, p), (slow, q) = timed(ours), timed(theirs)
        totals += fast, slow
        a, b = mean_roc_auc(y, p), mean_roc_auc(y, q)
        print(report(type(member).__name__, fast, slow), f"AUC {a:.5f}, {b:.5f}, difference {a - b:+.5f}", flush=True)
    print(report("total", *totals))


if __name__ == "__main__":
    main()
