"""Loss: the base class of all losses. A loss gives one number for each row."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kit.core.errors import KitError, nearest
from kit.core.lazy import later
from kit.core.spec import Spec

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
else:
    torch, F = later("torch"), later("torch.nn.functional")

COLUMNS = frozenset({"binary", "multilabel"})  # each output column is a yes-or-no question
CLASSES = frozenset({"multiclass"})  # the output columns are classes, exactly one of them is right
VALUES = frozenset({"regression"})
EPS = 2.0**-23  # machine epsilon of fp32

SUGGESTED = {
    "binary": "BCE, Focal or Asymmetric",
    "multilabel": "BCE, Focal or Asymmetric",
    "multiclass": "CrossEntropy, Focal or BiTempered",
    "regression": "Squared, Huber or Quantile",
}


class Loss(Spec):
    """Base class of losses. Call a loss like a function, or use `loss.rows(kind)` to fix the kind of task.

    A new loss sets `kinds` and implements `per_row`. This class handles row weights, fp32 and the forms of labels.

    A label of a yes-or-no question or a value may be missing (NaN) where the task has several. It adds nothing to the
    row's loss, and the others count as if it were there: each label has the same weight, whatever its row lacks.

    Attributes:
        kinds: kinds of task that the loss can be used for.
        gaps: whether it leaves out labels that are missing; `known_labels` and `row_mean` do it.
    """

    kinds: ClassVar[frozenset[str]] = COLUMNS
    gaps: ClassVar[bool] = False

    def __call__(
        self, output: "Tensor", y: "Tensor", weight: "Tensor | None" = None, kind: str | None = None
    ) -> "Tensor":
        """Loss of each row times the row's weight, (n,) fp32. Training minimises the sum over a batch.

        A row of weight 2 counts like two equal rows, a row of weight 0 does not count. This also holds for losses of
        the whole batch (SoftF1, SoftAUC, Flooding). The loss is not divided by the sum of the weights, so weights
        should have mean 1: then the learning rate needs no change.

        Args:
            output: (n, k) logits, or values for regression; (n, classes) logits for multiclass, classes ≥ 2.
            y: (n, k) labels, NaN where one is missing; for multiclass class indices (n, 1) or shares (n, classes).
            weight: (n,) weights of the rows, not negative. None: every row has weight 1.
            kind: kind of the task. Only needed for a loss that serves both multiclass and multilabel tasks, when the
                labels are shares of classes: labels of the same shape as the output are read as multilabel otherwise.

        Raises:
            KitError: labels or weights have the wrong shape.
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
            raise KitError(f"{self._name} needs {wanted}, not {tuple(y.shape)} for an output {tuple(output.shape)}")
        weight = output.new_ones(len(output)) if weight is None else weight.float()
        if weight.shape != output.shape[:1]:
            raise KitError(f"{self._name} needs one weight per row ({len(output)},), not {tuple(weight.shape)}")
        return weight * self.per_row(output, labels, weight, multiclass)

    def mixed(
        self,
        output: "Tensor",
        labels: "Sequence[Tensor]",
        weights: "Sequence[Tensor | None]",
        share: float,
        kind: str | None = None,
    ) -> "Tensor":
        """Loss of rows that are each mixed of two (Zhang et al. 2018), (n,) fp32: the sum of the losses of both labels.

        It is share · loss of the first label + (1 − share) · loss of the second one, each times the weight of its row.
        The loss of the mean label is the same only for losses that are linear in the label, such as cross-entropy.

        Args:
            output: of the mixed rows, as above.
            labels: of the first row of each pair, and of the second one, as above.
            weights: of both rows, as above.
            share: of the first row, from 0 to 1.
            kind: kind of the task, as above.
        """
        own, other = (self(output, y, weight, kind) for y, weight in zip(labels, weights, strict=True))
        return share * own + (1 - share) * other

    def rows(self, kind: str) -> "Callable[..., Tensor]":
        """The loss as a function (output, y, weight=None) → (n,), for tasks of this kind.

        Raises:
            KitError: the loss cannot be used for this kind of task.
        """
        check_kind(kind)
        if kind not in self.kinds:
            raise KitError(f"{self._name} cannot be the loss of a {kind} task; take {SUGGESTED[kind]}")
        return RowLoss(self, kind)

    def scaled(self, scale: Sequence[float]) -> "Loss":
        """The same loss of values that were divided by `scale`, a number for each column.

        Members train on regression targets of unit variance. Settings in units of the target, such as the delta of
        Huber, are converted here; most losses have none.
        """
        return self

    @property
    def unflooded(self) -> "Loss | None":
        """The loss without Flooding; None if this loss is not flooded."""
        return None

    @abstractmethod
    def per_row(self, output: "Tensor", y: "Tensor", weight: "Tensor", multiclass: bool) -> "Tensor":
        """Loss of each row, (n,), not yet multiplied by the row's weight.

        A loss of the whole batch uses the weights itself and gives every row the same number.

        Args:
            output: (n, k) fp32.
            y: (n, k) fp32; class indices are already one-hot. NaN where a label is missing.
            weight: (n,) fp32.
            multiclass: whether the columns are the classes of one question.
        """

    @property
    def _name(self) -> str:
        return type(self).__name__


