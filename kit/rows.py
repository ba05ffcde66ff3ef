"""Rows: the rows of a competition that a member gets."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kit.core.errors import KitError, nearest
from kit.images.checked import prediction_note
from kit.images.columns import with_full_names, with_picture_columns
from kit.images.store import PictureFiles
from kit.metrics import Metric
from kit.schema.schema import Schema
from kit.sides.sides import NO_SIDES, Sides
from kit.source import Source
from kit.task import Task


@dataclass(frozen=True)
class Rows:
    """Some rows of a source, in a given order: everything that a member gets.

    Attributes:
        task: the description of the competition.
        source: every row known, for what is computed once.
        at: (n,) positions of these rows in the source.
        y: (n, targets) float labels, class indices (n, 1) where the task names classes, or None where unknown. A label
            that is missing in one of several targets is NaN.
        judged_by: (n, …) the columns that the task's metric reads, which members do not see; None where it reads none,
            or they are unknown.
        groups: (n,) integers, equal for rows that the folds keep together, so that a member that splits its train rows
            again keeps them together too; None where no rows are.
        columns: names, as in `kit.tables.columns.Columns`, of the columns and features that a member learns from; None:
            all.
        weight: (n,) what each row counts in learning, a row of weight 2 like two of its kind; None: all the same, or
            unknown.
    """

    task: Task
    source: Source
    at: np.ndarray
    y: np.ndarray | None = None
    judged_by: pd.DataFrame | None = None
    groups: np.ndarray | None = None
    columns: tuple[str, ...] | None = None
    weight: np.ndarray | None = None

    @classmethod
    def of(
        cls, task: Task, frame: pd.DataFrame, y: np.ndarray | None = None, schema: Schema | None = None,
        files: PictureFiles | None = None, sides: Sides = NO_SIDES,
    ) -> "Rows":  # fmt: skip
        """Rows from a plain frame, for a notebook or a kernel; nothing is kept on disk.

        Args:
            task: names the columns.
            frame: the rows.
            y: their labels.
            schema: what the columns are; None decides it by these rows.
            files: where named pictures lie; None: names are paths of this machine.
            sides: related tables; the frame has their keys, which need not be inputs.

        Warns:
            UserWarning: of cells that are not of their column's type, of types that could be meant otherwise, and of
                pictures that cannot be read.
        """
        task, frame = with_picture_columns(task, frame)
        hidden = {task.id, *task.targets, *task.aside}
        names = list(task.inputs) or [c for c in frame.columns if c not in hidden]
        if missing := [name for name in names if name not in frame.columns]:
            raise KitError(f"frame: column '{missing[0]}' is missing; it has: {', '.join(map(str, frame.columns))}")
        labels = None if y is None else np.asarray(y, dtype=np.float64).reshape(len(frame), -1)
        if schema is None:
            plain = {"frame": frame[names]}
            schema, found, notes = Schema.of(plain, names, text=task.text, types=dict(task.types), images=task.images)
            typed = found["frame"]
        else:
            typed, notes = schema.apply(frame[names])
        for note in notes:
            warnings.warn(note, stacklevel=2)
        sides.check("frame", list(frame.columns))
        beside = frame.drop(columns=[c for c in typed.columns if c in frame]).reset_index(drop=True)
        keyed = sides.keyed([beside.join(typed.reset_index(drop=True))], schema)
        files = files or (PictureFiles() if task.images else None)
        if files and task.images:
            typed = with_full_names(files, task, typed)
            if note := prediction_note(files, task, typed, "frame", alone=False):
                warnings.warn(note, stacklevel=2)
        return cls(
            task, Source(typed, schema=schema, files=files, sides=keyed), np.arange(len(frame)), labels,
            metric_columns(task, frame), weight=None if y is None else row_weights(task, "frame", frame),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.at)

    @property
    def frame(self) -> pd.DataFrame:
        """The input columns of these rows, a copy."""
        return self.source.frame.iloc[self.at].reset_index(drop=True)

    @property
    def labels(self) -> np.ndarray:
        """`y`, for code that cannot do without it."""
        if self.y is None:
            raise KitError("these rows have no labels: fit needs rows of the train file")
        return self.y

    def labelled(self) -> "Rows":
        """Those with a label of one target at least: the others have nothing to teach."""
        blank = np.isnan(self.labels).all(axis=1)
        return self.take(np.flatnonzero(~blank)) if blank.any() else self

    def weighted(self) -> "Rows":
        """Those that teach something: without the rows of weight 0.

        Raises:
            KitError: no row has another weight.
        """
        if self.weight is None or (self.weight > 0).all():
            return self
        if not (self.weight > 0).any():
            raise KitError(f"'{self.task.weight}', the weight of rows, is 0 in all {len(self)} train rows")
        return self.take(np.flatnonzero(self.weight))

    @property
    def metric(self) -> Metric:
        """The task's metric for these rows, with the columns of them that it reads."""
        return self.task.metric if self.judged_by is None else self.task.metric.on(self.judged_by)

    @property
    def extra(self) -> "Rows":
        """The rows of the source that are neither train nor test rows: without labels, perhaps none."""
        end = self.source.originals
        return Rows(self.task, self.source, np.arange(end - self.source.extra, end))

    def texts(self) -> list[str]:
        """One string a row, see `join_text`."""
        return join_text(self.source.frame.iloc[self.at], self.task.text)

    def take(self, order: np.ndarray | Sequence[int]) -> "Rows":
        """The rows at these positions among these rows."""
        order = np.asarray(order)
        y, groups, weight = (None if values is None else values[order] for values in (self.y, self.groups, self.weight))
        judged_by = None if self.judged_by is None else self.judged_by.iloc[order]
        return replace(self, at=self.at[order], y=y, judged_by=judged_by, groups=groups, weight=weight)


def metric_columns(task: Task, frame: pd.DataFrame) -> pd.DataFrame | None:
    """The columns of rows that the task's metric reads; None where it reads none, or a column is not there."""
    names = list(task.metric.columns)
    return frame[names] if names and set(names) <= set(frame.columns) else None


def row_weights(task: Task, name: str, frame: pd.DataFrame) -> np.ndarray | None:
    """(n,) float64 weights of train rows; None where the task names no column of them.

    Args:
        task: names the column.
        name: of the frame, for messages.
        frame: the rows.

    Raises:
        KitError: the column is not there, or a weight is missing, negative or no number.
    """
    if not task.weight:
        return None
    if task.weight not in frame:
        near = nearest(task.weight, list(map(str, frame.columns)))
        raise KitError(f"{name}: column '{task.weight}', the weight of rows, is missing{near}")
    weight = pd.to_numeric(frame[task.weight].astype(object), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if (bad := ~(np.isfinite(weight) & (weight >= 0))).any():
        value = frame[task.weight].iloc[int(bad.argmax())]
        raise KitError(f"{name}: '{task.weight}', the weight of rows, holds {value}; it must be a number from 0 on")
    return weight


def join_text(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """One string a row of `frame`: its text columns joined by a blank line, missing ones empty."""
    if not columns:
        raise KitError("the task names no text column; set Task.text to the columns that hold text")
    # not astype(str): with pyarrow that holds no lone surrogate, and broken files have some
    parts = [[str(value) for value in frame[name].astype(object).fillna("")] for name in columns]
    return parts[0] if len(parts) == 1 else ["\n\n".join(p for p in row if p) for row in zip(*parts, strict=True)]
