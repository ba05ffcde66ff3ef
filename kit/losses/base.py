"""Loss: what a model's output is worth against the labels, row by row."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from kit.lazy import later
from kit.spec import KitError, Spec, nearest

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
else:
    torch, F = later("torch"), later("torch.nn.functional")

COLUMNS = frozenset({"binary", "multilabel"})  # every output column answers a question of its own
CLASSES = frozenset({"multiclass"})  # the output columns share one answer
VALUES = frozenset({"regression"})
EPS = 2.0**-23  # of fp32

SUGGESTED = {
    "binary": "BCE, Focal or Asymmetric",
    "multilabel": "BCE, Focal or Asymmetric",
    "multiclass": "CrossEntropy, Focal or BiTempered",
    "regression": "Squared, Huber or Quantile",
}


class Loss(Spec):
    """A loss with its settings; call it like a function, or take `loss.rows(kind)`, which says how labels are read.

    A new loss states its `kinds` and gives `per_row`; weights, fp32 and the forms of labels are seen to here.

    Attributes:
        kinds: kinds of task whose labels it understands.
        soft: whether labels between 0 and 1 (mixed rows, a teacher's answers) mean something to it.
    """

    kinds: ClassVar[frozenset[str]] = COLUMNS
    soft: ClassVar[bool] = True

    def __call__(
        self, output: "Tensor", y: "Tensor", weight: "Tensor | None" = None, kind: str | None = None
    ) -> "Tensor":
        """Loss of each row times its weight, (n,) fp32, whose sum over a batch is what is minimised.

        Without weights its mean is the loss of the batch. With them a row of weight 2 counts like two equal rows and
        one of weight 0 like none, in losses over the whole batch (SoftF1, SoftAUC, Flooding) too. Nothing is divided
        by the sum of the weights: weights of mean 1 keep the meaning of the learning rate.

        Args:
            output: (n, k) logits, or values for regression; (n, classes) logits for multiclass, classes ≥ 2.
            y: (n, k) labels; for multiclass class indices (n, 1) or shares (n, classes).
            weight: (n,) weights of the rows, not negative; None is 1 for each.
            kind: kind of the task. It is needed only by a loss that serves multiclass and multilabel, for shares of
                classes: without it, that loss takes labels of the output's shape for those of a multilabel task.

        Raises:
            KitError: labels or weights of another shape.
        """
        width = output.shape[1]
        if kind is None:
            multiclass = self.kinds == CLASSES or (self.kinds > CLASSES and y.shape[1:] != output.shape[1:])
        else:
            multiclass = kind == "multiclass"
        output, labels = output.float(), y.float()
        if multiclass and width > 1 and y.shape[1:] == (1,):
            labels = F.one_hot(y[:, 0].long(), width).float()
        if labels.shape != output.shape or (multiclass and width < 2):
            wanted = "class indices (n, 1) or shares (n, classes ≥ 2)" if multiclass else "labels of the output's shape"
            raise KitError(f"{self._name} wants {wanted}, not {tuple(y.shape)} for an output {tuple(output.shape)}")
        weight = output.new_ones(len(output)) if weight is None else weight.float()
        if weight.shape != output.shape[:1]:
            raise KitError(f"{self._name} wants one weight a row ({len(output)},), not {tuple(weight.shape)}")
        return weight * self.per_row(output, labels, weight, multiclass)

    def rows(self, kind: str) -> "Callable[..., Tensor]":
        """The loss as a function (output, y, weight=None) → (n,) that reads labels as those of a task of this kind.

        Raises:
            KitError: it does not serve this kind.
        """
        check_kind(kind)
        if kind not in self.kinds:
            raise KitError(f"{self._name} cannot be the loss of a {kind} task; take {SUGGESTED[kind]}")
        return partial(self, kind=kind)

    @abstractmethod
    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        """Loss of each row, (n,), not yet multiplied by its weight.

        A loss of the batch as a whole gives every row the same number, computed with the weights.

        Args:
            output: (n, k) fp32.
            y: (n, k) fp32; class indices have become one-hot shares.
            weight: (n,) fp32.
            multiclass: whether the columns are classes that share one answer.
        """

    @property
    def _name(self) -> str:
        return type(self).__name__


def check_kind(kind: str) -> None:
    """Refuses, with a KitError, what is no kind of task."""
    if kind not in SUGGESTED:
        raise KitError(f"there is no kind of task '{kind}'" + nearest(kind, list(SUGGESTED)))


def weighted_mean(values: "Tensor", weight: "Tensor", dim: int | tuple[int, ...] = 0) -> "Tensor":
    """Σ weight · values / Σ weight over `dim`; 0, with a gradient of 0, where the weights are all 0."""
    total = weight.sum(dim)
    return (weight * values).sum(dim) / (total + (total == 0))


def as_classes(output: "Tensor", y: "Tensor", multiclass: bool) -> "tuple[Tensor, Tensor]":
    """Logits and shares (n, questions, classes): one question of all columns, or each column one of yes and no.

    Only differences of logits matter to a softmax, so a column's logit z becomes (z, 0).
    """
    if multiclass:
        return output[:, None], y[:, None]
    return torch.stack([output, torch.zeros_like(output)], -1), torch.stack([y, 1 - y], -1)


def per_column(setting: str, values: Sequence[float] | None, output: "Tensor") -> "Tensor | None":
    """A setting's numbers as a tensor (k,), one for each column of `output` (n, k); None stays None.

    Raises:
        KitError: there are more or fewer of them than columns.
    """
    if values is None:
        return None
    if len(values) != output.shape[1]:
        raise KitError(f"{setting} has {len(values)} numbers, but the output has {output.shape[1]} columns")
    return torch.tensor(values, dtype=output.dtype).to(output.device, non_blocking=True)  # no wait for the device