@dataclass(frozen=True)
class RowLoss:
    """A loss of tasks of one kind: (output, y, weight=None) → (n,).

    Attributes:
        loss: its settings.
        kind: says how labels are read.
    """

    loss: Loss
    kind: str

    def __call__(self, output: "Tensor", y: "Tensor", weight: "Tensor | None" = None) -> "Tensor":
        return self.loss(output, y, weight, self.kind)

    def mixed(
        self, output: "Tensor", labels: "Sequence[Tensor]", weights: "Sequence[Tensor | None]", share: float
    ) -> "Tensor":
        """See `Loss.mixed`."""
        return self.loss.mixed(output, labels, weights, share, self.kind)

    @property
    def unflooded(self) -> "RowLoss | None":
        """See `Loss.unflooded`."""
        true = self.loss.unflooded
        return None if true is None else RowLoss(true, self.kind)


def check_kind(kind: str) -> None:
    """Checks that `kind` is a kind of task.

    Raises:
        KitError: it is not; the message names the nearest kind.
    """
    if kind not in SUGGESTED:
        raise KitError(f"there is no kind of task '{kind}'" + nearest(kind, list(SUGGESTED)))


def weighted_mean(values: "Tensor", weight: "Tensor", dim: int | tuple[int, ...] = 0) -> "Tensor":
    """Σ weight · values / Σ weight over `dim`. Where all weights are 0, the result and its gradient are 0."""
    total = weight.sum(dim)
    return (weight * values).sum(dim) / (total + (total == 0))


def known_labels(y: "Tensor", multiclass: bool) -> "tuple[Tensor, Tensor]":
    """Labels (n, k) with 0 in place of those that are missing, and whether each question (n, questions) has one.

    There is no branch on it, which would have to wait for the GPU.
    """
    known = torch.isnan(y).logical_not()
    return torch.where(known, y, 0.0), known[:, :1] if multiclass else known


def row_mean(losses: "Tensor", known: "Tensor") -> "Tensor":
    """The mean of a row's losses (n, questions) over its questions; those without a label add 0."""
    return torch.where(known, losses, 0.0).mean(1)


def share_known(known: "Tensor") -> "Tensor":
    """(n,) the share of a row's questions that have a label; all rows 1 where nothing is missing."""
    return known.float().mean(1)


def as_classes(output: "Tensor", y: "Tensor", multiclass: bool) -> "tuple[Tensor, Tensor]":
    """Logits (n, k) and labels (n, k) → logits and shares, both (n, questions, classes).

    Multiclass: one question with k classes. Otherwise: k questions with the classes yes and no. A column's logit z
    becomes the pair (z, 0), because a softmax depends only on differences of logits.
    """
    if multiclass:
        return output[:, None], y[:, None]
    return torch.stack([output, torch.zeros_like(output)], -1), torch.stack([y, 1 - y], -1)


def per_column(setting: str, values: Sequence[float] | None, output: "Tensor") -> "Tensor | None":
    """The numbers of a setting as a tensor (k,), one for each column of `output` (n, k). None stays None.

    Raises:
        KitError: the setting does not have one number for each column.
    """
    if values is None:
        return None
    if len(values) != output.shape[1]:
        raise KitError(f"{setting} has {len(values)} numbers, but the output has {output.shape[1]} columns")
    return torch.tensor(values, dtype=output.dtype).to(output.device, non_blocking=True)  # does not wait for the GPU
