"""InContext: a pretrained network of tables that learns nothing, but reads the train rows with each row it predicts."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.features.base import Features
from kit.member import Member, Predictor
from kit.rows import Rows
from kit.tables.columns import Columns
from kit.task import Task
from kit.weights import find_checkpoint

Part = Literal["classifier", "regressor"]


class InContext(Member):
    """A pretrained network that predicts rows from the train rows in its context; a target is predicted by itself.

    Its weights are given as a folder; none are fetched. Without them the member fails with one sentence, and the rest
    of a run goes on.
    """

    extra: ClassVar[str] = ""  # of kit, with the package
    source: ClassVar[str] = ""  # where the weights come from, for messages

    weights: str = Field("", description="file of weights, its folder, or the name of a folder in $KIT_WEIGHTS")
    estimators: int = Field(8, ge=1, description="views of the columns whose predictions are averaged")
    context: int = Field(10_000, ge=2, description="largest number of train rows that are read, drawn at random")
    text: bool = Field(True, description="statistics of the text columns as inputs")
    features: tuple[Features, ...] = Field((), description="more features")

    def file_checksums(self) -> dict[str, str]:
        from kit.core.files import contents

        found = [path for kind in ("classifier", "regressor") if (path := find_checkpoint(self.weights, kind))]
        return {"weights": contents(found[0].parent, *sorted({path.name for path in found}))} if found else {}

    @property
    def prepares(self) -> str:
        return "features"

    def prepare(self, rows: Rows) -> None:
        from kit.members.tabular.dataset import described

        self.model(rows.task)  # refused before the folds, in one sentence
        for features in described(rows.task, self.text, self.features):
            features.prepare(rows)

    def reads(self, task: Task) -> bool:
        return task.has_columns or bool(self.features) or (self.text and bool(task.text))

    def model(self, task: Task) -> Any:
        """An estimator with `fit` and `predict` or `predict_proba`, not fitted.

        Raises:
            KitError: there are no weights, or the package is missing.
        """
        kind: Part = "regressor" if task.kind == "regression" else "classifier"
        path = find_checkpoint(self.weights, kind)
        if path is None:
            name = type(self).__name__
            raise KitError(
                f"{name}.weights = '{self.weights}': no file *{kind}*.ckpt there; {name} needs weights, which are at "
                f"{self.source}: put them into a folder and name it"
            )
        return self.build(kind, path)

    @abstractmethod
    def build(self, kind: Part, path: Path) -> Any:
        """The package's estimator with the weights of this file."""

    def learn(self, train: Rows, valid: Rows, work: Path) -> "InContextPredictor":
        from kit.members.tabular.dataset import described

        columns, frame = Columns.fit(train, described(train.task, self.text, self.features))
        some = np.arange(len(train))
        if len(train) > self.context:
            some = np.sort(np.random.default_rng(self.seed).permutation(len(train))[: self.context])
        return InContextPredictor(self, train.task, columns, _numbers(frame)[some], train.labels[some])


class InContextPredictor(Predictor):
    """Train rows, and a network that reads them.

    Args:
        spec: the member.
        task: kind of task.
        columns: how rows become numbers and categories.
        x: (n, columns) of the train rows in the context.
        y: (n, targets) their labels.
    """

    def __init__(self, spec: InContext, task: Task, columns: Columns, x: np.ndarray, y: np.ndarray) -> None:
        self.spec, self.task, self.columns, self.x, self.y = spec, task, columns, x, y
        self.models: list[Any] = []
        for labels in y.T:
            known = ~np.isnan(labels)
            values = np.unique(labels[known])
            if len(values) == 1:  # a fold without one of the labels
                self.models.append(float(values[0]))
                continue
            own = labels[known] if task.kind == "regression" else labels[known].astype(int)
            self.models.append(spec.model(task).fit(x[known], own))

    def predict(self, rows: Rows) -> np.ndarray:
        x = _numbers(self.columns.frame(rows))
        if self.task.kind == "multiclass":
            return self._probabilities(self.models[0], x, self.task.outputs)
        if self.task.kind == "regression":
            found = [np.full(len(x), m) if isinstance(m, float) else np.asarray(m.predict(x)) for m in self.models]
            return np.stack(found, axis=1).astype(np.float64)
        return np.stack([self._probabilities(model, x, 2)[:, 1] for model in self.models], axis=1)

    @staticmethod
    def _probabilities(model: Any, x: np.ndarray, classes: int) -> np.ndarray:
        p = np.zeros((len(x), classes))
        if isinstance(model, float):
            p[:, int(model)] = 1.0
        else:
            p[:, model.classes_] = model.predict_proba(x)
        return p / p.sum(axis=1, keepdims=True)

    def save(self, folder: Path) -> None:
        """Writes the context and the settings; the weights stay where they are, and are found by their name."""
        self.columns.save(folder)
        np.savez(folder / "context.npz", x=self.x, y=self.y)
        write_json(folder / "kit.json", {"spec": self.spec.to_dict(), "task": self.task.to_dict()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        saved = read_json(folder / "kit.json")
        with np.load(folder / "context.npz") as context:
            x, y = context["x"], context["y"]
        return cls(InContext.from_dict(saved["spec"]), Task.from_dict(saved["task"]), Columns.load(folder), x, y)


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    """(n, columns) float64: categories as codes; NaN where a value is missing or new."""
    columns = list[np.ndarray]()
    for _, column in frame.items():
        codes = column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else None
        columns.append(np.asarray(column if codes is None else codes.where(codes >= 0), np.float64))
    numbers = np.stack(columns, axis=1)
    return np.where(np.isfinite(numbers), numbers, np.nan)
