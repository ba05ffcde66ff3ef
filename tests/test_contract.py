"""Every member of kit is held to the contract, and the contract catches each way to break it."""

import importlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import Field

import kit.members
from kit.core.files import read_json, write_json
from kit.folds import KFold
from kit.member import Member, Predictor
from kit.members import Boost
from kit.metrics import log_loss, mean_roc_auc, rmse, roc_auc
from kit.recipe import Recipe
from kit.rows import Rows
from kit.task import Task
from kit.testing import ContractError, check_member, check_recipe, sample_rows
from tests.helpers.members import NEED_WEIGHTS, NO_MEMBERS, bert, tiny_member  # noqa: F401

TASKS = {
    "binary": Task(name="b", kind="binary", targets=("y",), text=("t",), inputs=("t", "x"), metric=roc_auc),
    "multilabel": Task(name="m", kind="multilabel", targets=("a", "b", "c"), text=("t",), metric=mean_roc_auc),
    "multiclass": Task(
        name="c", kind="multiclass", targets=("y",), text=("t",), classes=("u", "v", "w"), metric=log_loss
    ),
    "regression": Task(name="r", kind="regression", targets=("y",), text=("t",), inputs=("t", "x"), metric=rmse),
}
NUMBERS = Task(name="n", kind="binary", targets=("y",), metric=roc_auc)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("name", [name for name in kit.members.__all__ if name not in NO_MEMBERS | NEED_WEIGHTS])
def test_every_member_keeps_the_contract(name: str, kind: str, bert: Path, tmp_path: Path) -> None:
    if name == "Estimator":
        pytest.skip("an estimator is for one kind of task; tests/members/test_estimator.py holds some of each")
    if name == "TransformedTarget" and kind != "regression":
        pytest.skip("it changes the scale of values; that it says so is tested beside it")
    if (name, kind) == ("NBSVM", "regression"):
        pytest.skip("log-count ratios need classes; that it says so is tested beside it")
    member, task = tiny_member(name, bert), TASKS[kind]
    if member.needs_images:  # the columns of text hold pictures instead
        task = task.model_copy(update={"images": task.text, "text": ()})
    check_member(member, sample_rows(task), tmp_path)


def test_a_frame_of_numbers(tmp_path: Path) -> None:
    check_member(Boost(trees=5, min_leaf=3), sample_rows(NUMBERS), tmp_path)


@pytest.mark.parametrize("kind", TASKS)
def test_sample_rows(kind: str) -> None:
    rows, again, other = sample_rows(TASKS[kind]), sample_rows(TASKS[kind]), sample_rows(TASKS[kind], seed=1)
    assert rows.frame.equals(again.frame) and np.array_equal(rows.labels, again.labels)
    assert not rows.frame.equals(other.frame) and len(rows) == 60
    assert rows.labels.shape == (60, len(TASKS[kind].targets))
    if kind == "multiclass":
        assert set(rows.labels[:, 0]) == {0, 1, 2}
    elif kind != "regression":
        assert (rows.labels.min(0) == 0).all() and (rows.labels.max(0) == 1).all()


# ---- one broken member for each clause ---------------------------------------------------------

Fault = Literal["none", "unhashable", "shape", "flat", "nan", "range", "ints", "seed", "order", "touches", "load", "fresh",
                "labels", "stateful", "counts"]  # fmt: skip


class Counter:
    """A library's object, as far as kit can see: what it counts is a part of its state."""

    def __init__(self) -> None:
        self.count = 0

    def __reduce__(self) -> Any:
        return Counter, (), {"counted": self.count}


COUNTER = Counter()


class Faulty(Member):
    fault: Fault = "none"

    def learn(self, train: Rows, valid: Rows, work: Path) -> "FaultyPredictor":
        if self.fault == "touches":
            train.source.frame.iloc[0, 0] = 99.0
        if self.fault == "counts":
            COUNTER.count += 1
        noise = np.random.default_rng(None if self.fault == "seed" else self.seed).normal()
        return FaultyPredictor(self.fault, float(train.labels.mean()) * 0.1, noise, train.source)


class FaultyPredictor(Predictor):
    def __init__(self, fault: str, mean: float, noise: float, source: Any = None) -> None:
        self.fault, self.mean, self.noise, self.source, self.calls = fault, mean, noise, source, 0

    def predict(self, rows: Rows) -> np.ndarray:
        p = 0.5 + 0.3 * np.tanh(rows.frame["x1"].to_numpy()[:, None] + self.noise + self.mean)
        self.calls += 1
        if self.fault == "nan":
            p[0] = np.nan
        if self.fault == "order":
            p = p + 0.001 * np.arange(len(p))[:, None]
        if self.fault == "labels":
            p = p * 0.5 + rows.labels * 0.1
        if self.fault == "fresh" and rows.source is not self.source:
            raise KeyError("x")
        if self.fault == "stateful":
            p = p / self.calls
        changed = {"shape": np.hstack([p, p]), "flat": p[:, 0], "range": p * 4 - 1, "ints": p.round().astype(int)}
        return changed.get(self.fault, p)

    def save(self, folder: Path) -> None:
        write_json(folder / "it.json", [self.fault, self.mean, self.noise * (2 if self.fault == "load" else 1)])

    @classmethod
    def load(cls, folder: Path) -> "FaultyPredictor":
        return cls(*read_json(folder / "it.json"))


