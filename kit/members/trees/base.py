"""GradientBoosting: what gradient-boosted trees of all libraries have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import BeforeValidator, Field

from kit.core.errors import KitError, nearest
from kit.core.files import read_json, write_json
from kit.features.base import Features
from kit.member import Member, Predictor
from kit.rows import Rows
from kit.tables.columns import Columns
from kit.task import Task
from kit.text.statistics import TextStatistics

if TYPE_CHECKING:
    import pandas as pd

# a dict is a tuple of pairs: monotone={"income": 1}
Monotone = Annotated[
    tuple[tuple[str, Literal[-1, 1]], ...],
    BeforeValidator(lambda given: tuple(given.items()) if isinstance(given, dict) else given),
]


class Labelled(NamedTuple):
    """Columns of rows whose label is known, these labels (n,), and the rows' weights (n,) or None."""

    x: "pd.DataFrame"
    y: np.ndarray
    weight: np.ndarray | None = None

    @classmethod
    def known(cls, x: "pd.DataFrame", y: np.ndarray, weight: np.ndarray | None = None) -> "Labelled":
        """The rows whose label is known, as a target of several may have gaps, and whose weight is not 0."""
        known = ~np.isnan(y) if weight is None else ~np.isnan(y) & (weight > 0)
        return cls(x, y, weight) if known.all() else cls(x[known], y[known], None if weight is None else weight[known])


class GradientBoosting(Member):
    """Gradient-boosted trees on numeric and categorical columns and on statistics of the text columns.

    Each target has trees of its own, grown on the rows whose label is known; classes of one target share them.
    """

    file: ClassVar[str]  # ending of the files of fitted trees

    trees: int = Field(1000, ge=1, description="largest number of trees, for each target")
    patience: int | None = Field(100, ge=1, description="early stopping: trees without a better loss; none: all trees")
    lr: float = Field(0.08, gt=0, description="shrinkage of each tree")
    columns: float = Field(1.0, gt=0, le=1, description="share of columns that each tree uses")
    rows: float = Field(0.65, gt=0, le=1, description="share of rows that each tree is grown on")
    l2: float = Field(1.0, ge=0, description="L2 penalty on leaf values")
    monotone: Monotone = Field(
        (), description="columns that predictions only rise (1) or only fall (-1) with: {'income': 1}"
    )
    text: bool = Field(True, description="statistics of the text columns as features")
    features: tuple[Features, ...] = Field((), description="more features")

    @abstractmethod
    def grow(self, task: Task, train: Labelled, valid: Labelled | None, signs: Sequence[int]) -> Any:
        """Trees of one target.

        Args:
            task: its kind and classes.
            train: rows to learn from; their labels are not all equal, unless they are values.
            valid: rows to stop early on; None: all trees are grown.
            signs: for each column -1, 0 or 1: the monotone constraints.
        """

    @abstractmethod
    def answers(self, model: Any, x: "pd.DataFrame") -> np.ndarray:
        """Probabilities or values (n,), or of several classes (n, classes)."""

    @abstractmethod
    def gain(self, model: Any) -> np.ndarray:
        """(columns,) how much each column's splits lowered the loss."""

    def contributions(self, model: Any, x: "pd.DataFrame") -> np.ndarray | None:
        """(n, outputs, columns) what each column adds to the trees' sum (SHAP); None where it is not computed."""
        return None

    @abstractmethod
    def write(self, model: Any, path: Path) -> None:
        """Writes fitted trees in the library's own format."""

    @abstractmethod
    def read(self, path: Path) -> Any:
        """What `write` wrote."""

    @property
    def early_stops_on_valid(self) -> bool:
        return self.patience is not None

    @property
    def uses_weights(self) -> bool:
        return True

    @property
    def uses_metric(self) -> bool:
        return False  # early stopping looks at the loss

    @property
    def prepares(self) -> str:
        return "features"

    def prepare(self, rows: Rows) -> None:
        for features in self.described(rows.task):
            features.prepare(rows)

    def described(self, task: Task) -> tuple[Features, ...]:
        """All features beside the plain columns."""
        return (*([TextStatistics()] if self.text and task.text else []), *self.features)

    def reads(self, task: Task) -> bool:
        return task.has_columns or bool(self.described(task))

    def check(self, task: Task) -> None:
        super().check(task)
        if task.inputs and not self.features:  # columns of features have their names once they are computed
            for name, _ in self.monotone:
                if name not in task.inputs:
                    raise self._no_column(name, task.tabular(task.inputs))

    def learn(self, train: Rows, valid: Rows, work: Path) -> "GradientBoostingPredictor":
        train = train.weighted()
        columns, x = Columns.fit(train, self.described(train.task))
        signs, x_valid = self._signs(columns, train.columns is not None), columns.frame(valid)
        models: list[Any] = []
        for column, labels in enumerate(train.labels.T):
            data, stop = Labelled.known(x, labels, train.weight), None
            if self.early_stops_on_valid and valid.y is not None:
                stop = Labelled.known(x_valid, valid.y[:, column], valid.weight)
            if train.task.kind != "regression" and len(set(data.y)) == 1:  # a fold without one of the labels
                models.append(float(data.y[0]))
                continue
            models.append(self.grow(train.task, data, stop if stop and len(stop.y) else None, signs))
        return GradientBoostingPredictor(self, models, columns)

    def _signs(self, columns: Columns, selected: bool) -> list[int]:
        signs = {name: sign for name, sign in self.monotone if name in columns.names or not selected}
        for name in signs:
            if name not in columns.names:
                raise self._no_column(name, columns.names)
            if name in columns.categories:
                raise KitError(
                    f"{type(self).__name__}: monotone names '{name}', which is a category and has no order; take it out"
                )
        return [signs.get(name, 0) for name in columns.names]

    def _no_column(self, name: str, names: Sequence[str]) -> KitError:
        return KitError(
            f"{type(self).__name__}: monotone names '{name}', and there is no such column" + nearest(name, [*names])
        )


