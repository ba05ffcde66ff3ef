"""Estimators of scikit-learn as members: the same numbers as scikit-learn's own, settings as knobs, safe files."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import RobustScaler

from kit.core.errors import KitError
from kit.core.spec import Spec
from kit.members import Estimator, Linear, Seeds
from kit.members.estimator.estimator import EstimatorPredictor, read_model
from kit.metrics import log_loss, mean_roc_auc, rmse, roc_auc
from kit.rows import Rows
from kit.task import Task
from kit.testing import check_member, sample_rows
from kit.text import Tfidf

METRICS = {"binary": roc_auc, "multilabel": mean_roc_auc, "multiclass": log_loss, "regression": rmse}
FOREST = Estimator("sklearn.ensemble.ExtraTreesClassifier", n_estimators=20)


def task_of(kind: str, text: tuple[str, ...] = (), inputs: tuple[str, ...] = ("a", "b")) -> Task:
    targets = ("y", "z") if kind in ("multilabel", "regression") else ("y",)
    classes = ("u", "v", "w") if kind == "multiclass" else ()
    return Task(name="t", kind=kind, targets=targets, text=text, inputs=inputs, metric=METRICS[kind], classes=classes)  # type: ignore[arg-type]


@pytest.mark.parametrize("inputs", [("a", "b"), ("t",), ("t", "a")], ids="-".join)
@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("binary", FOREST),
        ("multiclass", Estimator("KNeighborsClassifier", n_neighbors=3)),
        ("multilabel", Estimator("sklearn.linear_model.LogisticRegression", C=0.5)),
        ("multilabel", Estimator("HistGradientBoostingClassifier", max_iter=3)),  # takes no sparse words
        ("regression", Estimator("sklearn.linear_model.Ridge")),
        ("binary", Estimator("CalibratedClassifierCV", estimator=Estimator("LinearSVC"), cv=2)),
    ],
)
def test_estimators_keep_the_contract(kind: str, member: Estimator, inputs: tuple[str, ...], tmp_path: Path) -> None:
    task = task_of(kind, ("t",) if "t" in inputs else (), inputs)
    check_member(member, sample_rows(task), tmp_path)


def test_numbers_are_those_of_scikit_learn() -> None:
    rows = sample_rows(task_of("multilabel"))
    x = rows.frame.to_numpy()
    x = RobustScaler(unit_variance=True).fit_transform(x).clip(-5, 5)
    logistic = Estimator("sklearn.linear_model.LogisticRegression", C=0.5).fit(rows).predict(rows)
    expected = [LogisticRegression(C=0.5).fit(x, y).predict_proba(x)[:, 1] for y in rows.labels.T]
    np.testing.assert_allclose(logistic, np.stack(expected, axis=1), atol=1e-9)
    values = Rows(task_of("regression"), rows.source, rows.at, rows.labels)
    ridge = [Ridge(alpha=2).fit(x, y).predict(x) for y in rows.labels.T]
    np.testing.assert_allclose(
        Estimator("Ridge", alpha=2.0).fit(values).predict(values), np.stack(ridge, axis=1), atol=1e-9
    )
    forest = ExtraTreesClassifier(n_estimators=20, random_state=5).fit(x, rows.labels[:, 0])
    first = Rows(task_of("binary"), rows.source, rows.at, rows.labels[:, :1])
    seeded = FOREST.override("seed=5").fit(first).predict(first)
    np.testing.assert_allclose(seeded[:, 0], forest.predict_proba(x)[:, 1], atol=1e-12)


def test_text_alone_is_tf_idf() -> None:
    rows = sample_rows(task_of("binary", ("t",), ("t",)))
    words = Tfidf(min_df=2, sublinear_tf=True, max_features=50_000)
    got = Estimator("LogisticRegression", C=3.0, tol=1e-8).fit(rows).predict(rows)
    np.testing.assert_allclose(got, Linear(word=words, char=None, C=3.0, tol=1e-8).fit(rows).predict(rows), atol=1e-4)
    blind = Estimator("LogisticRegression", words=None, text=False)
    with pytest.raises(KitError, match="reads no column of task"):
        blind.fit(rows)


def test_categories_are_one_hot_gaps_are_the_middle_and_infinity_is_the_farthest() -> None:
    frame = pd.DataFrame({"kind": ["a", "b", None, "a"] * 10, "x": [1.0, None, 3.0, 4.0] * 10})
    y = np.array([1, 0, 0, 1] * 10)
    fitted = Estimator("LogisticRegression").fit(frame, y)
    kinds, x = ["a", "b", "new", None, None, None], [None, 3.0, 3.0, None, np.inf, 1e12]
    p = fitted.predict(pd.DataFrame({"kind": kinds, "x": x}))
    assert np.isfinite(p).all() and p[0] > 0.5 > p[1]
    assert p[2] == p[3] and p[4] == p[5] != p[3]  # 3 is the median


def test_a_fold_without_a_label_is_no_error() -> None:
    rows = sample_rows(task_of("multilabel"))
    y = np.column_stack([rows.labels[:, 0], np.ones(len(rows))])
    p = Estimator("LogisticRegression").fit(Rows(rows.task, rows.source, rows.at, y)).predict(rows)
    assert (p[:, 1] == 1).all() and len(set(p[:, 0])) > 10
    three = sample_rows(task_of("multiclass"))
    seen = np.flatnonzero(three.labels[:, 0] != 1)
    p = FOREST.fit(three.take(seen)).predict(three)
    assert p.shape == (len(three), 3) and (p[:, 1] == 0).all() and np.allclose(p.sum(axis=1), 1)


def test_parameters_are_knobs_and_part_of_the_identity() -> None:
    assert FOREST == Estimator("ExtraTreesClassifier", n_estimators=20) == FOREST.override("estimator.n_estimators=20")
    changed = FOREST.override("n_estimators=30", "max_depth=none", "estimator.max_features=log2", "seed=1")
    assert (changed.estimator.n_estimators, changed.estimator.max_features, changed.seed) == (30, "log2", 1)  # type: ignore[attr-defined]
    assert changed.identity() != FOREST.identity() and changed.fingerprint() != FOREST.fingerprint()
    assert FOREST.override("estimator.n_jobs=2").identity() == FOREST.identity()
    values = {option.name: option.value for option in FOREST.options()}
    assert (values["estimator.n_estimators"], values["estimator.min_samples_leaf"]) == (20, 1)
    assert FOREST.to_dict()["estimator"] == {
        "class": "EstimatorSettings", "version": 1, "of": "sklearn.ensemble.ExtraTreesClassifier", "n_estimators": 20,
    }  # fmt: skip
    assert Spec.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed
    nested = Estimator("BaggingClassifier", estimator=Estimator("sklearn.tree.DecisionTreeClassifier", max_depth=3))
    assert Spec.from_dict(json.loads(json.dumps(nested.to_dict()))) == nested
    assert nested.override("max_depth=4").estimator.build().estimator.max_depth == 4
    assert Seeds(member=FOREST).parts[1] == FOREST.override("seed=1")
    assert FOREST.is_random and not Estimator("KNeighborsClassifier").is_random


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("sklearn.ensemble.ExtraTreeClassifier", {}, "scikit-learn has no classifier or regressor 'sklearn.ensemble.ExtraTreeClassifier'; did you mean 'ExtraTreeClassifier'?"),
        ("SVCC", {}, "scikit-learn has no classifier or regressor 'SVCC'; did you mean 'SVC'?"),
        ("sklearn.cluster.KMeans", {}, "scikit-learn has no classifier or regressor 'sklearn.cluster.KMeans'"),
        ("os.path.join", {}, "scikit-learn has no classifier or regressor 'os.path.join'"),
        ("sklearn.svm._classes.SVC", {}, "scikit-learn has no classifier or regressor 'sklearn.svm._classes.SVC'; did you mean 'SVC'?"),
        ("SVC", {"c": 2}, "SVC has no parameter 'c' to set; "),
        ("SVC", {"C": -1}, "the 'C' parameter of SVC must be a float in the range (0.0, inf]. Got -1 instead."),
        ("SVC", {"random_state": 1}, "SVC has no parameter 'random_state' to set; it is the member's seed"),
    ],
)  # fmt: skip
def test_what_scikit_learn_has_not_is_refused(name: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KitError) as refused:
        Estimator(name, **settings)
    assert str(refused.value).startswith(f"Estimator: {sentence}")


def test_the_kinds_of_task_and_estimator_fit() -> None:
    binary, values = (sample_rows(task_of(kind)) for kind in ("binary", "regression"))
    with pytest.raises(KitError, match="^Estimator: Ridge is no classifier, and task 't' is binary$"):
        Estimator("Ridge").fit(binary)
    with pytest.raises(KitError, match="^Estimator: ExtraTreesClassifier is no regressor, and task 't' is regression$"):
        FOREST.fit(values)
    with pytest.raises(KitError, match="^Estimator: LinearSVC predicts no probabilities; calibrate it: Estimator"):
        Estimator("LinearSVC").fit(binary)


def test_a_file_holds_no_code_and_decides_no_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = sample_rows(task_of("binary"))
    fitted = FOREST.fit(rows).predictor
    fitted.save(tmp_path)
    assert np.array_equal(EstimatorPredictor.load(tmp_path).predict(rows), fitted.predict(rows))
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".skops"}
    planted = tmp_path / "planted.skops"
    with zipfile.ZipFile(tmp_path / "model0.skops") as old, zipfile.ZipFile(planted, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(
                name, text.replace(b'"sklearn.ensemble._forest"', b'"evil"') if name == "schema.json" else text
            )
    with pytest.raises(KitError, match=r"planted.skops: holds a class 'evil\.ExtraTreesClassifier', which is none of"):
        read_model(planted)
    saved = FOREST.to_dict()
    saved["estimator"]["of"] = "os.path.join"
    with pytest.raises(KitError, match="scikit-learn has no classifier or regressor 'os.path.join'"):
        Spec.from_dict(saved)
    monkeypatch.setitem(__import__("sys").modules, "skops.io", None)
    with pytest.raises(KitError, match=r"with the extra 'sklearn': pip install 'kit\[sklearn\]'"):
        fitted.save(tmp_path)
