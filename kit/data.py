"""Task and Rows: the facts of a competition and the rows that members see."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from kit.metrics import Metric
from kit.source import Arrays, Source
from kit.spec import KitError, Spec, validator

__all__ = ["Arrays", "Kind", "Rows", "Source", "Task", "join_text"]

Kind = Literal["binary", "multilabel", "multiclass", "regression"]


class Task(Spec):
    """The facts of a competition, stated once.

    `inputs` are the columns members may read: text columns named in `text`, all others as they are typed.
    Empty `inputs` stands for every column of train that is neither id nor target.
    """

    name: str = Field(description="short name: the folder in competitions/, data/ and runs/")
    kind: Kind = Field(description="binary, multilabel, multiclass or regression")
    targets: tuple[str, ...] = Field(min_length=1, description="columns to predict")
    metric: Metric = Field(description="what the competition is judged by")
    id: str = Field("id", description="column that names a row")
    text: tuple[str, ...] = Field((), description="columns that hold text")
    inputs: tuple[str, ...] = Field((), description="columns members may read; empty: all but id and targets")
    aside: tuple[str, ...] = Field((), description="columns that folds read (group, time) and members do not see")
    classes: tuple[Any, ...] = Field((), description="the labels as files spell them; of a binary one: no, then yes")
    slug: str = Field("", description="the competition's name in its Kaggle address")

    @validator(mode="after")
    def _facts_agree(self) -> "Task":
        if self.kind in ("binary", "multiclass") and len(self.targets) != 1:
            raise ValueError(f"a {self.kind} task has one target, not {len(self.targets)}: {', '.join(self.targets)}")
        if twice := [t for i, t in enumerate(self.targets) if t in self.targets[:i]]:
            raise ValueError(f"target '{twice[0]}' is named twice")
        if self.kind == "multiclass" and len(set(self.classes)) < 2:
            raise ValueError("classes: a multiclass task names at least two of them")
        if self.kind in ("multilabel", "regression") and self.classes:
            raise ValueError(f"classes belong to a multiclass or a binary task, not to a {self.kind} one")
        if self.kind == "binary" and self.classes and not len(self.classes) == len(set(self.classes)) == 2:
            raise ValueError("classes: a binary task names two, the negative first, or none where labels are 0 and 1")
        if clash := set(self.targets) & {self.id, *self.inputs, *self.text, *self.aside}:
            raise ValueError(f"target '{sorted(clash)[0]}' is also an input, aside, or the id")
        if self.inputs and (lost := set(self.text) - set(self.inputs)):
            raise ValueError(f"text column '{sorted(lost)[0]}' is not among the inputs")
        if seen := set(self.aside) & {*self.inputs, *self.text}:
            raise ValueError(f"column '{sorted(seen)[0]}' is aside, which members do not see, and also an input")
        return self

    @property
    def outputs(self) -> int:
        """Columns of a prediction: one per target, or one per class of a multiclass task."""
        return len(self.classes) if self.kind == "multiclass" else len(self.targets)


@dataclass(frozen=True)
class Rows:
    """Some rows of a source in a given order: all that a member sees.

    Attributes:
        task: the competition's facts.
        source: every row known, for what is computed once.
        at: (n,) positions of these rows in the source.
        y: (n, targets) float labels, class indices (n, 1) where the task names classes, or None where unknown.
    """

    task: Task
    source: Source
    at: np.ndarray
    y: np.ndarray | None = None

    @classmethod
    def of(cls, task: Task, frame: pd.DataFrame, y: np.ndarray | None = None) -> "Rows":
        """Rows from a plain frame, for a notebook or a kernel; nothing is kept on disk."""
        hidden = {task.id, *task.targets, *task.aside}
        names = list(task.inputs) or [c for c in frame.columns if c not in hidden]
        if missing := [name for name in names if name not in frame.columns]:
            raise KitError(f"frame: column '{missing[0]}' is missing; it has: {', '.join(map(str, frame.columns))}")
        labels = None if y is None else np.asarray(y, dtype=np.float64).reshape(len(frame), -1)
        return cls(task, Source(frame[names]), np.arange(len(frame)), labels)

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

    def texts(self) -> list[str]:
        """One string a row, see `join_text`."""
        return join_text(self.source.frame.iloc[self.at], self.task.text)

    def take(self, order: np.ndarray | Sequence[int]) -> "Rows":
        """The rows at these positions among these rows."""
        order = np.asarray(order)
        return replace(self, at=self.at[order], y=None if self.y is None else self.y[order])


def join_text(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """One string a row of `frame`: its text columns joined by a blank line, missing ones empty."""
    if not columns:
        raise KitError("the task names no text column; set Task.text to the columns that hold text")
    parts = [frame[name].astype(object).fillna("").astype(str).tolist() for name in columns]
    return parts[0] if len(parts) == 1 else ["\n\n".join(p for p in row if p) for row in zip(*parts, strict=True)]
