"""NullImportance and PermutationImportance: what a column gives to trees, against what chance gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import Field

from kit.features.arithmetic import gains
from kit.features.targets import inner_folds, label_columns
from kit.member import Member
from kit.members.selection.selection import ChosenColumns, Selection, chosen, described, fitted_columns
from kit.members.trees.boost import Boost
from kit.rows import Rows
from kit.tables.columns import Columns


class NullImportance(Selection):
    """Keeps columns whose gain in trees is above that on shuffled labels (Altmann et al. 2010; Grellier 2018).

    With each shuffle the features that read labels are fitted again, so an encoding of many rare values has to beat
    what it does for noise. It takes 1 + `rounds` fits of 100 small trees for each target or class.
    """

    rounds: int = Field(20, ge=2, description="shuffles of the labels")
    quantile: float = Field(0.9, gt=0, le=1, description="of the shuffles' gains, which a column must exceed")
    seed: int = Field(0, ge=0, description="of shuffles and trees")

    def choose(self, member: Member, train: Rows, valid: Rows, work: Path) -> ChosenColumns:
        columns, frame = fitted_columns(member, train)
        real = gains(frame, label_columns(train)[0], train.task, self.seed)
        place = {name: i for i, name in enumerate(columns.names)}
        rng, null = np.random.default_rng(self.seed), np.zeros((self.rounds, len(real)))
        for i in range(self.rounds):
            noise = replace(train, y=train.labels[rng.permutation(len(train))])
            others, shown = fitted_columns(member, noise)
            found = gains(shown, label_columns(noise)[0], train.task, self.seed + 1 + i)
            for name, value in zip(others.names, found, strict=True):
                if name in place:  # some features make other columns of other labels
                    null[i, place[name]] = value
        limit = np.quantile(null, self.quantile, axis=0)
        return chosen(columns.names, real - limit, real > limit, 1 + self.rounds)


class PermutationImportance(Selection):
    """Keeps columns whose shuffled values make the score of inner judged rows worse (Breiman 2001).

    LightGBM is fitted on the other inner folds; in the judged rows one column after another is shuffled. It takes
    `inner` fits, and `repeats` predictions for each of them and each column.
    """

    inner: int = Field(3, ge=2, description="inner folds, each judged once")
    repeats: int = Field(2, ge=1, description="shuffles of each column")
    above: float = Field(0.0, description="a column stays if the score falls by more than this, in units of the metric")
    trees: Boost = Field(Boost(trees=100, lr=0.1, num_leaves=15, patience=None), description="trees that are fitted")
    seed: int = Field(0, ge=0, description="of inner folds and shuffles")

    def choose(self, member: Member, train: Rows, valid: Rows, work: Path) -> ChosenColumns:
        names = fitted_columns(member, train)[0].names
        place, falls = {name: i for i, name in enumerate(names)}, np.zeros((self.inner, len(names)))
        plan, rng = inner_folds(train, self.inner, self.seed), np.random.default_rng(self.seed)
        trees = self.trees.model_copy(update={"features": described(member, train.task), "text": False})
        for fold in range(int(plan.max()) + 1):
            judged = train.take(np.flatnonzero(plan == fold))
            fitted = trees.learn(train.take(np.flatnonzero(plan != fold)), judged.take(np.arange(0)), work)
            columns: Columns = fitted.columns
            frame, metric = columns.frame(judged), judged.metric
            sign = 1 if metric.greater_is_better else -1
            whole = metric(judged.labels, fitted.of_frame(frame, train.task))
            for i, name in enumerate(columns.names):
                if name not in place:
                    continue
                for _ in range(self.repeats):
                    order = rng.permutation(len(judged))
                    shuffled = frame.assign(**{f"column{i}": frame[f"column{i}"].iloc[order].array})
                    fall = sign * (whole - metric(judged.labels, fitted.of_frame(shuffled, train.task)))
                    falls[fold, place[name]] += fall / self.repeats
        mean = np.nanmean(falls, axis=0)
        return chosen(names, mean, mean > self.above, self.inner)
