"""Member and Predictor: the common interface of all models."""

import contextlib
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.classes import class_named
from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.spec import Spec
from kit.guess import as_frame, as_labels, guess_task, read_as
from kit.metrics import Metric
from kit.rows import Rows
from kit.schema.schema import Schema
from kit.task import Task

if TYPE_CHECKING:
    from kit.train.stop import ShouldStop


class Predictor(ABC):
    """The result of `Member.learn`: a fitted model, which never changes afterwards."""

    @abstractmethod
    def predict(self, rows: Rows) -> np.ndarray:
        """Probabilities (values for regression), float (n, outputs), in the order of `rows`."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes all that `load` needs into an existing folder, without pickles."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """The predictor that `save` wrote; it predicts the same numbers."""


class Member(Spec):
    """One kind of model with its settings. A frozen spec: hash it, diff it, override it, send it elsewhere.

    What learns from data is fitted inside `learn` on train rows only. What reads no labels goes through
    `rows.source.once`, and `prepare` does it ahead of the folds so that parallel folds share it.
    """

    seed: int = Field(0, ge=0, description="seeds everything random in this member")

    @abstractmethod
    def learn(self, train: Rows, valid: Rows, work: Path) -> Predictor:
        """Fits on `train`.

        Args:
            train: rows with labels.
            valid: rows of the validation fold; only early stopping and curves may read their labels.
            work: folder for checkpoints and `log.jsonl`; a fit that was killed goes on from what lies here and
                ends in the same numbers as one that was never killed.
        """

    def learn_until(self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None") -> Predictor:
        """Like `learn`, but the fit can be stopped early, for example when a search prunes a trial.

        Args:
            train: as in `learn`.
            valid: as in `learn`.
            work: as in `learn`; a later fit goes on from what lies here.
            should_stop: called after each epoch that the member scores itself, see `kit.train.stop`; never by a member
                that scores none. None: nothing ends the fit.

        Raises:
            TrainingStopped: `should_stop` returned True.
        """
        return self.learn(train, valid, work)

    @property
    def early_stops_on_valid(self) -> bool:
        """Whether `learn` uses the labels of the validation fold, which makes its score slightly optimistic."""
        return False

    @property
    def uses_metric(self) -> bool:
        """Whether `learn` uses the task's metric: with another metric it is then fitted again."""
        return self.early_stops_on_valid

    @property
    def is_random(self) -> bool:
        """Whether the seed changes the result. If not, the member is fitted once for all seeds."""
        return True

    def fit(
        self,
        train: Any,
        y: Any = None,
        valid: Any = None,
        work: Path | None = None,
        *,
        kind: str | None = None,
        text: str | Sequence[str] | None = None,
        metric: Metric | None = None,
        images: str | Sequence[str] | None = None,
    ) -> "FramePredictor":
        """Fits on a frame or an array and its labels, without a competition: `Linear().fit(frame, y).predict(other)`.

        Args:
            train: a frame, an array (n, columns), n texts, or Rows with labels.
            y: (n,) or (n, targets) labels, in any form; None with Rows, which hold theirs. In one of several targets
                labels may be missing: each target is learnt from its known rows.
            valid: rows to stop early on: a pair of frame and labels, or Rows; None trains to the end.
            work: an existing folder for checkpoints; None takes one that is removed after the fit.
            kind: binary, multilabel, multiclass or regression; None guesses it from the labels (`kit.guess`).
            text: columns that hold text; None guesses them.
            images: columns that hold pictures, as paths or bytes; None guesses them.
            metric: what early stopping goes by; None takes the usual one of the kind.

        Raises:
            KitError: shapes disagree, a label is missing, or no kind fits the labels.
        """
        if isinstance(train, Rows):
            if y is not None:
                raise KitError(f"{type(self).__name__}.fit: Rows hold their labels; leave y out")
            rows = train
        else:
            if y is None:
                raise KitError(f"{type(self).__name__}.fit: y is missing: the labels of these rows")
            frame = as_frame(train, "train")
            labels = as_labels(y, len(frame))
            task = guess_task(frame, labels, kind=kind, text=text, metric=metric, images=images)
            rows = Rows.of(task, frame, task.encode(read_as(task, labels)[1]))
        stop, rows = _valid_rows(rows, valid), rows.labelled()
        with contextlib.ExitStack() as stack:
            folder = work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            schema = rows.source.schema
            columns = list(schema.columns) if schema else list(rows.source.frame.columns)
            return FramePredictor(self.learn(rows, stop, folder), rows.task, tuple(map(str, columns)), schema)

    def check(self, task: Task) -> None:
        """Refuses a task that this member cannot be fitted on; called before anything is fitted.

        Args:
            task: with the columns of the rows as its `inputs`; where they are not known yet, none.

        Raises:
            KitError: says why, and what to take instead. By default: the member reads text or pictures, and the task
                has none; or it finds nothing to read.
        """
        kind = type(self).__name__
        for described in getattr(self, "features", ()):
            described.check(task)
        if task.weight and not self.uses_weights:
            raise KitError(
                f"{kind} with these settings cannot weight its rows, and task '{task.name}' has weights in "
                f"'{task.weight}'; take Boost or Linear, or leave Task.weight out"
            )
        if self.needs_text and not task.text:
            raise KitError(f"{kind} reads text, and task '{task.name}' names no text column; take Boost or Perceptron")
        if self.needs_images and not task.images:
            raise KitError(
                f"{kind} reads pictures, and task '{task.name}' names no column of them; set Task.images, or take Boost"
            )
        if task.inputs and not self.reads(task):
            raise KitError(
                f"{kind} with these settings reads no column of task '{task.name}' ({', '.join(task.inputs[:5])}); let "
                f"it read {'text' if task.text else 'the columns'}, or take another member"
            )

    def reads(self, task: Task) -> bool:
        """Whether it finds something to read among the task's inputs. Members that leave columns out have a say."""
        return True

    @property
    def uses_weights(self) -> bool:
        """Whether `learn` counts each row by `Rows.weight`. If not, a task with weights is refused."""
        return False

    @property
    def needs_images(self) -> bool:
        """Whether it cannot be fitted without a column of pictures."""
        return False

    @property
    def reads_only_images(self) -> bool:
        """Whether it knows nothing of a row whose pictures cannot be read."""
        return False

    @property
    def needs_text(self) -> bool:
        """Whether it cannot be fitted without a text column."""
        return False

    def prepare(self, rows: Rows) -> None:
        """Computes once, for all rows of `rows.source`, what needs no labels. By default nothing."""

    @property
    def prepares(self) -> str:
        """What `prepare` computes, in a few words, for the progress display."""
        return "what its folds share"


