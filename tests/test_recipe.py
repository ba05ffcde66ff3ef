"""A recipe's fields: with and without annotations, in their order, and what is refused by its name."""

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge

from kit.core.errors import KitError
from kit.ensemble import Blend, Greedy, Mean
from kit.folds import Folds, Grouped, Stratified
from kit.members import Boost, Linear, Seeds
from kit.metrics import roc_auc
from kit.recipe import Recipe
from kit.task import Task

TASK = Task(name="mine", kind="binary", text="review", targets="sold", metric=roc_auc)


class Plain(Recipe):
    task = TASK
    presets = {"quick": ["boost.trees=5"]}
    folds = Stratified(n=3)
    linear = Linear()
    boost: Boost = Boost(num_leaves=63)
    bag = Seeds(member=Boost(), n=2)
    steps: int = 3
    blend = Mean()
    table: ClassVar[list[int]] = [1]

    class Inner:
        """Any class may stand in a recipe."""

    def doubled(self) -> int:
        return 2 * self.steps

    @property
    def tripled(self) -> int:
        return 3 * self.steps

    @cached_property
    def once(self) -> int:
        return 4


class Better(Plain):
    boost = Boost(num_leaves=7)
    nb = Linear(C=1.0)


def test_members_need_no_annotation_and_keep_their_order() -> None:
    assert list(Plain().members) == ["linear", "boost", "bag"]
    assert Plain.model_fields["bag"].annotation is Seeds and Plain.model_fields["folds"].annotation is Folds
    assert Plain.model_fields["blend"].annotation is Blend and Plain().blend == Mean()
    assert (Plain().doubled(), Plain().tripled, Plain().once, Plain.table) == (6, 9, 4, [1])
    assert list(Better().members) == ["linear", "boost", "bag", "nb"] and Better().boost.num_leaves == 7


def test_fields_without_annotation_are_settings_like_others() -> None:
    changed = Plain().override("linear.C=9", "bag.member.lr=0.5", "steps=4", "folds=Grouped(group=g)", "blend=Greedy")
    assert (changed.linear.C, changed.bag.member.lr, changed.steps) == (9.0, 0.5, 4)
    assert changed.folds == Grouped(group="g") and changed.blend == Greedy()
    meaning = {option.name: option.description for option in Plain().options()}
    assert (meaning["folds"], meaning["blend"]) == ("how rows are split", "how members are joined")
    with pytest.raises(KitError, match="no Boost is called 'Linear'"):
        Plain().override("boost=Linear()")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("x", np.zeros(3), "Mine.x: numpy.ndarray is no setting; a recipe's fields are members, folds and a blend"),
        ("frame", pd.DataFrame(), "Mine.frame: pandas.DataFrame is no setting"),
        ("members", [Boost()], "Mine.members: list is no setting"),
        ("net", torch.nn.Linear(2, 2), "Mine.net: a network (torch.nn.Module) is no setting; make a member of it with Module(build=…)"),
        ("ridge", Ridge(), "Mine.ridge: a scikit-learn estimator is no setting; make a member of it with Estimator(…)"),
        ("metric", roc_auc, "Mine.metric: a recipe has no 'metric' of its own; it belongs to the task: task = Task(metric=…)"),
        ("text", "review", "Mine.text: a recipe has no 'text' of its own; it belongs to the task: task = Task(text=…)"),
        ("tsk", TASK, "Mine.tsk: the field for the Task is called 'task'"),
        ("fold", Stratified(), "Mine.fold: the field for Folds such as Stratified is called 'folds'"),
        ("greedy", Greedy(), "Mine.greedy: the field for Blend such as Greedy is called 'blend'"),
        ("folds", 5, "Mine.folds: must be Folds such as Stratified(n=5), not int"),
        ("blend", Boost(), "Mine.blend: must be Blend such as Greedy(), not Boost"),
        ("boost", Boost, "Mine.boost: is a class and no setting; write Boost() with what it is to be set to"),
        ("steps", 3, "Mine.steps: 3 is no member, folds or blend; for a setting of the recipe's own, annotate its type"),
        ("preset", {"quick": ["lr=1"]}, "Mine.preset: dict is no setting; a recipe's fields are members, folds and a blend; did you mean 'presets'?"),
        ("linear", None, "Mine.linear: None is no setting"),
    ],
)  # fmt: skip
def test_what_is_no_setting_is_refused_by_its_name(field: str, value: Any, sentence: str) -> None:
    with pytest.raises(KitError) as refused:
        type(Recipe)("Mine", (Recipe,), {"__module__": __name__, "__qualname__": "Mine", "task": TASK, field: value})
    assert str(refused.value).startswith(sentence)


def test_an_annotation_makes_no_setting_of_what_is_none() -> None:
    with pytest.raises(KitError, match="^Mine.sizes: list is no setting"):

        class Mine(Recipe):
            task = TASK
            sizes: list[int] = [1, 2]


def test_a_recipe_states_its_task() -> None:
    class Taskless(Recipe):
        linear = Linear()

    with pytest.raises(KitError, match=r"^Taskless: the recipe has no task; add task = Task\(name=…"):
        Taskless()


def test_a_recipe_without_members_is_refused_where_they_are_needed() -> None:
    class Memberless(Recipe):
        task = TASK

    with pytest.raises(KitError, match=r"^'mine' has no members: add a field for each, such as boost = Boost\(\)$"):
        Memberless().chosen()


def test_settings_are_given_by_name() -> None:
    with pytest.raises(KitError, match=r"^Stratified takes settings by name only: n=5, …$"):
        Stratified(5)  # type: ignore[misc]
    with pytest.raises(KitError, match=r"^Task takes settings by name only: name='mine', …$"):
        Task("mine")
    with pytest.raises(KitError, match=r"^Linear takes settings by name only: C=3.0, …$"):
        Linear(3.0)
    with pytest.raises(KitError, match=r"^Seeds takes settings by name only: member=Linear\("):
        Seeds(Linear(), 3)


def test_one_name_stands_without_a_tuple() -> None:
    assert (TASK.text, TASK.targets) == (("review",), ("sold",))
    task = Task(name="t", kind="binary", targets=["y"], inputs="a", aside="b", metric=roc_auc)
    assert (task.targets, task.inputs, task.aside) == (("y",), ("a",), ("b",))
    assert TASK.override("text=title,review").text == ("title", "review") and TASK.override("text=title").text == (
        "title",
    )
