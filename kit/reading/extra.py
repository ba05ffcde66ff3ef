"""Extra: rows without labels beside train and test."""

from collections.abc import Sequence

import pandas as pd

from kit.core.errors import KitError, close_to
from kit.reading.phrases import some
from kit.task import Task


def extra_rows(
    task: Task, inputs: Sequence[str], train: str, name: str, frame: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """The columns of extra rows that members read, with their ids if there are any; and notes about other columns.

    Ids are for notes only: they may be missing or occur twice.

    Args:
        task: the competition's task.
        inputs: columns that members read.
        train: name of the train file.
        name: name of the file with the extra rows.
        frame: its rows.

    Raises:
        KitError: it has none of the inputs, a column with almost the same name, or a column twice.
    """
    columns = [str(column) for column in frame.columns]
    if twice := [column for i, column in enumerate(columns) if column in columns[:i]]:
        raise KitError(f"{name}: column '{twice[0]}' occurs twice")
    lost = [column for column in inputs if column not in columns]
    odd = [column for column in columns if column not in {*inputs, task.id, *task.targets, *task.aside}]
    for column in lost:
        if close := close_to(column, odd):
            raise KitError(f"{name}: column '{column}' is missing, which {train} has{close}")
    if len(lost) == len(inputs):
        raise KitError(f"{name}: has no column that members read: {some(inputs)}; it has: {some(columns, 12)}")
    notes = list[str]()
    if lost:
        which = f"column '{lost[0]}' is" if len(lost) == 1 else f"{len(lost)} columns ({some(lost)}) are"
        notes.append(f"{name}: {which} missing, and empty in its rows")
    if labels := [column for column in task.targets if column in columns]:
        notes.append(f"{name}: '{labels[0]}' is left out: extra rows have no labels")
    if odd:
        which = f"column '{odd[0]}' is" if len(odd) == 1 else f"{len(odd)} columns ({some(odd)}) are"
        notes.append(f"{name}: {which} in no other file and left out")
    kept = [column for column in columns if column in inputs or column == task.id]
    return frame.set_axis(columns, axis=1)[kept].reset_index(drop=True), notes
