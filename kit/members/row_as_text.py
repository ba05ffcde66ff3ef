"""RowAsText: a member of texts that reads a table's rows, each written out as a sentence."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError, nearest
from kit.core.files import read_json, write_json
from kit.core.spec import digest
from kit.member import Member, Predictor
from kit.members.linear import Linear
from kit.members.parts import load_parts, save_parts
from kit.members.wrapper import Wrapper
from kit.rows import Rows, join_text
from kit.source import Source
from kit.task import Task

if TYPE_CHECKING:
    from kit.train.stop import ShouldStop

TEXT = "row as text"  # the column that the member within reads


class RowAsText(Wrapper):
    """A member of texts on a table: "age is 31. job is nurse." (Dinh et al. 2022; Hegselmann et al. 2023).

        RowAsText(member=Encoder())

    A pretrained encoder then knows what words in columns mean, and texts of the table stand behind the sentence. The
    member within sees one text column, and no other.
    """

    member: Member = Field(Linear(), description="the member within, which reads texts")
    columns: tuple[str, ...] = Field((), description="columns that are written out; empty: all but texts and pictures")
    digits: int = Field(4, ge=1, le=17, description="digits of a number that count; more make more different words")
    missing: bool = Field(False, description="say what is missing; if not, it is left out")

    def check(self, task: Task) -> None:
        if task.inputs:
            for name in self.columns:
                if name not in task.inputs:
                    raise KitError(
                        f"RowAsText.columns: there is no column '{name}'" + nearest(name, task.tabular(task.inputs))
                    )
        self.member.check(_of_texts(task))

    def reads(self, task: Task) -> bool:
        return task.has_columns or bool(task.text)

    def prepare(self, rows: Rows) -> None:
        self.member.prepare(self.written(rows))

    def written(self, rows: Rows) -> Rows:
        """The same rows with one text column, the sentence of each row; it is made once for all folds."""
        key = f"row-as-text-{digest([list(self.columns), self.digits, self.missing, list(rows.task.text)])[:16]}"
        sources = rows.source.views
        if key not in sources:
            source = rows.source
            frame = pd.DataFrame({TEXT: self.sentences(source.frame, rows.task)})
            sources[key] = Source(frame, source.folder, originals=source.originals, extra=source.extra)
        return replace(rows, task=_of_texts(rows.task), source=sources[key], columns=None)

    def sentences(self, frame: pd.DataFrame, task: Task) -> list[str]:
        """One text a row: "column is value." for each column, then the row's own texts.

        Raises:
            KitError: a column is not there.
        """
        names = list(self.columns) or task.tabular(frame.columns)
        if lost := [name for name in names if name not in frame]:
            raise KitError(f"RowAsText.columns: there is no column '{lost[0]}'" + nearest(lost[0], list(frame.columns)))
        parts = [self._parts(name, frame[name]) for name in names]
        if task.text:
            parts.append(join_text(frame, task.text))
        return [" ".join(filter(None, row)) for row in zip(*parts, strict=True)]

    def _parts(self, name: str, column: pd.Series) -> list[str]:
        missing = f"{name} is missing." if self.missing else ""
        if pd.api.types.is_numeric_dtype(column):
            numbers = column.to_numpy(np.float64, na_value=np.nan)
            return [missing if np.isnan(v) else f"{name} is {v:.{self.digits}g}." for v in numbers]
        gaps = column.isna().to_numpy()
        return [missing if gap else f"{name} is {v}." for gap, v in zip(gaps, column.astype(object), strict=True)]

    def learn(self, train: Rows, valid: Rows, work: Path) -> "RowAsTextPredictor":
        return self.learn_until(train, valid, work, None)

    def learn_until(
        self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None"
    ) -> "RowAsTextPredictor":
        """Fits the member in `work` on the rows' sentences."""
        fitted = self.member.learn_until(self.written(train), self.written(valid), work, should_stop)
        return RowAsTextPredictor(self, fitted)


def _of_texts(task: Task) -> Task:
    """The task of the member within, which sees the sentences alone."""
    unread = tuple(name for name in task.aside if name != TEXT)
    return task.model_copy(update={"inputs": (TEXT,), "text": (TEXT,), "images": (), "types": (), "aside": unread})


class RowAsTextPredictor(Predictor):
    """A fitted RowAsText."""

    def __init__(self, spec: RowAsText, predictor: Predictor) -> None:
        self.spec, self.predictor = spec, predictor

    def predict(self, rows: Rows) -> np.ndarray:
        return self.predictor.predict(self.spec.written(rows))

    def save(self, folder: Path) -> None:
        save_parts([self.predictor], folder)
        write_json(folder / "row_as_text.json", self.spec.to_dict())

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(RowAsText.from_dict(read_json(folder / "row_as_text.json")), load_parts(folder)[0])
