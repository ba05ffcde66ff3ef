"""XGBoost: gradient-boosted trees of the library of this name."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from kit.core.threads import threads
from kit.members.trees.base import GradientBoosting, Labelled
from kit.members.trees.extra import library
from kit.task import Task

if TYPE_CHECKING:
    import pandas as pd

OBJECTIVES = {
    "binary": "binary:logistic", "multilabel": "binary:logistic", "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
}  # fmt: skip


class XGBoost(GradientBoosting):
    """XGBoost (Chen & Guestrin 2016) on numeric and categorical columns and on statistics of the text columns.

    Trees grow level by level. Stops adding trees when the loss of the validation fold no longer falls, so its score is
    slightly optimistic; `patience=none` grows all trees. It needs the extra `trees`.
    """

    file = "json"

    max_depth: int = Field(6, ge=1, description="largest depth of a tree")
    min_child_weight: float = Field(1.0, ge=0, description="smallest sum of second derivatives of a leaf's rows")
    level_columns: float = Field(0.9, gt=0, le=1, description="share of a tree's columns that each level uses")
    l1: float = Field(0.0, ge=0, description="L1 penalty on leaf values")
    max_bin: int = Field(256, ge=2, description="largest number of bins of a number")

    def grow(self, task: Task, train: Labelled, valid: Labelled | None, signs: Sequence[int]) -> Any:
        xgb = library("xgboost")
        data, stop = self._data(*train), {}
        if valid is not None:
            stop = {"evals": [(self._data(*valid), "valid")], "early_stopping_rounds": self.patience}
        constraints = {"monotone_constraints": tuple(signs)} if any(signs) else {}
        return xgb.train(self._params(task) | constraints, data, self.trees, verbose_eval=False, **stop)

    def _params(self, task: Task) -> dict[str, Any]:
        return {
            "objective": OBJECTIVES[task.kind],
            **({"num_class": len(task.classes)} if task.kind == "multiclass" else {}),
            "eta": self.lr,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "subsample": self.rows,
            "colsample_bytree": self.columns,
            "colsample_bylevel": self.level_columns,
            "alpha": self.l1,
            "lambda": self.l2,
            "max_bin": self.max_bin,
            "tree_method": "hist",
            "seed": self.seed,
            "nthread": threads(),
        }

    def _data(self, x: "pd.DataFrame", y: np.ndarray | None = None, weight: np.ndarray | None = None) -> Any:
        return library("xgboost").DMatrix(x, y, weight=weight, enable_categorical=True, nthread=threads())

    def answers(self, model: Any, x: "pd.DataFrame") -> np.ndarray:
        best = model.attr("best_iteration")
        model.set_param({"nthread": threads()})
        return model.predict(self._data(x), iteration_range=(0, int(best) + 1) if best else (0, 0))

    def gain(self, model: Any) -> np.ndarray:
        scores = model.get_score(importance_type="total_gain")
        return np.array([scores.get(name, 0.0) for name in model.feature_names])

    def write(self, model: Any, path: Path) -> None:
        model.save_model(path)

    def read(self, path: Path) -> Any:
        return library("xgboost").Booster(model_file=path)
