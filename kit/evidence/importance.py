"""Importances: what each column gives to fitted trees, and how predictions change with it."""

import math
import time
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from kit.members.trees.base import GradientBoostingPredictor
from kit.run.predict import fold_predictors
from kit.run.run import Run

FOLDS = 3  # whose models are asked, at most
ROWS = 1000  # judged rows of each fold that are read, at most
COLUMNS = 12  # of most gain, which are shuffled
REPEATS = 2  # shuffles of each
SHAP_ROWS = 200  # judged rows of each fold whose contributions are computed, at most
DRAWN = 4  # columns of most gain whose partial dependence is computed
STEPS = 15  # values of a number at which it is computed, at most


@dataclass(frozen=True)
class Importances:
    """What the columns of a member's trees give, as means over folds.

    Attributes:
        columns: one row for each column, those of most gain first: column, gain (share of what all splits lowered the
            loss by), fall (by how much the metric gets worse when the column is shuffled in judged rows, NaN where it
            was not), spread (its standard deviation over folds and shuffles), shap (mean |contribution|, in the units
            of the trees' sum; NaN where the library gives none).
        dependence: column → its values, and the mean prediction (values, outputs) with all judged rows set to each.
        rows: number of judged rows that were shuffled.
        folds: number of folds whose models were asked.
    """

    columns: pd.DataFrame
    dependence: dict[str, tuple[list[float | str], np.ndarray]]
    rows: int
    folds: int


def importances(run: Run, member: str, seed: int = 0, seconds: float = math.inf) -> Importances | None:
    """Importances of a member of gradient-boosted trees, by the kept models of its folds on the rows that they judge.

    Shuffling a column in judged rows (Breiman 2001) tells what the fitted trees lose without it; two columns that say
    the same hide each other. Contributions are TreeSHAP's (Lundberg et al. 2020), partial dependence is Friedman's
    (2001).

    Args:
        run: the run of the member.
        member: its name.
        seed: of drawn rows and shuffles.
        seconds: no column is shuffled or set to values after this time; those of most gain come first.

    Returns:
        None where no fold is finished, or the member is none of trees.
    """
    rng, parts, until = np.random.default_rng(seed), list[_Part](), time.monotonic() + seconds
    for fold, predictor in islice(fold_predictors(run, member), FOLDS):
        if not isinstance(predictor, GradientBoostingPredictor):
            return None
        judged = np.flatnonzero((run.plan == fold) & ~np.isnan(run.table.y).all(axis=1))
        parts.append(_Part(run, predictor, np.sort(rng.permutation(judged)[:ROWS]), rng))
    if not parts:
        return None
    gains = pd.DataFrame([part.predictor.gains() for part in parts]).fillna(0.0).mean()
    gains = gains.sort_values(ascending=False, kind="stable")
    first = list(gains.index[:COLUMNS])
    shuffled = (name for name in first if time.monotonic() < until)
    falls = {name: np.array([fall for part in parts for fall in part.falls(name)]) for name in shuffled}
    shap = pd.DataFrame([part.shap() for part in parts]).mean()
    columns = pd.DataFrame({
        "column": gains.index, "gain": gains.to_numpy(),
        "fall": [falls[name].mean() if len(falls.get(name, ())) else np.nan for name in gains.index],
        "spread": [falls[name].std() if len(falls.get(name, ())) else np.nan for name in gains.index],
        "shap": [shap.get(name, np.nan) for name in gains.index],
    })  # fmt: skip
    set_to = [(name, _dependence(parts, name)) for name in first[:DRAWN] if time.monotonic() < until]
    drawn = {name: found for name, found in set_to if found is not None}
    return Importances(columns, drawn, sum(len(part.at) for part in parts), len(parts))


class _Part:
    """A fold's trees and the rows that it judges, as the frame of their columns."""

    def __init__(
        self, run: Run, predictor: GradientBoostingPredictor, at: np.ndarray, rng: np.random.Generator
    ) -> None:
        self.predictor, self.at, self.task, self.rng = predictor, at, run.table.task, rng
        rows = run.table.rows(at)
        self.frame, self.metric, self.y = predictor.columns.frame(rows), rows.metric, rows.labels
        self.place = {name: f"column{i}" for i, name in enumerate(predictor.columns.names)}

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        return self.predictor.of_frame(frame, self.task)

    def falls(self, name: str) -> list[float]:
        """By how much the score gets worse with each shuffle; none where it cannot be computed."""
        if name not in self.place or not len(self.at):
            return []
        column, sign = self.place[name], 1 if self.metric.greater_is_better else -1
        whole = self.metric(self.y, self.predict(self.frame))
        found = []
        for _ in range(REPEATS):
            order = self.rng.permutation(len(self.at))
            shuffled = self.frame.assign(**{column: self.frame[column].iloc[order].array})
            found.append(sign * (whole - self.metric(self.y, self.predict(shuffled))))
        return [fall for fall in found if fall == fall]

    def shap(self) -> dict[str, float]:
        """Column → mean |contribution|, over targets and classes; empty where the library gives none."""
        few = self.frame.iloc[:SHAP_ROWS]
        models = [model for model in self.predictor.models if not isinstance(model, float)]
        made = [self.predictor.spec.contributions(model, few) for model in models]
        known = [np.abs(one).mean(axis=(0, 1)) for one in made if one is not None]
        return dict(zip(self.place, map(float, np.mean(known, axis=0)), strict=True)) if known and len(few) else {}


def _dependence(parts: list[_Part], name: str) -> tuple[list[float | str], np.ndarray] | None:
    having = [part for part in parts if name in part.place and len(part.at)]
    if not having:
        return None
    categories = having[0].predictor.columns.categories.get(name)
    if categories is None:
        known = np.concatenate([part.frame[part.place[name]].dropna().to_numpy() for part in having])
        if not len(known):
            return None
        values: list[float | str] = [*map(float, np.unique(np.quantile(known, np.linspace(0.02, 0.98, STEPS))))]
    else:
        counts = pd.concat([part.frame[part.place[name]].astype(object) for part in having]).value_counts()
        values = [str(value) for value in counts.index[:STEPS]]
    means = []
    for value in values:
        found = []
        for part in having:
            column = part.place[name]
            same = pd.Series([value] * len(part.at), dtype=part.frame[column].dtype)
            found.append(part.predict(part.frame.assign(**{column: same.array})).mean(axis=0))
        means.append(np.mean(found, axis=0))
    return values, np.array(means)
