"""CatBoost: gradient-boosted trees of the library of this name."""

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

LOSSES = {"binary": "Logloss", "multilabel": "Logloss", "multiclass": "MultiClass", "regression": "RMSE"}


class CatBoost(GradientBoosting):
    """CatBoost (Prokhorenkova et al. 2018) on numeric and categorical columns and on statistics of the text columns.

    Trees ask the same question in all nodes of a level. A category becomes the mean label of earlier rows of a random
    order. Stops adding trees when the loss of the validation fold no longer falls, so its score is slightly optimistic;
    `patience=none` grows all trees. With another number of threads, sums are added in another order, and now and then
    another tree grows. It needs the extra `trees`.
    """

    file = "cbm"

    rows: float = Field(0.9, gt=0, le=1, description="share of rows that each tree is grown on")
    l2: float = Field(3.0, ge=0, description="L2 penalty on leaf values")
    depth: int = Field(6, ge=1, le=16, description="depth of the trees")
    random_strength: float = Field(1.0, ge=0, description="noise that is added to the scores of splits")
    one_hot: int = Field(15, ge=2, le=255, description="categories with at most so many values are one-hot")
    border_count: int = Field(254, ge=1, description="largest number of borders between bins of a number")

    def grow(self, task: Task, train: Labelled, valid: Labelled | None, signs: Sequence[int]) -> Any:
        cb = library("catboost")
        model = cb.CatBoost(self._params(task) | ({"monotone_constraints": [*signs]} if any(signs) else {}))
        stop = {} if valid is None else {"early_stopping_rounds": self.patience, "use_best_model": True}
        model.fit(self._pool(*train), eval_set=None if valid is None else self._pool(*valid), **stop)
        return model

    def _params(self, task: Task) -> dict[str, Any]:
        return {
            "loss_function": LOSSES[task.kind],
            **({"classes_count": len(task.classes)} if task.kind == "multiclass" else {}),
            "iterations": self.trees,
            "learning_rate": self.lr,
            "depth": self.depth,
            "l2_leaf_reg": self.l2,
            "bootstrap_type": "Bernoulli",
            "subsample": self.rows,
            "rsm": self.columns,
            "random_strength": self.random_strength,
            "one_hot_max_size": self.one_hot,
            "border_count": self.border_count,
            "random_seed": self.seed,
            "thread_count": threads(),
            "allow_writing_files": False,
            "logging_level": "Silent",
        }

    def _pool(self, x: "pd.DataFrame", y: np.ndarray | None = None, weight: np.ndarray | None = None) -> Any:
        kinds = [*x.select_dtypes("category")]
        codes = {name: x[name].cat.codes + 1 for name in kinds}  # 0: missing
        return library("catboost").Pool(x.assign(**codes), y, cat_features=kinds, weight=weight)

    def answers(self, model: Any, x: "pd.DataFrame") -> np.ndarray:
        loss, pool = model.get_all_params()["loss_function"], self._pool(x)
        if loss == "RMSE":
            return model.predict(pool, thread_count=threads())
        p = np.asarray(model.predict(pool, prediction_type="Probability", thread_count=threads()))
        return p[:, 1] if loss == "Logloss" else p

    def gain(self, model: Any) -> np.ndarray:
        return np.asarray(model.get_feature_importance(thread_count=threads()))

    def write(self, model: Any, path: Path) -> None:
        model.save_model(str(path))

    def read(self, path: Path) -> Any:
        return library("catboost").CatBoost().load_model(str(path))
