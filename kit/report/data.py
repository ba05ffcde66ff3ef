"""ReportData: the data of all parts of a report, read from the bank once."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from kit.core.files import read_array, read_json
from kit.ensemble.decide.threshold import out_of_fold_thresholds, score_at_folds
from kit.evidence.label_errors import label_quality, likely_errors
from kit.images.store import PictureFiles
from kit.report.html import Thumbnail
from kit.report.member_scores import MemberScores, member_scores
from kit.report.thumbnails import PageThumbnails
from kit.run.bank import Fold
from kit.run.blend import BlendReport, last_blend
from kit.run.oof import out_of_fold
from kit.run.run import Run
from kit.schema.pictures import several

OnMessage = Callable[[str], None]
BLEND = "blend"
MAX_DRAWN = 25  # largest number of members in a picture: the best ones
MAX_LISTED = 10  # largest number of members in a table of members × columns


class LabelQuality(NamedTuple):
    """What confident learning says of labels.

    Attributes:
        quality: (rows,) from 0, surely wrong, to 1.
        errors: how many labels it takes for wrong.
    """

    quality: np.ndarray
    errors: int

    def worst(self, least: int, most: int) -> np.ndarray:
        """Positions of the labels taken for wrong, the worst first: at least `least` rows and at most `most`."""
        return np.argsort(self.quality, kind="stable")[: min(most, max(self.errors, least))]


class ReportData:
    """The data of a run that its report shows.

    Args:
        run: recipe, rows and run folder.
        names: members to show.
        time_limit: seconds for computations that take long.
        on_message: called with a line of text every few seconds while they run.
    """

    def __init__(
        self,
        run: Run,
        names: list[str],
        time_limit: float = math.inf,
        on_message: OnMessage = lambda line: None,
    ) -> None:
        self.run, self.names, self.time_limit, self.on_message = run, names, time_limit, on_message
        self.task = run.table.task

    @cached_property
    def folds(self) -> dict[str, dict[int, Fold]]:
        """Member → its finished folds, without predictions of test rows, which are large and not shown."""
        read = {name: {f: self.run.store(name).read(f, test=False) for f in self.run.folds} for name in self.names}
        return {name: {f: kept for f, kept in folds.items() if kept is not None} for name, folds in read.items()}

    @cached_property
    def scores(self) -> dict[str, MemberScores]:
        """Member → its scores."""
        return {name: member_scores(self.run, folds) for name, folds in self.folds.items()}

    @cached_property
    def by_score(self) -> list[str]:
        """All members, by the score of all out-of-fold rows, the best first; unfinished members last."""
        return self._sorted(self.names, {name: scores.pooled for name, scores in self.scores.items()})

    @cached_property
    def complete(self) -> list[str]:
        """Members with all folds finished."""
        return [name for name, folds in self.folds.items() if len(folds) == len(self.run.folds)]

    @cached_property
    def report(self) -> BlendReport | None:
        """The last blend, if it has the current settings."""
        return last_blend(self.run)

    @cached_property
    def blend_json(self) -> dict[str, Any]:
        """The contents of blend/report.json; empty if there is no blend with the current settings."""
        return read_json(self.run.root / "blend" / "report.json") if self.report else {}

    @cached_property
    def compared(self) -> list[str]:
        """Members that pictures show: the finished ones; if there are none, members with common folds.

        Only scores on the same rows can be compared.
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
        """(n,) whether a row has a prediction of every compared member."""
        if not self.compared:
            return np.zeros(len(self.run.plan), dtype=bool)
        common = set.intersection(*(set(self.folds[name]) for name in self.compared))
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
        """(rows, outputs) out-of-fold predictions of the blend, before any threshold; None without a blend."""
        if self.report is None or not self.complete:
            return None
        p = read_array(self.run.root / "blend" / "oof.npy", mmap_mode="r")
        return np.asarray(p) if p.shape == (int(self.rows.sum()), self.task.outputs) else None

    @cached_property
    def members(self) -> dict[str, np.ndarray]:
        """Member → (rows, outputs) out-of-fold predictions."""
        return {name: out_of_fold(self.run, self.folds[name])[self.rows] for name in self.compared}

    @cached_property
    def predictions(self) -> dict[str, np.ndarray]:
        """The predictions of the blend, if there is one, then those of the members."""
        return ({} if self.blend is None else {BLEND: self.blend}) | self.members

    @cached_property
    def best_first(self) -> list[str]:
        """The members of `predictions`, the best score on `rows` first."""
        metric, y, plan = self.run.metric_of(self.rows), self.y, self.plan
        thresholds = {name: out_of_fold_thresholds(metric, y, p, plan) for name, p in self.members.items()}
        scores = {name: score_at_folds(metric, y, p, plan, thresholds[name]) for name, p in self.members.items()}
        return self._sorted(list(scores), scores)

    def _sorted(self, names: list[str], scores: dict[str, float]) -> list[str]:
        sign = -1 if self.task.metric.greater_is_better else 1
        return sorted(names, key=lambda name: (scores[name] != scores[name], sign * np.nan_to_num(scores[name])))

    @property
    def best(self) -> str:
        """The member with the best score on `rows`."""
        return self.best_first[0]

    @property
    def listed(self) -> list[str]:
        """The blend and the best members: rows of a table of members × columns."""
        return [*([] if self.blend is None else [BLEND]), *self.best_first[:MAX_LISTED]]

    @property
    def unlisted_note(self) -> str:
        """A sentence for the caption of such a table, if it does not show all members."""
        return "" if len(self.members) <= MAX_LISTED else f" Only the {MAX_LISTED} best of {len(self.members)} members."

    @cached_property
    def leader(self) -> str:
        """The blend, or without one the best member: its predictions are shown in detail."""
        return self.best if self.blend is None else BLEND

    @cached_property
    def blend_is_ranked(self) -> bool:
        """Whether the blend's predictions are ranks. Ranks look like probabilities but are none.

        This is so if a blend ranks predictions, or if `Auto` chose different kinds of blend in different folds.
        """
        if self.report is None:
            return False
        taken = (self.report.summary or {}).get("chosen", {}).values()
        mixed = self.task.metric.needs == "rank" and len(set(taken)) > 1
        return mixed or _has_ranks(read_json(self.run.root / "blend" / "weights.json"))

    @property
    def unranked_leader(self) -> str:
        """The leader for parts that need real probabilities or values: not a blend of ranks."""
        return self.best if self.leader == BLEND and self.blend_is_ranked else self.leader

    @cached_property
    def thumbnails(self) -> PageThumbnails:
        """The small pictures of the page."""
        return PageThumbnails(self.run.table.files or PictureFiles())

    def pictures_of(self, rows: Sequence[int]) -> list[Thumbnail | None]:
        """The thumbnail of each of these positions of `rows`; None where a row has no picture, or the page no room."""
        frame, task = self.run.table.train.iloc[np.flatnonzero(self.rows)[list(rows)]], self.task
        cells = [[one for name in task.images for one in several(frame[name].iloc[i])] for i in range(len(frame))]
        return self.thumbnails.of_rows(cells, list(map(str, frame[task.id])))

    @cached_property
    def suspects(self) -> LabelQuality:
        """How far the labels of `rows` agree with the leader's predictions.

        Raises:
            KitError: cleanlab is not installed, or the predictions are no probabilities.
        """
        kind, p = self.task.kind, self.predictions[self.unranked_leader]
        return LabelQuality(label_quality(kind, self.y, [p]), int(likely_errors(kind, self.y, p).sum()))

    @property
    def partial_note(self) -> str:
        """A sentence for captions, if only some of the folds are finished."""
        if self.complete or not self.compared:
            return ""
        done = ", ".join(map(str, np.unique(self.plan).tolist()))
        return f" Only of fold {done}: no member has all its folds yet."


def _has_ranks(saved: Any) -> bool:
    """Whether a saved blend, or a blend inside it, ranks predictions."""
    if isinstance(saved, dict):
        return saved.get("ranks") is True or any(map(_has_ranks, saved.values()))
    return isinstance(saved, list) and any(map(_has_ranks, saved))
