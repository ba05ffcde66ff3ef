"""Checks of columns: those that a file must have, and those that only one file has."""

from collections.abc import Sequence

import pandas as pd

from kit.core.errors import KitError, close_to
from kit.reading.phrases import some
from kit.task import Task


def check_columns(name: str, frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    """Refuses a file without one of the columns `wanted`, or with a column that occurs twice."""
    for column in wanted:
        if column not in frame.columns:
            near = close_to(column, [*map(str, frame.columns)])
            raise KitError(f"{name}: column '{column}' is missing; it has: {some(frame.columns, 12)}{near}")
    if twice := frame.columns[frame.columns.duplicated()].tolist():
        raise KitError(f"{name}: column '{twice[0]}' occurs twice")


def shared_columns(
    task: Task, names: Sequence[str], train: pd.DataFrame, test: pd.DataFrame
) -> tuple[tuple[pd.DataFrame, pd.DataFrame], list[str]]:
    """Both frames without the columns that only one has and the task does not name, and notes about them.

    Args:
        task: the competition's task, with its columns.
        names: names of the train file and the test file.
        train: rows of the train file.
        test: rows of the test file.

    Raises:
        KitError: a column of one file and a column of the other seem to be the same, such as Age and age.
    """
    stated = {task.id, *task.inputs, *task.text, *task.images, *task.aside, *task.targets, *task.metric.columns}
    lone = [c for c in train.columns if c not in stated and (task.inputs or c not in test.columns)]
    odd = [c for c in test.columns if c not in stated and (task.inputs or c not in train.columns)]
    for column in [] if task.inputs else lone:
        if close := close_to(column, odd):
            raise KitError(f"{names[1]}: column '{column}' is missing, which {names[0]} has{close}")
    notes = list[str]()
    for file, columns, other in ((names[0], lone, test), (names[1], odd, train)):
        if not columns:
            continue
        listed = ", ".join(f"'{c}'" for c in columns[:5]) + (" …" if len(columns) > 5 else "")
        alone = all(c not in other.columns for c in columns)
        count = f"column {listed} is" if len(columns) == 1 else f"{len(columns)} columns are"
        why = "in no other file" if alone else "not among the task's inputs"
        that = f" ({listed})" if len(columns) > 1 else ""
        aside = "; for folds, name it in Task.aside" if file == names[0] else ""
        notes.append(f"{file}: {count} {why} and left out{that}{aside}")
    return (train.drop(columns=lone), test.drop(columns=odd)), notes