class GradientBoostingPredictor(Predictor):
    """Fitted trees, one model a target (one for all classes), and how rows become their columns.

    Args:
        spec: the member.
        models: fitted trees, or the one label that train rows had.
        columns: how rows become columns.
    """

    def __init__(self, spec: GradientBoosting, models: Sequence[Any], columns: Columns) -> None:
        self.spec, self.models, self.columns = spec, list(models), columns

    def predict(self, rows: Rows) -> np.ndarray:
        return self.of_frame(self.columns.frame(rows), rows.task)

    def of_frame(self, x: "pd.DataFrame", task: Task) -> np.ndarray:
        """Predictions (n, outputs) of rows as the frame of `columns`."""
        if task.kind == "multiclass":
            model = self.models[0]
            return np.eye(task.outputs)[[int(model)] * len(x)] if isinstance(model, float) else self._of(model, x)
        return np.stack([np.full(len(x), m) if isinstance(m, float) else self._of(m, x) for m in self.models], axis=1)

    def _of(self, model: Any, x: "pd.DataFrame") -> np.ndarray:
        return np.asarray(self.spec.answers(model, x), np.float64)

    def gains(self) -> dict[str, float]:
        """Column → its share of what all splits lowered the loss by, a mean over the targets."""
        shares = [self.spec.gain(model) for model in self.models if not isinstance(model, float)]
        shares = [share / max(share.sum(), np.finfo(float).tiny) for share in shares]
        mean = np.mean(shares, axis=0) if shares else np.zeros(len(self.columns.names))
        return dict(zip(self.columns.names, map(float, mean), strict=True))

    def save(self, folder: Path) -> None:
        for i, model in enumerate(self.models):
            if not isinstance(model, float):
                self.spec.write(model, folder / f"booster{i}.{self.spec.file}")
        self.columns.save(folder)
        labels = [model if isinstance(model, float) else None for model in self.models]
        write_json(folder / "kit.json", {"spec": self.spec.to_dict(), "labels": labels})

    @classmethod
    def load(cls, folder: Path) -> Self:
        saved = read_json(folder / "kit.json")
        spec = GradientBoosting.from_dict(saved["spec"])
        models = [
            spec.read(folder / f"booster{i}.{spec.file}") if label is None else label
            for i, label in enumerate(saved["labels"])
        ]
        return cls(spec, models, Columns.load(folder))
