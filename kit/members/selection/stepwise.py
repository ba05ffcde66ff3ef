"""Stepwise: groups of columns join or leave as long as the score of inner folds gains by it."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from kit.features.targets import inner_folds
from kit.member import Member
from kit.members.selection.selection import ChosenColumns, Selection, described, fitted_columns, innermost
from kit.rows import Rows


class Stepwise(Selection):
    """Forward or backward selection by groups of columns (Kohavi & John 1997).

    A group is the columns of one of the member's features, or the plain columns. The member itself is fitted on inner
    folds of the train rows; in each step the group joins (or leaves) whose step gives the best mean score, as long as
    it gives more than `least` (or its loss is no more). With g groups it takes at most `inner` · (1 + g · (g + 1) / 2)
    fits, and never more than `most`.
    """

    direction: Literal["forward", "backward"] = Field("backward", description="groups join, or leave")
    inner: int = Field(3, ge=2, description="inner folds")
    least: float = Field(0.0, ge=0, description="of the mean score, that a group must give to be there")
    most: int = Field(100, ge=1, description="fits at most")
    seed: int = Field(0, ge=0, description="of the inner folds")

    def choose(self, member: Member, train: Rows, valid: Rows, work: Path) -> ChosenColumns:
        columns, _ = fitted_columns(member, train)
        groups = groups_of(member, train, columns.names)
        plan, fits = inner_folds(train, self.inner, self.seed), 0
        sign = 1 if train.metric.greater_is_better else -1

        def score(names: list[str]) -> float:
            nonlocal fits
            kept = tuple(column for name in names for column in groups[name])
            scores = []
            for fold in range(int(plan.max()) + 1):
                judged = train.take(np.flatnonzero(plan == fold))
                rest = replace(train.take(np.flatnonzero(plan != fold)), columns=kept)
                folder = work / f"fit{fits}"
                folder.mkdir(parents=True, exist_ok=True)
                fits += 1
                # an early stop on the judged rows would be a score of what was chosen by them
                p = member.learn(rest, judged.take(np.arange(0)), folder).predict(judged)
                scores.append(sign * judged.metric(judged.labels, p))
            return float(np.mean(scores))

        backward = self.direction == "backward"
        now = list(groups) if backward else []
        best = score(now) if now else -np.inf
        gain = dict.fromkeys(groups, 0.0)
        while True:
            steps = [n for n in groups if (n in now) == backward]
            if not steps or (backward and len(now) == 1) or fits + self.inner * len(steps) > self.most:
                break
            tried = {n: score([m for m in groups if (m in now) != (m == n)]) for n in steps}
            name = max(tried, key=lambda n: tried[n])
            gain |= {n: (best - value if backward else value - (best if now else 0.0)) for n, value in tried.items()}
            enough = tried[name] >= best - self.least if backward else tried[name] > best + self.least
            if not enough and now:
                break
            now, best = [m for m in groups if (m in now) != (m == name)], tried[name]
        if not now:
            now = list(groups)
        kept = {column for name in now for column in groups[name]}
        figures = {column: gain[name] for name, columns in groups.items() for column in columns}
        return ChosenColumns(figures, tuple(name for name in columns.names if name in kept), fits)


def groups_of(member: Member, train: Rows, names: tuple[str, ...]) -> dict[str, list[str]]:
    """Name of a group → its columns: the plain columns, then those of each of the features."""
    plain = getattr(innermost(member), "tabular", True)
    widths = {"plain columns": len(train.task.tabular(train.source.frame.columns)) if plain else 0}
    for i, features in enumerate(described(member, train.task)):
        widths[f"{type(features).__name__} {i}"] = len(features.fit_transform(train)[1].columns)
    found, start = dict[str, list[str]](), 0
    for name, width in widths.items():
        if width:
            found[name] = list(names[start : start + width])
        start += width
    return found
