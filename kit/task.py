"""Task: the description of a competition. Medals: the known scores of its leaderboard."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field

from kit.core.spec import Spec, validator
from kit.metrics import Metric, f1, macro_f1
from kit.schema.column import ColumnType

# a plain string is a tuple of one name: text="review"
Names = Annotated[tuple[str, ...], BeforeValidator(lambda names: (names,) if isinstance(names, str) else names)]
# a dict is a tuple of pairs: types={"zip": "category"}
Types = Annotated[
    tuple[tuple[str, ColumnType], ...],
    BeforeValidator(lambda types: tuple(types.items()) if isinstance(types, dict) else types),
]
Kind = Literal["binary", "multilabel", "multiclass", "regression"]
# how files write no and yes, in small letters
PAIRS = (
    ("0", "1"), ("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("-1", "1"), ("off", "on"),
    ("negative", "positive"), ("absent", "present"),
)  # fmt: skip
# id=None: rows are numbered
Id = Annotated[str, BeforeValidator(lambda name: "" if name is None else name)]


class Task(Spec):
    """The description of a competition: columns, kind of task, classes, metric.

    `inputs` are the columns members may read: text columns named in `text`, pictures in `images`, all others as they
    are typed. A picture column holds names relative to the data folder, or bytes; where the id names the picture,
    `images` is the id's column.
    Empty `inputs` stands for every column of train that is neither id nor target. One name may stand without a tuple:
    `text="review"`.
    """

    name: str = Field(description="short name: the folder in competitions/, data/ and runs/")
    kind: Kind = Field(description="binary, multilabel, multiclass or regression")
    targets: Names = Field(min_length=1, description="columns to predict")
    metric: Metric = Field(description="how the competition scores predictions; f1 of a multiclass task is macro_f1")
    id: Id = Field("id", description="column that names a row; none: rows are numbered")
    text: Names = Field((), description="columns that hold text")
    images: Names = Field((), description="columns that hold pictures: names below the data folder, or bytes")
    bad_images: Literal["leave_out", "refuse"] = Field(
        "leave_out", description="train rows whose pictures cannot be read: leave them out and say so, or refuse"
    )
    inputs: Names = Field((), description="columns members may read; empty: all but id and targets")
    aside: Names = Field((), description="columns that folds or the metric read (group, time), and members do not")
    weight: str = Field(
        "", description="column of train with the weight of each row in learning, which members do not see"
    )
    types: Types = Field((), description="columns that are not of the type that they seem to be: {'zip': 'category'}")
    classes: tuple[Any, ...] = Field(
        (),
        description="the labels as files have them, of a binary task no, then yes; empty: as train has them, in order",
    )
    slug: str = Field("", description="the competition's name in its Kaggle address")

    @validator(mode="after")
    def _fields_agree(self) -> "Task":
        if self.kind == "multiclass" and self.metric == f1:  # F1 of classes is the mean over them
            object.__setattr__(self, "metric", macro_f1)
        if self.kind in ("binary", "multiclass") and len(self.targets) != 1:
            raise ValueError(f"a {self.kind} task has one target, not {len(self.targets)}: {', '.join(self.targets)}")
        if twice := [t for i, t in enumerate(self.targets) if t in self.targets[:i]]:
            raise ValueError(f"target '{twice[0]}' is named twice")
        if self.kind == "multiclass" and self.classes and len(set(self.classes)) < 2:
            raise ValueError(
                "classes: name at least two for a multiclass task, or leave them out: then they are those of train"
            )
        if self.kind in ("multilabel", "regression") and self.classes:
            raise ValueError(f"classes belong to a multiclass or a binary task, not to a {self.kind} one")
        if self.kind == "binary" and self.classes and not len(self.classes) == len(set(self.classes)) == 2:
            raise ValueError(
                "classes: name two for a binary task, the negative one first, or leave them out: then they are those "
                "of train"
            )
        if self.weight and self.weight in (self.id, *self.inputs, *self.text, *self.images):
            raise ValueError(f"weight '{self.weight}' is also an input or the id")
        if self.weight and self.weight not in self.aside:
            object.__setattr__(self, "aside", (*self.aside, self.weight))
        if clash := set(self.targets) & {self.id, *self.inputs, *self.text, *self.images, *self.aside}:
            raise ValueError(f"target '{sorted(clash)[0]}' is also an input, aside, or the id")
        if self.inputs and (lost := set(self.text) - set(self.inputs)):
            raise ValueError(f"text column '{sorted(lost)[0]}' is not among the inputs")
        if self.inputs and (lost := set(self.images) - {self.id, *self.inputs}):
            raise ValueError(f"image column '{sorted(lost)[0]}' is not among the inputs")
        if both := set(self.images) & set(self.text):
            raise ValueError(f"column '{sorted(both)[0]}' holds text or pictures, not both")
        if seen := set(self.aside) & {*self.inputs, *self.text, *self.images}:
            raise ValueError(f"column '{sorted(seen)[0]}' is aside, which members do not see, and also an input")
        return self

    def encode(self, labels: pd.DataFrame) -> np.ndarray:
        """Labels as numbers (n, targets) float64: indices of the classes where the task has some; NaN for what is none.

        `1`, `1.0` and " 1" are one label, `True` and `TRUE` as well, as long as no two classes differ in capitals only.
        """
        if not self.classes:
            columns = [labels[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in self.targets]
            return np.stack(columns, axis=1)
        index = {label_text(label): float(i) for i, label in enumerate(self.classes)}
        folded = {str(text).casefold(): i for text, i in index.items()}
        if len(folded) < len(index):
            folded = {}
        codes, found = pd.factorize(labels[self.targets[0]])
        texts = [label_text(value) for value in found]
        numbers = [index.get(text, folded.get(str(text).casefold(), np.nan)) for text in texts]
        return np.array([*numbers, np.nan])[codes][:, None]

    def tabular(self, columns: Iterable[str]) -> list[str]:
        """Those of some columns that hold neither text nor pictures."""
        return [name for name in columns if name not in self.text and name not in self.images]

    @property
    def has_columns(self) -> bool:
        """Whether some of the inputs are neither text nor pictures; True where the inputs are not known yet."""
        return not self.inputs or bool(self.tabular(self.inputs))

    @property
    def output_names(self) -> list[str]:
        """Names of a prediction's columns: the targets, or the classes of a multiclass task."""
        return list(map(str, self.classes)) if self.kind == "multiclass" else list(self.targets)

    @property
    def outputs(self) -> int:
        """Columns of a prediction: one per target, or one per class of a multiclass task."""
        return len(self.classes) if self.kind == "multiclass" else len(self.targets)