class FramePredictor(Predictor):
    """What `Member.fit` gives back: a predictor that takes frames and arrays as the member was fitted on.

    Attributes:
        task: the kind of task, its columns and classes.
        columns: input columns that `predict` needs, in any order; others are ignored.
        schema: what these columns are, as decided by the rows that it was fitted on.
    """

    def __init__(
        self, predictor: Predictor, task: Task, columns: tuple[str, ...], schema: Schema | None = None
    ) -> None:
        self.predictor, self.task, self.columns, self.schema = predictor, task, columns, schema

    def predict(self, rows: Any) -> np.ndarray:
        """Probabilities (values for regression), float (n, outputs), of a frame, an array, texts or Rows.

        Outputs are the targets, or the classes of a multiclass task: `task.output_names`.

        Raises:
            KitError: a column is missing.
        """
        if not isinstance(rows, Rows):
            frame = as_frame(rows)
            if len(frame.columns) == len(self.columns) == 1:  # a lone column is meant, whatever it is called
                frame.columns = pd.Index(self.columns)
            rows = Rows.of(self.task.model_copy(update={"inputs": self.columns}), frame, schema=self.schema or Schema())
        return self.predictor.predict(rows)

    def save(self, folder: Path) -> None:
        saved: dict[str, Any] = {
            "predictor": type(self.predictor).__name__,
            "task": self.task.to_dict(),
            "columns": self.columns,
        }
        saved["schema"] = self.schema.to_dict() if self.schema else None
        write_json(folder / "frame.json", saved)
        (folder / "predictor").mkdir()
        self.predictor.save(folder / "predictor")

    @classmethod
    def load(cls, folder: Path) -> Self:
        saved = read_json(folder / "frame.json")
        predictor = class_named(saved["predictor"], Predictor).load(folder / "predictor")
        schema = Schema.from_dict(saved["schema"]) if saved.get("schema") else None
        return cls(predictor, Task.from_dict(saved["task"]), tuple(saved["columns"]), schema)

    def __repr__(self) -> str:
        text = f", text in {', '.join(self.task.text)}" if self.task.text else ""
        text += f", pictures in {', '.join(self.task.images)}" if self.task.images else ""
        what = ", ".join(self.task.output_names)
        return f"{type(self.predictor).__name__} of a {self.task.kind} task ({what}{text})"


def _valid_rows(train: Rows, valid: Any) -> Rows:
    if isinstance(valid, Rows):
        return valid
    if valid is None:
        return train.take(np.arange(0))
    frame, y = valid
    frame = as_frame(frame, "valid")
    train.task.metric.on(frame)  # refuses rows without a column that it reads
    labels = as_labels(y, len(frame)).set_axis(list(train.task.targets), axis=1)
    encoded = train.task.encode(read_as(train.task, labels, "valid")[1])
    return Rows.of(train.task, frame, encoded, train.source.schema or Schema())
