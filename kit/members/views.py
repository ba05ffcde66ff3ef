"""Views: test-time augmentation, a member made of a member."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field
from scipy.special import expit, logit, softmax

from kit.core.errors import KitError
from kit.core.files import read_json, write_json
from kit.core.spec import validator
from kit.ensemble.predictions import scaled_ranks, weighted_mean
from kit.features.base import not_alone
from kit.member import Predictor
from kit.members.parts import load_parts, save_parts
from kit.members.wrapper import Wrapper
from kit.rows import Rows
from kit.task import Task
from kit.tta import View, with_views

if TYPE_CHECKING:
    from kit.train.stop import ShouldStop

MeanKind = Literal["mean", "geometric", "rank"]

EPSILON = float(np.finfo(np.float32).eps)  # a probability of 0 or 1 would outweigh all others


class Views(Wrapper):
    """Predicts a row from itself and other views of it: test-time augmentation (Krizhevsky et al. 2012, section 4.1).

    Validation rows and test rows get the same views. The views of a train row are in the same fold as the row.
    """

    version = 2

    seed: int = Field(0, ge=0, description="seed of the views; the member has its own seed")
    views: tuple[View, ...] = Field((), description="the views of a row; empty: the member alone")
    mean: MeanKind = Field("mean", description="mean of predictions; geometric: mean of log-odds; rank: mean of ranks")
    weight: float = Field(1.0, ge=0, description="weight of the row itself; each view has weight 1")
    train: bool = Field(False, description="train on the views of train rows too")

    @validator(mode="after")
    def _check(self) -> Self:
        if not self.weight and not self.views:
            raise ValueError("weight = 0 leaves nothing to predict from; name views")
        if len(set(self.views)) < len(self.views):
            raise ValueError("two views are equal; take one of them, with a larger count if it has one")
        if self.views and (features := not_alone(self.member)):
            raise ValueError(
                f"{features} compares rows with each other, so views of the same row would be compared too"
            )
        if self.train and any(o.name.split(".")[-1] == "stop" and o.value == "inner" for o in self.member.options()):
            raise ValueError(
                "stop=inner would score epochs on views of the rows that it trains on (train=true); take stop=none"
            )
        return self

    @property
    def is_random(self) -> bool:
        return self.member.is_random or bool(self.views)

    def check(self, task: Task) -> None:
        _check_mean(self.mean, task)
        for view in self.views:
            view.check(task)
        super().check(task)

    def prepare(self, rows: Rows) -> None:
        self.member.prepare(with_views(rows, self.views, self.seed))

    def learn(self, train: Rows, valid: Rows, work: Path) -> "ViewsPredictor":
        return self.learn_until(train, valid, work, None)

    def learn_until(self, train: Rows, valid: Rows, work: Path, should_stop: "ShouldStop | None") -> "ViewsPredictor":
        """Fits the member in `work`; the validation fold is passed without views.

        Raises:
            KitError: the task's predictions have no such mean.
        """
        _check_mean(self.mean, train.task)
        seen, validated = (with_views(rows, self.views, self.seed) for rows in (train, valid))
        learnt = seen if self.train else seen.take(np.arange(len(train)))
        own = validated.take(np.arange(len(valid)))
        return ViewsPredictor(self, self.member.learn_until(learnt, own, work, should_stop))


class ViewsPredictor(Predictor):
    """A fitted Views: the mean of a predictor's predictions for a row and its views."""

    def __init__(self, spec: Views, predictor: Predictor) -> None:
        self.spec, self.predictor = spec, predictor

    def predict(self, rows: Rows) -> np.ndarray:
        """The mean over views; with mean=rank a row's number depends on the rows predicted with it."""
        p = self.predictor.predict(with_views(rows, self.spec.views, self.spec.seed))
        p = p.reshape(-1, len(rows), rows.task.outputs)
        weights = np.array([self.spec.weight] + [1.0] * (len(p) - 1))
        return average(p, weights / weights.sum(), self.spec.mean, several=rows.task.kind == "multiclass")

    def save(self, folder: Path) -> None:
        write_json(folder / "views.json", self.spec.to_dict())
        save_parts([self.predictor], folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        spec = Views.from_dict(read_json(folder / "views.json"))
        return cls(spec, load_parts(folder)[0])


def average(predictions: np.ndarray, weights: np.ndarray, mean: MeanKind, several: bool = False) -> np.ndarray:
    """The weighted mean (n, outputs) of predictions (views, n, outputs).

    The geometric mean is made to sum to 1 again over the classes, or over yes and no of each label, where it is the
    geometric mean of the odds: either way the mean of logits (a logarithmic opinion pool, Genest & Zidek 1986). One
    sure view counts more in it than in the mean of probabilities.

    Args:
        weights: (views,), sum 1.
        several: the outputs are classes that exclude each other.
    """
    if mean == "rank":
        return weighted_mean(scaled_ranks(predictions), weights)
    if mean == "mean":
        return weighted_mean(predictions, weights)
    p = predictions.astype(np.float64).clip(EPSILON, 1 - EPSILON)
    return softmax(weighted_mean(np.log(p), weights), axis=1) if several else expit(weighted_mean(logit(p), weights))


def _check_mean(mean: MeanKind, task: Task) -> None:
    if mean == "geometric" and task.kind == "regression":
        raise KitError("Views.mean = geometric is a mean of probabilities; a regression task takes mean")
    if mean == "rank" and (task.kind not in ("binary", "multilabel") or task.metric.needs != "rank"):
        raise KitError(f"Views.mean = rank gives ranks, which {task.metric.name} of a {task.kind} task cannot score")