class Unhashable(Faulty):
    columns: list[str] = Field([], description="a list, which cannot be hashed")


class Shy(Faulty):
    anything: Any = Field(None, description="something that JSON does not bring back")


CAUGHT = [
    (Faulty(fault="shape"), "predictions have the shape (rows, outputs): (20, 2), not (20, 1)"),
    (Faulty(fault="flat"), "predictions have the shape (rows, outputs): (20,), not (20, 1)"),
    (Faulty(fault="ints"), "predictions are an array of floats: not so"),
    (Faulty(fault="nan"), "predictions are finite: some are NaN or infinite"),
    (Faulty(fault="range"), "probabilities lie in [0, 1]: "),
    (Faulty(fault="seed"), "the same seed gives the same predictions: a second fit gave others"),
    (Faulty(fault="stateful"), "predict repeats itself: a second call gave others"),
    (Faulty(fault="order"), "row order does not matter: shuffled rows get others"),
    (Faulty(fault="touches"), "the input stays untouched: "),
    (Faulty(fault="counts"), "a fit leaves the identity as it was: its code changes a global"),
    (
        Faulty(fault="labels"),
        "predict reads no labels: without them it failed with KitError: these rows have no labels",
    ),
    (Faulty(fault="fresh"), "rows of another source are predicted alike: there it failed with KeyError"),
    (Faulty(fault="load"), "a saved predictor predicts the same: loaded, predictions differ"),
    (Unhashable(columns=["a"]), "a spec can be hashed: "),
    (Shy(anything=Path("a")), "a spec round-trips through JSON: another one came back"),
]


def test_the_sound_one_is_let_through(tmp_path: Path) -> None:
    check_member(Faulty(), sample_rows(NUMBERS), tmp_path)


@pytest.mark.parametrize("member, sentence", CAUGHT, ids=[s.split(":")[0] for _, s in CAUGHT])
def test_each_broken_clause_is_named(member: Member, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError) as error:
        check_member(member, sample_rows(NUMBERS), tmp_path)
    assert str(error.value).startswith(f"{type(member).__name__}: {sentence}")


# ---- recipes -----------------------------------------------------------------------------------


class Sound(Recipe):
    task = NUMBERS
    presets = {"quick": ["member.fault=none"]}
    folds: KFold = KFold(n=3)
    member: Faulty = Faulty()


class Memberless(Recipe):
    task = NUMBERS


class Misspelt(Sound):
    presets = {"quick": ["member.falt=none"]}


class Leaking(KFold):
    def split(self, plan: np.ndarray, fold: int, frame: Any = None) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(len(plan)), np.flatnonzero(plan == fold)


class Changing(KFold):
    def plan(self, frame: Any, y: np.ndarray, duplicates: Any = None) -> np.ndarray:
        return np.random.default_rng().integers(0, 3, len(frame)).astype(np.int16)


@pytest.mark.parametrize(
    "recipe, sentence",
    [
        (Memberless(), "Memberless: a recipe has members: it has none"),
        (Misspelt(), "Misspelt: presets name settings there are: preset 'quick': unknown setting 'member.falt'"),
        (Sound(folds=Leaking(n=3)), "Sound: train and validation rows of a fold differ: not in fold 0"),
        (Sound(folds=Changing(n=3)), "Sound: the fold plan repeats itself: a second one differs"),
    ],
)
def test_recipes_that_break_it(recipe: Recipe, sentence: str, tmp_path: Path) -> None:
    rows = sample_rows(NUMBERS)
    rows.frame.assign(id=range(60), y=rows.labels[:, 0].astype(int)).to_csv(tmp_path / "train.csv", index=False)
    check_recipe(Sound(), tmp_path)
    with pytest.raises(ContractError) as error:
        check_recipe(recipe, tmp_path)
    assert str(error.value).startswith(sentence)
    assert [p.name for p in tmp_path.iterdir()] == ["train.csv"]


def test_the_toxic_recipe(tmp_path: Path) -> None:
    recipe = importlib.import_module("competitions.toxic.recipe").Toxic()
    importlib.import_module("competitions.toxic.sample").write(tmp_path, 300, 50)
    check_recipe(recipe, tmp_path)
