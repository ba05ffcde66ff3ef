"""Members of several targets whose labels have gaps: each target is learnt from its known rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from kit.core.errors import KitError
from kit.losses import BCE
from kit.members import NBSVM, Boost, Estimator, Linear, Perceptron
from kit.members.linear_solver import balance, solve
from kit.members.nbsvm import log_count_ratio
from kit.members.network.fitted import Scale
from kit.members.network.network import TrainedMember
from kit.metrics import mean_roc_auc, rmse
from kit.rows import Rows
from kit.task import Task
from kit.text import Tfidf
from kit.train import Stage
from kit.train.mix import EmbeddingMixup
from kit.train.perturb import FGM, VAT
from tests.helpers.encoders import one_thread  # noqa: F401

N, RNG = 160, np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(N, 3)), columns=["a", "b", "c"])
FRAME["t"] = np.where(FRAME.a > 0, "good warm sun", "bad cold rain") + np.where(FRAME.b > 0, " sea", " hill").astype(
    object
)
VALUES = np.stack([FRAME.a + 0.2 * FRAME.b, FRAME.b - FRAME.c], axis=1)
LABELS = (VALUES > 0).astype(float)
GAPS = RNG.random((N, 2)) < [0.5, 0.2]
SMALL = Perceptron(hidden=(8,), dropout=0.0, batch_rows=32, stage=Stage(epochs=15, lr=0.03, precision="fp32"))


def rows_of(kind: Any = "multilabel", y: np.ndarray | None = None, text: tuple[str, ...] = (), **more: Any) -> Rows:
    y = np.where(GAPS, np.nan, VALUES if kind == "regression" else LABELS) if y is None else y
    targets, metric = tuple(f"y{j}" for j in range(y.shape[1])), rmse if kind == "regression" else mean_roc_auc
    names = ("a", "b", "c", *text)
    task = Task(name="t", kind=kind, targets=targets, inputs=names, text=text, metric=metric, **more)
    return Rows.of(task, FRAME, y)


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
@pytest.mark.parametrize("patience", [None, 3])
def test_boosters_of_a_target_are_those_of_its_known_rows_alone(
    kind: Any, patience: int | None, tmp_path: Path
) -> None:
    member, rows = Boost(trees=20, min_leaf=3, patience=patience), rows_of(kind)
    train, valid = rows.take(np.arange(120)), rows.take(np.arange(120, N))
    found = member.learn(train, valid, tmp_path).predict(valid)
    for j in range(2):
        one = rows_of("binary" if kind == "multilabel" else kind, rows.labels[:, j : j + 1])
        known = [part[~np.isnan(one.labels[part, 0])] for part in (np.arange(120), np.arange(120, N))]
        alone = member.learn(one.take(known[0]), one.take(known[1]), tmp_path)
        assert np.array_equal(found[:, j], alone.predict(valid)[:, 0])


def test_the_linear_solver_sees_the_known_rows_of_each_output() -> None:
    x = csr_array(RNG.random((N, 12)).astype(np.float32) * (RNG.random((N, 12)) < 0.4))
    for link, values in (("sigmoid", LABELS), ("identity", VALUES)):
        y = np.where(GAPS, np.nan, values)
        weight = balance(y, "sigmoid") if link == "sigmoid" else None
        coef, intercept = solve([x], y, 2.0, link, weight, tol=1e-7)  # type: ignore[arg-type]
        for j in range(2):
            known = ~GAPS[:, j]
            own = balance(values[known, j : j + 1], "sigmoid") if link == "sigmoid" else None
            alone = solve([x[known]], values[known, j : j + 1], 2.0, link, own, tol=1e-7)  # type: ignore[arg-type]
            assert np.allclose(coef[:, j], alone[0][:, 0], atol=1e-4) and np.isclose(
                intercept[j], alone[1][0], atol=1e-4
            )
            ratio = log_count_ratio([x], np.where(GAPS, np.nan, LABELS), 0.1)[:, j]
            assert np.allclose(ratio, log_count_ratio([x[known]], LABELS[known, j : j + 1], 0.1)[:, 0], atol=1e-5)


def test_estimators_are_fitted_on_the_known_rows(tmp_path: Path) -> None:
    rows = rows_of()
    fitted: Any = Estimator("LogisticRegression").learn(rows, rows.take(np.arange(0)), tmp_path)
    x, p = fitted.inputs(rows), fitted.predict(rows)
    for j in range(2):
        known = ~GAPS[:, j]
        plain = LogisticRegression().fit(x[known], LABELS[known, j])
        assert np.allclose(p[:, j], plain.predict_proba(x)[:, 1], atol=1e-8)


WORDS = Tfidf(min_df=1)
MEMBERS = [
    Linear(), Linear(word=WORDS, char=None, balanced=True), NBSVM(word=WORDS, balanced=True), Boost(trees=30, min_leaf=3),
    Estimator("ExtraTreesClassifier", n_estimators=20), SMALL,
]  # fmt: skip


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: type(member).__name__)
def test_rows_without_any_label_teach_nothing_and_the_others_are_learnt(member: Any) -> None:
    y = np.where(GAPS, np.nan, LABELS)
    blank = np.isnan(y).all(axis=1)
    assert 5 < blank.sum() < 40
    frame, names = FRAME.drop(columns=[] if isinstance(member, (Linear, NBSVM)) else ["t"]), ["y0", "y1"]
    with_blank = member.fit(frame, pd.DataFrame(y, columns=names), kind="multilabel", text="t" if "t" in frame else ())
    without = member.fit(
        frame[~blank], pd.DataFrame(y[~blank], columns=names), kind="multilabel", text="t" if "t" in frame else ()
    )
    p = with_blank.predict(frame)
    assert np.allclose(p, without.predict(frame), atol=1e-6)
    assert mean_roc_auc(LABELS, p) > 0.8  # labels that it has not seen among them


TECHNIQUES = {
    "plain": {}, "rdrop": {"rdrop": 1.0}, "mix": {"mix": EmbeddingMixup()}, "fgm": {"perturb": FGM()}, "vat": {"perturb": VAT()},
}  # fmt: skip


@pytest.mark.parametrize("kind", ["multilabel", "regression"])
@pytest.mark.parametrize("name", TECHNIQUES)
def test_no_technique_is_spoilt_by_gaps(kind: Any, name: str, tmp_path: Path) -> None:
    rows = rows_of(kind)
    stage = SMALL.stage.model_copy(update={"epochs": 12 if name == "plain" else 6, **TECHNIQUES[name]})
    p = SMALL.model_copy(update={"stage": stage}).learn(rows, rows.take(np.arange(0)), tmp_path).predict(rows)
    assert np.isfinite(p).all()
    assert all(np.corrcoef(p[:, j], VALUES[:, j])[0, 1] > 0.7 for j in range(2))


def test_statistics_of_labels_are_of_known_ones() -> None:
    scale = Scale.of(rows_of("regression"))
    known = [VALUES[~GAPS[:, j], j] for j in range(2)]
    assert np.allclose(scale.center, [v.mean() for v in known]) and np.allclose(scale.scale, [v.std() for v in known])
    bias = Scale.of(rows_of()).bias
    shares = [(LABELS[~GAPS[:, j], j].sum() + 0.5) / ((~GAPS[:, j]).sum() + 1) for j in range(2)]
    assert bias is not None and np.allclose(bias.numpy(), np.log(shares) - np.log1p(-np.array(shares)), atol=1e-6)


def test_epochs_are_scored_on_known_labels_or_refused_before_the_first_step(tmp_path: Path) -> None:
    rows = rows_of()
    member = SMALL.model_copy(update={"stop": "inner", "inner": 0.3})
    assert np.isfinite(member.learn(rows, rows.take(np.arange(0)), tmp_path).predict(rows)).all()
    few = np.where(np.arange(N)[:, None] == [0, -1], LABELS, np.where([True, False], np.nan, LABELS))
    with pytest.raises(
        KitError, match=r"^Perceptron: of the rows to score epochs on none has a label of 'y0'; take an"
    ):
        member.learn(replace(rows, y=few), rows.take(np.arange(0)), tmp_path)

    class Own(BCE):
        gaps = False

    stage = SMALL.stage.model_copy(update={"loss": Own()})
    own: TrainedMember = SMALL.model_copy(update={"stage": stage})
    with pytest.raises(KitError, match=r"^Perceptron: labels are missing, and Own does not say gaps = True"):
        own.learn(rows, rows.take(np.arange(0)), tmp_path)
