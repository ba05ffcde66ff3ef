"""Boost: gradient-boosted trees."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field

from kit.core.files import read_json, write_json
from kit.core.threads import threads
from kit.features.base import Features
from kit.member import Member, Predictor
from kit.rows import Rows
from kit.tables.columns import Columns
from kit.task import Task
from kit.text.statistics import TextStatistics

if TYPE_CHECKING:
    import pandas as pd
    from lightgbm import Booster

OBJECTIVES = {"binary": "binary", "multilabel": "binary", "multiclass": "multiclass", "regression": "regression"}


class Boost(Member):
    """LightGBM (Ke et al. 2017) on numeric and categorical columns and on statistics of the text columns.

    Stops adding trees when the loss of the validation fold no longer falls, so its score is slightly optimistic;
    `patience=none` grows all trees. Each target has trees of its own, grown on the rows whose label is known.
    """

    version = 3

    trees: int = Field(600, ge=1, description="largest number of trees, for each target")
    patience: int | None = Field(50, ge=1, description="early stopping: trees without a better loss; none: all trees")
    lr: float = Field(0.04, gt=0, description="shrinkage of each tree")
    num_leaves: int = Field(31, ge=2, description="largest number of leaves of a tree")
    min_leaf: int = Field(20, ge=1, description="smallest number of rows in a leaf")
    columns: float = Field(0.7, gt=0, le=1, description="share of columns that each tree uses")
    rows: float = Field(0.8, gt=0, le=1, description="share of rows that each tree is grown on")
    l1: float = Field(0.0, ge=0, description="L1 penalty on leaf values")
    l2: float = Field(1.0, ge=0, description="L2 penalty on leaf values")
    text: bool = Field(True, description="statistics of the text columns as features")
    features: tuple[Features, ...] = Field((), description="more features")

    @property
    def early_stops_on_valid(self) -> bool:
        return self.patience is not None

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

    def learn(self, train: Rows, valid: Rows, work: Path) -> "BoostPredictor":
        import lightgbm as lgb

        columns, x = Columns.fit(train, self.described(train.task))
        x_valid = columns.frame(valid)
        quiet = [lgb.log_evaluation(0)]
        boosters = []
        for column, labels in enumerate(train.labels.T):
            data = lgb.Dataset(*_known(x, labels), free_raw_data=False)
            stop: dict[str, Any] = {"callbacks": quiet}
            scored = (x_valid, np.empty(0)) if valid.y is None else _known(x_valid, valid.y[:, column])
            if self.patience and len(scored[1]):
                stop["valid_sets"] = [data.create_valid(*scored)]
                stop["callbacks"] = [*quiet, lgb.early_stopping(self.patience, verbose=False)]
            boosters.append(lgb.train(self._params(train.task), data, self.trees, **stop))
        return BoostPredictor(self, boosters, columns)

    def _params(self, task: Task) -> dict[str, Any]:
        return {
            "objective": OBJECTIVES[task.kind],
            **({"num_class": len(task.classes)} if task.kind == "multiclass" else {}),
            "learning_rate": self.lr,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_leaf,
            "feature_fraction": self.columns,
            "bagging_fraction": self.rows,
            "bagging_freq": 1,
            "lambda_l1": self.l1,
            "lambda_l2": self.l2,
            "seed": self.seed,
            "num_threads": threads(),
            "deterministic": True,  # the same trees for any number of threads
            "force_row_wise": True,
            "verbosity": -1,
        }


def _known(x: "pd.DataFrame", y: np.ndarray) -> "tuple[pd.DataFrame, np.ndarray]":
    """The rows whose label is known: a target of several may have gaps."""
    known = ~np.isnan(y)
    return (x, y) if known.all() else (x[known], y[known])


class BoostPredictor(Predictor):
    """One booster per target (one for all classes), and how rows become its columns."""

    def __init__(self, spec: Boost, boosters: list["Booster"], columns: Columns) -> None:
        self.spec, self.boosters, self.columns = spec, boosters, columns

    def predict(self, rows: Rows) -> np.ndarray:
        x = self.columns.frame(rows)
        columns = [np.asarray(b.predict(x, num_threads=threads())) for b in self.boosters]
        return columns[0] if columns[0].ndim == 2 else np.stack(columns, axis=1)

    def save(self, folder: Path) -> None:
        for i, booster in enumerate(self.boosters):
            (folder / f"booster{i}.txt").write_text(booster.model_to_string(), encoding="utf-8")
        self.columns.save(folder)
        write_json(folder / "kit.json", {"spec": self.spec.to_dict()})

    @classmethod
    def load(cls, folder: Path) -> Self:
        import lightgbm as lgb

        spec = Boost.from_dict(read_json(folder / "kit.json")["spec"])
        files = sorted(folder.glob("booster*.txt"), key=lambda p: int(p.stem.removeprefix("booster")))
        return cls(spec, [lgb.Booster(model_str=f.read_text(encoding="utf-8")) for f in files], Columns.load(folder))
