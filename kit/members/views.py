"""Views: test-time augmentation, a member made of a member."""

from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field
from scipy.special import expit, logit, softmax

from kit.data import Rows, Task
from kit.ensemble.base import scaled_ranks, weighted
from kit.features.base import not_alone
from kit.files import read_json, write_json
from kit.member import Member, Predictor
from kit.members.boost import Boost
from kit.members.wrap import SeedsPredictor
from kit.spec import KitError, Spec, validator
from kit.tta import View, with_views

Average = Literal["mean", "geometric", "rank"]

SUREST = float(np.finfo(np.float32).eps)  # a probability of 0 or 1 would outvote all others


class Views(Member):
    """Predicts a row from itself and other views of it: test-time augmentation (Krizhevsky et al. 2012, section 4.1).

    Judged rows and test rows are seen the same ways. Views of a train row are on the train side of every fold.
    """

    seed: int = Field(0, ge=0, description="seeds the views; the member has a seed of its own")
    member: Member = Field(Boost(), description="what is fitted")
    views: tuple[View, ...] = Field((), description="how else a row is seen; none: the member alone")
    mean: Average = Field("mean", description="of predictions; geometric: of odds; rank: of ranks among the rows asked")
    weight: float = Field(1.0, ge=0, description="what the row itself counts; each view counts 1")
    train: bool = Field(False, description="learn from the views of train rows too")

    @validator(mode="after")
    def _check(self) -> Self:
        if not self.weight and not self.views:
            raise ValueError("weight = 0 leaves nothing to predict from; name views")
        if len(set(self.views)) < len(self.views):
            raise ValueError("two views are equal, so they see the same; take one, with a larger count if it has one")
        if self.views and (features := not_alone(self.member)):
            raise ValueError(f"{features} tells a row from the other rows, and views of it would be among them")
        if self.train and any(o.name.split(".")[-1] == "stop" and o.value == "inner" for o in self.member.options()):
            raise ValueError("stop=inner would judge on views of rows that train=true learns from; take stop=none")
        return self

    @property
    def peeks(self) -> bool:
        return self.member.peeks

    @property
    def judges(self) -> bool:
        return self.member.judges

    @property
    def chance(self) -> bool:
        return self.member.chance or bool(self.views)

    def prepare(self, rows: Rows) -> None:
        self.member.prepare(with_views(rows, self.views, self.seed))

    def fit(self, train: Rows, valid: Rows, work: Path) -> "ViewsPredictor":
        """Fits the member in `work`; the judged fold is shown to it without views.

        Raises:
            KitError: the task's predictions have no such mean.
        """
        _check_mean(self.mean, train.task)
        seen, judged = (with_views(rows, self.views, self.seed) for rows in (train, valid))
        learnt = seen if self.train else seen.take(np.arange(len(train)))
        return ViewsPredictor(self, self.member.fit(learnt, judged.take(np.arange(len(valid))), work))


class ViewsPredictor(Predictor):
    """The mean of what a predictor says of a row and its views."""

    def __init__(self, spec: Views, predictor: Predictor) -> None:
        self.spec, self.predictor = spec, predictor

    def predict(self, rows: Rows) -> np.ndarray:
        """As the predictor says; with mean=rank a row's number hangs on the rows that it is predicted with."""
        p = self.predictor.predict(with_views(rows, self.spec.views, self.spec.seed))
        p = p.reshape(-1, len(rows), rows.task.outputs)
        weights = np.array([self.spec.weight] + [1.0] * (len(p) - 1))
        return average(p, weights / weights.sum(), self.spec.mean, several=rows.task.kind == "multiclass")

    def save(self, folder: Path) -> None:
        write_json(folder / "views.json", self.spec.dump())
        SeedsPredictor([self.predictor]).save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        spec = Spec.revive(read_json(folder / "views.json"))
        assert isinstance(spec, Views)
        return cls(spec, SeedsPredictor.load(folder).parts[0])


def average(predictions: np.ndarray, weights: np.ndarray, mean: Average, several: bool = False) -> np.ndarray:
    """The weighted mean (n, outputs) of predictions (views, n, outputs).

    The geometric mean is made to sum to 1 again over the classes, or over yes and no of each label, where it is the
    geometric mean of the odds: either way the mean of logits (a logarithmic opinion pool, Genest & Zidek 1986). One
    sure view counts more in it than in the mean of probabilities.

    Args:
        weights: (views,), sum 1.
        several: the outputs are classes that exclude each other.
    """
    if mean == "rank":
        return weighted(scaled_ranks(predictions), weights)
    if mean == "mean":
        return weighted(predictions, weights)
    p = predictions.astype(np.float64).clip(SUREST, 1 - SUREST)
    return softmax(weighted(np.log(p), weights), axis=1) if several else expit(weighted(logit(p), weights))


def _check_mean(mean: Average, task: Task) -> None:
    if mean == "geometric" and task.kind == "regression":
        raise KitError("Views.mean = geometric is a mean of probabilities; a regression task takes mean")
    if mean == "rank" and (task.kind not in ("binary", "multilabel") or task.metric.needs != "rank"):
        raise KitError(f"Views.mean = rank gives ranks, which {task.metric.name} of a {task.kind} task cannot judge")
