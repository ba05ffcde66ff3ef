"""Facts: what the parts of a report are drawn from, read from the bank once."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from kit.bank import Fold
from kit.blending import BlendReport, last_blend, out_of_fold
from kit.ensemble.threshold import judge_folds, unseen_thresholds
from kit.files import read_json
from kit.report.judged import Scores, member_scores
from kit.run import Brief, Run

Tell = Callable[[str], None]
BLEND = "blend"
DRAWN = 25  # members that a picture shows: of more, the best
LISTED = 10  # members that a table of members × columns shows


class Facts:
    """A run as its report sees it.

    Args:
        run: recipe, rows and run folder.
        names: members to show.
        brief: how the run was asked for on the command line; None for a run that was opened in code.
        patience: seconds that may be spent on what takes long.
        tell: hears how far that is.
    """

    def __init__(
        self,
        run: Run,
        names: list[str],
        brief: Brief | None = None,
        patience: float = math.inf,
        tell: Tell = lambda line: None,
    ) -> None:
        self.run, self.names, self.brief, self.patience, self.tell = run, names, brief, patience, tell
        self.task = run.table.task

    @cached_property
    def folds(self) -> dict[str, dict[int, Fold]]:
        """Member → its finished folds, without predictions of test rows: no part shows them, and they are large."""
        read = {name: {f: self.run.shelf(name).read(f, test=False) for f in self.run.folds} for name in self.names}
        return {name: {f: kept for f, kept in folds.items() if kept is not None} for name, folds in read.items()}

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """Member → what it scores."""
        return {name: member_scores(self.run, folds) for name, folds in self.folds.items()}

    @cached_property
    def standing(self) -> list[str]:
        """All members, the best score of all out-of-fold rows first, those that are not finished last."""
        return self._by_score(self.names, {name: scores.pooled for name, scores in self.scores.items()})

    @cached_property
    def complete(self) -> list[str]:
        """Members whose every fold is finished."""
        return [name for name, folds in self.folds.items() if len(folds) == len(self.run.folds)]

    @cached_property
    def report(self) -> BlendReport | None:
        """The last blend, if it is one of the present settings."""
        return last_blend(self.run)

    @cached_property
    def blend_facts(self) -> dict[str, Any]:
        """All that blend/report.json holds; empty where there is no blend of the present settings."""
        return read_json(self.run.root / "blend" / "report.json") if self.report else {}

    @cached_property
    def shown(self) -> list[str]:
        """Members that pictures show: the complete ones; where there is none, those with a fold that all of them have.

        Only members that were judged on the same rows can be compared.
        """
        if self.complete:
            return self.complete
        some = sorted((name for name in self.names if self.folds[name]), key=lambda name: -len(self.folds[name]))
        kept: list[str] = []
        common = set(self.run.folds)
        for name in some:
            if common & set(self.folds[name]):
                kept.append(name)
                common &= set(self.folds[name])
        return [name for name in self.names if name in kept]

    @cached_property
    def rows(self) -> np.ndarray:
        """(n,) whether a row was judged by all members that are shown."""
        if not self.shown:
            return np.zeros(len(self.run.plan), dtype=bool)
        common = set.intersection(*(set(self.folds[name]) for name in self.shown))
        return np.isin(self.run.plan, list(common))

    @cached_property
    def y(self) -> np.ndarray:
        """(rows, targets) labels of `rows`."""
        return self.run.table.y[self.rows]

    @cached_property
    def plan(self) -> np.ndarray:
        """(rows,) fold numbers of `rows`."""
        return self.run.plan[self.rows]

    @cached_property
    def blend(self) -> np.ndarray | None:
        """(rows, outputs) out-of-fold predictions of the blend, before any threshold; None where there is none."""
        if self.report is None or not self.complete:
            return None
        p = np.load(self.run.root / "blend" / "oof.npy", mmap_mode="r")
        return np.asarray(p) if p.shape == (int(self.rows.sum()), self.task.outputs) else None

    @cached_property
    def members(self) -> dict[str, np.ndarray]:
        """Member → (rows, outputs) out-of-fold predictions."""
        return {name: out_of_fold(self.run, self.folds[name])[self.rows] for name in self.shown}

    @cached_property
    def predictions(self) -> dict[str, np.ndarray]:
        """The blend's predictions, where there is one, then those of the members."""
        return ({} if self.blend is None else {BLEND: self.blend}) | self.members

    @cached_property
    def ranking(self) -> list[str]:
        """The members of `predictions`, the best score on `rows` first."""
        metric, y, plan = self.task.metric, self.y, self.plan
        thresholds = {name: unseen_thresholds(metric, y, p, plan) for name, p in self.members.items()}
        scores = {name: judge_folds(metric, y, p, plan, thresholds[name]) for name, p in self.members.items()}
        return self._by_score(list(scores), scores)

    def _by_score(self, names: list[str], scores: dict[str, float]) -> list[str]:
        sign = -1 if self.task.metric.greater_is_better else 1
        return sorted(names, key=lambda name: (scores[name] != scores[name], sign * np.nan_to_num(scores[name])))

    @property
    def best(self) -> str:
        """The member with the best score on `rows`."""
        return self.ranking[0]

    @property
    def listed(self) -> list[str]:
        """Whose predictions a table of members × columns shows: those of the blend and of the best members."""
        return [*([] if self.blend is None else [BLEND]), *self.ranking[:LISTED]]

    @property
    def unlisted(self) -> str:
        """A sentence for such a table's caption where it does not show all members."""
        return "" if len(self.members) <= LISTED else f" Only the {LISTED} best of {len(self.members)} members."

    @cached_property
    def leader(self) -> str:
        """Whose predictions are looked at closely: the blend's, else those of the best member."""
        return self.best if self.blend is None else BLEND

    @cached_property
    def ranked(self) -> bool:
        """Whether the blend's predictions are ranks, which are no probabilities though they look like some.

        They are where a blend takes ranks, and where `Auto` took several kinds of blend for several folds.
        """
        if self.report is None:
            return False
        taken = (self.report.summary or {}).get("chosen", {}).values()
        mixed = self.task.metric.needs == "rank" and len(set(taken)) > 1
        return mixed or _has_ranks(read_json(self.run.root / "blend" / "weights.json"))

    @property
    def teller(self) -> str:
        """Whose predictions are looked at where they must mean what they say: not those of a blend of ranks."""
        return self.best if self.leader == BLEND and self.ranked else self.leader

    @property
    def partial(self) -> str:
        """A sentence for captions where only a part of the folds is finished."""
        if self.complete or not self.shown:
            return ""
        done = ", ".join(map(str, np.unique(self.plan).tolist()))
        return f" Only of fold {done}: no member has all its folds yet."


def _has_ranks(told: Any) -> bool:
    """Whether a part of what a blend tells of itself, itself a blend perhaps, takes ranks."""
    if isinstance(told, dict):
        return told.get("ranks") is True or any(map(_has_ranks, told.values()))
    return isinstance(told, list) and any(map(_has_ranks, told))
