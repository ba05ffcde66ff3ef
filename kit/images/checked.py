"""Checks of the pictures that rows name: those that cannot be read, and those that occur twice."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from kit.core.errors import KitError, shown
from kit.images.duplicates import NearDuplicates
from kit.images.faults import fault_sentence, faulty_rows
from kit.images.store import PictureFiles
from kit.task import Task


def checked_pictures(
    files: PictureFiles, task: Task, frames: Sequence[pd.DataFrame], names: Sequence[str]
) -> tuple[list[pd.DataFrame], list[str]]:
    """Train and test rows, without train rows whose pictures cannot be read, and one sentence a file about these.

    Where rows have text or other columns beside their pictures, they stay.

    Args:
        files: where the pictures lie.
        task: its `bad_images` says whether such train rows are refused.
        frames: rows of train and of test.
        names: of the two files.

    Raises:
        KitError: such train rows are refused, or not one picture can be read.
    """
    kept, notes = list(frames), list[str]()
    hidden = {task.id, *task.targets, *task.aside}
    alone = nothing_else(task, task.inputs or [c for c in frames[0].columns if c not in hidden])
    for at, (frame, name) in enumerate(zip(frames, names, strict=True)):
        bad, named = faulty_rows(files, frame, task.images)
        if not named:
            continue
        if bad.all() and at == 0:
            raise KitError(fault_sentence(name, named, _where(files)))
        if at == 0 and task.bad_images == "refuse":
            raise KitError(fault_sentence(name, named, "; Task(bad_images='leave_out') does without them"))
        then = _predicted(bad, alone)
        if alone and at == 0 and bad.any():
            kept[0] = frame[~bad].reset_index(drop=True)
            then = f"; {_rows(int(bad.sum()))} left out"
        notes.append(fault_sentence(name, named, then))
    return kept, notes


def prediction_note(files: PictureFiles, task: Task, frame: pd.DataFrame, name: str, alone: bool) -> str:
    """One sentence about the pictures of rows to predict that cannot be read; empty where all can.

    Args:
        files: where the pictures lie.
        task: names the columns.
        frame: the rows.
        name: what the rows are called.
        alone: whether rows without a picture are predicted as the mean of the others.
    """
    bad, named = faulty_rows(files, frame, task.images)
    return fault_sentence(name, named, _predicted(bad, alone)) if named else ""


def nothing_else(task: Task, inputs: Iterable[str]) -> bool:
    """Whether these inputs of a task are pictures alone."""
    return {*inputs} <= {*task.images}


def _predicted(bad: np.ndarray, alone: bool) -> str:
    """The end of a sentence: what happens to rows that are predicted and have no picture that can be read."""
    if not alone or not bad.any():
        return "; what cannot be read counts as empty"
    if bad.all():
        return "; no row has another one, so the predictions say nothing of these rows"
    return f"; {_rows(int(bad.sum()))} predicted as the mean of the others"


def _rows(count: int) -> str:
    return "its row is" if count == 1 else f"{count} rows are"


def _where(files: PictureFiles) -> str:
    if files.folder is None:
        return "; names are paths, relative to the working directory"
    found = list(files.index)
    return f"; {files.folder} has " + (f"{len(found)} pictures, such as {shown(found[0])}" if found else "no pictures")


def duplicate_sentences(found: NearDuplicates, first: int, names: Sequence[str]) -> list[str]:
    """What is said of pictures that occur twice, within train, and in train and test.

    Args:
        found: among train rows and test rows.
        first: the first test row.
        names: of the two files.
    """
    across = found.across(first)
    within = (found.row[found.pairs] < first).all(axis=1)
    own, other = names
    said = list[str]()
    if within.any():
        at = found.pairs[within]
        count = _pictures(at.ravel())
        said.append(f"{own}: {count} there more than once, or nearly so, and stay in one fold: {_pair(found, at[0])}")
    if across.any():
        at = found.pairs[across]
        count = _pictures(at[found.row[at] >= first])
        said.append(f"{other}: {count} in {own} as well, or nearly so: {_pair(found, at[0])}")
    return said


def _pictures(at: np.ndarray) -> str:
    count = len(np.unique(at))
    return "1 picture is" if count == 1 else f"{count} pictures are"


def _pair(found: NearDuplicates, at: np.ndarray) -> str:
    return " and ".join(shown(found.names[i]) for i in at)
