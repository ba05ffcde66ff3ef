"""The notebook's door: a recipe opened on a folder or on frames, and members cross-validated without a recipe."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kit import (
    Boost,
    Estimator,
    Greedy,
    KFold,
    KitError,
    Linear,
    Mean,
    Member,
    Multilabel,
    Perceptron,
    Predictor,
    Recipe,
    Session,
    Stage,
    Stratified,
    Task,
    Tfidf,
    accuracy,
    cross_validate,
    roc_auc,
)
from tests.helpers.house import ROOT

# DESIGN, section 1, word for word
EXAMPLE = """
from kit import Boost, Encoder, Greedy, Linear, Recipe, Stratified, Task, roc_auc

class Mine(Recipe):
    task = Task(name="mine", kind="binary", text=("review",), targets=("sold",), metric=roc_auc)
    folds = Stratified(n=5)
    linear = Linear()
    boost = Boost(num_leaves=63)
    encoder = Encoder()
    blend = Greedy()

run = Mine().open("data/mine")            # or Mine().open(train_frame, test_frame); bank in runs/mine
run.fit(only="linear boost")              # progress; what is finished is kept; folds=, on=
run.blend()                               # shows itself as the table; .score .weights .submission
run.oof("boost"); run.predict(frame)      # frames with the ids and the target columns
"""


def frames(n: int = 120, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test rows: reviews, prices, and whether it was sold."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n + 30)
    words = np.where(rng.random(n + 30) < 0.2 + 0.6 * y, "good", "poor")
    frame = pd.DataFrame({
        "id": [f"{i:04d}" for i in range(n + 30)], "price": y + rng.normal(0, 0.7, n + 30), "sold": y,
        "review": [f"{word} tea and a cup of number {rng.integers(1000)}" for word in words],
    })  # fmt: skip
    return frame[:n], frame[n:].drop(columns="sold").reset_index(drop=True)


class Broken(Member):
    """Fails on rows of the first fold."""

    def learn(self, train: Any, valid: Any, work: Path) -> Predictor:
        if 0 in valid.at:
            raise RuntimeError("a bad\nday")
        return Boost(trees=3, min_leaf=2).learn(train, valid, work)


TASK = Task(name="mine", kind="binary", text="review", targets="sold", metric=roc_auc)
TREES, WORDS = Boost(trees=10, min_leaf=3, patience=None), Linear(word=Tfidf(), char=None)


class Mine(Recipe):
    task = TASK
    folds = Stratified(n=3)
    linear = WORDS
    boost = TREES
    blend = Greedy()
    presets = {"small": ["boost.trees=2"]}


class Fragile(Mine):
    broken = Broken()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train, test = frames()
    (path := tmp_path / "data" / "mine").mkdir(parents=True)
    train.to_csv(path / "train.csv", index=False)
    test.to_csv(path / "test.csv", index=False)
    test[["id"]].assign(sold=0.5).to_csv(path / "sample_submission.csv", index=False)
    return path


# ---- a recipe opened ---------------------------------------------------------------------------


def test_the_example_of_the_design_runs_word_for_word(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, frame = frames()
    names: dict[str, Any] = {"frame": frame, "__name__": "__main__"}
    exec(EXAMPLE, names)
    run = names["run"]
    said = capsys.readouterr().out
    assert all(f"boost fold {fold}: roc_auc 0." in said for fold in range(5))
    submission = pd.read_csv("runs/mine/submission.csv", dtype={"id": str})
    assert list(submission.columns) == ["id", "sold"] and submission["id"].tolist() == frame["id"].tolist()
    predicted = run.predict(frame)
    assert predicted["id"].tolist() == frame["id"].tolist() and list(predicted.columns) == ["id", "sold"]
    np.testing.assert_allclose(predicted["sold"], submission["sold"], atol=1e-6)
    blend = run.blend()
    assert set(blend.weights) == {"linear", "boost"} and blend.score > 0.7
    assert blend.submission == Path("runs/mine/submission.csv")


def test_frames_and_files_give_the_same_numbers(folder: Path) -> None:
    train, test = frames()
    files, given = Mine().open(folder, runs="a"), Mine().open(train, test, runs="b")
    for run in (files, given):
        run.fit()
        run.blend()
    pd.testing.assert_frame_equal(files.oof("boost"), given.oof("boost"))
    assert Path("a/mine/submission.csv").read_bytes() == Path("b/mine/submission.csv").read_bytes()
    assert Mine().open().folder == Path("runs/mine")  # data/mine is where it looks by itself


def test_out_of_fold_predictions_have_the_ids_in_the_order_of_the_frame() -> None:
    train, test = frames()
    run = Mine().open(train, test)
    run.fit("boost", folds=1)
    partly = run.oof("boost")
    assert list(partly.columns) == ["id", "sold"] and partly["id"].tolist() == train["id"].tolist()
    assert partly["sold"].notna().sum() == 40
    with pytest.raises(
        KitError, match=r"^nothing to blend: no member has all its 3 folds \(linear has 0, boost has 1\); run.fit"
    ):
        run.blend()
    with pytest.raises(KitError, match="^no fold of 'linear' is finished: run.fit\\(only='linear'\\) fits it$"):
        run.oof("linear")
    with pytest.raises(KitError, match="^nothing was blended yet"):
        run.oof()
    run.fit()
    whole = run.oof("boost")["sold"]
    assert whole.notna().all() and np.array_equal(whole[partly["sold"].notna()], partly["sold"].dropna())
    assert roc_auc(train["sold"].to_numpy()[:, None], whole.to_numpy()[:, None]) > 0.7
    blend = run.blend()
    assert roc_auc(train["sold"].to_numpy()[:, None], run.oof()[["sold"]].to_numpy()) == pytest.approx(blend.score)


def test_a_member_predicts_alone_and_the_blend_is_made_when_it_is_missing() -> None:
    train, test = frames()
    run = Mine().open(train, test)
    run.fit()
    alone = [run.predict(test.drop(columns="id"), name)["sold"].to_numpy() for name in ("linear", "boost")]
    both = run.predict(test.drop(columns="id"))
    assert both["id"].tolist() == list(range(30))
    shares = run.blend().weights
    np.testing.assert_allclose(both["sold"], shares["linear"] * alone[0] + shares["boost"] * alone[1], atol=1e-6)
    with pytest.raises(KitError, match="frame: column 'price' is missing"):
        run.predict(test.drop(columns="price"))


def test_a_failure_is_raised_and_what_is_finished_is_kept() -> None:
    run = Fragile().open(*frames())
    with pytest.raises(KitError) as failure:
        run.fit()
    said = str(failure.value)
    assert said.startswith("broken fold ") and "failed: day (all of it in runs/mine/broken-" in said
    assert said.endswith("error.txt); what is finished is kept")
    error = Path(said.partition("all of it in ")[2].partition(")")[0])
    assert "RuntimeError: a bad\nday" in error.read_text()
    assert len(run.run.gathered("boost")) == 3 and len(run.run.gathered("broken")) == 2
    assert set(run.blend().weights) == {"linear", "boost"}
    assert "failed" in str(run.leaderboard)


def test_what_is_finished_is_not_fitted_again(capsys: pytest.CaptureFixture[str]) -> None:
    Mine().open(*frames()).fit(only="boost")
    capsys.readouterr()
    run = Mine().open(*frames())
    run.fit()
    said = capsys.readouterr().out
    assert (
        said.startswith("3 of 6 folds were finished before\n") and "linear fold 2" in said and "boost fold" not in said
    )


def test_settings_presets_seeds_and_fewer_rows() -> None:
    run = Mine().open(*frames(), settings="boost.num_leaves=7 linear.C=2", preset="small", seed=3, rows=60)
    assert (run.recipe.boost.trees, run.recipe.boost.num_leaves, run.recipe.linear.C) == (2, 7, 2.0)
    assert run.recipe.boost.seed == 3 and len(run.table.train) == 60 and run.folder == Path("runs/mine-60-rows")
    with pytest.raises(KitError, match="unknown setting 'boost.tree'; did you mean 'boost.trees'"):
        Mine().open(*frames(), settings=["boost.tree=3"])


def test_frames_without_ids_are_numbered_and_left_as_they_are() -> None:
    train, test = (frame.drop(columns="id") for frame in frames())
    before = train.copy()
    run = Mine().open(train, test)
    assert run.table.train["id"].tolist() == [str(i) for i in range(120)] and run.table.test["id"][0] == "120"
    pd.testing.assert_frame_equal(train, before)
    numbers = frames()[0].assign(id=range(120))
    assert Mine().open(numbers).table.train["id"].tolist() == run.table.train["id"].tolist()


def test_what_cannot_be_opened_is_refused_in_a_sentence(folder: Path) -> None:
    train, test = frames()
    with pytest.raises(KitError, match="^train: column 'sold' is missing"):
        Mine().open(train.drop(columns="sold"))
    with pytest.raises(KitError, match="^train: 1 label of 'sold' is not 0 or 1"):
        Mine().open(train.assign(sold=[2, *train["sold"][1:]]))
    with pytest.raises(KitError, match="^test, sample, extra and sides are frames that go with a train frame"):
        Mine().open(folder, test)
    with pytest.raises(KitError, match="^nowhere: train.csv is missing$"):
        Mine().open("nowhere")
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(
        KitError, match=r"^no files of 'mine': put train.csv, .* into data/mine/.*; or give their folder, or frames"
    ):
        Mine().open()
    with pytest.raises(KitError, match="^'mine' has no member 'bost'; did you mean 'boost'"):
        Mine().open(train).fit("bost")


def test_processes_need_a_recipe_that_they_can_import(folder: Path) -> None:
    with pytest.raises(KitError, match="^on=processes:2 needs a run that other processes can open"):
        Mine().open(*frames()).fit(on="processes:2")
    run = Mine().open(folder)
    run.fit("boost", on="processes:2")
    frame = Mine().open(*frames(), runs="inline")
    frame.fit("boost")
    assert np.array_equal(run.oof("boost")["sold"], frame.oof("boost")["sold"])


def test_tables_and_curves_show_themselves() -> None:
    class Nets(Mine):
        net = Perceptron(hidden=(4,), stage=Stage(epochs=1, precision="fp32"))

    run = Nets().open(*frames())
    assert repr(run) == "mine: 120 rows, 3 folds, members linear, boost, net; kept in runs/mine"
    table = run.fit()
    assert all(f"{name}" in str(table) and f"{name}" in table._repr_html_() for name in ("linear", "boost", "net"))
    blend = run.blend()
    assert f"{blend.score:.5f}" in str(blend) and blend._repr_html_().startswith("<pre")
    assert "blend: nested roc_auc" in str(run.leaderboard)  # it knows the last blend
    curves = run.curves("net")
    assert "fold 2: loss 0." in str(curves) and "<svg" in curves._repr_html_()
    with pytest.raises(KitError, match="^'boost' has no training log: only networks write one"):
        run.curves("boost")


def test_in_a_notebook_a_table_shows_itself_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell:  # by this name rich knows a notebook
        pass

    shown: list[Any] = []
    monkeypatch.setattr("builtins.get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setattr("rich.jupyter.display", lambda segments, text: shown.append(text))
    run = Mine().open(*frames(60))
    table = run.fit()
    assert len(shown) == 6  # the folds, as they end
    assert "out-of-fold" in str(table) and "out-of-fold" in table._repr_html_() and len(shown) == 6


def test_the_report_lies_in_the_run_folder(capsys: pytest.CaptureFixture[str]) -> None:
    run = Mine().open(*frames(60))
    run.fit()
    run.blend()
    assert run.report() == Path("runs/mine/report.html") and "report: runs/mine/report.html" in capsys.readouterr().out
    assert "boost" in Path("runs/mine/report.html").read_text()


def test_a_recipe_alone_says_who_opens_it() -> None:
    code = (
        "from kit.recipe import Recipe; from kit.task import Task; from kit.metrics import roc_auc\n"
        "class Mine(Recipe): task = Task(name='m', kind='binary', targets='y', metric=roc_auc)\n"
        "Mine().open('x')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "KitError: a recipe is opened by kit.session; take Recipe from there: from kit import Recipe" in done.stderr


# ---- without a recipe --------------------------------------------------------------------------


def test_members_are_cross_validated_on_a_frame(capsys: pytest.CaptureFixture[str]) -> None:
    train, test = frames()
    cv = cross_validate(
        train, text="review", target="sold", members=[WORDS, TREES], folds=Stratified(n=3), metric=roc_auc
    )
    said = capsys.readouterr().out
    assert said.startswith(
        "binary (guessed: 'sold' has 2 different values), scored by roc_auc; text in review, 1 other column"
    )
    assert list(cv.oof.columns) == ["id", "linear", "boost"] and cv.oof["id"].tolist() == train["id"].tolist()
    recipe = Mine().open(train)
    recipe.fit()
    assert np.array_equal(cv.oof["boost"], recipe.oof("boost")["sold"])
    assert cv.blend().score == recipe.blend().score and "out-of-fold" in str(cv.leaderboard)
    predicted = cv.predict(test)
    assert list(predicted.columns) == ["id", "sold"] and len(predicted) == 30
    assert isinstance(cv.session, Session) and not Path("runs/cross_validate").exists()


@pytest.mark.parametrize(
    ("labels", "kind", "columns"),
    [
        (
            np.array(["red", "blue", "grey"])[np.arange(120) % 3],
            "multiclass",
            ["boost_blue", "boost_grey", "boost_red"],
        ),
        (np.random.default_rng(0).normal(size=120), "regression", ["boost"]),
        (np.where(np.arange(120) % 2, "yes", "no"), "binary", ["boost"]),
    ],
)
def test_the_kind_is_guessed_and_said(
    labels: Any, kind: str, columns: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    frame = frames()[0].drop(columns="sold").assign(label=labels)
    cv = cross_validate(frame, target="label", members=TREES, folds=3)
    assert capsys.readouterr().out.startswith(f"{kind} (guessed: 'label' has ")
    assert list(cv.oof.columns) == ["id", *columns] and cv.oof[columns].notna().all(axis=None)


def test_several_targets_are_several_labels(capsys: pytest.CaptureFixture[str]) -> None:
    frame = frames()[0].assign(late=np.arange(120) % 2)
    cv = cross_validate(frame, target=["sold", "late"], members=TREES, folds=Multilabel(n=2))
    assert list(cv.oof.columns) == ["id", "boost_sold", "boost_late"]
    assert list(cv.predict(frames()[1], "boost").columns) == ["id", "sold", "late"]
    assert capsys.readouterr().out.startswith("multilabel (guessed: ")


def test_what_is_given_is_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    frame = frames()[0].assign(sold=np.arange(120) % 4, group=np.arange(120) // 10)
    cv = cross_validate(
        frame, target="sold", members={"a": TREES}, kind="regression", folds=KFold(n=2), blend=Mean(), aside="group", text=()
    )  # fmt: skip
    assert capsys.readouterr().out.startswith("regression, scored by rmse; no text, 2 other columns; ids from 'id'")
    task = cv.session.table.task
    assert (task.kind, task.aside, task.text, list(cv.session.recipe.members)) == ("regression", ("group",), (), ["a"])
    assert "group" not in cv.session.table.inputs and cv.session.recipe.blend == Mean()


def test_members_are_named_by_their_classes() -> None:
    members = [TREES, Boost(trees=2), Estimator("ExtraTreesClassifier", n_estimators=5), Estimator("GaussianNB")]
    cv = cross_validate(frames()[0], target="sold", members=members, folds=2, metric=accuracy)
    assert list(cv.session.recipe.members) == ["boost", "boost_2", "extra_trees_classifier", "gaussian_nb"]
    with pytest.raises(KitError, match=r"^members: not a member, but the class Boost; write Boost\(\)$"):
        cross_validate(frames()[0], target="sold", members=[Boost])  # type: ignore[list-item]
    with pytest.raises(KitError, match="^members: there are none; give one or several"):
        cross_validate(frames()[0], target="sold", members=[])
    with pytest.raises(KitError, match="^frame: there is no column 'sild'; did you mean 'sold'"):
        cross_validate(frames()[0], target="sild", members=TREES)


def test_folds_are_kept_in_a_folder_or_go_with_the_result() -> None:
    first = cross_validate(frames()[0], target="sold", members=TREES, folds=2)
    place = first.session.folder
    assert place.exists()
    del first
    assert not place.exists()
    for _ in range(2):
        kept = cross_validate(frames()[0], target="sold", members=TREES, folds=2, folder="bank")
    assert kept.session.folder == Path("bank") and len(list(Path("bank").glob("boost-*/fold*/score.json"))) == 2


def test_members_that_fail_are_shown_and_the_others_kept(capsys: pytest.CaptureFixture[str]) -> None:
    cv = cross_validate(frames()[0], target="sold", members=[TREES, Broken()], folds=2)
    assert len(cv.failures) == 1 and cv.failures[0].endswith("failed: day") and cv.failures[0] in str(cv)
    assert cv.failures[0] in cv._repr_html_() and "failed: day" in capsys.readouterr().out
    assert cv.oof["boost"].notna().all() and cv.oof["broken"].isna().sum() == 60

    class Useless(Member):
        def learn(self, train: Any, valid: Any, work: Path) -> Predictor:
            raise KitError("of no use")

    with pytest.raises(KitError, match="^useless fold 0 failed: of no use$"):
        cross_validate(frames()[0], target="sold", members=Useless(), folds=2)
