"""Stack: a second-level model that learns from the members' out-of-fold predictions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field

from kit.ensemble.base import Blend, Blended, Judged, scaled_ranks
from kit.ensemble.stack_columns import Encoding
from kit.ensemble.stack_models import Formula, Grown, Kind, Logistic, Ridge, SecondLevel
from kit.spec import KitError

Inputs = Literal["auto", "probability", "logit", "rank"]
TINY = 1e-7  # probabilities nearer to 0 or 1 count as this near: float32, which members give, tells no more near 1


class Stack(Blend):
    """Learns how to join members from their out-of-fold predictions (Wolpert 1992; Breiman 1996).

    What is predicted follows from the labels and the metric: of several outputs for one column of labels, classes;
    probabilities where labels lie between 0 and 1, but for a metric of values (rmse); values elsewhere. Several
    targets have a model each. A target or class whose labels are all equal among the learnt rows teaches nothing, and
    stays the members' mean.
    """

    compact: ClassVar[bool] = True

    model: SecondLevel | None = Field(
        None, description="second-level model; none: Logistic for probabilities and classes, Ridge for values"
    )
    inputs: Inputs = Field(
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

    def learn(self, judged: Judged) -> Blended:
        p, kind = judged.predictions, kind_of(judged)
        model = self.model or (Ridge() if kind == "values" else Logistic())
        if isinstance(model, Logistic) and kind == "values":
            if judged.y.min() < 0 or judged.y.max() > 1:
                found = f"{judged.y.min():g} to {judged.y.max():g}"
                raise KitError(f"Stack: Logistic gives probabilities, but labels run from {found}; use Ridge or Trees")
            kind = "labels"
        inputs = self.inputs
        if inputs == "auto":
            inputs = "logit" if isinstance(model, Logistic) and p.min() >= 0 and p.max() <= 1 else "probability"
        if inputs == "logit":
            for member, said in zip(judged.names, p, strict=True):
                if said.min() < 0 or said.max() > 1:
                    found = f"member '{member}' gives {said.min():g} to {said.max():g}"
                    raise KitError(f"Stack: inputs=logit wants probabilities, but {found}; use probability or rank")
        encoding = Encoding.of(self.columns, judged.columns, model.coded)
        extra = encoding.encode(judged.columns, len(judged.y))
        views, outputs, parts = Views(p, inputs, kind, extra, judged.plan), p.shape[2], []
        for task, y, at in _tasks(judged.y, kind, outputs, model.joint):
            x = views.of(None if self.cross or len(at) > 1 else at[0])
            said = x.shape[1] - extra.shape[1]
            parts.append(Part(at, model.fit(x, y, task, said, tuple(said + i for i in encoding.codes))))
        edge = 1 / (len(judged.y) + 2) if kind != "values" else None
        name, across = type(model).__name__, self.cross
        return Stacked(name, judged.names, inputs, kind, across, edge, encoding, outputs, tuple(parts))


@dataclass(frozen=True)
class Part:
    """The model of one target, or of all classes that were seen.

    Attributes:
        at: outputs that it predicts.
        model: what was fitted.
    """

    at: tuple[int, ...]
    model: Formula | Grown


@dataclass(frozen=True)
class Stacked(Blended):
    """What a Stack learnt; linear models are applied with numpy alone.

    Attributes:
        method: class of the second-level model.
        members: names, in the order in which `apply` takes their predictions.
        inputs: what the model sees of a prediction: probability, logit or rank.
        kind: what is predicted: labels, classes or values.
        cross: the model of one target sees the predictions of all.
        edge: one row's share of the learnt ones: what least squares say beyond this far from 0 and 1 is bent back, in
            order, to no nearer than half of it; at 0 one wrong row would cost a log loss without bound. None: values.
        columns: original columns beside the predictions.
        outputs: columns of a prediction.
        parts: the models.
        thresholds: (outputs,) what a blended prediction must reach to say yes; empty where nothing is cut.
    """

    compact: ClassVar[bool] = True
    method: str
    members: tuple[str, ...]
    inputs: str
    kind: Kind
    cross: bool
    edge: float | None
    columns: Encoding
    outputs: int
    parts: tuple[Part, ...]
    thresholds: tuple[float, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        """A member's share of all influence (|weight × standard deviation|, of trees the gain), a mean over outputs.

        What is missing to a sum of 1 is the original columns' share. Influence has no sign.
        """
        shares, equal = np.zeros(len(self.members)), np.full(len(self.members), 1 / len(self.members))
        done = [output for part in self.parts for output in part.at]
        for part in self.parts:
            influence = np.array(part.model.influence)
            members = influence[: len(influence) - len(self.columns.inputs)].reshape(len(self.members), -1).sum(axis=1)
            shares += len(part.at) * (members / influence.sum() if influence.sum() else equal)
        shares += (self.outputs - len(done)) * equal
        return dict(zip(self.members, (shares / self.outputs).tolist(), strict=True))

    def join(self, predictions: np.ndarray, columns: pd.DataFrame | None) -> np.ndarray:
        extra = self.columns.encode(columns, predictions.shape[1])
        views = Views(predictions, self.inputs, self.kind, extra)
        joined = predictions.mean(axis=0, dtype=np.float64)
        for part in self.parts:
            x = views.of(None if self.cross or len(part.at) > 1 else part.at[0])
            said, at = part.model.predict(x), list(part.at)
            if len(at) > 1:  # what classes that were not seen are said to have is taken from the others
                said = said * (1 - np.delete(joined, at, axis=1).sum(axis=1, keepdims=True)).clip(0)
            joined[:, at] = said
        if self.edge is not None:
            least = [part.at[0] for part in self.parts if isinstance(part.model, Formula) and part.model.link == "none"]
            joined[:, least] = bent_back(joined[:, least], self.edge)
            if self.kind == "classes":
                total = joined.sum(axis=1, keepdims=True)
                joined = joined / np.where(total > 0, total, 1)
        return joined

    def facts(self) -> dict[str, Any]:
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
            "columns": self.columns.facts(),
            "coded": self.columns.coded,
            "parts": parts,
            "thresholds": list(self.thresholds),
        }

    def _terms(self, part: Part) -> list[dict[str, Any]]:
        """What each input of a model is, in its order."""
        outputs = range(self.outputs) if self.cross or len(part.at) > 1 else part.at
        terms: list[dict[str, Any]] = [{"member": m, "output": output} for m in self.members for output in outputs]
        terms += [{"column": name} for name in self.columns.inputs]
        return [{**term, "influence": i} for term, i in zip(terms, part.model.influence, strict=True)]

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Self:
        parts = []
        for found in facts["parts"]:
            influence = tuple(term["influence"] for term in found["inputs"])
            if "trees" in found:
                model: Formula | Grown = Grown(tuple(found["trees"]), influence)
            else:
                weights = tuple(zip(*(term["weights"] for term in found["inputs"]), strict=True))
                model = Formula(weights, tuple(found["intercepts"]), found["link"], influence)
            parts.append(Part(tuple(found["at"]), model))
        return cls(
            facts["method"],
            tuple(facts["members"]),
            facts["inputs"],
            facts["predicts"],
            facts["cross"],
            facts["edge"],
            Encoding.from_facts(facts["columns"], facts["coded"]),
            facts["outputs"],
            tuple(parts),
            tuple(facts["thresholds"]),
        )


def kind_of(judged: Judged) -> Kind:
    """What is to be predicted: classes, labels between 0 and 1, or values.

    Raises:
        KitError: labels and predictions have different columns, or classes that predictions have not.
    """
    y, outputs = judged.y, judged.predictions.shape[2]
    if y.shape[1] == 1 and outputs > 1:
        if (bad := (y != np.floor(y)) | (y < 0) | (y >= outputs)).any():
            raise KitError(f"blend: labels must be class indices 0 to {outputs - 1}; found {y[bad][0]:g}")
        return "classes"
    if y.shape[1] != outputs:
        raise KitError(f"blend: labels have {y.shape[1]} columns, but predictions have {outputs}")
    return "values" if judged.metric.needs == "value" or y.min() < 0 or y.max() > 1 else "labels"


@dataclass
class Views:
    """What models see of some rows, made one member and as few outputs as a model reads at a time.

    Attributes:
        predictions: (members, n, outputs), of any width.
        inputs: what the models see of a prediction: probability, logit or rank.
        kind: what is predicted.
        extra: (n, …) encoded original columns, which follow the predictions.
        plan: (n,) ranks are taken within a fold, as the test set's are within it: folds come of different fits.
    """

    predictions: np.ndarray
    inputs: str
    kind: Kind
    extra: np.ndarray
    plan: np.ndarray | None = None
    _whole: np.ndarray | None = None

    def of(self, output: int | None) -> np.ndarray:
        """(n, inputs): one output of each member, or all (None), member after member."""
        if output is None and self._whole is not None:
            return self._whole
        at = slice(None) if output is None else slice(output, output + 1)
        members, n, wide = self.predictions[:, :, at].shape
        seen = np.empty((n, members * wide + self.extra.shape[1]))
        for m, said in enumerate(self.predictions):
            seen[:, m * wide : (m + 1) * wide] = self._transformed(said[:, at].astype(np.float64))
        seen[:, members * wide :] = self.extra
        self._whole = seen if output is None else None
        return seen

    def _transformed(self, p: np.ndarray) -> np.ndarray:
        if self.inputs == "rank":
            ranks = np.empty_like(p)
            for fold in [None] if self.plan is None else np.unique(self.plan):
                rows = slice(None) if fold is None else self.plan == fold
                ranks[rows] = scaled_ranks(p[rows])
            return ranks
        if self.inputs == "logit":
            p = p.clip(TINY, 1 - TINY)
            return np.asarray(np.log(p) if self.kind == "classes" else np.log(p) - np.log1p(-p))
        return p


def bent_back(p: np.ndarray, edge: float) -> np.ndarray:
    """Numbers as probabilities: the same from `edge` to 1 - `edge`, those beyond in order within half of it."""

    def above(p: np.ndarray) -> np.ndarray:
        far = np.maximum(edge - p, 0) / edge
        return np.where(p < edge, edge / 2 * (1 + 1 / (1 + 2 * far)), p)  # continuous, and so is its slope

    return 1 - above(1 - above(p))


def _tasks(y: np.ndarray, kind: Kind, outputs: int, joint: bool) -> Iterator[tuple[Kind, np.ndarray, tuple[int, ...]]]:
    """What there is to learn: its kind, labels (n,) and outputs. Labels that are all equal teach nothing."""
    if kind == "classes":
        seen = np.unique(y).astype(int).tolist()
        if len(seen) > 1 and joint:
            yield "classes", np.searchsorted(seen, y[:, 0]).astype(float), tuple(seen)
        elif len(seen) > 1:
            yield from (("labels", (y[:, 0] == one).astype(float), (one,)) for one in seen)
        return
    for output, labels in enumerate(y.T):
        if kind == "values" or (labels != labels[0]).any():
            yield kind, labels, (output,)