def label_text(value: Any) -> str | None:
    """A label as one text however it is typed or written: `1`, `1.0` and " 1 " are "1"; None where it is missing."""
    if value is None or value is pd.NA or value != value:
        return None
    text = str(value).strip()
    whole, point, zeros = text.partition(".")
    return whole if point and not zeros.strip("0") and whole.lstrip("+-").isdigit() else text or None


@dataclass(frozen=True)
class Medals:
    """Known scores of a leaderboard that has closed.

    Attributes:
        teams: on the private leaderboard.
        winner: the best private score; None where it is not known.
        gold: the private score that the last gold medal had; None where it is not known.
        silver: likewise.
        bronze: likewise.
        split: the rows that the private leaderboard was scored on.
    """

    teams: int
    winner: float | None = None
    gold: float | None = None
    silver: float | None = None
    bronze: float | None = None
    split: str = "the private part of Kaggle's test rows"

    @property
    def ranks(self) -> dict[str, int]:
        """The last rank of each medal by Kaggle's progression rules, which depend on the number of teams."""
        n = self.teams
        gold = n // 10 if n < 100 else 10 if n < 250 else 10 + n // 500
        if n < 250:
            return {"gold": gold, "silver": n // 5, "bronze": n * 2 // 5}
        if n < 1000:
            return {"gold": gold, "silver": 50, "bronze": 100}
        return {"gold": gold, "silver": n // 20, "bronze": n // 10}

    @property
    def lines(self) -> dict[str, float]:
        """Scores that are known, by name."""
        named = {"winner": self.winner, "gold": self.gold, "silver": self.silver, "bronze": self.bronze}
        return {name: score for name, score in named.items() if score is not None}
