"""Stack: a second-level model that learns from the members' out-of-fold predictions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.core.errors import KitError
from kit.ensemble.blend import Blend
from kit.ensemble.fitted import FittedBlend
from kit.ensemble.oof import OutOfFold
from kit.ensemble.stack.encoding import TableEncoding
from kit.ensemble.stack.inputs import InputScale, StackInputs
from kit.ensemble.stack.models import BoostedTrees, Formula, Logistic, Ridge, SecondLevel
from kit.ensemble.target import TargetKind, target_kind


class Stack(Blend):
    """Learns how to join members from their out-of-fold predictions (Wolpert 1992; Breiman 1996).

    Labels and metric decide what is predicted: classes, if there are several outputs for one column of labels;
    probabilities, if labels are between 0 and 1 and the metric is not one of values (rmse); else values. With several
    targets, each has its own model, learnt from the rows whose label is known. A target or class whose labels are all
    equal in the learnt rows gets the members' mean.
    """

    compact: ClassVar[bool] = True

    model: SecondLevel | None = Field(
        None, description="second-level model; none: Logistic for probabilities and classes, Ridge for values"
    )
    inputs: InputScale = Field(
        "auto",
        description="what the model sees of a prediction: it as it is (probability), its log-odds (logit; of classes "
        "the logarithm), or its rank in the column; auto: logit for Logistic where members give probabilities, else as "
        "it is",
    )
    cross: bool = Field(
        False,
        description="a target's model sees the predictions of all targets; else its own; one model of all "
        "classes sees all anyway",
    )
    columns: tuple[str, ...] = Field(
        (), description="original columns that the model sees beside the predictions, numeric or categories"
    )

    @property
    def needs(self) -> tuple[str, ...]:
        return self.columns

    def learn(self, oof: OutOfFold) -> "FittedStack":
        p, kind = oof.predictions, target_kind(oof)
        model = self.model or (Ridge() if kind == "values" else Logistic())
        if isinstance(model, Logistic) and kind == "values":
            if np.nanmin(oof.y) < 0 or np.nanmax(oof.y) > 1:
                found = f"{np.nanmin(oof.y):g} to {np.nanmax(oof.y):g}"
                raise KitError(f"Stack: Logistic gives probabilities, but labels run from {found}; use Ridge or Trees")
            kind = "labels"
        inputs = self.inputs
        if inputs == "auto":
            inputs = "logit" if isinstance(model, Logistic) and p.min() >= 0 and p.max() <= 1 else "probability"
        if inputs == "logit":
            for member, one in zip(oof.names, p, strict=True):
                if one.min() < 0 or one.max() > 1:
                    found = f"member '{member}' gives {one.min():g} to {one.max():g}"
                    raise KitError(f"Stack: inputs=logit needs probabilities, but {found}; use probability or rank")
        encoding = TableEncoding.of(self.columns, oof.columns, model.coded)
        extra = encoding.encode(oof.columns, len(oof.y))
        seen, outputs, parts = StackInputs(p, inputs, kind, extra, oof.plan), oof.outputs, []
        for task, y, at in _tasks(oof.y, kind, outputs, model.joint):
            x = seen.of(None if self.cross or len(at) > 1 else at[0])
            predicted = x.shape[1] - extra.shape[1]
            codes = tuple(predicted + i for i in encoding.codes)
            known = ~np.isnan(y)
            x, y = (x, y) if known.all() else (x[known], y[known])
            parts.append(TargetModel(at, model.fit(x, y, task, predicted, codes)))
        fewest = int((~np.isnan(oof.y)).sum(axis=0).min())
        edge = 1 / (fewest + 2) if kind != "values" else None
        name, across = type(model).__name__, self.cross
        return FittedStack(name, oof.names, inputs, kind, across, edge, encoding, outputs, tuple(parts))


@dataclass(frozen=True)
class TargetModel:
    """The model of one target, or of all classes that occurred.

    Attributes:
        at: positions of the outputs that it predicts.
        model: the fitted model.
    """

    at: tuple[int, ...]
    model: Formula | BoostedTrees


@dataclass(frozen=True)
class FittedStack(FittedBlend):
    """A fitted Stack; linear models need only numpy.

    Attributes:
        method: class of the second-level model.
        members: names, in the order in which `predict` takes their predictions.
        inputs: form in which the model gets a prediction: probability, logit or rank.
        kind: what is predicted: labels, classes or values.
        cross: whether the model of one target gets the predictions of all targets.
        edge: 1 / number of learnt rows. Results of least squares that are nearer than this to 0 or 1, or outside, are
            mapped, in the same order, to values at least half of it away: at 0, one wrong row would have an infinite
            log loss. None: values.
        columns: original columns beside the predictions.
        outputs: number of columns of a prediction.
        parts: the models.
        thresholds: (outputs,) from which blended prediction on the answer is yes; empty without thresholds.
    """

    compact: ClassVar[bool] = True
    method: str
    members: tuple[str, ...]
    inputs: str
    kind: TargetKind
    cross: bool
    edge: float | None
    columns: TableEncoding
    outputs: int
    parts: tuple[TargetModel, ...]
    thresholds: tuple[float, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        """A member's share of all influence (|weight × standard deviation|, for trees the gain), the mean over outputs.

        The rest, up to a sum of 1, is the original columns' share. Influence has no sign.
        """
        shares, equal = np.zeros(len(self.members)), np.full(len(self.members), 1 / len(self.members))
        done = [output for part in self.parts for output in part.at]
        for part in self.parts:
            influence = np.array(part.model.influence)
            members = influence[: len(influence) - len(self.columns.inputs)].reshape(len(self.members), -1).sum(axis=1)
            shares += len(part.at) * (members / influence.sum() if influence.sum() else equal)
        shares += (self.outputs - len(done)) * equal
        return dict(zip(self.members, (shares / self.outputs).tolist(), strict=True))

    def combine(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        extra = self.columns.encode(columns, predictions.shape[1])
        seen = StackInputs(predictions, self.inputs, self.kind, extra)
        joined = predictions.mean(axis=0, dtype=np.float64)
        for part in self.parts:
            x = seen.of(None if self.cross or len(part.at) > 1 else part.at[0])
            p, at = part.model.predict(x), list(part.at)
            if len(at) > 1:  # classes that did not occur keep the members' mean; the others share the rest
                p = p * (1 - np.delete(joined, at, axis=1).sum(axis=1, keepdims=True)).clip(0)
            joined[:, at] = p
        if self.edge is not None:
            least = [part.at[0] for part in self.parts if isinstance(part.model, Formula) and part.model.link == "none"]
            joined[:, least] = squeezed(joined[:, least], self.edge)
            if self.kind == "classes":
                total = joined.sum(axis=1, keepdims=True)
                joined = joined / np.where(total > 0, total, 1)
        return joined

    def to_dict(self) -> dict[str, Any]:
        parts = []
        for part in self.parts:
            model, terms = part.model, self._terms(part)
            if isinstance(model, Formula):
                for term, *weights in zip(terms, *model.weights, strict=True):
                    term["weights"] = weights
                found: dict[str, Any] = {"link": model.link, "intercepts": list(model.intercepts)}
            else:
                found = {"trees": list(model.lines)}
            parts.append({"at": list(part.at), "inputs": terms, **found})
        return {
            "method": self.method,
            "inputs": self.inputs,
            "predicts": self.kind,
            "cross": self.cross,
            "edge": self.edge,
            "outputs": self.outputs,
            "members": list(self.members),
            "columns": self.columns.to_list(),
            "coded": self.columns.coded,
            "parts": parts,
            "thresholds": list(self.thresholds),
        }

    def _terms(self, part: TargetModel) -> list[dict[str, Any]]:
        """Names of a model's inputs, in their order."""
        outputs = range(self.outputs) if self.cross or len(part.at) > 1 else part.at
        terms: list[dict[str, Any]] = [{"member": m, "output": output} for m in self.members for output in outputs]
        terms += [{"column": name} for name in self.columns.inputs]
        return [{**term, "influence": i} for term, i in zip(terms, part.model.influence, strict=True)]

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        parts = []
        for found in saved["parts"]:
            influence = tuple(term["influence"] for term in found["inputs"])
            if "trees" in found:
                model: Formula | BoostedTrees = BoostedTrees(tuple(found["trees"]), influence)
            else:
                weights = tuple(zip(*(term["weights"] for term in found["inputs"]), strict=True))
                model = Formula(weights, tuple(found["intercepts"]), found["link"], influence)
            parts.append(TargetModel(tuple(found["at"]), model))
        return cls(
            saved["method"],
            tuple(saved["members"]),
            saved["inputs"],
            saved["predicts"],
            saved["cross"],
            saved["edge"],
            TableEncoding.from_list(saved["columns"], saved["coded"]),
            saved["outputs"],
            tuple(parts),
            tuple(saved["thresholds"]),
        )


