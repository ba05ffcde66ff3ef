"""Columns of pictures of train and test rows: which they are, and the full names of what they name."""

from typing import Any

import numpy as np
import pandas as pd

from kit.images.decode import PictureFault
from kit.images.store import PictureFiles
from kit.schema.pictures import several
from kit.task import Task


def with_picture_columns(task: Task, frame: pd.DataFrame) -> tuple[Task, pd.DataFrame]:
    """Task and rows in which each picture column is a column of its own.

    Often the id names the picture: `Task(id="file", images="file")`, or an image column that no file has. The pictures
    then become a column beside the id, since a submission may spell ids in another way.
    """
    if task.id in task.images:
        name = f"{task.id} picture"
        images = tuple(name if column == task.id else column for column in task.images)
        inputs = tuple(c for c in task.inputs if c != task.id)
        task = task.model_copy(update={"images": images, "inputs": (*inputs, name) if inputs else ()})
    if task.id in frame.columns:
        frame = frame.assign(**{c: frame[task.id] for c in task.images if c not in frame.columns})
    return task, frame


def with_full_names(files: PictureFiles, task: Task, frame: pd.DataFrame, part: str = "") -> pd.DataFrame:
    """Rows whose pictures have the names that they have in `files`; what names no picture is left as it is.

    Args:
        files: where the pictures lie.
        task: names the columns.
        frame: the rows.
        part: "train" or "test", which pictures are preferred where both have the same names.
    """
    return frame.assign(**{c: _full(files, frame[c], part) for c in task.images if c in frame.columns})


def _full(files: PictureFiles, cells: Any, part: str) -> np.ndarray:
    found = np.empty(len(cells), dtype=object)
    for i, cell in enumerate(cells):
        names = [_name(files, one, part) for one in several(cell)]
        found[i] = names[0] if len(names) == 1 else tuple(names)
    return found


def _name(files: PictureFiles, cell: Any, part: str) -> Any:
    try:
        return files.find(cell, part) if isinstance(cell, str) else cell
    except PictureFault:
        return cell
