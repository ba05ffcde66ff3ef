"""AdversarialDrop: columns go that tell train rows from test rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.threads import threads
from kit.member import Member
from kit.members.selection.selection import ChosenColumns, Selection, fitted_columns
from kit.metrics import roc_auc
from kit.rows import Rows

FEWEST = 20  # rows of each side


class AdversarialDrop(Selection):
    """Drops the column by which small trees tell test rows from train rows best, until they no longer can.

    Columns of validation rows are compared with those of test rows: features fitted on train rows know both equally
    little. Where there are fewer than 20 rows of either, all columns stay. It takes three fits, and three more for each
    column that goes.
    """

    auc: float = Field(0.6, gt=0.5, lt=1, description="columns go until the AUC of telling test from train is below")
    most: int = Field(10, ge=1, description="columns that go at most")
    sample: int = Field(10_000, ge=100, description="rows of each side at most")
    seed: int = Field(0, ge=0, description="of the sample and the trees")

    def choose(self, member: Member, train: Rows, valid: Rows, work: Path) -> ChosenColumns:
        columns, _ = fitted_columns(member, train)
        names, figures = list(columns.names), dict.fromkeys(columns.names, 0.0)
        source = train.source
        end = source.originals - source.extra
        test = np.setdiff1d(np.arange(end), np.concatenate([train.at, valid.at]))
        ours = np.sort(valid.at)
        rng, fits = np.random.default_rng(self.seed), 0
        ours, test = (np.sort(rng.permutation(at)[: self.sample]) for at in (ours, test))
        if min(len(ours), len(test)) < FEWEST:
            return ChosenColumns(figures, tuple(names), 0)
        frame = columns.frame(Rows(train.task, source, np.concatenate([ours, test])))
        is_test = np.arange(len(frame)) >= len(ours)
        kept = [*frame.columns]
        for _ in range(self.most + 1):
            auc, gain = told_apart(frame[kept], is_test, self.seed)
            fits += 3
            if auc < self.auc or len(kept) == 1 or len(names) - len(kept) >= self.most:
                break
            worst = kept[int(np.argmax(gain))]
            figures[names[int(worst.removeprefix("column"))]] = -auc
            kept.remove(worst)
        return ChosenColumns(figures, tuple(names[int(c.removeprefix("column"))] for c in kept), fits)


def told_apart(frame: pd.DataFrame, is_test: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """Out-of-fold AUC of small trees that tell test rows from train rows, and the gain of each column in them."""
    import lightgbm as lgb

    settings: dict[str, Any] = {
        "objective": "binary", "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 10, "seed": seed,
        "deterministic": True, "force_row_wise": True, "verbosity": -1, "num_threads": threads(),
    }  # fmt: skip
    fold = np.empty(len(frame), dtype=int)
    rng = np.random.default_rng(seed)
    for side in (is_test, ~is_test):
        fold[side] = rng.permutation(side.sum()) % 3
    p, gain = np.zeros((len(frame), 1)), np.zeros(len(frame.columns))
    for i in range(3):
        fit = fold != i
        booster = lgb.train(settings, lgb.Dataset(frame[fit], is_test[fit].astype(float)), 50)
        p[~fit, 0] = np.asarray(booster.predict(frame[~fit]))
        gain += booster.feature_importance("gain")
    return float(roc_auc(is_test[:, None].astype(float), p)), gain