def squeezed(p: np.ndarray, edge: float) -> np.ndarray:
    """Numbers as probabilities: unchanged from `edge` to 1 - `edge`; others nearer to 0 or 1, in the same order."""

    def above(p: np.ndarray) -> np.ndarray:
        far = np.maximum(edge - p, 0) / edge
        return np.where(p < edge, edge / 2 * (1 + 1 / (1 + 2 * far)), p)  # continuous, and so is its slope

    return 1 - above(1 - above(p))


def _tasks(
    y: np.ndarray, kind: TargetKind, outputs: int, joint: bool
) -> Iterator[tuple[TargetKind, np.ndarray, tuple[int, ...]]]:
    """What to learn: kind, labels (n,), some perhaps missing, and outputs; not targets whose labels are all equal."""
    if kind == "classes":
        seen = np.unique(y).astype(int).tolist()
        if len(seen) > 1 and joint:
            yield "classes", np.searchsorted(seen, y[:, 0]).astype(float), tuple(seen)
        elif len(seen) > 1:
            yield from (("labels", (y[:, 0] == one).astype(float), (one,)) for one in seen)
        return
    for output, labels in enumerate(y.T):
        known = labels[~np.isnan(labels)]
        if kind == "values" or (known != known[0]).any():
            yield kind, labels, (output,)
