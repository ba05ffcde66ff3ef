"""Boost: gradient-boosted trees of LightGBM."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field

from kit.core.errors import KitError
from kit.core.spec import validator
from kit.core.threads import threads
from kit.members.trees.base import GradientBoosting, Labelled
from kit.task import Task

if TYPE_CHECKING:
    import pandas as pd

OBJECTIVES = {"binary": "binary", "multilabel": "binary", "multiclass": "multiclass", "regression": "regression"}
NAMES = {"mae": "l1", "mse": "regression"}  # where LightGBM calls them otherwise
ALL_TREES = ("dart", "rf")  # later trees change what earlier ones say, so none is the best


class Boost(GradientBoosting):
    """LightGBM (Ke et al. 2017) on numeric and categorical columns and on statistics of the text columns.

    Stops adding trees when the loss of the validation fold no longer falls, so its score is slightly optimistic;
    `patience=none` grows all trees, as `boosting=dart` and `rf` always do. Each target has trees of its own, grown on
    the rows whose label is known.
    """

    version = 4
    file = "txt"

    trees: int = Field(600, ge=1, description="largest number of trees, for each target")
    patience: int | None = Field(50, ge=1, description="early stopping: trees without a better loss; none: all trees")
    lr: float = Field(0.04, gt=0, description="shrinkage of each tree")
    num_leaves: int = Field(31, ge=2, description="largest number of leaves of a tree")
    min_leaf: int = Field(20, ge=1, description="smallest number of rows in a leaf")
    columns: float = Field(0.7, gt=0, le=1, description="share of columns that each tree uses")
    rows: float = Field(0.8, gt=0, le=1, description="share of rows that each tree is grown on")
    l1: float = Field(0.0, ge=0, description="L1 penalty on leaf values")
    boosting: Literal["gbdt", "dart", "goss", "rf"] = Field(
        "gbdt", description="dart drops earlier trees (Rashmi & Gilad-Bachrach 2015); goss keeps large gradients; rf"
    )
    extra_trees: bool = Field(False, description="splits at random thresholds (Geurts et al. 2006)")
    max_bin: int = Field(255, ge=2, description="largest number of bins of a number")
    objective: Literal["mse", "mae", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie"] | None = Field(
        None, description="loss of values (regression); none: mse"
    )
    alpha: float | None = Field(None, gt=0, description="of huber and quantile; none: LightGBM's 0.9")

    @validator(mode="after")
    def _check_sampling(self) -> Self:
        if self.boosting == "rf" and self.rows == 1:
            raise ValueError("boosting=rf draws rows for each tree; set rows below 1")
        if self.alpha is not None and self.objective not in ("huber", "quantile"):
            raise ValueError("alpha is a setting of the objectives huber and quantile; set one of them")
        return self

    @property
    def early_stops_on_valid(self) -> bool:
        return self.patience is not None and self.boosting not in ALL_TREES

    def check(self, task: Task) -> None:
        super().check(task)
        if self.objective is not None and task.kind != "regression":
            given = f"Boost: objective = {self.objective} is a loss of values"
            raise KitError(f"{given}, and task '{task.name}' is {task.kind}; leave it out")

    def grow(self, task: Task, train: Labelled, valid: Labelled | None, signs: Sequence[int]) -> Any:
        import lightgbm as lgb

        data = lgb.Dataset(train.x, train.y, weight=train.weight, free_raw_data=False)
        callbacks: list[Any] = [lgb.log_evaluation(0)]
        seen = []
        if valid is not None and self.patience is not None:
            callbacks.append(lgb.early_stopping(self.patience, verbose=False))
            seen.append(data.create_valid(valid.x, valid.y, weight=valid.weight))
        constraints = {"monotone_constraints": [*signs]} if any(signs) else {}
        return lgb.train(
            self._params(task) | constraints, data, self.trees, valid_sets=seen or None, callbacks=callbacks
        )

    def _params(self, task: Task) -> dict[str, Any]:
        goss, objective = self.boosting == "goss", self.objective or OBJECTIVES[task.kind]
        return {
            "objective": NAMES.get(objective, objective),
            **({"num_class": len(task.classes)} if task.kind == "multiclass" else {}),
            **({} if self.alpha is None else {"alpha": self.alpha}),
            "boosting": "gbdt" if goss else self.boosting,
            **({"data_sample_strategy": "goss"} if goss else {"bagging_fraction": self.rows, "bagging_freq": 1}),
            "learning_rate": self.lr,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_leaf,
            "feature_fraction": self.columns,
            "lambda_l1": self.l1,
            "lambda_l2": self.l2,
            "extra_trees": self.extra_trees,
            "max_bin": self.max_bin,
            "seed": self.seed,
            "num_threads": threads(),
            "deterministic": True,  # the same trees for any number of threads
            "force_row_wise": True,
            "verbosity": -1,
        }

    def answers(self, model: Any, x: "pd.DataFrame") -> np.ndarray:
        return np.asarray(model.predict(x, num_threads=threads()))

    def gain(self, model: Any) -> np.ndarray:
        return np.asarray(model.feature_importance("gain"), np.float64)

    def contributions(self, model: Any, x: "pd.DataFrame") -> np.ndarray | None:
        found = np.asarray(model.predict(x, pred_contrib=True, num_threads=threads()), np.float64)
        return found.reshape(len(x), -1, x.shape[1] + 1)[:, :, :-1]  # the last of each output is the mean of all rows

    def write(self, model: Any, path: Path) -> None:
        path.write_text(model.model_to_string(), encoding="utf-8")

    def read(self, path: Path) -> Any:
        import lightgbm as lgb

        return lgb.Booster(model_str=path.read_text(encoding="utf-8"))
