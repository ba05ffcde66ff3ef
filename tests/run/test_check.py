"""What is refused before the first fit: members that cannot read the task."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kit import Session, cross_validate
from kit.augment import EDA
from kit.core.errors import KitError
from kit.evidence.ablate import ablate
from kit.evidence.compare import compare
from kit.evidence.curves import curve
from kit.folds import KFold
from kit.losses import CrossEntropy
from kit.member import Member
from kit.members import NBSVM, Boost, Concat, Encoder, Estimator, Linear, Module, Perceptron, Seeds, TextNet, Views
from kit.metrics import rmse, roc_auc
from kit.recipe import Recipe
from kit.run.check import check_members
from kit.run.jobs import fit_jobs, jobs_of
from kit.run.run import Run
from kit.table import Table
from kit.task import Task
from kit.testing import ContractError, check_member, sample_rows
from kit.train import Stage
from kit.tta import Windows
from kit.tune.search import tune
from kit.tune.tuning import Tuning
from tests.helpers.draw import Draw, Said

FRAME = pd.DataFrame({"id": list("abcd"), "t": list("wxyz"), "x": range(4), "y": [0, 1, 0, 1]})


def checked(member: Member, task: Task) -> None:
    class Mine(Recipe):
        good = Boost()
        other: Member = Boost()

    Mine.task = task
    table = Table(task, FRAME, FRAME[:0].drop(columns="y"))
    check_members(Run(Mine(other=member), table, Path("unused")), ["good", "other"])


@pytest.mark.parametrize(
    "member", [NBSVM(), TextNet(), Encoder(), Seeds(member=NBSVM()), Concat(a=TextNet(), b=Perceptron())]
)
def test_a_member_that_needs_text_is_refused_where_there_is_none(member: Member) -> None:
    named = "Concat" if isinstance(member, Concat) else "NBSVM" if isinstance(member, Seeds) else type(member).__name__
    task = Task(name="t", kind="binary", targets="y", inputs=("t", "x"), metric=roc_auc)
    with pytest.raises(KitError) as error:
        checked(member, task)
    assert str(error.value) == (
        f"member 'other': {named} reads text, and task 't' names no text column; take Boost or Perceptron"
    )
    checked(member, Task(name="t", kind="binary", targets="y", inputs=("t", "x"), text="t", metric=roc_auc))


def test_members_of_columns_are_not_refused() -> None:
    task = Task(name="t", kind="binary", targets="y", inputs=("t", "x"), metric=roc_auc)
    for member in (Boost(), Perceptron(), Linear(), Seeds(member=Boost())):
        checked(member, task)


ONLY_TEXT = Task(name="t", kind="binary", targets="y", inputs="t", text="t", metric=roc_auc)
BLIND = [
    Boost(text=False), Perceptron(text=False), Linear(word=None, char=None), Seeds(member=Boost(text=False)),
    Estimator("LogisticRegression", words=None, text=False), Module(build=print, text=False),
    Concat(a=TextNet(), b=Perceptron(text=False)),
]  # fmt: skip


@pytest.mark.parametrize("member", BLIND, ids=lambda member: type(member).__name__)
def test_a_member_that_would_find_nothing_to_read_is_refused(member: Member) -> None:
    inner = member.member if isinstance(member, Seeds) else member.b if isinstance(member, Concat) else member
    kind = type(inner).__name__
    with pytest.raises(KitError) as error:
        checked(member, ONLY_TEXT)
    assert str(error.value) == (
        f"member 'other': {kind} with these settings reads no column of task 't' (t); let it read text, or take another "
        "member"
    )
    checked(member, ONLY_TEXT.model_copy(update={"inputs": ("t", "x")}))


def test_text_alone_is_enough_for_statistics_of_it() -> None:
    for member in (Boost(), Perceptron(), Linear(), Estimator("LogisticRegression"), Module(build=print)):
        checked(member, ONLY_TEXT)


def test_a_loss_of_another_kind_of_task_and_changed_texts_without_text_are_refused() -> None:
    numbers = Task(name="t", kind="binary", targets="y", inputs="x", metric=roc_auc)
    with pytest.raises(KitError, match="^member 'other': CrossEntropy cannot be the loss of a binary task; take BCE"):
        checked(Perceptron(stage=Stage(loss=CrossEntropy())), numbers)
    with pytest.raises(
        KitError, match="^member 'other': augment=EDA changes texts, and task 't' names no text column$"
    ):
        checked(Perceptron(stage=Stage(augment=EDA())), numbers)


def test_every_command_refuses_it_before_the_first_fit(tmp_path: Path) -> None:
    class Mine(Recipe):
        task = ONLY_TEXT
        folds = KFold(n=2)
        good: Member = Boost(trees=2)
        bad: Member = Boost(text=False)

    table = Table(ONLY_TEXT, FRAME.drop(columns="x"), FRAME[:0].drop(columns=["y", "x"]))
    run = Run(Mine(), table, tmp_path)
    for command in (
        lambda: fit_jobs(jobs_of(run)),
        lambda: compare(run, "good", "bad", seeds=1),
        lambda: compare(run, "good", "good good.text=false", seeds=1),
        lambda: ablate(run, "bad"),
        lambda: curve(run, "bad", "folds"),
        lambda: tune(run, Tuning(member="bad")),
        lambda: Session(run).fit(),
        lambda: cross_validate(
            FRAME.drop(columns=["id", "x"]), target="y", text="t", members=Boost(text=False), folds=2
        ),
    ):
        with pytest.raises(KitError, match="Boost with these settings reads no column of task"):
            command()
    assert not [path for path in tmp_path.rglob("*") if path.suffix != ".db" and "fold" in path.name]


def test_views_of_text_are_refused_as_well() -> None:
    task = Task(name="t", kind="binary", targets="y", inputs=("t", "x"), metric=roc_auc)
    with pytest.raises(KitError, match="^member 'other': Windows needs texts, but task 't' has no text column$"):
        checked(Views(member=Boost(), views=(Windows(),)), task)


def test_other_reasons_name_the_member_too() -> None:
    task = Task(name="t", kind="regression", targets="y", inputs=("t", "x"), text="t", metric=rmse)
    with pytest.raises(KitError, match=r"^member 'other': NBSVM cannot fit the regression task 't'; take Linear$"):
        checked(NBSVM(), task)


class Illiterate(Draw):
    """Reads text, and does not say so before the fit."""

    def learn(self, train: Any, valid: Any, work: Path) -> Said:
        train.texts()
        return super().learn(train, valid, work)


def test_the_contract_needs_a_refusal_before_the_fit(tmp_path: Path) -> None:
    task = Task(name="m", kind="binary", targets="y", text="t", metric=roc_auc)
    clause = "^Illiterate: a task that it cannot read is refused by check, before any fit: without text and pictures the fit failed with"
    with pytest.raises(ContractError, match=clause):
        check_member(Illiterate(), sample_rows(task), tmp_path / "a")
    check_member(Draw(), sample_rows(task), tmp_path / "b")
