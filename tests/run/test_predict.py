"""Models that were kept predict new rows as they predicted the test rows, and so does the blend of them."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kit.members
from kit.core.errors import KitError
from kit.features.pictures import PictureStatistics
from kit.folds import Folds, KFold
from kit.members import Boost, Estimator, Linear
from kit.metrics import rmse, roc_auc
from kit.recipe import Recipe
from kit.run.blend import blend
from kit.run.jobs import fit_jobs, jobs_of, raise_failures
from kit.run.predict import fold_predictors, new_rows, predict, predict_blend
from kit.run.run import Run
from kit.session.session import Session
from kit.table import Table
from kit.task import Task
from kit.testing import sample_rows
from kit.text import Tfidf
from tests.helpers.members import NEED_WEIGHTS, NO_MEMBERS, bert, tiny_member  # noqa: F401
from tests.helpers.picture_run import pets, photo

TASK = Task(name="b", kind="binary", targets=("y",), text=("t",), inputs=("t", "x"), metric=roc_auc)


class Two(Recipe):
    task = TASK
    folds: Folds = KFold(n=2)
    boost: Boost = Boost(trees=5, min_leaf=3)
    linear: Linear = Linear(word=Tfidf(min_df=1), char=None)


def table(n: int = 60, n_test: int = 12, task: Task = TASK) -> Table:
    rows = sample_rows(task, n + n_test)
    frame = rows.frame.assign(id=[f"r{i}" for i in range(n + n_test)])
    train = frame[:n].assign(y=rows.labels[:n, 0].astype(int))
    return Table(task, train, frame[n:].reset_index(drop=True))


@pytest.mark.parametrize("name", [name for name in kit.members.__all__ if name not in NO_MEMBERS | NEED_WEIGHTS])
def test_every_kind_of_member_predicts_the_test_rows_again(name: str, bert: Path, tmp_path: Path) -> None:
    tree = Estimator("sklearn.tree.DecisionTreeClassifier", max_depth=3)
    member = tree if name == "Estimator" else tiny_member(name, bert)
    task = TASK
    if name == "TransformedTarget":
        task = TASK.model_copy(update={"kind": "regression", "metric": rmse})
    if member.needs_images:  # the column of text holds pictures instead
        task = TASK.model_copy(update={"images": TASK.text, "text": ()})
    run = Run(Two().with_members({"m": member}), table(task=task), tmp_path)
    raise_failures(fit_jobs(jobs_of(run, ["m"])))
    expected = np.mean([fold.test for fold in run.gathered("m").values()], axis=0)
    assert expected.std() > 0
    np.testing.assert_array_equal(predict(run, "m", run.table.test_rows)["m"], expected)
    fresh = predict(run, "m", new_rows(run, run.table.test))["m"]  # of a frame, as a notebook has it
    np.testing.assert_allclose(fresh, expected, atol=1e-5)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(Two(), table(), tmp_path)
    raise_failures(fit_jobs(jobs_of(run)))
    return run


def test_the_blend_predicts_the_test_rows_again(run: Run) -> None:
    with pytest.raises(KitError, match="^there is no blend of the current members and settings; blend them first$"):
        predict_blend(run, run.table.test)
    assert blend(run, ["boost", "linear"]) is not None
    kept = np.load(run.root / "blend" / "test.npy")
    np.testing.assert_array_equal(predict_blend(run, run.table.test, run.table.test_rows), kept)
    np.testing.assert_allclose(predict_blend(run, run.table.test), kept, atol=1e-5)
    assert list(predict(run, None, run.table.test_rows)) == ["boost", "linear"]


def test_new_rows_are_those_of_the_run(run: Run) -> None:
    frame = run.table.test.assign(more=1.0).sample(frac=1, random_state=0)
    frame.loc[frame.index[0], "t"] = None
    rows = new_rows(run, frame)
    assert rows.frame.columns.tolist() == ["t", "x"] and rows.y is None and rows.texts()[0] == ""
    assert rows.frame["x"].tolist() == frame["x"].tolist()
    with pytest.raises(KitError, match="^frame: column 't' is missing; there are: id, x$"):
        new_rows(run, run.table.test[["id", "x"]])


def test_cells_of_new_rows_that_do_not_fit_are_named_and_count_as_missing(run: Run) -> None:
    session = Session(run)
    session.blend()
    frame = run.table.test.astype({"x": object})
    frame.loc[3, "x"], frame.loc[5, "x"] = "oops", "?"
    gaps = run.table.test.copy()
    gaps.loc[[3, 5], "x"] = np.nan
    said = r"^frame: column 'x': 2 values are no number and count as missing: 'oops' at id r63$"
    for member in ("boost", "linear", None):  # of members, and of the blend
        with pytest.warns(UserWarning, match=said) as warned:
            found = session.predict(frame, member)
        assert len(warned) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pd.testing.assert_frame_equal(found, session.predict(gaps, member))
    with pytest.warns(UserWarning, match="'oops' at row 3$"):  # without ids, rows are numbered
        session.predict(frame.drop(columns="id"), "boost")


def test_a_model_that_is_gone_or_damaged_is_refused(run: Run) -> None:
    store = run.store("linear")
    folder = store.folder / "fold1"
    assert [fold for fold, _ in fold_predictors(run, "linear")] == [0, 1]
    file = next(path for path in sorted((folder / "model").rglob("*")) if path.is_file())
    file.write_bytes(file.read_bytes()[:-1])
    said = (
        f"the model of linear fold 1 is gone or damaged: {folder / 'model'}; the fold's predictions are whole, and blends "
        f"go on with them. To fit it again: mv {folder} {folder}.old, then the command that fitted it, with only=linear "
        "folds=1"
    )
    with pytest.raises(KitError) as error:
        predict(run, "linear", run.table.test_rows)
    assert str(error.value) == said and store.state(1) == "done"
    before, kept = predict(run, "boost", run.table.test_rows), store.read(1)
    report = blend(run, ["boost", "linear"])
    assert report is not None and set(report.weights) == {"boost", "linear"} and kept is not None
    shutil.rmtree(folder / "model")
    with pytest.raises(KitError) as error:
        store.model(1)
    assert str(error.value) == said
    folder.rename(folder.with_name("fold1.old"))  # what the sentence says
    raise_failures(fit_jobs(jobs_of(run, "linear", [1])))
    again = store.read(1)
    assert again is not None and np.array_equal(again.valid, kept.valid) and np.array_equal(again.test, kept.test)
    assert predict(run, "linear", run.table.test_rows)["linear"].shape == before["boost"].shape
    shutil.rmtree(store.folder)
    with pytest.raises(KitError, match="^'linear' has no finished fold to predict with; fit it first$"):
        predict(run, "linear", run.table.test_rows)
    with pytest.raises(KitError, match="^'b' has no member 'liner'; did you mean 'linear'"):
        predict(run, "liner", run.table.test_rows)


def test_pictures_of_new_rows_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    session = Session(pets(tmp_path))
    session.fitted("stats")
    good = session.table.test["image"].tolist()[:3]
    frame = pd.DataFrame({"image": pd.Series([*good, b"<html>", None, "no/such.jpg", b""], dtype=object)})
    said = (
        r"^frame: 4 pictures cannot be read: 'row 3' \(no picture\), 'row 4' \(no picture is named\), 'no/such.jpg' "
        r"\(no such file\) …; 4 rows are predicted as the mean of the others$"
    )
    with pytest.warns(UserWarning, match=said) as warned:
        p = session.predict(frame, "stats")["kind"].to_numpy()
    assert len(warned) == 1
    np.testing.assert_allclose(p[3:], p[:3].mean(), rtol=1e-5)
    session.blend("stats")
    with pytest.warns(UserWarning, match=said) as warned:
        session.predict(frame)
    assert len(warned) == 1
    with pytest.warns(
        UserWarning, match="2 pictures cannot be read.*; no row has another one, so the predictions say nothing"
    ):
        session.predict(frame[3:5], "stats")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.predict(frame[:3], "stats")


def test_a_member_without_a_run_names_them_as_well() -> None:
    frame = pd.DataFrame({"image": pd.Series([photo(i, bool(i % 2)) for i in range(12)], dtype=object)})
    fitted = Boost(trees=3, min_leaf=2, features=(PictureStatistics(size=16),)).fit(
        frame, np.arange(12) % 2, images="image"
    )
    with pytest.warns(
        UserWarning,
        match=r"^frame: 1 picture cannot be read: 'row 1' \(no picture is named\); what cannot be read counts as empty$",
    ):
        fitted.predict(pd.DataFrame({"image": [photo(0, True), b""]}, dtype=object))
